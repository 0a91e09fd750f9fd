# SPDX-License-Identifier: Apache-2.0
"""Conditions written in Python: their text, their values, and what is refused by name."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from hean._core import Conditions
from hean.errors import ParameterInvalid
from hean.indicators import EMA, EWM, RSI, SMA, RollingMax, RollingMin, RollingStd, ZScore
from hean.program import (
    Change,
    Condition,
    Cross,
    Every,
    Number,
    Program,
    When,
    close,
    count,
    ema,
    ewm,
    high,
    highest,
    low,
    lowest,
    open_,
    rsi,
    sma,
    std,
    volume,
    zscore,
)


def truths(condition: Condition, closes: list[float]) -> list[bool]:
    """The condition after each close, as the core computes it."""
    conditions = Conditions([list(condition.words)])
    found = []
    for value in closes:
        conditions.step(value, value + 1, value - 1, value, 2 * value)
        found.append(conditions.holds(0))
    return found


def test_a_condition_reads_as_it_was_written() -> None:
    cross = (ewm(10) >= ewm(20)) & (count >= 20)
    assert repr(cross) == "(ewm(10) >= ewm(20)) & (count >= 20)"
    assert repr(~cross) == "~((ewm(10) >= ewm(20)) & (count >= 20))"
    assert repr(2 * (high - low) / close < sma(5, volume)) == (
        "((2 * (high - low)) / close) < sma(5, volume)"
    )
    assert repr(Every("250ms")) == "Every('250ms')"
    assert repr(Cross(100)) == "Cross(close >= 100)"
    program = Program(long_when=cross, exit_when=~cross, short_when=rsi(14) > 70)
    assert repr(program).startswith("long when (ewm(10) >= ewm(20))")


WALK = [round(100 + 10 * math.sin(i / 3) + (i * 37 % 11) / 7, 3) for i in range(120)]


@pytest.mark.parametrize(
    ("made", "reference"),
    [
        (sma(7), SMA(7)),
        (ema(7), EMA(7)),
        (ewm(7), EWM(7)),
        (rsi(7), RSI(7)),
        (std(7), RollingStd(7)),
        (zscore(7), ZScore(7)),
        (lowest(7), RollingMin(7)),
        (highest(7), RollingMax(7)),
    ],
)
def test_an_indicator_in_a_condition_is_the_indicator(made: Number, reference: object) -> None:
    values = reference.batch(np.array(WALK))  # type: ignore[attr-defined]
    level = float(np.nanmean(values))
    assert truths(made >= level, WALK) == [bool(value >= level) for value in values]


def test_arithmetic_and_logic_are_those_of_python() -> None:
    pairs = {
        (close + 1 > 105): lambda c: c + 1 > 105,
        (1 - close < -99): lambda c: 1 - c < -99,
        (high - low <= 2): lambda c: c + 1 - (c - 1) <= 2,
        (volume / close > 1.5): lambda c: 2 * c / c > 1.5,
        (3 / open_ >= 0.03): lambda c: 3 / c >= 0.03,
        ((close > 100) & ~(close > 105)): lambda c: c > 100 and not c > 105,
        ((close < 95) | (close * 2 > 220)): lambda c: c < 95 or c * 2 > 220,
    }
    for condition, expected in pairs.items():
        assert truths(condition, WALK) == [expected(c) for c in WALK], condition


def test_a_comparison_is_false_while_a_number_is_not_defined() -> None:
    assert truths(sma(3) > 0, [1.0] * 4) == [False, False, True, True]
    assert truths(~(sma(3) > 0), [1.0] * 4) == [True, True, False, False]
    assert truths(count >= 3, [1.0] * 4) == [False, False, True, True]
    assert truths(close / (close - close) > 1, [1.0] * 2) == [True, True]


def test_an_indicator_of_an_indicator_waits_for_it() -> None:
    values = SMA(3).batch(np.array(WALK))
    smooth = SMA(4).batch(values[2:])
    expected = [False] * 2 + [bool(v > 100) for v in smooth]
    assert truths(sma(4, sma(3)) > 100, WALK) == expected


def test_ewm_starts_at_the_first_value() -> None:
    values = EWM(3).batch(np.array([8.0, 4.0, 4.0]))
    assert values.tolist() == [8.0, 6.0, 5.0]


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: sma(0), r"sma\(0\).*period 0"),
        (lambda: rsi(10**8), "period"),
        (lambda: close + "1", "'1' is a str; a number is due"),
        (lambda: close > True, "bool"),
        (lambda: (close > 1) & close, "right of & is close, a Number"),
        (lambda: bool(close > 1), "join conditions with"),
        (lambda: 1 < close < 2, "no truth of its own"),
        (lambda: Program(long_when=close, exit_when=close > 1), "long_when is close, a Number"),
        (lambda: Program(long_when=close > 1, exit_when=close), "exit_when is close"),
        (lambda: When(sma(3)), r"When is sma\(3\)"),
        (lambda: Change(close > math.inf), "inf is not a finite number"),
        (lambda: Every("1 minute"), "give 250ms"),
    ],
)
def test_nonsense_is_refused_by_name(build: object, told: str) -> None:
    with pytest.raises(ParameterInvalid, match=told):
        build()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([("clsoe", 0)], 'word 0 "clsoe": unknown; known: open high'),
        ([("close", 0)], "is a number; compare it"),
        ([("close", 0), ("and", 0)], "takes a condition, not a number"),
        ([("close", 0), (">", 0)], "nothing stands before it"),
        ([("close", 0), ("sma", 2.5)], "window 2.5"),
        ([("close", 0), ("number", math.nan)], "not a finite number"),
        ([], "leaves 0 values"),
    ],
)
def test_words_that_make_no_condition_are_refused(
    words: list[tuple[str, float]], told: str
) -> None:
    with pytest.raises(ParameterInvalid, match=told):
        Conditions([words])


def test_equal_conditions_are_one() -> None:
    assert (ewm(3) > 1) == (ewm(3) > 1)
    assert len({close > 1, close > 1, close > 2}) == 2
    assert Program(long_when=close > 1, exit_when=close < 1, size=Decimal(1)).size == 1
