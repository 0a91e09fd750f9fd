# SPDX-License-Identifier: Apache-2.0
"""What every strategy may rely on: its position, and protection that fits it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, ETH, Desk
from hean.core.types import (
    KillswitchTriggered,
    OrderAbsent,
    OrderApproved,
    OrderFilled,
    OrderRejected,
    OrderType,
    OrderUnknown,
    Side,
)

TENTH = Decimal("0.1")


def enter(
    desk: Desk,
    size: str = "0.1",
    side: Side = Side.BUY,
    stop: float | None = 59_000.0,
    target: float | None = 62_000.0,
) -> OrderApproved:
    """The entry order as the venue got it."""
    desk.strategy.enter(BTC, side, size=Decimal(size), stop_loss=stop, take_profit=target)
    desk.say()
    return desk.venue.sent[-1]


def resting(desk: Desk) -> list[tuple[str, str, Decimal, Decimal | None]]:
    """(type, side, size, price) of what the venue was sent and not asked to take back, without
    what was filled."""
    gone = set(desk.venue.cancels)
    return [
        (order.type.value, order.side.value, order.size, order.price or order.trigger_price)
        for order in desk.venue.sent
        if order.order_id not in gone
        and desk.engine.status(order.order_id) in ("SENT", "WORKING", "PARTIAL")
    ]


def test_an_entry_that_fills_gets_a_stop_and_a_target_that_only_reduce() -> None:
    desk = Desk()
    entry = enter(desk)
    assert resting(desk) == [("MARKET", "BUY", TENTH, None)]
    desk.fill(entry.order_id, "0.1", "e1")
    assert resting(desk) == [("STOP", "SELL", TENTH, 59_000), ("LIMIT", "SELL", TENTH, 62_000)]
    assert all(order.reduce_only for order in desk.venue.sent[1:])


def test_a_short_is_protected_on_the_other_side() -> None:
    desk = Desk()
    entry = enter(desk, side=Side.SELL, stop=61_000.0, target=58_000.0)
    desk.fill(entry.order_id, "0.1", "e1")
    assert resting(desk) == [("STOP", "BUY", TENTH, 61_000), ("LIMIT", "BUY", TENTH, 58_000)]


def test_an_entry_in_two_parts_ends_with_protection_of_the_whole() -> None:
    desk = Desk()
    entry = enter(desk)
    desk.fill(entry.order_id, "0.04", "e1")
    assert [size for _, side, size, _ in resting(desk) if side == "SELL"] == [Decimal("0.04")] * 2
    desk.wait(1)
    desk.fill(entry.order_id, "0.06", "e2")
    assert resting(desk) == [("STOP", "SELL", TENTH, 59_000), ("LIMIT", "SELL", TENTH, 62_000)]


def test_an_entry_in_many_parts_at_one_instant_uses_two_orders() -> None:
    """An entry that walks a book comes back in pieces; each as an own stop would run into the
    limit on orders a second and leave the position bare."""
    desk = Desk(limits={"orders_per_second_max": "10"})
    entry = enter(desk)
    desk.bus.drain(tuple(filled_piece(entry, "0.01", f"e{number}") for number in range(10)))
    desk.fire(desk.clock.now_ns)
    assert resting(desk) == [("STOP", "SELL", TENTH, 59_000), ("LIMIT", "SELL", TENTH, 62_000)]
    assert len(desk.venue.sent) == 3


def filled_piece(order: OrderApproved, qty: str, exec_id: str) -> OrderFilled:
    return OrderFilled(
        order.order_id, Decimal(60_000), Decimal(qty), BTC, order.side, exec_id=exec_id,
        strategy_id="hand",
    )  # fmt: skip


def test_a_stop_refused_for_the_order_rate_is_tried_again_a_second_later() -> None:
    desk = Desk(limits={"orders_per_second_max": "1"})
    entry = enter(desk)
    desk.ask("0.001", reduce_only=False, order_id="h0-busy-1")  # refused: one a second
    desk.fill(entry.order_id, "0.05", "e1")
    assert resting(desk)[1:] == [("STOP", "SELL", Decimal("0.05"), 59_000)]
    desk.fill(entry.order_id, "0.05", "e2")  # the same second: both are refused
    assert resting(desk) == []
    desk.wait(1.5)
    assert resting(desk) == [("STOP", "SELL", TENTH, 59_000), ("LIMIT", "SELL", TENTH, 62_000)]


def test_a_position_whose_stop_the_venue_refuses_twice_is_closed() -> None:
    desk = Desk()
    entry = enter(desk)
    desk.fill(entry.order_id, "0.1", "e1")
    for _ in range(2):
        stop = next(o for o in reversed(desk.venue.sent) if o.type is OrderType.STOP)
        desk.say(OrderRejected(stop.order_id, "beyond", 4106, "venue", BTC, "hand"))
        desk.wait(1.5)
    leaving = desk.venue.sent[-1]
    assert (leaving.type, leaving.side, leaving.size) == (OrderType.MARKET, Side.SELL, TENTH)
    assert leaving.reduce_only


def test_a_refused_target_leaves_the_stop_alone() -> None:
    desk = Desk()
    entry = enter(desk)
    desk.fill(entry.order_id, "0.1", "e1")
    target = desk.venue.sent[-1]
    desk.say(OrderRejected(target.order_id, "no", 4000, "venue", BTC, "hand"))
    desk.wait(2)
    assert resting(desk) == [("STOP", "SELL", TENTH, 59_000)]


def test_the_stop_that_fills_cancels_the_target() -> None:
    desk = Desk()
    entry = enter(desk)
    desk.fill(entry.order_id, "0.1", "e1")
    _, stop, target = desk.venue.sent
    desk.fill(stop.order_id, "0.1", "e2", price="59000")
    assert desk.venue.cancels == [target.order_id]
    assert resting(desk) == []
    assert desk.strategy.position[BTC] == 0


def test_the_target_that_fills_in_part_keeps_the_stop() -> None:
    desk = Desk()
    entry = enter(desk)
    desk.fill(entry.order_id, "0.1", "e1")
    _, stop, target = desk.venue.sent
    desk.fill(target.order_id, "0.04", "e2", price="62000")
    assert desk.venue.cancels == []
    desk.fill(target.order_id, "0.06", "e3", price="62000")
    assert desk.venue.cancels == [stop.order_id]


def test_stop_and_target_in_one_instant_leave_nothing_behind() -> None:
    """The venue fills the stop, and what the target took before its cancel arrived is cut to the
    position there; here the second fill comes although nothing was left."""
    desk = Desk()
    entry = enter(desk)
    desk.fill(entry.order_id, "0.1", "e1")
    _, stop, target = desk.venue.sent
    desk.bus.drain((filled_piece(stop, "0.06", "e2"), filled_piece(target, "0.04", "e3")))
    assert desk.held() == (0, 0)
    assert desk.strategy.position[BTC] == 0
    assert set(desk.venue.cancels) == {stop.order_id, target.order_id}


def test_a_reversed_position_gets_new_protection_and_loses_the_old() -> None:
    desk = Desk()
    entry = enter(desk)
    desk.fill(entry.order_id, "0.1", "e1")
    old = [order.order_id for order in desk.venue.sent[1:]]
    turn = enter(desk, "0.3", Side.SELL, 61_000.0, 58_000.0)
    desk.fill(turn.order_id, "0.3", "e2")
    assert desk.venue.cancels == old
    assert resting(desk) == [
        ("STOP", "BUY", Decimal("0.2"), 61_000),
        ("LIMIT", "BUY", Decimal("0.2"), 58_000),
    ]


def test_leaving_closes_the_whole_position_and_only_that() -> None:
    desk = Desk()
    desk.strategy.leave(BTC)
    desk.say()
    assert desk.venue.sent == []
    entry = enter(desk, stop=None, target=None)
    desk.fill(entry.order_id, "0.07", "e1")
    desk.strategy.leave(BTC)
    desk.say()
    leaving = desk.venue.sent[-1]
    assert (leaving.side, leaving.size, leaving.reduce_only) == (Side.SELL, Decimal("0.07"), True)


def test_an_entry_without_protection_gets_none() -> None:
    desk = Desk()
    entry = enter(desk, stop=None, target=None)
    desk.fill(entry.order_id, "0.1", "e1")
    assert resting(desk) == []


def test_fills_of_others_are_not_ours() -> None:
    desk = Desk()
    desk.fill(desk.ask("0.1"), "0.1", "e1")
    assert desk.strategy.position == {BTC: 0, ETH: 0}
    assert resting(desk) == []


def test_protection_passes_a_halt() -> None:
    desk = Desk()
    entry = enter(desk)
    desk.say(KillswitchTriggered("test", 0, "FLATTEN"))
    desk.fill(entry.order_id, "0.1", "e1")
    assert len(resting(desk)) == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(1, 9), st.booleans()),
        st.tuples(st.just("fill"), st.integers(0, 30), st.integers(1, 9)),
        st.tuples(st.just("leave"), st.just(0), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 2), st.just(0)),
    ),
    max_size=30,
)


@given(STEPS)
def test_protection_always_fits_the_position(steps: list[tuple[str, int, Any]]) -> None:
    """Method: any entries, exits and fills of whatever rests; afterwards a held position has
    exactly one stop and one target, on its other side, that cover it; a flat one has none."""
    desk = Desk(cash=10_000_000)
    for number, (kind, first, second) in enumerate(steps):
        match kind:
            case "enter":
                stops = (59_000.0, 62_000.0) if second else (61_000.0, 58_000.0)
                side = Side.BUY if second else Side.SELL
                desk.strategy.enter(
                    BTC, side, size=Decimal(first) / 100, stop_loss=stops[0], take_profit=stops[1]
                )
                desk.say()
            case "fill":
                open_ = [o for o in desk.venue.sent if o.order_id in desk.open_ids()]
                open_ = [o for o in open_ if o.order_id not in desk.venue.cancels]
                if open_:
                    order = open_[first % len(open_)]
                    left = order.size - desk.engine.get(order.order_id)["filled_qty"]
                    if order.reduce_only:  # as a venue cuts it
                        held = desk.engine.position(BTC)
                        against = -held if order.side is Side.BUY else held
                        left = min(left, max(against, Decimal(0)))
                    quantity = min(left, Decimal(second) / 100)
                    if quantity:
                        desk.fill(order.order_id, str(quantity), f"e{number}")
            case "leave":
                desk.strategy.leave(BTC)
                desk.say()
            case "wait":
                desk.wait(first)
    desk.wait(2)
    engine, ledger = desk.held()
    held = desk.strategy.position[BTC]
    assert engine == ledger == held
    guards = [order for order in resting(desk) if order[0] in ("STOP", "LIMIT")]
    assert sorted(kind for kind, *_ in guards) == (["LIMIT", "STOP"] if held else [])
    for _, side, size, _ in guards:
        assert side == ("SELL" if held > 0 else "BUY")
        assert size >= abs(held)


def test_an_entry_that_was_never_there_lets_the_strategy_decide_again() -> None:
    desk = Desk()
    entry = enter(desk)
    desk.say(OrderUnknown(entry.order_id, 0, BTC))
    assert desk.strategy.is_waiting(BTC)
    desk.say(OrderAbsent(entry.order_id, "looked for everywhere", BTC))
    assert not desk.strategy.is_waiting(BTC)


def test_a_stop_that_was_never_there_is_placed_again() -> None:
    desk = Desk()
    entry = enter(desk, target=None)
    desk.fill(entry.order_id, "0.1", "e1")
    lost = desk.venue.sent[-1]
    desk.say(OrderUnknown(lost.order_id, 0, BTC))
    desk.say(OrderAbsent(lost.order_id, "looked for everywhere", BTC))
    desk.wait(1)
    assert resting(desk) == [("STOP", "SELL", TENTH, 59_000)]
    assert desk.venue.sent[-1].order_id != lost.order_id


def test_a_refused_cancel_ends_no_waiting() -> None:
    desk = Desk()
    entry = enter(desk)
    desk.say(OrderRejected(entry.order_id, "too late", 3104, "venue-request", BTC))
    assert desk.strategy.is_waiting(BTC)


def test_a_strategy_that_goes_on_counts_what_is_told_from_then_on() -> None:
    """Its books are those of the journal; what the venue did meanwhile comes after. The stop that a
    position lacks is placed when the account has been read."""
    desk = Desk()
    desk.strategy.resume({BTC: TENTH}, (), {BTC: (59_000.0, None)})
    desk.say()
    assert desk.venue.sent == []
    desk.say(OrderFilled("venue-1", Decimal(60_000), TENTH, BTC, Side.SELL, exec_id="liquidated"))
    desk.strategy.protect()
    desk.say()
    assert (desk.strategy.position[BTC], desk.venue.sent) == (0, [])
