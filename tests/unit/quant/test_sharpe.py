# SPDX-License-Identifier: Apache-2.0
"""How far a Sharpe ratio can be trusted: against simulation, statsmodels, and cases by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import kstest
from statsmodels.stats.sandwich_covariance import cov_hac
from statsmodels.tsa.stattools import acf

from hean.quant import performance
from hean.quant.sharpe import (
    autocorrelations,
    deflated_sharpe,
    expected_maximum,
    expected_maximum_sharpe,
    hac_sharpe_error,
    lo_factor,
    min_track_record,
    probabilistic_sharpe,
    sharpe_error,
)


def repeating(count: int, rho: float, *, seed: int = 1, mean: float = 0.05):
    """Returns of which each repeats a part of the one before."""
    shocks = np.random.default_rng(seed).standard_normal(count)
    values = np.empty(count)
    values[0] = shocks[0]
    for n in range(1, count):
        values[n] = rho * values[n - 1] + math.sqrt(1 - rho**2) * shocks[n]
    return values + mean


def test_the_error_is_what_repeated_sampling_shows():
    samples = np.random.default_rng(2).exponential(size=(4000, 200)) - 0.8
    ratios = samples.mean(axis=1) / samples.std(axis=1, ddof=1)
    error = sharpe_error(0.2, 200, skew=2.0, kurt=9.0)
    assert error == pytest.approx(ratios.std(), rel=0.05)


def test_track_record_and_probability_say_the_same():
    needed = min_track_record(0.1, skew=-1.0, kurt=6.0, benchmark=0.02, probability=0.9)
    assert needed is not None
    chance = probabilistic_sharpe(0.1, round(needed), skew=-1.0, kurt=6.0, benchmark=0.02)
    assert chance == pytest.approx(0.9, abs=1e-3)
    assert min_track_record(0.02, benchmark=0.02) is None


def test_the_expected_maximum_of_draws():
    for trials in (5, 50, 500):
        highest = np.random.default_rng(trials).standard_normal((4000, trials)).max(axis=1)
        assert expected_maximum(trials) == pytest.approx(highest.mean(), rel=0.03)
    assert expected_maximum(1) == 0.0
    assert expected_maximum_sharpe(0.25, 50) == pytest.approx(expected_maximum(50) / 2)


def test_more_trials_deflate_and_one_does_not():
    of = [deflated_sharpe(0.1, 500, variance=0.002, trials=n) for n in (1, 2, 10, 1000)]
    assert of[0] == probabilistic_sharpe(0.1, 500)
    assert of == sorted(of, reverse=True)


def test_independent_returns_scale_with_the_root():
    assert lo_factor(np.array([1.0, -1, 1, 1, -1, -1] * 50), 1) == 1.0
    values = np.random.default_rng(3).standard_normal(50_000)
    assert lo_factor(values, 12) == pytest.approx(math.sqrt(12), rel=0.03)


def test_returns_that_repeat_scale_with_less():
    """An autoregression has correlations rho^k, for which the factor is known."""
    q, rho = 12, 0.5
    known = q + 2 * sum((q - k) * rho**k for k in range(1, q))
    assert lo_factor(repeating(50_000, rho), q) == pytest.approx(q / math.sqrt(known), rel=0.03)


def test_autocorrelations_are_those_of_statsmodels():
    values = repeating(400, 0.4)
    assert autocorrelations(values, 9) == pytest.approx(acf(values, nlags=9)[1:], abs=1e-12)
    assert (autocorrelations(np.ones(9), 3) == 0).all()


def test_the_hac_error_follows_statsmodels():
    """The ratio's influence function has the long-run variance of a Newey-West mean."""
    values = repeating(700, 0.3)
    spread = values.std()
    centred = values - values.mean()
    influence = centred / spread - values.mean() / spread / 2 * ((centred / spread) ** 2 - 1)
    fit = sm.OLS(influence, np.ones(700)).fit()
    known = math.sqrt(cov_hac(fit, nlags=6, use_correction=False)[0, 0])
    assert hac_sharpe_error(values, lags=6) == pytest.approx(known, rel=1e-9)
    plain = sharpe_error(
        performance.sharpe(values, periods=1),
        700,
        skew=performance.skewness(values),
        kurt=performance.kurtosis(values),
    )
    assert hac_sharpe_error(values, lags=0) == pytest.approx(plain, rel=0.01)
    assert hac_sharpe_error(values) > plain
    assert hac_sharpe_error(np.ones(9)) is None


def test_on_noise_the_probability_is_uniform():
    """Over 500 records without skill, whatever the shape of their returns."""
    draw = np.random.default_rng(12)
    for records in (draw.standard_normal((500, 250)), draw.exponential(size=(500, 250)) - 1):
        found = [
            probabilistic_sharpe(
                performance.sharpe(record, periods=1),
                250,
                skew=performance.skewness(record),
                kurt=performance.kurtosis(record),
            )
            for record in records
        ]
        assert kstest(found, "uniform").pvalue > 0.001
