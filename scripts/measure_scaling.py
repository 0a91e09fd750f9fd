# SPDX-License-Identifier: Apache-2.0
"""What a session costs by symbols, strategies, models and accounts: processor time of a message of
the market, and memory, measured in a process of its own for each case, the least of some rounds.
`docs/scaling.md` has the figures and what follows from them.

    python scripts/measure_scaling.py [--rounds 3] > figures.json
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import platform
import random
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hean.backtest.run import BacktestSettings
from hean.backtest.sharing import Seat, Sharing
from hean.core.message import pack, unpack
from hean.core.types import Book, Payload, Tick
from hean.feeds.arriving import Terms
from hean.judges import Judges
from hean.models.changepoint import ChangepointSettings
from hean.models.garch import GarchSettings
from hean.paper import PaperSession
from hean.paper_journal import Inputs, start_session_journal, take_input
from hean.system import AccountSettings

MESSAGES = 12_000  # of all symbols together: seconds of a busy market
STRATEGY = f"{Path(__file__).resolve().parent.parent / 'tests/paper_strategies.py'}:Swing"
S_NS = 1_000_000_000
START_NS = 1_700_000_000 * S_NS
MODELS = Judges(garch=GarchSettings(), changepoint=ChangepointSettings())


class Case(NamedTuple):
    """*strategies*: 0 for none, which trades nothing; *journal*: rows on a disk, synced once in a
    hundred messages; *bridge*: each message is packed by one and read by another process, without
    the broker between them.
    """

    symbols: int
    strategies: int = 0
    models: bool = False
    journal: bool = False
    bridge: bool = False

    @property
    def name(self) -> str:
        """How its figures are called."""
        more = ", models" * self.models + ", journal" * self.journal + ", bridge" * self.bridge
        return f"{self.symbols} symbols, {self.strategies} strategies{more}"


CASES = (
    *(Case(symbols) for symbols in (1, 4, 16, 64)),
    *(Case(16, strategies) for strategies in (1, 4, 16)),
    Case(16, 1, models=True),
    Case(64, 1, models=True),
    Case(16, 1, journal=True),
    Case(16, 1, bridge=True),
)


def names(count: int) -> tuple[str, ...]:
    """So many symbols."""
    return tuple(f"C{number:03}USDT" for number in range(count))


def frames(symbols: tuple[str, ...]) -> Iterator[tuple[int, tuple[Payload, ...]]]:
    """A book of five levels and a trade, of one symbol after the other, ten of each a second."""
    chance = random.Random(5)
    prices = dict.fromkeys(symbols, 1_000.0)
    gap_ns = S_NS // (10 * len(symbols))
    for number in range(MESSAGES):
        symbol = symbols[number % len(symbols)]
        prices[symbol] *= math.exp(chance.gauss(0, 2e-4))
        middle = round(prices[symbol], 1)
        bids = tuple((round(middle - 0.1 * place, 1), 5.0) for place in range(1, 6))
        asks = tuple((round(middle + 0.1 * place, 1), 5.0) for place in range(1, 6))
        tick = Tick(symbol, middle, 0.5, 0, bids[0][0], asks[0][0])
        yield START_NS + (number + 1) * gap_ns, (Book(symbol, bids, asks, True), tick)


def settings_of(case: Case) -> BacktestSettings:
    """The session of a case: each strategy has an equal part of the symbols."""
    symbols = names(case.symbols)
    account = AccountSettings(judges=MODELS) if case.models else AccountSettings()
    if case.strategies < 2:
        return BacktestSettings(STRATEGY * case.strategies, symbols, account=account, bar="1s")
    share = len(symbols) // case.strategies
    seats = [
        Seat(f"s{number}", STRATEGY, symbols[number * share : (number + 1) * share])
        for number in range(case.strategies)
    ]
    sharing = Sharing(tuple(seats))
    return BacktestSettings(STRATEGY, symbols, account=account, bar="1s", sharing=sharing)


def play(case: Case, folder: Path) -> dict[str, float]:
    """Play it once. Microseconds of a processor for a message, megabytes of memory, orders."""
    symbols = names(case.symbols)
    terms = [
        Terms(name, "linear", "0.1", "0.001", "0.001", "", "5", (), "0.0002", "0.00055", 28_800)
        for name in symbols
    ]
    told = list(frames(symbols))
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    session = PaperSession(settings_of(case), terms, start_ns=START_NS, origin="measured")
    journal = start_session_journal(folder / "j", session, terms) if case.journal else None
    inputs, sent = Inputs(symbols), 0
    began_s = time.process_time()
    for number, (at_ns, facts) in enumerate(told):
        if case.bridge:
            data = pack("feed", number + 1, number, at_ns, facts)
            sent += len(data)
            take_input(session, inputs, unpack(data))
        else:
            session.take(at_ns, facts)
            session.play(at_ns + 1)
        if journal is not None and number % 100 == 0:
            journal.commit()
    took_s = time.process_time() - began_s
    used_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "us_a_message": took_s / MESSAGES * 1e6,
        "memory_mb": used_mb,
        "memory_mb_of_the_session": used_mb - before_mb,
        "orders": float(session.run.recorder.orders),
        "bytes_a_message": sent / MESSAGES,
    }


def measured(case: Case) -> dict[str, float]:
    """In a process of its own."""
    with TemporaryDirectory() as folder:
        return play(case, Path(folder))


def least(rounds: list[dict[str, float]]) -> Mapping[str, float]:
    """The least of each figure: what other work on the machine added is left out."""
    return {name: round(min(each[name] for each in rounds), 2) for name in rounds[0]}


def main() -> int:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    found = {}
    context = multiprocessing.get_context("spawn")
    for case in CASES:
        results = []
        for _ in range(rounds):
            with context.Pool(1) as pool:
                results.append(pool.apply(measured, (case,)))
        found[case.name] = least(results)
        print(f"{case.name}: {found[case.name]}", file=sys.stderr)
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    json.dump({"machine": machine, "messages": MESSAGES, "cases": found}, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
