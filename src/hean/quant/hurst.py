# SPDX-License-Identifier: Apache-2.0
"""`hurst.py`: Hurst exponents of a series of INCREMENTS (returns, not prices: a summed series adds
1 to what DFA finds). About 0.5: no memory; above: moves go on; below: they are taken back. All of
them are biased in short samples, so they describe and decide nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hean.errors import DataInvalid
from hean.quant.checks import Array, count, varying

HALVING_LEAST = 8  # values of the shortest part when a series is halved again and again
EXACT_GAMMA_MAX = 340  # longer windows: the limit of the ratio of gamma functions, which overflow
DROPPED_FRACTION = 0.01  # of a series that may be left out so that its length has more divisors


@dataclass(frozen=True, slots=True)
class HurstVariants:
    """The same series by five estimators: *simple* (one R/S), *halved* (R/S of halves of halves),
    *empirical* (R/S over divisors of the length), *corrected* (less the R/S of noise by Anis,
    Lloyd and Peters), *theoretical* (of that noise alone: what 0.5 looks like at this length).
    """

    simple: float
    halved: float
    empirical: float
    corrected: float
    theoretical: float


def rescaled_range(values: ArrayLike, windows: Sequence[int]) -> float:
    """Hurst exponent by R/S: slope of log mean(R/S) on log window over *windows* (two or more).
    Blocks do not overlap, a remainder at the end is dropped, deviations are population ones, no
    small-sample correction. A block that never moves has no R/S and counts as absent.

    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`. *Source*: Hurst 1951.
    """
    increments = varying("rescaled_range", values, 4)
    sizes = _windows("rescaled_range", windows, 2, len(increments))
    return _slope(sizes, [_mean_range(_blocks(increments, size), ddof=0) for size in sizes])


def hurst_variants(values: ArrayLike, shortest: int = 50) -> HurstVariants:
    """Five exponents at once; windows are the divisors from *shortest* up of the length, or of a
    length at most one percent shorter that has more of them (at least two).

    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`.
    *Source*: Weron 2002; `hurstexp` of R's pracma, whose answers these are.
    """
    increments = varying("hurst_variants", values, 16)
    if len(increments) % 2:
        increments = np.append(increments, increments[-2:].mean())
    n = len(increments)
    shortest = count("hurst_variants shortest", shortest, 2, n // 2)
    first = min(math.floor((1.0 - DROPPED_FRACTION) * n), n - 1)
    length = max(range(first, n + 1), key=lambda size: len(_divisors(size, shortest)))
    sizes = _divisors(length, shortest)
    if len(sizes) < 2:
        raise DataInvalid(
            f"hurst_variants: {n} values have fewer than two windows from {shortest} up."
        )
    increments = increments[:length]
    found = np.array([_mean_range(_blocks(increments, size), ddof=1) for size in sizes])
    noise = np.array([_range_of_noise(size) for size in sizes])
    whole = _mean_range(increments[None, :], ddof=1)
    return HurstVariants(
        simple=math.log(whole) / math.log(length),
        halved=_halved(increments),
        empirical=_slope(sizes, found),
        corrected=_slope(sizes, found - noise + np.sqrt(0.5 * np.pi * np.array(sizes))),
        theoretical=_slope(sizes, noise),
    )


def dfa(
    values: ArrayLike, windows: Sequence[int], *, order: int = 1, is_overlapping: bool = False
) -> float:
    """Detrended fluctuation analysis: slope of log fluctuation on log window. The demeaned
    increments are summed here; the fluctuation is the root mean square, over all blocks, around a
    polynomial of *order* in each. Overlapping blocks start every half window.

    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`. *Source*: Peng et al. 1994.
    """
    increments = varying("dfa", values, 4)
    order = count("dfa order", order, 0)
    sizes = _windows("dfa", windows, order + 2, len(increments) - is_overlapping)
    walk = np.cumsum(increments - increments.mean())
    fluctuations = []
    for size in sizes:
        if is_overlapping:
            starts = range(0, len(walk) - size, size // 2)
            blocks = np.stack([walk[start : start + size] for start in starts])
        else:
            blocks = _blocks(walk, size)
        # Powers of a centred time in -1..1 keep the digits that powers of 1..size lose.
        powers = np.linspace(-1.0, 1.0, size)[:, None] ** np.arange(order + 1)
        q, _ = np.linalg.qr(powers)
        left = blocks - (blocks @ q) @ q.T
        fluctuations.append(math.sqrt((left**2).mean()))
    return _slope(sizes, fluctuations)


def _windows(name: str, windows: Sequence[int], least: int, most: int) -> list[int]:
    sizes = [count(f"{name} window", size, least, most) for size in windows]
    if len(set(sizes)) < 2:
        raise DataInvalid(f"{name}: windows {sizes}; a slope needs two sizes.")
    return sizes


def _slope(sizes: Sequence[float], found: ArrayLike) -> float:
    """Least-squares slope of log *found* on log *sizes*; nan where one of them has no logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(np.asarray(found, dtype=np.float64))
    x = np.log(np.asarray(sizes, dtype=np.float64))
    x -= x.mean()
    return float(x @ (y - y.mean()) / (x @ x)) if np.isfinite(y).all() else math.nan


def _blocks(values: Array, size: int) -> Array:
    return values[: len(values) // size * size].reshape(-1, size)


def _mean_range(blocks: Array, *, ddof: int) -> float:
    """Mean over rows of the range of the sums of deviations by their standard deviation."""
    sums = (blocks - blocks.mean(axis=1, keepdims=True)).cumsum(axis=1)
    ranges = sums.max(axis=1) - sums.min(axis=1)
    deviations = blocks.std(axis=1, ddof=ddof)
    moves = deviations > 0.0
    return float((ranges[moves] / deviations[moves]).mean()) if moves.any() else math.nan


def _halved(increments: Array) -> float:
    """R/S of the whole, its halves, their halves, down to parts of eight values or so."""
    sizes, found = [float(len(increments))], [_mean_range(increments[None, :], ddof=1)]
    edges = [0, len(increments) // 2, len(increments)]
    while min(np.diff(edges)) >= HALVING_LEAST:
        parts = [increments[a:b] for a, b in itertools.pairwise(edges)]
        sizes.append(len(increments) / len(parts))
        ranges = [_mean_range(part[None, :], ddof=1) for part in parts]
        found.append(float(np.nanmean(ranges)))
        middles = [a + (b - a + 1) // 2 for a, b in itertools.pairwise(edges)]
        edges = sorted(edges + middles)
    return _slope(sizes, found)


def _range_of_noise(n: int) -> float:
    """Expected R/S of *n* independent normals. *Source*: Anis and Lloyd 1976; Peters 1994."""
    i = np.arange(1, n)
    total = (n - 0.5) / n * float(np.sqrt((n - i) / i).sum())
    if n > EXACT_GAMMA_MAX:
        return total / math.sqrt(0.5 * math.pi * n)
    return total * math.exp(math.lgamma(0.5 * (n - 1)) - math.lgamma(0.5 * n)) / math.sqrt(math.pi)


def _divisors(n: int, least: int) -> list[int]:
    return [size for size in range(least, n // 2 + 1) if n % size == 0]
