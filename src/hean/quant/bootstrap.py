# SPDX-License-Identifier: Apache-2.0
"""`bootstrap.py`: chance drawn from the data itself, in blocks, because neighbours in time depend
on each other. Draws come from a counter-based generator, so that a seed names them for ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from hean.quant.performance import Values

CHUNK = 2**20  # places drawn at once, which bounds the memory

Places = npt.NDArray[np.int64]


def generator(seed: int, stream: int = 0) -> np.random.Generator:
    """Philox4x64-10 with the key (*seed*, *stream*), counted from zero. *Source*: Salmon 2011."""
    key = np.array([seed, stream], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=0))


def stationary_bootstrap(
    count: int, draws: int, *, block: float, draw: np.random.Generator
) -> Iterator[Places]:
    """Resampled orders of *count* observations, in pieces of a few rows: *draws* rows in all.

    Blocks begin anywhere, wrap around, and have a geometric length with mean *block* >= 1.
    *Source*: Politis, Romano 1994.
    """
    rows = max(1, CHUNK // count)
    steps = np.arange(count)
    for done in range(0, draws, rows):
        size = (min(rows, draws - done), count)
        begins = draw.random(size) < 1.0 / block
        begins[:, 0] = True
        first = draw.integers(0, count, size)
        since = np.maximum.accumulate(np.where(begins, steps, 0), axis=1)
        yield (np.take_along_axis(first, since, axis=1) + steps - since) % count


def bootstrap_means(
    values: Values, draws: int, *, block: float, draw: np.random.Generator
) -> Values:
    """Means of the columns of *values* (observations x series) in each resample: draws x series."""
    count = values.shape[0]
    means = []
    for places in stationary_bootstrap(count, draws, block=block, draw=draw):
        offset = np.arange(len(places))[:, np.newaxis] * count
        weights = np.bincount((places + offset).ravel(), minlength=len(places) * count)
        means.append(weights.reshape(-1, count) @ values / count)
    return np.concatenate(means) if means else np.empty((0, values.shape[1]))


def optimal_block(values: Values) -> float:
    """Mean block length of the stationary bootstrap that suits the memory of one series.

    Below 1 where observations seem independent: draw with blocks of 1 then. *Source*: Politis,
    White 2004, with the correction of Patton, Politis, White 2009; flat-top kernel,
    K = max(5, log10 n).
    """
    count = values.size
    centred = values - values.mean()
    if count < 8 or not float(centred @ centred):
        return 1.0
    longest = math.ceil(min(3 * math.sqrt(count), count / 3))
    calm = max(5, int(math.log10(count)))
    lags = min(math.ceil(math.sqrt(count)) + calm, count - 2)
    covariance = np.array(
        [float(centred[lag:] @ centred[: count - lag]) for lag in range(lags + 1)]
    )
    width = 2 * max(_last_significant(centred, covariance, calm), 1)
    covariance /= count
    width = min(width, lags)
    lag = np.arange(1, width + 1)
    kernel = np.where(lag / width <= 0.5, 1.0, 2 * (1 - lag / width))
    slope = 2.0 * float((kernel * lag) @ covariance[1 : width + 1])
    spectrum = float(covariance[0]) + 2.0 * float(kernel @ covariance[1 : width + 1])
    if not spectrum:
        return float(longest)
    length: float = (slope**2 / spectrum**2 * count) ** (1 / 3)
    return min(length, float(longest))


def _last_significant(centred: Values, products: Values, calm: int) -> int:
    """The lag after which *calm* correlations in a row are none; the largest if there is none."""
    count, lags = centred.size, products.size - 1
    squares = np.concatenate(([0.0], np.cumsum(centred**2)))
    lag = np.arange(lags + 1)
    # The first lag + 1 values are left out on one side, the last ones on the other.
    later, earlier = squares[-1] - squares[lag + 1], squares[count - lag - 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        correlations = np.abs(products) / np.sqrt(later * earlier)
    is_calm = correlations < 2 * math.sqrt(math.log10(count) / count)
    for end in range(calm, lags + 1):
        if is_calm[end - calm : end].all():
            return end - calm
    return lags
