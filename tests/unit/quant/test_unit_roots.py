# SPDX-License-Identifier: Apache-2.0
"""Unit-root tests against statsmodels and arch over random series, and laws any scale keeps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arch.unitroot import PhillipsPerron
from arch.unitroot import VarianceRatio as ArchVarianceRatio
from statsmodels.tsa.adfvalues import mackinnoncrit, mackinnonp
from statsmodels.tsa.stattools import adfuller
from statsmodels.tsa.stattools import kpss as statsmodels_kpss

from hean.errors import DataInvalid, NumberNotFinite, ParameterInvalid
from hean.quant import mackinnon
from hean.quant.unit_roots import adf, kpss, phillips_perron, variance_ratio

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:statsmodels", "ignore:The test stat")


def wandering(seed: int) -> np.ndarray:
    """A series with memory, of any length and scale, with and without a unit root."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(40, 300))
    errors = rng.normal(size=n + 1)
    phi = (0.5, 0.95, 1.0)[seed % 3]
    values = [0.0]
    for now, before in zip(errors[1:], errors[:-1], strict=True):
        values.append(phi * values[-1] + now + 0.4 * before)
    return 100.0 + 10.0 ** rng.integers(-4, 4) * np.array(values)


SERIES = [wandering(seed) for seed in range(6)]


@pytest.mark.parametrize("trend", mackinnon.TRENDS)
def test_the_distribution_is_mackinnons(trend):
    for variables in range(1, 7):
        for t in np.linspace(-30.0, 5.0, 101):
            expected = mackinnonp(t, trend, variables)
            found = mackinnon.p_value(t, trend=trend, variables=variables)
            assert found == pytest.approx(expected, abs=1e-12)
    for variables in range(1, 2 if trend == "n" else 13):
        for n in (40, 1500, math.inf):
            expected = mackinnoncrit(variables, trend, n)
            found = mackinnon.critical_values(trend=trend, variables=variables, n=n)
            assert found == pytest.approx(expected, rel=1e-12)


def test_what_has_no_distribution_is_refused():
    assert math.isnan(mackinnon.p_value(math.nan))
    assert all(map(math.isnan, mackinnon.critical_values(trend="n", variables=2)))
    for wrong in ({"trend": "cc"}, {"variables": 0}, {"variables": 7}):
        with pytest.raises(ParameterInvalid):
            mackinnon.p_value(-3.0, **wrong)


@pytest.mark.parametrize("values", SERIES)
@pytest.mark.parametrize("trend", mackinnon.TRENDS)
def test_dickey_fuller_equals_statsmodels(values, trend):
    for ours, theirs in (("aic", "aic"), ("bic", "bic"), ("t", "t-stat")):
        t, p, lags, n, critical, _ = adfuller(
            values, regression=trend, autolag=theirs, result_object=False
        )
        found = adf(values, trend=trend, choose=ours)
        assert (found.lags, found.n) == (lags, n)
        assert (found.statistic, found.p_value) == pytest.approx((t, p), rel=1e-6, abs=1e-9)
        assert found.critical == pytest.approx(tuple(critical.values()))
    for lags in (0, 3):
        t = adfuller(values, regression=trend, maxlag=lags, autolag=None, result_object=False)[0]
        assert adf(values, trend=trend, lags=lags).statistic == pytest.approx(t, rel=1e-6)


@pytest.mark.parametrize("values", SERIES)
def test_the_other_tests_equal_their_oracles(values):
    for trend in ("n", "c", "ct"):
        for lags in (0, 4, None):
            theirs = PhillipsPerron(values, trend=trend, lags=lags)
            found = phillips_perron(values, trend=trend, lags=lags)
            assert found.statistic == pytest.approx(theirs.stat, rel=1e-5)
            assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-6)
    for trend in ("c", "ct"):
        for lags in ("auto", 7):
            theirs = statsmodels_kpss(values, trend, nlags=lags, result_object=False)
            found = kpss(values, trend=trend, lags=None if lags == "auto" else lags)
            assert (found.statistic, found.p_value) == pytest.approx(theirs[:2], rel=1e-8)
            assert found.lags == theirs[2]
    for steps in (2, 5, 16):
        theirs = ArchVarianceRatio(values, steps)
        found = variance_ratio(values, steps)
        assert (found.ratio, found.z) == pytest.approx((theirs.vr, theirs.stat), rel=1e-8)
        assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-9, -3.0, 1e9])
def test_no_statistic_knows_its_unit(scale):
    values = SERIES[1]
    for test in (adf, phillips_perron, kpss):
        assert test(scale * values).statistic == pytest.approx(test(values).statistic, rel=1e-6)
    ratio = variance_ratio(values, 4)
    assert variance_ratio(scale * values + 7.0, 4).z == pytest.approx(ratio.z, rel=1e-5)


def test_reversion_is_found_and_its_absence_too():
    rng = np.random.default_rng(5)
    walk, noise = rng.normal(size=1000).cumsum(), rng.normal(size=1000)
    assert adf(noise).p_value < 0.001
    assert adf(walk).p_value > 0.05
    assert kpss(noise).p_value == pytest.approx(0.1)
    assert kpss(walk).p_value == pytest.approx(0.01)
    assert variance_ratio(noise, 2).ratio == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("test", [adf, phillips_perron, kpss, lambda v: variance_ratio(v, 2)])
def test_bad_series_are_refused(test):
    with pytest.raises(NumberNotFinite, match="row 7"):
        test([*range(7), math.nan, *range(50)])
    for bad in ([1.0, 2.0], np.ones(100), np.ones((50, 2)), []):
        with pytest.raises(DataInvalid):
            test(bad)
    with pytest.raises(DataInvalid):  # a straight line leaves nothing to test but its rounding
        test(np.arange(100.0)) if test is not kpss else kpss(np.arange(100.0), trend="ct")


def test_bad_parameters_are_refused():
    values = SERIES[0]
    for call in (
        lambda: adf(values, trend="x"),
        lambda: adf(values, choose="hq"),
        lambda: adf(values, lags=-1),
        lambda: adf(values, lags=len(values)),
        lambda: adf(values, lags_max=len(values)),
        lambda: phillips_perron(values, trend="t"),
        lambda: kpss(values, trend="n"),
        lambda: kpss(values, lags=len(values)),
        lambda: variance_ratio(values, 1),
        lambda: variance_ratio(values, len(values)),
    ):
        with pytest.raises(ParameterInvalid):
            call()
