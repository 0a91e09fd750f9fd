# SPDX-License-Identifier: Apache-2.0
"""Public sockets of the twin's Bybit: pings, subscriptions, trades, tickers, candles, liquidations,
the life of a connection.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bybit_desk import BybitDesk


@pytest.fixture
def desk() -> BybitDesk:
    return BybitDesk()


def joined(desk: BybitDesk, *topics: str, kind: str = "linear") -> Any:
    session = desk.connect(f"/v5/public/{kind}")
    assert desk.subscribe(session, *topics)["success"] is True
    return session


def test_pings_are_answered_in_the_words_of_each_socket(desk: BybitDesk) -> None:
    ping = {"op": "ping", "req_id": "7"}
    for kind in ("linear", "spot"):
        answer = desk.say(desk.connect(f"/v5/public/{kind}"), ping)
        assert answer.pop("conn_id")
        assert answer == {"success": True, "ret_msg": "pong", "req_id": "7", "op": "ping"}
    assert "req_id" not in desk.say(desk.connect("/v5/public/spot"), {"op": "ping"})
    private = desk.say(desk.connect("/v5/private"), ping)
    assert (private["op"], private["args"], private["req_id"]) == ("pong", [str(desk.now_ms)], "7")
    trade = desk.say(desk.connect("/v5/trade"), {"op": "ping"})
    assert trade.pop("connId")
    assert trade == {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [str(desk.now_ms)]}


def test_subscriptions_are_confirmed_in_the_words_of_each_socket(desk: BybitDesk) -> None:
    for kind, message in (("linear", ""), ("spot", "subscribe")):
        session = desk.connect(f"/v5/public/{kind}")
        answer = desk.subscribe(session, "tickers.BTCUSDT")
        assert (answer["ret_msg"], answer["req_id"], answer["op"]) == (message, "s", "subscribe")


@pytest.mark.parametrize(
    "topic",
    [
        "orderbook.50.NOPEUSDT",
        "orderbook.25.BTCUSDT",
        "kline.7.BTCUSDT",
        "liquidation.BTCUSDT",
        "tickers",
        "",
        "order",
    ],
)
def test_one_bad_topic_spoils_the_request(desk: BybitDesk, topic: str) -> None:
    session = desk.connect("/v5/public/linear")
    answer = desk.subscribe(session, "publicTrade.BTCUSDT", topic)
    assert answer["success"] is False
    assert topic in answer["ret_msg"]
    desk.order("BUY", "0.1")
    desk.pass_ms(20)
    assert session.taken() == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", '{"op":1}', '{"op":"subscribe","args":[1]}', "[" * 100_000]
)
def test_a_bad_frame_is_answered_and_ends_nothing(desk: BybitDesk, text: str) -> None:
    session = desk.connect("/v5/public/linear")
    assert desk.say(session, text)["success"] is False
    assert desk.subscribe(session, "tickers.BTCUSDT")["success"] is True


def test_spot_takes_ten_topics_in_a_request_and_all_take_21000_characters(desk: BybitDesk) -> None:
    spans = (1, 3, 5, 15, 30, 60, 120, 240, 360, 720, "D")
    topics = [f"kline.{span}.BTCUSDT" for span in spans]
    spot = desk.connect("/v5/public/spot")
    assert desk.subscribe(spot, *topics)["success"] is False
    assert desk.subscribe(spot, *topics[:10])["success"] is True
    linear = desk.connect("/v5/public/linear")
    assert desk.subscribe(linear, *topics, "x" * 21_000)["ret_msg"] == "args length >21000"


def test_trades_carry_taker_direction_and_ids_oldest_first(desk: BybitDesk) -> None:
    session = joined(desk, "publicTrade.BTCUSDT")
    for side, quantity in (("BUY", "0.1"), ("BUY", "0.2"), ("SELL", "0.3")):
        desk.order(side, quantity)
    desk.pass_ms(10)
    rows = session.taken()[0]["data"]
    assert [(row["S"], row["v"], row["p"]) for row in rows] == [
        ("Buy", "0.100", "60000.10"),
        ("Buy", "0.200", "60000.10"),
        ("Sell", "0.300", "59999.90"),
    ]
    assert [row["L"] for row in rows] == ["PlusTick", "ZeroPlusTick", "MinusTick"]
    assert len({row["i"] for row in rows}) == 3


def test_a_linear_ticker_tells_changed_fields_only(desk: BybitDesk) -> None:
    session = joined(desk, "tickers.BTCUSDT")
    state = dict(session.taken()[0]["data"])
    desk.order("BUY", "0.1")
    desk.quote(desk.linear, 60_010.0)
    desk.pass_ms(200)
    frames = session.taken()
    assert {frame["type"] for frame in frames} == {"delta"}
    assert len(frames[0]["data"]) < len(state)
    for frame in frames:
        state.update(frame["data"])
    answer = desk.market("tickers", category="linear", symbol="BTCUSDT")["list"][0]
    assert {name: state[name] for name in state if name in answer} == {
        name: answer[name] for name in state if name in answer
    }


def test_a_spot_ticker_tells_snapshots(desk: BybitDesk) -> None:
    session = joined(desk, "tickers.BTCUSDT", kind="spot")
    desk.order("BUY", "0.1", market="spot")
    desk.pass_ms(100)
    frames = session.taken()
    assert [frame["type"] for frame in frames] == ["snapshot"] * 2
    assert frames[1]["data"]["lastPrice"] == "60000.1"


def test_a_candle_is_confirmed_once_and_agrees_with_rest(desk: BybitDesk) -> None:
    session = joined(desk, "kline.1.BTCUSDT")
    for step in range(13):
        desk.order("BUY" if step % 2 else "SELL", "0.01")
        desk.pass_ms(10_000)
    rows = [row for frame in session.taken() for row in frame["data"]]
    closed = [row for row in rows if row["confirm"]]
    assert [row["start"] for row in closed] == sorted({row["start"] for row in closed})
    assert len(closed) == 2
    listed = desk.market("kline", category="linear", symbol="BTCUSDT", interval="1", limit=5)
    rest = {int(row[0]): row for row in listed["list"]}
    for row in closed:
        names = ("open", "high", "low", "close", "volume", "turnover")
        assert [row[name] for name in names] == rest[row["start"]][1:]
        assert row["end"] == row["start"] + 59_999


def test_a_liquidated_long_is_told_as_buy(desk: BybitDesk) -> None:
    session = joined(desk, "allLiquidation.BTCUSDT")
    desk.main.wallets["unified"]["USDT"] = Decimal(700)
    desk.order("BUY", "0.1")
    desk.quote(desk.linear, 53_200.0)
    desk.pass_ms(600)
    row = session.taken()[0]["data"][0]
    assert (row["S"], row["v"], row["s"]) == ("Buy", "0.100", "BTCUSDT")
    fills = desk.rows("execution/list", category="linear", execType="BustTrade")
    assert [fill["side"] for fill in fills] == ["Sell"]


def test_silent_connections_and_old_ones_are_closed(desk: BybitDesk) -> None:
    quiet, chatty = (desk.connect("/v5/private") for _ in range(2))
    short = desk.connect("/v5/private", "max_active_time=30s")
    desk.now_ns += 31 * 1_000_000_000
    desk.pass_ms(10)
    assert (quiet.closed, short.closed is not None) == (None, True)
    for _ in range(10):
        desk.now_ns += 60 * 1_000_000_000
        desk.say(chatty, {"op": "ping"})
        desk.pass_ms(10)
    assert quiet.closed is not None
    assert chatty.closed is None
    desk.now_ns += 24 * 3_600 * 1_000_000_000
    desk.say(chatty, {"op": "ping"})
    desk.pass_ms(10)
    assert chatty.closed is not None


def test_unsubscribing_ends_a_topic(desk: BybitDesk) -> None:
    session = joined(desk, "publicTrade.BTCUSDT", "orderbook.1.BTCUSDT")
    session.taken()
    desk.say(session, {"op": "unsubscribe", "args": ["orderbook.1.BTCUSDT"]})
    desk.order("BUY", "0.1")
    desk.pass_ms(50)
    assert {frame["topic"] for frame in session.taken()} == {"publicTrade.BTCUSDT"}


def test_announced_maintenance_is_told_to_those_who_listen(desk: BybitDesk) -> None:
    from hean.twin.faults.quirks import Maintenance

    session = desk.connect("/v5/public/misc/status")
    assert desk.subscribe(session, "system.status")["success"] is True
    begin = desk.now_ns + 60 * 1_000_000_000
    desk.venue.quirks.maintenances = (Maintenance(1, "works", begin, begin * 2),)
    desk.pass_ms(1_010)
    assert session.taken()[0]["data"][0]["state"] == "scheduled"
    answer = desk.raw("GET", "/v5/system/status")
    assert answer["result"]["list"][0]["title"] == "works"
