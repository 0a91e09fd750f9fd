# SPDX-License-Identifier: Apache-2.0
"""Exact numbers across the border to Rust: decimals, whole numbers and text, never a float."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, INSTRUMENTS
from hean import errors
from hean._core import Ledger

RULES = INSTRUMENTS[BTC]


@pytest.mark.parametrize(
    ("value", "ticks"),
    [
        (Decimal("60000.1"), 600_001),
        (Decimal("6E+4"), 600_000),
        (Decimal("1e-1"), 1),
        (Decimal("60000.10000"), 600_001),
        (60_000, 600_000),
        ("60000.1", 600_001),
        (Decimal(0), 0),
    ],
)
def test_an_exact_number_arrives_exactly(value: Any, ticks: int) -> None:
    assert RULES.price_ticks(value) == ticks


@pytest.mark.parametrize(
    "value",
    [
        0.1,
        np.float64(0.1),
        np.float32(0.5),
        np.float16(0.5),
        True,
        None,
        1j,
        b"1",
        [1],
        np.int64(3),
    ],
)
def test_what_is_no_exact_number_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="pass Decimal, int or str"):
        RULES.price_ticks(value)
    with pytest.raises(TypeError, match="pass Decimal, int or str"):
        Ledger(value, [RULES])


@pytest.mark.parametrize(
    "value", ["", "x", "1e3", "NaN", "1,5", " 1", "0x10", "1_000", Decimal("NaN"), Decimal("Inf")]
)
def test_text_that_is_no_decimal_is_refused_by_name(value: Any) -> None:
    with pytest.raises(errors.NotADecimal):
        RULES.price_ticks(value)


def test_what_does_not_fit_is_refused_and_never_wraps() -> None:
    for value in (10**40, Decimal(10) ** 30, "9" * 60, -(10**40)):
        with pytest.raises(errors.InputError):
            RULES.price_ticks(value)
        with pytest.raises(errors.InputError):
            RULES.quantity_lots(value)


@given(st.integers(-(10**12), 10**12))
def test_counts_and_decimals_are_the_same_number(count: int) -> None:
    assert RULES.price_decimal(count) == Decimal(count) / 10
    assert RULES.price_ticks(RULES.price_decimal(count)) == count
    assert RULES.quantity_lots(RULES.quantity_decimal(count)) == count
