# SPDX-License-Identifier: Apache-2.0
"""`pareto.py`: choosing by several objectives at once, none of them worth a fixed price in another.
All objectives are MINIMISED; who wants more of something gives its negative. Pieces of NSGA-II
(Deb, Pratap, Agarwal and Meyarivan 2002): fronts, crowding, hypervolume.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hean.errors import DataInvalid
from hean.quant.checks import Array, series, table

Indices = np.ndarray[Any, np.dtype[np.intp]]


def dominance(objectives: ArrayLike) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Who dominates whom, (n, n) for *objectives* (n, k): row i is no worse than column j in all
    and better in one. Equal rows do not dominate each other.

    *Raises* (as all here): `DataInvalid`, `NumberNotFinite`.
    """
    values = table("objectives", objectives)
    n = len(values)
    no_worse = np.ones((n, n), dtype=np.bool_)
    better = np.zeros((n, n), dtype=np.bool_)
    for column in values.T:  # by objective: n x n at a time instead of n x n x k
        no_worse &= column[:, None] <= column[None, :]
        better |= column[:, None] < column[None, :]
    found: np.ndarray[Any, np.dtype[np.bool_]] = no_worse & better
    return found


def fronts(objectives: ArrayLike) -> list[Indices]:
    """Row numbers by front, each ascending: the first is dominated by none, the next by the first
    alone, and so on. Cost: O(k n^2).
    """
    dominates = dominance(objectives)
    above = dominates.sum(axis=0)
    left = np.ones(len(above), dtype=np.bool_)
    found: list[Indices] = []
    while left.any():
        front = np.flatnonzero(left & (above == 0))
        found.append(front)
        left[front] = False
        above = above - dominates[front].sum(axis=0)
    return found


def crowding(objectives: ArrayLike) -> Array:
    """How much room each row of ONE front has, shape (n,): the distance between its neighbours in
    each objective by the objective's range, averaged over objectives. Ends are infinite; the second
    of two equal rows gets 0, so that one of them goes first; among equal values of one objective
    the earlier row stands lower; an objective in which all rows agree says nothing.
    """
    values = table("objectives", objectives)
    room = np.zeros(len(values))
    if len(values) <= 2:
        return np.full(len(values), np.inf)
    first = np.sort(np.unique(values, axis=0, return_index=True)[1])
    total = np.zeros(len(first))
    for column in values[first].T:
        width = np.ptp(column)
        if width > 0.0:
            order = np.argsort(column, kind="stable")
            at = column[order]
            gaps = np.concatenate([[np.inf], at[2:] - at[:-2], [np.inf]])
            total[order] += gaps / width
    room[first] = total / values.shape[1]
    return room


def hypervolume(objectives: ArrayLike, reference: ArrayLike) -> float:
    """Volume between a set of points (n, k) and a *reference* (k,) worse than all that counts: what
    they dominate of it. Points not better than the reference in every objective add nothing.

    Two objectives cost O(n log n), each further one a factor up to n: for k up to four or so.
    """
    values = table("objectives", objectives)
    worst = series("reference", reference)
    if values.shape[1] != len(worst):
        raise DataInvalid(f"hypervolume: {values.shape[1]} objectives, reference of {len(worst)}.")
    inside = values[(values < worst).all(axis=1)]
    return _volume(inside, worst) if len(inside) else 0.0


def _volume(points: Array, worst: Array) -> float:
    """By slices along the last objective: between two of its values the cross-section is the
    volume, one dimension lower, of all points up to there.
    """
    if points.shape[1] == 1:
        return float(worst[0] - points.min())
    points = points[np.argsort(points[:, -1], kind="stable")]
    heights = np.append(points[:, -1], worst[-1])
    if points.shape[1] == 2:
        lowest = np.minimum.accumulate(points[:, 0])
        return float(((worst[0] - lowest) * np.diff(heights)).sum())
    return float(
        sum(
            _volume(points[: end + 1, :-1], worst[:-1]) * (heights[end + 1] - heights[end])
            for end in range(len(points))
            if heights[end + 1] > heights[end]
        )
    )
