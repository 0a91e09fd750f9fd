# SPDX-License-Identifier: Apache-2.0
"""`cointegration.py`: do prices that wander stay together? Engle and Granger ask one regression,
Johansen the whole system. Correlated returns do not answer the question: prices of correlated
returns may part for good.

The regression of y on x and that of x on y give different answers. Which leg explains is decided
by `regressor_of`, never by the better p-value: trying both doubles the false finds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hean.errors import DataInvalid, NumberOutOfRange, ParameterInvalid
from hean.quant import mackinnon
from hean.quant.checks import Array, count, series, table, varying
from hean.quant.regression import decompose, least_squares, trend_columns
from hean.quant.unit_roots import adf

ROUNDING = 1e-10  # of y's variation: a smaller spread is what rounding left of one series


@dataclass(frozen=True, slots=True)
class EngleGranger:
    """*slopes* (k,) of the regressors and *trend* coefficients ("c": the intercept alone) of the
    first stage; *statistic*, *p_value*, *critical* (1, 5, 10 %) and *lags* of the second;
    *residuals* (n,): the spread.
    """

    slopes: Array
    trend: Array
    statistic: float
    p_value: float
    critical: tuple[float, float, float]
    lags: int
    residuals: Array

    @property
    def intercept(self) -> float:
        """Constant of the first stage, 0 without one."""
        return float(self.trend[0]) if self.trend.size else 0.0


@dataclass(frozen=True, slots=True)
class Johansen:
    """Eigenvalues, largest first, and *vectors* in the same order as columns (k, k); *trace*[r]
    tests "at most r cointegrating vectors", *max_eigen*[r] "r against r + 1". Rows of the
    critical values: 90, 95, 99 %.
    """

    eigenvalues: Array
    vectors: Array
    trace: Array
    max_eigen: Array
    trace_critical: Array
    max_eigen_critical: Array

    def vector(self, index: int = 0) -> Array:
        """A cointegrating vector with first component 1, shape (k,)."""
        normalised: Array = self.vectors[:, index] / self.vectors[0, index]
        return normalised

    def rank(self, level: float = 0.95) -> int:
        """Number of cointegrating vectors by the trace at 0.9, 0.95 or 0.99: the first hypothesis
        that is not rejected. *Raises*: `ParameterInvalid`.
        """
        if level not in JOHANSEN_LEVELS:
            raise ParameterInvalid(f"johansen: level {level} is none of {JOHANSEN_LEVELS}.")
        kept = self.trace <= self.trace_critical[:, JOHANSEN_LEVELS.index(level)]
        return int(np.argmax(kept)) if kept.any() else len(kept)


def regressor_of(first: ArrayLike, second: ArrayLike) -> int:
    """Which of two price series explains the other, 0 or 1: the one of smaller variance, so that
    the slope is not flattened by its noise. A tie goes to the second. *Raises*: `DataInvalid`,
    `NumberNotFinite`.
    """
    a, b = varying("first leg", first), varying("second leg", second)
    return 0 if a.var() < b.var() else 1


def engle_granger(
    y: ArrayLike,
    x: ArrayLike,
    *,
    trend: str = "c",
    lags: int | None = None,
    choose: str = "aic",
    lags_max: int | None = None,
) -> EngleGranger:
    """Regress *y* (n,) on *x* (n,) or (n, k) and *trend*; test the residuals for a unit root by
    Dickey-Fuller without constant. P-value and critical values are those of residuals, not of the
    plain test, whose table would find too much.

    *lags*, *choose*, *lags_max*: as in `unit_roots.adf`.
    *Raises*: `DataInvalid` (also for series that are one, written twice), `NumberNotFinite`,
    `ParameterInvalid`. *Source*: Engle and Granger 1987; MacKinnon 1994, 2010.
    """
    dependent = varying("y", y, 8)
    regressors = table("x", x, 8)
    n, k = regressors.shape
    if len(dependent) != n:
        raise DataInvalid(f"cointegration: y has {len(dependent)} rows, x {n}.")
    mackinnon.p_value(0.0, trend=trend, variables=k + 1)  # refuse before any work
    fit = least_squares(dependent, np.column_stack([regressors, trend_columns(n, trend)]))
    spread = fit.residuals
    if np.linalg.norm(spread) <= ROUNDING * np.linalg.norm(dependent - dependent.mean()):
        raise DataInvalid("cointegration: y is x with other units; there is nothing to test.")
    second = adf(spread, trend="n", lags=lags, choose=choose, lags_max=lags_max)
    return EngleGranger(
        fit.coefficients[:k],
        fit.coefficients[k:],
        second.statistic,
        mackinnon.p_value(second.statistic, trend=trend, variables=k + 1),
        mackinnon.critical_values(trend=trend, variables=k + 1, n=n - 1),
        second.lags,
        spread,
    )


def johansen(levels: ArrayLike, *, trend_order: int = 0, lags: int = 1) -> Johansen:
    """Johansen's test of k series, *levels* (n, k), k up to 12, with *lags* lagged changes.

    *trend_order*: -1 no deterministic part, 0 a constant, 1 a line. Vectors v have v'Sv = 1 by
    the covariance S of the levels left after the lags, and a positive first component.
    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`. *Source*: Johansen 1991;
    critical values: MacKinnon, Haug and Michelis 1999.
    """
    if trend_order not in TRACE_CRITICAL:
        raise ParameterInvalid(f"johansen: trend order {trend_order} is none of -1, 0, 1.")
    found = table("levels", levels, 4)
    n, k = found.shape
    count("johansen series", k, 1, CRITICAL_SERIES_MAX)
    lags = count("johansen lags", lags, 0, n)
    rows = n - 1 - lags
    if rows <= k * (lags + 1) + 1:
        raise DataInvalid(f"johansen: {n} rows are too few for {k} series and {lags} lags.")
    inner = min(trend_order, 0)  # of changes: a line in the levels is a constant there
    found = _without_trend(found, trend_order)
    changes = np.diff(found, axis=0)
    lagged = np.hstack(
        [changes[lags - j : n - 1 - j] for j in range(1, lags + 1)] or [changes[:, :0]]
    )
    lagged = _without_trend(lagged[:rows], inner)
    step = _unexplained(_without_trend(changes[lags:], inner), lagged)
    level = _unexplained(_without_trend(found[1 : rows + 1], inner), lagged)
    q_step, _ = decompose(step)
    q_level, r_level = decompose(level)
    # Squared canonical correlations of changes and levels: the eigenvalues of the problem.
    _, correlations, turned = np.linalg.svd(q_step.T @ q_level)
    eigenvalues = correlations**2
    vectors = np.linalg.solve(r_level, turned.T) * np.sqrt(rows)
    vectors *= np.where(vectors[0] < 0.0, -1.0, 1.0)
    max_eigen = -rows * np.log1p(-eigenvalues)
    return Johansen(
        eigenvalues,
        vectors,
        np.cumsum(max_eigen[::-1])[::-1],
        max_eigen,
        TRACE_CRITICAL[trend_order][k - 1 :: -1],
        MAX_EIGEN_CRITICAL[trend_order][k - 1 :: -1],
    )


def return_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Correlation of the simple returns of two price series. It says nothing about cointegration.

    *Raises*: `DataInvalid`, `NumberNotFinite`, `NumberOutOfRange` for prices not above zero.
    """
    a, b = series("first leg", first, 3), series("second leg", second, 3)
    if len(a) != len(b):
        raise DataInvalid(f"cointegration: legs of {len(a)} and {len(b)} rows.")
    if min(a.min(), b.min()) <= 0.0:
        raise NumberOutOfRange("cointegration: a price not above zero has no return.")
    a_returns = varying("returns of the first leg", np.diff(a) / a[:-1])
    b_returns = varying("returns of the second leg", np.diff(b) / b[:-1])
    return float(np.corrcoef(a_returns, b_returns)[0, 1])


def _without_trend(columns: Array, order: int) -> Array:
    if order < 0 or columns.shape[1] == 0:
        return columns
    return _unexplained(columns, trend_columns(len(columns), "c" if order == 0 else "ct"))


def _unexplained(columns: Array, by: Array) -> Array:
    if by.shape[1] == 0:
        return columns
    q, _ = decompose(by)
    left: Array = columns - q @ (q.T @ columns)
    return left


def _rows(text: str) -> Array:
    return np.array(text.split(), dtype=np.float64).reshape(-1, 3)


JOHANSEN_LEVELS = (0.90, 0.95, 0.99)
CRITICAL_SERIES_MAX = 12

# Critical values at those levels by trend order, rows by k minus rank, 1 to 12.
TRACE_CRITICAL = {
    -1: _rows(
        """
        2.9762 4.1296 6.9406
        10.4741 12.3212 16.364
        21.7781 24.2761 29.5147
        37.0339 40.1749 46.5716
        56.2839 60.0627 67.6367
        79.5329 83.9383 92.7136
        106.7351 111.7797 121.7375
        137.9954 143.6691 154.7977
        173.2292 179.5199 191.8122
        212.4721 219.4051 232.8291
        255.6732 263.2603 277.9962
        302.9054 311.1288 326.9716
        """
    ),
    0: _rows(
        """
        2.7055 3.8415 6.6349
        13.4294 15.4943 19.9349
        27.0669 29.7961 35.4628
        44.4929 47.8545 54.6815
        65.8202 69.8189 77.8202
        91.109 95.7542 104.9637
        120.3673 125.6185 135.9825
        153.6341 159.529 171.0905
        190.8714 197.3772 210.0366
        232.103 239.2468 253.2526
        277.374 285.1402 300.2821
        326.5354 334.9795 351.215
        """
    ),
    1: _rows(
        """
        2.7055 3.8415 6.6349
        16.1619 18.3985 23.1485
        32.0645 35.0116 41.0815
        51.6492 55.2459 62.5202
        75.1027 79.3422 87.7748
        102.4674 107.3429 116.9829
        133.7852 139.278 150.0778
        169.0618 175.1584 187.1891
        208.3582 215.1268 228.2226
        251.6293 259.0267 273.3838
        298.8836 306.8988 322.4264
        350.1125 358.719 375.3203
        """
    ),
}
MAX_EIGEN_CRITICAL = {
    -1: _rows(
        """
        2.9762 4.1296 6.9406
        9.4748 11.2246 15.0923
        15.7175 17.7961 22.2519
        21.837 24.1592 29.0609
        27.916 30.4428 35.7359
        33.9271 36.6301 42.2333
        39.9085 42.7679 48.6606
        45.893 48.8795 55.0335
        51.8528 54.9629 61.3449
        57.7954 61.0404 67.6415
        63.7248 67.0756 73.8856
        69.6513 73.0946 80.0937
        """
    ),
    0: _rows(
        """
        2.7055 3.8415 6.6349
        12.2971 14.2639 18.52
        18.8928 21.1314 25.865
        25.1236 27.5858 32.7172
        31.2379 33.8777 39.3693
        37.2786 40.0763 45.8662
        43.2947 46.2299 52.3069
        49.2855 52.3622 58.6634
        55.2412 58.4332 64.996
        61.2041 64.504 71.2525
        67.1307 70.5392 77.4877
        73.0563 76.5734 83.7105
        """
    ),
    1: _rows(
        """
        2.7055 3.8415 6.6349
        15.0006 17.1481 21.7465
        21.8731 24.2522 29.2631
        28.2398 30.8151 36.193
        34.4202 37.1646 42.8612
        40.5244 43.4183 49.4095
        46.5583 49.5875 55.8171
        52.5858 55.7302 62.1741
        58.5316 61.8051 68.503
        64.5292 67.904 74.7434
        70.463 73.9355 81.0678
        76.4081 79.9878 87.2395
        """
    ),
}
