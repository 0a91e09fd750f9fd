# SPDX-License-Identifier: Apache-2.0
"""Sliced orders through the whole door: the parent holds, its slices trade, the desk tells the
end. The venue is a notebook, so that every answer is the test's.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from desk import BTC, INSTRUMENTS, Desk, Slicer
from hean.core.types import (
    AmendRequest,
    CancelRequest,
    EventType,
    KillswitchTriggered,
    OrderAbsent,
    OrderAmended,
    OrderApproved,
    OrderRejected,
    OrderType,
    OrderUnknown,
    Side,
    Tick,
)
from hean.errors import LimitBreached, ParameterInvalid, StateError
from hean.execution.slicing import Algorithm, Move, View, Wish

TWAP = "twap:duration=100s,slices=10,jitter=0,vary=0"


def desk_with(**given: object) -> Desk:
    desk = Desk(strategy=Slicer(tuple(INSTRUMENTS)), **given)  # type: ignore[arg-type]
    desk.say(Tick(BTC, 60_000.0, 0.0, 0, 60_000.0, 60_000.1))
    return desk


def whole(desk: Desk, side: Side = Side.BUY, **fields: object) -> str:
    """Ask for a tenth under an id that no slice will get."""
    return desk.ask("0.1", side, order_id=f"whole-{len(desk.events)}", **fields)


def fill_all(desk: Desk) -> None:
    """What is open at the venue fills whole."""
    for order in list(desk.venue.sent):
        if desk.engine.status(order.order_id) in ("SENT", "WORKING", "UNKNOWN"):
            desk.fill(order.order_id, str(order.size), f"x-{order.order_id}")


def ends(desk: Desk, order_id: str) -> list[tuple[str, Decimal]]:
    cancels = desk.of(EventType.ORDER_CANCELLED)
    return [(end.source, end.remaining_qty) for end in cancels if end.order_id == order_id]


class AllAtOnce(Algorithm):
    """An algorithm of somebody else's."""

    name = "once"

    def move(self, view: View) -> Move:
        return Move(send=(Wish(view.free),), is_over=not view.free)


@pytest.mark.promise(16)
def test_an_algorithm_of_ones_own_works_through_the_same_door() -> None:
    desk = desk_with()
    assert desk.system.desk is not None
    desk.system.desk.add(AllAtOnce)
    parent = whole(desk, algo="once")
    assert [order.size for order in desk.venue.sent] == [Decimal("0.1")]
    assert desk.held()[0] == 0, "only the venue says what has filled"
    fill_all(desk)
    assert desk.engine.status(parent) == "FILLED"
    with pytest.raises(ParameterInvalid, match="name of its own"):
        desk.system.desk.add(AllAtOnce)


@pytest.mark.promise(204)
def test_a_parent_is_judged_whole_never_sent_and_ends_with_its_sum() -> None:
    desk = desk_with()
    parent = whole(desk, algo=TWAP)
    assert desk.venue.sent == []
    assert desk.engine.exposure(BTC)["open_buy"] == Decimal("0.1")
    for second in range(100):
        desk.wait(1)
        fill_all(desk)
        assert desk.engine.exposure(BTC)["open_buy"] + desk.held()[0] == Decimal("0.1"), second
    assert [order.size for order in desk.venue.sent] == [Decimal("0.01")] * 10
    assert {order.parent_id for order in desk.venue.sent} == {parent}
    assert desk.engine.status(parent) == "FILLED"
    assert ends(desk, parent) == [("desk", Decimal(0))]
    assert desk.held() == (Decimal("0.1"), Decimal("0.1"))
    assert desk.engine.get(parent)["avg_price"] == 60_000
    assert desk.open_ids() == set()


def test_a_limit_parent_never_pays_more_than_its_price() -> None:
    desk = desk_with()
    whole(desk, type=OrderType.LIMIT, price=Decimal(60_100), algo=TWAP)
    desk.wait(6)
    (order,) = desk.venue.sent
    assert (order.type, order.price, order.time_in_force) == ("LIMIT", 60_100, "IOC")


