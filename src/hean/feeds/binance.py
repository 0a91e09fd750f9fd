# SPDX-License-Identifier: Apache-2.0
"""`binance.py`: Binance's public streams, spot or USD-M. A book is a REST snapshot joined to the
stream of its changes; the parser buffers changes until the snapshot comes and says when another is
needed. Futures streams are split by route: a topic subscribed on the wrong one is silent for ever.
The venue acknowledges names that do not exist, so symbols have to come from its own listing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar, NamedTuple

import msgspec

from hean._core import Instrument
from hean.errors import EnvironmentFault, FrameInvalid, InputError, ParameterInvalid, VenueError
from hean.feeds.freshness import Topic
from hean.feeds.live import LiveFeed
from hean.feeds.rest import Market
from hean.feeds.rest_binance import INTERVALS, BinanceRest
from hean.net.line import Heartbeat
from hean.net.socket import Connection

LEVELS = 1000  # of a snapshot; deeper ones cost five times the weight
PARAMS_MAX = 300  # of one request: four of them fill a connection, five a second are allowed
STREAMS_MAX = 1024  # of one connection

# Stream of HEAN, name after the symbol; by market and route.
ROUTES: Mapping[Market, Mapping[str, Mapping[str, str]]] = {
    "spot": {"": {"depth@100ms": "book", "trade": "trade", "bookTicker": "ticker"}},
    "linear": {
        "/public": {"depth@100ms": "book", "trade": "trade", "bookTicker": "ticker"},
        # Not aggTrade: it comes up to 100 ms late, and the same trades twice help nobody.
        "/market": {"markPrice@1s": "mark"},
    },
}
CANDLE_ROUTE: Mapping[Market, str] = {"spot": "", "linear": "/market"}


class Reply(msgspec.Struct):
    """The answer to a request; `code` and `msg` also stand alone, without `error`."""

    id: int | str | None = None
    error: dict[str, Any] | None = None
    code: int | None = None
    msg: str = ""


class _Heard(NamedTuple):
    """What was heard of a topic: a line answers for no other, so *lines* opened, and *frames*."""

    lines: int
    frames: int


class BinanceFeed(LiveFeed):
    """Trades, books, quotes, mark prices and candles of some symbols.

    *url*: base of the market's streams, without a path. *rest*: answers for snapshots; the owner
    starts and stops its client. Others: see `LiveFeed`. *Raises*: `ParameterInvalid`.
    """

    venue: ClassVar = "binance"
    marker: ClassVar = b'"stream":"'
    heartbeat: ClassVar = Heartbeat(every_s=20.0)
    restarts: ClassVar = False

    def __init__(
        self,
        url: str,
        market: Market,
        instruments: Mapping[str, Instrument],
        *,
        rest: BinanceRest,
        **settings: Any,
    ) -> None:
        super().__init__(market, instruments, **settings)
        self._rest = rest
        self._numbers = count(1)
        self._asked: dict[int, list[Topic]] = {}
        self._wanted: list[Topic] = []
        self._missed: dict[Topic, _Heard] = {}
        """Silent books that had moved, with what was heard of them by then."""
        self._fetching: asyncio.Task[None] | None = None
        for timeframe in self._candles:
            if timeframe not in INTERVALS:
                known = ", ".join(sorted(INTERVALS))
                raise ParameterInvalid(f"candles of {timeframe!r}; Binance has {known}.")
        for route, streams in ROUTES[market].items():
            names = dict(streams)
            if route == CANDLE_ROUTE[market]:
                names |= {f"kline_{timeframe}": "kline" for timeframe in self._candles}
            topics = [
                self.add_topic(f"{symbol.lower()}@{name}", stream, symbol)
                for symbol in self.symbols
                for name, stream in names.items()
            ]
            if len(topics) > STREAMS_MAX:
                raise ParameterInvalid(
                    f"{len(topics)} streams; a connection has {STREAMS_MAX}. Take fewer symbols."
                )
            self.connect(route.strip("/") or "public", f"{url}{route}/stream", topics)

    async def stop(self) -> None:
        """Close everything; safe to call twice."""
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.cancel()
            await asyncio.wait([fetching])
        await super().stop()

    def subscribe(self, connection: Connection, topics: Sequence[Topic]) -> None:
        """Ask for topics."""
        for first in range(0, len(topics), PARAMS_MAX):
            part = list(topics[first : first + PARAMS_MAX])
            number = next(self._numbers)
            self._asked[number] = part
            connection.send(_request("SUBSCRIBE", number, part))

    def renew(self, connection: Connection, topics: Sequence[Topic]) -> None:
        """Silent topics are subscribed again; of a book a snapshot is fetched, which repairs a hole
        and also tells whether a silent book has missed anything."""
        silent = [topic for topic in topics if topic.is_wanted]
        if silent:
            connection.send(_request("UNSUBSCRIBE", next(self._numbers), silent))
            self.subscribe(connection, silent)
        for topic in topics:
            if topic.stream == "book" and topic not in self._wanted:
                self._wanted.append(topic)
        if self._wanted and (self._fetching is None or self._fetching.done()):
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())

    def answered(self, connection: Connection, frame: bytes) -> None:
        """An answer to `subscribe`; anything else that names no stream is of no interest."""
        try:
            reply = msgspec.json.decode(frame, type=Reply)
        except (msgspec.DecodeError, RecursionError) as error:
            self.bad += 1
            self.last_bad = str(error)
            return
        topics = self._asked.pop(reply.id, []) if isinstance(reply.id, int) else []
        refusal = reply.error or ({"msg": reply.msg} if reply.code is not None else None)
        if refusal is None:
            self.acknowledge(topics)
        elif topics:
            self.refuse(topics, str(refusal.get("msg", "")))

    async def _fetch(self) -> None:
        """Fetch snapshots one after the other; what fails stays due and is asked for later."""
        while self._wanted:
            topic = self._wanted[0]
            try:
                _, body = await self._rest.depth(topic.symbol, LEVELS)
                self._join(topic, body)
            except (VenueError, EnvironmentFault, InputError) as error:
                self.bad += isinstance(error, FrameInvalid)
                self.last_bad = str(error)
            finally:
                self._wanted.remove(topic)

    def _join(self, topic: Topic, body: bytes) -> None:
        before = self.wire.book_id(topic.symbol)
        facts = self.wire.snapshot(topic.symbol, body)
        if not facts:
            self.wire.resync()  # it names the symbol, which is due still
            return
        carriers = self.carriers(topic)
        heard = _Heard(sum(connection.opens for connection in carriers), topic.heard)
        if self._missed.pop(topic, None) == heard:
            for connection in carriers:
                connection.restart(f"{topic.name} has moved and the line did not tell")
            return
        if self.wire.book_id(topic.symbol) == before:
            for connection in carriers:
                connection.confirm()
        elif topic.is_silent and before is not None:  # else nobody knows where it was
            self._missed[topic] = heard  # a frame may be on its way; if none comes the line is dead
        self.tell(topic, facts)
        if self.has_book(topic):
            topic.revive()


def _request(method: str, number: int, topics: Sequence[Topic]) -> bytes:
    return msgspec.json.encode(
        {"method": method, "params": [topic.name for topic in topics], "id": number}
    )
