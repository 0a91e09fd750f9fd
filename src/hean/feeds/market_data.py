# SPDX-License-Identifier: Apache-2.0
"""`market_data.py`: the market-data service as a feed. It holds the books and mends them; here its
messages, those of `core/message.py` as JSON, become facts of one market under that market's own
names. A message that is missing, and a line that was lost, mean the same: connect again, and be
told everything first. Candles are left out, because HEAN makes its own of ticks.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

import msgspec

from hean.core.message import SCHEMA, Message
from hean.core.types import Book, EventType, Funding, Health, Payload, Tick
from hean.errors import EnvironmentFault, UnknownSymbol, VenueError
from hean.feeds.freshness import STALE, Topic
from hean.feeds.live import LIFE_S, READY_S, Take
from hean.feeds.rest import Market
from hean.net.http import HttpClient, HttpTransport
from hean.net.line import Heartbeat
from hean.net.socket import ConnectGovernor, Connection, Dial, picows_dial

SILENCE_S = 3.0  # the service says every second that time goes on
SUBSCRIBE = b'{"action":"subscribe","topic":"facts"}'
SYMBOLS_PATH = "/api/v1/symbols"


class Row(msgspec.Struct, frozen=True):
    """A symbol of the service. *name*: there; *symbol*: at its venue."""

    name: str
    symbol: str
    venue: str
    market: str


class Rows(msgspec.Struct, frozen=True):
    """All of them."""

    symbols: list[Row]


_MESSAGE = msgspec.json.Decoder(Message)
_DECODERS: Mapping[EventType, msgspec.json.Decoder[Payload]] = {
    kind.event_type: msgspec.json.Decoder(kind) for kind in (Tick, Book, Funding, Health)
}


async def names_at(
    url: str,
    venue: str,
    market: Market,
    symbols: Mapping[str, str],
    *,
    now: Callable[[], int],
    transport: Callable[[float], HttpTransport] | None = None,
) -> dict[str, str]:
    """What the service calls the symbols of a market: its name, the market's own.

    *Raises*: `UnknownSymbol` for one that it does not hear; `EnvironmentFault`, `VenueError`.
    """
    async with HttpClient(url, now=now, transport=transport) as client:
        answer = await client.request("GET", SYMBOLS_PATH)
    try:
        rows = msgspec.json.decode(answer.body, type=Rows).symbols
    except msgspec.DecodeError as error:
        raise VenueError(f"market-data service at {url}: {error}.") from error
    known = {row.symbol: row.name for row in rows if (row.venue, row.market) == (venue, market)}
    for symbol in symbols:
        if symbol not in known:
            heard = ", ".join(sorted(known)) or "nothing"
            raise UnknownSymbol(
                f"the market-data service at {url} hears {heard} of {venue} {market}, not "
                f"{symbol}; add it to its SYMBOLS."
            )
    return {known[symbol]: symbol for symbol in symbols}


class MarketDataFeed:
    """Facts of some symbols of one market; a `RimTask`. *url*: of the service, `http://host:port`.
    *names*: as `names_at` has them. Others: as of `LiveFeed`.
    """

    def __init__(
        self,
        url: str,
        names: Mapping[str, str],
        *,
        take: Take,
        now: Callable[[], int],
        rng: random.Random,
        governor: ConnectGovernor,
        silence_s: float = SILENCE_S,
        ready_s: float = READY_S,
        dial: Dial = picows_dial,
    ) -> None:
        self.name = "feed.market-data"
        self.symbols = tuple(names.values())
        self.reconnects = self.renewals = self.holes = self.bad = 0
        """Times it came back; times everything was asked for again, with how often because messages
        were missing; messages that were not understood."""
        self.messages = 0
        self._names = names
        self._take = take
        self._ready_s = ready_s
        self._ready: asyncio.Future[None] | None = None
        self._last = 0
        self._topics = {
            symbol: Topic(
                f"book.{symbol}",
                "book",
                symbol,
                component=f"{self.name}.book.{symbol}",
                limit_s=math.inf,  # the service looks whether a book is silent
                tell=self._tell,
            )
            for symbol in self.symbols
        }
        parts = urlsplit(url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        address = f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/ws"
        self._connection = Connection(
            self.name,
            lambda: address,
            on_frame=self._on_frame,
            on_open=self._on_open,
            on_down=self._on_down,
            heartbeat=Heartbeat(every_s=20.0),
            silence_s=silence_s,
            now=now,
            rng=rng,
            governor=governor,
            life_s=LIFE_S,
            dial=dial,
        )

    async def start(self) -> None:
        """Connect; return when everything was told once. *Raises*: `EnvironmentFault`."""
        self._ready = asyncio.get_running_loop().create_future()
        for topic in self._topics.values():
            topic.begin()
        try:
            await self._connection.start()
            async with asyncio.timeout(self._ready_s):
                await self._ready
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise EnvironmentFault(
                    f"{self.name}: it tells nothing within {self._ready_s:g} s; check the service."
                ) from None
            raise

    async def stop(self) -> None:
        """Close; safe to call twice."""
        await self._connection.stop()

    def counters(self) -> dict[str, int]:
        """What was counted so far, by name."""
        return {
            "messages": self.messages,
            "bad": self.bad,
            "gaps": self.holes,
            "renewals": self.renewals,
            "reconnects": self.reconnects,
        }

    def _on_open(self, connection: Connection) -> None:
        self.reconnects += connection.opens > 1
        self._last = 0
        self._tell(Health(self.name, "UP", connection.opens))
        connection.send(SUBSCRIBE)

    def _on_down(self, reason: str) -> None:
        for topic in self._topics.values():
            topic.lose(reason)
        self._tell(Health(self.name, "DOWN", self._connection.drops, {"reason": reason}))

    def _on_frame(self, frame: bytes) -> None:
        try:
            message = _MESSAGE.decode(frame)
            if message.schema > SCHEMA:
                raise msgspec.ValidationError(f"schema {message.schema}")
            facts, health = self._sorted(message)
        except (msgspec.DecodeError, RecursionError) as error:
            self.bad += 1
            self._again(f"a message that was not understood: {error}")
            return
        is_next = not self._last or message.seq == self._last + 1
        if not is_next or (not self._last and message.prev):
            self.holes += 1
            self._again("a message is missing")
            return
        self._last = message.seq
        self.messages += 1
        if facts:
            self._take(facts)
        for report in health:
            self._reported(report)
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    def _sorted(self, message: Message) -> tuple[tuple[Payload, ...], list[Health]]:
        """Facts of our symbols under their own names, and what is said of their data."""
        facts: list[Payload] = []
        health: list[Health] = []
        for kind, raw in message.facts:
            decoder = _DECODERS.get(kind)
            if decoder is None:
                continue
            fact = decoder.decode(raw)
            if kind is EventType.HEALTH:
                health.append(cast(Health, fact))
                continue
            name = cast(Tick, fact).symbol
            symbol = self._names.get(name)
            if symbol is not None:
                same = symbol == name
                facts.append(fact if same else msgspec.structs.replace(fact, symbol=symbol))
        return tuple(facts), health

    def _reported(self, report: Health) -> None:
        extra = report.extra or {}
        symbol = self._names.get(extra.get("symbol", ""))
        if symbol is None:
            return
        topic = self._topics[symbol]
        topic.heard += 1
        if report.state == STALE:
            topic.lose(extra.get("reason") or "the service has no book")
        else:
            topic.revive()

    def _again(self, reason: str) -> None:
        self.renewals += 1
        self._connection.restart(reason)

    def _tell(self, health: Health) -> None:
        self._take((health,))
