# SPDX-License-Identifier: Apache-2.0
"""Declared settings: every bad kind of value is refused, with what is allowed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.parameters import Parameter, resolve
from hean.errors import ParameterInvalid

DECLARED = (
    Parameter("window", 20, "bars of the window", "bars", 2, 1_000),
    Parameter("threshold", 3.0, "size of a move", "deviations", 0.5, 20),
    Parameter("is_long", True, "whether it buys"),
    Parameter("mode", "fast", "how it decides", choices=("fast", "slow")),
    Parameter("label", "x", "free text"),
)


def one(name: str, value: object) -> Any:
    return resolve(DECLARED, {name: value})[name]


def test_nothing_given_gives_the_defaults_in_order() -> None:
    assert list(resolve(DECLARED, {}).items()) == [
        ("window", 20),
        ("threshold", 3.0),
        ("is_long", True),
        ("mode", "fast"),
        ("label", "x"),
    ]


@pytest.mark.parametrize(
    ("name", "given_", "value"),
    [
        ("window", "30", 30),
        ("window", 30.0, 30),
        ("window", 2, 2),
        ("window", "1000", 1_000),
        ("threshold", "2.5", 2.5),
        ("threshold", 4, 4.0),
        ("threshold", "1e1", 10.0),
        ("is_long", "false", False),
        ("is_long", True, True),
        ("mode", "slow", "slow"),
        ("label", 7, "7"),
    ],
)
def test_a_good_value_gets_the_declared_type(name: str, given_: object, value: object) -> None:
    found = one(name, given_)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given_", "words"),
    [
        ("window", "many", "a whole number"),
        ("window", "2.5", "a whole number"),
        ("window", 2.5, "a whole number"),
        ("window", "", "a whole number"),
        ("window", None, "a whole number"),
        ("window", True, "int"),
        ("window", [3], "a whole number"),
        ("window", math.inf, "a whole number"),
        ("window", math.nan, "a whole number"),
        ("window", 1, "2 to 1000 bars; nearest 2"),
        ("window", "5000", "2 to 1000 bars; nearest 1000"),
        ("window", -(10**400), "nearest 2"),
        ("threshold", "0.4", "0.5 to 20 deviations; nearest 0.5"),
        ("threshold", 21, "nearest 20"),
        ("threshold", "inf", "a finite number"),
        ("threshold", "nan", "a finite number"),
        ("threshold", "3,5", "a float"),
        ("threshold", 10**400, "a float"),
        ("threshold", False, "float"),
        ("is_long", "yes", "true or false"),
        ("is_long", "True", "true or false"),
        ("is_long", None, "true or false"),
        ("mode", "fats", "one of fast, slow"),
        ("label", True, "str"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_allowed(name: str, given_: object, words: str) -> None:
    with pytest.raises(ParameterInvalid, match=f"parameter {name} is ") as caught:
        one(name, given_)
    assert words in str(caught.value)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterInvalid, match="'windw'; nearest window. Known: window, thres"):
        resolve(DECLARED, {"windw": 3})
    with pytest.raises(ParameterInvalid, match="it has no parameters"):
        resolve((), {"windw": 3})


ANY = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4)
)


@given(st.sampled_from([parameter.name for parameter in DECLARED]), ANY)
def test_any_value_is_taken_within_its_range_or_refused(name: str, value: object) -> None:
    try:
        found = one(name, value)
    except ParameterInvalid:
        return
    match name:
        case "window":
            assert type(found) is int and 2 <= found <= 1_000
        case "threshold":
            assert type(found) is float and 0.5 <= found <= 20
        case "mode":
            assert found in ("fast", "slow")
