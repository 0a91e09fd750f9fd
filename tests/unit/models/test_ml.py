# SPDX-License-Identifier: Apache-2.0
"""A model on the bus answers in time and in kind, or says nothing."""

from __future__ import annotations

import msgspec
import pytest

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.module import Context
from hean.core.types import Candle, EventType, FeaturesReady
from hean.errors import ParameterInvalid
from hean.models.artefact import LearnedModel, ModelRefused, read_manifest, refuse_pickle
from hean.models.features import FeatureSet
from hean.models.ml import ACTIVE, EXPIRED, SHADOW, MlModel
from learned import FEATURES, learned_model

SECOND = 1_000_000_000
VALID = 1_000_000 * SECOND
FINGERPRINT = FeatureSet(FEATURES, "1m").fingerprint


class Desk:
    """A model on a bus of its own, and everything it said."""

    def __init__(self, **changes):
        self.clock = SimClock(VALID)
        self.bus = EventBus(clock=self.clock)
        self.told, self.health = [], []
        self.bus.subscribe(EventType.ML_PREDICTION, lambda event: self.told.append(event.data))
        self.bus.subscribe(EventType.HEALTH, lambda event: self.health.append(event.data))
        self.model = MlModel(learned_model(valid_from=VALID, **changes))
        self.model.attach(self.bus, Context(self.bus, self.clock))

    def features(self, first=0.0, second=0.0, *, age_ns=0, fingerprint=FINGERPRINT, symbol=None):
        values = dict(zip(FEATURES, (first, second), strict=True))
        stamp = self.clock.now_ns - age_ns
        ready = FeaturesReady(symbol or "BTCUSDT", values, stamp, fingerprint)
        self.bus.drain((ready,))

    def bar(self, open_, close, step=60):
        self.clock.now_ns += step * SECOND
        high, low = max(open_, close), min(open_, close)
        self.bus.drain((Candle("BTCUSDT", open_, high, low, close, 1.0, "1m", 0),))


@pytest.mark.promise(12)
@pytest.mark.promise(203)
def test_features_become_a_prediction_with_its_confidence():
    desk = Desk()
    desk.features(1.0)
    desk.features(-1.0)
    assert [round(told.prediction, 6) for told in desk.told] == [0.731059, 0.268941]
    assert desk.told[0].confidence == pytest.approx(0.462117, abs=1e-6)
    assert desk.told[0].extra == {"model": "test", "raw": 1.0, "side": "buy"}
    assert desk.model.health() == {
        "state": ACTIVE,
        "predicted": 2,
        "cached": 0,
        "refused": 0,
        "late": 0,
        "silent": 0,
    }


@pytest.mark.promise(124)
@pytest.mark.promise(192)
@pytest.mark.parametrize(("age_ms", "is_told"), [(0, True), (100, True), (101, False)])
def test_what_is_late_is_dropped_and_counted_never_told_later(age_ms, is_told):
    desk = Desk()
    desk.features(1.0, age_ns=age_ms * 1_000_000)
    assert (len(desk.told), desk.model.counts.late) == (is_told, not is_told)
    desk.features(-1.0)
    assert desk.told[-1].prediction < 0.5


def test_the_deadline_is_a_quarter_of_a_short_horizon():
    model = learned_model(valid_from=VALID)
    assert MlModel(model, deadline_ms=60_000).deadline_ns == 60 * SECOND
    short = learned_model(valid_from=VALID, horizon=1)
    assert MlModel(short, deadline_ms=60_000).deadline_ns == 15 * SECOND
    with pytest.raises(ParameterInvalid):
        MlModel(model, deadline_ms=0)


@pytest.mark.parametrize("fingerprint", ["", "0123456789abcdef"])
def test_features_of_another_version_are_refused_and_said_once(fingerprint):
    desk = Desk()
    for _ in range(3):
        desk.features(1.0, fingerprint=fingerprint)
    assert not desk.told
    assert desk.model.counts.refused == 3
    (health,) = desk.health
    assert "features of version" in health.extra["reason"]


