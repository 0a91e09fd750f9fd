# SPDX-License-Identifier: Apache-2.0
"""Five indicators (SMA 20, EMA 20, RSI 14, MACD 12/26/9, Bollinger 20/2) beside their peers.

Workload: a seeded random walk of 1,000,000 closes around 30,000. Batch: TA-Lib's five calls against
`five`, for 1,000 closes (into fresh memory) and for all (into reused memory). Streaming: one close
at a time with all five updated, against talipp and, where installed, NautilusTrader's six PyO3
calls. HEAN and peer take turns (A B A B …); a ratio is taken per turn, and the median of the turns
is reported. Before anything is timed, the values are compared with TA-Lib's.

    python bench/bench_indicators.py --rounds 5
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import talib
from talipp import indicators as talipp

from hean.indicators import Five, five

SMALL = 1_000
LARGE = 1_000_000
STREAMED = 200_000
STREAMED_TALIPP = 20_000
SMALL_REPEATS = 300
GOALS = {
    "batch_1000_vs_talib": 0.6,
    "batch_1m_reused_vs_talib": 0.6,
    "stream_five_ns": 90.0,
    "stream_vs_nautilus": 0.25,
    "stream_vs_talipp": 1 / 150,
}

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


def pairs(rounds: int, own: Timed, peer: Timed) -> dict[str, float]:
    """Medians of both and of their ratio, taken in turns; one unmeasured turn first."""
    own()
    peer()
    turns = [(own(), peer()) for _ in range(rounds)]
    return {
        "hean": statistics.median(mine for mine, _ in turns),
        "peer": statistics.median(other for _, other in turns),
        "ratio": statistics.median(mine / other for mine, other in turns),
        "ratio_worst": max(mine / other for mine, other in turns),
    }


def run(rounds: int) -> dict[str, Any]:
    """Measure everything; `rounds` turns each."""
    prices = closes()
    small, streamed = prices[:SMALL].copy(), prices[:STREAMED].tolist()
    out = np.empty((8, LARGE))
    results: dict[str, Any] = {
        "batch_1000_vs_talib": pairs(
            rounds,
            batch_of(lambda: five(small), SMALL_REPEATS, SMALL),
            batch_of(lambda: talib_five(small), SMALL_REPEATS, SMALL),
        ),
        "batch_1m_reused_vs_talib": pairs(
            rounds,
            batch_of(lambda: five(prices, out), 1, LARGE),
            batch_of(lambda: talib_five(prices), 1, LARGE),
        ),
        "stream_vs_talipp": pairs(
            rounds, stream_hean(streamed), stream_talipp(streamed[:STREAMED_TALIPP])
        ),
    }
    try:
        nautilus = stream_nautilus(streamed)
    except ImportError as missing:
        results["stream_vs_nautilus"] = {"skipped": str(missing)}
    else:
        results["stream_vs_nautilus"] = pairs(rounds, stream_hean(streamed), nautilus)
    return {
        "workload": "SMA20 EMA20 RSI14 MACD12/26/9 BB20/2; batch in us per 1,000, stream in ns",
        "peers": {name: importlib.metadata.version(name) for name in ("TA-Lib", "talipp")},
        "largest_difference_to_talib": largest_difference(prices),
        "stream_five_ns": results["stream_vs_talipp"]["hean"],
        "goals": GOALS,
        **results,
    }


def main() -> None:
    """Print the results as JSON."""
    parser = argparse.ArgumentParser(description="Five indicators beside their peers.")
    parser.add_argument("--rounds", type=int, default=5)
    print(json.dumps(run(parser.parse_args().rounds), indent=2))


if __name__ == "__main__":
    main()
