# SPDX-License-Identifier: Apache-2.0
"""Streams of the twin's USD-M futures: which route carries what, books that join a snapshot,
candles that close, user events and the keys they hang on.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from binance_desk import DeskSession
from usdm_desk import SYMBOL, USER, UsdmDesk, names

HOUR_MS = 3_600_000
LISTEN_KEY = "/fapi/v1/listenKey"


@pytest.fixture
def desk() -> UsdmDesk:
    return UsdmDesk()


class Book:
    """A client's book by the documented rule. *joined*: after the first kept event."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last_id = snapshot["lastUpdateId"]
        self.sides = {
            letter: {Decimal(p): Decimal(q) for p, q in snapshot[name]}
            for letter, name in (("b", "bids"), ("a", "asks"))
        }
        self.joined = False

    def take(self, event: dict[str, Any]) -> None:
        if not self.joined and event["u"] < self.last_id:
            return
        if self.joined:
            assert event["pu"] == self.last_id
        else:
            assert event["U"] <= self.last_id <= event["u"]
        self.joined, self.last_id = True, event["u"]
        for letter, side in self.sides.items():
            for price, quantity in event[letter]:
                side[Decimal(price)] = Decimal(quantity)
                if not Decimal(quantity):
                    del side[Decimal(price)]

    def equals(self, snapshot: dict[str, Any]) -> bool:
        return self.sides == Book(snapshot).sides


def walk(desk: UsdmDesk, steps: int) -> None:
    """Move the whole book, to and fro and never where it is."""
    for _ in range(steps):
        away = float(desk.linear.mark) - 60_000.0
        desk.quote(desk.linear, 60_000.0 + (away + 7.3) % 20)


@pytest.mark.parametrize(("stream", "rhythm_ms"), [("depth", 250), ("depth@100ms", 100)])
@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_diff_stream_joins_a_snapshot_taken_at_any_time(
    desk: UsdmDesk, stream: str, rhythm_ms: int, before: int
) -> None:
    session = desk.listen("public", f"btcusdt@{stream}")
    for _ in range(before):
        walk(desk, 2)
        desk.pass_ms(rhythm_ms)
    walk(desk, before)
    book = Book(desk.get("/fapi/v1/depth", symbol=SYMBOL, limit=1000))
    for _ in range(5):
        walk(desk, 3)
        desk.pass_ms(rhythm_ms)
    for event in session.taken():
        book.take(event)
    assert book.joined
    assert book.equals(desk.get("/fapi/v1/depth", symbol=SYMBOL, limit=1000))


def test_ids_of_a_chain_link_by_pu_and_u_does_not_follow(desk: UsdmDesk) -> None:
    session = desk.listen("public", "btcusdt@depth@100ms")
    for _ in range(3):
        walk(desk, 2)
        desk.pass_ms(100)
    events = session.taken()
    assert len(events) == 3
    for before, after in pairwise(events):
        assert after["pu"] == before["u"]
        assert after["U"] > before["u"] + 1


def test_a_lost_book_does_not_follow(desk: UsdmDesk) -> None:
    session = desk.listen("public", "btcusdt@depth@100ms")
    walk(desk, 1)
    desk.pass_ms(100)
    walk(desk, 1)
    desk.dialect.reset_books(desk.linear, is_restart=False)
    walk(desk, 1)
    desk.pass_ms(100)
    before, after = session.taken()
    assert after["pu"] > before["u"]


def test_a_quiet_book_is_silent(desk: UsdmDesk) -> None:
    session = desk.listen("public", "btcusdt@depth@100ms", "btcusdt@bookTicker")
    desk.pass_ms(100)
    session.taken()
    desk.pass_ms(1_000)
    assert session.taken() == []


def test_partial_books_show_the_best_levels(desk: UsdmDesk) -> None:
    session = desk.listen("public", "btcusdt@depth5@100ms")
    desk.pass_ms(100)
    (event,) = session.taken()
    assert event["e"] == "depthUpdate"
    snapshot = desk.get("/fapi/v1/depth", symbol=SYMBOL, limit=5)
    assert (event["b"], event["a"]) == (snapshot["bids"], snapshot["asks"])


@pytest.mark.parametrize(
    ("route", "stream", "is_carried"),
    [
        ("public", "btcusdt@trade", True),
        ("public", "btcusdt@aggTrade", False),
        ("market", "btcusdt@aggTrade", True),
        ("market", "btcusdt@trade", False),
        ("private", "btcusdt@trade", False),
        ("public", "nosuch@trade", False),
    ],
)
def test_a_stream_of_the_wrong_route_subscribes_in_silence(
    desk: UsdmDesk, route: str, stream: str, is_carried: bool
) -> None:
    session = desk.listen(route, stream)
    desk.venue.market_trade(desk.linear, 600_001, 5, is_buy=True)
    assert bool(session.taken()) is is_carried


