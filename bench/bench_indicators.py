# SPDX-License-Identifier: Apache-2.0
"""Five indicators (SMA 20, EMA 20, RSI 14, MACD 12/26/9, Bollinger 20/2) beside their peers.

Workload: a seeded random walk of 1,000,000 closes around 30,000. Batch: TA-Lib's five calls against
`five`, for 1,000 closes (into fresh memory) and for all (into reused memory). Streaming: one close
at a time with all five updated, against talipp and, where installed, NautilusTrader's six PyO3
calls. HEAN and peer take turns (A B A B …); a ratio is taken per turn, and the median of the turns
is reported. Before anything is timed, the values are compared with TA-Lib's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import talib
from talipp import indicators as talipp

from hean.indicators import Five, five
from measure import Goal, Result, python_with, say

SMALL = 1_000
LARGE = 1_000_000
STREAMED = 200_000
STREAMED_TALIPP = 20_000
SMALL_REPEATS = 300
GOALS: dict[str, Goal] = {
    "batch_1000_vs_talib": ("<=", 0.6),
    "batch_1m_reused_vs_talib": ("<=", 0.6),
    "stream five ns": ("<=", 90.0),
    "stream_vs_nautilus": ("<=", 0.25),
    "stream_vs_talipp": ("<=", 1 / 150),
    "largest difference to TA-Lib": ("<=", 1e-9),
}

WORKLOAD = (
    "SMA20 EMA20 RSI14 MACD12/26/9 BB20/2; batch in us per 1,000 closes, stream in ns a close"
)

Timed = Callable[[], float]


def closes() -> np.ndarray:
    """The workload's prices."""
    steps = np.random.default_rng(1).normal(0, 5e-4, LARGE)
    prices: np.ndarray = 30_000 * np.exp(np.cumsum(steps))
    return prices


def talib_five(prices: np.ndarray) -> tuple[np.ndarray, ...]:
    """TA-Lib's five calls, in the order of `five`."""
    upper, _, lower = talib.BBANDS(prices, 20, 2, 2)
    averages = (talib.SMA(prices, 20), talib.EMA(prices, 20), talib.RSI(prices, 14))
    return (*averages, *talib.MACD(prices, 12, 26, 9), upper, lower)


def largest_difference(prices: np.ndarray) -> float:
    """Largest difference to TA-Lib, relative above one, absolute below; refuses other gaps."""
    largest = 0.0
    for own, other in zip(five(prices), talib_five(prices), strict=True):
        if not np.array_equal(np.isnan(own), np.isnan(other)):
            raise AssertionError("the warm-up differs from TA-Lib's")
        distance = np.abs(own - other) / np.maximum(np.abs(other), 1.0)
        largest = max(largest, float(np.nanmax(distance)))
    return largest


def batch_of(compute: Callable[[], Any], repeats: int, rows: int) -> Timed:
    """Microseconds for 1,000 closes."""

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            compute()
        return (time.perf_counter() - start) / repeats / rows * 1e9

    return timed


def stream_hean(prices: list[float]) -> Timed:
    """Nanoseconds an update of all five."""

    def timed() -> float:
        update = Five().update
        start = time.perf_counter()
        for price in prices:
            update(price)
        return (time.perf_counter() - start) / len(prices) * 1e9

    return timed


def stream_talipp(prices: list[float]) -> Timed:
    """Nanoseconds an update of all five."""

    def timed() -> float:
        parts = (
            talipp.SMA(20),
            talipp.EMA(20),
            talipp.RSI(14),
            talipp.MACD(12, 26, 9),
            talipp.BB(20, 2.0),
        )
        sma, ema, rsi, macd, bands = (part.add for part in parts)
        start = time.perf_counter()
        for price in prices:
            sma(price)
            ema(price)
            rsi(price)
            macd(price)
            bands(price)
        return (time.perf_counter() - start) / len(prices) * 1e9

    return timed


def stream_nautilus(prices: list[float]) -> Timed:
    """Nanoseconds an update of all five; six calls, because the signal is a separate average."""
    from nautilus_trader.core import nautilus_pyo3 as peer

    def timed() -> float:
        macd_line = peer.MovingAverageConvergenceDivergence(12, 26)
        parts = (
            peer.SimpleMovingAverage(20),
            peer.ExponentialMovingAverage(20),
            peer.RelativeStrengthIndex(14),
            macd_line,
            peer.ExponentialMovingAverage(9),
            peer.BollingerBands(20, 2.0),
        )
        sma, ema, rsi, macd, signal, bands = (part.update_raw for part in parts)
        start = time.perf_counter()
        for price in prices:
            sma(price)
            ema(price)
            rsi(price)
            macd(price)
            signal(macd_line.value)
            bands(price, price, price)
        return (time.perf_counter() - start) / len(prices) * 1e9

    return timed


def run(rounds: int, quick: bool = False) -> Result:
    """Each form against its peer in turns; one unmeasured turn first."""
    prices = closes()
    streamed = prices[: STREAMED // 10 if quick else STREAMED].tolist()
    small, out = prices[:SMALL].copy(), np.empty((8, LARGE))
    result = Result(workload=WORKLOAD, goals=GOALS)
    duels = {
        "batch_1000_vs_talib": (
            batch_of(lambda: five(small), SMALL_REPEATS, SMALL),
            batch_of(lambda: talib_five(small), SMALL_REPEATS, SMALL),
        ),
        "batch_1m_reused_vs_talib": (
            batch_of(lambda: five(prices, out), 1, LARGE),
            batch_of(lambda: talib_five(prices), 1, LARGE),
        ),
        "stream_vs_talipp": (stream_hean(streamed), stream_talipp(streamed[:STREAMED_TALIPP])),
    }
    if python_with("nautilus_trader") is None:
        result.missing["nautilus_trader"] = "not installed; `make bench` installs it"
    else:
        duels["stream_vs_nautilus"] = (stream_hean(streamed), stream_nautilus(streamed))
    for own, peer in duels.values():
        own(), peer()
    difference = largest_difference(prices)
    for turn in range(rounds):
        figures, ratios = {"largest difference to TA-Lib": difference}, {}
        for name, (own, peer) in duels.items():
            first, second = own(), peer()
            figures |= {f"{name} hean": first, f"{name} peer": second}
            ratios[name] = first / second
        figures["stream five ns"] = figures["stream_vs_talipp hean"]
        result.add(figures, ratios)
        say(f"round {turn + 1}: " + ", ".join(f"{k} {v:.3f}" for k, v in ratios.items()))
    return result
