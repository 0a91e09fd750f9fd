# SPDX-License-Identifier: Apache-2.0
"""Small recorded markets for processes: four-hour bars of coins and perpetuals, and settled
funding as a test wants it. Prices are random walks on the cent, made from a seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.working import Post, Working
from hean.core.types import Event, EventType
from hean.feeds.history import load_history

START_MS = 1_700_006_400_000  # midnight UTC
HOUR_MS = 3_600_000
PRICES = {"BTCUSDT": 30_000, "ETHUSDT": 2_000, "SOLUSDT": 100}


def write_bars(folder: Path, pair: str, market: str, *, days: int, seed: int = 1) -> Path:
    """Four-hour bars; spot and perpetual of one pair and seed are a few cents apart."""
    draw = np.random.default_rng([seed, sorted(PRICES).index(pair)])
    cents = PRICES[pair] * 100
    bars = days * 6
    close = cents + np.cumsum(np.rint(draw.normal(0, cents * 0.008, bars))).astype(np.int64)
    close = np.maximum(close, cents // 4)
    close = close // 10 * 10 + (10 if market == "perp" else 0)
    opened = np.concatenate([close[:1], close[:-1]])
    table = {
        "ts": START_MS + 4 * HOUR_MS * np.arange(bars),
        "open": opened / 100,
        "high": np.maximum(opened, close) / 100,
        "low": np.minimum(opened, close) / 100,
        "close": close / 100,
        "volume": np.full(bars, 5_000.0),
    }
    path = folder / f"binance_{market}_{pair}_4h_made.parquet"
    pl.DataFrame(table).write_parquet(path)
    return path


def write_rates(folder: Path, pair: str, rates: Sequence[float]) -> Path:
    """A settlement each eight hours, the first after eight."""
    ts = START_MS + 8 * HOUR_MS * (1 + np.arange(len(rates)))
    path = folder / f"binance_perp_{pair}_8h_made.parquet"
    pl.DataFrame({"ts": ts, "rate": np.asarray(rates, np.float64)}).write_parquet(path)
    return path


class Played:
    """A run of one process to its end, with everything that was said on the way."""

    def __init__(
        self, name: str, symbols: tuple[str, ...], files: Sequence[Path], *,
        given: Mapping[str, Any], factory: Mapping[str, Any] | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        working = Working((Post(name, symbols, dict(given)),), dict(factory or {}))
        self.settings = BacktestSettings("", symbols, working=working, **settings)
        self.run = Backtest(self.settings, load_history(files, symbols))
        self.events: list[Event] = []
        self.run.bus.tap(self.events.append)
        self.summary: dict[str, Any] = {}

    def play(self) -> Played:
        """To the end."""
        self.summary, self.record = self.run.run()
        return self

    def of(self, kind: EventType) -> list[Event]:
        """Events of one type."""
        return [event for event in self.events if event.event_type is kind]

    @property
    def work(self) -> Any:
        """The process at work."""
        return next(iter(self.run.system.factory.works.values()))
