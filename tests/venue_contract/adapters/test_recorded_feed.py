# SPDX-License-Identifier: Apache-2.0
"""A recorded capture, served by the twin and read back through HEAN's feed, gives the same book,
trades and candles as reading the file. The twin's market is played by hand, so that the feed stands
before the part that is compared.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.module import Context, IdSequence
from hean.core.types import Book, Candle, EventType, Payload, Tick
from hean.feeds.binance import BinanceFeed
from hean.feeds.bybit import BybitFeed
from hean.feeds.capture import Capture, read_capture
from hean.feeds.listing import load_instruments
from hean.feeds.live import LiveFeed
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.models.candles import CandleBuilder
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from hean.twin.build import Twin, TwinSettings

SYMBOL = "BTCUSDT"
LEVELS = 10
MOMENTS = 1_500  # of the capture; the rest is more of the same
BURST = 25  # moments between two turns of the feed
CASES = {
    "bybit linear": ("bybit", "linear", "data/ws/bybit_v5_linear_spot_raw_2026-08-09.jsonl.gz"),
    "bybit spot": ("bybit", "spot", "data/ws/bybit_v5_linear_spot_raw_2026-08-09.jsonl.gz"),
    "binance spot": ("binance", "spot", "data/l2/binance_spot_BTCUSDT_raw_2024-08-08.txt.gz"),
    "binance linear": ("binance", "linear", "data/l2/binance_perp_BTCUSDT_raw_2024-08-08.txt.gz"),
}
Side = tuple[tuple[float, float], ...]
State = tuple[Side, Side]
Trade = tuple[float, float]


def states(rows: Iterator[tuple[bool, list[tuple[int, float, float]]]]) -> list[State]:
    """The best levels after each event, told once while they stay the same."""
    sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
    found: list[State] = []
    for is_snapshot, levels in rows:
        if is_snapshot:
            sides = ({}, {})
        for side, price, quantity in levels:
            if quantity:
                sides[side][price] = quantity
            else:
                sides[side].pop(price, None)
        bids = sorted(sides[0].items(), reverse=True)[:LEVELS]
        found.append((tuple(bids), tuple(sorted(sides[1].items())[:LEVELS])))
    return [state for state, _ in itertools.groupby(found)]


def events_of(capture: Capture) -> Iterator[tuple[bool, list[tuple[int, float, float]]]]:
    """Depth rows by event."""
    depth, levels, is_snapshot = capture.depth, [], False
    names = ("side", "price", "quantity", "flags")
    for side, price, quantity, flags in zip(*(depth[n].tolist() for n in names), strict=True):
        is_snapshot |= bool(flags & 1)
        if price:
            levels.append((side, price, quantity))
        if flags & 2:
            yield is_snapshot, levels
            levels, is_snapshot = [], False


def candles(trades: list[Trade]) -> list[Candle]:
    """Bars of these trades, ten a second."""
    clock = SimClock()
    bus = EventBus(clock=clock)
    builder = CandleBuilder("1s")
    builder.attach(bus, Context(bus, clock, name="candles", seed=0, ids=IdSequence()))
    found: list[Candle] = []
    bus.subscribe(EventType.CANDLE, lambda event: found.append(event.data))
    for number, (price, quantity) in enumerate(trades):
        clock.now_ns = number * 100_000_000
        bus.drain([Tick(SYMBOL, price, quantity, 0)])
    return found


async def read_back(twin: Twin, exchange: str, market: Any) -> list[Payload]:
    """What the feed tells while the twin plays."""
    facts: list[Payload] = []
    await twin.server.start("127.0.0.1", 0)
    moments = iter(twin.script.moments())
    while not twin.venue.markets[market, SYMBOL].last:
        next(moments)[1](time.time_ns())
    async with HttpClient(f"http://127.0.0.1:{twin.port}", now=time.time_ns) as client:
        feed = await joined(client, twin, exchange, market, facts)
        await feed.start()
        async with asyncio.timeout(60):
            while feed.wire.book_id(SYMBOL) is None:
                next(moments)[1](time.time_ns())
                await asyncio.sleep(0.02)
            for number, (_, act) in enumerate(itertools.islice(moments, MOMENTS)):
                act(time.time_ns())
                if number % BURST == 0:
                    await asyncio.sleep(0.01)
            await settled(feed)
        await feed.stop()
    await twin.server.stop()
    assert feed.counters()["gaps"] == feed.counters()["bad"] == feed.reconnects == 0
    return facts


async def joined(
    client: HttpClient, twin: Twin, exchange: str, market: Any, facts: list[Payload]
) -> LiveFeed:
    """A feed of the twin."""
    settings: dict[str, Any] = {
        "take": facts.extend,
        "now": time.time_ns,
        "rng": random.Random(1),
        "governor": ConnectGovernor(),
        "silence_s": 60.0,
        "stale_s": {"book": 60.0, "ticker": 60.0, "mark": 60.0},
    }
    base = f"ws://127.0.0.1:{twin.port}"
    if exchange == "bybit":
        rest = BybitRest(client, market, now=time.time_ns, rng=random.Random(1))
        rules = await load_instruments(rest, [SYMBOL])
        return BybitFeed(f"{base}/v5/public/{market}", market, rules, **settings)
    public = BinanceRest(client, market, now=time.time_ns, rng=random.Random(1))
    rules = await load_instruments(public, [SYMBOL])
    return BinanceFeed(base, market, rules, rest=public, **settings)


async def settled(feed: LiveFeed) -> None:
    """Until nothing more comes."""
    before, quiet = -1, 0
    while quiet < 10:
        frames = feed.counters()["frames"]
        before, quiet = frames, quiet + 1 if frames == before else 0
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("case", CASES)
async def test_the_feed_tells_what_the_file_holds(case: str, shared: Path) -> None:
    exchange, market, name = CASES[case]
    path = shared / name
    keys = {"main": ("key", "secret")}
    twin = Twin(TwinSettings(exchange, keys, files=(path,), symbols=(SYMBOL,), market=market))
    facts = await read_back(twin, exchange, market)
    kind: Any = market
    capture = read_capture(path, SYMBOL, market=kind)
    books = [fact for fact in facts if isinstance(fact, Book)]
    told = states(
        (b.is_snapshot, [(0, *level) for level in b.bids] + [(1, *level) for level in b.asks])
        for b in books
    )
    held = states(events_of(capture))
    assert len(told) > 20
    assert is_part(told, held)
    trades = [(t.price, t.volume) for t in facts if isinstance(t, Tick) and t.volume]
    names = ("price", "quantity")
    taped = list(zip(*(capture.trades[name].tolist() for name in names), strict=True))
    assert len(trades) > 10
    place = start_of(trades, taped)
    assert taped[place : place + len(trades)] == trades
    assert candles(trades) == candles(taped[place : place + len(trades)]) != []


def is_part(told: list[State], held: list[State]) -> bool:
    """Whether what was told is what was held, one after the other from some place on."""
    for place in range(len(held)):
        if held[place] == told[0] and held[place : place + len(told)] == told:
            return True
    return False


def start_of(part: list[Trade], whole: list[Trade]) -> int:
    """Where *part* begins in *whole*."""
    for place in range(len(whole)):
        if whole[place : place + 20] == part[:20]:
            return place
    raise AssertionError("no such row of trades in the file")
