# SPDX-License-Identifier: Apache-2.0
"""Bybit's public stream against a server that speaks by script."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hean._core import Instrument
from hean.core.types import Book, Candle, Funding, Health, Payload, Tick
from hean.errors import EnvironmentFault, ParameterInvalid, VenueRefused
from hean.feeds.bybit import BybitFeed
from hean.net.socket import ConnectGovernor
from ws_server import Peer, ScriptedServer, until

NOW_MS = 1_700_000_000_000


class Bybit:
    """Acknowledges subscriptions; a book is sent after each. *answer*: instead of yes."""

    def __init__(self, server: ScriptedServer) -> None:
        server.on_text = self.on_text
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda request: {}
        self.update = 1

    def on_text(self, peer: Peer, text: bytes) -> None:
        request = json.loads(text)
        self.asked.append(request)
        answer = self.answer(request)
        if answer is None:
            return
        plain = {"success": True, "ret_msg": "", "req_id": request.get("req_id", "")}
        peer.say(json.dumps({**plain, "op": request["op"], **answer}).encode())
        if request["op"] == "subscribe" and not answer:
            for topic in request["args"]:
                if topic.startswith("orderbook"):
                    peer.say(self.book("snapshot", topic))

    def book(self, kind: str, topic: str = "orderbook.50.BTCUSDT", step: int = 1) -> bytes:
        self.update += step
        symbol = topic.rsplit(".", 1)[1]
        levels = {"b": [["100.0", str(self.update)]], "a": [["100.1", "2"]]}
        data = {"s": symbol, **levels, "u": self.update, "seq": self.update}
        frame = {"topic": topic, "type": kind, "ts": NOW_MS, "data": data, "cts": NOW_MS}
        return json.dumps(frame, separators=(",", ":")).encode()

    @property
    def topics(self) -> list[str]:
        return [t for r in self.asked if r["op"] == "subscribe" for t in r["args"]]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as found:
        yield found


def feed_of(server: ScriptedServer, facts: list[Payload], *symbols: str, **more: Any) -> BybitFeed:
    names = symbols or ("BTCUSDT",)
    rules = {name: Instrument(name, "linear", "0.1", "0.001") for name in names}
    settings: dict[str, Any] = {
        "take": facts.extend,
        "now": time.time_ns,
        "rng": random.Random(1),
        "governor": ConnectGovernor(),
        "silence_s": 60.0,
        "stale_s": {"book": 60.0, "ticker": 60.0},
    }
    return BybitFeed(server.url, "linear", rules, **{**settings, **more})


async def test_topics_are_asked_for_ten_at_a_time_and_each_answer_counts_for_its_own(
    server: ScriptedServer,
) -> None:
    venue, facts = Bybit(server), list[Payload]()
    symbols = [f"A{n}USDT" for n in range(8)]
    feed = feed_of(server, facts, *symbols, candles=["1m", "1d"], depth=200)
    await feed.start()
    assert feed.is_ready
    assert all(len(request["args"]) <= 10 for request in venue.asked)
    assert sorted(venue.topics) == sorted(
        f"{name}.{symbol}"
        for symbol in symbols
        for name in ("orderbook.200", "publicTrade", "tickers", "kline.1", "kline.D")
    )
    await until(lambda: sum(isinstance(fact, Book) for fact in facts) == 8)
    await feed.stop()


async def test_it_is_not_ready_until_the_last_topic_is_acknowledged(server: ScriptedServer) -> None:
    venue = Bybit(server)
    venue.answer = lambda request: {} if "tickers.BTCUSDT" not in request["args"] else None
    feed = feed_of(server, [], ready_s=0.5)
    with pytest.raises(EnvironmentFault, match="not acknowledged .*tickers.BTCUSDT"):
        await feed.start()
    assert not feed.is_ready
    await until(lambda: server.last.is_gone)


async def test_a_refusal_is_told_with_the_venues_words(server: ScriptedServer) -> None:
    venue = Bybit(server)
    venue.answer = lambda request: {"success": False, "ret_msg": "Invalid symbol :[BTCUSDT]"}
    with pytest.raises(VenueRefused, match=r"Invalid symbol :\[BTCUSDT\]"):
        await feed_of(server, []).start()


async def test_a_hole_in_a_book_has_it_subscribed_anew(server: ScriptedServer) -> None:
    venue, facts = Bybit(server), list[Payload]()
    feed = feed_of(server, facts)
    await feed.start()
    await until(lambda: feed.wire.book_id("BTCUSDT"))
    server.last.say(venue.book("delta", step=2), venue.book("delta"))
    await until(lambda: [b.is_snapshot for b in facts if isinstance(b, Book)] == [True, True])
    asked = [(r["op"], r["args"]) for r in venue.asked[1:]]
    assert asked == [
        ("unsubscribe", ["orderbook.50.BTCUSDT"]),
        ("subscribe", ["orderbook.50.BTCUSDT"]),
    ]
    words = [h.state for h in facts if isinstance(h, Health) and ".book." in h.component]
    assert words == ["STALE", "FRESH", "STALE", "FRESH"]
    await feed.stop()


async def test_a_book_that_never_comes_back_ends_the_line(server: ScriptedServer) -> None:
    venue, facts = Bybit(server), list[Payload]()
    feed = feed_of(server, facts)
    await feed.start()
    await until(lambda: feed.wire.book_id("BTCUSDT"))
    venue.answer = lambda request: None if len(server.peers) == 1 else {}
    server.last.say(venue.book("delta", step=2))
    await until(lambda: feed.reconnects)
    await until(lambda: feed.wire.book_id("BTCUSDT"))
    downs = [h for h in facts if isinstance(h, Health) and h.state == "DOWN"]
    assert downs[0].extra == {"reason": "orderbook.50.BTCUSDT does not come back"}
    await feed.stop()


async def test_frames_nobody_can_read_or_asked_for_are_counted(server: ScriptedServer) -> None:
    venue, facts = Bybit(server), list[Payload]()
    feed = feed_of(server, facts)
    await feed.start()
    place = len(facts)
    deep = b'{"a":' * 3_000 + b"1" + b"}" * 3_000
    server.last.say(
        b"no json",
        deep,
        b'{"op":"subscribe","success":"yes"}',
        venue.book("delta").replace(b'"100.1"', b'"NaN"'),
        b'{"topic":"publicTrade.OTHERUSDT","data":[]}',
        b'{"op":"something","conn_id":"x"}',
        b"{}",
    )
    await until(lambda: feed.unknown == 1)
    await until(lambda: feed.bad >= 3)
    assert "DOWN" not in [h.state for h in facts[place:] if isinstance(h, Health)]
    await feed.stop()


async def test_while_the_kernel_is_behind_frames_wait_at_the_venue(server: ScriptedServer) -> None:
    venue, facts = Bybit(server), list[Payload]()
    crowded = [False]
    feed = feed_of(server, facts, is_crowded=lambda: crowded[0])
    await feed.start()
    await until(lambda: feed.wire.book_id("BTCUSDT"))
    crowded[0] = True
    server.last.say(venue.book("delta"))
    await until(lambda: feed.counters()["frames"] >= 2)
    frames = feed.counters()["frames"]
    for _ in range(20):
        server.last.say(venue.book("delta"))
    crowded[0] = False
    await until(lambda: feed.counters()["frames"] == frames + 20)
    assert feed.counters()["gaps"] == 0
    await feed.stop()


async def test_trades_and_closed_candles_become_facts(server: ScriptedServer) -> None:
    venue, facts = Bybit(server), list[Payload]()
    feed = feed_of(server, facts, candles=["1m"])
    await feed.start()
    trade = {"T": NOW_MS, "s": "BTCUSDT", "S": "Buy", "v": "0.002", "p": "100.1", "i": "1"}
    bar = {"start": 60_000, "end": 119_999, "interval": "1", "open": "1", "close": "2"}
    bar |= {"high": "3", "low": "1", "volume": "5", "turnover": "7", "timestamp": NOW_MS}
    for topic, rows in (
        ("publicTrade.BTCUSDT", [trade]),
        ("kline.1.BTCUSDT", [{**bar, "confirm": False}]),
        ("kline.1.BTCUSDT", [{**bar, "confirm": True}]),
    ):
        frame = {"topic": topic, "type": "snapshot", "ts": NOW_MS, "data": rows}
        server.last.say(json.dumps(frame, separators=(",", ":")).encode())
    await until(lambda: any(isinstance(fact, Candle) for fact in facts))
    ticks = [f for f in facts if isinstance(f, Tick) and f.volume]
    assert [(t.price, t.volume) for t in ticks] == [(100.1, 0.002)]
    assert len([f for f in facts if isinstance(f, Candle)]) == 1
    assert venue.asked
    await feed.stop()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"depth": 25}, "book depth 25; Bybit has 50, 200, 1000"),
        ({"candles": ["7m"]}, "candles of '7m'; Bybit has 1m"),
    ],
)
async def test_what_bybit_does_not_have_is_refused(
    server: ScriptedServer, more: dict[str, Any], text: str
) -> None:
    with pytest.raises(ParameterInvalid, match=text):
        feed_of(server, [], **more)


async def test_more_topics_than_a_connection_may_subscribe_are_refused(
    server: ScriptedServer,
) -> None:
    with pytest.raises(ParameterInvalid, match="Take fewer symbols"):
        feed_of(server, [], *(f"COIN{number}USDT" for number in range(400)))


async def test_a_ticker_with_a_rate_and_a_price_tells_both(server: ScriptedServer) -> None:
    venue, facts = Bybit(server), list[Payload]()
    venue.answer = lambda request: {"ret_msg": ""}  # and no book: the ticker's quote is the price
    feed = feed_of(server, facts)
    await feed.start()
    data = {"symbol": "BTCUSDT", "bid1Price": "100.0", "bid1Size": "1", "ask1Price": "100.1"}
    data |= {"ask1Size": "1", "lastPrice": "100.0", "markPrice": "100", "indexPrice": "100"}
    data |= {"fundingRate": "0.0001", "nextFundingTime": str(NOW_MS + 1)}
    frame = {"topic": "tickers.BTCUSDT", "type": "snapshot", "data": data, "cs": 1, "ts": NOW_MS}
    server.last.say(json.dumps(frame, separators=(",", ":")).encode())
    await until(lambda: any(isinstance(fact, Tick) for fact in facts))
    (funding,) = [fact for fact in facts if isinstance(fact, Funding)]
    assert (funding.rate, funding.mark_price) == (0.0001, None)
    assert feed.reconnects == 0
    await feed.stop()


async def test_a_doubt_about_a_price_ends_with_the_next_quote_of_the_book(
    server: ScriptedServer,
) -> None:
    venue, facts = Bybit(server), list[Payload]()
    feed = feed_of(server, facts)
    await feed.start()
    row = {"T": NOW_MS, "s": "BTCUSDT", "S": "Buy", "v": "1", "L": "PlusTick", "BT": False}
    for number, price in enumerate(("100.0", "10000.0")):
        data = [{**row, "p": price, "i": str(number), "seq": number}]
        frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": NOW_MS, "data": data}
        server.last.say(json.dumps(frame, separators=(",", ":")).encode())
    name = "feed.bybit.linear.price.BTCUSDT"

    def states() -> list[str]:
        return [f.state for f in facts if isinstance(f, Health) and f.component == name]

    await until(lambda: states() == ["STALE"])
    data = {"s": "BTCUSDT", "b": [["100.0", "0"], ["99.9", "1"]], "a": []}
    data |= {"u": venue.update + 1, "seq": venue.update + 1}
    frame = {"topic": "orderbook.50.BTCUSDT", "type": "delta", "ts": NOW_MS, "data": data}
    server.last.say(json.dumps({**frame, "cts": NOW_MS}, separators=(",", ":")).encode())
    await until(lambda: states() == ["STALE", "FRESH"])
    await feed.stop()
