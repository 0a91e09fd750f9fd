# SPDX-License-Identifier: Apache-2.0
"""`unit_roots.py`: does a series come back to a level, or does each step stay? Three tests whose
null hypothesis is the random walk (augmented Dickey-Fuller, Phillips-Perron, variance ratio) and
one whose null is the opposite (KPSS). Agreement of both kinds is evidence; one p-value is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hean.errors import DataInvalid, ParameterInvalid
from hean.quant import mackinnon
from hean.quant.checks import Array, count, varying
from hean.quant.regression import Regression, decompose, least_squares, trend_columns

CRITERIA = ("aic", "bic", "t")
ROUNDING = 1e-10  # of the changes: smaller residuals are not information
LAST_LAG_T = 1.6448536269514722  # two-sided 10 %: the last lag must be at least that significant


@dataclass(frozen=True, slots=True)
class UnitRoot:
    """A test: *critical* values at 1, 5 and 10 %; *lags* used, *n* rows of the regression."""

    statistic: float
    p_value: float
    critical: tuple[float, float, float]
    lags: int
    n: int


@dataclass(frozen=True, slots=True)
class VarianceRatio:
    """*ratio* of the variance of q-step changes to q times that of one-step changes; *z* standard
    normal, *p_value* two-sided, where changes are uncorrelated.
    """

    ratio: float
    z: float
    p_value: float


def adf(
    values: ArrayLike,
    *,
    trend: str = "c",
    lags: int | None = None,
    choose: str = "aic",
    lags_max: int | None = None,
) -> UnitRoot:
    """Augmented Dickey-Fuller: t of the level in a regression of changes on the level before,
    *lags* earlier changes and a *trend* ("n", "c", "ct", "ctt"). Low t: no unit root.

    Without *lags*, *choose* picks them from 0 to *lags_max* (default 12 (n/100)^(1/4)) on common
    rows: "aic", "bic", or "t", the longest whose last lag is significant at 10 %.
    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`.
    *Source*: Said and Dickey 1984; lags by Schwert 1989, p-value by MacKinnon 1994.
    """
    levels = varying("adf", values, 4)
    terms = trend_columns(1, _known(trend)).shape[1]
    most = len(levels) // 2 - terms - 1
    if most < 0:
        raise DataInvalid(f"adf: {len(levels)} values are too few for trend {trend!r}.")
    if lags is None:
        bound = min(most, schwert_lags(len(levels)))
        bound = bound if lags_max is None else count("adf lags_max", lags_max, 0, most)
        lags = _chosen_lags(levels, trend, bound, choose)
    changes, columns = _changes(levels, trend, count("adf lags", lags, 0, most))
    statistic = _with_errors("adf", least_squares(changes, columns), changes).t[terms].item()
    return UnitRoot(
        statistic,
        mackinnon.p_value(statistic, trend=trend),
        mackinnon.critical_values(trend=trend, n=len(changes)),
        lags,
        len(changes),
    )


def phillips_perron(values: ArrayLike, *, trend: str = "c", lags: int | None = None) -> UnitRoot:
    """Phillips-Perron Z-tau: the Dickey-Fuller t without lagged changes, corrected for correlated
    errors by their long-run variance over *lags* (default 12 (n/100)^(1/4)).

    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`.
    *Source*: Phillips and Perron 1988.
    """
    levels = varying("phillips_perron", values, 4)
    n = len(levels) - 1
    used = min(n, schwert_lags(len(levels))) if lags is None else count("lags", lags, 0, n)
    columns = np.column_stack([levels[:-1], trend_columns(n, _known(trend))])
    fit = _with_errors("phillips_perron", least_squares(levels[1:], columns), np.diff(levels))
    squared = float(fit.residuals @ fit.residuals)
    variance = squared / n
    error = float(fit.errors[0])
    long_run = long_run_variance(fit.residuals, used)
    scale = math.sqrt(squared / (n - columns.shape[1]))
    t = (float(fit.coefficients[0]) - 1.0) / error
    correction = 0.5 * (long_run - variance) / math.sqrt(long_run) * n * error / scale
    statistic = math.sqrt(variance / long_run) * t - correction
    return UnitRoot(
        statistic,
        mackinnon.p_value(statistic, trend=trend),
        mackinnon.critical_values(trend=trend, n=n),
        used,
        n,
    )


# Critical values at 10, 5, 2.5 and 1 % of Kwiatkowski, Phillips, Schmidt and Shin 1992, table 1.
KPSS_LEVELS = (0.10, 0.05, 0.025, 0.01)
KPSS_CRITICAL = {"c": (0.347, 0.463, 0.574, 0.739), "ct": (0.119, 0.146, 0.176, 0.216)}


def kpss(values: ArrayLike, *, trend: str = "c", lags: int | None = None) -> UnitRoot:
    """KPSS: the null is a series stationary around a level ("c") or a line ("ct"); a HIGH value
    speaks for a unit root. *lags* of the long-run variance: by Hobijn, Franses and Ooms 1998.

    *p_value* is interpolated in the published table, which ends at 1 % and 10 %: 0.01 means at
    most that, 0.1 at least that.
    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`.
    *Source*: Kwiatkowski, Phillips, Schmidt and Shin 1992, eq. 10-13.
    """
    levels = varying("kpss", values, 4)
    n = len(levels)
    if trend not in KPSS_CRITICAL:
        raise ParameterInvalid(f"kpss: trend {trend!r} is none of {', '.join(KPSS_CRITICAL)}.")
    fit = least_squares(levels, trend_columns(n, trend))
    residuals = _with_errors("kpss", fit, levels - levels.mean()).residuals
    used = _hobijn_lags(residuals) if lags is None else count("kpss lags", lags, 0, n - 1)
    sums = residuals.cumsum()
    statistic = float(sums @ sums) / n**2 / long_run_variance(residuals, used)
    table = KPSS_CRITICAL[trend]
    p_value = float(np.interp(statistic, table, KPSS_LEVELS))
    return UnitRoot(statistic, p_value, (table[3], table[1], table[0]), used, n)


def variance_ratio(values: ArrayLike, steps: int) -> VarianceRatio:
    """Variance ratio of *values* (logs of prices) over *steps* >= 2, overlapping, unbiased, z
    robust to changing volatility. Below 1: changes are taken back; above 1: they go on.

    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`.
    *Source*: Lo and MacKinlay 1988; Campbell, Lo and MacKinlay 1997, eq. 2.4.37-44.
    """
    levels = varying("variance_ratio", values, 4)
    n = len(levels) - 1
    q = count("variance_ratio steps", steps, 2, n - 1)
    mean = (levels[-1] - levels[0]) / n
    deviations = np.diff(levels) - mean
    squares = deviations**2
    total = float(squares.sum())
    if total <= 0.0:
        raise DataInvalid("variance_ratio: every change is the same; nothing varies.")
    long = levels[q:] - levels[:-q] - q * mean
    ratio = float(long @ long) / (q * (n - q + 1) * (1.0 - q / n)) / (total / (n - 1))
    spread = sum(
        4.0 * (1.0 - k / q) ** 2 * n * float(squares[k:] @ squares[:-k]) / total**2
        for k in range(1, q)
    )
    z = math.sqrt(n) * (ratio - 1.0) / math.sqrt(spread) if spread > 0.0 else math.nan
    return VarianceRatio(ratio, z, math.erfc(abs(z) / math.sqrt(2.0)))


def long_run_variance(residuals: Array, lags: int) -> float:
    """Variance of a sum per term, autocovariances up to *lags* with falling (Bartlett) weights:
    never negative. *Source*: Newey and West 1987.
    """
    n = len(residuals)
    covariances = [float(residuals[k:] @ residuals[: n - k]) for k in range(lags + 1)]
    weights = [1.0] + [2.0 * (1.0 - k / (lags + 1.0)) for k in range(1, lags + 1)]
    return math.fsum(w * c for w, c in zip(weights, covariances, strict=True)) / n


def schwert_lags(n: int) -> int:
    """Schwert's (1989) number of lags for *n* values: 12 (n/100)^(1/4), rounded up."""
    return math.ceil(12.0 * math.pow(n / 100.0, 0.25))


