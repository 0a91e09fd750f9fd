# SPDX-License-Identifier: Apache-2.0
"""HEAN's wake and native tiers on the backtest jobs: the same market in arrays, played by
`Backtest` itself, samples and fills recorded as for a report.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

import jobs
from backtest_hean import AT_ONCE, SYMBOL, feed
from hean._core import Instrument, SimVenue
from hean.backtest.assumptions import Assumptions
from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.tiers import Tier
from hean.data.instruments import Fees, Rules
from hean.feeds.history import Market
from hean.system import AccountSettings

STRATEGIES = Path(__file__).parent / "job_strategies.py"
CLASSES = {
    ("a", Tier.WAKE): "WokenCross",
    ("b", Tier.WAKE): "WokenTickCross",
    ("a", Tier.NATIVE): "FixedCross",
    ("b", Tier.NATIVE): "FixedTickCross",
}


@dataclass(frozen=True, slots=True)
class ArrayMarket(Market):
    """A market of arrays; says whether there are bars."""

    has_bars: bool = False

    @property
    def timeframe(self) -> str | None:
        """Length of the bars."""
        return "1m" if self.has_bars else None


@dataclass(frozen=True, slots=True)
class ArrayHistory:
    """A job's data as the market of a backtest."""

    job: str
    rows: int
    markets: dict[str, Market]
    fingerprints: list[Any]
    notes: list[str]
    start_ns: int
    end_ns: int

    def feed(self, core: SimVenue) -> None:
        """Hand the arrays to the venue."""
        feed(core, self.job, self.rows)

    def closes(self, symbol: str) -> tuple[Any, Any]:
        """No chart is drawn."""
        return np.empty(0, np.int64), np.empty(0, np.float64)


def play(job: str, rows: int, tier: Tier) -> dict[str, Any]:
    """One run; seconds are those of the loop alone."""
    began = time.perf_counter()
    fee = Decimal(str(jobs.FEE))
    rules = Rules(Instrument(SYMBOL, "linear", "0.1", "0.001"), Fees(fee, fee), "0.1", "0.001", ())
    times = (jobs.bars if job == "a" else jobs.ticks)(rows)[0]
    step_ns = jobs.BAR_NS if job == "a" else 0
    market: Market = ArrayMarket(SYMBOL, rules, has_bars=job == "a")
    span = int(times[0]) - step_ns, int(times[-1])
    history = ArrayHistory(job, rows, {SYMBOL: market}, [], [], *span)
    settings = BacktestSettings(
        f"{STRATEGIES}:{CLASSES[job, tier]}",
        (SYMBOL,),
        account=AccountSettings(cash=Decimal(jobs.CASH), leverage=Decimal(100), limits={}),
        assumptions=Assumptions(entry=AT_ONCE, response=AT_ONCE, half_spread=0.0, impact=0.0),
        tier=tier,
    )
    backtest = Backtest(settings, history)
    prepared = time.perf_counter()
    summary, record = backtest.run()
    cash, held, at_exit = Decimal(jobs.CASH), Decimal(0), Decimal(jobs.CASH)
    for fill in record.fills:
        sign = 1 if fill.side == "BUY" else -1
        cash -= sign * fill.price * fill.qty + fill.fee
        held += sign * fill.qty
        at_exit = at_exit if held else cash
    return {
        "engine_s": summary["wall_s"],
        "prep_s": prepared - began,
        "fills": len(record.fills),
        "cash_at_exit": float(at_exit),
    }


def wake_tier(job: str, rows: int) -> dict[str, Any]:
    """Python when a condition changes, Rust in between."""
    return play(job, rows, Tier.WAKE)


def native_tier(job: str, rows: int) -> dict[str, Any]:
    """The strategy as a program in Rust."""
    return play(job, rows, Tier.NATIVE)
