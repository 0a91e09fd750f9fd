# SPDX-License-Identifier: Apache-2.0
"""Impact, shortfall and routing: identities, limits, and brute force for the router."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest

from hean.errors import ParameterInvalid
from hean.quant.impact import almgren_2005, lingering, square_root_cost
from hean.quant.routing import BOOK_AGE_MAX_NS, VenueBook, is_maker_better, route
from hean.quant.shortfall import (
    implementation_shortfall,
    markouts,
    participation,
    slippage_bp,
    twap,
    vwap,
)


def test_the_parts_of_a_shortfall_sum_exactly() -> None:
    """Method: in fractions, against paper minus actual worked out apart."""
    rng = random.Random(4)
    for _ in range(300):
        price = lambda: Fraction(rng.randint(900, 1_100), 10)
        quantity = rng.randint(1, 1_000)
        filled = rng.randint(0, quantity)
        decision, start, average, end = price(), price(), price(), price()
        fees, side = Fraction(rng.randint(0, 50), 7), rng.choice(("BUY", "SELL"))
        found = implementation_shortfall(
            side,
            quantity,
            filled,
            decision=decision,
            benchmark=start,
            average=average,
            end=end,
            fees=fees,
        )
        sign = 1 if side == "BUY" else -1
        paper = sign * quantity * (end - decision)
        actual = sign * filled * (end - average) - fees
        assert found.total == (paper - actual) / (quantity * decision)
        assert found.total == found.explicit + found.realised + found.delay + found.missed


def test_a_sell_mirrors_a_buy() -> None:
    buy = implementation_shortfall("BUY", 10, 10, decision=100.0, average=101.0, end=100.0)
    sell = implementation_shortfall("SELL", 10, 10, decision=100.0, average=99.0, end=100.0)
    assert buy == sell
    assert slippage_bp("SELL", 99.0, 100.0) == pytest.approx(100.0)
    with pytest.raises(ParameterInvalid):
        implementation_shortfall("BUY", 5, 6, decision=1.0, average=1.0, end=1.0)
    with pytest.raises(ParameterInvalid):
        slippage_bp("LONG", 1.0, 1.0)


def test_constant_prices_cost_the_fees_and_nothing_else() -> None:
    found = implementation_shortfall(
        "BUY", Fraction(3), Fraction(3), decision=Fraction(7), average=Fraction(7), end=7, fees=1
    )
    assert (found.total, found.realised, found.missed) == (Fraction(1, 21), 0, 0)


def test_mean_prices() -> None:
    assert vwap([1.0, 3.0], [3.0, 1.0]) == pytest.approx(1.5)
    assert twap([1.0, 3.0]) == 2.0
    assert np.isnan([vwap([1.0], [0.0]), twap([]), participation(0, 0)]).all()
    assert participation(5, 95) == pytest.approx(0.05)


def test_markouts_follow_the_market_up_to_the_end_of_the_recording() -> None:
    times = np.array([0, 10], dtype=np.int64)
    mids = np.array([100.0, 101.0, 99.0])
    found = markouts(
        "BUY",
        times,
        np.array([100.0, 100.0]),
        mid_times=np.array([0, 5, 12]),
        mids=mids,
        horizons_ns=[1, 5, 12],
    )
    assert found == pytest.approx(
        np.array([[0.0, 100.0, -100.0], [100.0, np.nan, np.nan]]), nan_ok=True
    )
    empty = np.array([], dtype=np.int64)
    none = markouts("BUY", times, mids[:2], mid_times=empty, mids=mids[:0], horizons_ns=[1])
    assert np.isnan(none).all()


def test_impact_grows_with_size_but_less_than_size() -> None:
    small, large = (square_root_cost(q, 1e6, 300.0, half_spread=1.0) for q in (1e3, 4e3))
    assert large - 1 == pytest.approx(2 * (small - 1))
    costs = [almgren_2005(q, 1e6, 157.0, 0.5) for q in (1e4, 1e5)]
    assert costs[1].permanent == pytest.approx(10 * costs[0].permanent)
    assert costs[1].temporary == pytest.approx(10**0.6 * costs[0].temporary)
    assert almgren_2005(-1e4, 1e6, 157.0, 0.5).realised == pytest.approx(-costs[0].realised)
    with pytest.raises(ParameterInvalid):
        almgren_2005(1.0, 0.0, 1.0, 1.0)


def test_own_impact_decays_by_half_each_half_life() -> None:
    assert lingering([0, 5, 10], [8.0, 0.0, 0.0]) == pytest.approx([0, 4, 2])
    assert lingering([0, 5, 5], [8.0, 2.0, 0.0]) == pytest.approx([0, 4, 6])
    with pytest.raises(ParameterInvalid):
        lingering([1, 0], [1.0, 1.0])


# ---------------------------------------------------------------- routing


def random_books(rng: random.Random, *, minimum: int = 0) -> list[VenueBook]:
    books = []
    for name in "abc":
        price, levels = rng.randint(95, 105), []
        for _ in range(rng.randint(0, 3)):
            levels.append((price, rng.randint(1, 3)))
            price += rng.randint(1, 3)
        fee = rng.choice((0.0, 0.001, 0.05))
        books.append(VenueBook(name, tuple(levels), fee, minimum))
    return books


def cost_of(book: VenueBook, lots: int) -> float:
    total = 0.0
    for ticks, there in book.levels:
        part = min(lots, there)
        total += part * ticks * (1 + book.fee)
        lots -= part
    return total if not lots else float("inf")


def test_no_other_split_is_cheaper() -> None:
    """Method: every split over three small books."""
    rng = random.Random(5)
    for _ in range(200):
        books, lots = random_books(rng), rng.randint(0, 9)
        found = route("BUY", lots, books)
        there = lots - found.unrouted
        splits = (s for s in itertools.product(range(there + 1), repeat=3) if sum(s) == there)
        best = min(sum(map(cost_of, books, split)) for split in splits)
        assert found.cost == pytest.approx(best)
        assert sum(found.lots.values()) == there
        room = sum(there for book in books for _, there in book.levels)
        assert found.unrouted == max(0, lots - room)


def test_a_part_below_the_smallest_order_goes_elsewhere() -> None:
    dear = VenueBook("dear", ((101, 100),))
    small = VenueBook("small", ((100, 1),), minimum=1_000)
    assert route("BUY", 5, [dear, small]).lots == {"dear": 5}
    assert route("BUY", 5, [small]).unrouted == 5


def test_old_books_and_worse_prices_than_the_limit_are_not_there() -> None:
    old = VenueBook("old", ((90, 9),), age_ns=BOOK_AGE_MAX_NS + 1)
    book = VenueBook("book", ((100, 2), (102, 9)))
    found = route("BUY", 5, [old, book], limit=101)
    assert (found.lots, found.unrouted) == ({"book": 2}, 3)
    sell = route("SELL", 3, [VenueBook("x", ((99, 2), (98, 2))), VenueBook("y", ((98, 9),), 0.01)])
    assert sell.lots == {"x": 3}
    assert sell.cost == -(99 * 2 + 98)
    with pytest.raises(ParameterInvalid):
        route("LONG", 1, [])


def test_resting_pays_when_fills_are_likely_and_harmless() -> None:
    fees = {"maker_fee": 0.0002, "taker_fee": 0.0005}
    assert is_maker_better(0.9, 0.0001, adverse=0.0001, **fees)
    assert not is_maker_better(0.9, 0.0001, adverse=0.002, **fees)
    assert not is_maker_better(0.1, 0.0001, adverse=0.0001, drift=0.001, **fees)
    assert not is_maker_better(0.0, 0.0001, adverse=0.0, **fees)