def test_combined_sockets_name_the_stream(desk: UsdmDesk) -> None:
    session = desk.connect("/market/stream", "streams=btcusdt@aggTrade/btcusdt@markPrice@1s")
    desk.venue.market_trade(desk.linear, 600_001, 5, is_buy=True)
    desk.pass_ms(10)
    streams = [frame["stream"] for frame in session.taken()]
    assert streams == ["btcusdt@aggTrade", "btcusdt@markPrice@1s"]


def test_all_markets_come_as_lists(desk: UsdmDesk) -> None:
    session = desk.listen("market", "!ticker@arr", "!miniTicker@arr", "!markPrice@arr@1s")
    desk.pass_ms(10)
    frames = session.taken()
    assert [frame[0]["e"] for frame in frames] == [
        "24hrTicker",
        "24hrMiniTicker",
        "markPriceUpdate",
    ]
    assert {row["s"] for row in frames[0]} == {SYMBOL}


def test_a_candle_is_told_once_more_when_it_closes(desk: UsdmDesk) -> None:
    session = desk.listen("market", "btcusdt@kline_1m", "btcusdt_perpetual@continuousKline_1m")
    desk.venue.market_trade(desk.linear, 600_001, 5, is_buy=True)
    desk.pass_ms(250)
    opened = [frame for frame in session.taken() if frame["e"] == "kline"][-1]["k"]
    desk.pass_ms(60_000)
    frames = session.taken()
    closed = [frame["k"] for frame in frames if frame["e"] == "kline"]
    assert (closed[0]["x"], closed[0]["t"], closed[0]["v"]) == (True, opened["t"], opened["v"])
    assert [f["e"] for f in frames if f["k"]["x"]] == ["kline", "continuous_kline"]
    desk.pass_ms(250)
    assert session.taken()[0]["k"]["t"] == opened["t"] + 60_000


def test_a_recorded_book_leaves_with_its_events_and_not_by_the_clock(desk: UsdmDesk) -> None:
    desk.linear.is_recorded = True
    session = desk.listen("public", "btcusdt@depth@100ms")
    for number in range(3):
        level = [(599_999 - number, 5)]
        desk.venue.market_depth(desk.linear, level, [], is_snapshot=False, is_event=True)
    assert len(session.taken()) == 3
    desk.pass_ms(1_000)
    assert session.taken() == []


def test_a_stream_that_starts_again_begins_where_the_book_is(desk: UsdmDesk) -> None:
    first = desk.listen("public", "btcusdt@depth@100ms")
    desk.pass_ms(100)
    desk.dialect.closed(first)
    walk(desk, 5)
    second = desk.listen("public", "btcusdt@depth@100ms")
    book = Book(desk.get("/fapi/v1/depth", symbol=SYMBOL, limit=1000))
    walk(desk, 3)
    desk.pass_ms(100)
    (event,) = second.taken()
    book.take(event)
    assert book.equals(desk.get("/fapi/v1/depth", symbol=SYMBOL, limit=1000))


@pytest.mark.parametrize("limit", ["7", "0", "1001", "5000"])
def test_only_listed_depths_can_be_asked_for(desk: UsdmDesk, limit: str) -> None:
    assert desk.get("/fapi/v1/depth", symbol=SYMBOL, limit=limit)["code"] == -4021


def test_settlements_are_listed_oldest_first(desk: UsdmDesk) -> None:
    newest = desk.get("/fapi/v1/fundingRate", symbol=SYMBOL)
    times = [row["fundingTime"] for row in newest]
    assert (times, len(times)) == (sorted(times), 200)
    first = desk.get("/fapi/v1/fundingRate", symbol=SYMBOL, startTime=times[0], limit=2)
    assert [row["fundingTime"] for row in first] == times[:2]
    last = desk.get("/fapi/v1/fundingRate", symbol=SYMBOL, endTime=times[-2], limit=2)
    assert [row["fundingTime"] for row in last] == times[-3:-1]


# --- user streams


def test_placing_and_cancelling_tell_the_order_only(desk: UsdmDesk) -> None:
    session = desk.user_stream()
    order = desk.place("BUY", newClientOrderId="mine")
    desk.signed("DELETE", "/fapi/v1/order", symbol=SYMBOL, orderId=order["orderId"])
    frames = session.taken()
    assert names(frames) == ["NEW/NEW", "CANCELED/CANCELED"]
    assert [frame["o"]["c"] for frame in frames] == ["mine", "mine"]
    assert "N" not in frames[0]["o"]


