# SPDX-License-Identifier: Apache-2.0
"""R-26: closing only ever shrinks a position, never turns it round, and holds when the price
runs.
"""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, ETH, INSTRUMENTS
from hean._core import Instrument, OrderEngine
from hean.core.bus import EventBus
from hean.core.module import Context
from hean.core.types import (
    EventType,
    OrderCancelled,
    OrderRejected,
    OrderRequest,
    OrderType,
    OrderUnknown,
    Side,
)
from hean.errors import ReduceOnlyViolated, VenueRefused
from hean.risk.flatten import Flatten
from hean.risk.levels import Latched
from kill_desk import KillDesk


def closings(desk: KillDesk) -> list[tuple[str, str]]:
    """Side and size of every closing order that left."""
    return [
        (order.side, str(order.size)) for order in desk.venue.sent if "-kill-" in order.order_id
    ]


def test_everything_held_is_closed_by_reduce_only_market_orders() -> None:
    desk = KillDesk()
    desk.hold_long("0.1")
    order_id = desk.ask("2", Side.SELL, symbol=ETH)
    desk.fill(order_id, "2", "e1", price="3000", symbol=ETH)
    desk.kill("FLATTEN")
    sent = desk.venue.sent[-2:]
    assert [(o.symbol, o.side, o.size) for o in sent] == [
        (BTC, Side.SELL, Decimal("0.1")),
        (ETH, Side.BUY, Decimal(2)),
    ]
    assert all(o.reduce_only and o.type is OrderType.MARKET for o in sent)


@pytest.mark.parametrize("level", ["HALT_NEW", "CANCEL_ALL", "LOCKED"])
def test_no_other_level_closes_anything(level: str) -> None:
    desk = KillDesk()
    desk.hold_long()
    desk.kill(level)
    desk.look(5.0)
    assert closings(desk) == []


def test_a_large_position_goes_in_pieces_the_venue_takes_one_after_another() -> None:
    desk = KillDesk(largest="0.04")
    desk.hold_long("0.1")
    desk.kill("FLATTEN")
    for piece in range(3):
        sent = desk.venue.sent[-1]
        assert len(closings(desk)) == piece + 1
        desk.fill(sent.order_id, str(sent.size), f"k{piece}")
    assert [size for _, size in closings(desk)] == ["0.04", "0.04", "0.02"]
    assert desk.flatten.is_flat
    desk.look(5.0)
    assert len(closings(desk)) == 3


def test_what_an_open_order_may_still_close_is_not_closed_twice() -> None:
    desk = KillDesk()
    desk.hold_long("0.1")
    target = desk.rest(Side.SELL, "0.07", 66_000, reduce_only=True)
    desk.kill("FLATTEN")
    assert closings(desk) == [(Side.SELL, "0.03")]
    desk.fill(desk.venue.sent[-1].order_id, "0.03", "k1")
    assert desk.venue.cancels == [target]
    desk.obey()
    assert closings(desk) == [(Side.SELL, "0.03"), (Side.SELL, "0.07")]


def test_what_came_to_rest_since_is_asked_back_and_closed_after() -> None:
    """As a target that a strategy renews after a restart; once while the answer is awaited."""
    desk = KillDesk(largest="0.04")
    desk.hold_long("0.1")
    desk.kill("FLATTEN")
    target = desk.rest(Side.SELL, "0.06", 66_000, reduce_only=True)
    desk.look(3.0)
    assert desk.venue.cancels == [target]
    desk.fill(desk.venue.sent[-2].order_id, "0.04", "k1")
    assert closings(desk) == [(Side.SELL, "0.04")]
    desk.obey()
    assert closings(desk) == [(Side.SELL, "0.04"), (Side.SELL, "0.04")]


