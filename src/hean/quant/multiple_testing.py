# SPDX-License-Identifier: Apache-2.0
"""`multiple_testing.py`: p-values of a family of tests, raised so that the whole family may be read
at one level. Who tries m pairs, patterns or agents and keeps those below 5 % keeps 5 % of nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hean.errors import NumberOutOfRange
from hean.quant.checks import Array, series


def bonferroni(p_values: ArrayLike) -> Array:
    """Adjusted p-values, same order: chance of ANY false find, whatever the dependence.

    *Raises* (as all here): `DataInvalid`, `NumberNotFinite`, `NumberOutOfRange`.
    """
    p = _probabilities(p_values)
    return np.minimum(1.0, len(p) * p)


def holm(p_values: ArrayLike) -> Array:
    """As Bonferroni and never weaker, step by step from the smallest. *Source*: Holm 1979."""
    p = _probabilities(p_values)
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    return _restored(np.maximum.accumulate(factors * p[order]), order)


def benjamini_hochberg(p_values: ArrayLike) -> Array:
    """Adjusted p-values for the expected SHARE of false finds among all finds, for independent or
    positively dependent tests. *Source*: Benjamini and Hochberg 1995.
    """
    return _stepped_up(_probabilities(p_values), 1.0)


def benjamini_yekutieli(p_values: ArrayLike) -> Array:
    """As Benjamini-Hochberg under any dependence, at the price of a factor 1 + 1/2 + ... + 1/m.

    *Source*: Benjamini and Yekutieli 2001.
    """
    p = _probabilities(p_values)
    return _stepped_up(p, float((1.0 / np.arange(1, len(p) + 1)).sum()))


def _stepped_up(p: Array, factor: float) -> Array:
    order = np.argsort(p, kind="stable")
    scaled = factor * (len(p) / np.arange(1, len(p) + 1)) * p[order]
    return _restored(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _restored(adjusted: Array, order: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Array:
    found = np.empty_like(adjusted)
    found[order] = np.minimum(1.0, adjusted)
    return found


def _probabilities(p_values: ArrayLike) -> Array:
    p = series("p-values", p_values)
    outside = np.flatnonzero((p < 0.0) | (p > 1.0))
    if outside.size:
        raise NumberOutOfRange(f"p-values: row {outside[0]} is {p[outside[0]]}, not within 0 to 1.")
    return p
