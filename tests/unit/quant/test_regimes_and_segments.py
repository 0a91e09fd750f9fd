# SPDX-License-Identifier: Apache-2.0
"""Fits of regimes and judgements of history against planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from hean.errors import ParameterInvalid
from hean.filters import HMM
from hean.quant.regimes import choose_states, fit_switching_autoregression, match_states
from hean.quant.segmentation import (
    break_interval,
    changes_of_runs,
    covering,
    detection_scores,
    mean_breaks,
)

EVEN = np.full((3, 3), 1 / 3)
THIRDS = np.full(3, 1 / 3)


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 0, 2], [0, 1, 2]])
def test_states_are_matched_whatever_their_order(order: list[int]) -> None:
    spread = np.array([[[1.0]], [[4.0]], [[25.0]]])
    models = (
        HMM.gaussian(THIRDS, EVEN, np.zeros((3, 1)), spread),
        HMM.poisson(THIRDS, EVEN, np.array([3.0, 10.0, 30.0])),
        HMM.categorical(THIRDS, EVEN, np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0, 0.1, 0.9]])),
    )
    for model in models:
        shuffled = model.reordered(order)
        found = shuffled.reordered(match_states(model, shuffled))
        assert np.array_equal(found.means, model.means)
        assert np.array_equal(found.transition, model.transition)
    with pytest.raises(ParameterInvalid, match="no common states"):
        match_states(models[0], models[1])


def test_bic_chooses_the_number_that_was_planted() -> None:
    random = np.random.default_rng(1)
    state = np.repeat([0, 1, 2, 1, 0, 2, 0, 1], 60)
    counts = random.poisson(np.array([3.0, 12.0, 40.0])[state]).astype(float)
    fit = choose_states(counts, "poisson", (2, 3, 4), starts=5)
    assert fit.model.states == 3 and fit.has_converged
    assert fit.model.means[:, 0] == pytest.approx([3, 12, 40], rel=0.1)
    with pytest.raises(ParameterInvalid):
        choose_states(counts, "poisson", ())


@pytest.mark.parametrize("switches_variance", [False, True])
def test_a_switching_autoregression_is_found_again(switches_variance: bool) -> None:
    random = np.random.default_rng(2)
    state = np.repeat([0, 1] * 8, 40)
    deviation = np.where(state, 1.0, 2.0 if switches_variance else 1.0)
    values, error = np.zeros(len(state)), random.normal(0, 1, len(state)) * deviation
    means = np.array([-3.0, 3.0])[state]
    for at in range(1, len(state)):
        values[at] = 0.4 * values[at - 1] + error[at]
    fit = fit_switching_autoregression(means + values, 1, switches_variance=switches_variance)
    assert fit.means == pytest.approx([-3, 3], abs=0.6)
    assert fit.coefficients == pytest.approx([0.4], abs=0.12)
    expected = [4.0, 1.0] if switches_variance else [1.0, 1.0]
    assert fit.variances == pytest.approx(expected, rel=0.3)
    assert np.mean((fit.smoothed[1] > 0.5) == state[1:]) > 0.95
    assert np.abs(fit.filtered - fit.smoothed).max() > 0.01
    shifted = fit_switching_autoregression(1e4 + 100 * (means + values), 1,
                                           switches_variance=switches_variance)  # fmt: skip
    assert shifted.means == pytest.approx(1e4 + 100 * fit.means, rel=1e-4)
    with pytest.raises(ParameterInvalid):
        fit_switching_autoregression(np.ones(100), 1)
    with pytest.raises(ParameterInvalid):
        fit_switching_autoregression(np.arange(15.0), 1)


def test_changes_of_runs_walk_back_from_the_end() -> None:
    assert changes_of_runs([1, 2, 3, 1, 2, 1, 2, 3]) == [3, 5]
    assert changes_of_runs([1, 2, 3]) == [] == changes_of_runs([])


def test_scores_of_a_perfect_and_an_empty_answer() -> None:
    truth = [[10, 20], [20]]
    assert detection_scores([[10, 20]], [11, 19], 1) == (1.0, 1.0, 1.0)
    f1, precision, recall = detection_scores(truth, [], 0)
    assert (precision, recall) == (1.0, pytest.approx((1 / 3 + 1 / 2) / 2))
    assert f1 == pytest.approx(2 * recall / (1 + recall))
    assert covering([[10, 20]], [10, 20], 30) == 1.0
    assert covering([[15]], [], 30) == 0.5


def test_breaks_of_the_mean_are_found_with_their_interval() -> None:
    random = np.random.default_rng(3)
    series = np.concatenate([random.normal(mean, 1, 60) for mean in (0, 3, -2)])
    found = mean_breaks(series)
    assert found == pytest.approx([60, 120], abs=2)
    for which, at in enumerate(found):
        lower, upper = break_interval(series, found, which)
        assert lower <= at <= upper and upper - lower < 12
    assert mean_breaks(random.normal(0, 1, 200)) == []
