# SPDX-License-Identifier: Apache-2.0
"""Online portfolios: their guarantees, and that no weight knows its own day."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.errors import DataInvalid, NumberNotFinite, ParameterInvalid
from hean.quant import online


def market(days: int, count: int, seed: int) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).normal(0.0, 0.05, size=(days, count)))


@pytest.mark.parametrize("seed", range(5))
def test_the_universal_portfolio_earns_the_mean_of_all_constant_mixes(seed):
    relatives = market(60, 3, seed)
    found = online.universal(relatives, steps=10)
    mixes = [online.constant_mix(relatives, weights) for weights in found.grid]
    assert found.wealth[-1] == pytest.approx(np.mean(mixes), rel=1e-12)
    assert found.best_wealth == pytest.approx(max(mixes), rel=1e-12)
    # Trading the weights day by day earns just that.
    traded = (found.weights[:-1] * relatives).sum(axis=1)
    np.testing.assert_allclose(np.cumprod(traded), found.wealth, rtol=1e-10)


@pytest.mark.parametrize("eta", [0.0, 0.05, 0.5])
def test_the_gradient_stays_within_its_bound_of_the_best_constant_mix(eta):
    """Helmbold et al.: log wealth is at least the best's minus `ln N / eta + eta T / (8 r^2)`."""
    relatives = market(200, 2, 9)
    found = online.exponentiated_gradient(relatives, eta)
    if eta == 0.0:
        assert found.wealth[-1] == pytest.approx(online.constant_mix(relatives, [0.5, 0.5]))
        return
    best = online.universal(relatives, steps=100).best_wealth
    ratio = (relatives / relatives.max(axis=1, keepdims=True)).min()
    bound = math.log(2) / eta + eta * len(relatives) / (8 * ratio**2)
    assert math.log(found.wealth[-1]) >= math.log(best) - bound


def test_weights_do_not_know_their_own_day():
    relatives = market(40, 3, 2)
    for learn in (
        lambda days: online.exponentiated_gradient(days, 0.3, uniform_share=0.1).weights,
        lambda days: online.universal(days, steps=5).weights,
    ):
        changed = relatives.copy()
        changed[20:] = 2.0
        np.testing.assert_array_equal(learn(relatives)[:21], learn(changed)[:21])
        np.testing.assert_allclose(learn(relatives).sum(axis=1), 1.0, rtol=1e-12)


def test_mixing_with_the_uniform_gives_nobody_up():
    relatives = np.tile([2.0, 0.5], (50, 1))
    weights = online.exponentiated_gradient(relatives, 1.0, uniform_share=0.1).weights
    assert weights[-1, 1] == pytest.approx(0.05, abs=1e-6)


def test_a_wild_rate_of_learning_overflows_nothing():
    found = online.exponentiated_gradient(market(50, 4, 1), 1e4)
    assert np.isfinite(found.weights).all()


@pytest.mark.parametrize(("count", "steps", "points"), [(1, 5, 1), (2, 20, 21), (3, 10, 66)])
def test_the_grid_has_every_mix_once(count, steps, points):
    grid = online.simplex_grid(count, steps)
    assert grid.shape == (points, count)
    assert len({tuple(row) for row in grid}) == points
    np.testing.assert_allclose(grid.sum(axis=1), 1.0)
    assert grid.min() >= 0


def test_buying_once_weights_by_what_grew():
    relatives = np.array([[2.0, 1.0], [2.0, 1.0]])
    assert online.buy_and_hold(relatives, [0.5, 0.5]) == pytest.approx(2.5)
    assert online.constant_mix(relatives, [0.5, 0.5]) == pytest.approx(2.25)


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (DataInvalid, lambda: online.universal([[1.0, 0.0]])),
        (NumberNotFinite, lambda: online.universal([[1.0, math.nan]])),
        (ParameterInvalid, lambda: online.exponentiated_gradient([[1.0, 1.0]], -1.0)),
        (ParameterInvalid, lambda: online.simplex_grid(36, 20)),
    ],
)
def test_impossible_numbers_are_refused(error, call):
    with pytest.raises(error):
        call()
