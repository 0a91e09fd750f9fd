# SPDX-License-Identifier: Apache-2.0
"""Bugs about amendments, planted on purpose. Each is one function that patches the product until the
patch is undone; its sentence names the failure that it brings back.
"""

from __future__ import annotations

from decimal import Decimal
from functools import wraps
from typing import Any

import pytest

from hean.core.types import Event, EventType
from hean.errors import OutcomeUnknown
from hean.execution.orders import OrderManager
from hean.execution.router import ExecutionRouter
from hean.live.recovery import Books
from hean.venues.bybit import BybitCodec
from hean.venues.dispatch import Dispatch, Flight
from hean.venues.gateway import Gateway
from hean.venues.reports import Tracked
from sim.bank import STEPS, Bug, busy, deaths, dials
from sim.record_bugs import fold_skips

Patch = pytest.MonkeyPatch


def amendment_leaves_twice(patch: Patch) -> None:
    """Every amendment goes over the socket two times."""
    sent = Dispatch.sent

    def twice(self: Dispatch, flight: Flight, request_id: str, frame: bytes) -> bool:
        left = sent(self, flight, request_id, frame)
        if left and flight.kind == "amend" and self._connection is not None:
            self._connection.send(frame)
        return left

    patch.setattr(Dispatch, "sent", twice)


def amendment_counts_nothing(patch: Patch) -> None:
    """What an amendment adds is not counted before the venue has answered."""
    handle = ExecutionRouter.on_amend_approved

    @wraps(handle)
    def let_go(self: ExecutionRouter, event: Event) -> None:
        handle(self, event)
        if self.engine.get(event.data.order_id)["amend_pending"]:
            self.engine.on_amend_rejected(event.data.order_id)

    patch.setattr(ExecutionRouter, "on_amend_approved", let_go)


def other_terms_leave(patch: Patch) -> None:
    """What leaves is not what was approved."""
    frame = BybitCodec.amend_frame

    def more(self: BybitCodec, order: Tracked, price: Decimal, size: Decimal, *rest: Any) -> bytes:
        return frame(self, order, price, size + Decimal("0.001"), *rest)

    patch.setattr(BybitCodec, "amend_frame", more)


def lost_amendment_is_a_refusal(patch: Patch) -> None:
    """An amendment without an answer is taken for refused while it is still on its way."""
    lost = Gateway.lost

    def refused(self: Gateway, flight: Flight) -> None:
        lost(self, flight)
        if flight.kind == "amend" and flight.order.wanted is flight.wanted:
            self.tracker.amend_refused(flight.order, OutcomeUnknown, "no answer in time")

    patch.setattr(Gateway, "lost", refused)


def terms_of_the_venue_are_not_adopted(patch: Patch) -> None:
    """The engine goes on with the terms that it wanted at first."""

    @wraps(OrderManager.on_amended)
    def deaf(self: OrderManager, event: Event) -> None:
        """Nothing."""

    patch.setattr(OrderManager, "on_amended", deaf)


def ended_order_gets_no_answer(patch: Patch) -> None:
    """An amendment of an order that has just ended was dropped without a word, and the order stayed
    open in the engine for ever."""
    amend = Gateway.amend

    def silent(self: Gateway, order_id: str, **terms: Any) -> None:
        order = self.tracker.get(order_id)
        if order is not None and not order.is_ended:
            amend(self, order_id, **terms)

    patch.setattr(Gateway, "amend", silent)


def fold_skips_amendments(patch: Patch) -> None:
    """A restart does not take the rows of amended orders into account."""
    fold_skips(patch, EventType.ORDER_AMENDED)


def sent_amendment_is_forgotten_at_restart(patch: Patch) -> None:
    """An amendment that left and had no answer is taken for one that never left."""
    patch.setattr(Books, "_wanted", lambda self, order: None)
    sent = Books._sent

    def without(self: Books, row: Any, sent_ns: int) -> None:
        if row.verb != "amend":
            sent(self, row, sent_ns)

    patch.setattr(Books, "_sent", without)


LATE = {"dial": "timeout_late", "probability": 0.9, "delay_s": 6.0, "match": {"op": "amend"}}
AT_ENGINE = {**LATE, "held": "engine"}
ON_THE_WAY = {**LATE, "held": "network", "delay_s": 4.0}
STORM = {"dial": "fill_storm", "at_s": 3.0, "for_s": 20.0, "per_s": 5.0}
LONG = {"safety_steps": 3 * STEPS}

AMENDMENTS = (
    Bug(amendment_leaves_twice, ("I-04", "I-05"), busy("maker")),
    Bug(amendment_counts_nothing, ("I-14",), busy("maker")),
    Bug(other_terms_leave, ("I-04",), busy("maker", venue="bybit")),
    Bug(lost_amendment_is_a_refusal, ("I-14",), busy("maker", **LONG, **dials(AT_ENGINE))),
    Bug(terms_of_the_venue_are_not_adopted, ("I-14", "I-21", "I-22"), busy("maker", **LONG)),
    Bug(ended_order_gets_no_answer, ("I-21",), busy("maker", **LONG, **dials(STORM))),
    Bug(fold_skips_amendments, ("I-10",), busy("maker")),
    Bug(
        sent_amendment_is_forgotten_at_restart,
        ("I-14",),
        busy("maker", **LONG, **deaths(6, 900, 0.5), **dials(ON_THE_WAY)),
    ),
)
