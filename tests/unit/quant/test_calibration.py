# SPDX-License-Identifier: Apache-2.0
"""Calibration beside scikit-learn's, and maps that are none are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.errors import DataInvalid
from hean.quant.calibration import Calibration, calibrate, fit_isotonic, fit_platt


def sample(seed, count):
    draws = np.random.default_rng(seed)
    scores = np.round(draws.normal(size=count), 2)
    outcomes = (draws.random(count) < 1 / (1 + np.exp(-0.7 * scores + 0.3))).astype(float)
    return scores, outcomes, draws.uniform(0.1, 1.0, count)


@pytest.mark.parametrize("seed", range(5))
def test_isotonic_is_scikit_learns(seed):
    isotonic = pytest.importorskip("sklearn.isotonic")
    scores, outcomes, weights = sample(seed, 500)
    peer = isotonic.IsotonicRegression(out_of_bounds="clip").fit(scores, outcomes, weights)
    own = fit_isotonic(scores, outcomes, weights)
    asked = np.concatenate([np.linspace(-5, 5, 300), scores])
    expected = np.clip(peer.predict(asked), 1e-6, 1 - 1e-6)
    assert np.allclose([own.probability(x) for x in asked.tolist()], expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_platt_is_a_logistic_regression_on_softened_targets(seed):
    linear = pytest.importorskip("sklearn.linear_model")
    scores, outcomes, weights = sample(seed, 300)
    own = fit_platt(scores, outcomes, weights)
    positive, negative = np.sum(weights * outcomes), np.sum(weights * (1 - outcomes))
    target = np.where(outcomes > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    # A softened target is two rows of different weight.
    doubled = np.concatenate([scores, scores])[:, None]
    labels = np.concatenate([np.ones(300), np.zeros(300)])
    share = np.concatenate([weights * target, weights * (1 - target)])
    peer = linear.LogisticRegression(C=np.inf, tol=1e-10).fit(doubled, labels, share)
    due = (peer.coef_[0, 0], peer.intercept_[0])
    assert own.probabilities == pytest.approx(due, abs=1e-4)


def test_few_outcomes_get_a_line_and_many_a_table():
    scores, outcomes, _ = sample(1, 1000)
    assert calibrate(scores, outcomes, np.full(1000, 0.99)).kind == "platt"  # some overlap
    assert calibrate(scores, outcomes, np.ones(1000)).kind == "isotonic"


def test_a_map_never_falls_and_never_reaches_certainty():
    for made in (fit_isotonic(*sample(2, 400)), fit_platt(*sample(2, 400))):
        values = [made.probability(x) for x in np.linspace(-1000, 1000, 999).tolist()]
        assert values == sorted(values)
        assert 0 < values[0] and values[-1] < 1
    perfect = np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.ones(2)
    assert math.isfinite(fit_platt(*perfect).probabilities[0])


@pytest.mark.parametrize(
    ("kind", "scores", "probabilities"),
    [
        ("spline", (0.0,), (0.5,)),
        ("isotonic", (), ()),
        ("isotonic", (0.0, 1.0), (0.6, 0.5)),
        ("isotonic", (1.0, 0.0), (0.5, 0.6)),
        ("isotonic", (0.0,), (math.nan,)),
        ("platt", (), (1.0,)),
    ],
)
def test_what_is_no_map_is_refused(kind, scores, probabilities):
    with pytest.raises(DataInvalid):
        Calibration(kind, scores, probabilities)
