# SPDX-License-Identifier: Apache-2.0
"""`mean_reversion.py`: how fast a spread comes back, and at what distance trading it pays most.
The spread is an Ornstein-Uhlenbeck process dX = theta (mean - X) dt + sigma dW, seen every `dt`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hean.errors import NumberOutOfRange
from hean.quant.checks import positive, varying
from hean.quant.regression import least_squares

EXPONENT_MAX = 700.0  # e to more than that is no float64


@dataclass(frozen=True, slots=True)
class Ar1:
    """x_t = constant + phi x_{t-1} + e, by least squares over *n* steps; *variance* of e is the
    mean square.
    """

    phi: float
    constant: float
    variance: float
    n: int

    def corrected(self) -> Ar1:
        """Without the small-sample bias of phi, which is about -(1 + 3 phi) / n: an uncorrected
        phi makes reversion look faster than it is. The mean is kept; phi may reach 1 and more.
        *Source*: Kendall 1954; Marriott and Pope 1954.
        """
        phi = self.phi + (1.0 + 3.0 * self.phi) / self.n
        level = self.constant / (1.0 - self.phi) if self.phi != 1.0 else math.nan
        return Ar1(phi, level * (1.0 - phi), self.variance, self.n)


@dataclass(frozen=True, slots=True)
class OrnsteinUhlenbeck:
    """Speed *theta* per unit of time, *mean*, and *sigma* per square root of time."""

    theta: float
    mean: float
    sigma: float

    @property
    def half_life(self) -> float:
        """Time until half of a deviation is expected to be gone."""
        return math.log(2.0) / self.theta

    @property
    def deviation(self) -> float:
        """Standard deviation of the stationary process."""
        return self.sigma / math.sqrt(2.0 * self.theta)


@dataclass(frozen=True, slots=True)
class Band:
    """The optimal symmetric band: sell at mean + *width*, buy at mean - *width*.

    *profit_rate*: expected profit per unit of time after cost; *cycle*: expected time of one trade
    down and up again (inf beyond float64); *deviations*: width in stationary deviations.
    """

    width: float
    profit_rate: float
    cycle: float
    deviations: float


def ar1(values: ArrayLike) -> Ar1:
    """Fit of a first-order autoregression. *Raises*: `DataInvalid`, `NumberNotFinite`."""
    levels = varying("ar1", values, 4)
    before = levels[:-1]
    fit = least_squares(levels[1:], np.column_stack([before, np.ones(len(before))]))
    variance = float(fit.residuals @ fit.residuals) / len(before)
    return Ar1(float(fit.coefficients[0]), float(fit.coefficients[1]), variance, len(before))


def half_life_exact(phi: float) -> float:
    """Half-life in steps of an autoregression: ln 2 / -ln phi; inf for phi >= 1, nan for phi <= 0,
    which does not decay but swings.
    """
    if not phi < 1.0:
        return math.inf if phi >= 1.0 else math.nan
    return math.log(2.0) / -math.log(phi) if phi > 0.0 else math.nan


def half_life_linear(values: ArrayLike) -> float:
    """Half-life in steps by the slope of changes on the level before (with constant): -ln 2 /
    slope; inf where nothing comes back. Near `half_life_exact` for slow reversion, too short for
    fast. *Raises*: `DataInvalid`, `NumberNotFinite`. *Source*: Chan 2013, ch. 2.
    """
    slope = ar1(values).phi - 1.0
    return -math.log(2.0) / slope if slope < 0.0 else math.inf


def ornstein_uhlenbeck(fit: Ar1, dt: float = 1.0) -> OrnsteinUhlenbeck:
    """The process whose samples every *dt* are *fit* (which may be `fit.corrected()`).

    *Raises*: `NumberOutOfRange` where phi is not between 0 and 1: no such process.
    """
    positive("dt", dt)
    if not 0.0 < fit.phi < 1.0:
        raise NumberOutOfRange(
            f"ornstein_uhlenbeck: phi {fit.phi:g}; only between 0 and 1 a series comes back "
            "without swinging."
        )
    theta = -math.log(fit.phi) / dt
    sigma = math.sqrt(fit.variance * 2.0 * theta / (1.0 - fit.phi**2))
    return OrnsteinUhlenbeck(theta, fit.constant / (1.0 - fit.phi), sigma)


def cycle_time(theta: float, sigma: float, entry: float, leave: float) -> float:
    """Expected time from *entry* up to *leave* and back to *entry*, both as distances from the
    mean, of a process watched without pause; watched every dt it is longer by order sqrt(dt).

    pi/theta (erfi(leave sqrt(theta)/sigma) - erfi(entry sqrt(theta)/sigma)), inf where that is no
    float64. *Raises*: `NumberOutOfRange` unless entry < leave. *Source*: Bertram 2010, eq. 9.
    """
    scale = math.sqrt(positive("theta", theta)) / positive("sigma", sigma)
    low, high = entry * scale, leave * scale
    if not (low < high and math.isfinite(high - low)):
        raise NumberOutOfRange(f"cycle_time: entry {entry} is not below {leave}, both finite.")
    # erfi(x) = 2/sqrt(pi) e^(x^2) D(x) with Dawson's D, which stays small where erfi overflows.
    outer = max(low * low, high * high)
    scaled = sum(
        sign * _dawson(x) * math.exp(x * x - outer) for sign, x in ((1.0, high), (-1.0, low))
    )
    logarithm = outer + math.log(scaled * 2.0 * math.sqrt(math.pi) / theta)
    return math.exp(logarithm) if logarithm < EXPONENT_MAX else math.inf


def optimal_band(theta: float, sigma: float, cost: float) -> Band:
    """The symmetric band around the mean with the highest expected profit per time,
    (2 a - cost) / E[T(a)]. *cost*: full round trip of all legs, above zero (at no cost the best
    band has no width). *Raises*: `NumberOutOfRange`. *Source*: Bertram 2010.

    With x = a sqrt(theta)/sigma the optimum solves x - D(x) = cost sqrt(theta) / (2 sigma), D
    Dawson's function. The left side rises, so there is one solution and nothing overflows.
    """
    from scipy.optimize import brentq  # lazily: scipy would double a command's start

    unit = positive("sigma", sigma) / math.sqrt(positive("theta", theta))
    target = positive("cost", cost) / (2.0 * unit)
    x = float(brentq(_band_excess, target, target + 1.0, args=(target,), xtol=1e-15, rtol=1e-15))
    width = x * unit
    # In the optimum 2 a - cost = 2 unit D(x), so D cancels against erfi and cannot vanish.
    rate = 0.5 * unit * theta / math.sqrt(math.pi) * math.exp(-x * x)
    return Band(width, rate, cycle_time(theta, sigma, -width, width), x * math.sqrt(2.0))


def _band_excess(x: float, target: float) -> float:
    return x - _dawson(x) - target


def _dawson(x: float) -> float:
    from scipy.special import dawsn  # lazily: scipy would double a command's start

    return float(dawsn(x))
