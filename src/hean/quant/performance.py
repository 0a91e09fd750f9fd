# SPDX-License-Identifier: Apache-2.0
"""`performance.py`: what a series of returns or of equity says about itself: growth against risk,
drawdown, tails, moments. What a figure cannot say is `None`: two equal days have no Sharpe ratio.
Nothing here returns NaN, infinity, or a 0 that stands for "unknown". The factor of a year is an
argument; crypto never closes, so a day's default is 365.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

DAYS_PER_YEAR = 365.0
TAIL = 0.05
# Spread below this share of the values' size is rounding of equal values, not risk.
ROUNDING = 1e-12

Values = npt.NDArray[np.float64]


def finite(value: float) -> float | None:
    """*value* as a plain float, None if it is no number that JSON can carry."""
    return float(value) if math.isfinite(value) else None


def _spread(values: Values, ddof: int = 1) -> float | None:
    """Standard deviation; None below two values or when all are equal."""
    if values.size < 2:
        return None
    deviation = float(np.std(values, ddof=ddof))
    return deviation if deviation > ROUNDING * float(np.max(np.abs(values))) else None


def volatility(returns: Values, *, periods: float = DAYS_PER_YEAR) -> float | None:
    """Annualised sample standard deviation; 0 is a result here, for returns that never change."""
    if returns.size < 2:
        return None
    return finite(float(np.std(returns, ddof=1)) * math.sqrt(periods))


def sharpe(
    returns: Values,
    *,
    periods: float = DAYS_PER_YEAR,
    risk_free: float = 0.0,
    ddof: int = 1,
) -> float | None:
    """Mean excess return over its deviation, times the root of *periods*.

    *risk_free*: rate per period. *ddof*: 1 for the sample deviation, 0 for that of a population.
    *Source*: Sharpe 1994; Chan 2008, example 3.4.
    """
    excess = returns - risk_free
    spread = _spread(excess, ddof)
    return None if spread is None else finite(float(excess.mean()) / spread * math.sqrt(periods))


def sortino(
    returns: Values, *, periods: float = DAYS_PER_YEAR, target: float = 0.0
) -> float | None:
    """Mean excess return over the downside deviation, annualised. None without a loss.

    The denominator averages squared shortfalls over ALL observations, not over the losing ones.
    *Source*: Sortino, Price 1994; Rollinger, Hoffman 2013.
    """
    if not returns.size:
        return None
    excess = returns - target
    downside = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)))
    return finite(float(excess.mean()) / downside * math.sqrt(periods)) if downside else None


def omega(returns: Values, *, threshold: float = 0.0) -> float | None:
    """Gains above *threshold* over losses below it. None without a loss. *Source*: Keating 2002."""
    losses = float(np.maximum(threshold - returns, 0.0).sum())
    return finite(float(np.maximum(returns - threshold, 0.0).sum()) / losses) if losses else None


def underwater(equity: Values) -> Values:
    """Fraction lost since the highest equity so far, one value >= 0 per sample."""
    peaks = np.maximum.accumulate(equity)
    return np.divide(peaks - equity, peaks, out=np.zeros(equity.size), where=peaks > 0)


def max_drawdown(equity: Values) -> float | None:
    """Largest fraction lost from a peak; above 1 if equity fell below zero."""
    return float(underwater(equity).max()) if equity.size else None


def longest_underwater(equity: Values) -> int:
    """Largest number of samples in a row that lie below an earlier one. *Source*: Chan 2008."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], underwater(equity) > 0, [0]))))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


def skewness(returns: Values) -> float | None:
    """Third standardised moment, population form; 0 for a symmetric distribution."""
    return _moment(returns, 3)


def kurtosis(returns: Values) -> float | None:
    """Fourth standardised moment, population form, raw: 3 for the normal distribution."""
    return _moment(returns, 4)


def _moment(values: Values, order: int) -> float | None:
    if _spread(values) is None:
        return None
    centred = values - values.mean()
    return finite(float(np.mean(centred**order)) / float(np.mean(centred**2)) ** (order / 2))


def value_at_risk(returns: Values, *, tail: float = TAIL) -> float | None:
    """Loss (positive) that a period exceeds with probability *tail*, from the sample itself."""
    return -float(np.quantile(returns, tail)) if returns.size else None


def conditional_value_at_risk(returns: Values, *, tail: float = TAIL) -> float | None:
    """Mean loss (positive) of the periods at least as bad as the value at risk."""
    if not returns.size:
        return None
    return -float(returns[returns <= np.quantile(returns, tail)].mean())


def tail_ratio(returns: Values, *, tail: float = TAIL) -> float | None:
    """Size of the best *tail* quantile over that of the worst one."""
    if not returns.size:
        return None
    worst, best = np.abs(np.quantile(returns, (tail, 1 - tail))).tolist()
    return finite(best / worst) if worst else None
