# SPDX-License-Identifier: Apache-2.0
"""One order and an amendment of it, told in any order and more than once."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

from hean.core.types import AmendRejected, OrderAmended, OrderCancelled, OrderFilled, OrderPlaced
from hean.errors import OrderNotOpen, VenueRefused
from hean.venues.reports import OrderReport, Status, Wanted
from unit.venues.test_tracking import Told, look, piece


def amending(size: str, price: int = 50_000) -> Told:
    """An order that rests, and an amendment that has just left."""
    told = Told()
    told.tracker.report(look(Status.OPEN, ts_ns=1))
    told.order.wanted = Wanted(Decimal(price), Decimal(size), 1)
    return told


def seen(size: str, ts_ns: int, *, price: int = 50_000, filled: str = "0") -> OrderReport:
    """A look at the open order with these terms."""
    terms = {"quantity": Decimal(size), "price": Decimal(price)}
    return look(Status.OPEN, filled, ts_ns=ts_ns, **terms)


def test_an_amended_size_decides_when_the_order_is_whole():
    told = amending("0.004", 49_000)
    told.tracker.report(seen("0.004", 2, price=49_000))
    amended = told.facts[-1]
    assert isinstance(amended, OrderAmended)
    assert (amended.price, amended.size) == (49_000, Decimal("0.004"))
    told.tracker.execution(piece(1, "0.004"))
    assert told.facts[-1].remaining_qty == 0
    assert told.tracker.open_orders() == []


def test_until_an_amendment_is_settled_the_larger_size_decides():
    told = amending("0.020")
    told.tracker.execution(piece(1, "0.010"))
    assert told.facts[-1].remaining_qty == Decimal("0.010")
    assert told.tracker.open_orders() == [told.order]
    told.tracker.report(seen("0.020", 2, filled="0.010"))
    assert told.kinds() == [OrderPlaced, OrderFilled, OrderAmended]
    assert told.facts[-1].remaining_qty == Decimal("0.010")


def test_an_order_that_filled_before_its_amendment_came_has_ended():
    told = amending("0.020")
    told.tracker.execution(piece(1, "0.010"))
    told.tracker.report(look(Status.FILLED, "0.010", ts_ns=2))
    assert told.kinds() == [OrderPlaced, OrderFilled, AmendRejected, OrderAmended]
    assert (told.facts[-1].size, told.facts[-1].remaining_qty) == (Decimal("0.010"), 0)
    assert told.tracker.open_orders() == []


def test_who_asked_for_a_change_is_told_that_the_order_ended_first():
    told = amending("0.003")
    told.tracker.execution(piece(1, "0.010"))
    assert told.kinds() == [OrderPlaced, OrderFilled, AmendRejected]
    assert told.facts[-1].code == OrderNotOpen.code
    told = amending("0.003")
    told.tracker.report(look(Status.CANCELLED, ts_ns=2))
    assert told.kinds() == [OrderPlaced, AmendRejected, OrderCancelled]


def test_a_piece_that_only_the_wanted_size_leaves_room_for_proves_it():
    told = amending("0.020")
    told.tracker.execution(piece(1, "0.015"))
    assert told.kinds() == [OrderPlaced, OrderAmended, OrderFilled]
    assert told.facts[-1].remaining_qty == Decimal("0.005")
    assert told.order.wanted is None


def test_less_than_what_has_filled_is_the_end_and_never_negative():
    told = amending("0.004")
    told.tracker.execution(piece(1, "0.006"))
    told.tracker.report(look(Status.FILLED, "0.006", quantity=Decimal("0.004"), ts_ns=2))
    assert told.kinds() == [OrderPlaced, OrderFilled, OrderAmended]
    assert told.facts[-1].remaining_qty == 0
    assert told.tracker.open_orders() == []


def test_terms_are_those_of_the_newest_look_in_any_order():
    for looks in permutations([seen("0.010", 1), seen("0.020", 2), seen("0.020", 3)]):
        told = amending("0.020")
        for each in looks:
            told.tracker.report(each)
        assert told.kinds() == [OrderPlaced, OrderAmended], looks
        assert (told.order.size, told.order.wanted) == (Decimal("0.020"), None)


def test_terms_that_nobody_here_asked_for_are_adopted_while_an_amendment_stays_open():
    told = amending("0.020")
    told.tracker.report(seen("0.005", 2))
    assert told.facts[-1].size == Decimal("0.005")
    assert told.order.wanted is not None
    told.tracker.amend_refused(told.order, VenueRefused, "no")
    assert told.kinds() == [OrderPlaced, OrderAmended, AmendRejected]
    assert told.order.size == Decimal("0.005")
