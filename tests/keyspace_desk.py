# SPDX-License-Identifier: Apache-2.0
"""Two real servers of a migration: one that holds a key of every type and shape, one to bring them
to, and an own look at both that shares no code with what is tested.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
import redis

from redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[1]
UNPACKED = ROOT / ".cache/apt/bookworm-backports/root/usr/bin"
DATABASES = (0, 3)
BUILDS = ("redis-server", "valkey-server")


class NamedServer(RedisServer):
    """A server of one build; the test is skipped where there is none."""

    def __init__(self, folder: Path, build: str) -> None:
        super().__init__(folder)
        found = shutil.which(build) or shutil.which(build, path=str(UNPACKED))
        if found is None:
            pytest.skip(f"no {build}; scripts/ci/apt_suite.sh bookworm-backports {build}")
        self._program = found

    def client(self, db: int = 0) -> redis.Redis:
        """To look with."""
        return redis.Redis(port=self.port, db=db, protocol=2)


@contextmanager
def two_servers(folder: Path, target: str = BUILDS[0]) -> Iterator[tuple[NamedServer, NamedServer]]:
    """One to bring from, and one of build *target* to bring to."""
    with (
        NamedServer(folder / "source", BUILDS[0]) as source,
        NamedServer(folder / "target", target) as there,
    ):
        yield source, there


def fill(server: NamedServer, count: int = 20) -> int:
    """A key of every type and shape, and *count* plain ones of each. *Returns*: how many keys."""
    rng = random.Random(7)
    for db in DATABASES:
        client = server.client(db)
        for number in range(count):
            client.set(f"string:{number}", rng.randbytes(rng.randrange(200)))
            client.hset(f"hash:{number}", mapping={f"f{i}": rng.randbytes(5) for i in range(5)})
            client.rpush(f"list:{number}", *[rng.randbytes(3) for _ in range(6)])
            client.sadd(f"set:{number}", *range(number % 7 + 1))
            client.zadd(f"zset:{number}", {f"m{i}": rng.gauss(0, 1e5) for i in range(5)})
        client.pexpireat("string:1", 4_102_444_800_123)
        client.pexpireat("hash:1", 4_102_444_800_456)
        client.set(b"\x00 name \xff\r\n", b"\r\n\x00")
        client.set("empty", b"")
        client.set("large string", rng.randbytes(2_500_000))
        client.hset("large hash", mapping={i: i for i in range(3_000)})
        client.sadd("large set", *(f"member {i}" for i in range(3_000)))
        client.rpush("large list", *range(3_000))
        client.zadd("large zset", {i: i / 3 for i in range(3_000)})
        client.expireat("large list", 4_102_444_800)
        client.zadd("scores", {"a": "inf", "b": "-inf", "c": 0.1, "d": 1e300, "e": -0.0})
        client.pfadd("cardinality", *range(1_000))
        client.setbit("bits", 100_000, 1)
        client.geoadd("places", (13.36, 38.11, "Palermo"))
        _streams(client)
    return sum(server.client(db).dbsize() for db in DATABASES)


def _streams(client: redis.Redis) -> None:
    """With pending entries that are there, trimmed and deleted; and without entries."""
    client.xgroup_create("stream", "g", "0", mkstream=True)
    for number in range(1, 1_203):
        client.xadd("stream", {"a": number, "b": "x"}, id=f"{number}-{number % 3}")
    client.xreadgroup("g", "one", {"stream": ">"}, count=300)
    client.xreadgroup("g", "one", {"stream": "0"}, count=5)  # delivered again
    client.xreadgroup("g", "two", {"stream": ">"}, count=1)
    client.xack("stream", "g", "5-2", "7-1")
    client.xgroup_createconsumer("stream", "g", "idle")
    client.xtrim("stream", maxlen=1_100, approximate=False)
    client.xdel("stream", "150-0", "1202-2")
    client.xgroup_create("stream", "at the end", "$")
    client.xgroup_create("stream", "in between", "555-0")
    client.xgroup_create("no entry ever", "g", "0", mkstream=True)
    client.xadd("deleted", {"a": 1}, id="9-9")
    client.xdel("deleted", "9-9")
    client.xadd("trimmed", {"a": 1}, id="9-9")
    client.xgroup_create("trimmed", "g", "0")
    client.xreadgroup("g", "c", {"trimmed": ">"})
    client.xtrim("trimmed", maxlen=0, approximate=False)


def looked_at(server: NamedServer) -> dict[tuple[int, bytes], Any]:
    """All that can be asked about every key."""
    found: dict[tuple[int, bytes], Any] = {}
    for db in DATABASES:
        client = server.client(db)
        for key in client.scan_iter():
            kind = client.type(key)
            found[db, key] = (kind, client.pexpiretime(key), _content(client, key, kind))
    return found


def _content(client: redis.Redis, key: bytes, kind: bytes) -> Any:
    match kind:
        case b"string":
            return client.get(key)
        case b"hash":
            return client.hgetall(key)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"set":
            return client.smembers(key)
        case b"zset":
            return client.zrange(key, 0, -1, withscores=True)
    about = client.xinfo_stream(key)
    groups = client.xinfo_groups(key)
    shown = ("last-generated-id", "max-deleted-entry-id", "entries-added", "length")
    return (
        client.xrange(key),
        [about[name] for name in shown],
        [sorted(group.items()) for group in groups],
        [_pending(client, key, group["name"]) for group in groups],
        [
            sorted(row["name"] for row in client.xinfo_consumers(key, group["name"]))
            for group in groups
        ],
    )


def _pending(client: redis.Redis, key: bytes, group: bytes) -> list[tuple[Any, ...]]:
    rows = client.xpending_range(key, group, "-", "+", 10_000)
    return [(row["message_id"], row["consumer"], row["times_delivered"]) for row in rows]


def ages_ms(server: NamedServer) -> list[int]:
    """How long ago each pending entry was delivered."""
    rows = server.client().xpending_range("stream", "g", "-", "+", 10_000)
    return [row["time_since_delivered"] for row in rows]


class Writer:
    """Writes without a rest to the server whose port stands in a file, and tries again where it
    stands then. Every write that was confirmed is kept. Use it as a context.
    """

    def __init__(self, address: Path) -> None:
        self.address = address
        self.done: list[int] = []
        self.count_after = 0
        """Of those confirmed, how many went to the second server."""
        self._first = address.read_text()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(120)

    def wait_for(self, count: int) -> None:
        """Until so many more were confirmed."""
        wanted, deadline = len(self.done) + count, time.monotonic() + 120
        while len(self.done) < wanted:
            assert time.monotonic() < deadline, "the writer does not get on"
            time.sleep(0.01)

    def _run(self) -> None:
        number = 1
        client, port = None, ""
        while not self._stop.is_set():
            if self.address.read_text() != port or client is None:
                port = self.address.read_text()
                client = redis.Redis(port=int(port), retry=None, socket_timeout=30)
            try:
                self._write(client, number)
            except redis.ConnectionError:
                client = None  # nothing is known of it, so it is written again
                continue
            self.done.append(number)
            self.count_after += port != self._first
            number += 1

    def _write(self, client: redis.Redis, number: int) -> None:
        """The same however often."""
        with suppress(redis.ResponseError):  # this entry is there already
            client.xadd("orders", {"n": number}, id=f"{number}-0")
        client.hset("state", f"f{number % 50}", number)
        client.set(f"key:{number % 300}", number)
        client.zadd("scores", {f"m{number % 20}": number})
        with suppress(redis.ResponseError):
            client.xgroup_create("orders", "desk", "0")
        client.xreadgroup("desk", "c", {"orders": ">"}, count=1)
        if number > 5:
            client.xack("orders", "desk", f"{number - 5}-0")
        line = client.pipeline(transaction=True)  # of another type each time
        line.delete("flips")
        [line.set, line.rpush, line.sadd][number % 3]("flips", number)
        line.execute()
        client.hset("large", mapping={f"{number % 30}:{part}": number for part in range(60)})
        if number % 7 == 0:
            client.delete(f"key:{(number + 150) % 300}")
