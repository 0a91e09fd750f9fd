# SPDX-License-Identifier: Apache-2.0
"""Loss states: each limit just below and at it, a way back from REDUCE, none from FLATTEN but by a
person, and never a trapped position.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from desk import BTC, ETH
from hean.core.types import EventType, Health, KillswitchReleased, Side
from hean.risk.drawdown import (
    FLATTEN,
    LOCKED,
    NORMAL,
    REDUCE,
    Baseline,
    Drawdown,
    LossLimits,
)
from kill_desk import KillDesk

QUIET = LossLimits(speed_flatten=None)


class DrawdownDesk(KillDesk):
    """A desk with 10,000 and 0.1 BTC at 60,000: a move of 1,000 is 1 % of equity."""

    def __init__(self, limits: LossLimits = QUIET) -> None:
        super().__init__()
        ledger = self.system.portfolio.ledger
        self.states = Drawdown(
            self.engine,
            symbols=(BTC, ETH),
            equity=self.system.portfolio.equity,
            deposits=lambda: ledger.deposits,
            limits=limits,
        )
        self.system.add(self.states)
        self.system.governor.add_check(self.states.check, name="drawdown")
        self.hold_long("0.1")
        self.lookout()

    def lookout(self, price: float | None = None) -> str:
        if price is not None:
            self.prices[BTC] = price
        self.states.look(self.clock.now_ns)
        self.say()
        return self.states.state

    @property
    def levels(self) -> list[str]:
        return [stop.level for stop in self.stops]


@pytest.mark.parametrize(
    ("limits", "short", "beyond", "state"),
    [
        (LossLimits(speed_flatten=None, total_reduce=None), 57_001, 57_000, REDUCE),
        (LossLimits(speed_flatten=None), 55_001, 55_000, FLATTEN),
        (LossLimits(speed_flatten=None, daily_reduce=None, daily_flatten=None), 50_001, 50_000,
         REDUCE),
        (LossLimits(speed_flatten=None, daily_reduce=None, daily_flatten=None), 45_001, 45_000,
         FLATTEN),
        (LossLimits(daily_reduce=None), 58_501, 58_500, FLATTEN),
    ],
)  # fmt: skip
def test_each_limit_takes_effect_at_its_number(limits, short, beyond, state):
    assert DrawdownDesk(limits).lookout(short) != state
    assert DrawdownDesk(limits).lookout(beyond) == state


def test_reduce_lets_reductions_through_and_nothing_else():
    desk = DrawdownDesk()
    assert desk.lookout(57_000) == REDUCE
    for side, size, symbol in (
        (Side.BUY, "0.01", BTC),
        (Side.SELL, "0.11", BTC),  # would turn the position
        (Side.SELL, "0.1", ETH),
    ):
        asked = desk.ask(size, side, symbol=symbol)
        assert asked not in [order.order_id for order in desk.venue.sent]
        assert "REDUCE: 3.00% lost since midnight" in desk.of(EventType.ORDER_REJECTED)[-1].reason
    for number, size in enumerate(("0.06", "0.05")):
        asked = desk.ask(size, Side.SELL)
        is_sent = asked in [order.order_id for order in desk.venue.sent]
        assert is_sent == (number == 0)  # two that pass alone may not pass together
    reduction = desk.ask("0.02", Side.SELL, reduce_only=True)
    assert reduction in [order.order_id for order in desk.venue.sent]
    assert desk.stops == []


def test_reduce_ends_clearly_below_its_limit():
    desk = DrawdownDesk()
    assert desk.lookout(57_000) == REDUCE
    assert desk.lookout(57_500) == REDUCE  # 2.5 %: above 80 % of 3 %
    assert desk.lookout(57_700) == NORMAL
    told = [health.state for health in desk.of(EventType.HEALTH) if health.component == "drawdown"]
    assert told == [REDUCE, NORMAL]


def test_a_new_day_begins_with_no_loss_of_the_day():
    desk = DrawdownDesk()
    assert desk.lookout(57_000) == REDUCE
    desk.wait(86_400)
    assert desk.lookout() == NORMAL


def test_flatten_closes_everything_then_locks_and_a_person_ends_it():
    desk = DrawdownDesk()
    assert desk.lookout(54_900) == FLATTEN
    assert desk.levels == ["FLATTEN"]
    desk.look(0.2)
    closing = desk.venue.sent[-1]
    assert (closing.side, closing.size, closing.reduce_only) == (Side.SELL, Decimal("0.1"), True)
    desk.fill(closing.order_id, "0.1", "closed", price="54900")
    assert desk.lookout() == LOCKED
    assert desk.levels == ["FLATTEN", "LOCKED"]
    assert desk.lookout(70_000) == LOCKED
    desk.say(KillswitchReleased("looked at it", desk.clock.now_ns, "risk:bob"))
    assert desk.lookout() == NORMAL


def test_a_fast_loss_counts_whatever_the_day_was_before():
    desk = DrawdownDesk(LossLimits(daily_reduce=None, daily_flatten=None))
    for step in range(1, 8):  # 0.5 % every two minutes is not fast
        desk.wait(120)
        assert desk.lookout(60_000 - 500 * step) == NORMAL
    desk.wait(60)
    assert desk.lookout(55_500) == FLATTEN


def test_a_withdrawal_is_no_loss_and_a_deposit_no_gain():
    desk = DrawdownDesk(LossLimits())
    desk.ledger.transfer(-5_000)
    assert desk.lookout() == NORMAL
    desk.ledger.transfer(50_000)
    assert desk.lookout() == NORMAL
    desk.ledger.transfer(-45_000)
    assert desk.lookout(57_000) != NORMAL  # 3 % of what was there before and is there again


def test_so_many_losing_trips_end_the_day_for_new_ones():
    desk = DrawdownDesk(LossLimits(speed_flatten=None, streak=3))
    desk.fill(desk.ask("0.1", Side.SELL, reduce_only=True), "0.1", "out", price="60001")
    for number in range(3):
        assert desk.lookout() == NORMAL
        desk.wait(2)
        desk.fill(desk.ask("0.01"), "0.01", f"in{number}", price="60000")
        out = desk.ask("0.01", Side.SELL, reduce_only=True)
        # The last one gains before its fee.
        desk.fill(out, "0.01", f"out{number}", price="60001", fee=Decimal("0.02"))
    assert desk.states.state == REDUCE
    assert "3 losing trips" in desk.states.reason
    desk.wait(86_400)
    assert desk.lookout() == NORMAL


def test_a_gain_ends_the_count():
    desk = DrawdownDesk(LossLimits(speed_flatten=None, streak=2))
    for number, price in enumerate(["60001", "59999", "60001", "59999"]):
        size = "0.1" if number == 0 else "0.01"
        if number:
            desk.fill(desk.ask("0.01"), "0.01", f"in{number}", price="60000")
        out = desk.ask(size, Side.SELL, reduce_only=True)
        desk.fill(out, size, f"out{number}", price=price)
        desk.wait(2)
    assert desk.lookout() == NORMAL


def test_a_held_symbol_nobody_tells_about_is_reduced_only():
    desk = DrawdownDesk()
    desk.say(
        Health("feed", "STALE", 0, {"symbol": BTC}), Health("feed", "STALE", 0, {"symbol": ETH})
    )
    desk.wait(59)
    assert desk.lookout() == NORMAL
    desk.wait(1)
    assert desk.lookout() == REDUCE
    assert desk.states.reason == f"{BTC} is held on data older than 60 s"
    desk.say(Health("feed", "LIVE", 0, {"symbol": BTC}))
    assert desk.lookout() == NORMAL


def test_it_looks_by_itself_once_there_is_a_market():
    from hean.core.types import Tick

    desk = DrawdownDesk()
    desk.say(Tick(BTC, 60_000.0, 1.0, desk.clock.now_ns))
    desk.prices[BTC] = 57_000.0
    desk.wait(61)
    assert desk.states.state == REDUCE


def test_a_restart_forgives_nothing():
    base = Baseline(0, 100.0, 120.0)
    assert base.seen(90.0, 5) == base
    assert base.seen(130.0, 5) == Baseline(0, 100.0, 130.0)
    assert base.seen(90.0, 86_400_000_000_000) == Baseline(1, 90.0, 120.0)
    assert base.losses(90.0) == (pytest.approx(0.1), pytest.approx(0.25))
    assert base.losses(200.0) == (0.0, 0.0)
