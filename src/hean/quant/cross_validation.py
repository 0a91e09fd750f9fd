# SPDX-License-Identifier: Apache-2.0
"""`cross_validation.py`: folds of time-ordered rows whose labels look ahead. A row whose label
overlaps the tested block knows the answers; it is purged from training, and so are the rows that
follow the block closely (embargo), because their features still remember it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hean.errors import ParameterInvalid

Indices = np.ndarray[Any, np.dtype[np.int64]]


def purged_k_fold(
    starts: Indices, ends: Indices, folds: int, *, embargo: int = 0
) -> Iterator[tuple[Indices, Indices]]:
    """Training and test rows of each fold. *starts*, *ends*: first and last moment of each row's
    label, ascending by start, in any unit; *embargo*: in that unit. *Raises*: `ParameterInvalid`.
    """
    rows = len(starts)
    if not 2 <= folds <= rows or len(ends) != rows or embargo < 0:
        raise ParameterInvalid(f"folds {folds} of {rows} rows; allowed: 2 to {rows}.")
    every = np.arange(rows)
    for test in np.array_split(every, folds):
        first, last = starts[test[0]], np.max(ends[test])
        is_before = ends < first
        is_after = starts > last + embargo
        yield every[is_before | is_after], test
