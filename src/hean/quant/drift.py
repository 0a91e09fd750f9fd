# SPDX-License-Identifier: Apache-2.0
"""`drift.py`: whether a model still sees the market it was trained on. The population stability
index compares where features fall among the deciles of training; a CUSUM of standardised losses
tells when predictions became worse than they were out of sample. How long such a chart runs until
an alarm, with and without a cause, is told by `cusum_run_length`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np

from hean.errors import NumberNotFinite, ParameterInvalid

Array = np.ndarray[Any, np.dtype[np.float64]]

DECILES = 10
EMPTY_SHARE = 1e-4  # stands for a bin nothing fell into, where the logarithm has no answer
OVERSHOOT = 1.166  # twice the mean excess over a far limit, 0.583 deviations on either side


def deciles(values: Array) -> tuple[float, ...]:
    """The nine values between the tenths of a sample; fewer where many values are equal."""
    inner = np.quantile(values, np.arange(1, DECILES) / DECILES)
    return tuple(sorted({float(value) for value in inner}))


def psi(expected: Sequence[float], observed: Sequence[float]) -> float:
    """Population stability index of counts or shares by bin: `sum (o - e) ln(o / e)`. Below 0.1
    nothing moved; above 0.25 the population is another one.
    """
    if len(expected) != len(observed) or not sum(expected) or not sum(observed):
        raise ParameterInvalid("psi: two samples over the same bins are due, none of them empty.")
    total = 0.0
    for before, now in zip(expected, observed, strict=True):
        first = max(before / sum(expected), EMPTY_SHARE)
        second = max(now / sum(observed), EMPTY_SHARE)
        total += (second - first) * math.log(second / first)
    return total


class Bins:
    """Counts how often a value fell between which edges. *edges*: ascending."""

    __slots__ = ("_edges", "counts")

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = tuple(edges)
        self.counts = [0] * (len(self._edges) + 1)

    def add(self, value: float) -> None:
        """Count one value; one that equals an edge lies above it."""
        self.counts[bisect_right(self._edges, value)] += 1

    def clear(self) -> None:
        """Begin a new sample."""
        self.counts = [0] * len(self.counts)


class LossCusum:
    """One-sided CUSUM: `C = max(0, C + (loss - mean) / deviation - slack)`, alarm above *limit*.

    With slack 0.25 and limit 10 a false alarm comes after about 2,000 losses, and a loss that is
    one deviation worse is noticed after 14.
    """

    __slots__ = ("_deviation", "_limit", "_mean", "_slack", "value")

    def __init__(
        self, mean: float, deviation: float, *, slack: float = 0.25, limit: float = 10.0
    ) -> None:
        if not (deviation > 0 and limit > 0 and slack >= 0 and math.isfinite(mean + deviation)):
            raise ParameterInvalid(
                f"CUSUM: mean {mean}, deviation {deviation}, slack {slack}, limit {limit}; "
                "deviation and limit above 0 are due."
            )
        self._mean, self._deviation = mean, deviation
        self._slack, self._limit = slack, limit
        self.value = 0.0

    def update(self, loss: float) -> bool:
        """Take one loss. *Returns*: whether this is an alarm. *Raises*: `NumberNotFinite`."""
        if not math.isfinite(loss):
            raise NumberNotFinite(f"CUSUM: loss {loss}; the state is unchanged.")
        step = (loss - self._mean) / self._deviation - self._slack
        self.value = max(0.0, self.value + step)
        return self.value > self._limit


def cusum_path(scores: Array) -> Array:
    """Where a CUSUM stands after each of *scores*, shape (n,), from which slack is already off."""
    sums = np.cumsum(scores)
    return sums - np.minimum(np.minimum.accumulate(sums), 0.0)


def cusum_run_length(slack: float, limit: float, shift: float = 0.0) -> float:
    """Mean number of scores until a one-sided CUSUM of standard normal scores, moved by *shift*,
    passes *limit*. Within 5 % of simulations. *Source*: Siegmund 1985, corrected for overshoot.
    """
    drift, width = shift - slack, limit + OVERSHOOT
    if abs(drift) * width < 1e-4:
        return width**2
    rise = -2.0 * drift * width
    return (math.exp(rise) - rise - 1.0) / (2.0 * drift**2)


def cusum_limit(slack: float, run_length: float) -> float:
    """The limit at which false alarms come *run_length* scores apart on average."""
    if not (slack > 0 and run_length > 1):
        raise ParameterInvalid(
            f"CUSUM: slack {slack}, run length {run_length}; above 0 and above 1 are due."
        )
    low, high = 0.0, 1.0
    while cusum_run_length(slack, high) < run_length:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = (low + high) / 2.0
        is_short = cusum_run_length(slack, middle) < run_length
        low, high = (middle, high) if is_short else (low, middle)
    return high


def log_loss(probability: float, outcome: int) -> float:
    """Surprise of an outcome, 0 or 1, in nats; the probability lies between 0 and 1."""
    return -math.log(probability if outcome else 1.0 - probability)
