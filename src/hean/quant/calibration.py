# SPDX-License-Identifier: Apache-2.0
"""`calibration.py`: from a model's score to a probability that keeps its word. Isotonic regression
where there are enough outcomes, Platt's line of the log odds where there are not. The map is a
small table, so that it can be stored, read and checked without a library.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

import msgspec
import numpy as np

from hean.errors import DataInvalid

Array = np.ndarray[Any, np.dtype[np.float64]]

ISOTONIC_WEIGHT_MIN = 1000.0  # fewer outcomes would be learned by heart
PROBABILITY_MIN = 1e-6  # a market is never certain, and a logarithm follows
ITERATIONS_MAX = 100


class Calibration(msgspec.Struct, frozen=True):
    """A monotonic map of raw scores. *kind*: `isotonic`: straight lines between *scores* and
    *probabilities*, level outside; `platt`: `1 / (1 + exp(-(slope * score + shift)))` with
    *scores* empty and *probabilities* `(slope, shift)`.
    """

    kind: str
    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        scores, values = self.scores, self.probabilities
        is_sound = all(map(math.isfinite, (*scores, *values)))
        if self.kind == "platt":
            is_sound = is_sound and not scores and len(values) == 2
        else:
            is_sound = is_sound and self.kind == "isotonic" and 0 < len(scores) == len(values)
            is_sound = is_sound and list(scores) == sorted(scores)
            is_sound = is_sound and list(values) == sorted(values)
        if not is_sound:
            raise DataInvalid(f"calibration {self.kind!r}: no monotonic map.")

    def probability(self, score: float) -> float:
        """The probability of one score."""
        if self.kind == "platt":
            return _bounded(_sigmoid(self.probabilities[0] * score + self.probabilities[1]))
        right = bisect_right(self.scores, score)
        if right == 0:
            return _bounded(self.probabilities[0])
        if right == len(self.scores):
            return _bounded(self.probabilities[-1])
        low, high = self.scores[right - 1], self.scores[right]
        first, second = self.probabilities[right - 1], self.probabilities[right]
        return _bounded(first + (second - first) * (score - low) / (high - low))


def calibrate(scores: Array, outcomes: Array, weights: Array) -> Calibration:
    """Isotonic from 1,000 outcomes on, else Platt. *outcomes*: 0 or 1; *weights*: up to 1, how much
    of an outcome is its own, so that overlapping ones do not count as many.
    """
    if float(np.sum(weights)) >= ISOTONIC_WEIGHT_MIN:
        return fit_isotonic(scores, outcomes, weights)
    return fit_platt(scores, outcomes, weights)


def fit_isotonic(scores: Array, outcomes: Array, weights: Array) -> Calibration:
    """The non-decreasing map of least squares, by pooling neighbours that are out of order (Ayer et
    al. 1955). Rows of equal score count as one. *Raises*: `DataInvalid` without a row.
    """
    _check(scores, outcomes, weights)
    distinct, place = np.unique(scores, return_inverse=True)
    mass = np.bincount(place, weights)
    means = np.bincount(place, weights * outcomes) / mass
    pools: list[list[float]] = []  # [first score, last score, weight, mean outcome]
    for score, weight, outcome in zip(
        distinct.tolist(), mass.tolist(), means.tolist(), strict=True
    ):
        pools.append([score, score, weight, outcome])
        while len(pools) > 1 and pools[-2][3] >= pools[-1][3]:
            _, last, weight, mean = pools.pop()
            pool = pools[-1]
            total = pool[2] + weight
            pool[3] += (mean - pool[3]) * weight / total
            pool[1], pool[2] = last, total
    knots: list[tuple[float, float]] = []
    for first, last, _, mean in pools:
        knots.append((first, mean))
        if last > first:
            knots.append((last, mean))
    return Calibration("isotonic", tuple(x for x, _ in knots), tuple(y for _, y in knots))


def fit_platt(scores: Array, outcomes: Array, weights: Array) -> Calibration:
    """Logistic regression on the score by Newton's method, with Platt's (1999) softened targets,
    which keep a separable sample from an infinite slope.
    """
    _check(scores, outcomes, weights)
    positive = float(np.sum(weights * outcomes))
    negative = float(np.sum(weights * (1.0 - outcomes)))
    targets = np.where(outcomes > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    design = np.column_stack([scores, np.ones(len(scores))])
    found = np.array([0.0, math.log((positive + 1) / (negative + 1))])
    for _ in range(ITERATIONS_MAX):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ found, -500.0, 500.0)))
        gradient = design.T @ (weights * (targets - chance))
        curvature = (design * (weights * chance * (1.0 - chance))[:, None]).T @ design
        step = np.linalg.solve(curvature + 1e-10 * np.trace(curvature) * np.eye(2), gradient)
        found = found + step
        if float(np.max(np.abs(step))) < 1e-10:
            break
    return Calibration("platt", (), (float(found[0]), float(found[1])))


def _check(scores: Array, outcomes: Array, weights: Array) -> None:
    if not len(scores) == len(outcomes) == len(weights) > 0:
        raise DataInvalid("calibration: scores, outcomes and weights of one length are due.")
    if not (np.all(np.isfinite(scores)) and np.all(weights > 0)):
        raise DataInvalid("calibration: scores must be finite and weights above 0.")


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    exponential = math.exp(value)
    return exponential / (1.0 + exponential)


def _bounded(probability: float) -> float:
    return min(max(probability, PROBABILITY_MIN), 1.0 - PROBABILITY_MIN)
