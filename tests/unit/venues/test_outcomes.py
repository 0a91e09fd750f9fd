# SPDX-License-Identifier: Apache-2.0
"""Answers of both venues, row by row: yes, no with its reason, or unknown. Unknown is the rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.errors import (
    ClockRefused,
    DuplicateOrder,
    FilterRefused,
    InsufficientMargin,
    KeyRefused,
    NotFillable,
    OrderNotOpen,
    PriceNotOnTick,
    RateLimited,
    ReduceOnlyViolated,
    UnknownSymbol,
    VenueRefused,
    WouldTrade,
    WouldTrigger,
)
from hean.venues.outcomes import (
    Outcome,
    Silence,
    binance_silence,
    binance_verdict,
    bybit_silence,
    bybit_verdict,
)

NO, UNKNOWN = Outcome.NO, Outcome.UNKNOWN
NOW_MS = 1_700_000_000_000


def test_success_is_yes():
    assert bybit_verdict(0, "OK").outcome is Outcome.YES
    assert binance_verdict(None, "", http_status=200).outcome is Outcome.YES


@pytest.mark.parametrize("code", [10000, 10014, 10016, 10019, 170007, 99999, -1, 110999, None])
def test_a_bybit_code_that_is_not_documented_as_refused_is_unknown(code):
    assert bybit_verdict(code, "whatever").outcome is UNKNOWN


@pytest.mark.parametrize("status", [200, 202, 302, 408, 500, 502, 503, 504])
def test_a_bybit_body_without_a_code_is_unknown(status):
    assert bybit_verdict(None, "<html>", http_status=status).outcome is UNKNOWN


@pytest.mark.parametrize("status", [201, 500, 504])
def test_a_success_code_under_another_status_is_unknown(status):
    assert bybit_verdict(0, "OK", http_status=status).outcome is UNKNOWN


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (10002, ClockRefused),
        (10003, KeyRefused),
        (10004, KeyRefused),
        (10005, KeyRefused),
        (10010, KeyRefused),
        (33004, KeyRefused),
        (10006, RateLimited),
        (10429, RateLimited),
        (10001, VenueRefused),
        (110003, VenueRefused),
        (110004, InsufficientMargin),
        (110007, InsufficientMargin),
        (170131, InsufficientMargin),
        (110017, ReduceOnlyViolated),
        (110092, WouldTrigger),
        (110094, FilterRefused),
        (170137, FilterRefused),
        (170140, FilterRefused),
        (170121, UnknownSymbol),
        (110001, OrderNotOpen),
        (170213, OrderNotOpen),
    ],
)
def test_a_documented_refusal_of_bybit_is_no_with_its_reason(code, error):
    verdict = bybit_verdict(code, "text")
    assert (verdict.outcome, verdict.error, verdict.code) == (NO, error, code)


@pytest.mark.parametrize(
    ("code", "text", "status", "error"),
    [
        (-1021, "Timestamp for this request", 400, ClockRefused),
        (-1022, "Signature for this request is not valid.", 400, KeyRefused),
        (-2014, "API-key format invalid.", 401, KeyRefused),
        (-2015, "Invalid API-key, IP, or permissions for action.", 401, KeyRefused),
        (-1003, "Too much request weight used", 429, RateLimited),
        (-1015, "Too many new orders", 429, RateLimited),
        (-1008, "Server is currently overloaded", 503, RateLimited),
        (-1013, "Filter failure: LOT_SIZE", 400, FilterRefused),
        (-1013, "Market is closed.", 400, VenueRefused),
        (-1111, "Parameter 'price' has too much precision.", 400, FilterRefused),
        (-1121, "Invalid symbol.", 400, UnknownSymbol),
        (-2010, "Account has insufficient balance for requested action.", 400, InsufficientMargin),
        (-2010, "Order would immediately match and take.", 400, WouldTrade),
        (-2010, "Some new reason.", 400, VenueRefused),
        (-2011, "Unknown order sent.", 400, OrderNotOpen),
        (-2013, "Order does not exist.", 400, OrderNotOpen),
        (-2019, "Margin is insufficient.", 400, InsufficientMargin),
        (-2022, "ReduceOnly Order is rejected.", 400, ReduceOnlyViolated),
        (-4014, "Price not increased by tick size.", 400, PriceNotOnTick),
        (-4164, "Order's notional must be no smaller than", 400, FilterRefused),
        (-5021, "Due to the order could not be filled immediately", 400, NotFillable),
        (-5022, "Due to the order could not be executed as maker", 400, WouldTrade),
        (None, "Service Unavailable.", 503, VenueRefused),
    ],
)
def test_a_documented_refusal_of_binance_is_no_with_its_reason(code, text, status, error):
    verdict = binance_verdict(code, text, http_status=status)
    assert (verdict.outcome, verdict.error) == (NO, error)


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        (-1000, "An unknown error occurred", 500),
        (-1001, "Internal error", 500),
        (-1006, "An unexpected response was received from the message bus.", 400),
        (-1007, "Timeout waiting for response from backend server.", 408),
        (-1016, "This service is no longer available.", 400),
        (None, "Unknown error, please check your request or try again later.", 503),
        (None, "", 502),
        (None, "<html>", 504),
        (-9999, "never heard of", 400),
        (None, "", 302),
    ],
)
def test_whatever_else_binance_answers_is_unknown(code, text, status):
    assert binance_verdict(code, text, http_status=status).outcome is UNKNOWN


@pytest.mark.parametrize(
    "verdict",
    [
        bybit_verdict(110072, "OrderLinkedID is duplicate"),
        bybit_verdict(170141, "Duplicate clientOrderId"),
        binance_verdict(-2010, "Duplicate order sent.", http_status=400),
        binance_verdict(-4116, "clientOrderId is duplicated.", http_status=400),
    ],
)
def test_a_repeated_id_means_that_an_order_of_ours_exists_and_is_to_be_looked_for(verdict):
    assert (verdict.outcome, verdict.error) == (UNKNOWN, DuplicateOrder)


@given(st.integers(-200_000, 200_000), st.text(max_size=30), st.integers(500, 599))
def test_no_server_error_is_ever_read_as_success(code, text, status):
    assert bybit_verdict(code, text, http_status=status).outcome is not Outcome.YES
    assert binance_verdict(None, text, http_status=status).outcome is not Outcome.YES


def test_a_venue_s_text_is_passed_on_short_and_with_its_number():
    assert bybit_verdict(10001, "params error").sentence() == "params error (venue code 10001)"
    assert len(bybit_verdict(10001, "x" * 100_000).text) == 200


@pytest.mark.parametrize(
    ("status", "code", "reset_ms", "expected"),
    [
        (200, 0, None, None),
        (200, 10001, None, None),
        (200, 10006, NOW_MS + 2_500, Silence(2.5, False)),
        (200, 10006, None, Silence(1.0, False)),
        (200, 10006, NOW_MS - 5, Silence(1.0, False)),
        (429, None, None, Silence(1.0, False)),
        (403, None, None, Silence(600.0, True)),
    ],
)
def test_the_silence_bybit_wants(status, code, reset_ms, expected):
    headers = {"x-bapi-limit-reset-timestamp": str(reset_ms)} if reset_ms else {}
    assert bybit_silence(status, code, headers, NOW_MS) == expected


@pytest.mark.parametrize(
    ("status", "code", "headers", "expected"),
    [
        (200, None, {}, None),
        (400, -2010, {}, None),
        (429, -1003, {"retry-after": "17"}, Silence(17.0, True)),
        (429, -1003, {}, Silence(60.0, True)),
        (429, -1003, {"retry-after": "soon"}, Silence(60.0, True)),
        (429, -1015, {}, Silence(10.0, False)),
        (418, -1003, {"retry-after": "7200"}, Silence(7200.0, True)),
        (418, None, {}, Silence(120.0, True)),
        (403, None, {}, Silence(600.0, True)),
    ],
)
def test_the_silence_binance_wants(status, code, headers, expected):
    assert binance_silence(status, code, headers) == expected
