# SPDX-License-Identifier: Apache-2.0
"""Half-lives, the process behind a spread, and the band in which trading it pays most."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import erfi

from hean.errors import DataInvalid, NumberNotFinite, NumberOutOfRange
from hean.quant.mean_reversion import (
    Ar1,
    ar1,
    cycle_time,
    half_life_exact,
    half_life_linear,
    optimal_band,
    ornstein_uhlenbeck,
)


def paths(phi: float, *, n: int, many: int, seed: int) -> np.ndarray:
    """Stationary autoregressions around 2, shape (many, n)."""
    rng = np.random.default_rng(seed)
    values = np.empty((many, n))
    values[:, 0] = rng.normal(size=many) / math.sqrt(1.0 - phi**2)
    for at in range(1, n):
        values[:, at] = phi * values[:, at - 1] + rng.normal(size=many)
    return 2.0 + values


def test_a_halving_series_has_a_half_life_of_one():
    assert half_life_exact(0.5) == pytest.approx(1.0)
    for phi, expected in ((1.0, math.inf), (1.2, math.inf), (0.0, math.nan), (-0.5, math.nan)):
        assert half_life_exact(phi) == pytest.approx(expected, nan_ok=True)
    halving = 3.0 + 8.0 * 0.5 ** np.arange(12.0)
    fit = ar1(halving)
    assert (fit.phi, fit.constant) == pytest.approx((0.5, 1.5))
    assert half_life_linear(halving) == pytest.approx(math.log(2.0) / 0.5)
    assert half_life_linear(2.0 ** np.arange(12.0)) == math.inf


def test_the_bias_of_phi_is_known_and_taken_out():
    """The mean over many short series: plain phi is too low by about (1 + 3 phi) / n."""
    phi, n = 0.9, 60
    fits = [ar1(path) for path in paths(phi, n=n, many=1500, seed=1)]
    plain = np.mean([fit.phi for fit in fits])
    corrected = np.mean([fit.corrected().phi for fit in fits])
    assert plain == pytest.approx(phi - (1.0 + 3.0 * phi) / n, abs=0.01)
    assert abs(corrected - phi) < 0.25 * abs(plain - phi)
    fit = fits[0]
    mean = fit.constant / (1.0 - fit.phi)
    assert fit.corrected().constant / (1.0 - fit.corrected().phi) == pytest.approx(mean)


def test_a_sampled_process_is_found_again():
    theta, mean, sigma, dt = 3.0, 2.0, 0.5, 0.05
    phi = math.exp(-theta * dt)
    step = sigma * math.sqrt((1.0 - phi**2) / (2.0 * theta))
    sampled = mean + step * (paths(phi, n=40_000, many=1, seed=2)[0] - 2.0)
    found = ornstein_uhlenbeck(ar1(sampled).corrected(), dt)
    assert found.theta == pytest.approx(theta, rel=0.06)
    assert found.mean == pytest.approx(mean, abs=0.01)
    assert found.sigma == pytest.approx(sigma, rel=0.02)
    assert found.deviation == pytest.approx(sampled.std(), rel=0.05)
    assert found.half_life == pytest.approx(math.log(2.0) / found.theta)


@pytest.mark.parametrize("phi", [-0.2, 0.0, 1.0, 1.01, math.nan])
def test_what_does_not_come_back_is_no_such_process(phi):
    with pytest.raises(NumberOutOfRange, match="phi"):
        ornstein_uhlenbeck(Ar1(phi, 0.0, 1.0, 100))


@pytest.mark.parametrize(
    ("theta", "sigma", "cost"),
    [(0.5, 1.0, 0.2), (2.0, 0.5, 0.05), (10.0, 0.02, 0.002), (1e-3, 1e3, 1.0), (5.0, 0.1, 0.6)],
)
def test_no_other_band_earns_more(theta, sigma, cost):
    """Against a bounded search of the profit rate, which knows nothing of Dawson's function."""
    scale = math.sqrt(theta) / sigma

    def loss(width: float) -> float:
        return -(2.0 * width - cost) * theta / (2.0 * math.pi * erfi(width * scale))

    band = optimal_band(theta, sigma, cost)
    bounds = (0.5 * cost, 0.5 * cost + 3.0 / scale)
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-12})
    assert band.width == pytest.approx(best.x, rel=1e-5)
    assert band.profit_rate == pytest.approx(-best.fun, rel=1e-9)
    assert band.cycle == pytest.approx((2.0 * band.width - cost) / band.profit_rate)
    assert band.deviations == pytest.approx(band.width * math.sqrt(2.0 * theta) / sigma)


def test_the_cycle_time_is_the_integral_it_stands_for():
    theta, sigma = 0.7, 1.3
    for entry, leave in ((-0.8, 0.8), (-1.5, 0.2), (0.3, 0.9), (-2.0, -1.0)):
        scale = math.sqrt(theta) / sigma
        integral, _ = quad(lambda x: math.exp(x * x), entry * scale, leave * scale)
        expected = 2.0 * math.sqrt(math.pi) / theta * integral
        assert cycle_time(theta, sigma, entry, leave) == pytest.approx(expected, rel=1e-9)
    assert cycle_time(1.0, 1.0, -20.0, 26.0) < cycle_time(1.0, 1.0, -26.0, 26.0) < math.inf
    assert cycle_time(1.0, 1.0, -40.0, 40.0) == math.inf


def test_a_band_scales_with_its_units_and_knows_extremes():
    band = optimal_band(0.5, 1.0, 0.2)
    tenfold = optimal_band(0.5, 10.0, 2.0)
    assert tenfold.width == pytest.approx(10.0 * band.width)
    assert optimal_band(5.0, math.sqrt(10.0), 0.2).cycle == pytest.approx(band.cycle / 10.0)
    hopeless = optimal_band(1.0, 1.0, 100.0)
    assert hopeless.width > 50.0
    assert (hopeless.profit_rate, hopeless.cycle) == (0.0, math.inf)
    assert optimal_band(1.0, 1.0, 1e-9).profit_rate < 1.0 / (2.0 * math.sqrt(math.pi))


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_bad_numbers_are_refused(bad):
    for arguments in ((bad, 1.0, 1.0), (1.0, bad, 1.0), (1.0, 1.0, bad)):
        with pytest.raises(NumberOutOfRange):
            optimal_band(*arguments)
    with pytest.raises(NumberOutOfRange):
        cycle_time(1.0, 1.0, 1.0, bad)
    with pytest.raises(NumberOutOfRange):
        ornstein_uhlenbeck(Ar1(0.5, 0.0, 1.0, 100), bad)
    with pytest.raises(NumberNotFinite):
        ar1([1.0, 2.0, math.nan, 3.0])
    with pytest.raises(DataInvalid):
        ar1([1.0, 1.0, 1.0, 1.0])
