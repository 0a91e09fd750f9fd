# SPDX-License-Identifier: Apache-2.0
"""`shortfall.py`: what an execution cost, against prices that were there before it. Positive is a
cost for buys and sells alike. Parts of a shortfall sum to the whole, exactly where the numbers are
exact (`Fraction`, `Decimal`), else to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from hean.errors import ParameterInvalid

Array = npt.NDArray[np.float64]
Number = Any
"""A float, `Fraction` or `Decimal`; one kind in one call."""


class Shortfall(msgspec.Struct, frozen=True):
    """Fractions of the paper notional, `quantity x decision price`.

    *explicit*: fees; *realised*: fills against the benchmark in force when they were worked;
    *delay*: that benchmark against the decision; *missed*: what was not filled, at the last price.
    """

    explicit: Number
    realised: Number
    delay: Number
    missed: Number
    total: Number


def implementation_shortfall(
    side: str,
    quantity: Number,
    filled: Number,
    *,
    decision: Number,
    average: Number,
    end: Number,
    benchmark: Number = None,
    fees: Number = 0,
) -> Shortfall:
    """Perold's shortfall and its parts.

    *decision*: price when it was decided; *benchmark*: when the order reached the market, by
    default the decision's; *average*: of the fills, any number if nothing filled; *end*: when the
    rest was given up. *Raises*: `ParameterInvalid`.
    """
    if quantity <= 0 or not 0 <= filled <= quantity or decision <= 0:
        raise ParameterInvalid("a shortfall needs 0 <= filled <= quantity and a price above 0.")
    sign = direction(side)
    start = decision if benchmark is None else benchmark
    notional = quantity * decision
    explicit = fees / notional
    realised = sign * filled * (average - start) / notional if filled else 0 * explicit
    delay = sign * filled * (start - decision) / notional
    missed = sign * (quantity - filled) * (end - decision) / notional
    return Shortfall(explicit, realised, delay, missed, explicit + realised + delay + missed)


def direction(side: str) -> int:
    """1 for a buy, -1 for a sell. *Raises*: `ParameterInvalid` for anything else."""
    signs = {"BUY": 1, "SELL": -1}
    if side.upper() not in signs:
        raise ParameterInvalid(f"side {side!r}; BUY or SELL.")
    return signs[side.upper()]


def slippage_bp(side: str, average: float, benchmark: float) -> float:
    """How much worse than *benchmark* the *average* fill was, in basis points of the benchmark."""
    if benchmark <= 0:
        raise ParameterInvalid(f"benchmark {benchmark:g}; a price is above 0.")
    return direction(side) * (average - benchmark) / benchmark * 1e4


def vwap(prices: Sequence[float] | Array, volumes: Sequence[float] | Array) -> float:
    """Volume-weighted mean price; nan without volume."""
    weights = np.asarray(volumes, dtype=np.float64)
    total = float(weights.sum())
    return float((np.asarray(prices) * weights).sum()) / total if total > 0 else float("nan")


def typical_prices(high: Array, low: Array, close: Array) -> Array:
    """(high + low + close) / 3 of bars, the price that stands for a bar in a VWAP."""
    return np.asarray((high + low + close) / 3)


def twap(prices: Sequence[float] | Array) -> float:
    """Mean of prices taken at equal distances in time; nan of none."""
    array = np.asarray(prices, dtype=np.float64)
    return float(array.mean()) if len(array) else float("nan")


def participation(own: float, others: float) -> float:
    """Own part of all that traded, 0 to 1; nan if nothing did."""
    total = own + others
    return own / total if total > 0 else float("nan")


def markouts(
    side: str,
    times: npt.NDArray[np.int64],
    prices: Array,
    *,
    mid_times: npt.NDArray[np.int64],
    mids: Array,
    horizons_ns: Sequence[int],
) -> Array:
    """Where the market went after each fill, in basis points in favour of the trader.

    *times*, *prices*: of the fills; *mid_times*, *mids*: rising, the last mid at or before a moment
    counts. *Returns*: (fills, horizons), nan where the recording does not reach.
    """
    sign = direction(side)
    found = np.full((len(times), len(horizons_ns)), np.nan)
    for place, horizon_ns in enumerate(horizons_ns):
        moments = np.asarray(times) + horizon_ns
        at = np.searchsorted(mid_times, moments, side="right") - 1
        is_there = (at >= 0) & (moments <= mid_times[-1]) if len(mid_times) else at > 0
        rows = np.flatnonzero(is_there)
        paid = np.asarray(prices)[rows]
        found[rows, place] = sign * (mids[at[rows]] - paid) / paid * 1e4
    return found