def test_slices_pass_the_rates_and_the_collar_afresh() -> None:
    """The second slice of a second is refused, and what it missed is caught up."""
    desk = desk_with(limits={"orders_per_second_max": "2"})
    whole(desk, algo="twap:duration=1s,slices=4,jitter=0,vary=0")
    for _ in range(40):
        desk.wait(0.1)
        fill_all(desk)
    assert [r.code for r in desk.of(EventType.ORDER_REJECTED)][:1] == [LimitBreached.code]
    assert desk.held()[0] == Decimal("0.1")


def test_a_cancel_of_the_parent_asks_its_slices_back_and_ends_after_them() -> None:
    desk = desk_with()
    parent = whole(desk, algo=TWAP + ",rest=true")
    desk.wait(6)
    (child,) = desk.venue.sent
    desk.place(child.order_id)
    desk.say(CancelRequest(parent, BTC, "enough"))
    assert desk.venue.cancels == [child.order_id]
    assert ends(desk, parent) == []
    desk.fill(child.order_id, "0.004", "late")
    desk.cancelled(child.order_id)
    assert ends(desk, parent) == [("desk", Decimal("0.096"))]
    order = desk.engine.get(parent)
    assert (order["status"], order["filled_qty"]) == ("CANCELLED", Decimal("0.004"))
    desk.wait(200)
    assert len(desk.venue.sent) == 1
    assert desk.engine.exposure(BTC)["open_buy"] == 0


def test_a_wide_cancel_stops_parents_as_well() -> None:
    desk = desk_with()
    parent = whole(desk, algo=TWAP)
    desk.say(CancelRequest("", BTC, "all of it"))
    assert ends(desk, parent) == [("desk", Decimal("0.1"))]
    assert desk.venue.cancels == []


@pytest.mark.parametrize("level", ["HALT_NEW", "CANCEL_ALL", "FLATTEN", "LOCKED"])
def test_the_kill_switch_stops_slices(level: str) -> None:
    desk = desk_with()
    parent = whole(desk, algo=TWAP)
    desk.say(KillswitchTriggered("test", 0, level))
    desk.wait(200)
    assert desk.venue.sent == []
    assert ends(desk, parent) == [("desk", Decimal("0.1"))]


def test_what_only_reduces_goes_on_at_the_lowest_level_of_the_kill_switch() -> None:
    desk = desk_with()
    desk.fill(desk.ask("0.1"), "0.1", "first")
    parent = whole(desk, Side.SELL, reduce_only=True, algo=TWAP)
    desk.say(KillswitchTriggered("test", 0, "HALT_NEW"))
    for _ in range(100):
        desk.wait(1)
        fill_all(desk)
    assert desk.engine.status(parent) == "FILLED"
    assert all(order.reduce_only for order in desk.venue.sent[1:])
    assert desk.held() == (0, 0)


def test_an_unknown_slice_keeps_what_it_drew_until_it_is_resolved() -> None:
    desk = desk_with()
    parent = whole(desk, algo="twap:duration=10s,slices=1,jitter=0")
    desk.wait(6)
    (child,) = desk.venue.sent
    desk.say(OrderUnknown(child.order_id, 0, BTC))
    desk.wait(60)
    assert len(desk.venue.sent) == 1
    assert ends(desk, parent) == []
    desk.say(OrderAbsent(child.order_id, "three looks", BTC))
    desk.wait(2)
    assert [order.size for order in desk.venue.sent] == [Decimal("0.1")] * 2
    fill_all(desk)
    assert desk.held()[0] == Decimal("0.1")


def test_refusals_in_a_row_stop_a_parent_with_the_last_reason() -> None:
    desk = desk_with()
    parent = whole(desk, algo="iceberg", type=OrderType.LIMIT, price=Decimal(59_000))
    for _ in range(60):
        desk.wait(1)
        for order in desk.venue.sent:
            if desk.engine.status(order.order_id) == "SENT":
                desk.say(OrderRejected(order.order_id, "no coins", 4201, "venue", BTC))
    assert len(desk.venue.sent) == 20
    (end,) = [e for e in desk.of(EventType.ORDER_CANCELLED) if e.order_id == parent]
    assert "20 slices refused in a row, the last: no coins" in end.reason


def test_a_refused_cancel_is_asked_for_again() -> None:
    desk = desk_with()
    whole(desk, algo="chaser:duration=5s,finish=leave")
    (child,) = desk.venue.sent
    desk.place(child.order_id)
    desk.wait(5)
    desk.say(OrderRejected(child.order_id, "busy", 4301, "venue-request", BTC))
    desk.wait(2)
    assert desk.venue.cancels == [child.order_id] * 2


