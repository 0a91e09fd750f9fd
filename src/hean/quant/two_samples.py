# SPDX-License-Identifier: Apache-2.0
"""`two_samples.py`: whether two samples come from one population: their distribution
(Anderson-Darling), the rate of their events (a conditional binomial), their mean (Welch), or how
they fall into bins.
Each gives a probability, so that many of them can be read together (`multiple_testing`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hean.errors import ParameterInvalid
from hean.quant.checks import Array, series
from hean.quant.drift import psi

LIMIT_DEVIATION = math.sqrt(2.0 * math.pi**2 / 3.0 - 6.0)  # of the limit law, whose mean is 1


class Difference(NamedTuple):
    """How much two samples differ, and how probable as much is if they do not."""

    statistic: float
    p_value: float


def anderson_darling(first: ArrayLike, second: ArrayLike) -> Difference:
    """Whether two samples have one distribution. Equal values of a sample are spread evenly to the
    next value. *statistic*: standardised. The p-value is that of the limit law, within 5 % where it
    matters and down to the smallest, for samples of ten and more.

    *Source*: Scholz and Stephens 1987. *Raises*: `DataInvalid`, `NumberNotFinite`.
    """
    from scipy.stats import anderson_ksamp  # reason: takes a second to load, tests are rare

    one, two = series("first sample", first, 2), series("second sample", second, 2)
    known = np.unique(np.concatenate([one, two]))
    if len(known) == 1:
        return Difference(0.0, 1.0)
    spread = [np.searchsorted(known, each) + _among_equals(each) for each in (one, two)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its table of p-values ends at 0.001 and 0.25
        found = float(anderson_ksamp(spread, variant="midrank").statistic)
    return Difference(found, anderson_darling_chance(1.0 + LIMIT_DEVIATION * found))


def distance(first: ArrayLike, second: ArrayLike) -> float:
    """The largest difference of two samples' distribution functions, 0 to 1: the share of values
    that would have to be elsewhere. *Source*: Smirnov 1939. *Raises*: as `anderson_darling`.
    """
    one, two = (
        np.sort(series("first sample", first, 2)),
        np.sort(series("second sample", second, 2)),
    )
    at = np.concatenate([one, two])
    below = [np.searchsorted(each, at, side="right") / len(each) for each in (one, two)]
    return float(np.abs(below[0] - below[1]).max())


def _among_equals(values: Array) -> Array:
    """Place of each value among those equal to it, within 0 to 1: ties would make the statistic
    larger than its limit law has it.
    """
    order = np.argsort(values, kind="stable")
    _, start, count = np.unique(values[order], return_index=True, return_counts=True)
    place = np.empty(len(values))
    place[order] = (np.arange(len(values)) - np.repeat(start, count) + 0.5) / np.repeat(
        count, count
    )
    return place


def anderson_darling_chance(value: float) -> float:
    """Probability of more than *value* under the limit law of A², the sum of `Z²/(j (j + 1))` over
    j: two terms of its expansion at the first pole. Within 4 % below a probability of 0.1.
    """
    if value <= 0.0:
        return 1.0
    first = math.erfc(math.sqrt(value))
    second = math.exp(-value) / math.sqrt(math.pi * value) - first
    return min(1.0, math.sqrt(3.0) * (first + 11.0 / 18.0 * second))


def rates(
    events: float, time: float, before: float, time_before: float, *, dispersion: float = 1.0
) -> Difference:
    """Whether events come at the rate they came before, two-sided. Given their sum, the *events*
    are binomial with the share of *time*. *dispersion*: variance of counts over their mean, for
    events that come in clusters. *statistic*: ratio of the rates.

    *Source*: Przyborowski and Wilenski 1940. *Raises*: `ParameterInvalid`.
    """
    from scipy.special import betainc  # reason: slow to load, tests are rare

    if min(events, before) < 0 or min(time, time_before) <= 0 or dispersion < 1.0:
        raise ParameterInvalid(
            f"rates: {events} events in {time}, {before} in {time_before}, dispersion "
            f"{dispersion}; counts from 0, times above 0, a dispersion of at least 1 are due."
        )
    ratio = events / time * time_before / before if before else math.inf if events else 1.0
    hits, misses = events / dispersion, before / dispersion
    share = time / (time + time_before)
    below = float(betainc(misses, hits + 1.0, 1.0 - share)) if misses else 1.0
    above = float(betainc(hits, misses + 1.0, share)) if hits else 1.0
    return Difference(ratio, min(1.0, 2.0 * min(below, above)))


Moments = tuple[float, float, float]
"""Mean, deviation and number of independent values of a sample."""


def lower(now: Moments, before: Moments) -> Difference:
    """Whether the mean of a sample is lower than that of another, one-sided; deviations may differ.
    Sizes need not be whole: values that depend on one another count as so many independent ones.
    *statistic*: Student's t.

    *Source*: Welch 1947. *Raises*: `ParameterInvalid`.
    """
    from scipy.special import stdtr  # reason: slow to load, tests are rare

    (mean, deviation, size), (mean_before, deviation_before, size_before) = now, before
    if min(size, size_before) < 2 or not (deviation >= 0.0 and deviation_before > 0.0):
        raise ParameterInvalid(
            f"lower: {size:g} values of deviation {deviation:g}, {size_before:g} before of "
            f"{deviation_before:g}; two of each and a deviation above 0 before are due."
        )
    doubt, doubt_before = deviation**2 / size, deviation_before**2 / size_before
    both = doubt + doubt_before
    freedom = both**2 / (doubt**2 / (size - 1) + doubt_before**2 / (size_before - 1))
    found = (mean - mean_before) / math.sqrt(both)
    return Difference(found, float(stdtr(freedom, found)))


def binned(expected: Sequence[float], observed: Sequence[float]) -> Difference:
    """Whether counts fall into bins as the expected ones do. *statistic*: stability index, which
    times the harmonic size of the samples is chi-square. Counts of values that depend on one
    another are to be given as those of so many independent ones.

    *Source*: Yurdakul 2018. *Raises*: `ParameterInvalid`.
    """
    from scipy.special import chdtrc  # reason: slow to load, tests are rare

    index = psi(expected, observed)
    size = 1.0 / (1.0 / sum(expected) + 1.0 / sum(observed))
    freedom = max(len(expected) - 1, 1)
    return Difference(index, float(chdtrc(freedom, max(index, 0.0) * size)))


def memory(values: Array) -> float:
    """How many successive values say as much as one independent value: one and twice the sum of
    autocorrelations, until pairs of them are not positive any more. *values*: shape (n,).

    *Source*: Geyer 1992.
    """
    size = len(values)
    spectrum = np.fft.rfft(values - values.mean(), 2 * size)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[:size]
    if covariance[0] <= 0.0:
        return 1.0
    rho = covariance / covariance[0]
    pairs = rho[: size // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0.0)
    return max(1.0, float(2.0 * pairs[: ends[0] if ends.size else len(pairs)].sum() - 1.0))
