# SPDX-License-Identifier: Apache-2.0
"""`brakes.py`: whether what stops trading stops it, and stays: nobody but a person who knows the
phrase releases it, and not in the heat of the moment; what it asks back is gone soon; and in the
meantime, as at all times, a position that was to be protected is, or somebody is told.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hean.sim.books import LEVELS, JournalBooks, VenueBooks
from hean.sim.manners import Require
from hean.sim.scenario import Scenario
from hean.twin.orders import Order

COOL_DOWN_S = 60.0
SWEPT_S = 5.0  # after so long in which it can be asked back nothing is left; R-25: two
DENIED_S = (
    50.0  # more, for an order that the venue denied to have: up to twenty seconds to the next
)
# look that finds it again, and thirty to the next cancel
BARE_S = 5.0  # three seconds of I-13, and the way of an order there
LOOKS_S = 0.15  # a tenth of a second, and a step late
NS = 1_000_000_000
PROTECTED = "brackets"
HINDERS = ("key", "maintenance", "private stream")
"""Halts of a gateway that may ask for nothing, or does not see what comes of it."""


class Brakes:
    """Of one run. *denied*: whom the venue would not know; *require*: checks a promise."""

    def __init__(
        self,
        scenario: Scenario,
        venue: VenueBooks,
        journal: JournalBooks,
        *,
        denied: Callable[[], set[str]],
        time_s: Callable[[], float],
        require: Require,
    ) -> None:
        self.calm_s: float | None = None
        """Since when nothing goes wrong any more."""
        self.asked = 0
        """Releases that a person asked for with the right phrase."""
        self._scenario = scenario
        self._venue = venue
        self._journal = journal
        self._denied = denied
        self._time_s = time_s
        self._require = require
        self._released = 0
        self._asked_back: set[str] = set()
        self._able_s: float | None = None  # since when it can cancel
        self._naked_s: float | None = None  # since when a position has no stop at the venue
        self._ready_s = 0.0
        self._bare_s: dict[str, tuple[float, int]] = {}  # by the rows, and alarms before
        self._seen_bare_s: dict[str, float] = {}
        faults = set(scenario.kinds()) - {"order"}
        self._is_honest = not faults

    def raised(self, level: str) -> None:
        """A level is on the disk."""
        if LEVELS.index(level) >= LEVELS.index("CANCEL_ALL"):
            self._asked_back = {
                order.client_id for order in self._open() if not self._protects(order)
            }
            self._able_s = None

    def released(self, level: str) -> None:
        """The release of this level is on the disk."""
        self._released += 1
        self._require(
            "R-24",
            self._released <= self.asked,
            lambda: f"{level} was released {self._released} times, a person did {self.asked}",
        )
        age_s = (self._journal.released_ns - self._journal.raised_ns) / NS
        self._require(
            "R-24", age_s >= COOL_DOWN_S, lambda: f"{level} was released after {age_s:.1f} s"
        )

    def answered(self, is_right: bool, is_done: bool) -> None:
        """What came of a person's wish to release. *is_right*: the phrase was."""
        self._require("R-24", is_right or not is_done, lambda: "a wrong phrase has released it")

    def look(self, engine: Any) -> None:
        """Is what was asked back gone, and no position bare that was to be protected?"""
        if self._asked_back:
            self._look_at_orders(engine)
        if self._scenario.workload == PROTECTED:
            self._look_at_alarms(engine.is_ready)
            if self._is_honest:
                self._look_at_stops()

    def died(self) -> None:
        """The process is gone; nobody cancels and nobody watches stops until the next is ready."""
        self._able_s = None
        self._bare_s.clear()

    # ------------------------------------------------------------ inside

    def _look_at_orders(self, engine: Any) -> None:
        now_s = self._time_s()
        if not (self._is_calm() and _can_cancel(engine)):
            self._able_s = None
            return
        if self._able_s is None:
            self._able_s = now_s
        age_s = now_s - self._able_s
        if age_s < SWEPT_S:
            return
        left = self._asked_back & {order.client_id for order in self._open()}
        self._asked_back = set()
        if age_s < SWEPT_S + DENIED_S and left:
            self._asked_back = left & self._denied()
            left -= self._asked_back
        self._require("R-25", not left, lambda: f"open {age_s:.0f} s later: {sorted(left)}")

    def _look_at_stops(self) -> None:
        is_held = any(map(self._venue.held, self._venue.position))
        if not is_held or any(self._protects(order) for order in self._open()):
            self._naked_s = None
            return
        now_s = self._time_s()
        if self._naked_s is None:
            self._naked_s = now_s
        bare_s = now_s - self._naked_s
        self._require(
            "I-13", bare_s <= BARE_S, lambda: f"a position without a stop for {bare_s:.1f} s"
        )

    def _look_at_alarms(self, is_ready: bool) -> None:
        """By what the process has written itself: what it knows to be bare, it tells. It is in
        charge from when it is ready, and looks ten times a second: who was covered for less than
        that was not.
        """
        audit, now_s = self._journal.audit, self._time_s()
        if not is_ready:
            self._ready_s = now_s
        bare = audit.bare()
        self._seen_bare_s |= dict.fromkeys(bare, now_s)
        for symbol in [name for name in self._bare_s if now_s - self._seen_bare_s[name] > LOOKS_S]:
            del self._bare_s[symbol]
        for symbol in bare:
            alarms = audit.alarms.get(symbol, 0)
            since_s, before = self._bare_s.setdefault(symbol, (now_s, alarms))
            bare_s = now_s - max(since_s, self._ready_s)
            allowed_s = BARE_S + 2 * self._scenario.disk.slow_s
            self._require(
                "I-13",
                bare_s <= allowed_s or alarms > before,
                partial(
                    "{} without a stop for {:.1f} s, and nobody was told".format, symbol, bare_s
                ),
            )

    def _is_calm(self) -> bool:
        return self._is_honest or self.calm_s is not None

    def _protects(self, order: Order) -> bool:
        """By its approval too: spot orders reduce without saying so to the venue."""
        approval = self._journal.approvals.get(order.client_id)
        reduces = order.reduce_only or (approval is not None and approval.reduce_only)
        return order.trigger is not None and (reduces or order.close_all)

    def _open(self) -> list[Order]:
        return [order for order in self._venue.orders.values() if order.is_open]


def _can_cancel(engine: Any) -> bool:
    """Whether it is there, and nothing stands between it and the venue."""
    gateway = engine.gateway
    if not engine.is_ready or gateway.resolution.strangers.superseded:
        return False
    is_silent = gateway._budget.silent_ns(gateway.questions.ticks_ns()) > 0
    return not is_silent and not any(map(gateway.halts.has, HINDERS))
