# SPDX-License-Identifier: Apache-2.0
"""Funding and basis: when they trade, which way round, and when they leave; a venue that fills."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from msgspec.structs import replace

from desk import MINUTE_NS, Desk
from hean._core import Instrument
from hean.core.types import Candle, EventType, Funding, Side
from hean.errors import ParameterInvalid
from hean.strategies import STRATEGIES
from hean.strategies.basis import BasisArbitrage
from hean.strategies.funding import FundingHarvester

SPOT, PERP = "BTCUSDT@spot", "BTCUSDT@perp"
INSTRUMENTS = {
    SPOT: Instrument(SPOT, "spot", "0.01", "0.00001"),
    PERP: Instrument(PERP, "linear", "0.10", "0.001"),
}
PERPS = {name: Instrument(name, "linear", "0.10", "0.001") for name in (SPOT, PERP)}
HOUR_NS = 60 * MINUTE_NS


class CarryDesk(Desk):
    """Bars of two legs; whatever is sent is filled at the last price."""

    def __init__(self, strategy, instruments=INSTRUMENTS):
        prices = {SPOT: 60_000.0, PERP: 60_000.0}
        super().__init__(strategy=strategy, instruments=instruments, prices=prices, cash=1_000_000)

    def bar(self, spot, perp, minutes=5):
        self.wait(minutes * 60)
        opened_ns = self.clock.now_ns - minutes * MINUTE_NS
        for symbol, price in ((SPOT, spot), (PERP, perp)):
            self.prices[symbol] = price
            timeframe = f"{minutes}m"
            self.say(Candle(symbol, price, price, price, price, 1.0, timeframe, opened_ns))
        self.fill_all()

    def fill_all(self):
        done = {fact.order_id for fact in self.of(EventType.ORDER_FILLED)}
        for number, order in enumerate(self.venue.sent):
            if order.order_id not in done:
                price = str(round(self.prices[order.symbol], 1))
                self.fill(order.order_id, str(order.size), f"x{number}", price=price)

    def settle(self, rate, *, mark=60_000.0, after_hours=8):
        self.wait(after_hours * 3_600)
        self.say(Funding(PERP, rate, 0, mark))

    @property
    def trades(self):
        return [(order.symbol, order.side, order.size) for order in self.venue.sent]


# ---------------------------------------------------------------- funding


def harvester(**given):
    return CarryDesk(FundingHarvester((SPOT, PERP), {"notional": 6_000.0, **given}))


def settled(desk, rates):
    for rate in rates:
        desk.settle(rate)


def test_funding_that_pays_for_the_trade_is_harvested():
    desk = harvester()
    settled(desk, [0.0003] * 40)
    desk.bar(60_000.0, 60_000.0)
    assert desk.trades == [
        (SPOT, Side.BUY, Decimal("0.100")),
        (PERP, Side.SELL, Decimal("0.100")),
    ]
    assert desk.strategy.is_open


def live(desk, rate, number):
    """A settlement as a session with money hears it: from the history, and as a payment."""
    at_ns = desk.clock.now_ns + (number - 50) * 8 * HOUR_NS
    paid = Funding(PERP, rate, 0, 60_000.0, f"{PERP}-{number}", Decimal(-1), "USDT", at_ns + 7)
    return Funding(PERP, rate, settled_ns=at_ns), paid


@pytest.mark.parametrize("first", [0, 1], ids=["history first", "payment first"])
def test_the_past_is_learned_at_once_and_a_settlement_told_twice_is_learned_once(first):
    desk, twin = harvester(), harvester()
    settled(twin, [0.0003 + n * 1e-6 for n in range(40)])
    for number in range(40):
        facts = live(desk, 0.0003 + number * 1e-6, number)
        desk.say(facts[first])
        desk.say(facts[1 - first])
    assert desk.strategy._model == twin.strategy._model
    assert abs(desk.strategy._interval_ns - twin.strategy._interval_ns) <= 7
    desk.bar(60_000.0, 60_000.0)
    assert len(desk.trades) == 2


def test_a_payment_without_its_rate_and_a_rate_that_stands_teach_nothing():
    desk = harvester()
    _, paid = live(desk, 0.0, 1)
    desk.say(replace(paid, mark_price=None))
    desk.say(Funding(PERP, 0.001, desk.clock.now_ns))
    assert not desk.strategy._rates


@pytest.mark.parametrize(
    ("rates", "why"),
    [
        ([0.0003] * 20, "too few settlements to judge by"),
        ([0.00002] * 40, "it does not pay for the trade in its horizon"),
        ([-0.0003] * 40, "shorts pay"),
        ([0.003 if n % 9 == 0 else -0.0003 for n in range(60)], "too uncertain"),
    ],
)
def test_funding_that_does_not_is_left_alone(rates, why):
    desk = harvester()
    settled(desk, rates)
    desk.bar(60_000.0, 60_000.0)
    assert desk.trades == [], why


def test_a_position_ends_when_funding_is_expected_to_cost():
    desk = harvester()
    settled(desk, [0.0003] * 40)
    desk.bar(60_000.0, 60_000.0)
    settled(desk, [-0.002, -0.003, -0.003])
    desk.bar(60_000.0, 60_000.0)
    assert desk.trades[2:] == [
        (SPOT, Side.SELL, Decimal("0.100")),
        (PERP, Side.BUY, Decimal("0.100")),
    ]
    assert desk.strategy.is_flat


def test_a_position_ends_when_the_perpetual_runs_away():
    desk = harvester(basis_stop=0.01)
    settled(desk, [0.0003] * 40)
    desk.bar(60_000.0, 60_000.0)
    desk.bar(60_000.0, 60_500.0)
    assert desk.strategy.is_open
    desk.bar(60_000.0, 60_700.0)
    assert desk.strategy.is_flat


def test_nothing_is_decided_while_nobody_can_say_who_is_paid():
    desk = harvester()
    settled(desk, [0.0003] * 40)
    desk.clock.now_ns += 20 * 10**9
    for symbol in (SPOT, PERP):
        desk.say(Candle(symbol, *[60_000.0] * 4, 1.0, "5m", desk.clock.now_ns - 5 * MINUTE_NS))
    assert desk.trades == []


def test_a_forecast_of_the_venue_is_no_settlement():
    desk = harvester()
    for _ in range(60):
        desk.settle(0.0003, mark=None)
    desk.bar(60_000.0, 60_000.0)
    assert desk.trades == []


# ---------------------------------------------------------------- basis


def arbitrage(instruments=INSTRUMENTS, **given):
    settings = {"notional": 6_000.0, "window": 400, "cost": 0.001, **given}
    return CarryDesk(BasisArbitrage((SPOT, PERP), settings), instruments)


def usual(desk, bars=420):
    """A distance of 5 bp, give or take one."""
    for number in range(bars):
        desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 + 0.0001 * (-1) ** number))


def test_a_dear_perpetual_is_sold_against_coins_and_bought_back_when_usual():
    desk = arbitrage()
    usual(desk)
    assert desk.trades == []
    desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 + 0.0007))
    assert desk.trades == []  # unusual, but not worth its cost
    desk.strategy.p.stop = 60.0
    desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 + 0.0025))
    assert [(symbol, side) for symbol, side, _ in desk.trades] == [
        (SPOT, Side.BUY),
        (PERP, Side.SELL),
    ]
    desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 + 0.0015))
    assert desk.strategy.is_open
    desk.bar(60_000.0, 60_000.0 * math.exp(0.0005))
    assert desk.strategy.is_flat


def test_coins_are_never_sold_short_and_perpetuals_are():
    for instruments, trades in ((INSTRUMENTS, 0), (PERPS, 2)):
        desk = arbitrage(instruments, stop=60.0)
        usual(desk)
        desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 - 0.0025))
        assert len(desk.trades) == trades
    assert [side for _, side, _ in desk.trades] == [Side.SELL, Side.BUY]


def test_a_distance_beyond_the_stop_is_not_entered_and_ends_a_position():
    desk = arbitrage(stop=30.0)
    usual(desk)
    desk.bar(60_000.0, 60_000.0 * math.exp(0.02))
    assert desk.trades == []
    desk = arbitrage(stop=40.0)
    usual(desk)
    desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 + 0.0025))
    assert desk.strategy.is_open
    desk.bar(60_000.0, 60_000.0 * math.exp(0.08))
    assert desk.strategy.is_flat


def test_a_position_ends_after_the_longest_time():
    desk = arbitrage(stop=60.0, hold=5)
    usual(desk)
    desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 + 0.0025))
    for _ in range(4):
        desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 + 0.0025))
    assert desk.strategy.is_open
    desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 + 0.0025))
    assert desk.strategy.is_flat


def test_funding_that_the_position_would_pay_keeps_it_out():
    desk = arbitrage(stop=60.0, hold=2_016)
    usual(desk, 30)
    desk.settle(-0.003)
    desk.settle(-0.003)
    usual(desk)
    desk.bar(60_000.0, 60_000.0 * math.exp(0.0005 + 0.0025))
    assert desk.trades == []


@pytest.mark.promise(197)
def test_the_promised_strategies_are_there():
    assert {"impulse", "funding", "basis"} <= STRATEGIES.keys()


@pytest.mark.parametrize("name", ["funding", "basis"])
def test_they_are_known_by_name_and_need_two_symbols(name):
    with pytest.raises(ParameterInvalid, match="two legs"):
        STRATEGIES[name](("BTCUSDT",))
