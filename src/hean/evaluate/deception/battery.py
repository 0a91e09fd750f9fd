# SPDX-License-Identifier: Apache-2.0
"""`battery.py`: all checks of one strategy, in the order in which a reader understands them: first
whether it knows the future, then whether its results are its own. Choosing among many variants is
the business of `hean evaluate`; here is one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean.backtest.run import BacktestSettings
from hean.core.timeframe import timeframe_ns
from hean.data.fingerprint import iso_utc
from hean.data.schema import Kind
from hean.errors import ParameterInvalid
from hean.evaluate.deception import futures, null_market, sessions, times, universe, worlds
from hean.evaluate.deception.findings import Bench, Finding, Verdict
from hean.evaluate.deception.plays import Guard
from hean.evaluate.deception.staging import Stage
from hean.evaluate.plays import Recording

BARS = 4_000
PATHS = 100
CUTS = 200  # more than there are kinds of
ROWS_MAX = 50_000  # of the finest stream: a few hundred plays of it take a minute
FEW = 20  # decisions
PLAYS = 240  # about as many without the made markets, for the progress


def check(
    settings: BacktestSettings,
    recording: Recording,
    *,
    bars: int = BARS,
    paths: int = PATHS,
    cuts: int = CUTS,
    guard: Guard = lambda _: nullcontext(),
    on_progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Run every check over the first *bars* bars. *paths*: made markets of each kind.
    *cuts*: of the recording, at most.

    *Returns*: the document: findings, the part that was played, whether it passes. *Raises*:
    `DataInvalid`; `ParameterInvalid` if the strategy cannot be played at all.
    """
    recording, step_ns = part(recording, settings, bars)
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        on_progress(min(done / (PLAYS + 2 * paths), 1.0))

    assert recording.end_ns is not None
    stage = Stage(recording, end_ns=recording.end_ns)
    with tempfile.TemporaryDirectory(prefix="hean-check-") as folder:
        bench = Bench(settings, stage, Path(folder), step_ns=step_ns, guard=guard, on_play=one_more)
        if bench.base.failure:
            raise ParameterInvalid(
                f"{settings.strategy} cannot be played on this data: {bench.base.failure}"
            )
        seed = settings.seed
        findings = [
            futures.own_eyes(bench),
            futures.prefix(bench, seed, cuts),
            futures.other_future(bench, seed),
            null_market.noise(bench, seed, paths),
            null_market.shuffled(bench, seed, paths),
            worlds.delay(bench),
            worlds.fills(bench),
            worlds.costs(bench),
            worlds.ledger(bench),
            worlds.replay(bench),
            sessions.paper(bench, seed),
            universe.universe(bench),
            times.time_of(bench),
            worlds.unit(bench),
        ]
        on_progress(1.0)
        return _document(settings, bench, findings)


def part(recording: Recording, settings: BacktestSettings, bars: int) -> tuple[Recording, int]:
    """The beginning of the market, whose length is counted in bars, and the length of a bar."""
    market = recording.load()
    frames = [each.timeframe for each in market.markets.values() if each.timeframe]
    step_ns = min((timeframe_ns(name) for name in frames), default=timeframe_ns(settings.bar))
    end_ns = min(market.start_ns + bars * step_ns, market.end_ns)
    for each in market.markets.values():
        for columns in each.columns:
            first = int(np.searchsorted(columns.ts, market.start_ns))
            if columns.kind is not Kind.FUNDING and columns.rows > first + ROWS_MAX:
                end_ns = min(end_ns, int(columns.ts[first + ROWS_MAX]))
    # A bar must be whole to be known.
    start_ns = market.start_ns
    end_ns = start_ns + (end_ns - start_ns) // step_ns * step_ns if frames else end_ns
    return msgspec.structs.replace(recording, start_ns=start_ns, end_ns=end_ns), step_ns


def _document(settings: BacktestSettings, bench: Bench, findings: list[Finding]) -> dict[str, Any]:
    failed = [each for each in findings if each.verdict is Verdict.FAILS]
    summary = bench.base.summary
    if failed:
        first = next((each for each in failed if each.name == "prefix"), failed[0])
        sentence = f"Deceives itself: {first.reason.rstrip('.')}."
    elif not bench.base.decisions:
        sentence = (
            "Nothing was checked: it decided nothing in the part that was played. Play more of it "
            "(--bars), another part (--start), or settings under which it trades (--param, --fees)."
        )
    else:
        sentence = "No check found that it knows what it cannot know."
        if len(bench.base.decisions) < FEW:
            few = f"{len(bench.base.decisions)} decisions"
            sentence += f" That rests on {few}; more bars (--bars) say more."
    return {
        "strategy": settings.strategy,
        "symbols": list(settings.symbols),
        "params": summary["params"],
        "seed": settings.seed,
        "start": summary["start"],
        "end": iso_utc(bench.base.end_ns),
        "decisions": len(bench.base.decisions),
        "trades": summary["trades"],
        "state_hash": summary["state_hash"],
        "data": summary["data"],
        "passes": not failed and bool(bench.base.decisions),
        "verdict": sentence,
        "findings": msgspec.to_builtins(findings),
    }
