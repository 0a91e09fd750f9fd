# SPDX-License-Identifier: Apache-2.0
"""`memory.py`: a broker inside one process, for a fleet in one test: it can be taken down, flushed
and restored from an old copy, as real ones are.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from hean.errors import BrokerLost


class MemoryBroker:
    """What all transports of one fleet share."""

    def __init__(self) -> None:
        self.is_up = True
        self.life = 0
        """Grows when connections are cut."""
        self.topics: dict[str, list[tuple[int, int, bytes]]] = {}
        self.notices: dict[str, bytes] = {}
        self.positions: dict[str, dict[str, int]] = {}
        self.given: dict[tuple[str, str], int] = {}
        """Place of the last message given to a reader of a topic."""
        self.news = asyncio.Event()
        self._count = 0

    def append(self, topic: str, batch: Sequence[tuple[int, bytes]]) -> None:
        """Take messages."""
        for seq, data in batch:
            self._count += 1
            self.topics.setdefault(topic, []).append((self._count, seq, data))
        self.news.set()

    def flush(self) -> None:
        """Forget everything."""
        self.topics, self.notices, self.positions, self.given = {}, {}, {}, {}

    def down(self) -> None:
        """Cut all connections and refuse new ones."""
        self.is_up = False
        self.life += 1

    def up(self) -> None:
        """Be there again."""
        self.is_up = True

    def copy(self) -> dict[str, object]:
        """All that is held, for `restore`."""
        names = ("topics", "notices", "positions", "given")
        return copy.deepcopy({name: getattr(self, name) for name in names})

    def restore(self, held: Mapping[str, object]) -> None:
        """Hold what was held then."""
        for name, value in copy.deepcopy(dict(held)).items():
            setattr(self, name, value)


class MemoryTransport:
    """A connection to a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._life = -1
        self._reader = ""
        self._topics: tuple[str, ...] = ()
        self._places: dict[str, int] = {}
        self._received: dict[str, deque[tuple[int, int]]] = {}

    async def connect(self) -> None:
        """See `Transport`."""
        self._life = self._broker.life
        self._there()

    async def publish(self, topic: str, batch: Sequence[tuple[int, bytes]]) -> None:
        """See `Transport`."""
        self._there().append(topic, batch)

    async def newest(self, topic: str) -> bytes | None:
        """See `Transport`."""
        rows = self._there().topics.get(topic)
        return rows[-1][2] if rows else None

    async def post(self, topic: str, notice: bytes) -> None:
        """See `Transport`."""
        self._there().notices[topic] = notice

    async def notice(self, topic: str) -> bytes | None:
        """See `Transport`."""
        return self._there().notices.get(topic)

    async def positions(self, topic: str) -> dict[str, int]:
        """See `Transport`."""
        return dict(self._there().positions.get(topic, {}))

    async def trim(self, topic: str, seq: int) -> None:
        """See `Transport`."""
        topics = self._there().topics
        topics[topic] = [row for row in topics.get(topic, []) if row[1] > seq]

    async def join(self, reader: str, positions: Mapping[str, int]) -> None:
        """See `Transport`."""
        broker = self._there()
        self._reader, self._topics = reader, tuple(positions)
        self._places = {topic: broker.given.get((topic, reader), 0) for topic in positions}
        self._received = {topic: deque() for topic in positions}
        await self.confirm(positions)

    async def receive(self, limit: int, wait_s: float) -> list[bytes]:
        """See `Transport`."""
        found = self._new(limit)
        if not found:
            self._broker.news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._broker.news.wait()
            found = self._new(limit)
        return found

    async def confirm(self, positions: Mapping[str, int]) -> None:
        """See `Transport`."""
        broker = self._there()
        for topic, seq in positions.items():
            if seq:
                broker.positions.setdefault(topic, {})[self._reader] = seq
            received = self._received[topic]
            while received and received[0][1] <= seq:
                broker.given[topic, self._reader] = received.popleft()[0]

    async def close(self) -> None:
        """See `Transport`."""
        self._life = -1

    def _new(self, limit: int) -> list[bytes]:
        found: list[bytes] = []
        for topic in self._topics:
            rows = self._there().topics.get(topic, [])
            new = [row for row in rows if row[0] > self._places[topic]][:limit]
            if new:
                self._places[topic] = new[-1][0]
                self._received[topic].extend((place, seq) for place, seq, _ in new)
            found += [data for _, _, data in new]
        return found

    def _there(self) -> MemoryBroker:
        if not self._broker.is_up or self._life != self._broker.life:
            raise BrokerLost("the broker in memory is down.")
        return self._broker
