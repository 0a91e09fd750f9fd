# SPDX-License-Identifier: Apache-2.0
"""The changepoint breaker on a real desk: its states, what it refuses, and what it never does."""

from __future__ import annotations

from decimal import Decimal

import pytest

from desk import BTC, ETH, Desk
from hean.core.types import Changepoint, EventType, OrderType, Side, Signal
from hean.risk.changepoint_breaker import ChangepointBreaker, ChangeState

ALARM = Changepoint(BTC, 0.97, 3, 0.0, "return,size")
CALM = Changepoint(BTC, 0.05, 200, 0.95)
UNSETTLED = Changepoint(BTC, 0.05, 40, 0.5)
BETWEEN = Changepoint(BTC, 0.5, 10, 0.3)


def guarded(**options: int) -> tuple[Desk, ChangepointBreaker]:
    desk = Desk(**options)
    breaker = ChangepointBreaker(desk.system.governor)
    desk.system.add(breaker)
    return desk, breaker


def told(desk: Desk) -> list[str]:
    return [fact.state for fact in desk.of(EventType.HEALTH)]


def half_open() -> tuple[Desk, ChangepointBreaker]:
    desk, breaker = guarded()
    desk.say(ALARM, ALARM)
    desk.wait(1800)
    desk.say(CALM)
    return desk, breaker


@pytest.mark.promise(200)
def test_it_goes_through_its_states_and_says_why() -> None:
    desk, breaker = guarded()
    desk.say(CALM, BETWEEN, ALARM, BETWEEN, ALARM)
    assert told(desk) == ["REDUCE", "OPEN"]
    desk.say(CALM)
    desk.wait(1799)
    desk.say(CALM)
    assert breaker.state(BTC) is ChangeState.OPEN  # the rest is not over
    desk.wait(1)
    desk.say(UNSETTLED, BETWEEN)
    assert breaker.state(BTC) is ChangeState.OPEN  # and the market has to settle
    desk.say(CALM)
    assert breaker.state(BTC) is ChangeState.HALF_OPEN
    desk.say(*[CALM] * 29, BETWEEN, *[CALM] * 29)
    assert breaker.state(BTC) is ChangeState.HALF_OPEN  # thirty clean judgements in a row
    desk.say(CALM)
    assert told(desk) == ["REDUCE", "OPEN", "HALF_OPEN", "CLOSED"]
    first = desk.of(EventType.HEALTH)[0].extra
    assert first["cause"] == "return,size" and first["probability"] == 0.97
    assert (first["from"], first["alarm"], first["version"]) == ("CLOSED", 0.9, 1)
    assert breaker.state(ETH) is ChangeState.CLOSED


def test_one_alarm_that_nothing_confirms_is_over_soon() -> None:
    desk, _ = guarded()
    desk.say(ALARM, CALM)
    assert told(desk) == ["REDUCE", "CLOSED"]


def test_each_further_alarm_doubles_the_rest_up_to_eight_hours() -> None:
    desk, breaker = half_open()
    for rest_s in (3600, 7200, 14_400, 28_800, 28_800):
        desk.say(ALARM)
        assert breaker.state(BTC) is ChangeState.OPEN
        desk.wait(rest_s - 1)
        desk.say(CALM)
        assert breaker.state(BTC) is ChangeState.OPEN
        desk.wait(1)
        desk.say(CALM)
        assert breaker.state(BTC) is ChangeState.HALF_OPEN


@pytest.mark.parametrize("alarms", [1, 2])
def test_only_what_makes_a_position_smaller_passes(alarms: int) -> None:
    desk, _ = guarded()
    desk.fill(desk.ask("0.1"), "0.1", "e1")
    desk.say(*[ALARM] * alarms)
    sent = len(desk.venue.sent)
    desk.ask("0.05")
    desk.ask("0.3", Side.SELL)  # turns it round
    assert len(desk.venue.sent) == sent
    assert len(desk.of(EventType.ORDER_REJECTED)) == 2
    assert "has changed" in desk.of(EventType.ORDER_REJECTED)[-1].reason
    desk.ask("0.04", Side.SELL)
    desk.ask("0.06", Side.SELL, reduce_only=True)
    desk.ask("1", symbol=ETH)  # its market has not changed
    assert len(desk.venue.sent) == sent + 3


def test_opening_asks_orders_back_but_none_that_reduces() -> None:
    desk, _ = guarded()
    desk.fill(desk.ask("0.1"), "0.1", "e1")
    entry = desk.ask("0.05", type=OrderType.LIMIT, price=Decimal(59_000))
    stop = desk.ask("0.1", Side.SELL, type=OrderType.STOP, trigger_price=Decimal(58_000),
                    reduce_only=True)  # fmt: skip
    for order_id in (entry, stop):
        desk.place(order_id)
    desk.say(ALARM)
    assert desk.venue.cancels == []
    desk.say(ALARM)
    assert desk.venue.cancels == [entry]


def test_a_quarter_of_the_size_is_tried_first() -> None:
    usual, _ = guarded()
    desk, _ = half_open()
    for each in (usual, desk):
        each.say(Signal(BTC, Side.BUY, strategy_id="test"))
    full, quarter = usual.venue.sent[-1].size, desk.venue.sent[-1].size
    assert quarter == pytest.approx(full / 4, abs=Decimal("0.001")) and quarter > 0
    sent = len(desk.venue.sent)
    desk.ask("0.05")  # worth 3,000 of 1,250 allowed
    assert len(desk.venue.sent) == sent
    assert "for now" in desk.of(EventType.ORDER_REJECTED)[-1].reason
