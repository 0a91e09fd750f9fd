# SPDX-License-Identifier: Apache-2.0
"""`allocation.py`: how capital is divided between strategies or assets. Static rules give weights
from a covariance; three functions then scale and quieten them; the bandit spends the small share
that is kept for finding out. Weights sum to 1 unless said otherwise. Order of rows and columns is
the caller's; nothing here knows a name. Portfolios that learn: `online.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hean import _core
from hean.errors import DataInvalid, ParameterInvalid
from hean.quant.checks import Array

SCALE_MAX = 1.5  # methods 10.2: a calm forecast may raise exposure by half, not more
BAND_FRACTION = 0.1  # methods 10.2: trade a weight only if it moves by more than a tenth of itself
NEWTON_STEPS_MAX = 100  # quadratic near the optimum; 20 are usual
CONVERGED = 1e-12  # of the Newton decrement, below which only rounding stops the descent
STREAM_THOMPSON = 5  # number of the stream in quant/methods 17.7: init, select, cross, mutate, eval


def equal(count: int) -> Array:
    """The same for everyone."""
    if count < 1:
        raise ParameterInvalid(f"weights of {count}; at least one.")
    return np.full(count, 1.0 / count)


def inverse_volatility(covariance: npt.ArrayLike) -> Array:
    """`w_i ~ 1 / s_i`: equal risk if nothing were correlated."""
    inverse = 1.0 / np.sqrt(np.diag(_covariance(covariance)))
    return np.asarray(inverse / inverse.sum())


def equal_risk_contribution(
    covariance: npt.ArrayLike, budgets: npt.ArrayLike | None = None
) -> Array:
    """Long-only weights of which each brings its share of the risk: `w_i (C w)_i ~ b_i`.

    *budgets*: shares of risk, positive; equal ones by default. The minimum of
    `w' C w / 2 - sum b_i ln w_i`, which is unique, by Newton's method with halved steps.
    *Source*: Maillard, Roncalli, Teiletche 2010; Spinu 2013. *Raises*: `DataInvalid` for a
    covariance that is not positive definite.
    """
    matrix = _covariance(covariance)
    count = len(matrix)
    shares = np.full(count, 1.0) if budgets is None else np.asarray(budgets, dtype=np.float64)
    if shares.shape != (count,) or not (shares > 0.0).all():
        raise DataInvalid(f"{count} positive budgets are due; got {shares}.")
    shares = shares / shares.sum()
    deviations = np.sqrt(np.diag(matrix))
    # In units of each one's own risk the problem has one scale, whatever the series were.
    correlation = matrix / np.outer(deviations, deviations)
    try:
        np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError as error:
        raise DataInvalid("the covariance is not positive definite; shrink it.") from error
    weights = _barrier_minimum(correlation, shares) / deviations
    return np.asarray(weights / weights.sum())


def risk_contributions(weights: npt.ArrayLike, covariance: npt.ArrayLike) -> Array:
    """Share of the portfolio's variance that each weight brings; they sum to 1."""
    given, matrix = np.asarray(weights, dtype=np.float64), _covariance(covariance)
    parts = given * (matrix @ given)
    return np.asarray(parts / parts.sum())


def volatility(weights: npt.ArrayLike, covariance: npt.ArrayLike) -> float:
    """Standard deviation of the portfolio, per period of the covariance."""
    given, matrix = np.asarray(weights, dtype=np.float64), _covariance(covariance)
    return math.sqrt(float(given @ matrix @ given))


def volatility_scale(target: float, forecast: float, *, scale_max: float = SCALE_MAX) -> float:
    """What exposure is multiplied by to have the *target* volatility: `target / forecast`, at most
    *scale_max*, without a floor. Nothing while the forecast is not known (0 or nan).
    """
    if not target >= 0.0 or not scale_max > 0.0:
        raise ParameterInvalid(f"target {target}, scale_max {scale_max}; neither is negative.")
    return min(target / forecast, scale_max) if forecast > 0.0 else 0.0


