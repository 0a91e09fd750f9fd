# SPDX-License-Identifier: Apache-2.0
"""`overfitting.py`: was the best of many chosen for skill or for luck? CSCV asks how often the best
of one half of the record is below the middle in the other half (probability of backtest
overfitting). The reality check of White and the SPA test of Hansen ask whether the best of many
beats a benchmark by more than the best of many useless ones would.

All of them need every trial, the discarded ones most of all.
"""

from __future__ import annotations

import math
from itertools import combinations

import msgspec
import numpy as np

from hean.errors import ParameterInvalid
from hean.quant.bootstrap import bootstrap_means, generator, optimal_block
from hean.quant.performance import ROUNDING, Values

METRICS = ("sharpe", "mean")
BLOCKS_MAX = 20  # C(20, 10) is 184,756 choices; more tell nothing new
DRAWS = 10_000


class Overfitting(msgspec.Struct, frozen=True):
    """What CSCV found, one value for each choice of half the blocks, in lexicographic order.

    *logits*: of the rank that the best in sample has out of sample. *inside*, *outside*: its
    metric. *slope*, *intercept*: of outside over inside, `None` if inside never varies.
    """

    logits: Values
    inside: Values
    outside: Values
    slope: float | None
    intercept: float | None

    @property
    def probability(self) -> float:
        """Share of choices in which the best in sample is no better than the middle outside."""
        return float(np.mean(self.logits <= 0))

    @property
    def loss_probability(self) -> float:
        """Share of choices in which the best in sample loses outside."""
        return float(np.mean(self.outside < 0))


