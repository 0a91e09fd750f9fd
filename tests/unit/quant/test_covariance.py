# SPDX-License-Identifier: Apache-2.0
"""Shrunk covariances against scikit-learn over random returns, and against their own laws."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import covariance as oracle

from hean.errors import DataInvalid, NumberNotFinite
from hean.quant import covariance

SHAPES = [(2, 1), (3, 2), (12, 5), (40, 3), (20, 30), (400, 8)]


def returns_of(shape: tuple[int, int], seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(shape[1], shape[1]))
    return 0.01 * random.standard_t(4, size=shape) @ mixing + 0.002


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("centred", [True, False])
def test_shrinkage_is_that_of_scikit_learn(shape, centred):
    for seed in range(5):
        returns = returns_of(shape, seed)
        for ours, theirs in (
            (covariance.ledoit_wolf, oracle.ledoit_wolf),
            (covariance.oracle_approximating, oracle.oas),
        ):
            matrix, shrinkage = theirs(returns, assume_centered=not centred)
            found = ours(returns, centred=centred)
            assert found.shrinkage == pytest.approx(shrinkage, rel=1e-9, abs=1e-12)
            np.testing.assert_allclose(found.matrix, matrix, rtol=1e-9, atol=1e-18)


def test_the_sample_is_that_of_numpy_by_both_divisors():
    returns = returns_of((30, 4), 1)
    np.testing.assert_allclose(
        covariance.sample(returns).matrix, np.cov(returns.T), rtol=1e-12, atol=1e-20
    )
    np.testing.assert_allclose(
        covariance.population(returns).matrix, np.cov(returns.T, ddof=0), rtol=1e-12, atol=1e-20
    )


@pytest.mark.parametrize("name", covariance.ESTIMATORS)
def test_scaling_and_permuting_returns_does_so_to_the_covariance(name):
    estimator, returns = covariance.ESTIMATORS[name], returns_of((25, 4), 3)
    found, order = estimator(returns), [2, 0, 3, 1]
    larger, other = estimator(100 * returns), estimator(returns[:, order])
    np.testing.assert_allclose(larger.matrix, 1e4 * found.matrix, rtol=1e-10)
    assert larger.shrinkage == pytest.approx(found.shrinkage, rel=1e-9)
    np.testing.assert_allclose(other.matrix, found.matrix[np.ix_(order, order)], rtol=1e-9)


def test_with_few_rows_only_the_shrunk_ones_can_be_inverted():
    returns = returns_of((6, 12), 4)
    assert np.linalg.matrix_rank(covariance.sample(returns).matrix) < 12
    for estimator in (covariance.ledoit_wolf, covariance.oracle_approximating):
        assert np.linalg.eigvalsh(estimator(returns).matrix).min() > 0


def test_constant_returns_have_no_covariance():
    for estimator in covariance.ESTIMATORS.values():
        assert not estimator(np.full((5, 3), 0.01)).matrix.any()


@pytest.mark.parametrize("bad", [np.ones((1, 3)), np.ones((3, 0)), np.ones((2, 2, 2))])
def test_what_is_no_table_is_refused(bad):
    with pytest.raises(DataInvalid):
        covariance.ledoit_wolf(bad)


def test_a_missing_number_is_refused_with_its_row():
    returns = returns_of((5, 2), 0)
    returns[3, 1] = np.nan
    with pytest.raises(NumberNotFinite, match="row 3"):
        covariance.sample(returns)
