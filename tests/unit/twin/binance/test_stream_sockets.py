# SPDX-License-Identifier: Apache-2.0
"""The life of a stream socket of the twin's Binance: addresses, subscribing, pings, cuts."""

from __future__ import annotations

from typing import Any

import pytest

from binance_desk import BinanceDesk, DeskSession
from hean.twin.binance.streams import STREAMS_MAX, door_of

PRIVATE = "private"


@pytest.fixture
def desk() -> BinanceDesk:
    return BinanceDesk()


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/ws", "", ("spot", "", False, ())),
        ("/ws/btcusdt@trade", "", ("spot", "", False, ("btcusdt@trade",))),
        ("/ws/a@trade/b@trade", "", ("spot", "", False, ("a@trade", "b@trade"))),
        ("/stream", "streams=a@trade/b@trade", ("spot", "", True, ("a@trade", "b@trade"))),
        ("/stream.binance.com:9443/ws", "", ("spot", "", False, ())),
        ("/ws/%21miniTicker%40arr", "", ("spot", "", False, ("!miniTicker@arr",))),
        ("/public/ws/btcusdt@depth", "", ("linear", "public", False, ("btcusdt@depth",))),
        ("/market/stream", "streams=a@aggTrade", ("linear", "market", True, ("a@aggTrade",))),
        (f"/{PRIVATE}/ws", "listenKey=abc", ("linear", "private", False, ("abc",))),
        (f"/{PRIVATE}/ws/abc", "", ("linear", "private", False, ("abc",))),
    ],
)
def test_an_address_says_what_is_wanted(path: str, query: str, expected: tuple[Any, ...]) -> None:
    door = door_of(path, query)
    assert door is not None
    assert (door.family, door.route, door.is_combined, door.names) == expected


@pytest.mark.parametrize("path", ["/", "/api/v3/ping", "/wss", "/nosuch/ws", "/public"])
def test_other_addresses_are_no_place_for_a_socket(desk: BinanceDesk, path: str) -> None:
    assert not desk.dialect.accepts(path)


def traded(desk: BinanceDesk, lots: int = 100) -> None:
    desk.venue.market_trade(desk.spot, 6_000_010, lots, is_buy=True)


def test_what_clients_open_before_they_subscribe_is_let_in(desk: BinanceDesk) -> None:
    session = desk.connect("/ws/0")
    traded(desk)
    assert session.frames == []
    answer = desk.say(session, {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": "x"})
    assert answer == {"result": None, "id": "x"}
    traded(desk)
    assert session.frames[0]["e"] == "trade"


def test_combined_frames_bear_the_name_and_raw_ones_do_not(desk: BinanceDesk) -> None:
    raw = desk.connect("/ws/btcusdt@trade")
    both = desk.connect("/stream", "streams=btcusdt@trade")
    traded(desk)
    assert both.frames == [{"stream": "btcusdt@trade", "data": raw.frames[0]}]
    desk.say(raw, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 1})
    traded(desk)
    assert raw.frames[-1]["stream"] == "btcusdt@trade"


def test_leaving_and_listing(desk: BinanceDesk) -> None:
    session = desk.connect("/ws/btcusdt@trade/nosuch@trade")
    listed = desk.say(session, {"method": "LIST_SUBSCRIPTIONS", "id": 2})
    assert listed["result"] == ["btcusdt@trade", "nosuch@trade"]
    desk.say(session, {"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 3})
    traded(desk)
    assert session.frames == []


def test_a_client_that_goes_takes_its_subscriptions_along(desk: BinanceDesk) -> None:
    session = desk.connect("/ws/btcusdt@trade")
    desk.dialect.closed(session)
    assert desk.dialect.hubs["spot"].streams == {}
    traded(desk)
    assert session.frames == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("[" * 100_000, 3),
        ("[1]", 2),
        ('{"id": 1}', 2),
        ('{"method": "DANCE", "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": [1], "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": "btcusdt@trade", "id": 1}', 2),
        ('{"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1}', 1),
        ('{"method": "GET_PROPERTY", "params": ["colour"], "id": 1}', 0),
        ('{"method": "GET_PROPERTY", "params": [], "id": 1}', 2),
    ],
)
def test_nonsense_is_answered_with_a_code(desk: BinanceDesk, text: str, code: int) -> None:
    session = desk.connect("/ws")
    answer = desk.say(session, text)
    assert answer["error"]["code"] == code
    assert answer["id"] == (1 if '"id": 1' in text else None)
    assert session.closed is None


def test_the_sixth_message_in_a_second_is_one_too_many(desk: BinanceDesk) -> None:
    session = desk.connect("/ws")
    for number in range(5):
        desk.say(session, {"method": "LIST_SUBSCRIPTIONS", "id": number})
    desk.dialect.received(session, '{"method": "LIST_SUBSCRIPTIONS", "id": 6}')
    assert session.closed is not None and session.closed[0] == 1008
    calm = desk.connect("/ws")
    for number in range(20):
        desk.say(calm, {"method": "LIST_SUBSCRIPTIONS", "id": number})
        desk.now_ns += 200_000_000
    assert calm.closed is None


def test_a_socket_carries_1024_streams(desk: BinanceDesk) -> None:
    session = desk.connect("/ws")
    many = [f"s{number}@trade" for number in range(STREAMS_MAX)]
    assert desk.say(session, {"method": "SUBSCRIBE", "params": many, "id": 1})["result"] is None
    answer = desk.say(session, {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
    assert answer["error"]["code"] == 2


def answering(desk: BinanceDesk, session: DeskSession, seconds: int) -> None:
    for _ in range(seconds):
        desk.pass_ms(1_000)
        session.heard_ns = desk.now_ns


def test_a_ping_goes_out_every_twenty_seconds(desk: BinanceDesk) -> None:
    session = desk.connect("/ws")
    answering(desk, session, 100)
    assert session.pings == 5 and session.closed is None
    futures = desk.connect("/public/ws")
    answering(desk, futures, 361)
    assert futures.pings == 2


def test_who_does_not_answer_a_ping_is_cut_after_a_minute(desk: BinanceDesk) -> None:
    session = desk.connect("/ws")
    desk.pass_ms(79_000)
    assert session.closed is None
    desk.pass_ms(2_000)
    assert session.closed == (1008, "Pong timeout")


def test_a_day_is_the_longest_life(desk: BinanceDesk) -> None:
    session = desk.connect("/ws")
    session.heard_ns = desk.now_ns + 24 * 3_600 * 1_000_000_000
    desk.pass_ms(24 * 3_600_000 + 1_000)
    assert session.closed is not None and session.closed[0] == 1001
