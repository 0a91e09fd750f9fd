# SPDX-License-Identifier: Apache-2.0
"""Bugs about amendments, planted on purpose. Each is one function that patches the product until
the patch is undone; its sentence names the failure that it brings back.
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
from hean.venues.bybit import BybitCodec
from hean.venues.dispatch import Dispatch, Flight
from hean.venues.gateway import Gateway
from hean.venues.reports import Tracked
from sim.bank import STEPS, Bug, busy, dials
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


def fold_skips_amendments(patch: Patch) -> None:
    """A restart does not take the rows of amended orders into account."""
    fold_skips(patch, EventType.ORDER_AMENDED)


AT_ENGINE = {
    "dial": "timeout_late",
    "probability": 0.9,
    "delay_s": 6.0,
    "held": "engine",
    "match": {"op": "amend"},
}
LONG = {"safety_steps": 3 * STEPS}

AMENDMENTS = (
    Bug(amendment_leaves_twice, ("I-04", "I-05"), busy("maker")),
    Bug(amendment_counts_nothing, ("I-14",), busy("maker")),
    Bug(other_terms_leave, ("I-04",), busy("maker", venue="bybit")),
    Bug(lost_amendment_is_a_refusal, ("I-14",), busy("maker", **LONG, **dials(AT_ENGINE))),
    Bug(terms_of_the_venue_are_not_adopted, ("I-14", "I-21", "I-22"), busy("maker", **LONG)),
    Bug(fold_skips_amendments, ("I-10",), busy("maker")),
)