def test_another_symbol_is_another_models_business():
    desk = Desk()
    desk.features(1.0, symbol="ETHUSDT")
    assert not desk.told and not desk.model.counts.refused


@pytest.mark.promise(202)
def test_the_same_features_are_asked_once():
    desk = Desk()
    for _ in range(5):
        desk.features(1.0, 2.0)
    assert len(desk.told) == 5
    assert desk.model.counts.cached == 4


def test_outside_its_time_a_model_says_nothing():
    desk = Desk(expires=VALID + 10 * SECOND)
    desk.clock.now_ns = VALID - 1
    desk.features(1.0)
    assert (desk.told, desk.model.state) == ([], EXPIRED)
    desk.clock.now_ns = VALID
    desk.features(1.0)
    assert (len(desk.told), desk.model.state) == (1, ACTIVE)
    desk.clock.now_ns = VALID + 10 * SECOND
    desk.features(1.0)
    assert (len(desk.told), desk.model.counts.silent) == (1, 2)
    assert [health.state for health in desk.health] == [EXPIRED, ACTIVE, EXPIRED]


def test_a_feature_that_froze_sends_the_model_into_the_shadow():
    desk = Desk(rows=50)
    for at in range(49):
        desk.features(at / 49 - 0.5, 9.0)  # the second one never moves
    assert len(desk.told) == 49
    desk.features(0.0, 9.0)
    assert desk.model.state == SHADOW
    desk.features(0.3)
    assert len(desk.told) == 49
    (health,) = desk.health
    assert (health.component, health.state) == ("ml:test", SHADOW)
    assert "return_2 PSI" in health.extra["reason"]


def test_a_market_like_the_training_raises_no_alarm():
    desk = Desk(rows=50)
    for at in range(500):
        desk.features(((at * 7) % 50) / 50 - 0.5, ((at * 11) % 50) / 50 - 0.5)
    assert desk.model.state == ACTIVE


@pytest.mark.parametrize(("is_right", "state"), [(True, ACTIVE), (False, SHADOW)])
def test_predictions_that_do_not_come_true_send_the_model_into_the_shadow(is_right, state):
    """A sure model, a market that moves a percent a bar: right or wrong every time."""
    desk = Desk(horizon=2)
    price = 100.0
    for _ in range(60):
        after = price * (1.01 if is_right else 0.99)
        desk.bar(price, after)
        price = after
        desk.features(3.0)
    assert desk.model.state == state
    assert all("log loss" in health.extra["reason"] for health in desk.health)


def test_a_manifest_that_does_not_fit_is_refused():
    whole = learned_model(valid_from=VALID)
    manifest, files = whole.manifest, {"model.txt": b"x"}
    with pytest.raises(ModelRefused, match="SHA-256"):
        LearnedModel(manifest, files)
    spec = msgspec.structs.replace(manifest.features[0], version=9)
    changes = {
        "format": {"format": 2},
        "version": {"features": (spec, *manifest.features[1:])},
        "fingerprint": {"fingerprint": "0"},
        "valid_from": {"valid_from": manifest.trained_on[1]},
        "example 0": {"examples": (((0.0, 0.0), 7.0),)},
        "library": {"library": "catboost"},
        "one entry": {"drift": msgspec.structs.replace(manifest.drift, edges=())},
    }
    for message, change in changes.items():
        with pytest.raises(ModelRefused, match=message):
            learned_model(valid_from=VALID, manifest=change)
    for text in (b"", b"{", b"{}", b"[]", b"\x80\x04" * 20):
        with pytest.raises(ModelRefused, match="manifest"):
            read_manifest(text)


@pytest.mark.promise(123)
@pytest.mark.parametrize("name", ["lightgbm_v1.pkl", "a.PICKLE", "b.joblib"])
def test_a_pickle_is_refused_with_the_reason(name):
    with pytest.raises(ModelRefused, match="a pickle runs whatever code it holds"):
        refuse_pickle(name)
