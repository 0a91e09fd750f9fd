# SPDX-License-Identifier: Apache-2.0
"""Pairs on made markets: a spread that comes back is traded and pays; walks that have nothing in
common are left alone; a spread that stops coming back is left.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from desk import BTC, ETH, MINUTE_NS, Desk
from hean.core.types import Candle, EventType
from hean.strategies import STRATEGIES
from hean.strategies.pairs import PairsTrader

GIVEN = {"window": 400, "refit": 100_000, "cost": 0.001, "hold": 300, "notional": 10_000.0}
SPREAD = 0.02  # standard deviation of a spread that comes back
HALF_LIFE = 15.0  # bars


class PairDesk(Desk):
    """Bars of two perpetuals; whatever is sent is filled at the last price."""

    def __init__(self, **given):
        strategy = PairsTrader((ETH, BTC), {**GIVEN, **given})
        super().__init__(strategy=strategy, cash=1_000_000)
        self.fills = 0

    def play(self, y, x):
        for first, second in zip(y, x, strict=True):
            self.wait(60)
            opened_ns = self.clock.now_ns - MINUTE_NS
            for symbol, price in ((ETH, float(first)), (BTC, float(second))):
                self.prices[symbol] = price
                self.say(Candle(symbol, *[price] * 4, 1.0, "1m", opened_ns))
            self.fill_all()

    def fill_all(self):
        for order in self.venue.sent[self.fills :]:
            digits = 1 if order.symbol == BTC else 2
            price = str(round(self.prices[order.symbol], digits))
            self.fill(order.order_id, str(order.size), f"x{self.fills}", price=price)
            self.fills += 1


def market(bars, *, seed, is_pair=True, spread=SPREAD):
    """Prices of a pair: the second a walk, the first its square root times what comes back."""
    rng = np.random.default_rng(seed)
    x = math.log(60_000) + np.cumsum(rng.normal(0, 0.002, bars))
    if not is_pair:
        return np.exp(math.log(3_000) + np.cumsum(rng.normal(0, 0.002, bars))), np.exp(x)
    phi = 0.5 ** (1 / HALF_LIFE)
    away, values = 0.0, []
    for noise in rng.normal(0, spread * math.sqrt(1 - phi**2), bars):
        away = phi * away + noise
        values.append(away)
    return np.exp(2.5 + 0.5 * x + np.array(values)), np.exp(x)


@pytest.mark.promise(198)
def test_a_spread_that_comes_back_is_traded_and_pays():
    desk = PairDesk()
    desk.play(*market(1_600, seed=9))
    orders = len(desk.venue.sent)
    assert orders >= 16
    assert float(desk.ledger.equity) > 1_000_000
    first, second = desk.venue.sent[:2]
    money = [
        float(order.size) * desk_price for order, desk_price in ((first, 3_000), (second, 60_000))
    ]
    assert first.side is not second.side
    assert 0.2 < money[1] / money[0] < 1.2  # half the money, as the model has it


def test_walks_that_have_nothing_in_common_are_left_alone():
    traded = 0
    for seed in range(6):
        desk = PairDesk()
        desk.play(*market(600, seed=seed, is_pair=False))
        traded += bool(desk.venue.sent)
    assert traded <= 1  # one in twenty passes the test by chance


def test_nothing_is_traded_where_costs_exceed_what_comes_back():
    desk = PairDesk(cost=0.1)
    desk.play(*market(900, seed=5))
    assert not desk.venue.sent


def test_a_spread_that_breaks_is_left_and_not_entered_again_at_once():
    desk = PairDesk()
    y, x = market(700, seed=5)
    desk.play(y, x)
    broken = y[-1] * np.exp(np.cumsum(np.full(60, 0.01)))  # it runs away by a percent a bar
    desk.play(broken, np.full(60, x[-1]))
    assert desk.strategy.is_flat
    assert sum(map(abs, desk.strategy.position.values())) == 0


def test_one_leg_without_a_bar_decides_nothing():
    desk = PairDesk()
    y, x = market(700, seed=5)
    desk.play(y[:400], x[:400])
    for price in y[400:500]:
        desk.wait(60)
        desk.say(Candle(ETH, *[float(price)] * 4, 1.0, "1m", desk.clock.now_ns - MINUTE_NS))
    assert not desk.venue.sent
    assert not desk.of(EventType.ERROR)


@pytest.mark.parametrize("price", [3_000.0])
def test_a_market_that_stands_still_has_no_models(price):
    desk = PairDesk(window=100)
    desk.play(np.full(150, price), np.full(150, 60_000.0))
    assert not desk.venue.sent


def test_it_is_known_by_name():
    assert STRATEGIES["pairs"] is PairsTrader
