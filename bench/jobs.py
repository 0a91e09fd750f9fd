# SPDX-License-Identifier: Apache-2.0
"""The two jobs at which backtests are compared, by seed: 500,000 one-minute bars, 1,000,000 quote
ticks. On each an EMA(10)/EMA(20) cross trades one unit, long or flat, with market orders at a
taker fee of 0.055 %, no latency, no slippage and no limit that binds. A bare loop over the same
numbers says how many fills and how much cash must come out.

    python bench/jobs.py [--job a] [--tier native] [--rounds 3]      # prints JSON last
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from hean._core import Instrument, SimVenue
from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.tiers import Tier
from hean.data.instruments import Fees, Rules
from hean.feeds.history import History, Market
from hean.system import AccountSettings

T0 = 1_700_000_000_000_000_000
MINUTE_NS = 60_000_000_000
FAST, SLOW, FEE, CASH = 10, 20, Decimal("0.00055"), Decimal(10_000_000)
SYMBOL = "BTCUSDT"
STRATEGIES = {"a": "Cross", "b": "TickCross"}
ROWS = {"a": 500_000, "b": 1_000_000}
ORACLE = {"a": (22_274, "9618064.850395"), "b": (45_199, "9245453.963475")}
"""Fills, and cash after the last exit, at the full number of rows."""

Array = Any


def bars(n: int) -> tuple[Array, ...]:
    """Close times, open, high, low, close, volume."""
    r = np.random.default_rng(7)
    close = np.round(30_000 * np.exp(np.cumsum(r.normal(0, 5e-4, n))), 1)
    opened = np.concatenate(([30_000.0], close[:-1]))
    high = np.round(np.maximum(opened, close) + np.abs(r.normal(0, 5, n)), 1)
    low = np.round(np.minimum(opened, close) - np.abs(r.normal(0, 5, n)), 1)
    volume = np.round(r.uniform(10, 100, n), 3)
    return T0 + MINUTE_NS * np.arange(1, n + 1), opened, high, low, close, volume


def ticks(n: int) -> tuple[Array, ...]:
    """Times, bids and asks a millisecond apart."""
    r = np.random.default_rng(11)
    mid = np.round(30_000 * np.exp(np.cumsum(r.normal(0, 5e-5, n))), 1)
    half = np.round(r.integers(1, 6, n) * 0.1, 1)
    return T0 + 1_000_000 * np.arange(1, n + 1), np.round(mid - half, 1), np.round(mid + half, 1)


@dataclass(frozen=True, slots=True)
class ArrayHistory(History):
    """A market made of arrays in memory instead of files."""

    arrays: tuple[Array, ...] = ()

    def feed(self, core: SimVenue) -> None:
        """Hand the arrays to the venue."""
        ts, *columns = (frozen(array) for array in self.arrays)
        if len(columns) == 5:
            core.add_candles(SYMBOL, "1m", MINUTE_NS, frozen(ts - MINUTE_NS), 1, columns)
            return
        size = frozen(np.full(len(ts), 100.0))
        core.add_quotes(SYMBOL, ts, 1, [columns[0], size, columns[1], size])

    def closes(self, symbol: str) -> tuple[Array, Array]:
        """Prices for the chart."""
        ts, *columns = self.arrays
        return ts, columns[3] if len(columns) == 5 else (columns[0] + columns[1]) / 2


@dataclass(frozen=True, slots=True)
class ArrayMarket(Market):
    """Its market; says whether there are bars."""

    has_bars: bool = False

    @property
    def timeframe(self) -> str | None:
        """Length of the bars."""
        return "1m" if self.has_bars else None


def frozen(array: Array) -> Array:
    """Contiguous and read-only, as the venue demands."""
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def history(arrays: tuple[Array, ...]) -> ArrayHistory:
    """Columns of `bars` or `ticks` as a recorded market."""
    instrument = Instrument(SYMBOL, "linear", "0.1", "0.001")
    rules = Rules(instrument, Fees(FEE, FEE), "0.1", "0.001", ())
    has_bars = len(arrays) == 6
    market = ArrayMarket(SYMBOL, rules, has_bars=has_bars)
    start = int(arrays[0][0]) - (MINUTE_NS if has_bars else 0)
    return ArrayHistory({SYMBOL: market}, [], start, int(arrays[0][-1]), [], arrays)


def settings(job: str, tier: Tier) -> BacktestSettings:
    """The job's assumptions."""
    instant, kind = LatencyModel("constant", (0.0,)), "Woken" if tier is Tier.WAKE else "Fixed"
    return BacktestSettings(
        f"{Path(__file__).parent / 'job_strategies.py'}:{kind}{STRATEGIES[job]}",
        (SYMBOL,),
        account=AccountSettings(cash=CASH, leverage=Decimal(100), limits={}),
        assumptions=Assumptions(entry=instant, response=instant, half_spread=0.0, impact=0.0),
        tier=tier,
    )


def run(job: str, tier: Tier, rows: int) -> dict[str, Any]:
    """One run: engine seconds, fills, cash after the last exit."""
    backtest = Backtest(settings(job, tier), history((bars if job == "a" else ticks)(rows)))
    started = time.perf_counter()
    summary, record = backtest.run()
    total_s = time.perf_counter() - started
    cash, held, after_exit = CASH, Decimal(0), CASH
    for fill in record.fills:
        sign = 1 if fill.side == "BUY" else -1
        cash -= sign * fill.price * fill.qty + fill.fee
        held += sign * fill.qty
        after_exit = cash if not held else after_exit
    return {
        "job": job,
        "tier": tier.value,
        "rows": rows,
        "engine_s": summary["wall_s"],
        "with_summary_s": round(total_s, 4),
        "rows_per_s": round(rows / summary["wall_s"]),
        "fills": len(record.fills),
        "cash": f"{after_exit.normalize():f}",
        "state_hash": summary["state_hash"],
        "peak_rss_mb": summary["peak_rss_mb"],
    }


def main() -> None:
    """Run what was asked for; refuse a result that differs from the oracle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", choices=sorted(ROWS), action="append")
    parser.add_argument("--tier", choices=[tier.value for tier in Tier], action="append")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    results = []
    for _ in range(given.rounds):
        for job in given.job or sorted(ROWS):
            for tier in given.tier or list(Tier):
                result = run(job, Tier(tier), ROWS[job])
                if (result["fills"], result["cash"]) != ORACLE[job]:
                    raise SystemExit(f"expected {ORACLE[job]}, got {result}")
                results.append(result)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
