# SPDX-License-Identifier: Apache-2.0
"""A small market to learn from: bars whose returns follow the last one by a given share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from hean.ml.dataset import Dataset, build, read_bars
from hean.quant.labels import Barriers

START_MS = 1_735_689_600_000  # 2025-01-01
FEATURES = ("return_1", "return_3", "rsi_7", "hour_sin")
BARS = 8000


def closes_of(momentum: float, bars: int = BARS, seed: int = 5) -> np.ndarray:
    """Prices whose returns are *momentum* times the last one, and noise."""
    noise = np.random.default_rng(seed).normal(0, 2e-3, bars)
    returns = np.zeros(bars)
    for at in range(1, bars):
        returns[at] = momentum * returns[at - 1] + noise[at]
    closes: np.ndarray = np.round(30_000 * np.exp(np.cumsum(returns)), 2)
    return closes


def write_candles(folder: Path, closes: np.ndarray) -> Path:
    """A file of candles as `hean data` knows them."""
    opens = np.concatenate([closes[:1], closes[:-1]])
    draws = np.random.default_rng(9)
    frame = pl.DataFrame(
        {
            "ts": START_MS + np.arange(len(closes)) * 300_000,
            "open": opens,
            "high": np.maximum(opens, closes),
            "low": np.minimum(opens, closes),
            "close": closes,
            "volume": np.round(draws.exponential(10.0, len(closes)), 3),
        }
    )
    path = folder / "binance_perp_BTCUSDT_5m.parquet"
    frame.write_parquet(path)
    return path


def rows_of(
    folder: Path,
    *,
    momentum: float,
    target: Barriers,
    names: tuple[str, ...] = FEATURES,
    bars: int = BARS,
) -> Dataset:
    """Rows of such a market."""
    candles, funding = read_bars([write_candles(folder, closes_of(momentum, bars))], "BTCUSDT")
    return build(candles, funding, names, target, lambda _: None)
