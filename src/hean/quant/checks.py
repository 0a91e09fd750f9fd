# SPDX-License-Identifier: Apache-2.0
"""`checks.py`: what comes into a statistic. One place turns input into float64 arrays and refuses
what no statistic can use: other shapes, nan and infinity, too few values. Behind it nobody checks
again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hean.errors import DataInvalid, NumberNotFinite, NumberOutOfRange, ParameterInvalid

Array = np.ndarray[Any, np.dtype[np.float64]]


def series(name: str, values: ArrayLike, least: int = 1) -> Array:
    """One series of finite numbers as float64, shape (n,), n at least *least*.

    *Raises*: `DataInvalid` for another shape or too few values, `NumberNotFinite`.
    """
    return _finite(name, values, dimensions=1, least=least)


def table(name: str, values: ArrayLike, least: int = 1) -> Array:
    """Several series side by side, shape (n, k), n at least *least*; one series becomes k = 1.

    *Raises*: `DataInvalid` for another shape or too few rows, `NumberNotFinite`.
    """
    found = np.asarray(values, dtype=np.float64)
    return _finite(name, found[:, None] if found.ndim == 1 else found, dimensions=2, least=least)


def varying(name: str, values: ArrayLike, least: int = 2) -> Array:
    """As `series`, and not all values equal: what never moves has no spread to compare with."""
    found = series(name, values, least)
    if (found == found[0]).all():
        raise DataInvalid(f"{name}: all {len(found)} values are {found[0]:g}; nothing varies.")
    return found


def positive(name: str, value: float) -> float:
    """A finite number above zero. *Raises*: `NumberOutOfRange`."""
    if not 0.0 < value < np.inf:
        raise NumberOutOfRange(f"{name}: {value}; a finite number above zero is needed.")
    return float(value)


def count(name: str, value: int, least: int = 0, most: float = np.inf) -> int:
    """A whole number within limits, both included. *Raises*: `ParameterInvalid`."""
    if value != int(value) or not least <= value <= most:
        raise ParameterInvalid(f"{name}: {value}; a whole number from {least} to {most} is needed.")
    return int(value)


def _finite(name: str, values: ArrayLike, *, dimensions: int, least: int) -> Array:
    found = np.ascontiguousarray(values, dtype=np.float64)
    if found.ndim != dimensions or len(found) < least:
        raise DataInvalid(
            f"{name}: shape {found.shape}; {dimensions} dimension(s) of at least {least} rows."
        )
    bad = np.flatnonzero(~np.isfinite(found).reshape(len(found), -1).all(axis=1))
    if bad.size:
        raise NumberNotFinite(f"{name}: row {bad[0]} holds {found[bad[0]]}, no finite number.")
    return found
