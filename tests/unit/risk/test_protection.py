# SPDX-License-Identifier: Apache-2.0
"""A position that is to have a stop and has none at the venue is told, then closed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from desk import BTC, Desk
from hean.core.types import EventType, OrderType, OrderUnknown, Side, Signal
from hean.risk.protection import Protection


class Guarded(Desk):
    """A desk whose strategy is protected, and the clock of its looks."""

    def __init__(self) -> None:
        super().__init__()
        self.protection = Protection(self.engine, strategy_id="test")
        self.system.add(self.protection)

    def enter(self, *, stop_loss: float | None = 59_000.0, side: Side = Side.BUY) -> str:
        """An entry of 0.1 that has filled."""
        wish = Signal(BTC, side, Decimal("0.1"), strategy_id="test", stop_loss=stop_loss)
        self.say(wish)
        order_id = self.venue.sent[-1].order_id
        self.fill(order_id, "0.1", f"e-{order_id}", side=side)
        return order_id

    def stop(self, size: str = "0.1", side: Side = Side.SELL) -> str:
        """A protective stop that has left."""
        return self.ask(
            size,
            side,
            type=OrderType.STOP,
            trigger_price=Decimal(59_000),
            reduce_only=True,
        )

    def look(self, seconds: float) -> None:
        """Let time pass, looking ten times a second."""
        for _ in range(round(seconds * 10)):
            self.wait(0.1)
            self.protection.look(self.clock.now_ns)
            self.say()

    def alarms(self) -> list[str]:
        return [error.error for error in self.of(EventType.ERROR)]


@pytest.fixture
def desk() -> Guarded:
    return Guarded()


def test_a_position_with_its_stop_at_the_venue_is_left_alone(desk: Guarded) -> None:
    desk.enter()
    desk.place(desk.stop())
    desk.look(60)
    assert desk.alarms() == []
    assert len(desk.venue.sent) == 2


def test_three_seconds_without_a_stop_are_told_once_a_minute(desk: Guarded) -> None:
    desk.enter()
    desk.look(2.9)
    assert desk.alarms() == []
    desk.look(0.3)
    assert desk.alarms() == ["CRITICAL: +0.1 BTCUSDT have been without a stop for 3.0 s."]
    desk.look(20)
    assert len(desk.alarms()) == 1


def test_a_clock_that_was_set_is_neither_an_alarm_nor_a_reason_to_close(desk: Guarded) -> None:
    desk.enter()
    sent = len(desk.venue.sent)
    desk.look(1.0)
    ticks_ns = desk.clock.now_ns
    desk.wait(3_600.0)
    desk.protection.look(ticks_ns)
    desk.say()
    assert (desk.alarms(), len(desk.venue.sent)) == ([], sent)


def test_a_stop_without_an_answer_protects_nobody(desk: Guarded) -> None:
    desk.enter()
    order_id = desk.stop()
    desk.say(OrderUnknown(order_id, desk.clock.now_ns, BTC))
    desk.look(3.2)
    assert len(desk.alarms()) == 1
    desk.place(order_id)
    desk.look(60)
    assert len(desk.alarms()) == 1
    assert len(desk.venue.sent) == 2


def test_a_part_that_no_stop_covers_is_bare(desk: Guarded) -> None:
    desk.enter()
    desk.place(desk.stop("0.06"))
    assert desk.protection.bare(BTC) == Decimal("0.04")


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_what_stays_bare_is_closed_by_a_reduction(desk: Guarded, side: Side) -> None:
    desk.enter(side=side)
    desk.look(31)
    sent = desk.venue.sent[-1]
    opposite = Side.SELL if side is Side.BUY else Side.BUY
    assert (sent.side, sent.size, sent.reduce_only, sent.strategy_id) == (
        opposite,
        Decimal("0.1"),
        True,
        "test",
    )
    desk.look(20)
    assert len(desk.venue.sent) == 2  # one try in half a minute
    desk.fill(sent.order_id, "0.1", "closed", side=opposite)
    desk.look(60)
    assert len(desk.venue.sent) == 2


def test_a_position_that_was_to_have_no_stop_is_not_bare(desk: Guarded) -> None:
    desk.enter(stop_loss=None)
    desk.look(60)
    assert desk.alarms() == []


def test_an_earlier_processs_wish_for_a_stop_counts(desk: Guarded) -> None:
    desk.enter(stop_loss=None)
    desk.protection.restore([BTC])
    desk.look(3.2)
    assert len(desk.alarms()) == 1
