# SPDX-License-Identifier: Apache-2.0
"""Kelly fractions against their definition: nothing nearby grows faster, and estimates cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.errors import DataInvalid, NumberNotFinite, ParameterInvalid
from hean.quant import kelly
from hean.quant.kelly import Constraints, log_optimal


@given(st.floats(0.01, 0.99), st.floats(0.05, 20))
def test_no_other_fraction_of_a_bet_grows_faster(p, odds):
    best = kelly.binary_fraction(p, odds)
    growth = kelly.binary_growth(p, odds, best)
    for other in (best - 0.01, best + 0.01):
        if 1 + odds * other > 0 and other < 1:
            assert kelly.binary_growth(p, odds, other) <= growth + 1e-12


def test_a_bet_that_can_take_everything_grows_by_minus_infinity():
    assert kelly.binary_growth(0.9, 1.0, 1.0) == -math.inf
    assert kelly.binary_growth(1.0, 1.0, 1.0) == pytest.approx(math.log(2))


def test_one_asset_is_the_case_of_many():
    many = kelly.multi_asset([0.07], [[0.04]], 0.03)
    assert many.fractions[0] == pytest.approx(kelly.continuous_fraction(0.10, 0.03, 0.2))
    assert many.rate == pytest.approx(kelly.growth_rate(0.03, many.sharpe))
    assert many.sharpe == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("share", "part"), [(0.0, 0.0), (0.25, 0.4375), (0.5, 0.75), (1.0, 1.0), (2.0, 0.0)]
)
def test_a_share_keeps_more_growth_than_risk(share, part):
    assert kelly.growth_rate(0.0, 2.0, share) == pytest.approx(2.0 * part)


def test_the_chance_of_a_fall_matches_simulated_wealth():
    """Wealth under half Kelly is a lognormal walk; its lowest point is counted over many paths."""
    random, sharpe, share, step = np.random.default_rng(7), 1.0, 0.5, 1 / 250
    drift = (share - share**2 / 2) * sharpe**2 * step
    moves = random.normal(drift, share * sharpe * math.sqrt(step), size=(1500, 5000))
    fell = (np.cumsum(moves, axis=1).min(axis=1) <= math.log(0.7)).mean()
    assert fell == pytest.approx(kelly.chance_of_ever(0.7, share), abs=0.04)
    assert kelly.chance_of_ever(0.5, 3.0) == 1.0


@pytest.mark.parametrize(
    ("sharpe", "years", "strategies", "share"),
    [(2, 1, 50, 0.0), (2, 1, 1, 0.25), (1.1, 1, 1, 1 - 1 / 1.21), (0, 9, 1, 0.0), (-3, 9, 1, 0.0)],
)
def test_the_share_that_estimates_deserve(sharpe, years, strategies, share):
    assert kelly.shrunk_share(sharpe, years, strategies) == pytest.approx(share)


def test_means_move_to_the_mean_of_all():
    np.testing.assert_allclose(kelly.shrunk_means([1.0, 3.0], 0.5), [1.5, 2.5])
    np.testing.assert_allclose(kelly.shrunk_means([1.0, 3.0], 1.0), [2.0, 2.0])


CONSTRAINTS = st.sampled_from(
    [
        Constraints(low=0.0, total_max=1.0),
        Constraints(low=-1.0, high=1.0),
        Constraints(gross_max=1.5),
        Constraints(gross_max=1.0, low=-0.2, high=0.5),
        Constraints(low=0.0, total=1.0),
        Constraints(low=0.0, high=0.6, total=1.0),
    ]
)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), CONSTRAINTS)
def test_the_optimum_is_allowed_and_no_random_allowed_mix_grows_faster(seed, count, limits):
    random = np.random.default_rng(seed)
    excess = random.uniform(-0.4, 0.45, size=(30, count))
    best = log_optimal(excess, constraints=limits, rate=0.001)
    _assert_allowed(best.weights, limits)
    assert best.growth == pytest.approx(np.log(1.001 + excess @ best.weights).mean(), rel=1e-12)
    others = random.dirichlet(np.ones(count), size=200) * random.choice([-1.0, 1.0], (200, count))
    for other in np.vstack([others, np.abs(others)]):
        if _is_allowed(other, limits):
            assert np.log(1.001 + excess @ other).mean() <= best.growth + best.gap + 1e-12


def test_two_outcomes_are_the_binary_bet():
    best = log_optimal(
        [[2.0], [-1.0]], constraints=Constraints(low=0.0, high=1.0), probabilities=[0.4, 0.6]
    )
    assert best.weights[0] == pytest.approx(kelly.binary_fraction(0.4, 2.0), abs=1e-5)


def test_growth_without_bound_is_refused():
    with pytest.raises(DataInvalid, match="constrain"):
        log_optimal([[0.1], [0.2]], constraints=Constraints())


def test_ruin_in_every_allowed_mix_is_refused():
    with pytest.raises(DataInvalid, match="wealth"):
        log_optimal([[-1.0, -1.5]], constraints=Constraints(low=0.0, total=1.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda: kelly.binary_fraction(1.1, 1),
        lambda: kelly.binary_fraction(0.5, 0),
        lambda: kelly.continuous_fraction(0.1, 0.0, 0.0),
        lambda: kelly.chance_of_ever(0.0, 1.0),
        lambda: kelly.shrunk_share(1.0, 0.0),
        lambda: kelly.shrunk_share(1.0, 1.0, share_max=1.5),
        lambda: kelly.shrunk_means([1.0], 2.0),
    ],
)
def test_impossible_numbers_are_refused(call):
    with pytest.raises(ParameterInvalid):
        call()


def test_bad_tables_are_refused():
    with pytest.raises(DataInvalid, match="inverse"):
        kelly.multi_asset([1.0, 1.0], [[1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(DataInvalid, match="positive definite"):
        kelly.multi_asset([1.0, -1.0], [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(DataInvalid, match="probabilities"):
        log_optimal([[0.1], [-0.1]], constraints=Constraints(), probabilities=[0.9, 0.2])
    with pytest.raises(NumberNotFinite):
        kelly.continuous_fraction(0.1, 0.0, math.nan)


def _is_allowed(weights: np.ndarray, limits: Constraints) -> bool:
    try:
        _assert_allowed(weights, limits)
    except AssertionError:
        return False
    return True


def _assert_allowed(weights: np.ndarray, limits: Constraints) -> None:
    slack = 1e-7
    assert limits.low is None or weights.min() >= limits.low - slack
    assert limits.high is None or weights.max() <= limits.high + slack
    assert limits.total_max is None or weights.sum() <= limits.total_max + slack
    assert limits.total is None or abs(weights.sum() - limits.total) <= slack
    assert limits.gross_max is None or np.abs(weights).sum() <= limits.gross_max + slack
