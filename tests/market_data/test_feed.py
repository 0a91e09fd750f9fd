# SPDX-License-Identifier: Apache-2.0
"""The service as a feed: what an engine hears by way of the service is what it hears from the venue
itself, and it is told when the data cannot be trusted. Against a real service on a real twin, and
against one that speaks by script.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from hean._core import Instrument
from hean.core.types import Book, Funding, Health, Payload, Tick
from hean.errors import EnvironmentFault, UnknownSymbol
from hean.feeds.bybit import BybitFeed
from hean.feeds.market_data import MarketDataFeed, names_at
from hean.net.socket import ConnectGovernor
from market_data.service_process import Service, addresses
from ws_server import Peer, ScriptedServer, until

NAMES = {"BTCUSDT": "BTCUSDT"}
WAIT_S = 60.0


@pytest.fixture(scope="module")
def service(bybit, tmp_path_factory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    symbols = "BTCUSDT,ETHUSDT,BTCUSDT@spot"
    with Service(folder, SYMBOLS=symbols, **addresses(bybit)) as service:
        yield service.until_ready()


def settings(facts: list[Payload]) -> dict[str, Any]:
    return {
        "take": facts.extend,
        "now": time.time_ns,
        "rng": random.Random(1),
        "governor": ConnectGovernor(),
    }


async def soon(condition) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)


def of(facts: list[Payload], kind: type) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]


async def test_it_is_told_what_the_venue_itself_tells(bybit, service):
    url = f"http://127.0.0.1:{service.port}"
    names = await names_at(url, "bybit", "linear", NAMES, now=time.time_ns)
    by_service: list[Payload] = []
    by_venue: list[Payload] = []
    rules = {"BTCUSDT": Instrument("BTCUSDT", "linear", "0.1", "0.001")}
    direct = BybitFeed(f"{bybit.ws_base}/v5/public/linear", "linear", rules, **settings(by_venue))
    feed = MarketDataFeed(url, names, **settings(by_service))
    await asyncio.gather(direct.start(), feed.start())

    def both() -> list[list[tuple[int, float, float]]]:
        """Trades of the time that both have heard."""
        told = [
            [(f.timestamp, f.price, f.volume) for f in of(facts, Tick) if f.volume]
            for facts in (by_service, by_venue)
        ]
        first = max((rows[0][0] for rows in told if rows), default=0)
        last = min((rows[-1][0] for rows in told if rows), default=0)
        return [[row for row in rows if first < row[0] < last] for rows in told]

    try:
        await soon(lambda: min(map(len, both())) > 5)
        await soon(lambda: of(by_service, Funding) and len(of(by_service, Book)) > 1)
    finally:
        await asyncio.gather(direct.stop(), feed.stop())
    mine, theirs = both()
    assert mine == theirs
    books = of(by_service, Book)
    assert [book.is_snapshot for book in books[:2]] == [True, False]
    assert {fact.symbol for fact in by_service if not isinstance(fact, Health)} == {"BTCUSDT"}
    assert feed.counters()["gaps"] == feed.counters()["bad"] == 0


async def test_its_deltas_make_the_book_that_the_service_answers(service):
    facts: list[Payload] = []
    feed = MarketDataFeed(f"http://127.0.0.1:{service.port}", NAMES, **settings(facts))
    await feed.start()
    sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
    done = 0

    def agrees() -> bool:
        nonlocal done
        told = service.told("/api/v1/orderbook/BTCUSDT?limit=10")
        for book in of(facts[done:], Book):
            for side, levels in zip(sides, (book.bids, book.asks), strict=True):
                if book.is_snapshot:
                    side.clear()
                side.update(levels)
        done = len(facts)
        bids, asks = ([[p, q] for p, q in sorted(side.items()) if q] for side in sides)
        return [bids[::-1][:10], asks[:10]] == [told["bids"], told["asks"]]

    try:
        await soon(agrees)
    finally:
        await feed.stop()


async def test_names_are_the_market_s_own_and_strangers_are_refused(service):
    url = f"http://127.0.0.1:{service.port}"
    spot = await names_at(url, "bybit", "spot", NAMES, now=time.time_ns)
    assert spot == {"BTCUSDT@spot": "BTCUSDT"}
    with pytest.raises(UnknownSymbol, match="add it to its SYMBOLS"):
        await names_at(url, "binance", "spot", NAMES, now=time.time_ns)


async def test_a_book_that_the_service_lacks_is_stale_here(bybit, service):
    facts: list[Payload] = []
    feed = MarketDataFeed(f"http://127.0.0.1:{service.port}", NAMES, **settings(facts))
    await feed.start()
    try:
        bybit.control.fault("public_cut", refuses_s=1)
        component = "feed.market-data.book.BTCUSDT"

        def states() -> list[str]:
            return [it.state for it in of(facts, Health) if it.component == component]

        await soon(lambda: states()[-1:] == ["FRESH"] and states().count("STALE") >= 2)
    finally:
        await feed.stop()
    assert feed.counters()["reconnects"] == 0


class Script:
    """Says the beginning at once, and later what a test wants."""

    def __init__(self, server: ScriptedServer) -> None:
        server.on_text = self.on_text
        self.asked = 0

    def on_text(self, peer: Peer, text: bytes) -> None:
        assert json.loads(text) == {"action": "subscribe", "topic": "facts"}
        self.asked += 1
        peer.say(message(10, 0, tick(1.0)))


def tick(price: float, symbol: str = "BTCUSDT") -> list[Any]:
    fields = {"symbol": symbol, "price": price, "volume": 1, "bid": None, "ask": None}
    return ["TICK", {**fields, "timestamp": 5}]


def message(seq: int, prev: int, *facts: list[Any], schema: int = 1) -> bytes:
    return json.dumps([schema, "market-data", seq, prev, 7, facts, False]).encode()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as found:
        yield found


@pytest.mark.parametrize(
    ("bad", "counter"),
    [
        (message(13, 12, tick(3.0)), "gaps"),
        (message(11, 10, tick(3.0), schema=2), "bad"),
        (b'{"type":"error"}', "bad"),
        (message(11, 10, ["TICK", {"symbol": 3}]), "bad"),
    ],
    ids=["a hole", "schema of the future", "no message", "a bad fact"],
)
async def test_what_does_not_follow_is_asked_for_anew(server, bad, counter):
    script, facts = Script(server), []
    feed = MarketDataFeed(server.url.replace("ws", "http", 1), NAMES, **settings(facts))
    await feed.start()
    server.last.say(message(11, 10, tick(2.0), tick(9.0, "OTHER")))
    await until(lambda: len(of(facts, Tick)) == 2)
    server.last.say(bad)
    await until(lambda: script.asked == 2)
    await until(lambda: len(of(facts, Tick)) == 3)
    assert [fact.price for fact in of(facts, Tick)] == [1.0, 2.0, 1.0]
    assert feed.counters()[counter] == 1
    assert feed.counters()["reconnects"] == 1
    await feed.stop()


async def test_a_service_that_says_nothing_is_told_so(server):
    url = server.url.replace("ws", "http", 1)
    feed = MarketDataFeed(url, NAMES, ready_s=0.3, **settings([]))
    with pytest.raises(EnvironmentFault, match="check the service"):
        await feed.start()
