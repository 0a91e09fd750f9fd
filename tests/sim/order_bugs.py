# SPDX-License-Identifier: Apache-2.0
"""Bugs about orders under way, planted on purpose: in what is sent, in what an answer is taken for,
in what is looked for and in what is believed to have traded. Each is one function that patches the
product until the patch is undone; its sentence names the failure that it brings back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import wraps
from typing import Any

import msgspec
import pytest

from hean.core.types import OrderApproved, OrderCancelled, OrderType, Side
from hean.errors import HeanError, VenueRefused
from hean.execution.orders import OrderManager
from hean.live.engine import LiveEngine
from hean.venues import binance, bybit
from hean.venues.binance_usdm import BinanceUsdmCodec
from hean.venues.bybit import BybitCodec
from hean.venues.dispatch import Dispatch, Flight
from hean.venues.gateway import Gateway
from hean.venues.outcomes import Outcome, Verdict, binance_verdict, bybit_verdict
from hean.venues.private import PrivateStream
from hean.venues.reports import Execution, Listing, OrderReport, Tracked
from hean.venues.resolution import Resolution
from hean.venues.search import Search
from hean.venues.tracking import OrderTracker

Patch = pytest.MonkeyPatch
ZERO = Decimal(0)


def _as_sent(order: Tracked, order_id: str) -> OrderApproved:
    """The order once more, as far as its gateway remembers it."""
    kind = OrderType.MARKET if order.price is None else OrderType.LIMIT
    return OrderApproved(
        order.symbol,
        order.side,
        order.size,
        kind,
        order.price,
        order_id,
        reduce_only=order.reduce_only,
        strategy_id=order.strategy_id,
    )


# ---------------------------------------------------------------- what is sent


def order_leaves_twice(patch: Patch) -> None:
    """Every order goes over the socket two times."""
    sent = Dispatch.sent

    def twice(self: Dispatch, flight: Flight, request_id: str, frame: bytes) -> bool:
        left = sent(self, flight, request_id, frame)
        if left and flight.kind == "submit" and self._connection is not None:
            self._connection.send(frame)
        return left

    patch.setattr(Dispatch, "sent", twice)


def lost_order_is_sent_again(patch: Patch) -> None:
    """A request without an answer is repeated: the double order after a read timeout."""
    lost = Gateway.lost

    def again(self: Gateway, flight: Flight) -> None:
        lost(self, flight)
        order = flight.order
        if flight.kind == "submit" and not order.is_conditional and self._sending is not None:
            self._sending("submit", (order,), None, None)
            call = self.codec.submit_call(_as_sent(order, order.order_id))
            self.dispatch.send_by_rest(flight, call)

    patch.setattr(Gateway, "lost", again)


def lost_order_is_made_anew(patch: Patch) -> None:
    """A request without an answer is replaced by another order, which nobody has approved."""
    lost = Gateway.lost

    def anew(self: Gateway, flight: Flight) -> None:
        lost(self, flight)
        order = flight.order
        if flight.kind == "submit" and not order.is_conditional:
            self.submit(_as_sent(order, f"{order.order_id}r"))

    patch.setattr(Gateway, "lost", anew)


def reduce_only_is_dropped(patch: Patch) -> None:
    """The order leaves without the word that it may only reduce."""
    text = BybitCodec._order_text

    def without(self: BybitCodec, approved: OrderApproved) -> str:
        return text(self, approved).replace(',"reduceOnly":true', "")

    patch.setattr(BybitCodec, "_order_text", without)


def quantity_goes_through_float(patch: Patch) -> None:
    """A size takes the way over a float of few digits, and another one leaves."""
    text = BybitCodec._order_text

    def rounded(self: BybitCodec, approved: OrderApproved) -> str:
        size = type(approved.size)(f"{float(approved.size):.1g}")
        return text(self, msgspec.structs.replace(approved, size=size))

    patch.setattr(BybitCodec, "_order_text", rounded)


def sides_are_swapped(patch: Patch) -> None:
    """What was to be bought is sold."""

    text = BybitCodec._order_text

    def swapped(self: BybitCodec, approved: OrderApproved) -> str:
        side = Side.SELL if approved.side is Side.BUY else Side.BUY
        return text(self, msgspec.structs.replace(approved, side=side))

    patch.setattr(BybitCodec, "_order_text", swapped)


# ---------------------------------------------------------------- what an answer means


def timeout_is_a_refusal(patch: Patch) -> None:
    """An order without an answer is taken for rejected while it lives."""
    lost = Gateway.lost

    def refused(self: Gateway, flight: Flight) -> None:
        if flight.kind == "submit":
            self.tracker.refused(flight.order, VenueRefused, "no answer in time")
        else:
            lost(self, flight)

    patch.setattr(Gateway, "lost", refused)


def server_error_is_a_refusal(patch: Patch) -> None:
    """A 5xx, and every code for an outcome that nobody knows, is read as a no."""

    def certain(verdict: Verdict) -> Verdict:
        is_unknown = verdict.outcome is Outcome.UNKNOWN
        return replace(verdict, outcome=Outcome.NO, error=VenueRefused) if is_unknown else verdict

    def of_bybit(*given: Any, **named: Any) -> Verdict:
        return certain(bybit_verdict(*given, **named))

    def of_binance(*given: Any, **named: Any) -> Verdict:
        return certain(binance_verdict(*given, **named))

    patch.setattr(bybit, "bybit_verdict", of_bybit)
    patch.setattr(binance, "binance_verdict", of_binance)


def not_found_is_cancelled(patch: Patch) -> None:
    """A cancel that does not find its order is taken for done."""

    def ended(self: Resolution, order: Tracked) -> None:
        if not order.is_ended:
            self.tracker._end(order)
            left = order.size - order.filled
            self._emit(OrderCancelled(order.order_id, "not found", order.symbol, left))

    patch.setattr(Resolution, "not_found", ended)


# ---------------------------------------------------------------- what is looked for


def absent_after_one_look(patch: Patch) -> None:
    """One look that finds nothing proves that the order is not there."""

    async def once(self: Search, case: Any) -> bool:
        self._tracker.absent(case.order, "it was not found")
        return True

    patch.setattr(Search, "_is_absent", once)


def failed_look_is_absence(patch: Patch) -> None:
    """A list that could not be read is taken for an empty one."""
    shown = Search._is_shown

    async def nothing(self: Search, case: Any) -> bool:
        case.doubt = ""
        is_shown = await shown(self, case)
        if case.doubt.startswith("the last look failed"):
            self._tracker.absent(case.order, "the list is empty")
            return True
        return is_shown

    patch.setattr(Search, "_is_shown", nothing)


def quarantine_ages_out(patch: Patch) -> None:
    """What nobody could find for a while is given up, and counts no more."""
    tell = Search._tell

    def forget(self: Search, case: Any) -> None:
        tell(self, case)
        if case.pauses >= 4:
            self._tracker.absent(case.order, "it is too old")

    patch.setattr(Search, "_tell", forget)


def unknown_order_counts_nothing(patch: Patch) -> None:
    """An order without an answer is left out of what is exposed."""

    @wraps(OrderManager.on_unknown)
    def let_go(self: OrderManager, event: Any) -> None:
        self._apply(event, lambda: self.engine.on_cancelled(event.data.order_id, event.ts_ns))

    patch.setattr(OrderManager, "on_unknown", let_go)


def failed_position_reading_is_flat(patch: Patch) -> None:
    """Positions that could not be read are taken for none."""
    for codec in (BybitCodec, BinanceUsdmCodec):
        _flat_when_failing(patch, codec)


def _flat_when_failing(patch: Patch, codec: Any) -> None:
    positions = codec.positions

    async def flat(self: Any, ask: Any) -> Any:
        try:
            return await positions(self, ask)
        except HeanError:
            return Listing(())

    patch.setattr(codec, "positions", flat)


# ---------------------------------------------------------------- what has traded


def reading_counts_fills_again(patch: Patch) -> None:
    """What is read after a reconnect is not recognised as what the stream told before."""
    merge = OrderTracker.merge

    def anew(
        self: OrderTracker,
        reports: Iterable[OrderReport],
        executions: Iterable[Execution],
        found_ns: int = 0,
    ) -> None:
        again = [replace(each, exec_id=f"{each.exec_id}r") for each in executions]
        merge(self, reports, again, found_ns)

    patch.setattr(OrderTracker, "merge", anew)


def repeated_frame_counts_again(patch: Patch) -> None:
    """Every frame of the stream is believed to tell something new."""
    execution = OrderTracker.execution

    def anew(self: OrderTracker, seen: Execution, found_ns: int = 0) -> None:
        number = 0
        while self.has_seen(replace(seen, exec_id=f"{seen.exec_id}{'r' * number}")):
            number += 1
        execution(self, replace(seen, exec_id=f"{seen.exec_id}{'r' * number}"), found_ns)

    patch.setattr(OrderTracker, "execution", anew)


def fills_go_through_float(patch: Patch) -> None:
    """The quantity of a fill takes the way over a float and is another one afterwards."""
    execution = OrderTracker.execution

    def floated(self: OrderTracker, seen: Execution, found_ns: int = 0) -> None:
        execution(self, replace(seen, quantity=Decimal(float(seen.quantity))), found_ns)

    patch.setattr(OrderTracker, "execution", floated)


def nothing_is_read_after_a_hole(patch: Patch) -> None:
    """What the stream left out is not taken from the reading that follows."""
    patch.setattr(PrivateStream, "_merge", lambda self, reports, executions: None)


def fills_of_the_dead_time_are_lost(patch: Patch) -> None:
    """What traded while no process was there is not asked for."""
    patch.setattr(PrivateStream, "resume", lambda self, since_ns, first_ns: None)


def orders_are_forgotten_at_restart(patch: Patch) -> None:
    """A new process does not know what its predecessor left open."""
    restore = Gateway.restore

    def without(self: Gateway, orders: Any, *given: Any, **named: Any) -> None:
        restore(self, (), *given, **named)

    patch.setattr(Gateway, "restore", without)


def executions_are_forgotten_at_restart(patch: Patch) -> None:
    """A new process does not know which executions its predecessor has told."""
    restore = Gateway.restore

    def without(self: Gateway, orders: Any, seen: Any, *given: Any, **named: Any) -> None:
        restore(self, orders, (), *given, **named)

    patch.setattr(Gateway, "restore", without)


def zombie_goes_on(patch: Patch) -> None:
    """A process that sees the orders of its successor sends on."""
    build = LiveEngine._build

    def deaf(self: LiveEngine, *given: Any) -> None:
        build(self, *given)
        self.gateway.resolution.strangers.met = lambda seen: None  # type: ignore[method-assign]

    patch.setattr(LiveEngine, "_build", deaf)
