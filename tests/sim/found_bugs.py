# SPDX-License-Identifier: Apache-2.0
"""Bugs that this engine really had until the simulator found them, and some of their kin. Planted
again, each must be found again; so none comes back unseen.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hean.live.safety import Safety
from hean.reconcile.reconcile import Reconciler
from hean.risk.levels import stricter
from hean.risk.risk_governor import RiskGovernor
from hean.sim.scenario import Order
from hean.venues.bybit import BybitCodec
from hean.venues.dispatch import Dispatch, Flight
from hean.venues.gateway import Gateway
from hean.venues.outcomes import Outcome
from hean.venues.questions import Questions
from hean.venues.reports import Execution, OrderReport, Reply, Tracked
from hean.venues.resolution import Resolution
from hean.venues.session import Session
from hean.venues.tracking import OrderTracker
from sim.bank import Bug, busy, dials

Patch = pytest.MonkeyPatch
ZERO = Decimal(0)
UNEXPLAINED = ("I-14", "I-21", "I-22")
"""What is at the venue and not known here, or the other way round."""


def reduction_cut_by_the_venue_stays_open(patch: Patch) -> None:
    """The venue cuts a reduction to the position; the rest counted as open for ever."""
    report = OrderTracker.report

    def overwritten(self: OrderTracker, look: OrderReport) -> None:
        order = self._find(look.client_order_id, look.exchange_order_id)
        if order is not None and look.quantity > 0:
            order.size = look.quantity
        report(self, look)

    patch.setattr(OrderTracker, "report", overwritten)


def refused_cancel_is_forgotten(patch: Patch) -> None:
    """A cancel refused for the clock was never asked for again."""
    patch.setattr(Resolution, "cancel_refused", lambda self, order: None)


def lost_cancel_is_forgotten(patch: Patch) -> None:
    """A cancel without an answer counts as done."""
    lost = Gateway.lost

    def wrong(self: Gateway, flight: Flight) -> None:
        if flight.kind == "submit":
            lost(self, flight)

    patch.setattr(Gateway, "lost", wrong)


def lost_login_is_waited_for(patch: Patch) -> None:
    """A login whose answer was lost was waited for, while pongs said that the line lives."""
    patch.setattr(Session, "_give_up", lambda self: None)


def durations_are_measured_by_the_wall_clock(patch: Patch) -> None:
    """After the clock was set back, budgets and time-outs stood still for an hour."""
    patch.setattr(Questions, "ticks_ns", lambda self: self.now())


def level_of_the_file_is_not_journaled(patch: Patch) -> None:
    """A stop taken before there were books stayed in the latch file alone."""

    def silent(self: Safety, journaled: Any, baseline: Any = None) -> None:
        self.triggers.restore(baseline)
        latched = stricter(journaled, self.latch.load())
        self.killswitch.restore(latched)
        self.gate.know_level(latched.level)

    patch.setattr(Safety, "restore", silent)


def garbage_is_a_yes(patch: Patch) -> None:
    """An answer that names no order is taken for a yes."""
    end = Dispatch._end

    def wrong(self: Dispatch, flight: Flight, reply: Reply) -> None:
        if reply.verdict.outcome is not Outcome.NO and flight.kind == "submit":
            self._ends.done(flight, reply)
        else:
            end(self, flight, reply)

    patch.setattr(Dispatch, "_end", wrong)


def closing_by_the_venue_is_nobodys(patch: Patch) -> None:
    """What the venue closes by force is no fill of ours, so it is left out."""
    execution = OrderTracker.execution

    def ours_only(self: OrderTracker, piece: Execution, found_ns: int = 0) -> None:
        if self._find(piece.client_order_id, piece.exchange_order_id) is not None:
            execution(self, piece, found_ns)

    patch.setattr(OrderTracker, "execution", ours_only)
    patch.setattr(Reconciler, "_adopt", lambda self, symbol, read: ZERO)


def order_ends_before_its_fill_is_told(patch: Patch) -> None:
    """The word that an order has ended ended it, while the frame of its fill was lost."""
    patch.setattr(Tracked, "is_untold", False)


def fees_are_left_out(patch: Patch) -> None:
    """A fill is booked without its fee."""
    execution = OrderTracker.execution

    def free(self: OrderTracker, piece: Execution, found_ns: int = 0) -> None:
        execution(self, replace(piece, fee=ZERO), found_ns)

    patch.setattr(OrderTracker, "execution", free)


def old_data_is_good_enough(patch: Patch) -> None:
    """New orders are made on a book that has stood still."""
    patch.setattr(RiskGovernor, "why_stale", lambda self, symbol: "")


def price_is_a_tick_off(patch: Patch) -> None:
    """What leaves is not what was approved."""
    frame = BybitCodec.submit_frame

    def shifted(self: BybitCodec, approved: Any, *rest: Any) -> Any:
        if approved.price is not None:
            approved = msgspec.structs.replace(approved, price=approved.price + Decimal("0.1"))
        return frame(self, approved, *rest)

    patch.setattr(BybitCodec, "submit_frame", shifted)


def unknown_order_is_forgotten(patch: Patch) -> None:
    """An order without an answer is neither told nor looked for."""
    patch.setattr(Gateway, "lost", lambda self, flight: None)
    patch.setattr(Resolution, "look_for", lambda self, order: None)


CLOCK_JUMPS = {
    "dial": "clock_jump",
    "probability": 0.5,
    "offset_s": -60.0,
    "match": {"op": "cancel"},
}
CANCELS_LOST = {"dial": "timeout_lost", "probability": 0.3, "match": {"op": "cancel"}}
ORDERS_LOST = {"dial": "timeout_lost", "probability": 0.6}
LATE = {"dial": "timeout_late", "probability": 0.3, "delay_s": 8.0, "held": "engine"}
NAMELESS = {"dial": "garbage_body", "probability": 0.3, "accepted": False, "form": "missing_id"}
POOR = {"dial": "balance_short", "at_s": 6.0, "for_s": 5.0, "match": {"market": "linear"}}
BOOK_STALLS = {"dial": "stall", "at_s": 5.0, "for_s": 20.0, "match": {"topic": "book"}}
LOGIN_STALLS = (
    {"dial": "private_cut", "at_s": 6.0},
    {"dial": "stall", "at_s": 6.2, "for_s": 20.0, "pongs": False},
)
FILLS_LOST = {"dial": "frame_lost", "probability": 0.5, "match": {"topic": "execution"}}
EARLY_STOP = (Order(0.03, "kill", {"level": "HALT_NEW", "reason": "an exercise"}),)

FOUND = (
    Bug(reduction_cut_by_the_venue_stays_open, ("I-21",), busy("monkey", venue="bybit")),
    Bug(refused_cancel_is_forgotten, ("I-21",), busy("maker", **dials(CLOCK_JUMPS))),
    Bug(lost_cancel_is_forgotten, ("I-21",), busy("maker", **dials(CANCELS_LOST))),
    Bug(lost_login_is_waited_for, ("I-21",), busy("takers", venue="bybit", **dials(*LOGIN_STALLS))),
    Bug(
        durations_are_measured_by_the_wall_clock,
        UNEXPLAINED,
        busy("takers", skews=((3.0, 3_600.0), (9.0, 0.0)), **dials(ORDERS_LOST)),
    ),
    Bug(level_of_the_file_is_not_journaled, ("I-10",), busy("takers", orders=EARLY_STOP)),
    Bug(garbage_is_a_yes, UNEXPLAINED, busy("maker", **dials(NAMELESS))),
    Bug(closing_by_the_venue_is_nobodys, ("I-01", *UNEXPLAINED), busy("takers", **dials(POOR))),
    Bug(
        order_ends_before_its_fill_is_told,
        ("I-14",),
        busy("monkey", venue="bybit", **dials(FILLS_LOST)),
    ),
    Bug(fees_are_left_out, ("I-01",), busy("takers")),
    Bug(old_data_is_good_enough, ("I-12",), busy("takers", venue="bybit", **dials(BOOK_STALLS))),
    Bug(price_is_a_tick_off, ("I-04", "I-21"), busy("maker", venue="bybit")),
    Bug(unknown_order_is_forgotten, UNEXPLAINED, busy("takers", **dials(LATE))),
)