def test_a_chaser_amends_its_quote() -> None:
    desk = desk_with()
    whole(desk, algo="chaser:away=1,pause=1s")
    (child,) = desk.venue.sent
    assert (child.price, child.time_in_force) == (60_000, "POST_ONLY")
    desk.place(child.order_id)
    desk.wait(2)
    desk.say(Tick(BTC, 60_010.0, 0.0, 0, 60_010.0, 60_010.1))
    assert desk.venue.amends == [(child.order_id, Decimal(60_010), Decimal("0.1"))]
    size = Decimal("0.1")
    desk.say(OrderAmended(child.order_id, Decimal(60_010), size, size, BTC))
    assert desk.engine.get(child.order_id)["price"] == 60_010
    fill_all(desk)
    assert desk.held()[0] == size


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"algo": "twip"}, "nearest twap"),
        ({"algo": "twap:slises=3"}, "nearest slices"),
        ({"algo": "iceberg"}, "LIMIT"),
        ({"algo": TWAP, "type": OrderType.STOP, "trigger_price": Decimal(61_000)}, "MARKET or LIM"),
    ],
)
def test_what_cannot_be_sliced_is_refused_and_holds_nothing(
    fields: dict[str, object], words: str
) -> None:
    desk = desk_with()
    whole(desk, **fields)
    (rejected,) = desk.of(EventType.ORDER_REJECTED)
    assert (rejected.code, rejected.source) == (ParameterInvalid.code, "router")
    assert words in rejected.reason
    assert desk.engine.exposure(BTC)["open_buy"] == 0
    assert desk.venue.sent == []


def test_without_a_desk_an_algorithm_is_refused() -> None:
    desk = Desk()
    whole(desk, algo=TWAP)
    (rejected,) = desk.of(EventType.ORDER_REJECTED)
    assert "slices = True" in rejected.reason
    with pytest.raises(StateError, match="slices = True"):
        desk.strategy.enter(BTC, Side.BUY, algo=TWAP)


def test_an_approval_to_slice_cannot_be_sent_whole_nor_the_other_way() -> None:
    desk = desk_with()
    for algo, other in ((TWAP, None), (None, TWAP)):
        desk.engine.set_mark(BTC, 60_000.0, desk.clock.now_ns)
        desk.engine.set_equity(10_000)
        order_id = f"h0-swap-{len(desk.events)}"
        ticket = desk.engine.approve(
            order_id,
            BTC,
            side="BUY",
            type="MARKET",
            size="0.1",
            now_ns=desk.clock.now_ns,
            is_sliced=algo is not None,
        )
        approved = OrderApproved(
            BTC, Side.BUY, Decimal("0.1"), order_id=order_id, algo=other, ticket=ticket
        )
        desk.say(approved)
        assert desk.venue.sent == []
        assert "other fields" in desk.of(EventType.ORDER_REJECTED)[-1].reason


def test_a_parent_keeps_its_terms() -> None:
    desk = desk_with()
    parent = whole(desk, algo=TWAP)
    desk.wait(6)
    fill_all(desk)
    desk.say(AmendRequest(parent, None, Decimal("0.2"), BTC))
    (rejected,) = desk.of(EventType.AMEND_REJECTED)
    assert "keeps its terms" in rejected.reason
    assert desk.venue.amends == []


def test_a_strategy_waits_for_its_sliced_order_and_knows_what_it_got() -> None:
    desk = desk_with()
    desk.strategy.enter(BTC, Side.BUY, size=Decimal("0.1"), algo=TWAP)
    desk.say()
    for _ in range(94):
        assert desk.strategy.is_waiting(BTC)
        desk.wait(1)
        fill_all(desk)
    desk.wait(1)
    fill_all(desk)
    assert not desk.strategy.is_waiting(BTC)
    assert desk.strategy.position[BTC] == Decimal("0.1")
    desk.strategy.leave(BTC, algo=TWAP)
    desk.say()
    for _ in range(101):
        desk.wait(1)
        fill_all(desk)
    assert desk.strategy.position[BTC] == 0
    assert not desk.strategy.is_waiting(BTC)
