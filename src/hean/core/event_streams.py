# SPDX-License-Identifier: Apache-2.0
"""`event_streams.py`: copies of journaled events in Redis Streams, one for each event type, for
whoever wants to look at what happened without the engine. They are no truth: a server that forgets
them is given them again from the journal (fleet/export.py). An entry's id is the moment in ms and
the number of the journal row, so the same event is never there twice.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hean.core.types import PAYLOADS, Delivery, Event, EventType, decode
from hean.errors import BrokerLost, EnvironmentFault

PREFIX = "hean.events."
POSITION = "hean.position."  # key of each process: its last journal row that is here
KEPT = 1_000_000  # of each type, about; older ones are in the journal
PAGE = 500
ANSWER_S = 5.0
DEFAULT_URL = "redis://localhost:6379"

STREAMED = frozenset(
    kind for kind, payload in PAYLOADS.items() if payload.delivery is Delivery.NEVER_DROPPED
) | {EventType.PNL_UPDATE, EventType.HEALTH}
"""What is copied where a journal has it: signals, everything about orders and money, stops, errors.
Market data, features and opinions live in memory alone: they are many, and the next one is newer.
"""


class JournaledEvent(msgspec.Struct, frozen=True):
    """A row of a journal. *row*: its number; *seq*: that of the bus; *data*: as journaled."""

    row: int
    event_type: EventType
    ts_ns: int
    seq: int
    data: bytes


class RedisEventStream:
    """*url*: of a Redis, Valkey or KeyDB; `REDIS_URL` if none is given."""

    def __init__(self, url: str | None = None) -> None:
        self._url = url or os.environ.get("REDIS_URL") or DEFAULT_URL
        self._redis: Any = None

    async def connect(self) -> None:
        """Reach the server. *Raises*: `BrokerLost`; `EnvironmentFault` without the package."""
        try:
            from redis.asyncio import Redis  # loaded by those who use it
        except ModuleNotFoundError as error:
            raise EnvironmentFault("RedisEventStream needs the package redis.") from error
        await self.close()
        self._redis = Redis.from_url(
            self._url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
        )
        await self._ask("PING")

    async def close(self) -> None:
        """Let go of the server; safe to call twice."""
        redis, self._redis = self._redis, None
        if redis is not None:
            await redis.aclose()

    async def replay_events(
        self,
        event_type: EventType,
        start_id: str = "-",
        end_id: str = "+",
        count: int | None = None,
    ) -> AsyncIterator[Event]:
        """The kept events of a type, oldest first. *start_id*, *end_id*: ids of the stream, or
        moments in ms since 1970, both included; `-` and `+` are its ends. *count*: the last so many
        of them. *Raises*: `BrokerLost`, `FieldInvalid`.
        """
        topic = f"{PREFIX}{event_type}"
        if count is not None:
            found = await self._ask("XREVRANGE", topic, end_id, start_id, "COUNT", count)
            for entry in reversed(found):
                yield _event(event_type, entry)
            return
        while True:
            page = await self._ask("XRANGE", topic, start_id, end_id, "COUNT", PAGE)
            for entry in page:
                yield _event(event_type, entry)
            if len(page) < PAGE:
                return
            start_id = f"({page[-1][0].decode()}"

    async def position(self, process: str) -> int:
        """The last journal row of a process that the server has. *Raises*: `BrokerLost`."""
        return int(await self._ask("GET", f"{POSITION}{process}") or 0)

    async def append(
        self, process: str, events: Sequence[JournaledEvent], before: int, position: int
    ) -> bool:
        """Keep events of a process's journal: those after row *before*, up to row *position*.
        *Returns*: whether the server had all up to *before*; if not, it was flushed, and nothing is
        done: newer entries would keep out the older ones. *Raises*: `BrokerLost`.
        """
        key = f"{POSITION}{process}"
        async with self._asked() as redis, redis.pipeline() as pipe:
            await pipe.watch(key)
            if int(await pipe.get(key) or 0) != before:
                return False
            pipe.multi()
            for each in events:
                pipe.execute_command(
                    "XADD", f"{PREFIX}{each.event_type}", "MAXLEN", "~", KEPT,
                    f"{each.ts_ns // 1_000_000}-{each.row}", "source", process, "seq", each.seq,
                    "ts_ns", each.ts_ns, "data", each.data,
                )  # fmt: skip
            pipe.set(key, position)
            await pipe.execute()
        return True

    async def _ask(self, *words: Any) -> Any:
        async with self._asked() as redis:
            return await redis.execute_command(*words)

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[Any]:
        """The client; what goes wrong with it is `BrokerLost`."""
        from redis.exceptions import RedisError

        if self._redis is None:
            raise BrokerLost("RedisEventStream: connect first.")
        try:
            yield self._redis
        except (RedisError, OSError, TimeoutError) as error:
            place = urlsplit(self._url).hostname  # the address without the password
            raise BrokerLost(f"Redis at {place}: {error or type(error).__name__}.") from error


def _event(event_type: EventType, entry: tuple[bytes, dict[bytes, bytes]]) -> Event:
    """The event in an entry."""
    found = entry[1]
    return Event(
        event_type,
        decode(event_type, found[b"data"]),
        int(found[b"ts_ns"]),
        int(found[b"seq"]),
        found[b"source"].decode(),
    )
