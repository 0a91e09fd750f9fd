# SPDX-License-Identifier: Apache-2.0
"""`labels.py`: what a decision at a bar's close would have earned, known afterwards. Triple barrier
(Lopez de Prado 2018): entry at the next open, exit at the profit barrier, the loss barrier or after
a number of bars, whichever comes first, net of all costs. A bar that touches both barriers counts
as a loss: inside a bar nobody knows the order. `BarrierWatch` finds the same outcomes one bar at a
time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from hean.errors import ParameterInvalid

Array = np.ndarray[Any, np.dtype[np.float64]]
Indices = np.ndarray[Any, np.dtype[np.int64]]

SIDES = ("buy", "sell")
HORIZON_MAX = 100_000


class Barriers(msgspec.Struct, frozen=True):
    """Where a trade ends. *width*: both barriers, in deviations of the return over *horizon* bars;
    *cost*: the whole round trip, as a fraction.
    """

    side: str = "buy"
    horizon: int = 24
    width: float = 1.5
    cost: float = 0.0011

    def __post_init__(self) -> None:
        is_sound = self.side in SIDES and 0 < self.horizon <= HORIZON_MAX
        if not (is_sound and 0 < self.width <= 100 and 0 <= self.cost < 1):
            raise ParameterInvalid(
                f"barriers {self.side} horizon {self.horizon} width {self.width} cost {self.cost}; "
                f"allowed: buy or sell, 1 to {HORIZON_MAX} bars, width up to 100, cost below 1."
            )


class Labels(msgspec.Struct, frozen=True):
    """Outcome of a decision at each bar. *end*: index of the bar of the exit, -1 where the future
    is too short to know; *net*: log return after costs, nan there; *win*: 1 if above zero.
    """

    end: Indices
    net: Array
    win: Array


def triple_barrier(
    bars: tuple[Array, Array, Array, Array], sigma: Array, barriers: Barriers
) -> Labels:
    """Labels of all bars. *bars*: open, high, low, close; *sigma*: deviation of the log return of
    one bar, as known at its close; nan gives no label. *Cost*: O(rows x horizon).
    """
    opens, highs, lows, closes = bars
    rows = len(closes)
    reach = barriers.width * np.asarray(sigma) * math.sqrt(barriers.horizon)
    entry = np.full(rows, np.nan)
    entry[: rows - 1] = opens[1:]
    above, below = entry * np.exp(reach), entry * np.exp(-reach)
    is_buy = barriers.side == "buy"
    end = np.full(rows, -1, dtype=np.int64)
    leave = np.full(rows, np.nan)
    waiting = np.flatnonzero(np.isfinite(above))
    for ahead in range(1, barriers.horizon + 1):
        waiting = waiting[waiting + ahead < rows]
        at = waiting + ahead
        up, down = highs[at] >= above[waiting], lows[at] <= below[waiting]
        # A gap beyond the losing barrier is paid in full; one beyond the winning is not.
        if is_buy:
            lost, won = down, up & ~down
            worse = np.minimum(opens[at], below[waiting])
            better = above[waiting]
        else:
            lost, won = up, down & ~up
            worse = np.maximum(opens[at], above[waiting])
            better = below[waiting]
        late = closes[at] if ahead == barriers.horizon else np.full(len(at), np.nan)
        price = np.where(lost, worse, np.where(won, better, late))
        is_done = ~np.isnan(price)
        end[waiting[is_done]], leave[waiting[is_done]] = at[is_done], price[is_done]
        waiting = waiting[~is_done]
    net = (1.0 if is_buy else -1.0) * np.log(leave / entry) - barriers.cost
    return Labels(end, net, np.where(net > 0, 1.0, 0.0))


def uniqueness(end: Indices) -> Array:
    """Weight of each label: the mean, over the bars it spans, of one over the labels alive there.
    Zero without a label. Labels that share their bars share their say.
    """
    rows = len(end)
    starts = np.flatnonzero(end >= 0)
    change = np.zeros(rows + 1)
    np.add.at(change, starts + 1, 1.0)
    np.add.at(change, end[starts] + 1, -1.0)
    alive = np.cumsum(change)[:rows]
    share = np.divide(1.0, alive, out=np.zeros(rows), where=alive > 0)
    total = np.concatenate([[0.0], np.cumsum(share)])
    weights = np.zeros(rows)
    spans = end[starts] - starts
    weights[starts] = (total[end[starts] + 1] - total[starts + 1]) / spans
    return weights


class _Open(msgspec.Struct):
    key: Any
    reach: float
    entry: float = math.nan
    age: int = 0


class BarrierWatch:
    """Outcomes of decisions as their bars come: the labels of `triple_barrier`, one bar at a time.

    Call `update` with each bar, then `decide` for a decision at that bar's close.
    """

    __slots__ = ("_barriers", "_open")

    def __init__(self, barriers: Barriers) -> None:
        self._barriers = barriers
        self._open: deque[_Open] = deque()

    def __len__(self) -> int:
        """Decisions whose outcome is not known yet."""
        return len(self._open)

    def decide(self, key: Any, sigma: float) -> None:
        """Watch a decision at the present bar's close. *key*: comes back with the outcome."""
        reach = self._barriers.width * sigma * math.sqrt(self._barriers.horizon)
        self._open.append(_Open(key, reach))

    def update(self, open_: float, high: float, low: float, close: float) -> Iterator[Any]:
        """Take a bar. *Yields*: key and net log return of every decision that ended in it."""
        still: deque[_Open] = deque()
        for trade in self._open:
            if trade.age == 0:
                trade.entry = open_
            trade.age += 1
            price = self._exit(trade, open_, high, low, close)
            if price is None:
                still.append(trade)
                continue
            gross = math.log(price / trade.entry)
            yield trade.key, (gross if self._barriers.side == "buy" else -gross) - self._cost
        self._open = still

    @property
    def _cost(self) -> float:
        return self._barriers.cost

    def _exit(
        self, trade: _Open, open_: float, high: float, low: float, close: float
    ) -> float | None:
        above = trade.entry * math.exp(trade.reach)
        below = trade.entry * math.exp(-trade.reach)
        is_up, is_down = high >= above, low <= below
        is_buy = self._barriers.side == "buy"
        if is_down if is_buy else is_up:
            return min(open_, below) if is_buy else max(open_, above)
        if is_up or is_down:
            return above if is_buy else below
        return close if trade.age >= self._barriers.horizon else None
