# SPDX-License-Identifier: Apache-2.0
"""A model from its training to its trades: a session records the twin's market, `hean ml train`
learns from it, and a later session on the same twin trades on what the model says. Its replay and
its backtest hear the same answers.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lightgbm")

from hean.backtest.run import Backtest, BacktestSettings
from hean.core.module import on
from hean.core.types import Candle, Event, EventType, FeaturesReady, MlPrediction, Side
from hean.feeds.recording import load_market
from hean.ml.folder import load_model
from hean.paper_journal import replay_session
from hean.strategies.base import Strategy
from sim.paper_world import Course, PaperWorld, Session, backtest, write_bars
from unit.cli_runs import run_here

SYMBOL = "BTCUSDT"
FEATURES = ("return_1", "return_3", "rsi_7")
RECORDED_S, TRADED_S = 2_300, 90


class Noting(Strategy):
    """Keeps the bars it is told."""

    name = "noting"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.bars: list[Candle] = []

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Keep it."""
        self.bars.append(event.data)


class Obeying(Strategy):
    """Holds coins while the model thinks that buying pays."""

    name = "obeying"

    @on(EventType.ML_PREDICTION)
    def on_prediction(self, event: Event) -> None:
        """Trade on what was said."""
        told: MlPrediction = event.data
        if self.is_waiting(told.symbol):
            return
        is_held = bool(self.position[told.symbol])
        if told.prediction >= 0.5 and not is_held:
            self.enter(told.symbol, Side.BUY, as_of_seq=event.seq)
        elif told.prediction < 0.5 and is_held:
            self.leave(told.symbol, as_of_seq=event.seq)


def following(seconds: int) -> Course:
    """A coin whose every second follows the last one: there is something to learn."""
    chance, level, move = random.Random(8), 0.0, 0.0
    levels = []
    for _ in range(seconds):
        move = 0.5 * move + chance.gauss(0, 4e-4)
        level += move
        levels.append(level)
    return lambda kind, symbol, at_s: 60_000.0 * math.exp(levels[int(at_s)])


def settings_of(strategy: type[Strategy], model: str = "") -> BacktestSettings:
    """Of a session in bars of a second."""
    return BacktestSettings(f"{__file__}:{strategy.__name__}", (SYMBOL,), bar="1s", model=model)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with a model that was trained on what a session before it recorded."""
    folder = tmp_path_factory.mktemp("learning")
    model = folder / "model"
    course = following(RECORDED_S + TRADED_S + 60)
    with PaperWorld(course, (SYMBOL,), beat_s=0.5, trades=30.0) as world:
        (recorded,) = world.run(RECORDED_S, (settings_of(Noting), folder / "recorded"))
        bars = recorded.strategy.bars  # type: ignore[attr-defined]
        candles = write_bars(SYMBOL, bars, folder)
        words = [word for name in FEATURES for word in ("--feature", name)]
        words += ["--folds", "2", "--horizon", "6", "--width", "1", "--cost", "0", "--quiet"]
        where = ("--data", candles, "--symbol", SYMBOL, "--out", model)
        trained = run_here("ml", "train", *where, *words)
        assert trained.code == 0, trained.stderr
        settings = settings_of(Obeying, str(model))
        (session,) = world.run(TRADED_S, (settings, folder / "traded"))
    return session


def test_a_session_trades_on_what_its_model_says(traded: Session) -> None:
    (served,) = [each for each in traded.paper.session.run.system.modules if each.name == "ml"]
    assert served.health()["state"] == "ACTIVE"  # type: ignore[attr-defined]
    assert served.health()["predicted"] > TRADED_S / 2  # type: ignore[attr-defined]
    assert traded.summary["fills"] >= 4


def test_the_answers_are_those_of_the_trained_folder(traded: Session) -> None:
    model = load_model(Path(traded.paper.settings.model))
    rows, answers = answers_of(traded)
    assert len(set(answers)) > 10
    expected = [model.manifest.calibration.probability(model.raw(row)) for row in rows]
    assert answers == expected[-len(answers) :]


def answers_of(session: Session) -> tuple[list[tuple[float, ...]], list[float]]:
    """Features and predictions of the backtest of what *session* recorded."""
    settings = session.paper.settings
    run = Backtest(settings, load_market([session.tape], settings.symbols))
    rows: list[tuple[float, ...]] = []
    answers: list[float] = []

    def tap(event: Event) -> None:
        match event.data:
            case FeaturesReady(features=features):
                rows.append(tuple(features[name] for name in FEATURES))
            case MlPrediction(prediction=prediction):
                answers.append(prediction)

    run.bus.tap(tap)
    run.run()
    return rows, answers


def test_its_replay_hears_the_same_answers(traded: Session) -> None:
    replayed = replay_session(traded.journal)
    assert replayed["state_hash"] == traded.summary["state_hash"]
    assert replayed["events_compared"] > len(traded.decisions)


def test_its_backtest_decides_the_same_at_the_same_moments(traded: Session) -> None:
    judged = backtest(traded.paper.settings, [traded.tape])
    assert judged.decisions == traded.decisions
    assert judged.summary["state_hash"] == traded.summary["state_hash"]
