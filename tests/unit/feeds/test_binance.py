# SPDX-License-Identifier: Apache-2.0
"""Binance's public streams against servers that speak by script: one for sockets, one for REST."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest
from aiohttp import web

from hean._core import Instrument
from hean.core.types import Book, Funding, Health, Payload
from hean.errors import ParameterInvalid, VenueRefused
from hean.feeds.binance import BinanceFeed
from hean.feeds.rest_binance import BinanceRest
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from ws_server import Peer, ScriptedServer, until

NOW_MS = 1_700_000_000_000
BOOK = "btcusdt@depth@100ms"


class Binance:
    """Acknowledges everything. *last_id*: of the book, as REST tells it."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        server.on_text = self.on_text
        self.asked: list[tuple[str, str, list[str]]] = []
        self.refusal: dict[str, Any] | None = None
        self.last_id = 100
        self.depths = 0
        self.fails = 0

    def on_text(self, peer: Peer, text: bytes) -> None:
        request = json.loads(text)
        self.asked.append((peer.path, request["method"], request["params"]))
        answer = {"result": None, "id": request["id"]} | (self.refusal or {})
        peer.say(json.dumps(answer).encode())

    async def depth(self, request: web.Request) -> web.Response:
        self.depths += 1
        if self.fails:
            self.fails -= 1
            return web.Response(status=502, body=b"<html>")
        levels = {"bids": [["100.0", "1"]], "asks": [["100.1", "1"]]}
        return web.json_response({"lastUpdateId": self.last_id, **levels})

    def change(self, first: int, last: int) -> bytes:
        data = {"e": "depthUpdate", "E": NOW_MS, "s": "BTCUSDT", "U": first, "u": last}
        levels = {"b": [["100.0", str(last)]], "a": []}
        frame = {"stream": BOOK, "data": {**data, **levels}}
        return json.dumps(frame, separators=(",", ":")).encode()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as found:
        yield found