def test_an_exit_that_was_approved_first_is_no_alarm() -> None:
    """R20 refuses ours then; what the other leaves is closed a second later."""
    desk = KillDesk()
    desk.hold_long("0.1")
    desk.kill("FLATTEN")
    for alarms in (0, 1):
        last = desk.venue.sent[-1].order_id
        refused = OrderRejected(last, "R20", ReduceOnlyViolated.code, "venue", BTC)
        desk.say(refused)
        assert len(desk.of(EventType.ERROR)) == alarms
        desk.look(2.1)
    assert len(closings(desk)) == 3


def test_a_closing_order_of_unknown_outcome_counts_as_closing() -> None:
    desk = KillDesk(largest="0.06")
    desk.hold_long("0.1")
    desk.kill("FLATTEN")
    lost = desk.venue.sent[-1].order_id
    desk.say(OrderUnknown(lost, desk.clock.now_ns, BTC))
    assert closings(desk) == [(Side.SELL, "0.06"), (Side.SELL, "0.04")]
    desk.look(5.0)
    assert len(closings(desk)) == 2


def test_the_stop_of_a_perpetual_stays_until_it_is_flat() -> None:
    desk = KillDesk()
    desk.hold_long("0.1")
    stop = desk.protect()
    desk.kill("FLATTEN")
    assert stop not in desk.venue.cancels
    assert closings(desk) == [(Side.SELL, "0.1")]
    desk.fill(desk.venue.sent[-1].order_id, "0.1", "k1")
    assert desk.venue.cancels == [stop]


def test_a_price_that_ran_away_is_not_sold_into_and_somebody_is_told() -> None:
    desk = KillDesk(largest="0.05")
    desk.hold_long("0.1")
    desk.kill("FLATTEN")
    desk.prices[BTC] = 58_100.0
    desk.fill(desk.venue.sent[-1].order_id, "0.05", "k1", price="58100")
    desk.look(3.0)
    assert len(closings(desk)) == 1
    (alarm,) = desk.of(EventType.ERROR)
    assert "held, not closed: filled at 58100, closing began at 60000" in alarm.error
    desk.prices[BTC] = 58_300.0
    desk.look(1.2)
    assert len(closings(desk)) == 2


def test_a_price_that_moves_in_our_favour_is_no_reason_to_hold() -> None:
    desk = KillDesk(largest="0.05")
    desk.hold_long("0.1")
    desk.kill("FLATTEN")
    desk.prices[BTC] = 70_000.0
    desk.fill(desk.venue.sent[-1].order_id, "0.05", "k1", price="70000")
    assert len(closings(desk)) == 2


def test_without_a_price_nothing_is_sold_blindly() -> None:
    desk = KillDesk()
    desk.hold_long("0.1")
    price = desk.prices.pop(BTC)
    desk.kill("FLATTEN")
    desk.look(3.0)
    assert closings(desk) == []
    assert "there is no price" in desk.of(EventType.ERROR)[0].error
    desk.prices[BTC] = price
    desk.look(1.2)
    assert closings(desk) == [(Side.SELL, "0.1")]


def test_a_refused_closing_is_tried_again_ever_more_rarely() -> None:
    desk = KillDesk()
    desk.hold_long("0.1")
    desk.kill("FLATTEN")
    at_ns = []
    for _ in range(4):
        at_ns.append(desk.clock.now_ns)
        last = desk.venue.sent[-1].order_id
        count = len(closings(desk))
        desk.say(OrderRejected(last, "no", VenueRefused.code, "venue", BTC))
        while len(closings(desk)) == count:
            desk.look(0.1)
    pauses_s = [round((b - a) / 1e9) for a, b in itertools.pairwise(at_ns)]
    assert pauses_s == [1, 2, 4]


def test_nothing_is_closed_before_somebody_has_looked() -> None:
    """After a restart facts arrive before the account has been compared."""
    desk = KillDesk()
    desk.hold_long("0.1")
    late = Flatten(desk.engine, INSTRUMENTS, reference=desk.prices.get)
    desk.system.add(late)
    desk.flatten.engine = OrderEngine([], unlimited=True)  # the one of the desk sees no level
    desk.kill("FLATTEN")
    assert closings(desk) == []
    late.look(desk.clock.now_ns)
    desk.say()
    assert closings(desk) == [(Side.SELL, "0.1")]


