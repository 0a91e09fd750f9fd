# SPDX-License-Identifier: Apache-2.0
"""`record_stream.py`: a live feed into capture files. The feed is the one that trades: it
subscribes, finds holes, asks for books and comes back by itself; here every frame it hears is kept
as it came, and with it each book that was asked for over REST. A connection that is lost stands in
the file, so that nobody reading it trades on a book that was no longer known. Facts are not kept:
they can be made from the frames at any time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hean.core.types import Health, Payload
from hean.data.record import FLUSH_S, Recorder
from hean.errors import EnvironmentFault, NotConnected
from hean.feeds.binance import BinanceFeed
from hean.feeds.bybit import BybitFeed
from hean.feeds.listing import load_instruments
from hean.feeds.live import LiveFeed
from hean.feeds.rest import Market
from hean.feeds.rest_binance import BinanceRest, Depth
from hean.feeds.rest_bybit import BybitRest
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor, Connection
from hean.venues.endpoints import Endpoints

BYBIT_DEPTH = 200  # levels a side: enough for any order HEAN would send, a frame every 100 ms


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording has written. *lost*: connections lost; *renewals*: books and topics asked
    for again.
    """

    files: tuple[Path, ...]
    lines: int
    lost: int
    renewals: int


class StreamRecording:
    """One market's symbols, recorded until somebody sets *ended*.

    *out*: a folder, or for one symbol a file; *venue*: its name in the catalog. *told*: called
    about once a second with the number of frames so far. *Raises* at `run`: `UnknownSymbol`,
    `EnvironmentFault`, `VenueError`; files are complete in any case.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        symbols: Sequence[str],
        out: Path,
        *,
        venue: str,
        ended: asyncio.Event,
        now: Callable[[], int],
        rng: random.Random,
        told: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._endpoints = endpoints
        self._symbols = tuple(symbols)
        self._out = out
        self._venue = venue
        self._ended = ended
        self._now = now
        self._rng = rng
        self._told = told
        self._lost = 0
        self._fault: EnvironmentFault | None = None

    async def run(self, duration_s: float | None = None) -> Recorded:
        """Record for *duration_s* after the first subscriptions are acknowledged."""
        endpoints = self._endpoints
        async with HttpClient(endpoints.rest, now=self._now) as client:
            rest = self._rest(client)
            instruments = await load_instruments(rest, self._symbols)
            market = "perp" if endpoints.market == "linear" else "spot"
            self._recorder = Recorder(
                self._out, self._symbols, venue=self._venue, market=market, now=self._now
            )
            self._feed = self._make_feed(rest, instruments)
            topics = self._feed.topics.values()
            books = [topic for topic in topics if topic.stream == "book"]
            self._books = {one: books for topic in books for one in self._feed.carriers(topic)}
            for connection in {one for topic in topics for one in self._feed.carriers(topic)}:
                self._tap(connection)
            try:
                await self._feed.start()
                await self._keep(duration_s)
            finally:
                await self._feed.stop()
                self._recorder.close()
        if self._fault is not None:
            raise self._fault
        return Recorded(
            tuple(dict.fromkeys(self._recorder.finished)),
            self._recorder.lines,
            self._lost,
            self._feed.renewals,
        )

    def _rest(self, client: HttpClient) -> BybitRest | BinanceRest:
        settings: dict[str, Any] = {"now": self._now, "rng": self._rng}
        market: Market = self._endpoints.only
        if self._endpoints.venue == "bybit":
            return BybitRest(client, market, **settings)
        return _TappedRest(client, market, took=self._take, **settings)

    def _make_feed(self, rest: BybitRest | BinanceRest, instruments: Any) -> LiveFeed:
        endpoints = self._endpoints
        settings: dict[str, Any] = {
            "take": self._hear,
            "now": self._now,
            "rng": self._rng,
            "governor": ConnectGovernor(),
        }
        if isinstance(rest, BinanceRest):
            return BinanceFeed(endpoints.public, endpoints.only, instruments, rest=rest, **settings)
        return BybitFeed(
            endpoints.public, endpoints.only, instruments, depth=BYBIT_DEPTH, **settings
        )

    async def _keep(self, duration_s: float | None) -> None:
        """Flush until the end has come."""
        loop = asyncio.get_running_loop()
        end_s = float("inf") if duration_s is None else loop.time() + duration_s
        while not self._ended.is_set() and loop.time() < end_s:
            try:
                async with asyncio.timeout(min(FLUSH_S, end_s - loop.time())):
                    await self._ended.wait()
            except TimeoutError:
                pass
            self._guard(self._recorder.flush)
            self._told(self._recorder.lines)

    def _tap(self, connection: Connection) -> None:
        """Hear every frame before the feed does."""
        feed_hears = connection.on_frame

        def on_frame(frame: bytes) -> None:
            if self._guard(lambda: self._recorder.frame(frame)):
                self._begin_books()
            feed_hears(frame)

        connection.on_frame = on_frame

    def _take(self, symbol: str, body: bytes) -> None:
        self._guard(lambda: self._recorder.take(symbol, body))

    def _begin_books(self) -> None:
        """New files have begun: each needs the whole book."""
        for connection, topics in self._books.items():
            try:
                self._feed.renew(connection, topics)
            except NotConnected:
                pass  # the next opening subscribes anyway

    def _hear(self, facts: tuple[Payload, ...]) -> None:
        """Of all facts only what becomes of connections is written down."""
        for fact in facts:
            if isinstance(fact, Health) and fact.state in ("UP", "DOWN"):
                self._guard(partial(self._note, fact))

    def _note(self, fact: Health) -> None:
        if fact.state == "UP":
            self._recorder.note("connect", conn=fact.component, addr=self._endpoints.public)
            return
        self._lost += 1
        carries_books = any(one.name == fact.component for one in self._books)
        what = "disconnect" if carries_books else "lost"
        reason = str((fact.extra or {}).get("reason", ""))
        self._recorder.note(what, conn=fact.component, why=reason)

    def _guard(self, act: Callable[[], Any]) -> Any:
        """A disk that refuses ends the recording, not the connection."""
        if self._fault is not None:
            return None
        try:
            return act()
        except EnvironmentFault as fault:
            self._fault = fault
            self._ended.set()
            return None


class _TappedRest(BinanceRest):
    """Keeps the books that the feed asks for."""

    def __init__(self, *given: Any, took: Callable[[str, bytes], None], **settings: Any) -> None:
        super().__init__(*given, **settings)
        self._took = took

    async def depth(self, symbol: str, levels: int = 1000) -> tuple[Depth, bytes]:
        """The book as of now."""
        depth, body = await super().depth(symbol, levels)
        self._took(symbol, body)
        return depth, body