def backtest_overfitting(
    returns: Values, *, blocks: int = 16, metric: str = "sharpe"
) -> Overfitting:
    """Combinatorially symmetric cross-validation over all trials.

    *returns*: periods x trials, one period in common per row. *blocks*: even; where periods do not
    divide, the oldest are left out. *metric*: `sharpe` (mean over sample deviation, 0 without
    deviation) or `mean`. Rank ascending with ties averaged, omega = rank / (trials + 1).
    *Raises*: `ParameterInvalid`. *Source*: Bailey, Borwein, Lopez de Prado, Zhu 2017.
    """
    count, trials = returns.shape
    if blocks % 2 or not 2 <= blocks <= min(BLOCKS_MAX, count // 2):
        raise ParameterInvalid(
            f"{blocks} blocks of {count} periods; allowed: an even number from 2 to {BLOCKS_MAX} "
            "with two periods in each."
        )
    if trials < 2 or metric not in METRICS or not np.isfinite(returns).all():
        raise ParameterInvalid(
            f"overfitting needs two trials of finite returns and a metric of {', '.join(METRICS)}."
        )
    size = count // blocks
    parts = returns[count - size * blocks :].reshape(blocks, size, trials)
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen = np.zeros((len(halves), blocks))
    np.put_along_axis(chosen, halves, 1.0, axis=1)
    periods = size * blocks // 2
    inside = _metrics(chosen, parts, periods, metric=metric)
    outside = _metrics(1.0 - chosen, parts, periods, metric=metric)
    best = inside.argmax(axis=1)[:, np.newaxis]
    won, kept = (np.take_along_axis(each, best, axis=1) for each in (inside, outside))
    below, same = (outside < kept).sum(axis=1), (outside == kept).sum(axis=1)
    omega = (below + (same + 1) / 2) / (trials + 1)
    slope, intercept = _line(won[:, 0], kept[:, 0])
    return Overfitting(np.log(omega / (1 - omega)), won[:, 0], kept[:, 0], slope, intercept)


def _metrics(chosen: Values, parts: Values, periods: int, *, metric: str) -> Values:
    """The metric of each trial over each choice of blocks: choices x trials."""
    middle = parts.mean(axis=(0, 1))  # taken out first, so that squares do not cancel
    centred = parts - middle
    mean = chosen @ centred.sum(axis=1) / periods
    if metric == "mean":
        return np.asarray(mean + middle)
    squares = chosen @ (centred**2).sum(axis=1)
    deviation = np.sqrt(np.maximum(squares - periods * mean**2, 0.0) / (periods - 1))
    is_risky = deviation > ROUNDING * np.abs(parts).max(axis=(0, 1))
    risky: Values = np.divide(mean + middle, deviation, out=np.zeros_like(mean), where=is_risky)
    return risky


def _line(x: Values, y: Values) -> tuple[float | None, float | None]:
    """Slope and intercept of least squares."""
    centred = x - x.mean()
    power = float(centred @ centred)
    if not power:
        return None, None
    slope = float(centred @ (y - y.mean())) / power
    return slope, float(y.mean()) - slope * float(x.mean())


class Superiority(msgspec.Struct, frozen=True):
    """Does the best model beat its benchmark? *best*: its column. *statistic*: root of periods
    times its mean differential, studentised by its deviation if asked. *lower*, *consistent*,
    *upper*: p-values; upper without studentising is White's reality check. *block*: mean length
    that was drawn with.
    """

    best: int
    mean: float
    statistic: float
    lower: float
    consistent: float
    upper: float
    block: float


def superior_predictive_ability(
    differentials: Values,
    *,
    is_studentised: bool = True,
    block: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Superiority:
    """Hansen's test of superior predictive ability, and White's reality check within it.

    *differentials*: periods x models, return of the model less that of its benchmark. *block*: mean
    length of the stationary bootstrap, by default the one that suits the best model. A model that
    never differs from its benchmark cannot beat it and counts with statistic 0. *Raises*:
    `ParameterInvalid`. *Source*: White 2000; Hansen 2005; deviation by the kernel that the
    stationary bootstrap implies (Politis, Romano 1994).
    """
    count, models = differentials.shape
    if count < 3 or not models or not np.isfinite(differentials).all():
        raise ParameterInvalid("the test needs three periods of finite differentials.")
    mean, spread = differentials.mean(axis=0), differentials.std(axis=0)
    differs = spread > ROUNDING * np.abs(differentials).max(axis=0)
    if block is None:
        clearest = np.divide(mean, spread, out=np.zeros(models), where=differs).argmax()
        block = optimal_block(differentials[:, clearest])
    length = max(block, 1.0)
    variance = long_run_variance(differentials, length)
    scale = np.sqrt(np.where(differs & (variance > 0), variance, np.inf))
    unit = scale if is_studentised else np.ones(models)
    observed = mean / unit
    hopeless = mean < -np.sqrt(np.maximum(variance, 0.0) / count * 2 * math.log(math.log(count)))
    resampled = bootstrap_means(differentials, draws, block=length, draw=generator(seed, models))
    lower, consistent, upper = (
        float(np.mean(((resampled - centre) / unit).max(axis=1) > observed.max()))
        if differs.any()
        else 1.0
        for centre in (np.maximum(mean, 0.0), np.where(hopeless, 0.0, mean), mean)
    )
    best = int(observed.argmax())
    statistic = math.sqrt(count) * float(observed.max())
    return Superiority(best, float(mean[best]), statistic, lower, consistent, upper, length)


def long_run_variance(values: Values, block: float) -> Values:
    """Variance of the root of periods times the mean of each column, as resampling with blocks of
    mean length *block* sees it. *Source*: Politis, Romano 1994, lemma 1; Hansen 2005, appendix.
    """
    count = values.shape[0]
    centred = values - values.mean(axis=0)
    # All autocovariances at once, padded so that the ends do not meet.
    length = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(centred, length, axis=0)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, length, axis=0)[:count] / count
    lag, stay = np.arange(1, count), 1.0 - 1.0 / block
    kernel = (1 - lag / count) * stay**lag + lag / count * stay ** (count - lag)
    return np.asarray(covariance[0] + 2.0 * (kernel @ covariance[1:]))
