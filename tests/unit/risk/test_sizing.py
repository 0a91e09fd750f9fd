# SPDX-License-Identifier: Apache-2.0
"""Sizing: formulas against their definition, and rounding that never flatters."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, INSTRUMENTS
from hean.core.types import Side
from hean.errors import NumberNotFinite, OrderSizeInvalid, ParameterInvalid
from hean.quant.kelly import SHARE_MAX, shrunk_share
from hean.risk.sizing import (
    Sizing,
    SizingMethod,
    TrackRecord,
    parse_record,
    position_value,
    price_on_tick,
    sized_quantity,
    trigger_on_tick,
)

FIXED = Sizing(fraction=0.5)
TARGET = Sizing(SizingMethod.VOLATILITY_TARGET, risk_fraction=0.01, stop_deviations=2.0)
KELLY = Sizing(SizingMethod.KELLY, record=TrackRecord(1.2, 0.6, 4.0, 3))
RULES = INSTRUMENTS[BTC]


def value(sizing: Sizing, equity: float, strength: float = 1.0, sigma: float = 0.02) -> float:
    return position_value(sizing, equity, strength=strength, sigma_daily=sigma)


def test_the_fixed_fraction_is_that_fraction_whatever_the_volatility() -> None:
    assert value(FIXED, 10_000, sigma=math.nan) == 5_000
    assert value(FIXED, 10_000, strength=0.25) == 1_250


def test_the_volatility_target_loses_the_risk_fraction_at_the_stop() -> None:
    assert value(TARGET, 10_000) * 2 * 0.02 == pytest.approx(100)
    assert value(TARGET, 10_000, sigma=0.04) == pytest.approx(value(TARGET, 10_000) / 2)


@pytest.mark.parametrize("sigma", [0.0, -0.1, math.nan])
def test_the_volatility_target_takes_nothing_without_a_volatility(sigma: float) -> None:
    assert value(TARGET, 10_000, sigma=sigma) == 0


def test_no_position_is_larger_than_the_leverage_allows() -> None:
    assert value(TARGET, 10_000, sigma=1e-9) == 30_000
    assert value(Sizing(fraction=99, max_leverage=2), 10_000) == 20_000


@pytest.mark.parametrize("equity", [0.0, -500.0])
def test_without_equity_there_is_no_position(equity: float) -> None:
    assert value(FIXED, equity) == value(TARGET, equity) == 0


@given(
    st.floats(0, 1e9), st.floats(-2, 2), st.floats(0, 10), st.sampled_from([FIXED, TARGET, KELLY])
)
def test_a_value_stays_between_nothing_and_the_leverage(
    equity: float, strength: float, sigma: float, sizing: Sizing
) -> None:
    assert 0 <= value(sizing, equity, strength, sigma) <= equity * sizing.max_leverage


@pytest.mark.promise(25)
def test_kelly_bets_the_deserved_share_of_mean_over_variance() -> None:
    share = shrunk_share(1.2, 4.0, 3)
    assert share == KELLY.kelly_share_max == SHARE_MAX  # 0.48 would be deserved
    assert value(KELLY, 10_000, sigma=math.nan) == pytest.approx(10_000 * share * 1.2 / 0.6)
    assert value(KELLY, 10_000, strength=0.5) == pytest.approx(value(KELLY, 10_000) / 2)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (TrackRecord(1.0, 0.5, 1.0, 1), 0),  # a year says nothing about a Sharpe ratio of one
        (TrackRecord(1.0, 0.5, 2.0, 50), 0),  # the best of fifty
        (TrackRecord(-1.0, 0.5, 50.0), 0),
        (TrackRecord(2.0, 1e-3, 50.0), 30_000),  # as if without risk: the leverage caps it
        (None, 500),  # nothing known: a size to find out
    ],
)
def test_kelly_is_as_brave_as_the_record(record: TrackRecord | None, expected: float) -> None:
    sizing = Sizing(SizingMethod.KELLY, record=record)
    assert value(sizing, 10_000) == pytest.approx(expected)


def test_a_record_is_read_from_text() -> None:
    found = parse_record("sharpe=1.2, volatility=0.6,years=4,strategies=3")
    assert found == KELLY.record
    assert parse_record("years=4,sharpe=-1,volatility=1") == TrackRecord(-1, 1, 4, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "give each of"),
        ("sharpe=1,volatility=1", "years missing"),
        ("sharpe=1,sharpe=2", "once"),
        ("sharp=1", "sharpe, volatility"),
        ("sharpe=one", "number"),
        ("sharpe=nan", "allowed"),
        ("sharpe=1,volatility=0", "0.0001 to 100"),
        ("sharpe=1,volatility=1,years=1,strategies=1.5", "whole"),
    ],
)
def test_a_record_that_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(ParameterInvalid, match=words):
        parse_record(text)


def quantity(wished: float, reference: float = 1.0) -> Decimal:
    whole = Sizing(fraction=1.0, max_leverage=1.0)
    return sized_quantity(
        whole,
        RULES,
        equity=Decimal(f"{wished:.12f}"),
        reference=reference,
        strength=1.0,
        sigma_daily=math.nan,
    )


@given(st.floats(0.001, 1_000))
def test_a_quantity_is_never_more_than_wished(wished: float) -> None:
    got = quantity(wished)
    assert got % Decimal("0.001") == 0
    # What is within a millionth of a lot of the next one is the next one.
    assert -1e-9 <= wished - float(got) < 0.001 + 1e-9


def test_less_than_a_lot_is_refused_aloud() -> None:
    with pytest.raises(OrderSizeInvalid, match="lot"):
        quantity(0.0009)


def test_prices_are_rounded_to_the_side_that_does_not_flatter() -> None:
    assert price_on_tick(RULES, 60_000.07, Side.BUY) == Decimal("60000.0")
    assert price_on_tick(RULES, 60_000.03, Side.SELL) == Decimal("60000.1")
    assert trigger_on_tick(RULES, 60_000.07) == Decimal("60000.1")
    assert trigger_on_tick(RULES, 60_000.03) == Decimal("60000.0")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(number: float) -> None:
    with pytest.raises(NumberNotFinite):
        price_on_tick(RULES, number, Side.BUY)
    with pytest.raises(NumberNotFinite):
        trigger_on_tick(RULES, number)
