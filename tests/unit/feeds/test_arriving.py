# SPDX-License-Identifier: Apache-2.0
"""A live feed as the market of a simulated venue: order of facts, aggressors, funding, the grid."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hean._core import SimVenue
from hean.backtest.assumptions import Assumptions
from hean.core.clock import SimClock
from hean.core.types import Book, EventType, Funding, Health, Payload, Tick
from hean.errors import ParameterInvalid
from hean.feeds.arriving import ArrivingMarket, ArrivingSource, LookBack, Terms
from hean.venues.sim import SimulatedVenue

S_NS = 1_000_000_000
START_NS = 1_700_000_000 * S_NS
HOUR_NS = 3_600 * S_NS
BTC = Terms(
    "BTCUSDT", "linear", "0.1", "0.001", "0.001", "", "5", (), "0.0002", "0.00055", 8 * 3_600
)
ANSWER_NS = 50_000_000  # the venue's answers take so long
ALL = frozenset(EventType)


class Played:
    """A venue fed by hand."""

    def __init__(self) -> None:
        self.market = ArrivingMarket([BTC], start_ns=START_NS, origin="a test")
        self.core: SimVenue = Assumptions().venue(Decimal(10_000), seed=0)
        rules = self.market.markets["BTCUSDT"].rules
        self.core.add_instrument(rules.instrument, "0.0002", "0.00055", "0.005", "3")
        self.market.feed(self.core)
        venue = SimulatedVenue(self.core, SimClock(START_NS))
        self.look_back = LookBack(venue, ["BTCUSDT"])
        self.source = ArrivingSource(venue, self.market, self.look_back)
        self.source.subscribe(ALL)

    def play(self, until_ns: int) -> list[tuple[int, Payload]]:
        """Everything before *until_ns*."""
        self.market.hand_over(self.core, until_ns)
        told = []
        while (instant := self.source.next(None)) is not None:
            told.extend((instant[0], fact) for fact in instant[1])
        return told


def tick(price: float, volume: float = 1.0, bid: float | None = None, ask: float | None = None):
    return Tick("BTCUSDT", price, volume, 0, bid, ask)


def book(is_snapshot: bool, bids: dict[float, float], asks: dict[float, float]) -> Book:
    return Book("BTCUSDT", tuple(bids.items()), tuple(asks.items()), is_snapshot)


def test_facts_are_told_in_the_order_of_arrival_each_later_than_the_one_before() -> None:
    played = Played()
    report = Health("feed.x", "UP")
    played.market.take(START_NS + 5, (book(True, {100.0: 1}, {100.1: 1}),))
    played.market.take(START_NS + 5, (tick(100.1),))  # the clock has not moved
    played.market.take(START_NS + 3, (report,))  # and now it went back
    played.market.take(START_NS + 4, (tick(100.0), tick(99.9)))
    told = played.play(START_NS + 100)
    assert [type(fact) for _, fact in told] == [Book, Tick, Health, Tick, Tick]
    assert [at - START_NS for at, _ in told] == [5, 6, 7, 8, 8]
    assert [f.price for _, f in told if isinstance(f, Tick)] == [100.1, 100.0, 99.9]


def test_nothing_of_the_present_moment_or_later_is_told() -> None:
    played = Played()
    played.market.take(START_NS + 10, (tick(100.0),))
    assert played.play(START_NS + 10) == []
    assert len(played.play(START_NS + 11)) == 1
    assert played.play(START_NS + 12) == []


def test_what_is_told_does_not_depend_on_how_often_it_is_played() -> None:
    def run(step: int) -> list[tuple[int, Payload]]:
        played = Played()
        told = []
        for number in range(60):
            at_ns = START_NS + number * S_NS
            if number % step == 0:
                told += played.play(at_ns)
            if number % 7 == 0:
                played.market.take(at_ns, (Health("feed", str(number)),))
            played.market.take(at_ns, (book(True, {100.0: 1.0 + number}, {100.1: 1}),))
            played.market.take(at_ns, (tick(100.0 + 0.1 * (number % 2)),))
        return told + played.play(START_NS + 100 * S_NS)

    assert run(1) == run(13) == run(60)


def test_a_horizon_is_met_exactly_and_no_fact_beyond_it_is_shown() -> None:
    played = Played()
    played.market.take(START_NS + 10, (Health("feed", "UP"),))
    played.market.take(START_NS + 20, (tick(100.0),))
    played.market.hand_over(played.core, START_NS + 50)
    played.source.until_ns = START_NS + 50
    instants = [played.source.next(START_NS + horizon) for horizon in (5, 15, 15, 30, 30, 60)]
    assert [at and at[0] - START_NS for at in instants] == [5, 10, 15, 20, 30, None]


@pytest.mark.parametrize(
    ("ticks", "fills"),
    [
        ([tick(99.0, 1.0, 98.9, 99.0)], 0),  # a buyer at the ask passes our bid by
        ([tick(99.0, 1.0, 99.0, 99.1)], 1),  # a seller at the bid trades with us
        ([tick(99.5), tick(99.0)], 1),  # no touch: the price fell, so somebody sold
        ([tick(98.5), tick(99.0)], 0),
    ],
)
def test_who_crossed_is_read_off_the_touch_or_the_move(ticks: list[Tick], fills: int) -> None:
    market = ArrivingMarket([BTC], start_ns=START_NS, origin="a test")
    market.take(START_NS + 1, tuple(ticks))
    rows = market._symbols["BTCUSDT"].rows["trades"]
    assert int(rows[-1][3]) == fills


def test_a_trade_off_the_grid_is_left_out_and_counted() -> None:
    played = Played()
    played.market.take(START_NS + 1, (tick(100.05), tick(100.0)))
    told = played.play(START_NS + 10)
    assert [fact.price for _, fact in told if isinstance(fact, Tick)] == [100.0]
    assert played.market.off_grid == 1


def test_an_empty_book_and_an_empty_change_are_taken() -> None:
    played = Played()
    played.market.take(START_NS + 1, (book(True, {100.0: 1}, {100.1: 1}),))
    played.market.take(START_NS + 2, (book(False, {}, {}),))
    played.market.take(START_NS + 3, (book(True, {}, {}),))
    told = [fact for _, fact in played.play(START_NS + 10)]
    assert [fact.is_snapshot for fact in told if isinstance(fact, Book)] == [True, True]


def test_funding_is_settled_on_schedule_at_the_rate_last_told_even_without_a_feed() -> None:
    played = Played()
    played.market.take(START_NS + 1, (book(True, {100.0: 1}, {100.1: 1}),))
    played.market.take(START_NS + 2, (Funding("BTCUSDT", 0.0001, START_NS + HOUR_NS),))
    played.market.take(START_NS + 3, (Funding("BTCUSDT", 0.0003, START_NS + HOUR_NS),))
    assert [f for _, f in played.play(START_NS + HOUR_NS) if isinstance(f, Funding)] == []
    told = played.play(START_NS + 18 * HOUR_NS)  # days later nobody had called
    settled = [(at - ANSWER_NS, f.rate) for at, f in told if isinstance(f, Funding)]
    assert settled == [(START_NS + hours * HOUR_NS, 0.0003) for hours in (1, 9, 17)]


def test_a_settlement_that_the_venue_still_announces_is_paid_once() -> None:
    played = Played()
    due_ns = START_NS + HOUR_NS
    played.market.take(START_NS + 1, (book(True, {100.0: 1}, {100.1: 1}),))
    for at_ns, rate, next_ns in [
        (START_NS + 2, 0.0001, due_ns),
        (due_ns + S_NS, 0.0002, due_ns),  # the next rate is told before the next time is
        (due_ns + 2 * S_NS, 0.0003, due_ns),
        (due_ns + 3 * S_NS, 0.0003, due_ns + 8 * HOUR_NS),
    ]:
        played.market.take(at_ns, (Funding("BTCUSDT", rate, next_ns),))
    told = played.play(due_ns + 9 * HOUR_NS)
    settled = [(at - ANSWER_NS - due_ns, f.rate) for at, f in told if isinstance(f, Funding)]
    assert settled == [(0, 0.0001), (8 * HOUR_NS, 0.0003)]


def test_a_rate_to_come_is_no_payment() -> None:
    played = Played()
    for number in range(5):
        rate = Funding("BTCUSDT", 0.0001 * number, START_NS + HOUR_NS)
        played.market.take(START_NS + number + 1, (rate,))
    assert played.play(START_NS + 100) == []


def test_a_strategy_looks_back_at_what_was_told_and_no_further() -> None:
    played = Played()
    for number in range(5):
        played.market.take(START_NS + number, (tick(100.0 + number), tick(0.0, 0.0, 99.0, 101.0)))
    assert list(played.look_back.window("BTCUSDT", 3, "price")) == []
    played.play(START_NS + 100)
    assert list(played.look_back.window("BTCUSDT", 3, "price")) == [102.0, 103.0, 104.0]
    assert list(played.look_back.window("BTCUSDT", 2, "ask")) == [101.0, 101.0]
    with pytest.raises(ParameterInvalid, match="it has price, qty, bid, ask"):
        played.look_back.window("BTCUSDT", 3)
