# SPDX-License-Identifier: Apache-2.0
"""`patterns.py`: where a series has looked like this before. The matrix profile gives each window
its nearest other one by the shape alone: both are brought to mean 0 and deviation 1.

The two-sided profile looks ahead: a window's nearest neighbour may lie in its future. What a signal
may use is the LEFT profile, `left_neighbour` for the newest window, or `recent_neighbours` for each
row in a past that is bounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hean.quant.checks import Array, count, series

FLAT_BELOW = 1e-9  # standard deviation under which a window has no shape
BLOCK_ROWS = 512  # windows compared at a time: bounds memory at 512 n numbers
RECENT_ROWS = 128  # the same of `recent_neighbours`, whose blocks stay in the processor's cache

Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class MatrixProfile:
    """One entry per window, by its first row: *distance* to its nearest neighbour, which starts at
    *index*; *left_distance*, *left_index* the same among windows before it. Without a neighbour,
    or for a flat window, distances are nan and indices -1.
    """

    distance: Array
    index: Indices
    left_distance: Array
    left_index: Indices

    @property
    def motif(self) -> tuple[int, int] | None:
        """The two windows most alike, the earlier first; None if none has a neighbour."""
        if not (self.index >= 0).any():
            return None
        at = int(np.nanargmin(self.distance))
        first, second = sorted((at, int(self.index[at])))
        return first, second

    @property
    def discord(self) -> int | None:
        """The window least like any other; None if none has a neighbour."""
        return int(np.nanargmax(self.distance)) if (self.index >= 0).any() else None


def matrix_profile(
    values: ArrayLike, window: int, *, exclusion: int | None = None
) -> MatrixProfile:
    """Profile of all windows of *window* rows. Windows that start within *exclusion* rows (default
    a quarter window, rounded up) are no neighbours: they share most of their rows. Among equally
    near ones the earliest counts.

    Cost: O(n^2 window) multiplications as matrix products. Distances are those of the shapes
    themselves, not of rounded products, so equal shapes are at 0.
    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`. *Source*: Yeh et al. 2016.
    """
    shapes, apart = _prepared(values, window, exclusion)
    n = len(shapes)
    index = np.full(n, -1, dtype=np.int64)
    left = np.full(n, -1, dtype=np.int64)
    starts = np.arange(n)
    flat = np.isnan(shapes[:, 0])
    comparable = np.where(flat[:, None], 0.0, shapes)
    for first in range(0, n, BLOCK_ROWS):
        rows = starts[first : first + BLOCK_ROWS]
        alike = comparable[rows] @ comparable.T
        gap = starts - rows[:, None]
        alike[(np.abs(gap) <= apart) | flat | flat[rows][:, None]] = -np.inf
        index[rows] = _best(alike)
        alike[gap > 0] = -np.inf
        left[rows] = _best(alike)
    return MatrixProfile(_distances(shapes, index), index, _distances(shapes, left), left)


def left_neighbour(
    values: ArrayLike, window: int, *, exclusion: int | None = None
) -> tuple[int, float]:
    """Start and distance of the earlier window most like the newest one, as `matrix_profile` finds
    them in its last left entry; (-1, nan) without one. Cost: O(n window). *Raises*: as there.
    """
    shapes, apart = _prepared(values, window, exclusion)
    earlier = shapes[: max(0, len(shapes) - 1 - apart)]
    alike = np.nan_to_num(earlier @ shapes[-1], nan=-np.inf)
    if not alike.size or alike.max() == -np.inf:
        return -1, math.nan
    at = int(alike.argmax())
    return at, float(np.linalg.norm(shapes[-1] - shapes[at]))


def recent_neighbours(
    values: ArrayLike,
    window: int,
    past: int,
    *,
    exclusion: int | None = None,
    last: int | None = None,
) -> tuple[Array, Indices]:
    """At each row, of the window that ends there: distance to the window most like it among those
    within the last *past* rows, and how many rows before it ends; (nan, -1) without one. Among
    equally near ones the earliest counts. *last*: only so many rows are asked for, the others say
    that there is none.

    A row depends on the last *past* values alone, to the bit: asked with no others it is the same.
    Cost: O(n window past), or O(last window past + n window). *Raises*: as `matrix_profile`.
    """
    window = count("recent_neighbours window", window, 3)
    apart = -(-window // 4) if exclusion is None else exclusion
    nearest = count("recent_neighbours exclusion", apart, 0) + 1
    farthest = count("recent_neighbours past", past, window + nearest) - window
    found = series("recent_neighbours", values, 1)
    distances = np.full(found.size, np.nan)
    ago = np.full(found.size, -1, dtype=np.int64)
    rows = found.size - window + 1
    if rows < 1:
        return distances, ago
    shapes = _shapes_by_row(found, window)
    padded = np.concatenate([np.full((window, farthest), np.nan), shapes], axis=1)
    views = np.lib.stride_tricks.sliding_window_view(padded, farthest - nearest + 1, axis=1)
    for first in range(0 if last is None else max(0, rows - last), rows, RECENT_ROWS):
        block = slice(first, min(first + RECENT_ROWS, rows))
        best, at = _nearest(shapes[:, block], views[:, block])
        ends = slice(block.start + window - 1, block.stop + window - 1)
        distances[ends] = best
        ago[ends] = np.where(np.isnan(best), -1, farthest - at)
    return distances, ago


def _shapes_by_row(values: Array, window: int) -> Array:
    """Shapes, a row of the result for each place in the window. Sums are added place by place,
    so that they do not depend on how many windows there are.
    """
    parts = [values[at : values.size - window + 1 + at] for at in range(window)]
    mean = sum(parts[1:], parts[0].copy()) / window
    squares = [(part - mean) ** 2 for part in parts]
    deviation = np.sqrt(sum(squares[1:], squares[0]) / window)
    deviation[deviation < FLAT_BELOW] = np.nan
    return np.stack([(part - mean) / deviation for part in parts])


def _nearest(shapes: Array, candidates: Array) -> tuple[Array, Indices]:
    """Distance and place of the candidate nearest to each shape; nan without one."""
    squares = np.zeros(candidates.shape[1:])
    for shape, others in zip(shapes, candidates, strict=True):
        apart = others - shape[:, None]
        apart *= apart
        squares += apart
    np.nan_to_num(squares, copy=False, nan=np.inf)
    at = squares.argmin(axis=1)
    best: Array = squares[np.arange(len(at)), at]
    best[np.isinf(best)] = np.nan
    return np.sqrt(best), at


def _prepared(values: ArrayLike, window: int, exclusion: int | None) -> tuple[Array, int]:
    """Shapes of all windows (nan for flat ones) and the exclusion."""
    window = count("matrix_profile window", window, 3)
    found = series("matrix_profile", values, window + 1)
    apart = -(-window // 4) if exclusion is None else exclusion
    windows = np.lib.stride_tricks.sliding_window_view(found, window)
    deviations = windows.std(axis=1)
    deviations[deviations < FLAT_BELOW] = np.nan
    shapes: Array = (windows - windows.mean(axis=1)[:, None]) / deviations[:, None]
    return shapes, count("matrix_profile exclusion", apart, 0)


def _best(alike: Array) -> Indices:
    at = alike.argmax(axis=1)
    return np.where(alike[np.arange(len(at)), at] > -np.inf, at, -1)


def _distances(shapes: Array, index: Indices) -> Array:
    found: Array = np.linalg.norm(shapes - shapes[index], axis=1)
    found[index < 0] = np.nan
    return found
