# SPDX-License-Identifier: Apache-2.0
"""The router: one approval, one order, these very fields."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from desk import BTC, ETH, INSTRUMENTS, START_NS, Desk, Notebook
from hean._core import OrderEngine
from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.module import Context
from hean.core.types import (
    CancelRequest,
    Event,
    EventType,
    OrderApproved,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from hean.errors import AlreadyApproved, LimitBreached, ParameterInvalid, TicketInvalid
from hean.execution.router import ExecutionRouter


def approval(order_id: str, size: str = "0.1", **fields: Any) -> OrderApproved:
    return OrderApproved(BTC, Side.BUY, Decimal(size), order_id=order_id, **fields)


class Alone:
    """A process with a router and no governor: whoever approves is alone."""

    def __init__(self, **limits: str) -> None:
        self.clock = SimClock(START_NS)
        self.bus = EventBus(clock=self.clock)
        self.engine = OrderEngine(list(INSTRUMENTS.values()), limits, unlimited=True)
        self.engine.set_mark(BTC, 60_000.0, START_NS)
        self.venue = Notebook()
        self.rejected: list[Event] = []
        self.bus.subscribe(EventType.ORDER_REJECTED, self.rejected.append)
        router = ExecutionRouter(self.engine, self.venue, accepts_unticketed=True)
        router.attach(self.bus, Context(self.bus, self.clock))


@pytest.mark.promise(15)
@pytest.mark.promise(43)
def test_an_approved_order_reaches_the_venue_whole() -> None:
    desk = Desk()
    order_id = desk.ask(
        "0.1", type=OrderType.LIMIT, price=Decimal(59_000), time_in_force=TimeInForce.POST_ONLY
    )
    (sent,) = desk.venue.sent
    assert (sent.order_id, sent.price, sent.time_in_force) == (order_id, 59_000, "POST_ONLY")
    assert desk.engine.status(order_id) == "SENT"


def test_the_same_approval_twice_is_sent_once() -> None:
    desk = Desk()
    order_id = desk.ask("0.1")
    (approved,) = desk.of(EventType.ORDER_APPROVED)
    desk.say(approved)
    assert [order.order_id for order in desk.venue.sent] == [order_id]
    (rejected,) = desk.of(EventType.ORDER_REJECTED)
    assert (rejected.code, rejected.source) == (TicketInvalid.code, "router")


@pytest.mark.promise(14)
def test_with_a_governor_an_approval_without_ticket_is_refused() -> None:
    """Even for an order that policy refused, which the hard limits alone would let pass."""
    desk = Desk()
    desk.system.governor.add_check(lambda request: "not today", name="calendar")
    order_id = desk.ask("0.1")
    desk.say(approval(order_id))
    assert desk.venue.sent == []
    assert [r.code for r in desk.of(EventType.ORDER_REJECTED)] == [2105, TicketInvalid.code]


@pytest.mark.promise(14)
def test_with_a_governor_a_stray_second_approval_adds_no_order() -> None:
    """Method: a check that approves everything stands beside the governor, before and after."""
    desk = Desk()

    def approve_all(event: Event) -> None:
        desk.bus.emit(Event(EventType.ORDER_APPROVED, event.data))

    desk.bus.subscribe(EventType.ORDER_REQUEST, approve_all)
    first = desk.ask("0.1")
    assert [order.order_id for order in desk.venue.sent] == [first]
    assert [r.source for r in desk.of(EventType.ORDER_REJECTED)] == ["router"]
    assert desk.engine.exposure(BTC)["open_buy"] == Decimal("0.1")


@pytest.mark.parametrize(
    "change",
    [
        {"size": Decimal(10)},
        {"side": Side.SELL},
        {"symbol": ETH},
        {"type": OrderType.LIMIT},
        {"price": Decimal(60_000)},
        {"price": None},
        {"trigger_price": Decimal(60_000)},
        {"reduce_only": True},
        {"time_in_force": TimeInForce.IOC},
    ],
)
def test_a_ticket_is_good_for_the_approved_fields_only(change: dict[str, Any]) -> None:
    desk = Desk()
    fields: dict[str, Any] = {
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "size": Decimal("0.1"),
    }
    if "type" in change or change == {"price": Decimal(60_000)}:
        fields["type"] = OrderType.MARKET
    price = Decimal(59_000) if fields["type"] is OrderType.LIMIT else None
    now_ns = desk.clock.now_ns
    desk.engine.set_mark(BTC, 60_000.0, now_ns)
    desk.engine.set_equity(10_000)
    ticket = desk.engine.approve("h0-t-1", BTC, price=price, now_ns=now_ns, **fields)
    true = OrderApproved(BTC, price=price, order_id="h0-t-1", ticket=ticket, **fields)
    desk.say(msgspec.structs.replace(true, **change))
    assert desk.venue.sent == []
    assert desk.of(EventType.ORDER_REJECTED)[0].code == TicketInvalid.code
    desk.say(true)
    assert desk.venue.sent == [true]


def test_a_ticket_of_another_order_is_refused() -> None:
    desk = Desk()
    now_ns = desk.clock.now_ns
    desk.engine.set_mark(BTC, 60_000.0, now_ns)
    desk.engine.set_equity(10_000)
    first, second = (
        desk.engine.approve(name, BTC, side="BUY", type="MARKET", size="0.1", now_ns=now_ns)
        for name in ("h0-t-1", "h0-t-2")
    )
    desk.say(approval("h0-t-1", ticket=second), approval("h0-t-3", ticket=first))
    assert desk.venue.sent == []
    assert len(desk.of(EventType.ORDER_REJECTED)) == 2


def test_an_approval_that_waited_too_long_is_refused() -> None:
    desk = Desk()
    now_ns = desk.clock.now_ns
    desk.engine.set_mark(BTC, 60_000.0, now_ns)
    desk.engine.set_equity(10_000)
    ticket = desk.engine.approve(
        "h0-t-1", BTC, side="BUY", type="MARKET", size="0.1", now_ns=now_ns
    )
    desk.clock.now_ns += 250_000_001
    desk.say(approval("h0-t-1", ticket=ticket))
    assert desk.venue.sent == []
    assert desk.engine.exposure(BTC)["open_buy"] == 0


@pytest.mark.promise(14)
def test_alone_a_ticketless_approval_passes_the_hard_limits_and_is_sent_once() -> None:
    alone = Alone(order_value_max="30000", collar_fraction="0.01")
    alone.bus.drain((approval("h0-t-1"), approval("h0-t-1"), approval("h0-t-2", "0.6")))
    assert [order.order_id for order in alone.venue.sent] == ["h0-t-1"]
    codes = [event.data.code for event in alone.rejected]
    assert codes == [AlreadyApproved.code, LimitBreached.code]


@pytest.mark.promise(14)
def test_alone_an_approval_without_reference_price_is_refused() -> None:
    alone = Alone(leverage_max="3")
    alone.bus.drain((OrderApproved(ETH, Side.BUY, Decimal(1), order_id="h0-t-1"),))
    assert alone.venue.sent == []
    assert alone.rejected[0].data.code == 2104


def test_an_order_to_be_sliced_is_refused_and_gives_back_what_it_held() -> None:
    desk = Desk()
    desk.ask("0.1", algo="twap")
    assert desk.venue.sent == []
    assert desk.of(EventType.ORDER_REJECTED)[0].code == ParameterInvalid.code
    desk.engine.expire_tickets(desk.clock.now_ns + 250_000_001)
    assert desk.engine.exposure(BTC)["open_buy"] == 0


def limit(desk: Desk, symbol: str, strategy_id: str) -> str:
    price = Decimal(59_000) if symbol == BTC else Decimal(2_900)
    return desk.ask(
        "0.1", symbol=symbol, strategy_id=strategy_id, type=OrderType.LIMIT, price=price
    )


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"order_id": "b"}, "b"),
        ({"symbol": BTC}, "ab"),
        ({"strategy_id": "one"}, "ac"),
        ({"symbol": ETH, "strategy_id": "one"}, "c"),
        ({"symbol": ETH, "strategy_id": "three"}, ""),
        ({}, "abcd"),
    ],
)
def test_a_cancel_goes_to_every_open_order_that_matches(
    request_: dict[str, str], expected: str
) -> None:
    desk = Desk()
    ids = {
        "a": limit(desk, BTC, "one"),
        "b": limit(desk, BTC, "two"),
        "c": limit(desk, ETH, "one"),
        "d": limit(desk, ETH, "two"),
    }
    if "order_id" in request_:
        request_ = {"order_id": ids[request_["order_id"]]}
    desk.say(CancelRequest(**request_))
    assert sorted(desk.venue.cancels) == sorted(ids[letter] for letter in expected)


@pytest.mark.parametrize("level", ["HALT_NEW", "LOCKED"])
def test_a_cancel_passes_every_halt(level: str) -> None:
    desk = Desk()
    order_id = limit(desk, BTC, "one")
    desk.engine.halt(level)
    desk.say(CancelRequest(order_id))
    assert desk.venue.cancels == [order_id]


def test_a_cancel_of_an_unknown_or_closed_order_is_harmless() -> None:
    desk = Desk()
    order_id = desk.ask("0.1")
    desk.fill(order_id, "0.1", "e1")
    before = desk.engine.canonical_bytes()
    desk.say(CancelRequest(order_id), CancelRequest("h0-never-1"), CancelRequest(symbol=BTC))
    assert desk.venue.cancels == []
    assert desk.engine.canonical_bytes() == before
    assert desk.of(EventType.ERROR) == []


def test_a_halt_between_approval_and_sending_stops_the_order() -> None:
    desk = Desk()
    desk.bus.tap(
        lambda event: (
            desk.engine.halt("HALT_NEW") if event.event_type is EventType.ORDER_APPROVED else None
        )
    )
    desk.say(OrderRequest(BTC, Side.BUY, Decimal("0.1"), order_id="h0-t-1"))
    assert desk.venue.sent == []
    assert desk.engine.status("h0-t-1") == "CANCELLED"
