# SPDX-License-Identifier: Apache-2.0
"""A recorded capture, served by the twin and read back through HEAN's own feed, is the recording:
the same book after every change, the same trades, the same candles as reading the file. The market
stands still until the feed has joined: one that joins later is given a thousand levels of more, and
what lies below may come to the top. Times are the host's: at the speed of life a constant later, so
candles are compared there, of a length that fits into the recording.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hean._core import Book, Desk, Instrument
from hean.core.types import Book as BookFact
from hean.core.types import Payload, Tick
from hean.feeds.binance import BinanceFeed
from hean.feeds.bybit import BybitFeed
from hean.feeds.capture import Capture, read_capture
from hean.feeds.live import LiveFeed
from hean.feeds.rest_binance import BinanceRest
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from hean.twin.build import Twin, TwinSettings
from hean.twin.listing import listing_for
from hean.twin.player import Moment, Script, depth_events

LEVELS, DEEP = 50, 400  # compared after every change, and at the end; a snapshot holds a thousand
BAR_NS, MS_NS = 5_000_000_000, 1_000_000
SLACK_S, WAIT_S = 1.0, 120.0

# exchange, market, symbol, file, how much faster than life
CASES = [
    ("binance", "spot", "BTCUSDT", "l2/binance_spot_BTCUSDT_raw_2024-08-08.txt.gz", 30),
    ("binance", "linear", "BTCUSDT", "l2/binance_perp_BTCUSDT_raw_2024-08-08.txt.gz", 20),
    ("bybit", "linear", "BTCUSDT", "ws/bybit_v5_linear_spot_raw_2026-08-09.jsonl.gz", 1),
    ("bybit", "spot", "ETHUSDT", "ws/bybit_v5_linear_spot_raw_2026-08-09.jsonl.gz", 5),
]


def feed_of(
    twin: Twin, rest: BinanceRest, instrument: Instrument, facts: list[tuple[Payload, Any]]
) -> LiveFeed:
    """A feed that notes every fact, and with a change of the book its best levels."""
    settings, base = twin.settings, f"ws://127.0.0.1:{twin.port}"
    symbol = settings.symbols[0]
    line = {
        "take": lambda new: facts.extend((fact, top_of(feed, fact)) for fact in new),
        "now": time.time_ns,
        "rng": random.Random(1),
        "governor": ConnectGovernor(),
        # The recording is played faster than life and ends: silence means nothing here.
        "stale_s": dict.fromkeys(("book", "ticker", "trade", "mark"), 1e6),
        "silence_s": 1e6,
    }
    rules = {symbol: instrument}
    kind: Any = settings.market
    feed: LiveFeed
    if settings.exchange == "bybit":
        url = f"{base}/v5/public/{settings.market}"
        feed = BybitFeed(url, kind, rules, depth=1000, **line)
    else:
        feed = BinanceFeed(base, kind, rules, rest=rest, **line)
    return feed


def top_of(feed: LiveFeed, fact: Payload) -> Any:
    """The best levels as they stand."""
    return feed.wire.book(fact.symbol).depth(LEVELS) if isinstance(fact, BookFact) else None


class Held:
    """A script that stands still while *is_held* says so."""

    def __init__(self, script: Script, is_held: Callable[[], bool]) -> None:
        self.script = script
        self.start_ns = script.start_ns
        self.is_held = is_held

    def moments(self) -> Iterator[Moment]:
        for moment in self.script.moments():
            while self.is_held():
                yield moment[0], lambda _: None
            yield moment


async def read_back(case: tuple[Any, ...], path: Path) -> tuple[list[tuple[Payload, Any]], Any]:
    """Facts of the feed until the recording is over, and the book deep down then."""
    exchange, kind, symbol, _, speed = case
    keys = {"main": ("readbackkey0000001", "readbacksecret000000000000000001")}
    twin = Twin(
        TwinSettings(
            exchange,
            keys,
            files=(path,),
            symbols=(symbol,),
            market=kind,
            speed=speed,
            limits_scale=1_000.0,
        )
    )
    facts: list[tuple[Payload, Any]] = []
    market = twin.venue.markets[kind, symbol]
    is_joined = False
    twin.script = Held(twin.script, lambda: market.best("SELL") is not None and not is_joined)
    await twin.start()
    client = HttpClient(f"http://127.0.0.1:{twin.port}", now=time.time_ns)
    await client.start()
    rest = BinanceRest(client, kind, now=time.time_ns, rng=random.Random(2))
    feed = feed_of(twin, rest, market.listing.instrument, facts)
    try:
        await feed.start()
        async with asyncio.timeout(WAIT_S):
            if exchange == "binance":  # else the first change would have it asked for
                for topic in feed.topics.values():
                    feed.renew(feed.carriers(topic)[0], [topic] if topic.stream == "book" else [])
            while not all(feed.wire.book(symbol).depth(1)):
                await asyncio.sleep(0.05)
            is_joined = True
            while not twin.is_played_out:
                await asyncio.sleep(0.05)
            seen = -1
            while seen != len(facts):  # what is still on its way
                seen = len(facts)
                await asyncio.sleep(SLACK_S)
        assert not feed.counters()["bad"]
        return facts, feed.wire.book(symbol).depth(DEEP)
    finally:
        await feed.stop()
        await client.stop()
        await twin.stop()


def books_of(capture: Capture, grid: Desk) -> tuple[list[Any], Any]:
    """The best levels after every event of the file, and the deep book at its end."""
    book, tops = Book(), []
    for _, _, is_snapshot, bids, asks in depth_events(grid, capture.depth):
        (book.apply_snapshot if is_snapshot else book.apply_delta)(bids, asks)
        tops.append(book.depth(LEVELS))
    return tops, book.depth(DEEP)


def changed(tops: list[Any]) -> list[Any]:
    """Without repetitions: what changed nothing among the best levels made no new book."""
    return [top for index, top in enumerate(tops) if not index or top != tops[index - 1]]


def candles(trades: list[tuple[int, float, float]]) -> dict[int, tuple[Any, ...]]:
    """Open, high, low, close, exact volume by bar."""
    out: dict[int, list[Any]] = {}
    for ts_ns, price, volume in trades:
        row = out.setdefault(ts_ns // BAR_NS, [price, price, price, price, Decimal(0)])
        row[1], row[2], row[3] = max(row[1], price), min(row[2], price), price
        row[4] += Decimal(str(volume))
    return {bar: tuple(row) for bar, row in out.items()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case[:3]))
async def test_a_capture_is_read_back_as_it_was(case: tuple[Any, ...], shared: Path) -> None:
    _, kind, symbol, file, speed = case
    path = shared / "data" / file
    facts, whole = await read_back(case, path)
    capture = read_capture(path, symbol, market=kind)
    instrument = Instrument(symbol, kind, *_steps(case[0], kind, symbol))

    grid = Desk(instrument, price_decimals=8, quantity_decimals=8)
    tops, whole_of_file = books_of(capture, grid)
    assert whole == whole_of_file
    recorded, seen = changed(tops), changed([top for _, top in facts if top is not None])
    pairs = enumerate(zip(seen, recorded, strict=True))
    assert [index for index, (one, other) in pairs if one != other] == []

    table = capture.trades
    taped = list(zip(*(table[n].tolist() for n in ("ts_ns", "price", "quantity")), strict=True))
    ticks = [f for f, _ in facts if isinstance(f, Tick) and f.volume]
    got = [(f.timestamp, f.price, f.volume) for f in ticks]
    assert len(got) > 0.9 * len(taped)  # the rest passed before the file's first book
    tail = taped[len(taped) - len(got) :]
    assert [row[1:] for row in got] == [row[1:] for row in tail]
    if speed == 1:
        later_ns = (got[0][0] - tail[0][0]) // MS_NS * MS_NS
        assert candles([(ts - later_ns, *rest) for ts, *rest in got]) == candles(tail)
        assert len(candles(tail)) > 3


def _steps(exchange: str, kind: str, symbol: str) -> tuple[str, str]:
    """Tick and lot as the twin lists them."""
    listing = listing_for(exchange, kind, symbol)
    return f"{listing.tick:f}", f"{listing.lot:f}"
