# SPDX-License-Identifier: Apache-2.0
"""`brakes.py`: whether what stops trading stops it, and stays: nobody but a person who knows the
phrase releases it, and not in the heat of the moment; what it asks back is gone soon; and in the
meantime, as at all times, a position that was to be protected is.
"""

from __future__ import annotations

from collections.abc import Callable

from hean.sim.books import LEVELS, VenueBooks
from hean.sim.manners import Require
from hean.sim.scenario import Scenario
from hean.twin.orders import Order

COOL_DOWN_S = 60.0
SWEPT_S = 5.0  # after so long without faults nothing is left of what was asked back; R-25: two
BARE_S = 5.0  # three seconds of I-13, and the way of an order there
PROTECTED = "brackets"


class Brakes:
    """Of one run. *require*: checks a promise."""

    def __init__(
        self,
        scenario: Scenario,
        venue: VenueBooks,
        *,
        time_s: Callable[[], float],
        require: Require,
    ) -> None:
        self.calm_s: float | None = None
        """Since when nothing goes wrong any more."""
        self.asked = 0
        """Releases that a person asked for with the right phrase."""
        self._scenario = scenario
        self._venue = venue
        self._time_s = time_s
        self._require = require
        self._stopped_s = 0.0
        self._released = 0
        self._asked_back: set[str] = set()
        self._bare_s: float | None = None
        faults = set(scenario.kinds()) - {"order"}
        self._is_honest = not faults

    def raised(self, level: str) -> None:
        """A level is on the disk."""
        self._stopped_s = self._time_s()
        if LEVELS.index(level) >= LEVELS.index("CANCEL_ALL"):
            self._asked_back = {order.client_id for order in self._open() if not _protects(order)}

    def released(self, level: str) -> None:
        """The release of this level is on the disk."""
        self._released += 1
        self._require(
            "R-24",
            self._released <= self.asked,
            lambda: f"{level} was released {self._released} times, a person did {self.asked}",
        )
        age_s = self._time_s() - self._stopped_s
        self._require(
            "R-24",
            age_s >= COOL_DOWN_S - 1.0 or bool(self._scenario.skews),
            lambda: f"{level} was released after {age_s:.1f} s",
        )

    def answered(self, is_right: bool, is_done: bool) -> None:
        """What came of a person's wish to release. *is_right*: the phrase was."""
        self._require("R-24", is_right or not is_done, lambda: "a wrong phrase has released it")

    def look(self) -> None:
        """Is what was asked back gone, and no position bare that was to be protected?"""
        age_s = self._time_s() - self._stopped_s
        if self._asked_back and age_s >= SWEPT_S and self._has_been_honest():
            left = self._asked_back & {order.client_id for order in self._open()}
            self._asked_back = set()
            self._require("R-25", not left, lambda: f"open {age_s:.0f} s later: {sorted(left)}")
        if not self._is_honest or self._scenario.workload != PROTECTED:
            return
        is_held = any(self._venue.position.values())
        if not is_held or any(_protects(order) for order in self._open()):
            self._bare_s = None
            return
        now_s = self._time_s()
        if self._bare_s is None:
            self._bare_s = now_s
        bare_s = now_s - self._bare_s
        self._require(
            "I-13", bare_s <= BARE_S, lambda: f"a position without a stop for {bare_s:.1f} s"
        )

    def _has_been_honest(self) -> bool:
        if self._is_honest:
            return True
        return self.calm_s is not None and self._time_s() - self.calm_s >= SWEPT_S

    def _open(self) -> list[Order]:
        return [order for order in self._venue.orders.values() if order.is_open]


def _protects(order: Order) -> bool:
    return order.trigger is not None and (order.reduce_only or order.close_all)
