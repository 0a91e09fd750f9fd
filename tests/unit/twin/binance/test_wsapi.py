# SPDX-License-Identifier: Apache-2.0
"""Requests over a socket: the frame around them, ids that come back as they went, parameters that
are signed as they were sent, and nonsense that ends nothing.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest

from binance_desk import BinanceDesk, DeskSession


@pytest.fixture
def desk() -> BinanceDesk:
    return BinanceDesk()


@pytest.fixture
def session(desk: BinanceDesk) -> DeskSession:
    return desk.connect("/ws-api/v3")


@pytest.mark.parametrize("number", [1, "1", "a-b", None, 2**53, -1, ""])
def test_an_id_comes_back_as_it_went(desk: BinanceDesk, session: DeskSession, number: Any) -> None:
    answer = desk.say(session, {"id": number, "method": "ping"})
    assert answer["status"] == 200 and answer["result"] == {}
    assert answer["id"] == number and type(answer["id"]) is type(number)


@pytest.mark.parametrize("number", [1.5, True, [1], {"a": 1}, "x" * 37])
def test_other_ids_are_refused(desk: BinanceDesk, session: DeskSession, number: Any) -> None:
    answer = desk.say(session, {"id": number, "method": "ping"})
    assert (answer["id"], answer["status"]) == (None, 400)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -1135),
        ("[" * 100_000, -1102),
        ('{"id": 7}', -1102),
        ('{"id": 7, "method": "dance"}', -1020),
        ('{"id": 7, "method": "v9/dance"}', -1020),
        ('{"id": 7, "method": 5}', -1102),
        ('{"id": 7, "method": "ping", "params": [1]}', -1102),
        ('{"id": 7, "method": "ping", "params": {"a": %s}}' % ("[" * 100_000), -1135),
        ('{"id": 7, "method": "depth", "params": {"symbol": 5}}', -1121),
        ('{"id": 7, "method": "depth", "params": {}}', -1102),
        ('{"id": 7, "method": "account.status", "params": {}}', -2014),
        ('{"id": 7, "method": "session.logon", "params": {"apiKey": "DeskKey1"}}', -4056),
        ('{"id": 7, "method": "userDataStream.subscribe"}', -1002),
        (
            '{"id": 7, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": 3}}',
            -2036,
        ),
    ],
)
def test_nonsense_is_answered_and_the_socket_stays(
    desk: BinanceDesk, session: DeskSession, text: str, code: int
) -> None:
    answer = desk.say(session, text)
    assert answer["error"]["code"] == code
    is_readable = text.endswith("}") and len(text) < 1_000
    assert answer["id"] == (7 if is_readable else None)
    assert desk.say(session, {"id": 8, "method": "ping"})["status"] == 200


def test_a_version_before_the_method_is_taken(desk: BinanceDesk, session: DeskSession) -> None:
    assert desk.say(session, {"id": 1, "method": "v3/time"})["result"]["serverTime"] > 0


def test_numbers_are_signed_as_they_were_sent(desk: BinanceDesk, session: DeskSession) -> None:
    """Unquoted numbers with trailing zeros: re-writing them would break the signature."""
    now = desk.now_ns // 1_000_000
    terms = "price=59000.0&quantity=0.0010&side=BUY&symbol=BTCUSDT&timeInForce=GTC"
    text = f"apiKey=DeskKey1&{terms}&timestamp={now}&type=LIMIT"
    digest = hmac.digest(b"DeskSecret1", text.encode(), "sha256").hex()
    pairs = (pair.split("=") for pair in text.split("&"))
    raw = {"price", "quantity", "timestamp"}
    params = ", ".join(f'"{k}": {v}' if k in raw else f'"{k}": "{v}"' for k, v in pairs)
    frame = f'{{"id": 1, "method": "order.place", "params": {{{params}, "signature": "{digest}"}}}}'
    assert desk.say(session, frame)["result"]["price"] == "59000.00000000"


def test_limits_are_told_unless_unwanted(desk: BinanceDesk, session: DeskSession) -> None:
    assert "rateLimits" in desk.say(session, {"id": 1, "method": "ping"})
    quiet = desk.connect("/ws-api/v3", "returnRateLimits=false")
    assert "rateLimits" not in desk.say(quiet, {"id": 1, "method": "ping"})
    wish = {"id": 1, "method": "ping", "params": {"returnRateLimits": True}}
    assert "rateLimits" in desk.say(quiet, wish)
    order = desk.call(
        session, "order.place", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.001"
    )
    kinds = [row["rateLimitType"] for row in order["rateLimits"]]
    assert kinds == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]


def test_refusals_are_the_same_as_by_rest(desk: BinanceDesk, session: DeskSession) -> None:
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    answer = desk.call(session, "order.place", **terms, quantity="0.001", price="59000.001")
    assert (answer["status"], answer["error"]) == (
        400,
        {"code": -1013, "msg": "Filter failure: PRICE_FILTER"},
    )


def test_too_much_is_told_with_the_time_to_wait() -> None:
    desk = BinanceDesk(limits_scale=0.01)
    session = desk.connect("/ws-api/v3")
    ask = {"id": 1, "method": "exchangeInfo"}
    for _ in range(3):
        assert desk.say(session, ask)["status"] == 200
    answer = desk.say(session, ask)
    assert (answer["status"], answer["error"]["code"]) == (429, -1003)
    assert answer["error"]["data"]["retryAfter"] > desk.now_ns // 1_000_000


def test_a_session_is_nobodys_until_it_signs(desk: BinanceDesk, session: DeskSession) -> None:
    status = desk.say(session, {"id": 1, "method": "session.status"})["result"]
    assert status["apiKey"] is None and status["userDataStream"] is False
    desk.call(session, "userDataStream.subscribe.signature")
    assert session.account == "main"
    status = desk.say(session, {"id": 1, "method": "session.status"})["result"]
    assert status["userDataStream"] is True
    again = desk.say(session, json.dumps({"id": 2, "method": "session.subscriptions"}))
    assert again["result"] == [{"subscriptionId": 0}]


def test_two_accounts_may_listen_on_one_socket(desk: BinanceDesk, session: DeskSession) -> None:
    desk.call(session, "userDataStream.subscribe.signature")
    session.taken()
    desk.call(session, "userDataStream.subscribe.signature", key="DeskKey2")
    session.taken()
    desk.buy("0.001", "59000", key="DeskKey2")
    assert {frame["subscriptionId"] for frame in session.taken()} == {1}
    desk.dialect.closed(session)
    desk.buy("0.001", "59000", key="DeskKey2")
    assert session.frames == []