def _with_errors(name: str, fit: Regression, changes: Array) -> Regression:
    """The fit, if more than rounding is left unexplained: a t of nothing means nothing."""
    if np.linalg.norm(fit.residuals) <= ROUNDING * np.linalg.norm(changes):
        raise DataInvalid(f"{name}: the series follows its trend without error; nothing to test.")
    return fit


def _known(trend: str) -> str:
    if trend not in mackinnon.TRENDS:
        raise ParameterInvalid(f"trend {trend!r} is none of {', '.join(mackinnon.TRENDS)}.")
    return trend


def _changes(levels: Array, trend: str, lags: int) -> tuple[Array, Array]:
    """Changes and what explains them: trend, level before, lagged changes from the nearest on."""
    changes = np.diff(levels)
    rows = len(changes) - lags
    lagged = [changes[lags - k : len(changes) - k] for k in range(1, lags + 1)]
    before = levels[lags:-1]
    return changes[lags:], np.column_stack([trend_columns(rows, trend), before, *lagged])


def _chosen_lags(levels: Array, trend: str, most: int, choose: str) -> int:
    """The best number of lags up to *most*. One decomposition serves all: dropping last columns of
    a regression drops last rows of Q'y.
    """
    if choose not in CRITERIA:
        raise ParameterInvalid(f"lags by {choose!r}: it is none of {', '.join(CRITERIA)}.")
    changes, columns = _changes(levels, trend, most)
    q, _ = decompose(columns)
    projected = q.T @ changes
    n, k = columns.shape
    rest = changes - q @ projected
    sizes = np.arange(k - most, k + 1)
    left = float(rest @ rest) + np.array([(projected[size:] ** 2).sum() for size in sizes])
    if choose == "t":
        t = np.abs(projected[sizes - 1]) / np.sqrt(left / (n - sizes))
        significant = np.flatnonzero(t >= LAST_LAG_T)
        return int(significant[-1]) if significant.size else 0
    penalty = 2.0 if choose == "aic" else math.log(n)
    return int(np.argmin(n * np.log(left / n) + penalty * sizes))


def _hobijn_lags(residuals: Array) -> int:
    n = len(residuals)
    reach = int(n ** (2.0 / 9.0))
    covariances = [2.0 * float(residuals[k:] @ residuals[: n - k]) / n for k in range(1, reach + 1)]
    plain = float(residuals @ residuals) / n + sum(covariances)
    slope = sum(k * covariance for k, covariance in enumerate(covariances, 1)) / plain
    return min(n - 1, int(1.1447 * (slope * slope) ** (1.0 / 3.0) * n ** (1.0 / 3.0)))