def drawdown_scale(drawdown: float, drawdown_max: float) -> float:
    """What exposure is multiplied by after a loss: `max(0, 1 - DD / DD_max)`, no cliff. Both are
    fractions of the highest equity.
    """
    if not drawdown_max > 0.0:
        raise ParameterInvalid(f"drawdown_max {drawdown_max}; must be above 0.")
    return min(1.0, max(0.0, 1.0 - drawdown / drawdown_max))


def rebalanced(
    held: npt.ArrayLike, wished: npt.ArrayLike, *, band_fraction: float = BAND_FRACTION
) -> Array:
    """Weights to go to: the wished one where it is further from what is *held* than *band_fraction*
    of the wished one, and what is held elsewhere. The sum is left as it comes out.
    """
    now, then = np.asarray(held, dtype=np.float64), np.asarray(wished, dtype=np.float64)
    if now.shape != then.shape or not band_fraction >= 0.0:
        raise DataInvalid(f"{now.shape} held, {then.shape} wished, band {band_fraction}.")
    return np.where(np.abs(then - now) > band_fraction * np.abs(then), then, now)


def thompson(
    means: Sequence[float], deviations: Sequence[float], *, seed: int, round_number: int
) -> int:
    """Which arm to try: one draw from the belief `N(mean, deviation^2)` about each, the highest
    wins. The draw of an arm depends on seed, round and its place alone, so that adding an arm
    changes no draw of the others and a round can be repeated.
    *Source*: Thompson 1933; the generator as in quant/methods 17.7.
    """
    from scipy.special import ndtri  # reason: loaded where a quantile is asked for

    if not means or len(means) != len(deviations):
        raise DataInvalid(f"{len(means)} means, {len(deviations)} deviations; one of each an arm.")
    if not all(deviation >= 0.0 for deviation in deviations):
        raise DataInvalid(f"deviations {list(deviations)}; none may be negative.")
    drawn = [
        mean + deviation * float(ndtri(_uniform(seed, round_number, arm)))
        for arm, (mean, deviation) in enumerate(zip(means, deviations, strict=True))
    ]
    return int(np.argmax(drawn))


def _uniform(seed: int, round_number: int, arm: int) -> float:
    """In (0, 1): the first number of the Philox block `(round, arm, 0, 0)`."""
    if not 0 <= seed < 2**64 or not 0 <= round_number < 2**64:
        raise ParameterInvalid(f"seed {seed}, round {round_number}; 0 to 2^64 - 1.")
    word = _core.philox([seed, STREAM_THOMPSON], [round_number, arm, 0, 0])[0]
    return ((word >> 11) + 0.5) / 2**53


def _covariance(values: npt.ArrayLike) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
        raise DataInvalid(f"a covariance of shape {found.shape}; it is square.")
    if not np.isfinite(found).all() or not (np.diag(found) > 0.0).all():
        raise DataInvalid("a covariance has finite numbers, and variances above 0.")
    if not np.allclose(found, found.T, rtol=1e-9, atol=0.0):
        raise DataInvalid("a covariance is symmetric; this one is not.")
    return found


def _barrier_minimum(matrix: Array, shares: Array) -> Array:
    """Minimum of `x' A x / 2 - sum b ln x` over x > 0. Convex; the step is halved until the value
    falls, and the last steps are whole.
    """

    def value(at: Array) -> float:
        return float(at @ matrix @ at / 2.0 - shares @ np.log(at))

    at: Array = np.sqrt(shares)
    decrease = math.inf
    for _ in range(NEWTON_STEPS_MAX):
        slope = matrix @ at - shares / at
        step = np.linalg.solve(matrix + np.diag(shares / at**2), -slope)
        before, decrease = decrease, -float(slope @ step)
        if decrease < CONVERGED and not decrease < before / 4.0:
            return at  # rounding is all that is left
        length = 1.0
        while (at + length * step).min() <= 0.0 or (
            value(at + length * step) > value(at) - 0.25 * length * decrease + 1e-15
        ):
            length /= 2.0
        at = at + length * step
    raise DataInvalid("equal risk was not reached; the covariance is close to singular.")
