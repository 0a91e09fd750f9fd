# SPDX-License-Identifier: Apache-2.0
"""Parameters of a request: where they come from, what is made of them, how bad ones are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_desk import BinanceDesk
from hean.twin.binance.call import PARAMETERS_MAX, Call, parse_parameters
from hean.twin.binance.errors import BinanceError


def call_of(**params: str) -> Call:
    desk = BinanceDesk()
    return Call(desk.dialect, "spot", params, desk.now_ns)


def code(read: Any, *args: Any, **more: Any) -> int:
    with pytest.raises(BinanceError) as caught:
        read(*args, **more)
    return caught.value.code


def test_the_query_string_wins_over_the_body() -> None:
    assert parse_parameters("a=1&b=2", b"b=3&c=4") == {"a": "1", "b": "2", "c": "4"}


def test_a_name_twice_in_one_place_is_refused() -> None:
    assert code(parse_parameters, "a=1&a=2", b"") == -1101
    assert code(parse_parameters, "", b"a=1&a=1") == -1101


def test_forms_are_decoded_and_lists_may_come_as_they_are() -> None:
    found = parse_parameters("", b'a=%5B1%5D&b=x+y&c=[%22q%22]&d=[{"k":"v=w"}]&e')
    assert found == {"a": "[1]", "b": "x y", "c": '["q"]', "d": '[{"k":"v=w"}]', "e": ""}


def test_endless_parameters_and_bytes_that_are_no_text_are_refused() -> None:
    endless = "&".join(f"p{n}=1" for n in range(PARAMETERS_MAX + 1))
    assert code(parse_parameters, endless, b"") == -1101
    assert code(parse_parameters, "", b"\xff\xfe=1") == -1100


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", "1"), ("1.50", "1.50"), ("0.00000001", "0.00000001"), ("1.500000000000", "1.5")],
)
def test_numbers_are_exact(text: str, expected: str) -> None:
    assert call_of(q=text).decimal("q") == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.000000001", -1111),
        ("", -1105),
        ("-1", -1100),
        ("+1", -1100),
        ("1e5", -1100),
        ("1.", -1100),
        (".5", -1100),
        ("NaN", -1100),
        ("\u0663", -1100),
        ("1" * 21, -1100),
        ("1.2.3", -1100),
    ],
)
def test_other_numbers_are_refused(text: str, expected: int) -> None:
    assert code(call_of(q=text).decimal, "q") == expected


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_refusal(text: str) -> None:
    call = call_of(q=text, limit=text, symbol=text)
    for read in (call.decimal, call.integer, call.flag):
        try:
            read("q")
        except BinanceError as error:
            assert error.code in (-1100, -1105, -1111, -1130)


@given(st.binary(max_size=200), st.text(alphabet="abc=&%+0", max_size=60))
def test_any_bytes_are_parameters_or_a_refusal(body: bytes, query: str) -> None:
    try:
        parse_parameters(query, body)
    except BinanceError as error:
        assert error.code in (-1100, -1101)


def test_limits_are_cut_and_zero_is_refused() -> None:
    assert call_of().limit(500, 1_000) == 500
    assert call_of(limit="5000").limit(500, 1_000) == 1_000
    assert code(call_of(limit="0").limit, 500, 1_000) == -1130


def test_unknown_paths_and_methods() -> None:
    desk = BinanceDesk()
    assert desk.get("/api/v3/nosuch")["code"] == -5000
    assert desk.status == 404
    assert desk.raw("DELETE", "/api/v3/depth")["code"] == -5000


def test_wallet_calls_that_clients_make_at_start() -> None:
    desk = BinanceDesk()
    assert {row["coin"] for row in desk.signed("GET", "/sapi/v1/capital/config/getall")} == {
        "BTC",
        "USDT",
    }
    for path in ("margin/allPairs", "margin/isolated/allPairs"):
        assert desk.get(f"/sapi/v1/{path}") == []
    assert desk.get("/sapi/v1/system/status") == {"status": 0, "msg": "normal"}
