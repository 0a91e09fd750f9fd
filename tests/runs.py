# SPDX-License-Identifier: Apache-2.0
"""Small runs for the tests of statistics and report: fills written by hand, and a long walk."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

from hean.backtest import stats
from hean.backtest.result import FillRow, RunRecord, Trade, round_trips
from hean.core.types import Liquidity, Side

START_NS = 1_735_689_600 * 10**9  # 2025-01-01 00:00 UTC
HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS


def fill(side: str, qty: str, price: str, fee: str = "0", *, ts: int = 0, symbol: str = "A"):
    """One execution; *side* is `+` or `-`."""
    way = Side.BUY if side == "+" else Side.SELL
    exact = (Decimal(price), Decimal(qty), Decimal(fee))
    return FillRow(ts, "h1-x-1", symbol, way, *exact, Liquidity.TAKER, "x", float(price))


def trade(pnl: str, *, entry: int = START_NS, held: int = HOUR_NS, symbol: str = "A") -> Trade:
    """A finished round trip of one unit with that result."""
    one, price = Decimal(1), Decimal(100)
    result = Decimal(pnl)
    ends = (entry, entry + held)
    exit_price = price + result
    return Trade(symbol, Side.BUY, *ends, one, price, exit_price, Decimal(0), result, "x")


def record(equity: list[float], *, step: int = DAY_NS, trades: list[Trade] | None = None):
    """A run with these equity samples, the first one *step* after the start, and no prices."""
    times = START_NS + step * np.arange(1, len(equity) + 1, dtype=np.int64)
    values = np.array(equity, np.float64)
    return RunRecord(times, values, np.zeros(values.size), [], trades or [], {})


def long_run(*, days: int = 300, symbol: str = "BTCUSDT", every: int = 100) -> RunRecord:
    """Five-minute prices on a fixed wave, a fill *every* so many bars, hourly samples."""
    bars = days * 288
    n = np.arange(bars)
    t = START_NS + (n + 1) * 300 * 10**9
    closes = 50_000 + 4_000 * np.sin(n / 9_000) + 300 * np.sin(n / 37.7) + 90 * np.cos(n * 1.7)
    fills: list[FillRow] = []
    for place in range(every, bars, every):
        side = "+" if (place // every) % 2 else "-"
        price = f"{closes[place]:.1f}"
        fills.append(fill(side, "0.05", price, "1.375", ts=int(t[place]), symbol=symbol))
    hourly = slice(11, None, 12)
    equity = 10_000 + np.cumsum(np.sin(n / 777.0))[hourly] / 10
    exposure = np.sign(np.sin(n / 500))[hourly] * 0.25
    samples = t[hourly].astype(np.int64)
    prices = {symbol: (t.astype(np.int64), closes)}
    return RunRecord(samples, equity, exposure, fills, round_trips(fills), prices)


def summary(run: RunRecord, **changes: object) -> dict[str, object]:
    """A summary of *run* as the command line makes it."""
    final = float(run.equity[-1]) if run.equity.size else 10_000.0
    assert math.isfinite(final)
    made: dict[str, object] = {
        "strategy": "impulse",
        "symbols": list(run.prices) or ["BTCUSDT"],
        "params": {"lookback": 20, "stop_fraction": "0.02"},
        "start": "2025-01-01T00:00:00Z",
        "end": "2025-10-28T00:00:00Z",
        "seed": 7,
        "events": 86_400,
        "wall_s": 1.25,
        "orders": len(run.fills),
        "fills": len(run.fills),
        "trades": len(run.trades),
        "fees": "120.5",
        "funding": "-3.25",
        "slippage_cost": "14",
        "initial_equity": "10000",
        "final_equity": f"{final:.2f}",
        "net_pnl": f"{final - 10_000:.2f}",
        "buy_and_hold_return": 0.129,
        "trades_file": "trades.csv",
        "state_hash": "5a" * 32,
        "journal_hash": "6b" * 32,
        "data": [{"file": "btc.parquet", "sha256": "7c" * 32, "rows": 86_400, "gaps": []}],
        "assumptions": {"fees": "maker 0.02 %, taker 0.055 %", "fill_model": "next open"},
    }
    return {**made, **stats.summarise(run, 10_000), **changes}
