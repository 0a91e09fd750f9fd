# SPDX-License-Identifier: Apache-2.0
"""Coins serve one resting order at a time: a stop rests, the target is looked at here, and who
leaves takes back what rests before the coins are sold.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from desk import BTC, Desk
from hean._core import Instrument
from hean.core.types import (
    EventType,
    KillswitchReleased,
    KillswitchTriggered,
    OrderAbsent,
    OrderApproved,
    OrderFilled,
    OrderRejected,
    OrderType,
    OrderUnknown,
    Side,
    Tick,
)
from hean.errors import StateError

COINS = {BTC: Instrument(BTC, "spot", "0.10", "0.001")}
TENTH = Decimal("0.1")
STOP, TARGET = 59_000.0, 62_000.0


def held(stop: float | None = STOP, target: float | None = TARGET) -> Desk:
    """A tenth of a coin that is held, and protected as asked."""
    desk = Desk(instruments=COINS)
    desk.strategy.enter(BTC, Side.BUY, size=TENTH, stop_loss=stop, take_profit=target)
    desk.say()
    desk.fill(desk.venue.sent[-1].order_id, "0.1", "e1")
    return desk


def last(desk: Desk) -> tuple[OrderType, Side, Decimal]:
    """The order that was sent last."""
    order: OrderApproved = desk.venue.sent[-1]
    return order.type, order.side, order.size


def leave(desk: Desk) -> None:
    """The strategy wants out."""
    desk.strategy.leave(BTC)
    desk.say()


@pytest.mark.parametrize(
    ("stop", "target", "kinds"),
    [
        (STOP, TARGET, ["STOP"]),
        (STOP, None, ["STOP"]),
        (None, TARGET, ["LIMIT"]),
    ],
)
def test_of_two_only_the_stop_rests(
    stop: float | None, target: float | None, kinds: list[str]
) -> None:
    desk = held(stop, target)
    assert [order.type.value for order in desk.venue.sent[1:]] == kinds


def test_the_coins_are_sold_when_the_stop_is_gone_and_not_before() -> None:
    desk = held()
    stop = desk.venue.sent[-1].order_id
    leave(desk)
    assert desk.venue.cancels == [stop]
    assert last(desk) == (OrderType.STOP, Side.SELL, TENTH)
    assert desk.strategy.is_waiting(BTC)
    leave(desk)  # it is under way
    assert desk.venue.cancels == [stop]
    desk.cancelled(stop)
    assert last(desk) == (OrderType.MARKET, Side.SELL, TENTH)
    desk.fill(desk.venue.sent[-1].order_id, "0.1", "e2")
    assert not desk.strategy.position[BTC]
    assert not desk.strategy.is_waiting(BTC)


def test_a_target_that_is_reached_sells() -> None:
    desk = held()
    stop = desk.venue.sent[-1].order_id
    desk.say(Tick(BTC, TARGET - 1, 1.0, desk.clock.now_ns))
    assert desk.venue.cancels == []
    desk.say(Tick(BTC, TARGET, 1.0, desk.clock.now_ns))
    assert desk.venue.cancels == [stop]
    desk.cancelled(stop)
    assert last(desk) == (OrderType.MARKET, Side.SELL, TENTH)


def test_a_stop_that_was_faster_ends_the_exit() -> None:
    desk = held()
    stop = desk.venue.sent[-1].order_id
    leave(desk)
    desk.say(OrderRejected(stop, "has traded", 4111, "venue-request", BTC, "hand"))
    desk.fill(stop, "0.1", "e2")
    assert last(desk) == (OrderType.STOP, Side.SELL, TENTH)
    assert not desk.strategy.is_waiting(BTC)
    assert not desk.strategy.position[BTC]


@pytest.mark.parametrize("kind", ["refused", "absent", "cut"])
def test_what_was_not_sold_is_protected_again(kind: str) -> None:
    desk = held()
    leave(desk)
    desk.cancelled(desk.venue.sent[-1].order_id)
    exit_id = desk.venue.sent[-1].order_id
    left = TENTH
    if kind == "refused":
        desk.say(OrderRejected(exit_id, "no balance", 4000, "venue", BTC, "hand"))
    elif kind == "absent":
        desk.say(OrderUnknown(exit_id, 0, BTC), OrderAbsent(exit_id, "never came", BTC))
    else:
        desk.fill(exit_id, "0.04", "e2")
        desk.cancelled(exit_id)
        left = Decimal("0.06")
    desk.wait(0.1)
    assert last(desk) == (OrderType.STOP, Side.SELL, left)


def test_a_stop_that_the_venue_gave_up_rests_again() -> None:
    desk = held()
    desk.cancelled(desk.venue.sent[-1].order_id)
    desk.wait(1.5)
    assert [order.type for order in desk.venue.sent[1:]] == [OrderType.STOP, OrderType.STOP]


def test_where_no_exit_passes_no_stop_is_taken_back_for_one() -> None:
    desk = held()
    desk.say(KillswitchTriggered("a drill", desk.clock.now_ns, "LOCKED", actor="one"))
    leave(desk)
    assert desk.venue.cancels == []
    desk.say(KillswitchReleased("seen", desk.clock.now_ns, "two"))
    leave(desk)
    assert len(desk.venue.cancels) == 1


def test_no_stop_is_renewed_while_the_coins_are_being_sold() -> None:
    desk = held()
    stop = desk.venue.sent[-1].order_id
    leave(desk)
    desk.strategy.protect()  # as after a reading
    desk.wait(0.1)
    desk.cancelled(stop)
    desk.wait(2)
    assert [order.type.value for order in desk.venue.sent[1:]] == ["STOP", "MARKET"]


def test_a_tier_that_does_not_hear_all_says_so() -> None:
    desk = Desk(instruments=COINS)
    desk.strategy.hears_all = False
    with pytest.raises(StateError, match="run tier event"):
        desk.strategy.enter(BTC, Side.BUY, size=TENTH, stop_loss=STOP, take_profit=TARGET)


@pytest.mark.parametrize("is_leaving", [False, True])
def test_what_a_filled_stop_left_can_be_sold(is_leaving: bool) -> None:
    """The order that is gone is not waited for."""
    desk = Desk(instruments=COINS)
    desk.strategy.enter(BTC, Side.BUY, size=Decimal("0.15"), stop_loss=STOP)
    desk.say()
    entry = desk.venue.sent[-1]
    desk.fill(entry.order_id, "0.1", "e1")
    stop = desk.venue.sent[-1]
    if is_leaving:
        leave(desk)
    desk.bus.drain((piece(entry, "0.05", "e2"), piece(stop, "0.1", "e3")))
    if not is_leaving:
        leave(desk)
    assert last(desk) == (OrderType.MARKET, Side.SELL, Decimal("0.05"))


def piece(order: OrderApproved, qty: str, exec_id: str) -> OrderFilled:
    """What traded of an order, told before any timer."""
    return OrderFilled(
        order.order_id, Decimal(60_000), Decimal(qty), BTC, order.side, exec_id=exec_id,
        strategy_id="hand",
    )  # fmt: skip


def test_asking_back_says_why() -> None:
    desk = held()
    leave(desk)
    assert [each.reason for each in desk.of(EventType.CANCEL_REQUEST)] == [
        "its coins are to be sold"
    ]