def test_a_restart_goes_on_closing() -> None:
    desk = KillDesk()
    desk.hold_long("0.1")
    desk.switch.restore(Latched("FLATTEN", "before", "operator:ann", 1))
    desk.look(0.1)
    assert closings(desk) == [(Side.SELL, "0.1")]


def test_locked_ends_the_closing() -> None:
    desk = KillDesk(largest="0.05")
    desk.hold_long("0.1")
    desk.kill("FLATTEN")
    desk.kill("LOCKED")
    desk.fill(desk.venue.sent[-1].order_id, "0.05", "k1")
    desk.look(5.0)
    assert len(closings(desk)) == 1


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["fill", "cancel", "refuse", "lose", "obey", "wait", "price"]),
        st.integers(0, 9),
        st.integers(1, 100),
    ),
    max_size=40,
)
RESTING = st.lists(st.tuples(st.booleans(), st.integers(1, 80), st.booleans()), max_size=6)


@given(
    lots=st.integers(1, 300),
    is_long=st.booleans(),
    largest=st.integers(1, 120),
    resting=RESTING,
    acts=ACTS,
)
def test_a_position_only_shrinks_and_never_turns(
    lots: int, is_long: bool, largest: int, resting: list[tuple[bool, int, bool]], acts: list
) -> None:
    """Whatever the venue does with the orders that were open when FLATTEN came, and in whatever
    order: when a closing order leaves, all that may still close, taken together, fits into what is
    held, so even if every piece of it fills, the position does not turn.
    """
    desk = KillDesk(largest=f"{largest}e-3", limits={})
    entry = desk.ask(f"{lots}e-3", Side.BUY if is_long else Side.SELL)
    desk.fill(entry, f"{lots}e-3", "entry")
    closing = Side.SELL if is_long else Side.BUY
    for place, (is_stop, size, _) in enumerate(resting):
        size = min(size, lots)
        far = (40_000 if is_long else 80_000) + place * 10
        if is_stop:
            desk.ask(f"{size}e-3", closing, type=OrderType.STOP, trigger_price=Decimal(far),
                     reduce_only=True)  # fmt: skip
        else:
            price = (70_000 if is_long else 50_000) + place * 10
            desk.ask(f"{size}e-3", closing, type=OrderType.LIMIT, price=Decimal(price),
                     reduce_only=True)  # fmt: skip
    desk.kill("FLATTEN")
    sign = 1 if is_long else -1
    before, sent = abs(desk.held()[0]), len(closings(desk))
    for number, (act, which, percent) in enumerate(acts):
        one = _one(desk, which)
        match act:
            case "fill" if one is not None:
                left = one["qty"] - one["filled_qty"]
                size = min(max(left * percent // 100, Decimal("0.001")), left)
                size = min(size, abs(desk.held()[0]))  # so the venue cuts what only reduces
                if size > 0:
                    desk.fill(one["client_order_id"], f"{size:f}", f"a{number}",
                              side=closing, remaining_qty=left - size)  # fmt: skip
            case "cancel" if one is not None:
                desk.say(OrderCancelled(one["client_order_id"], "by the venue", BTC))
            case "refuse" if one is not None and one["status"] == "SENT":
                desk.say(OrderRejected(one["client_order_id"], "no", 4201, "venue", BTC))
            case "lose" if one is not None:
                desk.say(OrderUnknown(one["client_order_id"], desk.clock.now_ns, BTC))
            case "obey":
                desk.obey()
            case "wait":
                desk.look(percent / 10)
            case "price":
                desk.prices[BTC] = 60_000.0 * (0.9 + percent / 500)
        held = desk.held()[0]
        assert abs(held) <= before
        assert held * sign >= 0
        before = abs(held)
        if len(closings(desk)) > sent:
            assert _may_close(desk) <= abs(held)
        sent = len(closings(desk))


def _one(desk: KillDesk, which: int) -> dict | None:
    orders = sorted(desk.engine.open_orders(), key=lambda order: order["client_order_id"])
    return orders[which % len(orders)] if orders else None


def _may_close(desk: KillDesk) -> Decimal:
    """All that open orders beside stops may still take off the position."""
    open_orders = [order for order in desk.engine.open_orders() if order["type"] != "STOP"]
    return sum((order["qty"] - order["filled_qty"] for order in open_orders), Decimal(0))


COINS, PERP = "BTCUSDT@spot", "BTCUSDT@perp"
BOTH = {
    COINS: Instrument(COINS, "spot", "0.01", "0.000001"),
    PERP: Instrument(PERP, "linear", "0.10", "0.001"),
}


def test_coins_wait_until_no_perpetual_is_held_any_more() -> None:
    """Coins without their hedge lose as the price falls; a hedge without coins can be liquidated.
    Sold is what fills of ours explain.
    """
    engine, bus = OrderEngine(list(BOTH.values()), unlimited=True), EventBus()
    asked: list[OrderRequest] = []
    bus.subscribe(EventType.ORDER_REQUEST, lambda event: asked.append(event.data))
    flatten = Flatten(engine, BOTH, reference=lambda symbol: 60_000.0)
    flatten.attach(bus, Context(bus, bus.clock))
    engine.set_position(COINS, Decimal("0.0999"))
    engine.set_position(PERP, Decimal("-0.1"))
    engine.halt("FLATTEN")
    for now_ns in (1, 2):
        flatten.look(now_ns)
        bus.drain()
    assert [(each.symbol, each.side, each.size) for each in asked] == [
        (PERP, Side.BUY, Decimal("0.1"))
    ]
    engine.set_position(PERP, Decimal(0))
    flatten.look(3)
    bus.drain()
    assert [(each.symbol, each.side, each.size) for each in asked[1:]] == [
        (COINS, Side.SELL, Decimal("0.0999"))
    ]
    assert all(each.reduce_only for each in asked)


def on_spot(held: str) -> tuple[OrderEngine, EventBus, Flatten, list[OrderRequest]]:
    """Coins, FLATTEN, and what is asked for."""
    engine, bus = OrderEngine([BOTH[COINS]], unlimited=True), EventBus()
    asked: list[OrderRequest] = []
    bus.subscribe(EventType.ORDER_REQUEST, lambda event: asked.append(event.data))
    flatten = Flatten(engine, {COINS: BOTH[COINS]}, reference=lambda symbol: 60_000.0)
    flatten.attach(bus, Context(bus, bus.clock))
    engine.set_position(COINS, Decimal(held))
    engine.halt("FLATTEN")
    return engine, bus, flatten, asked


def test_coins_being_sold_in_slices_are_not_sold_beside_it() -> None:
    """What the door would refuse is not asked for, and the sliced order is asked back."""
    engine, bus, flatten, asked = on_spot("0.1")
    cancels: list[str] = []
    bus.subscribe(EventType.CANCEL_REQUEST, lambda event: cancels.append(event.data.order_id))
    for order_id, size, more in (
        ("whole", "0.06", {"is_sliced": True}),
        ("slice", "0.02", {"parent": "whole"}),
    ):
        ticket = engine.approve(
            order_id, symbol=COINS, side="SELL", type="MARKET", size=Decimal(size), now_ns=1,
            reduce_only=True, **more,
        )  # fmt: skip
        engine.redeem(order_id, ticket, 1)
    flatten.look(2)
    bus.drain()
    assert [each.size for each in asked] == [Decimal("0.04")]
    assert cancels == ["whole"]
    ours = asked[0]
    engine.approve_order(ours, ours.order_id, 2)
