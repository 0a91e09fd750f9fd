# SPDX-License-Identifier: Apache-2.0
"""A trained model in the engine that trades: the features a backtest emits are the bytes that the
training saw, and the model answers to every one of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.tiers import Tier
from hean.cli import app
from hean.core.module import on
from hean.core.types import EventType, Side
from hean.errors import ParameterInvalid
from hean.feeds.recording import load_market
from hean.ml.dataset import facts_of, feature_rows, read_bars
from hean.ml.folder import write_model
from hean.models.features import Features, FeatureSet
from hean.models.ml import MlModel
from hean.strategies.base import Strategy
from learned import TEXT, learned_model
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


class Listener(Watcher):
    """Buys what the model has nothing against, and sells it again."""

    name = "listener"

    @on(EventType.ML_PREDICTION)
    def on_prediction(self, event):
        """Trade on what was said."""
        symbol = event.data.symbol
        if self.is_waiting(symbol):
            return
        if self.position[symbol]:
            self.leave(symbol)
        elif event.data.prediction >= 0.5:
            self.enter(symbol, Side.BUY)


def model_folder(tmp_path, **options):
    """A model on the disk; in a market this calm its answer is always one half."""
    trained = learned_model(timeframe="5m", rows=BARS, **options)
    folder = tmp_path / "model"
    write_model(folder, trained.manifest, {"model.txt": TEXT.encode()})
    return folder


@pytest.mark.promise(203)
def test_a_strategy_trades_on_what_a_model_says_and_a_replay_agrees(tmp_path):
    path = write_candles(tmp_path, closes_of(0.9, SHORT))
    middle = START_MS * 1_000_000 + SHORT // 2 * STEP_NS
    folder = model_folder(tmp_path, valid_from=middle)
    source = Path(__file__).as_posix()
    arguments = ["backtest", "--strategy", f"{source}:Listener", "--symbol", "BTCUSDT"]
    arguments += ["--data", str(path), "--model", str(folder)]
    results = [tmp_path / "result.json", tmp_path / "replay.json"]
    journal = str(tmp_path / "run.journal")
    more = ["--json", str(results[0]), "--journal", journal]
    found = CliRunner().invoke(app, arguments + more)
    assert found.exit_code == 0, found.output
    summary = json.loads(results[0].read_bytes())
    assert summary["fills"] > 0
    found = CliRunner().invoke(app, ["replay", journal, "--json", str(results[1])])
    assert found.exit_code == 0, found.output


def test_a_model_answers_in_a_backtest_and_never_about_its_own_training(tmp_path):
    path = write_candles(tmp_path, closes_of(0.2, SHORT))
    history = load_market([path], ("BTCUSDT",), start_ns=None, end_ns=None)
    middle = START_MS * 1_000_000 + SHORT // 2 * STEP_NS
    folder = model_folder(tmp_path, valid_from=middle)
    settings = BacktestSettings("", ("BTCUSDT",), model=str(folder))
    run = Backtest(settings, history, strategy=Watcher(("BTCUSDT",)))
    (model,) = (module for module in run.system.modules if isinstance(module, MlModel))
    told = []
    run.bus.subscribe(EventType.ML_PREDICTION, told.append)
    run.run()
    assert len(told) == model.counts.predicted == SHORT // 2 + 1
    assert min(event.ts_ns for event in told) >= middle
    assert model.counts.silent == SHORT - 2 - len(told)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (BacktestSettings("", ("BTCUSDT",), tier=Tier.WAKE), "run tier event"),
        (BacktestSettings("", ("BTCUSDT",), bar="1m"), "is about ETHUSDT"),
    ],
)
def test_a_model_that_would_wait_in_silence_is_refused(tmp_path, settings, message):
    path = write_candles(tmp_path, closes_of(0.2, SHORT))
    history = load_market([path], ("BTCUSDT",), start_ns=None, end_ns=None)
    folder = model_folder(tmp_path, valid_from=10, manifest={"symbol": "ETHUSDT"})
    settings = msgspec.structs.replace(settings, model=str(folder))
    with pytest.raises(ParameterInvalid, match=message):
        Backtest(settings, history, strategy=Watcher(("BTCUSDT",)))
