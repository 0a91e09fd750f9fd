# SPDX-License-Identifier: Apache-2.0
"""Two legs are held together or not at all, whatever the venue does with either of them."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal

import pytest

from desk import BTC, ETH, INSTRUMENTS, SECOND_NS, Desk
from hean._core import Instrument
from hean.core.types import (
    EventType,
    OrderAbsent,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
    Side,
)
from hean.errors import ParameterInvalid
from hean.strategies.legs import ATTEMPTS_MAX, TwoLegs

LONG, SHORT = Decimal("0.1"), Decimal("-2.00")
LIMIT_S = 2.0
COINS = INSTRUMENTS | {BTC: Instrument(BTC, "spot", "0.10", "0.001")}
ENDS = (EventType.ORDER_CANCELLED, EventType.ORDER_REJECTED, EventType.ORDER_ABSENT)


class Pair(TwoLegs):
    """Two legs that do what the test says."""

    name = "pair"


class LegsDesk(Desk):
    """Both legs on a venue that answers as the test says."""

    def __init__(self, **more):
        super().__init__(strategy=Pair((BTC, ETH)), **more)
        self.executions = 0

    def open(self):
        self.strategy.open_legs(LONG, SHORT)
        self.bus.drain(())

    def close(self):
        self.strategy.close_legs()
        self.bus.drain(())

    def waiting(self, symbol):
        """Orders of a leg that have no last word yet, oldest first."""
        return [
            order for order in self.venue.sent if order.symbol == symbol and not self.over(order)
        ]

    def over(self, order):
        ended = {fact.order_id for kind in ENDS for fact in self.of(kind)}
        return order.order_id in ended or self.filled(order) == order.size

    def filled(self, order):
        fills = self.of(EventType.ORDER_FILLED)
        return sum((f.filled_qty for f in fills if f.id == order.order_id), Decimal(0))

    def trade(self, symbol, share="1"):
        """Fill a share of what is left of the oldest waiting order of a leg."""
        order = self.waiting(symbol)[0]
        self.executions += 1
        left = order.size - self.filled(order)
        qty = left if share == "1" else self.strategy.own_lot(symbol, float(left) * float(share))
        qty = qty or left
        self.fill(
            order.order_id,
            str(qty),
            f"x{self.executions}",
            price=str(self.prices[symbol]),
            remaining_qty=left - qty,
        )

    def end(self, symbol, kind=OrderCancelled):
        order = self.waiting(symbol)[0]
        if kind is OrderCancelled:
            self.say(OrderCancelled(order.order_id, "by the venue", symbol))
        else:
            self.say(OrderRejected(order.order_id, "no", 1, "venue", symbol, order.strategy_id))

    @property
    def legs(self):
        return tuple(self.strategy.position[symbol] for symbol in (BTC, ETH))


@pytest.fixture
def desk():
    return LegsDesk(cash=100_000)


def test_both_legs_are_asked_for_at_once(desk):
    desk.open()
    sent = [(order.symbol, order.side, order.size) for order in desk.venue.sent]
    assert sent == [(BTC, Side.BUY, LONG), (ETH, Side.SELL, -SHORT)]
    desk.trade(BTC)
    desk.trade(ETH)
    assert (desk.legs, desk.strategy.is_open) == ((LONG, SHORT), True)
    desk.wait(60)
    assert len(desk.venue.sent) == 2
    assert not desk.of(EventType.HEALTH)


def test_what_a_leg_lacks_is_asked_for_again(desk):
    desk.open()
    desk.trade(BTC)
    desk.trade(ETH, "0.25")
    desk.end(ETH)
    desk.wait(0.6)
    assert [order.size for order in desk.waiting(ETH)] == [Decimal("1.50")]
    desk.trade(ETH)
    assert desk.strategy.is_open


@pytest.mark.parametrize("kind", [OrderCancelled, OrderRejected])
def test_a_leg_that_the_venue_refuses_brings_the_other_one_home(desk, kind):
    desk.open()
    desk.trade(BTC)
    refusals = 0
    while desk.waiting(ETH):
        desk.end(ETH, kind)
        refusals += 1
        desk.wait(0.5)
    desk.wait(LIMIT_S)
    assert refusals <= ATTEMPTS_MAX
    for closing in desk.waiting(BTC):
        assert (closing.side, closing.size, closing.reduce_only) == (Side.SELL, LONG, True)
    desk.trade(BTC)
    for symbol in (BTC, ETH):
        while desk.waiting(symbol):  # the venue closes a position once
            desk.end(symbol)
    assert (desk.legs, desk.strategy.is_flat) == ((0, 0), True)


def test_a_leg_without_an_answer_is_given_up_at_the_limit(desk):
    desk.open()
    desk.trade(BTC)
    (silent,) = desk.waiting(ETH)
    desk.wait(LIMIT_S - 0.01)
    assert not desk.venue.cancels
    desk.wait(0.02)
    assert desk.venue.cancels == [silent.order_id]
    assert [order.reduce_only for order in desk.waiting(BTC)] == [True]
    (told,) = desk.of(EventType.HEALTH)
    assert (told.component, told.state) == ("pair.legs", "UNHEDGED")
    desk.trade(BTC)
    desk.trade(ETH)  # it had traded after all
    assert [(order.side, order.size) for order in desk.waiting(ETH)] == [(Side.BUY, -SHORT)]
    desk.trade(ETH)
    assert desk.strategy.is_flat
    assert [fact.state for fact in desk.of(EventType.HEALTH)][-1] == "HEDGED"


@pytest.mark.parametrize("is_told", [True, False])
def test_an_exit_is_not_waited_for_beyond_the_limit(desk, is_told):
    """Told to be lost or just silent: the venue closes a perpetual once, so another is sent, and
    again: silence says nothing against the next one. If it lasts, ever more slowly."""
    desk.open()
    desk.trade(BTC)
    desk.trade(ETH)
    desk.close()
    desk.trade(BTC)
    (silent,) = desk.waiting(ETH)
    if is_told:
        desk.say(OrderUnknown(silent.order_id, desk.clock.now_ns, ETH))
    desk.wait(LIMIT_S - 0.01)
    assert desk.waiting(ETH) == [silent]
    desk.wait(0.02)
    _, second = desk.waiting(ETH)
    assert (second.side, second.size, second.reduce_only) == (Side.BUY, -SHORT, True)
    desk.wait(2)
    assert len(desk.waiting(ETH)) == 6
    desk.wait(118)
    assert len(desk.waiting(ETH)) < 16
    desk.trade(ETH)
    assert desk.legs == (0, 0)
    assert desk.strategy.naked_longest_ns > LIMIT_S * SECOND_NS


def given_up(**more):
    """Coins whose way out is not answered; the perpetual is closed. *Returns*: that exit too."""
    desk = LegsDesk(cash=100_000, instruments=COINS, **more)
    desk.open()
    desk.trade(BTC)
    desk.trade(ETH)
    desk.close()
    desk.trade(ETH)
    (silent,) = desk.waiting(BTC)
    return desk, silent


def hedged(desk):
    """The perpetual is opened again."""
    desk.wait(LIMIT_S + 0.01)
    (again,) = desk.waiting(ETH)
    assert (again.side, again.size, again.reduce_only) == (Side.SELL, -SHORT, False)
    desk.trade(ETH)
    assert desk.legs == (LONG, SHORT)
    assert [fact.state for fact in desk.of(EventType.HEALTH)] == ["UNHEDGED", "HEDGED"]


def test_coins_that_cannot_be_got_rid_of_are_hedged_again():
    """Another exit could sell coins of somebody else: the proof is waited for, both legs held."""
    desk, silent = given_up()
    hedged(desk)
    desk.say(OrderUnknown(silent.order_id, desk.clock.now_ns, BTC))
    desk.wait(50)
    assert desk.waiting(BTC) == [silent]
    assert not desk.strategy.is_flat
    desk.say(OrderAbsent(silent.order_id, "looked for", BTC))
    desk.wait(1)
    for symbol in (BTC, ETH):
        (way_out,) = desk.waiting(symbol)
        assert way_out.reduce_only
        desk.trade(symbol)
    assert (desk.legs, desk.strategy.is_flat) == ((0, 0), True)


def test_the_second_hedge_goes_with_what_the_lost_exit_sold():
    desk, silent = given_up()
    hedged(desk)
    desk.trade(BTC, "0.5")
    desk.wait(1)
    (part,) = desk.waiting(ETH)
    assert (part.side, part.size) == (Side.BUY, Decimal("1.00"))
    desk.trade(ETH)
    desk.trade(BTC)
    desk.wait(2)
    (rest,) = desk.waiting(ETH)
    assert (rest.side, rest.size, rest.reduce_only) == (Side.BUY, Decimal("1.00"), True)
    desk.trade(ETH)
    assert (desk.legs, desk.strategy.is_flat) == ((0, 0), True)
    assert silent.order_id not in desk.strategy._under_way.values()


def test_coins_that_cannot_be_hedged_get_another_exit_when_the_first_is_lost():
    desk, silent = given_up()
    for _ in range(3):
        desk.wait(LIMIT_S)
        while desk.waiting(ETH):
            desk.end(ETH, OrderRejected)
    assert desk.waiting(BTC) == [silent]
    desk.say(OrderUnknown(silent.order_id, desk.clock.now_ns, BTC))
    desk.wait(5)
    assert len(desk.waiting(BTC)) == 2


def test_an_order_that_never_was_is_made_again_at_once(desk):
    """A pause is for refusals."""
    desk.open()
    desk.trade(BTC)
    desk.trade(ETH)
    desk.close()
    desk.trade(BTC)
    for _ in range(4):
        desk.end(ETH)
        desk.wait(4)
    lost = desk.waiting(ETH)
    for order in lost:
        desk.say(OrderUnknown(order.order_id, desk.clock.now_ns, ETH))
    for order in lost:
        desk.say(OrderAbsent(order.order_id, "looked for", ETH))
    assert desk.waiting(ETH)


def test_nothing_is_held_when_neither_leg_may_open():
    desk = LegsDesk(cash=100_000, limits={"order_value_max": "1"})
    desk.open()
    desk.wait(60)
    assert not desk.venue.sent
    assert desk.strategy.is_flat


def test_a_leg_that_the_venue_took_away_takes_the_other_with_it(desk):
    desk.open()
    desk.trade(BTC)
    desk.trade(ETH)
    desk.say(OrderFilled("venue-1", Decimal(3000), -SHORT, ETH, Side.BUY, exec_id="liquidation"))
    assert desk.legs == (LONG, 0)
    desk.wait(0.6)
    if desk.waiting(ETH):  # it may try to have the pair again, within the limit
        desk.end(ETH, OrderRejected)
    desk.wait(LIMIT_S + 1)
    while desk.waiting(ETH):
        desk.end(ETH)
        desk.wait(1)
    assert {order.side for order in desk.waiting(BTC)} == {Side.SELL}


def test_a_close_that_is_refused_is_asked_again_ever_more_slowly(desk):
    desk.open()
    desk.trade(BTC)
    desk.trade(ETH)
    desk.close()
    desk.trade(BTC)
    began, times = desk.clock.now_ns, []
    for _ in range(1_200):
        if desk.waiting(ETH):
            times.append((desk.clock.now_ns - began) / SECOND_NS)
            desk.end(ETH)
        desk.wait(0.5)
    assert times[:5] == [0, 0.5, 1.5, 3.5, 7.5]
    assert max(b - a for a, b in itertools.pairwise(times)) == 60
    assert desk.legs == (0, SHORT)


@pytest.mark.parametrize("is_whole", [True, False])
def test_after_a_restart_a_whole_pair_is_kept_and_a_leg_alone_is_not(desk, is_whole):
    position = {BTC: LONG, ETH: SHORT if is_whole else Decimal(0)}
    for symbol, qty in position.items():
        if qty:
            order_id = desk.ask(str(abs(qty)), Side.BUY if qty > 0 else Side.SELL, symbol=symbol)
            desk.fill(order_id, str(abs(qty)), f"old-{symbol}", price=str(desk.prices[symbol]))
    desk.strategy.resume(position, (), {})
    desk.strategy.protect()
    desk.bus.drain(())
    assert desk.strategy.is_open is is_whole
    assert bool(desk.waiting(BTC)) is not is_whole


def test_an_exit_that_was_lost_before_a_restart_is_not_waited_for_either(desk):
    order_id = desk.ask(str(-SHORT), Side.SELL, symbol=ETH)
    desk.fill(order_id, str(-SHORT), "old", price=str(desk.prices[ETH]))
    order_id = desk.ask(str(-SHORT), Side.BUY, symbol=ETH, reduce_only=True)
    desk.say(OrderUnknown(order_id, desk.clock.now_ns, ETH))
    desk.strategy.resume({ETH: SHORT}, [desk.engine.get(order_id)], {})
    desk.strategy.protect()
    desk.bus.drain(())
    (lost,) = desk.waiting(ETH)
    desk.wait(LIMIT_S + 0.1)
    assert desk.waiting(ETH)[0] == lost
    assert len(desk.waiting(ETH)) == 2


def test_two_symbols_are_needed():
    with pytest.raises(ParameterInvalid, match="got 1 symbols"):
        Pair((BTC,))


@pytest.mark.parametrize(
    ("quantity", "expected"), [(0.1234, "0.12"), (0.0099, "0.00"), (3.0, "3.00")]
)
def test_equal_legs_are_on_the_lots_of_both(desk, quantity, expected):
    assert desk.strategy.common_lot(quantity) == Decimal(expected)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_venue_does_nothing_stays_alone(desk, seed):
    """A venue that fills, fills in pieces, refuses, cancels or keeps silent at random, then is
    well: the pair ends whole or flat, and no leg was alone for longer than the limit and the
    venue's own slowness.
    """
    rng = random.Random(seed)
    desk.open()
    for step in range(400):
        is_well = step > 200
        for symbol in (BTC, ETH):
            if not desk.waiting(symbol):
                continue
            match 0 if is_well else rng.randrange(8):
                case 0 | 1:
                    desk.trade(symbol)
                case 2:
                    desk.trade(symbol, "0.5")
                case 3:
                    desk.end(symbol)
                case 4:
                    desk.end(symbol, OrderRejected)
        if rng.random() < 0.01:
            desk.close()
        desk.wait(rng.choice((0.05, 0.3, 1.0)))
    desk.wait(200)
    for _ in range(10):
        for symbol in (BTC, ETH):
            if desk.waiting(symbol):
                desk.trade(symbol)
        desk.wait(61)
    assert desk.strategy.is_open or desk.strategy.is_flat
    assert desk.legs in ((LONG, SHORT), (0, 0))
