# SPDX-License-Identifier: Apache-2.0
"""Round trips from fills: cases worked by hand, and an identity over random fills.

The identity: when whatever is open is closed at any price without a fee, the results of all round
trips add up to the cash that the fills moved, computed here with exact fractions.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.backtest.result import FillRow, round_trips
from hean.core.types import Side
from runs import fill


def test_partial_fills_make_one_trip_with_weighted_prices():
    fills = [
        fill("+", "1", "100", "0.1", ts=1),
        fill("+", "3", "104", "0.3", ts=2),
        fill("-", "2", "110", "0.2", ts=3),
        fill("-", "2", "112", "0.2", ts=4),
    ]
    (trip,) = round_trips(fills)
    assert (trip.side, trip.qty) == (Side.BUY, Decimal(4))
    assert (trip.entry_ts_ns, trip.exit_ts_ns) == (1, 4)
    assert (trip.entry_price, trip.exit_price) == (Decimal(103), Decimal(111))
    assert (trip.fees, trip.pnl) == (Decimal("0.8"), Decimal("31.2"))


def test_quantity_of_a_trip_is_the_largest_position_held():
    sides = [("+", "3"), ("-", "2"), ("+", "1"), ("-", "2")]
    (trip,) = round_trips([fill(side, qty, "10") for side, qty in sides])
    assert trip.qty == 3


def test_a_short_trip_gains_when_the_price_falls():
    (trip,) = round_trips([fill("-", "2", "50", "1"), fill("+", "2", "45", "1")])
    assert (trip.side, trip.pnl) == (Side.SELL, Decimal(8))


def test_a_flip_ends_one_trip_and_starts_the_next():
    fills = [
        fill("+", "1", "100", ts=1),
        fill("-", "3", "110", "0.3", ts=2),
        fill("+", "2", "105", ts=3),
    ]
    first, second = round_trips(fills)
    assert (first.pnl, first.fees) == (Decimal("9.9"), Decimal("0.1"))
    assert (second.side, second.entry_ts_ns, second.qty) == (Side.SELL, 2, Decimal(2))
    assert (second.pnl, second.fees) == (Decimal("9.8"), Decimal("0.2"))


@pytest.mark.parametrize("fee", ["1", "0.00000001", "-0.1", "12345678.12345678"])
def test_shares_of_a_split_fee_add_up_exactly(fee):
    fills = [fill("+", "1", "10"), fill("-", "3", "10", fee), fill("+", "2", "10")]
    assert sum(trip.fees for trip in round_trips(fills)) == Decimal(fee)


def test_what_is_still_open_makes_no_trip():
    assert round_trips([fill("+", "2", "10"), fill("-", "1", "11")]) == []
    assert round_trips([]) == []


def test_symbols_do_not_mix():
    fills = [fill("+", "1", "10", symbol="A"), fill("-", "1", "20", symbol="B")]
    fills += [fill("+", "1", "18", symbol="B"), fill("-", "1", "13", symbol="A")]
    assert [(trip.symbol, trip.pnl) for trip in round_trips(fills)] == [("B", 2), ("A", 3)]


units = st.integers(1, 10**6)
executions = st.builds(
    lambda side, qty, price, fee, symbol: fill(
        side,
        str(Decimal(qty).scaleb(-3)),
        str(Decimal(price).scaleb(-2)),
        str(Decimal(fee).scaleb(-8)),
        symbol=symbol,
    ),
    st.sampled_from("+-"),
    st.integers(1, 20),
    units,
    st.integers(-(10**6), 10**9),
    st.sampled_from("AB"),
)


@given(st.lists(executions, max_size=40), units)
def test_results_add_up_to_the_cash_that_fills_moved(fills: list[FillRow], price: int):
    held: dict[str, Decimal] = {}
    for one in fills:
        signed = one.qty if one.side is Side.BUY else -one.qty
        held[one.symbol] = held.get(one.symbol, Decimal(0)) + signed
    closing = [
        fill("-" if qty > 0 else "+", str(abs(qty)), str(price), symbol=symbol)
        for symbol, qty in held.items()
        if qty
    ]
    cash = Fraction(0)
    for one in [*fills, *closing]:
        way = 1 if one.side is Side.SELL else -1
        cash += way * Fraction(one.qty) * Fraction(one.price) - Fraction(one.fee)
    before, after = round_trips(fills), round_trips([*fills, *closing])
    assert sum(Fraction(trip.pnl) for trip in after) == cash
    assert after[: len(before)] == before
    assert len(after) == len(before) + len(closing)
