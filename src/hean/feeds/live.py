# SPDX-License-Identifier: Apache-2.0
"""`live.py`: a venue's public streams as facts, for as long as it takes. A frame goes in one call
from the socket through the Rust parser to whoever takes the facts. A book that has a hole, or came
out crossed, is dropped there and asked for again here; nothing is ever guessed. The feed is ready
when each topic was acknowledged or has delivered, and says `HEALTH` once per change of each. What
differs between venues (names of topics, subscribing, where a book comes from) is in their own
files. It holds no key and sends no order.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, cast

import msgspec

from hean._core import Instrument, WireFeed
from hean.core.bus import EventBus
from hean.core.types import Book, Funding, Health, Payload, Tick
from hean.errors import EnvironmentFault, FrameInvalid, VenueRefused
from hean.feeds.freshness import FRESH, LOOK_S, STALE, STALE_S, Topic, health_of
from hean.feeds.rest import Market
from hean.net.latency import PathLatency
from hean.net.line import Heartbeat
from hean.net.socket import ConnectGovernor, Connection, Dial, picows_dial

READY_S = 20.0  # one reconnect included; venues acknowledge within a second
SILENCE_S = 3.0  # RELIABILITY 57: at most 5 s of a public stream, the re-check included
LIFE_S = 86_400.0  # both venues end a connection after a day
RENEW_S = 1.0  # until a topic is asked for again; doubled while it does not come
RENEW_MAX_S = 30.0
RENEWALS_MAX = 3  # then the connection itself is not trusted
RELIEF_S = 0.001  # between two looks at a kernel that does not keep up
GAP_MAX_S = 2 * LOOK_S  # a longer gap between two looks is this process standing still

PRICED = (Tick, Book)  # facts with a price that the parser believes

Take = Callable[[tuple[Payload, ...]], None]


def to_bus(bus: EventBus) -> Take:
    """Facts onto a bus, and through it at once where its driver can."""
    return bus.offer


class LiveFeed(ABC):
    """Public market data of some symbols of one market of a venue; a `RimTask`.

    *instruments*: by symbol. *take*: given the facts of each frame, and reports of health. *now*:
    UTC nanoseconds. *governor*: shared by all connections of the process. *candles*: timeframes of
    closed candles to subscribe. *is_crowded*: whether whoever takes the facts is behind; frames
    then wait at the venue. *stale_s*: longest silence by stream, instead of `STALE_S`. *latency*:
    is given a stamp for each frame. *dial*: how sockets are opened.
    """

    venue: ClassVar[str]
    marker: ClassVar[bytes]
    """What stands before the topic's name in a frame with data."""
    heartbeat: ClassVar[Heartbeat]
    restarts: ClassVar[bool]
    """Whether a topic that does not come back ends the connection."""

    def __init__(
        self,
        market: Market,
        instruments: Mapping[str, Instrument],
        *,
        take: Take,
        now: Callable[[], int],
        rng: random.Random,
        governor: ConnectGovernor,
        candles: Sequence[str] = (),
        is_crowded: Callable[[], bool] | None = None,
        stale_s: Mapping[str, float] | None = None,
        silence_s: float = SILENCE_S,
        ready_s: float = READY_S,
        latency: PathLatency | None = None,
        dial: Dial = picows_dial,
    ) -> None:
        self.market = market
        self.name = f"feed.{self.venue}.{market}"
        self.symbols = tuple(instruments)
        self.wire = WireFeed(self.venue, market, list(instruments.values()))
        self.topics: dict[bytes, Topic] = {}
        """By name as in frames."""
        self.reconnects = 0
        """Times a connection came back after it was lost."""
        self.renewals = 0
        """Topics asked for again."""
        self.unknown = 0
        """Frames of topics nobody asked for."""
        self.bad = 0
        """Frames that could not be understood."""
        self.last_bad = ""
        self.refusals: list[str] = []
        """What the venue said to subscriptions it refused."""
        self._take = take
        self._now = now
        self._rng = rng
        self._governor = governor
        self._candles = tuple(candles)
        self._is_crowded = is_crowded
        self._waiting: set[Connection] = set()
        self._stale_s = {**STALE_S, **(stale_s or {})}
        self._silence_s = silence_s
        self._ready_s = ready_s
        self._latency = latency
        self._dial = dial
        self._connections: dict[Connection, list[Topic]] = {}
        self._due: dict[Topic, _Renewal] = {}
        self._doubts: set[str] = set()
        self._suspects = 0
        self._books: dict[str, Topic] = {}
        self._watching: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._is_down: set[Connection] = set()
        self._looked_s: float | None = None

    # ------------------------------------------------------------ what venues differ in

    @abstractmethod
    def subscribe(self, connection: Connection, topics: Sequence[Topic]) -> None:
        """Ask for topics on an open connection."""

    @abstractmethod
    def answered(self, connection: Connection, frame: bytes) -> None:
        """A frame without a topic: an answer to `subscribe`, or something else."""

    @abstractmethod
    def renew(self, connection: Connection, topics: Sequence[Topic]) -> None:
        """Have topics delivered anew: books with a hole, and whatever is silent. *Raises*:
        `NotConnected`."""

    # ------------------------------------------------------------ for the owner

    @property
    def is_ready(self) -> bool:
        """Whether each topic is acknowledged or delivering."""
        return bool(self.topics) and all(topic.is_ready for topic in self.topics.values())

    @property
    def unwatched_s(self) -> float:
        """How long nobody has looked whether something is silent; 0 before the start."""
        now_s = asyncio.get_running_loop().time()
        return 0.0 if self._looked_s is None else now_s - self._looked_s

    async def start(self) -> None:
        """Connect and subscribe; return when ready.

        *Raises*: `EnvironmentFault` when a connection or a topic does not come, `VenueRefused` when
        the venue refuses a subscription. Nothing is left running then.
        """
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        for topic in self.topics.values():
            topic.begin()
        self._watching = loop.create_task(self._watch(), name=self.name)
        try:
            await asyncio.gather(*(connection.start() for connection in self._connections))
            async with asyncio.timeout(self._ready_s):
                await self._ready
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                missing = ", ".join(t.name for t in self.topics.values() if not t.is_ready)
                raise EnvironmentFault(
                    f"{self.name}: not acknowledged within {self._ready_s:g} s: {missing}; check "
                    "the venue's status and the symbols."
                ) from None
            raise

    async def stop(self) -> None:
        """Close everything; safe to call twice."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        for connection in self._connections:
            await connection.stop()

    def counters(self) -> dict[str, int]:
        """What was counted so far, by name."""
        return {
            **self.wire.counters(),
            "bad": self.bad,
            "unknown_topics": self.unknown,
            "renewals": self.renewals,
            "reconnects": self.reconnects,
        }

    # ------------------------------------------------------------ for the venues' files

    def add_topic(self, name: str, stream: str, symbol: str) -> Topic:
        """Make a topic of the feed."""
        topic = Topic(
            name,
            stream,
            symbol,
            component=f"{self.name}.{stream}.{symbol}",
            limit_s=self._stale_s.get(stream),
            tell=self._tell,
        )
        self.topics[name.encode()] = topic
        if stream == "book":
            self._books[symbol] = topic
        return topic

    def connect(self, name: str, url: str, topics: Sequence[Topic]) -> None:
        """Make the connection that carries *topics*."""

        def on_frame(frame: bytes) -> None:
            self._on_frame(connection, frame)

        connection = Connection(
            f"{self.name}.{name}",
            lambda: url,
            on_frame=on_frame,
            on_open=self._on_open,
            on_down=lambda reason: self._on_down(connection, reason),
            heartbeat=self.heartbeat,
            silence_s=self._silence_s,
            now=self._now,
            rng=self._rng,
            governor=self._governor,
            life_s=LIFE_S,
            dial=self._dial,
        )
        self._connections[connection] = list(topics)

    def carriers(self, topic: Topic) -> list[Connection]:
        """The connection that carries a topic."""
        return [one for one, topics in self._connections.items() if topic in topics]

    def acknowledge(self, topics: Sequence[Topic]) -> None:
        """The venue says yes to these topics."""
        for topic in topics:
            topic.is_acknowledged = True
        self._check_ready()

    def refuse(self, topics: Sequence[Topic], text: str) -> None:
        """The venue says no to these topics."""
        names = ", ".join(topic.name for topic in topics)
        self.refusals.append(f"{names}: {text}")
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(
                VenueRefused(f"{self.name}: {text!a} to the subscription of {names}.")
            )

    def tell(self, topic: Topic, facts: tuple[Payload, ...]) -> None:
        """Pass the facts of one frame on."""
        kind = facts[0].__class__  # the hot path: cheaper than the event's type
        if kind is Funding:
            # A rate to come is no payment: without a mark price nobody books it.
            facts = (msgspec.structs.replace(facts[0], mark_price=None), *facts[1:])
        if self._due and kind is Book and cast(Book, facts[0]).is_snapshot:
            self._due.pop(topic, None)
        if self._doubts and topic.symbol in self._doubts and facts[-1].__class__ in PRICED:
            self._doubts.discard(topic.symbol)
            self._tell(health_of(f"{self.name}.price.{topic.symbol}", FRESH, topic.symbol))
        self._take(facts)

    # ------------------------------------------------------------ frames

    def _on_frame(self, connection: Connection, frame: bytes) -> None:
        latency = self._latency
        if latency is not None:
            latency.frame()
        begin = frame.find(self.marker)
        if begin < 0:
            self.answered(connection, frame)
            return
        begin += len(self.marker)
        topic = self.topics.get(frame[begin : frame.find(b'"', begin)])
        if topic is None:
            self.unknown += 1
            return
        try:
            facts = self.wire.push(frame)
        except FrameInvalid as error:
            self.bad += 1
            self.last_bad = str(error)
            return
        if latency is not None:
            latency.facts()
        topic.heard += 1
        if facts:
            self.tell(topic, facts)
        elif topic.stream == "book":
            for symbol in self.wire.resync():
                self._book_lost(symbol)
        else:
            self._look_for_doubt(topic)
        if topic.is_stale and (topic.stream != "book" or self.has_book(topic)):
            topic.revive()
            self._check_ready()
        if self._is_crowded is not None and self._is_crowded():
            self._relieve(connection)

    def has_book(self, topic: Topic) -> bool:
        """Whether its book is whole."""
        return self.wire.book_id(topic.symbol) is not None

    def _look_for_doubt(self, topic: Topic) -> None:
        """A frame without facts may hold a price that the parser holds back until it is confirmed:
        nothing is decided before the next price that it believes."""
        suspects = self.wire.counters()["suspects"]
        if suspects == self._suspects:
            return
        self._suspects = suspects
        if topic.symbol not in self._doubts:
            self._doubts.add(topic.symbol)
            reason = "a price far from all others, not confirmed yet"
            name = f"{self.name}.price.{topic.symbol}"
            self._tell(health_of(name, STALE, topic.symbol, reason))

    def _relieve(self, connection: Connection) -> None:
        """Read no more until the kernel has caught up: nothing is lost, the venue waits."""
        if connection in self._waiting:
            return  # frames that were read before
        self._waiting.add(connection)
        connection.pause()

        def look() -> None:
            if self._is_crowded is not None and self._is_crowded():
                loop.call_later(RELIEF_S, look)
            else:
                self._waiting.discard(connection)
                connection.resume()

        loop = asyncio.get_running_loop()
        loop.call_later(RELIEF_S, look)

    # ------------------------------------------------------------ connections

    def _on_open(self, connection: Connection) -> None:
        topics = self._connections[connection]
        if connection in self._is_down:
            self._is_down.discard(connection)
            self.reconnects += 1
        for topic in topics:
            topic.subscribed()
        self._tell(Health(connection.name, "UP", connection.opens))
        self.subscribe(connection, topics)

    def _on_down(self, connection: Connection, reason: str) -> None:
        self._is_down.add(connection)
        topics = self._connections[connection]
        if any(topic.stream == "book" for topic in topics):
            self.wire.lost()
        for topic in topics:
            self._due.pop(topic, None)
            topic.is_acknowledged = False
            topic.lose(reason)
        self._tell(Health(connection.name, "DOWN", connection.drops, {"reason": reason}))

    def _check_ready(self) -> None:
        if self._ready is not None and not self._ready.done() and self.is_ready:
            self._ready.set_result(None)

    def _tell(self, health: Health) -> None:
        self._take((health,))

    # ------------------------------------------------------------ books and silence

    def _book_lost(self, symbol: str) -> None:
        """A hole, or a crossed book: it was dropped; nothing is decided on it until it is back."""
        topic = self._books[symbol]
        topic.lose("the book has a hole, came out crossed, or cannot be believed")
        self._due.setdefault(topic, _Renewal())

    def _renew(self, at_s: float) -> None:
        """Ask for what is due, in one request per connection."""
        for connection, topics in self._connections.items():
            if not connection.is_open:
                continue
            due = [t for t in topics if t in self._due and self._due[t].is_due(at_s)]
            if not due:
                continue
            self.renewals += len(due)
            if self.restarts and any(self._due[topic].count > RENEWALS_MAX for topic in due):
                connection.restart(f"{due[0].name} does not come back")
            else:
                self.renew(connection, due)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        self._looked_s = loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            at_s = loop.time()
            gap_s, self._looked_s = min(at_s - self._looked_s, GAP_MAX_S), at_s
            for topic in self.topics.values():
                topic.look(gap_s)
                if topic.is_wanted:
                    self._due.setdefault(topic, _Renewal())
                elif topic in self._due and (topic.stream != "book" or self.has_book(topic)):
                    del self._due[topic]
            self._renew(at_s)


class _Renewal:
    """How often and when something was asked for again."""

    __slots__ = ("_next_s", "_pause_s", "count")

    def __init__(self) -> None:
        self.count = 0
        self._pause_s = RENEW_S
        self._next_s = 0.0

    def is_due(self, at_s: float) -> bool:
        """Whether to ask now; the next time is later and later."""
        if at_s < self._next_s:
            return False
        self.count += 1
        self._next_s = at_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, RENEW_MAX_S)
        return True
