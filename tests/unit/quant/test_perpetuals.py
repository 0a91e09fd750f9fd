# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of venues: rates, and prices at which nothing is left, checked by what is left."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hean.core.types import Side
from hean.errors import DataInvalid, ParameterInvalid
from hean.quant import perpetuals as perp

SIDES = st.sampled_from(list(Side))


@pytest.mark.parametrize(
    ("premium", "interest", "options", "rate"),
    [
        (0.0003, 0.0001, {}, 0.0001),
        (0.0006, 0.0001, {}, 0.0001),
        (0.0015, 0.0001, {}, 0.0010),
        (-0.002, 0.0001, {}, -0.0015),
        (0.02, 0.0001, {"cap": 0.0075}, 0.0075),
        (-0.02, 0.0001, {"cap": 0.0075}, -0.0075),
        (0.0015, 0.0001, {"clamp": 0.002}, 0.0001),
    ],
)
def test_funding_is_the_interest_within_its_band_and_the_premium_beyond(
    premium, interest, options, rate
):
    assert perp.funding_rate(premium, interest, **options) == pytest.approx(rate, abs=1e-15)


def test_the_last_minute_of_a_premium_counts_most():
    assert perp.average_premium([0.0, 0.0, 3.0]) == pytest.approx(1.5)
    assert perp.average_premium([3.0, 0.0, 0.0]) == pytest.approx(0.5)
    assert perp.interest_rate(0.0006, 0.0003) == pytest.approx(0.0001)
    with pytest.raises(DataInvalid):
        perp.average_premium([])


@given(SIDES, st.floats(10, 1e5), st.floats(100, 1e5), st.floats(0.01, 2), st.floats(0, 0.002))
def test_at_the_bankruptcy_price_nothing_is_left_after_closing(side, contracts, entry, part, taker):
    margin = part * contracts / entry
    price = perp.inverse_bankruptcy(side, contracts, entry, margin=margin, taker=taker)
    if price is None:
        assert side is Side.SELL
        assert part >= 1
        return
    left = margin + perp.inverse_profit(side, contracts, entry, price) - taker * contracts / price
    assert left == pytest.approx(0, abs=1e-9 * contracts / entry + 1e-9 * contracts / price)


@given(SIDES, st.floats(10, 1e5), st.floats(100, 1e5), st.floats(0.02, 0.9), st.floats(0, 0.002))
def test_liquidation_comes_before_bankruptcy_and_leaves_what_it_must(
    side, contracts, entry, part, taker
):
    coins, rate = contracts / entry, 0.005
    end = perp.inverse_bankruptcy(side, contracts, entry, margin=part * coins, taker=taker)
    price = perp.inverse_liquidation(
        side, contracts, entry, margin=part * coins, maintenance_rate=rate, taker=taker
    )
    assume(end is not None and price is not None)
    assert price > end if side is Side.BUY else price < end
    left = part * coins + perp.inverse_profit(side, contracts, entry, price)
    assert left == pytest.approx(rate * coins + taker * contracts / end, abs=1e-9 * coins)


def test_an_inverse_entry_is_harmonic():
    """Half the contracts at 5,000 and half at 10,000: profit at any price is that of both."""
    entry = perp.inverse_entry([(100.0, 5_000.0), (100.0, 10_000.0)])
    assert entry == pytest.approx(6_666.666666666667)
    both = sum(perp.inverse_profit(Side.BUY, 100.0, at, 8_000.0) for at in (5_000.0, 10_000.0))
    assert perp.inverse_profit(Side.BUY, 200.0, entry, 8_000.0) == pytest.approx(both)
    with pytest.raises(DataInvalid):
        perp.inverse_entry([])


def test_added_margin_moves_the_price_away():
    price, quantity, extra = Decimal(19_700), Decimal(2), Decimal(100)
    assert perp.with_added_margin(price, Side.BUY, quantity, extra) == 19_650
    assert perp.with_added_margin(price, Side.SELL, quantity, extra) == 19_750


def test_no_contracts_have_no_bankruptcy():
    with pytest.raises(ParameterInvalid):
        perp.inverse_bankruptcy(Side.BUY, 0.0, 8_000.0, margin=1.0)
