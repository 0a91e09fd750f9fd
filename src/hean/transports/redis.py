# SPDX-License-Identifier: Apache-2.0
"""`redis.py`: messages over Redis Streams, on Redis, Valkey or KeyDB. A topic is a stream, with a
consumer group for each reader; beside it lie a hash with what each reader confirmed and a key with
its notice. An entry holds up to sixty-four messages, so a burst costs the server few commands.
Nothing authoritative is kept here: what a server loses is sent again by who said it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from hean.core.message import number_of
from hean.errors import BrokerLost

ENTRY_MESSAGES = 64
CONNECT_S = 2.0
ANSWER_S = 5.0  # a server that is slower counts as lost: what was asked is asked again
CLAIM_COUNT = 100
FIRST = b"0-0"

Entry = tuple[bytes, dict[bytes, bytes]]


class RedisTransport:
    """A connection to the server of *url*, `redis://` or `rediss://`."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        self._place = f"{parts.hostname}:{parts.port or 6379}"  # the address without the password
        self._redis: Redis | None = None
        self._reader = ""
        self._consumer = f"{os.uname().nodename}-{os.getpid()}"
        self._claimed: list[bytes] = []
        self._unconfirmed: dict[str, deque[tuple[int, bytes]]] = {}
        self._entries: dict[str, deque[tuple[int, bytes]]] = {}

    async def connect(self) -> None:
        """See `Transport`."""
        await self.close()
        self._redis = Redis.from_url(
            self._url,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=ANSWER_S,
            retry=Retry(NoBackoff(), 0),  # a repeated XADD would be one more; who calls knows
        )
        async with self._asked() as redis:
            await redis.ping()

    async def publish(self, topic: str, batch: Sequence[tuple[int, bytes]]) -> None:
        """See `Transport`."""
        async with self._asked() as redis:
            pipe = redis.pipeline(transaction=False)
            chunks = list(_chunks(batch))
            for chunk in chunks:
                pipe.xadd(topic, {str(place): data for place, (_, data) in enumerate(chunk)})
            ids = await pipe.execute()
        entries = self._entries.setdefault(topic, deque())
        entries.extend((chunk[-1][0], each) for chunk, each in zip(chunks, ids, strict=True))

    async def newest(self, topic: str) -> bytes | None:
        """See `Transport`."""
        async with self._asked() as redis:
            rows = await redis.xrevrange(topic, count=1)
        return _messages(rows[0])[-1] if rows else None

    async def post(self, topic: str, notice: bytes) -> None:
        """See `Transport`."""
        async with self._asked() as redis:
            await redis.set(f"{topic}.notice", notice)

    async def notice(self, topic: str) -> bytes | None:
        """See `Transport`."""
        async with self._asked() as redis:
            found: bytes | None = await redis.get(f"{topic}.notice")
        return found

    async def positions(self, topic: str) -> dict[str, int]:
        """See `Transport`."""
        async with self._asked() as redis:
            found = await redis.hgetall(f"{topic}.read")
        return {name.decode(): int(seq) for name, seq in found.items()}

    async def trim(self, topic: str, seq: int) -> None:
        """See `Transport`."""
        entries = self._entries.get(topic, deque())
        last = b""
        while entries and entries[0][0] <= seq:
            last = entries.popleft()[1]
        if last:
            moment, _, number = last.decode().partition("-")
            async with self._asked() as redis:
                await redis.xtrim(topic, minid=f"{moment}-{int(number) + 1}", approximate=False)

    async def join(self, reader: str, positions: Mapping[str, int]) -> None:
        """See `Transport`."""
        self._reader = reader
        self._unconfirmed = {topic: deque() for topic in positions}
        self._claimed = []
        async with self._asked() as redis:
            for topic in positions:
                try:
                    await redis.xgroup_create(topic, reader, id="0", mkstream=True)
                except ResponseError as error:
                    if "BUSYGROUP" not in str(error):
                        raise
                await self._claim(redis, topic)
        await self.confirm(positions)

    async def receive(self, limit: int, wait_s: float) -> list[bytes]:
        """See `Transport`."""
        if self._claimed:
            found, self._claimed = self._claimed, []
            return found
        count = max(1, limit // ENTRY_MESSAGES)
        async with self._asked() as redis:
            rows = await redis.xreadgroup(
                self._reader,
                self._consumer,
                dict.fromkeys(self._unconfirmed, ">"),
                count=count,
                block=max(1, int(wait_s * 1_000)),  # 0 would be for ever
            )
        found = []
        for name, entries in rows or ():
            for entry in entries:
                found += self._received(name.decode(), entry)
        return found

    async def confirm(self, positions: Mapping[str, int]) -> None:
        """See `Transport`. What was claimed and not yet received is not confirmed."""
        if self._claimed:
            return
        async with self._asked() as redis:
            pipe = redis.pipeline(transaction=False)
            for topic, seq in positions.items():
                if seq:
                    pipe.hset(f"{topic}.read", self._reader, seq)
                waiting, entries = self._unconfirmed[topic], []
                while waiting and waiting[0][0] <= seq:
                    entries.append(waiting.popleft()[1])
                if entries:
                    pipe.execute_command("XACK", topic, self._reader, *entries)
            if len(pipe):
                await pipe.execute()

    async def close(self) -> None:
        """See `Transport`."""
        redis, self._redis = self._redis, None
        if redis is not None:
            try:
                await redis.aclose()
            except (RedisError, OSError):  # it is gone already
                return

    async def _claim(self, redis: Any, topic: str) -> None:
        """Take over what consumers of earlier lives were given, and let go of them."""
        start = FIRST
        while True:
            start, entries, *_ = await redis.xautoclaim(
                topic, self._reader, self._consumer, min_idle_time=0, start_id=start,
                count=CLAIM_COUNT,
            )  # fmt: skip
            for entry in entries:
                if entry[1] is not None:  # trimmed since it was given
                    self._claimed += self._received(topic, entry)
            if start == FIRST:
                break
        for consumer in await redis.xinfo_consumers(topic, self._reader):
            if consumer["name"] != self._consumer.encode():
                await redis.xgroup_delconsumer(topic, self._reader, consumer["name"])

    def _received(self, topic: str, entry: Entry) -> list[bytes]:
        """The messages of an entry, which is confirmed with the last of them."""
        found = _messages(entry)
        self._unconfirmed[topic].append((number_of(found[-1]), entry[0]))
        return found

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[Any]:
        """The client; what goes wrong with it is `BrokerLost`."""
        if self._redis is None:
            raise BrokerLost(f"Redis at {self._place} is not connected.")
        try:
            yield self._redis
        except (RedisError, OSError, TimeoutError) as error:
            raise BrokerLost(
                f"Redis at {self._place}: {error or type(error).__name__}; start it, or correct "
                "REDIS_URL."
            ) from error


def _chunks(batch: Sequence[tuple[int, bytes]]) -> Iterator[Sequence[tuple[int, bytes]]]:
    for start in range(0, len(batch), ENTRY_MESSAGES):
        yield batch[start : start + ENTRY_MESSAGES]


def _messages(entry: Entry) -> list[bytes]:
    """What an entry holds, in order: its fields are numbered."""
    return list(entry[1].values())