def test_a_fill_tells_order_balance_and_position(desk: UsdmDesk) -> None:
    session = desk.user_stream()
    desk.place("BUY", "MARKET")
    frames = session.taken()
    assert names(frames) == ["NEW/NEW", "TRADE_LITE", "TRADE/FILLED", "ACCOUNT_UPDATE"]
    fill, update = frames[2]["o"], frames[3]["a"]
    assert (fill["l"], fill["L"], fill["n"], fill["N"]) == (
        *("0.010", "60000.10", "0.30000050"),
        "USDT",
    )
    assert update["m"] == "ORDER"
    assert update["B"] == [{"a": "USDT", "wb": "99999.69999950", "cw": "99999.69999950", "bc": "0"}]
    assert (update["P"][0]["pa"], update["P"][0]["ep"]) == ("0.010", "60000.10000")


def test_a_change_is_told_as_an_amendment(desk: UsdmDesk) -> None:
    order = desk.place("BUY")
    session = desk.user_stream()
    change = {"side": "BUY", "quantity": "0.020", "price": "58000"}
    desk.signed("PUT", "/fapi/v1/order", symbol=SYMBOL, orderId=order["orderId"], **change)
    (frame,) = session.taken()
    assert (frame["o"]["x"], frame["o"]["X"], frame["o"]["q"]) == ("AMENDMENT", "NEW", "0.020")


def test_a_listen_key_is_one_an_account_until_it_ends(desk: UsdmDesk) -> None:
    first = desk.raw("POST", LISTEN_KEY, key="DeskKey1")
    assert desk.raw("POST", LISTEN_KEY, key="DeskKey1") == first
    assert desk.raw("POST", LISTEN_KEY, key="DeskKey2") != first
    desk.raw("PUT", LISTEN_KEY, key="DeskKey1")
    assert desk.status == 200
    assert desk.raw("DELETE", LISTEN_KEY, key="DeskKey1") == {}
    assert desk.raw("PUT", LISTEN_KEY, key="DeskKey1")["code"] == -1125
    assert desk.raw("POST", LISTEN_KEY)["code"] == -2014


def test_a_listen_key_lapses_after_an_hour_unless_extended(desk: UsdmDesk) -> None:
    session = desk.user_stream()
    desk.pass_ms(HOUR_MS - 1_000)
    desk.raw("PUT", LISTEN_KEY, key="DeskKey1")
    desk.pass_ms(HOUR_MS - 1_000)
    assert session.taken() == []
    desk.pass_ms(1_000)
    assert names(session.taken()) == ["listenKeyExpired"]
    desk.place("BUY")
    assert session.taken() == []


@pytest.mark.parametrize("way", ["path", "query", "stream", "subscribe"])
def test_every_way_in_hears_the_account(desk: UsdmDesk, way: str) -> None:
    text = desk.raw("POST", LISTEN_KEY, key="DeskKey1")["listenKey"]
    session: DeskSession
    match way:
        case "path":
            session = desk.connect(f"/{USER}/ws/{text}")
        case "query":
            session = desk.connect(f"/{USER}/ws", f"listenKey={text}")
        case "stream":
            session = desk.connect(f"/{USER}/stream", f"streams={text}")
        case _:
            session = desk.listen(USER, text)
    desk.place("BUY")
    (frame,) = session.taken()
    if way == "stream":
        assert frame["stream"] == text
        frame = frame["data"]
    assert names([frame]) == ["NEW/NEW"]


def test_a_socket_without_a_known_key_stays_silent(desk: UsdmDesk) -> None:
    session = desk.connect(f"/{USER}/ws/nobody")
    desk.raw("POST", LISTEN_KEY, key="DeskKey1")
    desk.place("BUY")
    assert session.taken() == []


def test_the_socket_api_places_changes_and_ends_an_order(desk: UsdmDesk) -> None:
    session = desk.connect("/ws-fapi/v1")
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    placed = desk.call(session, "order.place", **terms, quantity="0.010", price="59000")
    number = {"symbol": SYMBOL, "orderId": placed["result"]["orderId"]}
    assert [row["rateLimitType"] for row in placed["rateLimits"]] == [
        *("ORDERS", "ORDERS", "REQUEST_WEIGHT")
    ]
    session.taken()
    change = {"side": "BUY", "quantity": "0.020", "price": "58000"}
    assert desk.call(session, "order.modify", **number, **change)["result"]["price"] == "58000.00"
    session.taken()
    assert desk.call(session, "order.cancel", **number)["result"]["status"] == "CANCELED"
    session.taken()
    refused = desk.call(session, "order.cancel", **number)
    assert (refused["status"], refused["error"]["code"]) == (400, -2011)
    session.taken()
    key = desk.call(session, "userDataStream.start")["result"]["listenKey"]
    assert key == desk.raw("POST", LISTEN_KEY, key="DeskKey1")["listenKey"]
