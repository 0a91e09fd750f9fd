# SPDX-License-Identifier: Apache-2.0
"""`Book` and `MatchingBook` as Python calls them: conversions, errors, facts. The rules of
matching themselves are tested beside the Rust code, against a naive twin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hean._core import Book, MatchingBook
from hean.errors import BookCrossed, DataInvalid, ParameterInvalid, WouldTrade

BIDS = [(99, 1), (98, 5)]
ASKS = [(101, 3), (104, 4)]


def feed_book() -> Book:
    book = Book()
    book.apply_snapshot(BIDS, ASKS)
    return book


@pytest.mark.parametrize("convert", [list, tuple, lambda rows: np.array(rows, np.int64)])
def test_a_snapshot_may_be_pairs_or_an_array(convert: Any) -> None:
    book = Book()
    book.apply_snapshot(convert(BIDS), convert(ASKS))
    assert book.depth(5) == (BIDS, ASKS)
    assert book.depth(1) == (BIDS[:1], ASKS[:1])


def test_array_slices_that_are_not_contiguous_are_read_right() -> None:
    levels = np.array([[101, 7, 3], [104, 7, 4]], np.int64)
    book = Book()
    book.apply_snapshot([], levels[:, ::2])
    assert book.depth(5) == ([], ASKS)


@pytest.mark.parametrize(
    ("levels", "error"),
    [
        (np.ones((2, 3), np.int64), ValueError),
        (np.ones((2, 2)), TypeError),
        ([(1.5, 2)], TypeError),
        ([(1,)], TypeError),
        (None, TypeError),
    ],
)
def test_levels_of_another_shape_or_type_are_refused(levels: Any, error: type[Exception]) -> None:
    book = feed_book()
    with pytest.raises(error, match="levels"):
        book.apply_delta(levels, [])
    assert book.depth(5) == (BIDS, ASKS)


def test_a_delta_sets_and_removes_levels() -> None:
    book = feed_book()
    book.apply_delta([(99, 0), (97, 2)], [(101, 9)])
    book.update(True, 96, 1)
    assert book.depth(5) == ([(98, 5), (97, 2), (96, 1)], [(101, 9), (104, 4)])
    assert (book.best_bid(), book.best_ask()) == ((98, 5), (101, 9))


def test_analytics_of_a_known_book() -> None:
    book = feed_book()
    assert book.imbalance(1) == -0.5
    assert book.micro_price() == 99.5
    assert book.walk_cost(True, 5) == (5, 102.2, 104)


def test_an_empty_book_answers_none() -> None:
    book = feed_book()
    book.clear()
    assert (book.best_bid(), book.best_ask(), book.depth(3)) == (None, None, ([], []))
    assert (book.imbalance(3), book.micro_price(), book.walk_cost(False, 1)) == (None, None, None)


def test_a_crossed_book_raises_and_is_empty() -> None:
    book = feed_book()
    with pytest.raises(BookCrossed, match="101"):
        book.update(True, 101, 1)
    assert book.depth(5) == ([], [])


def test_an_invalid_level_raises_and_changes_nothing() -> None:
    book = feed_book()
    with pytest.raises(DataInvalid):
        book.apply_delta([(99, 0)], [(105, -1)])
    assert book.depth(5) == (BIDS, ASKS)


def test_facts_and_fills_tell_the_last_call_only() -> None:
    book = MatchingBook()
    maker = book.limit(False, 101, 2)
    assert book.facts() == [("placed", maker, "SELL", 101, 2)]
    taker = book.market(True, 3)
    assert book.facts() == [
        ("fill", maker, taker, "BUY", 101, 2),
        ("cancelled", taker, 1, "no_liquidity"),
    ]
    assert book.fills() == [(maker, taker, 101, 2)]
    assert (book.last_price, book.trades, book.open_count) == (101, 1, 0)
    assert not book.cancel(taker)
    assert book.fills() == []


def test_every_time_in_force_has_its_name() -> None:
    book = MatchingBook()
    maker = book.limit(False, 101, 2)
    for tif, outcome in [
        ("POST_ONLY", ("rejected", WouldTrade.code)),
        ("FOK", ("cancelled", 5, "not_fillable")),
        ("IOC", ("cancelled", 3, "no_liquidity")),
    ]:
        order = book.limit(True, 101, 5, tif)
        kind, order_id, *rest = book.facts()[-1]
        assert (kind, *rest) == outcome
        assert order_id == order != maker
    with pytest.raises(ValueError, match="GTC, IOC, FOK or POST_ONLY"):
        book.limit(True, 101, 5, "DAY")


def test_a_stop_waits_in_the_direction_of_its_side_unless_told_otherwise() -> None:
    book = MatchingBook()
    stops = {
        book.stop(True, 105, 1): 105,
        book.stop(False, 95, 1): 95,
        book.stop(False, 106, 1, rising=True): 106,
        book.stop(True, 94, 1, rising=False, price_ticks=90): 94,
    }
    woken = []
    for price in (100, 105, 106, 95, 94):
        book.limit(False, price, 1)
        book.limit(True, price, 1)
        woken += [(price, fact[1]) for fact in book.facts() if fact[0] == "triggered"]
    assert woken == [(price, order) for order, price in sorted(stops.items(), key=_by_arrival)]
    assert book.depth(1) == ([(90, 1, 1)], [])


def _by_arrival(stop: tuple[int, int]) -> int:
    return (105, 106, 95, 94).index(stop[1])


def test_amend_changes_price_quantity_and_trigger() -> None:
    book = MatchingBook()
    order = book.limit(True, 99, 5)
    assert book.amend(order, price_ticks=98, lots=4)
    assert book.depth(5) == ([(98, 4, 1)], [])
    stop = book.stop(True, 105, 1)
    assert book.amend(stop, trigger_ticks=104)
    assert book.facts() == [("placed", stop, "BUY", 104, 1)]
    assert not book.amend(order, trigger_ticks=104)
    assert book.facts() == [("rejected", order, ParameterInvalid.code)]


def test_reduce_only_and_owner_reach_the_engine() -> None:
    book = MatchingBook(prevents_self_match=True)
    own = book.limit(False, 101, 2, owner=7)
    book.market(True, 9, owner=7, reducible=1)
    assert book.facts()[0] == ("cancelled", own, 2, "self_match")
    assert book.facts()[1][2] == 1


def test_a_batch_gives_the_trades_of_the_same_calls_one_by_one() -> None:
    rng = np.random.default_rng(7)
    rows = 3_000
    kind = rng.choice(np.array([0, 0, 0, 1, 2], np.int8), rows)
    buy = rng.integers(0, 2, rows, dtype=np.int8)
    px = np.where(kind == 1, rng.integers(0, rows, rows), rng.integers(90, 111, rows))
    qty = rng.integers(1, 9, rows)
    batch, single, ids = MatchingBook(), MatchingBook(), [0] * rows
    assert batch.batch(kind, buy, px, qty) > 500
    for row in range(rows):
        if kind[row] == 0:
            ids[row] = single.limit(bool(buy[row]), int(px[row]), int(qty[row]))
        elif kind[row] == 1:
            single.cancel(ids[px[row]])
        else:
            single.market(bool(buy[row]), int(qty[row]))
    assert batch.depth(99) == single.depth(99)
    assert (batch.trades, batch.open_count) == (single.trades, single.open_count)


def test_short_lived_orders_leave_no_memory_behind() -> None:
    """Each order alone on its level: a leaked order, level or trigger would show as megabytes."""
    book = MatchingBook()

    def churn(prices: range) -> None:
        for price in prices:
            assert book.cancel(book.limit(True, price, 1))
            assert book.cancel(book.stop(True, price, 1))
            book.stop(True, price, 1)
            book.limit(False, price, 1)
            book.limit(True, price, 1)
            assert book.facts()[1][0] == "triggered"
        assert book.open_count == 0

    churn(range(1, 1_000))
    before = _resident_bytes()
    churn(range(1_000, 301_000))
    assert _resident_bytes() - before < 4_000_000


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_bad_columns_are_refused() -> None:
    book = MatchingBook()
    flags, numbers = np.zeros(2, np.int8), np.ones(2, np.int64)
    with pytest.raises(ParameterInvalid, match="length"):
        book.batch(flags, flags[:1], numbers, numbers)
    with pytest.raises(ParameterInvalid, match="kind 9"):
        book.batch(flags + np.int8(9), flags, numbers, numbers)
