# SPDX-License-Identifier: Apache-2.0
"""Judging a population: 50 agents on 525,600 one-minute bars of two symbols, with fees, slippage,
funding, intra-bar stops and drawdown, on one core; beside a fused numba loop of the same rules.

Workload: a seeded market of two perpetuals. `family`: fifty parameter sets of one rule (RSI, EMA,
ATR stop, longest holding), which the numba loop plays too; round trips must agree within one in a
hundred, or the figures mean nothing. `unheld`: the family without its longest holding, on the first
100,000 bars, which vectorbt plays in a process of its own; the same holds for its round trips.
`newborn`: fifty random genomes, as the first generation of `hean evolve`. Processor seconds.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import symbiont_peer
from hean._core import SymbiontGround
from hean.data.instruments import instrument_for
from hean.genome.text import read
from hean.genome.words import row_of
from hean.risk.sizing import Sizing
from hean.symbiont.breed import INIT, LADDER, born, chance
from measure import Goal, Result, install_peers, peak_rss_mb, python_with, say, worker
from symbiont_peer import columns

BARS, AGENTS, UNHELD_BARS = 525_600, 50, 100_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")
MINUTE_NS, START_NS = 60 * 10**9, 1_700_006_400 * 10**9
FEE, SLIPPAGE, CASH, FRACTION = 0.0005, (0.00005, 0.5), 10_000.0, 0.1
GOALS: dict[str, Goal] = {
    "family s": ("<=", 3.0),
    "newborn s": ("<=", 3.0),
    "numba over judge": (">=", 5.0),
    "vectorbt over judge": (">=", 50.0),
    "memory MB": ("<=", 1024.0),
}


def ground(market: list[np.ndarray]) -> SymbiontGround:
    """The market, ready."""
    bars = market[0].shape[1]
    ts = START_NS + MINUTE_NS * np.arange(bars)
    ts.setflags(write=False)
    times = list(range(START_NS, int(ts[-1]), 480 * MINUTE_NS))
    rows: list[tuple[Any, ...]] = []
    for symbol, table in zip(SYMBOLS, market, strict=True):
        five = [np.ascontiguousarray(column) for column in table]
        for column in five:
            column.setflags(write=False)
        rules = instrument_for("binance", "perp", "BTCUSDT", name=symbol)
        fees = ("0.0002", str(FEE))
        rows.append((rules, fees, "3", MINUTE_NS, ts, five, times, [1e-4] * len(times), []))
    sizing = Sizing(fraction=FRACTION)
    return SymbiontGround(
        rows,
        cash=str(CASH),
        latency_ns=(50_000_000, 50_000_000),
        slippage=SLIPPAGE,
        sizing=(sizing.method, sizing.numbers),
        sample_step_ns=3_600 * 10**9,
        start_ns=START_NS,
    )


def family() -> list[tuple[float, ...]]:
    """Fifty parameter sets on the ladder of windows, as evolution draws them."""
    draw = np.random.default_rng(4)
    return [
        (
            float(draw.choice(LADDER[2:9])),
            float(draw.integers(15, 40)),
            float(draw.integers(55, 80)),
            float(draw.choice(LADDER[3:])),
            float(draw.integers(8, 50)) / 10,
            float(draw.choice((30, 60, 120, 240))),
            FRACTION,
        )
        for _ in range(AGENTS)
    ]


def text_of(rule: tuple[float, ...]) -> str:
    """The same rule as a genome."""
    window, low, high, slow, stop, hold, _ = rule
    return (
        f"long when rsi({window:g}) < {low:g} and close > ema({slow:g}); "
        f"exit when rsi({window:g}) > {high:g}; stop {stop:g} atr; hold {hold:g} bars"
    )


def numba_family(market: list[np.ndarray], rules: list[tuple[float, ...]]) -> int:
    """Every agent on every symbol. *Returns*: round trips."""
    funding = np.zeros(market[0].shape[1])
    funding[479::480] = 1e-4
    costs, trips = (FEE, *SLIPPAGE), 0
    for rule in rules:
        for table in market:
            trips += symbiont_peer.run(table, funding, rule, CASH, costs, 0.1, 0.001)[1]
    return trips


def same_rules(trips: int, theirs: int, peer: str) -> None:
    """*Raises*: `ValueError` for more than one round trip in a hundred of only one of them."""
    if abs(trips - theirs) > 0.01 * theirs:
        raise ValueError(f"{trips:,} round trips, {peer} {theirs:,}: not the same rules")


def against_vectorbt(rules: list[tuple[float, ...]], bars: int) -> tuple[float, float]:
    """Processor seconds of the judge, and of vectorbt, for the unheld family."""
    judged = ground([columns(seed, bars) for seed in (1, 2)])
    texts = [text_of(rule).rpartition("; hold")[0] for rule in rules]
    began = time.process_time()
    verdicts = judged.judge([row_of(read(text), SYMBOLS) for text in texts])
    ours = time.process_time() - began
    told = worker(
        "symbiont_peer:vectorbt", python=python_with("vectorbt"), rules=rules, bars=bars,
        cash=CASH, fee=FEE, slippage=SLIPPAGE[0],
    )  # fmt: skip
    same_rules(sum(len(verdict[8][0]) for verdict in verdicts), told["trips"], "vectorbt")
    return ours, told["cpu_s"]


def run(rounds: int, quick: bool = False) -> Result:
    """One value a round."""
    bars = 50_000 if quick else BARS
    market = [columns(seed, bars) for seed in (1, 2)]
    rules = family()
    judged = ground(market)
    kin = [row_of(read(text_of(rule)), SYMBOLS) for rule in rules]
    newborn = [row_of(born(chance(1, INIT, 0, at), SYMBOLS), SYMBOLS) for at in range(AGENTS)]
    numba_family([table[:, :2_000].copy() for table in market], rules[:1])  # compiled before timing
    result = Result(f"{AGENTS} agents x {bars:,} bars x {len(SYMBOLS)} symbols, one core")
    result.goals = GOALS
    why = install_peers()
    if python_with("vectorbt") is None:
        result.missing["vectorbt"] = why or "not installed; `make bench` installs it"
    for turn in range(rounds):
        say(f"round {turn + 1}")
        began = time.process_time()
        verdicts = judged.judge(kin)
        ours = time.process_time() - began
        began = time.process_time()
        theirs_trips = numba_family(market, rules)
        theirs = time.process_time() - began
        trips = sum(len(verdict[8][0]) for verdict in verdicts)
        same_rules(trips, theirs_trips, "numba")
        began = time.process_time()
        judged.judge(newborn)
        fresh = time.process_time() - began
        figures = {
            "family s": ours,
            "numba family s": theirs,
            "newborn s": fresh,
            "family round trips": float(trips),
            "M agent-bars a second": AGENTS * bars * len(SYMBOLS) / ours / 1e6,
            "memory MB": peak_rss_mb(),
        }
        ratios = {"numba over judge": theirs / ours}
        if not result.missing:
            unheld, peer = against_vectorbt(rules, min(bars, UNHELD_BARS))
            figures |= {"unheld s": unheld, "vectorbt unheld s": peer}
            ratios["vectorbt over judge"] = peer / unheld
        result.add(figures, ratios)
    return result
