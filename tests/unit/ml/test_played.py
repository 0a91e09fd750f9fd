# SPDX-License-Identifier: Apache-2.0
"""A trained model in the engine that trades: the features a backtest emits are the bytes that the
training saw, and the model answers to every one of them.
"""

from __future__ import annotations

import numpy as np

from hean.backtest.run import Backtest, BacktestSettings
from hean.core.module import on
from hean.core.types import EventType
from hean.feeds.recording import load_market
from hean.ml.dataset import facts_of, feature_rows, read_bars
from hean.models.features import Features, FeatureSet
from hean.models.ml import MlModel
from hean.strategies.base import Strategy
from learned import FEATURES, learned_model
from learned_market import BARS, START_MS, closes_of, write_candles

NAMES = ("return_1", "return_2", "rsi_14", "volatility_48", "volume", "hour_sin")
STEP_NS = 300_000_000_000
SHORT = 1000


class Watcher(Strategy):
    """Does nothing."""

    name = "watcher"

    @on(EventType.CANDLE)
    def on_candle(self, event):
        """Look."""


def test_a_backtest_emits_the_bytes_of_the_training(tmp_path):
    path = write_candles(tmp_path, closes_of(0.2, SHORT))
    history = load_market([path], ("BTCUSDT",), start_ns=None, end_ns=None)
    run = Backtest(BacktestSettings("", ("BTCUSDT",)), history, strategy=Watcher(("BTCUSDT",)))
    run.system.add(Features(NAMES, "5m"))
    told = {}
    run.bus.subscribe(
        EventType.FEATURES_READY, lambda event: told.__setitem__(event.ts_ns, event.data)
    )
    run.run()
    bars, funding = read_bars([path], "BTCUSDT")
    rows = feature_rows(FeatureSet(NAMES, "5m"), facts_of(bars, funding), SHORT, lambda _: None)
    matched = 0
    for start_ns, row in zip(bars.ts.tolist(), rows, strict=True):
        ready = told.get(start_ns + STEP_NS)
        if ready is not None:
            live = np.array([ready.features[name] for name in NAMES])
            assert live.tobytes() == row.tobytes()
            matched += 1
    assert matched == len(told) > SHORT - 60


def test_a_model_answers_in_a_backtest(tmp_path):
    path = write_candles(tmp_path, closes_of(0.2, SHORT))
    history = load_market([path], ("BTCUSDT",), start_ns=None, end_ns=None)
    run = Backtest(BacktestSettings("", ("BTCUSDT",)), history, strategy=Watcher(("BTCUSDT",)))
    middle = START_MS * 1_000_000 + SHORT // 2 * STEP_NS
    trained = learned_model(valid_from=middle, timeframe="5m", rows=BARS)
    model = MlModel(trained)
    run.system.add(Features(FEATURES, "5m"))
    run.system.add(model)
    told = []
    run.bus.subscribe(EventType.ML_PREDICTION, told.append)
    run.run()
    assert len(told) == model.counts.predicted == SHORT // 2 + 1
    assert min(event.ts_ns for event in told) >= middle  # never about what it was trained on
    assert model.counts.silent == SHORT - 2 - len(told)