class Desk:
    """A feed with its servers."""

    def __init__(self, server: ScriptedServer, market: Any = "spot", **more: Any) -> None:
        self.server = server
        self.market = market
        self.venue = Binance(server)
        self.facts: list[Payload] = []
        self.more = more

    async def __aenter__(self) -> Self:
        app = web.Application()
        for path in ("/api/v3/depth", "/fapi/v1/depth"):
            app.router.add_get(path, self.venue.depth)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        port = self.runner.addresses[0][1]
        self.client = HttpClient(f"http://127.0.0.1:{port}", now=time.time_ns)
        await self.client.start()
        rng = random.Random(1)
        settings: dict[str, Any] = {
            "take": self.facts.extend,
            "now": time.time_ns,
            "rng": rng,
            "governor": ConnectGovernor(),
            "silence_s": 60.0,
            "stale_s": {"book": 60.0, "ticker": 60.0, "mark": 60.0},
        }
        self.feed = BinanceFeed(
            self.server.url,
            self.market,
            {"BTCUSDT": Instrument("BTCUSDT", self.market, "0.1", "0.001")},
            rest=BinanceRest(self.client, self.market, now=time.time_ns, rng=rng),
            **{**settings, **self.more},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.feed.stop()
        await self.client.stop()
        await self.runner.cleanup()

    async def with_book(self) -> None:
        """Started, and with a whole book."""
        await self.feed.start()
        self.server.last.say(self.venue.change(self.venue.last_id + 1, self.venue.last_id + 2))
        await until(lambda: self.feed.wire.book_id("BTCUSDT") == self.venue.last_id + 2)

    def words(self, stream: str) -> list[str]:
        """What was said of a stream."""
        return [h.state for h in self.facts if isinstance(h, Health) and stream in h.component]


async def test_streams_of_spot_go_over_one_line(server: ScriptedServer) -> None:
    async with Desk(server, candles=["1m"]) as desk:
        await desk.feed.start()
        assert desk.feed.is_ready
        (asked,) = desk.venue.asked
        assert asked[:2] == ("/stream", "SUBSCRIBE")
        assert sorted(asked[2]) == sorted(
            f"btcusdt@{name}" for name in ("depth@100ms", "trade", "bookTicker", "kline_1m")
        )


async def test_streams_of_futures_go_over_the_route_that_carries_them(
    server: ScriptedServer,
) -> None:
    async with Desk(server, "linear", candles=["1m"]) as desk:
        await desk.feed.start()
        by_path = {path: set(names) for path, _, names in desk.venue.asked}
        assert by_path == {
            "/public/stream": {BOOK, "btcusdt@trade", "btcusdt@bookTicker"},
            "/market/stream": {"btcusdt@markPrice@1s", "btcusdt@kline_1m"},
        }


async def test_a_book_is_a_snapshot_and_the_changes_that_waited(server: ScriptedServer) -> None:
    async with Desk(server) as desk:
        await desk.feed.start()
        server.last.say(desk.venue.change(99, 101), desk.venue.change(102, 103))
        await until(lambda: desk.feed.wire.book_id("BTCUSDT") == 103)
        books = [fact for fact in desk.facts if isinstance(fact, Book)]
        assert [book.is_snapshot for book in books] == [True, False, False]
        await until(lambda: desk.words(".book.")[-1] == "FRESH")
        assert desk.venue.depths == 1


async def test_a_hole_is_repaired_by_another_snapshot_and_told(server: ScriptedServer) -> None:
    async with Desk(server) as desk:
        await desk.with_book()
        desk.venue.last_id = 200
        server.last.say(desk.venue.change(110, 111), desk.venue.change(112, 201))
        await until(lambda: desk.feed.wire.book_id("BTCUSDT") == 201)
        server.last.say(desk.venue.change(202, 203))
        await until(lambda: desk.words(".book.")[-1] == "FRESH")
        assert desk.words(".book.") == ["STALE", "FRESH", "STALE", "FRESH"]
        assert desk.venue.depths == 2
        assert desk.feed.counters()["gaps"] == 1
        assert [method for _, method, _ in desk.venue.asked] == ["SUBSCRIBE"]


async def test_a_snapshot_that_fails_or_is_too_old_is_asked_for_again(
    server: ScriptedServer,
) -> None:
    async with Desk(server) as desk:
        desk.venue.fails, desk.venue.last_id = 1, 50
        await desk.feed.start()
        server.last.say(desk.venue.change(99, 101))
        await until(lambda: desk.venue.depths >= 2)
        assert desk.feed.wire.book_id("BTCUSDT") is None
        desk.venue.last_id = 100
        await until(lambda: desk.feed.wire.book_id("BTCUSDT") == 101)


async def test_a_quiet_market_is_no_dead_line(server: ScriptedServer) -> None:
    """REST says the same id: nothing was missed. Then it says another: the line is dead."""
    async with Desk(server, silence_s=1.0, stale_s={"book": 0.5}) as desk:
        desk.venue.last_id = 102
        await desk.feed.start()
        server.last.say(desk.venue.change(103, 104))
        await until(lambda: desk.feed.wire.book_id("BTCUSDT") == 104)
        desk.venue.last_id = 104
        await until(lambda: desk.venue.depths >= 3)
        assert desk.feed.reconnects == 0
        desk.venue.last_id = 150
        await until(lambda: desk.feed.reconnects == 1)


async def test_a_new_line_is_not_dead_because_the_old_one_was(server: ScriptedServer) -> None:
    """Method: a book moves that its line does not tell of, and from then on it rests."""
    async with Desk(server, stale_s={"book": 0.5}) as desk:
        await desk.with_book()
        desk.venue.last_id = 150
        await until(lambda: desk.feed.reconnects == 1)
        asked = desk.venue.depths
        await until(lambda: desk.venue.depths >= asked + 3)
        assert desk.feed.reconnects == 1
        await until(lambda: desk.words(".book.")[-1] == "FRESH")


async def test_what_a_line_missed_that_is_gone_counts_no_more(server: ScriptedServer) -> None:
    """Method: the old line is cut by the network after the first proof, before the second."""
    async with Desk(server, stale_s={"book": 0.5}) as desk:
        await desk.with_book()
        desk.venue.last_id = 150
        await until(lambda: desk.feed.wire.book_id("BTCUSDT") == 150)
        server.last.cut()
        await until(lambda: desk.feed.reconnects == 1)
        asked = desk.venue.depths
        await until(lambda: desk.venue.depths >= asked + 3)
        assert desk.feed.reconnects == 1


async def test_a_silent_stream_is_subscribed_again(server: ScriptedServer) -> None:
    async with Desk(server, stale_s={"ticker": 0.5, "book": 60.0}) as desk:
        await desk.with_book()
        quote = {"u": 1, "s": "BTCUSDT", "b": "100.0", "B": "1", "a": "100.1", "A": "1"}
        frame = {"stream": "btcusdt@bookTicker", "data": quote}
        server.last.say(json.dumps(frame, separators=(",", ":")).encode())
        await until(lambda: desk.words(".ticker.") == ["STALE", "FRESH", "STALE"])
        await until(lambda: len(desk.venue.asked) >= 3)
        assert [(method, names) for _, method, names in desk.venue.asked[1:3]] == [
            ("UNSUBSCRIBE", ["btcusdt@bookTicker"]),
            ("SUBSCRIBE", ["btcusdt@bookTicker"]),
        ]


@pytest.mark.parametrize(
    "refusal",
    [
        {"code": 2, "msg": "Invalid request: unknown variant"},
        {"error": {"code": 3, "msg": "Invalid JSON"}},
    ],
)
async def test_a_refusal_is_told_with_the_venues_words(
    server: ScriptedServer, refusal: dict[str, Any]
) -> None:
    async with Desk(server) as desk:
        desk.venue.refusal = refusal
        with pytest.raises(VenueRefused, match="Invalid"):
            await desk.feed.start()


async def test_a_funding_rate_is_told_without_a_price_to_book_it_at(
    server: ScriptedServer,
) -> None:
    async with Desk(server, "linear") as desk:
        await desk.feed.start()
        mark = {"e": "markPriceUpdate", "E": NOW_MS, "s": "BTCUSDT", "p": "100", "i": "100"}
        data = {**mark, "r": "0.0001", "T": NOW_MS + 1}
        frame = {"stream": "btcusdt@markPrice@1s", "data": data}
        market = next(peer for peer in server.peers if peer.path == "/market/stream")
        market.say(json.dumps(frame, separators=(",", ":")).encode())
        await until(lambda: any(isinstance(fact, Funding) for fact in desk.facts))
        (funding,) = [fact for fact in desk.facts if isinstance(fact, Funding)]
        assert (funding.rate, funding.mark_price) == (0.0001, None)


async def test_a_lost_market_line_leaves_the_books(server: ScriptedServer) -> None:
    async with Desk(server, "linear") as desk:
        await desk.feed.start()
        market = next(peer for peer in server.peers if peer.path == "/market/stream")
        public = next(peer for peer in server.peers if peer.path == "/public/stream")
        change = json.loads(desk.venue.change(99, 101))
        change["data"] |= {"pu": 98, "T": NOW_MS}
        public.say(json.dumps(change, separators=(",", ":")).encode())
        await until(lambda: desk.feed.wire.book_id("BTCUSDT") == 101)
        market.cut()
        await until(lambda: desk.feed.reconnects == 1)
        assert desk.feed.wire.book_id("BTCUSDT") == 101
        assert desk.words(".book.")[-1] == "FRESH" or not desk.words(".book.")


async def test_candles_that_binance_does_not_have_are_refused(server: ScriptedServer) -> None:
    with pytest.raises(ParameterInvalid, match="candles of '7m'; Binance has 12h, 15m"):
        async with Desk(server, candles=["7m"]):
            pass
