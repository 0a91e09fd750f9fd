# SPDX-License-Identifier: Apache-2.0
"""Fitted variances: found again in generated data, nowhere beaten by other points, and slow enough
for the holding time that was named.
"""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.statespace.structural import UnobservedComponents

from hean.errors import DataInvalid, ParameterInvalid
from hean.filters import KalmanHedge
from hean.quant.bands import band_backtest, band_units
from hean.quant.state_space import HedgeFit, fit_hedge, fit_local_level, steady_gain


def level(rows: int, irregular: float, step: float, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, step**0.5, rows))
    return walk + random.normal(0, irregular**0.5, rows)


def pair(rows: int, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A hedge ratio that walks, between logarithms of prices."""
    random = np.random.default_rng(seed)
    x = 11 + np.cumsum(random.normal(0, 1e-2, rows))
    beta = 1 + np.cumsum(random.normal(0, 3e-3, rows))
    return beta * (x - 11) + 0.2 + random.normal(0, 1e-3, rows), x


@pytest.mark.parametrize("missing", [0, 100])
def test_level_variances_are_those_of_statsmodels(missing: int) -> None:
    y = level(600, 2.0, 0.3)
    y[200 : 200 + missing] = np.nan
    fit = fit_local_level(y)
    peer = UnobservedComponents(y, "llevel", use_exact_diffuse=True)
    theirs = peer.fit(disp=False, method="powell", maxiter=500, ftol=1e-12, xtol=1e-9)
    assert fit.log_likelihood >= theirs.llf + 0.5 * np.log(2 * np.pi) - 1e-6
    assert (fit.irregular, fit.level) == pytest.approx(tuple(theirs.params), rel=2e-3)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e6])
def test_level_variances_scale_with_the_unit(scale: float) -> None:
    fit, scaled = (fit_local_level(level(300, 2.0, 0.3) * unit) for unit in (1.0, scale))
    assert scaled.level == pytest.approx(fit.level * scale**2, rel=1e-4)
    assert scaled.irregular == pytest.approx(fit.irregular * scale**2, rel=1e-4)


def test_a_level_that_stands_still_has_no_steps() -> None:
    fit = fit_local_level(np.random.default_rng(0).normal(0, 1, 400))
    assert fit.level < 1e-3 and fit.irregular == pytest.approx(1.0, rel=0.2)


def likelihood(fit: HedgeFit, y: np.ndarray, x: np.ndarray, factors: tuple[float, ...]) -> float:
    noises = [
        a * b for a, b in zip((fit.q_beta, fit.q_alpha, fit.observation), factors, strict=True)
    ]
    model = KalmanHedge(*noises, window=min(500, len(y) // 5), gate=None)
    model.batch(y, x)
    return model.log_likelihood


def test_hedge_noises_are_found_again_and_beaten_by_no_neighbour() -> None:
    y, x = pair(2_000)
    fit = fit_hedge(y, x)
    assert fit.q_beta == pytest.approx(9e-6, rel=0.3)
    assert fit.observation == pytest.approx(1e-6, rel=0.2)
    assert fit.rows == 1_600
    assert likelihood(fit, y, x, (1, 1, 1)) == pytest.approx(fit.log_likelihood)
    for factors in [(1.3, 1, 1), (0.7, 1, 1), (1, 1, 1.1), (1, 1, 0.9), (1, 5, 1), (1, 0.1, 1)]:
        assert likelihood(fit, y, x, factors) < fit.log_likelihood
    model = KalmanHedge(fit.q_beta, fit.q_alpha, fit.observation)
    model.batch(y, x)
    assert model.is_healthy


def test_a_holding_time_keeps_the_filter_slow() -> None:
    y, x = pair(600)
    free, slow = fit_hedge(y, x), fit_hedge(y, x, holding_bars=50)
    assert free.memory_bars < 500 <= slow.memory_bars * (1 + 1e-9)
    assert slow.log_likelihood <= free.log_likelihood
    gain = steady_gain(slow.q_alpha / slow.observation)
    assert gain <= 1 / 500 * (1 + 1e-9)


def test_a_fit_is_the_same_again() -> None:
    y, x = pair(400)
    assert fit_hedge(y, x) == fit_hedge(y.copy(), x.copy())


def test_what_cannot_be_fitted_is_refused() -> None:
    y, x = pair(100)
    for bad in (
        lambda: fit_hedge(y[:10], x[:10]),
        lambda: fit_hedge(y, x[:50]),
        lambda: fit_hedge(y, np.ones(100)),
        lambda: fit_hedge(np.ones(100), x),
        lambda: fit_local_level(np.ones(100)),
        lambda: fit_local_level(np.full(100, np.nan)),
    ):
        with pytest.raises(DataInvalid):
            bad()
    with pytest.raises(ParameterInvalid):
        fit_hedge(y, x, holding_bars=0.05)


def test_units_follow_the_band() -> None:
    innovation = np.array([0.0, -2, -0.5, np.nan, -0.1, 0.1, 0.5, 3, 1, -0.1, -0.5, -2, 2])
    units = band_units(innovation, np.ones(13))
    assert units.tolist() == [0, 1, 1, 1, 1, 0, 0, -1, -1, 0, 0, 1, -1]


def test_the_backtest_earns_what_the_prices_did() -> None:
    y, x = np.array([10.0, 11, 11, 12]), np.array([5.0, 5, 6, 6])
    beta, innovation = np.full(4, 2.0), np.array([-2.0, -1, 1, 0])
    result = band_backtest((y, x), beta, innovation=innovation, band=np.ones(4), per_year=252)
    assert result.units.tolist() == [1, 1, 0, 0]
    expected = [1 / 20, -2.0 / 21]
    assert np.isnan(result.returns[[0, 3]]).all()
    assert result.returns[1:3] == pytest.approx(expected)
    assert result.growth_per_year == pytest.approx((1.05 * (1 - 2 / 21)) ** 63 - 1)
    with pytest.raises(DataInvalid):
        band_backtest((y, x[:2]), beta, innovation=innovation, band=beta, per_year=252)
