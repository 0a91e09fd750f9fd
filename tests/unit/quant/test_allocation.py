# SPDX-License-Identifier: Apache-2.0
"""Weights between strategies: equal risk is equal to the last digit, draws can be repeated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.errors import DataInvalid, ParameterInvalid
from hean.quant import allocation


def covariance_of(count: int, seed: int, spread: float = 3.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    parts = random.normal(size=(count, count + 2))
    matrix = parts @ parts.T
    deviations = np.exp(random.uniform(-spread, spread, count)) / np.sqrt(np.diag(matrix))
    return matrix * np.outer(deviations, deviations)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10**6))
def test_each_brings_its_budget_of_risk(count, seed):
    matrix = covariance_of(count, seed)
    budgets = np.random.default_rng(seed).uniform(0.05, 1.0, count)
    for shares in (np.ones(count), budgets):
        weights = allocation.equal_risk_contribution(matrix, shares)
        assert weights.min() > 0
        assert weights.sum() == pytest.approx(1)
        np.testing.assert_allclose(
            allocation.risk_contributions(weights, matrix), shares / shares.sum(), rtol=1e-9
        )


def test_without_correlation_equal_risk_is_inverse_volatility():
    matrix = np.diag([0.01, 0.04, 0.09])
    expected = np.array([6, 3, 2]) / 11
    np.testing.assert_allclose(allocation.equal_risk_contribution(matrix), expected, rtol=1e-12)
    np.testing.assert_allclose(allocation.inverse_volatility(matrix), expected, rtol=1e-12)


def test_two_assets_need_no_correlation_to_share_risk():
    for correlation in (-0.999, -0.3, 0.0, 0.999):
        matrix = np.array([[0.01, 0.02 * correlation], [0.02 * correlation, 0.04]])
        np.testing.assert_allclose(
            allocation.equal_risk_contribution(matrix), [2 / 3, 1 / 3], rtol=1e-9
        )


def test_the_unit_of_time_and_the_order_do_not_matter():
    matrix, order = covariance_of(5, 3), [4, 0, 2, 1, 3]
    weights = allocation.equal_risk_contribution(matrix)
    np.testing.assert_allclose(allocation.equal_risk_contribution(1e-8 * matrix), weights)
    shuffled = allocation.equal_risk_contribution(matrix[np.ix_(order, order)])
    np.testing.assert_allclose(shuffled, weights[order], rtol=1e-9)


@pytest.mark.parametrize(
    "bad",
    [
        [[1.0, 2.0], [2.0, 1.0]],  # no covariance: correlation of 2
        [[1.0, -1.0], [-1.0, 1.0]],  # a portfolio without risk
        [[1.0, 0.5], [0.4, 1.0]],
        [[1.0, 0.0], [0.0, 0.0]],
        [[1.0, math.nan], [math.nan, 1.0]],
        [1.0, 2.0],
        [[]],
    ],
)
def test_what_is_no_covariance_is_refused(bad):
    with pytest.raises(DataInvalid):
        allocation.equal_risk_contribution(bad)


def test_budgets_are_positive_and_one_for_each():
    for budgets in ([1.0], [1.0, 0.0], [1.0, -1.0]):
        with pytest.raises(DataInvalid, match="budgets"):
            allocation.equal_risk_contribution(np.eye(2), budgets)


@pytest.mark.parametrize(
    ("target", "forecast", "scale"),
    [(0.1, 0.2, 0.5), (0.1, 0.05, 1.5), (0.1, 10.0, 0.01), (0.1, 0.0, 0), (0.1, math.nan, 0)],
)
def test_exposure_follows_the_forecast_up_to_its_cap(target, forecast, scale):
    assert allocation.volatility_scale(target, forecast) == pytest.approx(scale)


@pytest.mark.parametrize(
    ("drawdown", "scale"), [(-0.1, 1), (0.0, 1), (0.05, 0.75), (0.2, 0), (0.3, 0)]
)
def test_a_drawdown_takes_exposure_away_without_a_cliff(drawdown, scale):
    assert allocation.drawdown_scale(drawdown, 0.2) == pytest.approx(scale)


def test_small_moves_are_not_traded():
    np.testing.assert_array_equal(
        allocation.rebalanced([0.10, 0.10, 0.0, 0.2], [0.109, 0.12, 0.01, 0.0]),
        [0.10, 0.12, 0.01, 0.0],
    )


def test_a_draw_is_its_place_and_nothing_else():
    def rounds(means, seed=3):
        deviations = [1.0] * len(means)
        return [
            allocation.thompson(means, deviations, seed=seed, round_number=number)
            for number in range(300)
        ]

    two = rounds([0.0, 0.0])
    assert two == rounds([0.0, 0.0])
    assert two != rounds([0.0, 0.0], seed=4)
    # A third arm that never wins changes nothing.
    assert rounds([0.0, 0.0, -100.0]) == two


def test_arms_are_tried_as_often_as_they_may_be_the_best():
    tried = [
        allocation.thompson([0.0, 1.0], [1.0, 1.0], seed=1, round_number=number)
        for number in range(3000)
    ]
    expected = 0.5 * (1 + math.erf(1 / math.sqrt(2) / math.sqrt(2)))
    assert np.mean(tried) == pytest.approx(expected, abs=0.025)
    assert allocation.thompson([1.0, 2.0], [0.0, 0.0], seed=1, round_number=0) == 1


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (ParameterInvalid, lambda: allocation.equal(0)),
        (ParameterInvalid, lambda: allocation.volatility_scale(-1, 1)),
        (ParameterInvalid, lambda: allocation.drawdown_scale(0.1, 0.0)),
        (ParameterInvalid, lambda: allocation.thompson([1.0], [1.0], seed=-1, round_number=0)),
        (DataInvalid, lambda: allocation.thompson([], [], seed=0, round_number=0)),
        (DataInvalid, lambda: allocation.thompson([1.0], [-1.0], seed=0, round_number=0)),
        (DataInvalid, lambda: allocation.rebalanced([1.0], [0.5, 0.5])),
    ],
)
def test_impossible_numbers_are_refused(error, call):
    with pytest.raises(error):
        call()
