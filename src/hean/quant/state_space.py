# SPDX-License-Identifier: Apache-2.0
"""Variances of state-space models by maximum likelihood. The likelihood is that of the filter that
trades (`hean.filters`); it is climbed on logarithms of the variances by L-BFGS from five places,
always the same, because such a likelihood is flat and has more than one hill. Run it on a training
window and again each day; what was fitted on a time must not be judged on that time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from hean.errors import DataInvalid, ParameterInvalid
from hean.filters import KalmanHedge, LocalLevel

Array = np.ndarray[Any, np.dtype[np.float64]]

ROWS_MIN = 20
WINDOW = 500  # rows of least squares that start the hedge filter, a fifth of the data at most
RATIO_MIN = 1e-14  # variance of a step over that of the noise: stands still over 1e6 rows
RATIO_MAX = 1e6  # the noise is next to nothing
RATIO_STARTS = (1e-8, 1e-6, 1e-4, 1e-2, 1.0)
MEMORY_HORIZONS = 10  # the hedge ratio remembers at least so many holding times


class LevelFit(msgspec.Struct, frozen=True):
    """Variances of a local level: of the observation and of the level's steps."""

    irregular: float
    level: float
    log_likelihood: float


class HedgeFit(msgspec.Struct, frozen=True):
    """Variances for `KalmanHedge`, in squares of y's unit (for beta: per square of x's unit).

    *memory_bars*: one over the long-run gain on beta. *rows*: of the likelihood, without those
    that started the filter.
    """

    q_beta: float
    q_alpha: float
    observation: float
    log_likelihood: float
    memory_bars: float
    rows: int


def fit_local_level(y: Array) -> LevelFit:
    """Maximum of the diffuse likelihood of a local level over *y*, nan where missing.

    *Source*: Durbin and Koopman 2012, section 2.10. *Raises*: `DataInvalid` for a series too
    short or without any movement.
    """
    values = _series(y, "y")
    size = _moved(np.diff(values[~np.isnan(values)]), "y")

    def likelihood(point: Array) -> float:
        irregular = math.exp(point[0])
        model = LocalLevel(irregular, irregular * math.exp(point[1]))
        model.batch(values)
        return model.log_likelihood

    starts = [(math.log(size / (2 + ratio)), math.log(ratio)) for ratio in RATIO_STARTS]
    bounds = [_around(size), _ratios(RATIO_MAX)]
    (irregular, ratio), best = _climb(likelihood, starts, bounds)
    variance = math.exp(irregular)
    return LevelFit(variance, variance * math.exp(ratio), best)


def fit_hedge(y: Array, x: Array, *, holding_bars: float | None = None) -> HedgeFit:
    """Maximum-likelihood noises of the dynamic regression of *y* on *x* (both as the filter will
    see them, such as logarithms), nan where missing.

    *holding_bars*: how long a spread is held. Then the filter must remember ten times as long:
    otherwise it follows the price, the innovation shrinks to noise, and everything looks as if it
    reverted to its mean. *Raises*: `DataInvalid`, `ParameterInvalid`.
    """
    ys, xs = _series(y, "y"), _series(x, "x")
    if len(ys) != len(xs):
        raise DataInvalid(f"fit_hedge: {len(ys)} values of y, {len(xs)} of x.")
    complete = ~(np.isnan(ys) | np.isnan(xs))
    if complete.sum() < ROWS_MIN:
        raise DataInvalid(f"fit_hedge: {complete.sum()} complete rows of at least {ROWS_MIN}.")
    spread = float(np.var(xs[complete]))
    size = _moved(ys[complete], "y")
    if not spread > 0:
        raise DataInvalid("fit_hedge: x does not move; there is no slope to find.")
    window = min(WINDOW, int(complete.sum()) // 5)
    out = np.empty((5, len(ys)))

    def filtered(point: Array) -> KalmanHedge:
        observation = math.exp(point[0])
        model = KalmanHedge(
            observation * math.exp(point[1]) / spread,
            observation * math.exp(point[2]),
            observation,
            window=window,
            gate=None,
        )
        model.batch(ys, xs, out=out)
        return model

    top = RATIO_MAX if holding_bars is None else _ratio_of_memory(holding_bars * MEMORY_HORIZONS)
    ratios = [min(ratio, top) for ratio in RATIO_STARTS]
    starts = [(math.log(1e-2 * size), math.log(ratio), math.log(ratio)) for ratio in ratios]
    bounds = [_around(size), _ratios(top), _ratios(top)]
    point, best = _climb(lambda at: filtered(at).log_likelihood, starts, bounds)
    observation, ratio = math.exp(point[0]), math.exp(point[1])
    return HedgeFit(
        q_beta=observation * ratio / spread,
        q_alpha=observation * math.exp(point[2]),
        observation=observation,
        log_likelihood=best,
        memory_bars=1.0 / steady_gain(ratio),
        rows=int(complete.sum()) - window,
    )


def steady_gain(ratio: float) -> float:
    """Long-run weight of a new observation in a random walk whose steps have *ratio* times the
    variance of the observation: P/(P+1) with P² = ratio (P + 1).
    """
    variance = 0.5 * (ratio + math.sqrt(ratio * ratio + 4.0 * ratio))
    return variance / (variance + 1.0)


def _ratio_of_memory(bars: float) -> float:
    """The ratio at which the long-run gain is one over *bars*."""
    if not bars > 1:
        raise ParameterInvalid(f"fit_hedge: a memory of {bars} bars; more than one is due.")
    gain = 1.0 / bars
    return gain * gain / (1.0 - gain)


def _series(values: Array, name: str) -> Array:
    series = np.ascontiguousarray(values, dtype=np.float64)
    if series.ndim != 1 or np.count_nonzero(~np.isnan(series)) < ROWS_MIN:
        raise DataInvalid(f"{name}: at least {ROWS_MIN} values in one column are due.")
    return series


def _moved(values: Array, name: str) -> float:
    """Variance of what moves."""
    size = float(np.var(values))
    if not (size > 0 and math.isfinite(size)):
        raise DataInvalid(f"{name}: does not move, or not finitely; nothing can be fitted.")
    return size


def _around(size: float) -> tuple[float, float]:
    return math.log(size * 1e-12), math.log(size * 1e4)


def _ratios(top: float) -> tuple[float, float]:
    return math.log(min(RATIO_MIN, top)), math.log(top)


def _climb(
    likelihood: Callable[[Array], float],
    starts: Sequence[Sequence[float]],
    bounds: Sequence[tuple[float, float]],
) -> tuple[Array, float]:
    """The highest point that L-BFGS finds from any of the starts."""
    # reason: SciPy's optimisers take a third of a second to load; only a fit needs them.
    from scipy.optimize import minimize

    best: tuple[Array, float] | None = None
    for start in starts:
        inside = np.clip(start, *np.array(bounds).T)
        found = minimize(
            lambda point: -likelihood(point),
            inside,
            jac="3-point",
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 500},
        )
        if math.isfinite(found.fun) and (best is None or -found.fun > best[1]):
            best = (found.x, -float(found.fun))
    if best is None:
        raise DataInvalid("no finite likelihood at any start; look at the data.")
    return best
