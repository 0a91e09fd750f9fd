# SPDX-License-Identifier: Apache-2.0
"""Trees and features, one decision at a time: what stands between a tick and an opinion.

Inference: 100 trees of 31 leaves over 30 float32 features, trained on a seeded draw; one row a
call from Python, as a module asks; LightGBM and ONNX Runtime get the same rows, one thread, in
turns. Features: thirty of ticks and books, emitted after every tick; and thirty of bars; medians,
because on a busy machine a mean tells of the others. The answers are compared before anything is
timed.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hean._core import TreeModel
from hean.core.types import Book, Candle, Tick
from hean.ml.libraries import Fitted, onnx_session, single_thresholds, to_onnx
from hean.models.features import BAR_FEATURES, TICK_FEATURES, FeatureSet
from measure import Goal, Result, percentile, python_with, say

TREES, WIDTH, ROWS = 100, 30, 20_000
CALLS, CALLS_PEER = 5_000, 1_000
TICKS, BARS = 20_000, 5_000
START = 1_735_603_200_000_000_000
GOALS: dict[str, Goal] = {
    "inference p99 us": ("<=", 1000.0),
    "30 features of a tick us": ("<=", 5.0),
    "p50_vs_lightgbm": ("<=", 0.5),
    "p50_vs_onnxruntime": ("<=", 1.0),
}
WORKLOAD = (
    f"{TREES} trees x {WIDTH} features, one row a call; 30 features after each of {TICKS:,} ticks"
)


def trained() -> tuple[Fitted, np.ndarray]:
    """A model of the stated size, and rows to ask it."""
    import lightgbm

    draws = np.random.default_rng(1)
    rows = draws.normal(size=(ROWS, WIDTH)).astype(np.float32).astype(np.float64)
    target = (rows[:, :5].sum(axis=1) + draws.normal(size=ROWS) * 2 > 0).astype(float)
    options = {"objective": "binary", "num_threads": 1, "verbosity": -1, "seed": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(rows, target), TREES)
    text = single_thresholds(booster.model_to_string())
    again = lightgbm.Booster(model_str=text)
    return Fitted("lightgbm", again, text, TreeModel.lightgbm(text)), rows


def timed(ask: Callable[[int], Any], calls: int) -> tuple[float, float]:
    """Median and 99th percentile of single calls, in microseconds."""
    taken = []
    clock = time.perf_counter_ns
    gc.disable()
    try:
        for at in range(calls):
            start = clock()
            ask(at)
            taken.append(clock() - start)
    finally:
        gc.enable()
    taken.sort()
    return percentile(taken, 0.5) / 1e3, percentile(taken, 0.99) / 1e3


def market() -> list[Any]:
    """Books and ticks by turns."""
    draws = np.random.default_rng(2)
    price = 60_000.0
    # The longest half-life needs twenty minutes before it says something.
    facts: list[Any] = [Tick("BTCUSDT", price, 1.0, START - 1_300 * 1_000_000_000)]
    for at in range(TICKS):
        price = round(price + float(draws.normal(0, 0.5)), 1)
        ts = START + at * 50_000_000
        sizes = draws.exponential(5.0, 20).tolist()
        bids = tuple((round(price - 0.1 * k, 1), sizes[k]) for k in range(1, 11))
        asks = tuple((round(price + 0.1 * k, 1), sizes[k + 9]) for k in range(1, 11))
        thin = ((bids[0][0], 1.0),), ((asks[0][0], 1.0),)
        facts.append(Book("BTCUSDT", *thin, is_snapshot=True, timestamp=ts))
        facts.append(Book("BTCUSDT", bids, asks, is_snapshot=False, timestamp=ts))
        facts.append(Tick("BTCUSDT", price, sizes[0], ts, price - 0.1, price + 0.1))
    return facts


def features_of_ticks(facts: list[Any]) -> list[int]:
    """Nanoseconds to update with a tick and read all thirty, sorted; books are not timed."""
    features = FeatureSet(TICK_FEATURES, "1m")
    clock = time.perf_counter_ns
    taken = []
    for fact in facts:
        if fact.__class__ is Book:
            features.update(fact)
            continue
        start = clock()
        features.update(fact)
        found = features.values()
        took = clock() - start
        if found is not None:
            taken.append(took)
    return sorted(taken)


def features_of_bars() -> list[int]:
    """Nanoseconds to update with a bar and read all thirty, sorted."""
    draws = np.random.default_rng(3)
    closes = (60_000 * np.exp(np.cumsum(draws.normal(0, 1e-3, BARS)))).tolist()
    reach = draws.exponential(1e-3, BARS).tolist()
    features = FeatureSet(BAR_FEATURES, "1m")
    clock = time.perf_counter_ns
    taken = []
    for at, close in enumerate(closes):
        prices = (close, close * (1 + reach[at]), close * (1 - reach[at] / 2), close)
        bar = Candle("BTCUSDT", *prices, 1.0 + at % 7, "1m", START + at * 60_000_000_000)
        start = clock()
        features.update(bar)
        found = features.values()
        took = clock() - start
        if found is not None:
            taken.append(took)
    return sorted(taken)


def run(rounds: int, quick: bool = False) -> Result:
    """HEAN and its peers in turns."""
    result = Result(workload=WORKLOAD, goals=GOALS)
    if python_with("lightgbm") is None or python_with("onnxruntime") is None:
        result.missing["lightgbm, onnxruntime"] = "not installed: ./hean setup ml"
        return result
    fitted, rows = trained()
    ask, booster = fitted.trees.predict, fitted.booster
    session, name = onnx_session(to_onnx(fitted))
    off = np.max(np.abs(booster.predict(rows[:500]) - fitted.trees.predict_many(rows[:500])))
    if off > 1e-12:
        raise AssertionError(f"answers differ by {off}")
    lists = [row.tolist() for row in rows[:CALLS]]
    single = [rows[at : at + 1] for at in range(CALLS_PEER)]
    narrow = [row.astype(np.float32) for row in single]
    facts = market()[: 4000 if quick else None]
    for turn in range(rounds):
        own = timed(lambda at: ask(lists[at]), CALLS)
        peer = timed(lambda at: booster.predict(single[at], num_threads=1), CALLS_PEER)
        onnx = timed(lambda at: session.run(None, {name: narrow[at]}), CALLS_PEER)
        ticks, bars = features_of_ticks(facts), features_of_bars()
        figures = {
            "inference p50 us": own[0],
            "inference p99 us": own[1],
            "lightgbm p50 us": peer[0],
            "lightgbm p99 us": peer[1],
            "onnxruntime p50 us": onnx[0],
            "onnxruntime p99 us": onnx[1],
            "30 features of a tick us": percentile(ticks, 0.5) / 1e3,
            "30 features of a tick p99 us": percentile(ticks, 0.99) / 1e3,
            "30 features of a bar us": percentile(bars, 0.5) / 1e3,
        }
        ratios = {
            "p50_vs_lightgbm": own[0] / peer[0],
            "p50_vs_onnxruntime": own[0] / onnx[0],
        }
        result.add(figures, ratios)
        say(f"round {turn + 1}: " + ", ".join(f"{k} {v:.2f}" for k, v in figures.items()))
    return result
