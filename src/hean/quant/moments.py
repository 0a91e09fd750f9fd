# SPDX-License-Identifier: Apache-2.0
"""`moments.py`: the variance formula that HEAN does not use. `hean.indicators.Moments` (Welford) is
what runs; this one stands here so that anybody can see on their own series what it loses.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from hean.quant.checks import series


def naive_variance(values: ArrayLike) -> float:
    """Sample variance by sums of values and of squares, added one by one: the textbook formula
    whose two sums cancel. Far from zero it has no right digit and may be negative.

    *Raises*: `DataInvalid`, `NumberNotFinite`.
    """
    found = series("naive_variance", values, 2)
    n = len(found)
    # A running sum adds in order; NumPy's plain sum would add in pairs and hide some of the loss.
    total, squares = found.cumsum()[-1], (found * found).cumsum()[-1]
    return float((squares - total**2 / n) / (n - 1))
