# SPDX-License-Identifier: Apache-2.0
"""`reacting.py`: algorithms that follow the market instead of the clock: POV keeps a share of what
trades, ICEBERG shows a little at a time at its price, CHASER rests post-only at the touch and moves
after it when that is worth more than the place in the queue it gives up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hean.core.parameters import Parameter, Value
from hean.core.types import TimeInForce
from hean.execution.scheduled import FINISH, Ending
from hean.execution.slicing import (
    NANOSECONDS,
    Algorithm,
    Move,
    Touch,
    View,
    Wish,
    without_dust,
)
from hean.quant.schedules import iceberg_lots, pov_lots

REFILL_S = (0.05, 0.5)  # at random, so that the pieces are not told apart by their rhythm
_NO_END = Parameter("duration", 0.0, "till then at most; 0s: until filled", "s", 0, 604_800)


class _Limited(Ending):
    """Ends after its duration, if it has one."""

    @property
    def end_ns(self) -> float:
        """The last moment."""
        duration_ns = self.ns("duration")
        return self.start_ns + duration_ns if duration_ns else math.inf

    def at(self, moment_ns: int) -> int:
        """That moment, or the last one if it is earlier."""
        return int(min(moment_ns, self.end_ns))


class Pov(_Limited):
    """A share of the volume. What trades is counted without own fills; where a simulated market
    does not contain them, the share is that much smaller.
    """

    name = "pov"
    parameters = (
        Parameter("share", 0.05, "of all that trades", "", 0.0001, 0.9),
        Parameter("interval", 5.0, "between slices", "s", 0.1, 86_400),
        Parameter("cap", 0.1, "most of the order in one interval", "", 0.0001, 1),
        _NO_END,
        FINISH,
    )

    def __init__(self, settings: Mapping[str, Value], lots: int, **given: Any) -> None:
        super().__init__(settings, lots, **given)
        self._next_ns = self.start_ns + self.ns("interval")

    def move(self, view: View) -> Move:
        """At each interval, what the volume has made due."""
        if view.now_ns >= self.end_ns:
            return self.ending(view)
        if view.now_ns < self._next_ns:
            return Move(again_ns=self.at(self._next_ns))
        self._next_ns = view.now_ns + self.ns("interval")
        others = max(view.traded - view.filled, 0.0)
        due = pov_lots(self.number("share"), others, view.lots - view.free)
        most = max(math.ceil(self.lots * self.number("cap")), view.lots_min)
        lots = without_dust(min(due, most), view) if due >= view.lots_min else 0
        sent = (Wish(lots),) if lots else ()
        return Move(send=sent, again_ns=self.at(self._next_ns))


class Iceberg(Algorithm):
    """One small order at the order's price; the next one a moment after it is gone, at the end of
    the queue. How much the level shows is not asked.
    """

    name = "iceberg"
    parameters = (
        Parameter("display", 0.1, "shown at once", "of the order", 0.0001, 1),
        Parameter("vary", 0.2, "moves the display", "of itself", 0, 0.9),
    )
    needs_limit = True

    def __init__(self, settings: Mapping[str, Value], lots: int, **given: Any) -> None:
        super().__init__(settings, lots, **given)
        self._refill_ns: int | None = self.start_ns

    def move(self, view: View) -> Move:
        """Refill when nothing is shown."""
        if view.slices:
            self._refill_ns = None
            return Move()
        if view.free < view.lots_min:
            return Move(is_over=True)
        if self._refill_ns is None:
            low, high = REFILL_S
            delay_s = low + (high - low) * self.chance()
            self._refill_ns = view.now_ns + round(delay_s * NANOSECONDS)
        if view.now_ns < self._refill_ns:
            return Move(again_ns=self._refill_ns)
        self._refill_ns = None
        display = max(round(self.lots * self.number("display")), view.lots_min)
        shown = iceberg_lots(display, view.free, self.chance(), spread=self.number("vary"))
        lots = without_dust(max(shown, view.lots_min), view)
        return Move(send=(Wish(lots, math.inf if self.side == "BUY" else 0.0),))


class Chaser(_Limited):
    """Rests post-only at the touch.

    *away*: how far the touch must have left the quote before it is moved after it, in basis
    points: what the place in the queue is worth. *pause*: between two quotes.
    """

    name = "chaser"
    parameters = (
        Parameter("away", 0.5, "moves the quote", "bp", 0, 1_000),
        Parameter("pause", 1.0, "between two quotes", "s", 0.05, 3_600),
        Parameter("duration", 60.0, "then the rest ends as finish says", "s", 0, 604_800),
        FINISH,
    )

    def __init__(self, settings: Mapping[str, Value], lots: int, **given: Any) -> None:
        super().__init__(settings, lots, **given)
        self._next_ns = self.start_ns
        self._quoted: float | None = None

    def is_moved(self, touch: Touch) -> bool:
        """Whether the touch has left the quote."""
        return self._quoted is not None and self._away_bp(touch) >= max(self.number("away"), 1e-9)

    def move(self, view: View) -> Move:
        """Quote, or move the quote."""
        if view.now_ns >= self.end_ns:
            return self.ending(view)
        last_ns = None if math.isinf(self.end_ns) else int(self.end_ns)
        price = view.touch.own(self.side)
        if not view.slices:
            self._quoted = None
            if view.free < view.lots_min:
                return Move(is_over=True)
            if view.now_ns < self._next_ns:
                return Move(again_ns=self.at(self._next_ns))
            self._next_ns = view.now_ns + self.ns("pause")
            if math.isnan(price):
                return Move(again_ns=self.at(self._next_ns))
            self._quoted = price
            wish = Wish(view.free, price, TimeInForce.POST_ONLY)
            return Move(send=(wish,), again_ns=last_ns)
        (quote,) = view.slices[:1]
        if not quote.is_resting or quote.is_leaving or not self.is_moved(view.touch):
            return Move(again_ns=last_ns)
        if view.now_ns < self._next_ns:
            return Move(again_ns=self.at(self._next_ns))
        self._next_ns = view.now_ns + self.ns("pause")
        self._quoted = price
        return Move(amend=((quote.order_id, price),), again_ns=last_ns)

    def _away_bp(self, touch: Touch) -> float:
        price = touch.own(self.side)
        if self._quoted is None or math.isnan(price):
            return 0.0
        ahead = price - self._quoted if self.side == "BUY" else self._quoted - price
        return ahead / self._quoted * 1e4
