# SPDX-License-Identifier: Apache-2.0
"""One reading beside our books: what is a difference, what is only time, and in which words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.types import AccountRead, OpenOrder
from hean.reconcile.compare import (
    Change,
    Difference,
    Held,
    OurOrder,
    Weight,
    compare_held,
    compare_orders,
    compare_strangers,
)

S = 1_000_000_000
BEGAN = 1_000 * S
LONG_AGO, MEANWHILE = 900 * S, 1_001 * S
ONE = Decimal(1)


def held(now: str, venue: str | None, *changes: tuple[str, int]) -> list[Difference]:
    ours = Held("BTCUSDT", "position BTCUSDT", Decimal(now))
    listed = {} if venue is None else {"BTCUSDT": Decimal(venue)}
    done = [Change("BTCUSDT", Decimal(amount), at_ns) for amount, at_ns in changes]
    return list(compare_held([ours], listed, done, BEGAN))


@pytest.mark.parametrize(
    ("now", "venue", "changes", "weight"),
    [
        ("0", None, [], None),
        ("2", "2", [], None),
        ("-2.5", "-2.5", [], None),
        ("2", "3", [], Weight.WRONG),
        ("2", None, [], Weight.WRONG),  # a complete list without it: the venue says flat
        ("2", "-2", [], Weight.WRONG),
        ("3", "2", [("1", MEANWHILE)], Weight.NOTE),
        ("3", "1", [("1", MEANWHILE), ("1", MEANWHILE + 1)], Weight.NOTE),
        ("3", "2", [("1", MEANWHILE), ("1", MEANWHILE + 1)], Weight.NOTE),
        ("0", "1", [("1", MEANWHILE), ("-2", MEANWHILE + 1)], Weight.NOTE),
        ("0", "2", [("1", MEANWHILE), ("-2", MEANWHILE + 1)], Weight.NOTE),
        ("0", "-1", [("1", MEANWHILE), ("-2", MEANWHILE + 1)], Weight.WRONG),
        ("3", "2", [("1", LONG_AGO)], Weight.WRONG),  # the reading must show it
        ("3", "2.5", [("1", MEANWHILE)], Weight.WRONG),
        ("2", "3", [("1", MEANWHILE)], Weight.WRONG),  # newer than anything we were told
    ],
)
def test_a_position_is_compared_with_ours_at_any_instant_of_the_reading(
    now, venue, changes, weight
):
    found = held(now, venue, *changes)
    assert [each.weight for each in found] == ([] if weight is None else [weight])


def test_the_sentence_has_both_numbers_and_the_rest():
    (found,) = held("2", "3.5")
    assert found.key == "BTCUSDT"
    assert "the venue has 3.5, our fills explain 2; +1.5 is unexplained" in found.sentence


def test_rounding_of_coins_is_no_difference_and_more_is():
    coin = Held("BTC", "coin BTC", ONE, Decimal("0.00005"))
    assert not list(compare_held([coin], {"BTC": Decimal("1.00005")}, [], BEGAN))
    assert list(compare_held([coin], {"BTC": Decimal("1.00006")}, [], BEGAN))


def listed(order_id: str, filled: str = "0") -> OpenOrder:
    return OpenOrder(order_id, "777", "BTCUSDT", ONE, Decimal(filled))


def ours(status: str, **more: object) -> dict[str, OurOrder]:
    fields = {
        "order_id": "h1-test-1",
        "symbol": "BTCUSDT",
        "status": status,
        "filled": Decimal(0),
        "created_ns": LONG_AGO,
        "updated_ns": LONG_AGO,
    }
    return {"h1-test-1": OurOrder(**(fields | more))}


MINE = [listed("h1-test-1")]


@pytest.mark.parametrize(
    ("venue", "books", "weight", "word"),
    [
        (MINE, ours("WORKING"), None, ""),
        (MINE, ours("PARTIAL", filled=ONE / 2), None, ""),
        (MINE, ours("UNKNOWN"), None, ""),
        (MINE, ours("SENT"), None, ""),
        ([listed("h1-test-1", "0.5")], ours("WORKING"), Weight.OPEN, "filled 0.5 at the venue"),
        (MINE, ours("CANCELLED"), Weight.WRONG, "here it is CANCELLED"),
        (MINE, ours("FILLED"), Weight.WRONG, "here it is FILLED"),
        (MINE, ours("ABSENT"), Weight.WRONG, "here it is ABSENT"),
        (MINE, ours("CANCELLED", updated_ns=MEANWHILE), None, ""),
        ([], ours("WORKING"), Weight.OPEN, "does not list it"),
        ([], ours("PARTIAL"), Weight.OPEN, "does not list it"),
        ([], ours("WORKING", updated_ns=MEANWHILE), None, ""),
        ([], ours("WORKING", has_venue_id=False), None, ""),
        ([], ours("WORKING", is_quarantined=True), Weight.NOTE, "quarantine"),
        ([], ours("UNKNOWN"), Weight.NOTE, "unknown"),
        ([], ours("QUARANTINE"), Weight.NOTE, "quarantine"),
        ([], ours("SENT"), Weight.OPEN, "without an answer"),
        ([], ours("SENT", created_ns=BEGAN - 5 * S), None, ""),
        ([], ours("INTENT"), None, ""),
        ([], ours("FILLED"), None, ""),
        ([], ours("CANCELLED"), None, ""),
        ([listed("web_12")], {}, Weight.NOTE, "somebody's own"),
        ([listed("")], {}, Weight.NOTE, "order 777"),
        ([listed("h9-test-1")], {}, Weight.OPEN, "HEAN's form"),
    ],
)
def test_open_orders_are_compared_both_ways(venue, books, weight, word):
    found = list(compare_orders(venue, books, BEGAN))
    assert [each.weight for each in found] == ([] if weight is None else [weight])
    assert all(word in each.sentence for each in found)


def test_a_position_in_a_symbol_that_is_not_traded_is_somebody_s_own():
    read = AccountRead(BEGAN, True, positions=(("ETHUSDT", ONE), ("XRPUSDT", Decimal(0))))
    (found,) = compare_strangers(read, ["BTCUSDT"])
    assert (found.weight, found.key) == (Weight.NOTE, "position ETHUSDT")
