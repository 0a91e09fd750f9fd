# SPDX-License-Identifier: Apache-2.0
"""`sharpe.py`: how far a Sharpe ratio can be trusted. A ratio estimated from a short, skewed or
autocorrelated record has an error; the best of many records has an error that flatters.

Ratios are per period, never annualised; kurtosis is raw, 3 for the normal distribution.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from hean.quant.performance import Values, finite

CONFIDENCE = 0.95
EULER = 0.5772156649015329  # the Euler-Mascheroni constant
NORMAL = NormalDist()


def sharpe_error(
    ratio: float, periods: int, *, skew: float = 0.0, kurt: float = 3.0
) -> float | None:
    """Standard error of a Sharpe ratio per period, estimated from *periods* returns.

    *kurt*: raw. *Source*: Mertens 2002; Bailey, Lopez de Prado 2012, eq. 9.
    """
    variance = _variance(ratio, skew=skew, kurt=kurt)
    return math.sqrt(variance / (periods - 1)) if periods > 1 and variance > 0 else None


def probabilistic_sharpe(
    ratio: float, periods: int, *, skew: float = 0.0, kurt: float = 3.0, benchmark: float = 0.0
) -> float | None:
    """Probability that the true Sharpe ratio per period is above *benchmark*.

    For one strategy tried once; choosing the best of many makes it too high.
    *Source*: Bailey, Lopez de Prado 2012, eq. 11.
    """
    error = sharpe_error(ratio, periods, skew=skew, kurt=kurt)
    return None if error is None else NORMAL.cdf((ratio - benchmark) / error)


def min_track_record(
    ratio: float,
    *,
    skew: float = 0.0,
    kurt: float = 3.0,
    benchmark: float = 0.0,
    probability: float = CONFIDENCE,
) -> float | None:
    """Periods needed to claim, with *probability*, a Sharpe ratio above *benchmark*.

    None if the ratio is not above it: no length of record is enough.
    *Source*: Bailey, Lopez de Prado 2012, eq. 13.
    """
    if ratio <= benchmark:
        return None
    z = NORMAL.inv_cdf(probability)
    variance = _variance(ratio, skew=skew, kurt=kurt)
    return finite(1.0 + variance * (z / (ratio - benchmark)) ** 2)


def _variance(ratio: float, *, skew: float, kurt: float) -> float:
    """Of a Sharpe ratio, times the number of periods."""
    return 1.0 - skew * ratio + (kurt - 1.0) / 4.0 * ratio**2


def autocorrelations(values: Values, lags: int) -> Values:
    """Autocorrelations at lags 1 to *lags*; zeros for a series without spread."""
    centred = values - values.mean()
    power = float(centred @ centred)
    if not power:
        return np.zeros(lags)
    return np.array(
        [
            float(centred[lag:] @ centred[:-lag]) / power if lag < centred.size else 0.0
            for lag in range(1, lags + 1)
        ]
    )


def lo_factor(returns: Values, periods: int) -> float | None:
    """What a Sharpe ratio per period is multiplied with to make one over *periods* periods; the
    root of *periods* if returns are independent, less if they repeat. *Source*: Lo 2002, eq. 20.
    """
    lags = periods - 1
    weights = periods - np.arange(1, lags + 1)
    growth = periods + 2.0 * float(weights @ autocorrelations(returns, lags))
    return periods / math.sqrt(growth) if growth > 0 else None


def hac_sharpe_error(returns: Values, *, lags: int | None = None) -> float | None:
    """Standard error of the Sharpe ratio per period of *returns* that may depend on their past.

    *lags*: of the Bartlett kernel, by default `floor(4 (n / 100)^(2/9))`. None without spread.
    *Source*: Lo 2002, section "GMM"; Newey, West 1987; influence function of mean / deviation.
    """
    count = returns.size
    spread = float(np.std(returns)) if count > 1 else 0.0
    if not spread:
        return None
    width = math.floor(4 * (count / 100) ** (2 / 9)) if lags is None else lags
    centred = returns - returns.mean()
    ratio = float(returns.mean()) / spread
    influence = centred / spread - ratio / 2 * ((centred / spread) ** 2 - 1)
    variance = float(influence @ influence) / count
    for lag in range(1, min(width, count - 1) + 1):
        weight = 1 - lag / (width + 1)
        variance += 2 * weight * float(influence[lag:] @ influence[:-lag]) / count
    return math.sqrt(variance / count) if variance > 0 else None


def expected_maximum(trials: float) -> float:
    """Expected largest of *trials* independent standard normal draws; 0 for one or less: nothing
    was chosen. *Source*: Bailey, Lopez de Prado 2014, eq. 1.
    """
    if trials <= 1:
        return 0.0
    usual, late = NORMAL.inv_cdf(1 - 1 / trials), NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return max((1 - EULER) * usual + EULER * late, 0.0)


def expected_maximum_sharpe(variance: float, trials: float) -> float:
    """The Sharpe ratio that the best of *trials* without skill is expected to show.

    *variance*: of the Sharpe ratios across trials, in the unit of the result. *trials*: independent
    ones. *Source*: Bailey, Lopez de Prado 2014, eq. 1.
    """
    return math.sqrt(variance) * expected_maximum(trials)


def deflated_sharpe(
    ratio: float,
    periods: int,
    *,
    variance: float,
    trials: float,
    skew: float = 0.0,
    kurt: float = 3.0,
) -> float | None:
    """Probability that the true Sharpe ratio per period of the best of *trials* is above what the
    best of as many without skill would show.

    *variance*: of the ratios per period across trials.
    *Source*: Bailey, Lopez de Prado 2014, eq. 2.
    """
    luck = expected_maximum_sharpe(variance, trials)
    return probabilistic_sharpe(ratio, periods, skew=skew, kurt=kurt, benchmark=luck)
