# SPDX-License-Identifier: Apache-2.0
"""Cointegration against statsmodels over random systems, and laws that hold for any prices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.tsa.stattools import coint
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from hean.errors import DataInvalid, NumberNotFinite, NumberOutOfRange, ParameterInvalid
from hean.quant.cointegration import (
    engle_granger,
    johansen,
    regressor_of,
    return_correlation,
)


def system(seed: int) -> np.ndarray:
    """Two to four walks, (n, k); in every second one the first follows the others."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(80, 400)), 2 + seed % 3
    levels = 50.0 + rng.normal(size=(n, k)).cumsum(axis=0)
    if seed % 2:
        levels[:, 0] = levels[:, 1:] @ rng.normal(size=k - 1) + rng.normal(size=n)
    return levels


SYSTEMS = [system(seed) for seed in range(8)]


@pytest.mark.parametrize("levels", SYSTEMS)
@pytest.mark.parametrize("trend", ["n", "c", "ct", "ctt"])
def test_engle_granger_equals_statsmodels(levels, trend):
    y, x = levels[:, 0], levels[:, 1:]
    for options in ({}, {"maxlag": 2, "autolag": None}, {"autolag": "bic"}):
        theirs = coint(y, x, trend=trend, **options)
        choose = options.get("autolag", "aic") or "aic"
        found = engle_granger(y, x, trend=trend, lags=options.get("maxlag"), choose=choose)
        assert (found.statistic, found.p_value) == pytest.approx(theirs[:2], rel=1e-6, abs=1e-9)
        assert found.critical == pytest.approx(theirs[2], nan_ok=True)


@pytest.mark.parametrize("levels", SYSTEMS)
@pytest.mark.parametrize("order", [-1, 0, 1])
@pytest.mark.parametrize("lags", [0, 1, 3])
def test_johansen_equals_statsmodels(levels, order, lags):
    theirs = coint_johansen(levels, order, lags)
    found = johansen(levels, trend_order=order, lags=lags)
    assert found.eigenvalues == pytest.approx(theirs.eig, rel=1e-6, abs=1e-10)
    assert found.trace == pytest.approx(theirs.trace_stat, rel=1e-6)
    assert found.max_eigen == pytest.approx(theirs.max_eig_stat, rel=1e-6)
    assert found.trace_critical == pytest.approx(theirs.trace_stat_crit_vals)
    assert found.max_eigen_critical == pytest.approx(theirs.max_eig_stat_crit_vals)
    assert np.abs(found.vectors) == pytest.approx(np.abs(theirs.evec), rel=1e-4, abs=1e-8)
    assert (found.vectors[0] >= 0.0).all()


def test_units_change_the_slope_and_nothing_else():
    y, x = SYSTEMS[1][:, 0], SYSTEMS[1][:, 1:]
    plain, scaled = engle_granger(y, x), engle_granger(1000.0 * y, 0.01 * x)
    assert scaled.slopes == pytest.approx(1e5 * plain.slopes)
    assert scaled.intercept == pytest.approx(1000.0 * plain.intercept)
    assert scaled.statistic == pytest.approx(plain.statistic)
    assert plain.residuals.mean() == pytest.approx(0.0, abs=1e-9)
    units = np.array([1e3, 1e-3, 1.0, 7.0][: SYSTEMS[1].shape[1]])
    one, other = johansen(SYSTEMS[1]), johansen(SYSTEMS[1] * units)
    assert other.trace == pytest.approx(one.trace, rel=1e-6)
    assert other.vector() == pytest.approx(one.vector() * units[0] / units, rel=1e-5)


def test_johansen_finds_how_many_relations_there_are():
    rng = np.random.default_rng(3)
    walks = rng.normal(size=(1500, 3)).cumsum(axis=0)
    assert johansen(walks).rank(0.99) == 0
    tied = np.column_stack([walks[:, :2], 2.0 * walks[:, 0] - walks[:, 1] + rng.normal(size=1500)])
    test = johansen(tied)
    assert test.rank() == 1
    assert test.vector() == pytest.approx([1.0, -0.5, -0.5], abs=0.02)
    assert johansen(rng.normal(size=(1500, 2))).rank() == 2


def test_the_leg_of_smaller_variance_explains():
    rng = np.random.default_rng(4)
    quiet = rng.normal(size=300).cumsum()
    loud = 3.0 * quiet + rng.normal(size=300)
    assert (regressor_of(quiet, loud), regressor_of(loud, quiet)) == (0, 1)
    assert regressor_of(quiet, quiet) == 1


def test_correlated_returns_are_no_cointegration():
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(60):
        moves = 0.01 * (rng.normal(size=400)[:, None] + 0.5 * rng.normal(size=(400, 2)))
        legs = moves.cumsum(axis=0)
        assert return_correlation(*np.exp(legs.T)) > 0.7
        found += engle_granger(legs[:, 0], legs[:, 1], lags=0).p_value < 0.05
    assert found <= 8  # 5 % of 60 are expected; more than 8 has a chance of 1 in 100


def test_bad_prices_are_refused():
    y = SYSTEMS[0][:, 0]
    for bad in (y[:-1], 2.0 * y, np.ones(len(y)), np.ones((len(y), 2, 2))):
        with pytest.raises(DataInvalid):
            engle_granger(y, bad)
    with pytest.raises(NumberNotFinite):
        engle_granger(y, np.where(np.arange(len(y)) == 9, math.inf, y))
    with pytest.raises(ParameterInvalid):
        engle_granger(y, np.random.default_rng(0).normal(size=(len(y), 6)))
    with pytest.raises(DataInvalid):
        johansen(np.column_stack([y, y]))
    for options in ({"trend_order": 2}, {"lags": -1}):
        with pytest.raises(ParameterInvalid):
            johansen(SYSTEMS[0], **options)
    with pytest.raises(DataInvalid):
        johansen(SYSTEMS[0][:8], lags=3)
    with pytest.raises(ParameterInvalid):
        johansen(SYSTEMS[0]).rank(0.5)
    with pytest.raises(NumberOutOfRange):
        return_correlation([1.0, 0.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(DataInvalid):
        return_correlation([1.0, 2.0, 4.0, 5.0], [1.0, 2.0, 3.0])
