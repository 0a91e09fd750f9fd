# SPDX-License-Identifier: Apache-2.0
"""Servers and workers of `bench_fleet.py`. A worker is a process of its own, on one side of a
broker: HEAN's own sender and reader, or a client library alone. Moments are of the monotonic clock,
which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hean.core.bridge import Reader, Sender
from hean.core.inbox import Inbox
from hean.core.message import pack
from hean.core.outbox import Outbox
from hean.core.ports import Transport
from hean.core.types import Tick
from hean.net.loop import run as run_loop
from measure import BENCH, percentile

READY_S = 120.0
IN_TIME_S = 120.0
WAITING_MAX = 5_000  # messages of the sender; a live feed never has so many
WARM = 0.2  # first share of the paced messages, which nobody counts
SERVERS = ("redis-server", "valkey-server", "keydb-server")
READER = "reader"


class Missing(Exception):
    """A server cannot be had; the text says why."""


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ended_with(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process is killed afterwards."""
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A server that keeps nothing on a disk. Yields its URL. *Raises*: `Missing`."""
    program = next((found for name in SERVERS if (found := shutil.which(name))), None)
    if program is None:
        raise Missing(f"no {' or '.join(SERVERS)}")
    port = free_port()
    words = [program, "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    with ended_with(process):
        wait_for(port, process)
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def kafka_server(folder: Path) -> Iterator[str]:
    """One broker from the official jars. Yields its address. *Raises*: `Missing`."""
    sys.path.insert(0, str(BENCH.parent / "scripts"))
    import kafka_server as kafka

    try:
        import confluent_kafka  # noqa: F401

        port = free_port()
        settings = kafka.prepare(folder, port, free_port())
    except (ImportError, kafka.NotHad) as lack:
        raise Missing(str(lack)) from lack
    process = kafka.start(settings, folder / "log.txt")
    with ended_with(process):
        wait_for(port, process)
        yield f"127.0.0.1:{port}"


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Missing(f"nothing listens on {port}")


def transport(kind: str, address: str) -> Transport:
    """HEAN's own."""
    if kind == "redis":
        from hean.transports.redis import RedisTransport

        return RedisTransport(address)
    from hean.transports.kafka import KafkaTransport

    return KafkaTransport(address)


def tick(number: int) -> Tick:
    """One trade."""
    return Tick("BTCUSDT", 60_000.0 + number % 100, 0.5, number)


# ---------------------------------------------------------------- HEAN's sender and reader


def read(kind: str, address: str, topic: str, count: int) -> dict[str, Any]:
    """Take so many messages and decode their facts. Returns ages in us and when the last came."""
    return run_loop(_read(kind, address, topic, count))


async def _read(kind: str, address: str, topic: str, count: int) -> dict[str, Any]:
    reader = Reader(
        transport(kind, address), {"feed": topic}, READER, inbox=Inbox(), now=time.monotonic_ns
    )
    ages: list[int] = []
    last_ns, began_s = 0, time.process_time()
    async with asyncio.timeout(IN_TIME_S):
        while len(ages) < count:
            arrived = await reader.next()
            for each in arrived:
                each.message.payloads()
                last_ns = time.monotonic_ns()
                ages.append(last_ns - each.message.ts_ns)
            if arrived:
                await reader.confirm()
    await reader.close()
    counted = sorted(ages[int(count * WARM) :])
    return {
        "last_ns": last_ns,
        "cpu_s": time.process_time() - began_s,
        "p50_us": percentile(counted, 0.5) / 1e3,
        "p99_us": percentile(counted, 0.99) / 1e3,
    }


def send(kind: str, address: str, topic: str, count: int, every_s: float) -> dict[str, Any]:
    """Say so many messages of one trade each, one every so often or as fast as they go. Returns
    when the first was said.
    """
    return run_loop(_send(kind, address, topic, count, every_s))


async def _send(kind: str, address: str, topic: str, count: int, every_s: float) -> dict[str, Any]:
    outbox = Outbox("feed", 0)
    sender = Sender(transport(kind, address), topic, outbox, readers=[READER], notice=b"bench")
    await sender.start()
    async with asyncio.timeout(IN_TIME_S):
        while sender.fault:
            await asyncio.sleep(0.01)
        await asyncio.sleep(1.0)  # the reader joins meanwhile
        first_ns, began_s = time.monotonic_ns(), time.process_time()
        for number in range(count):
            outbox.say(time.monotonic_ns(), (tick(number),))
            if every_s:
                sender.wake()
                await asyncio.sleep(every_s)
            elif number % 100 == 0:
                sender.wake()
                await asyncio.sleep(0)
                while len(outbox) > WAITING_MAX and outbox.unsent(1):
                    await asyncio.sleep(0.001)
        sender.wake()
        while len(outbox):
            await asyncio.sleep(0.05)
    await sender.stop()
    assert not outbox.dropped and not outbox.merged
    return {"first_ns": first_ns, "cpu_s": time.process_time() - began_s}


# ---------------------------------------------------------------- redis-py alone, one by one


def peer_receive(address: str, topic: str, count: int) -> dict[str, Any]:
    """Take so many messages of a channel. Returns when the last came."""
    from redis import Redis

    with Redis.from_url(address) as client, client.pubsub(ignore_subscribe_messages=True) as line:
        line.subscribe(topic)
        seen = 0
        deadline = time.monotonic() + IN_TIME_S
        while seen < count and time.monotonic() < deadline:
            seen += line.get_message(timeout=1.0) is not None
    assert seen == count, f"{seen} of {count} messages"
    return {"last_ns": time.monotonic_ns()}


def peer_send(address: str, topic: str, count: int) -> dict[str, Any]:
    """Publish so many messages, each when the one before was answered. Returns when it began."""
    from redis import Redis

    rows = [pack("feed", at + 1, at, at, (tick(at),)) for at in range(count)]
    with Redis.from_url(address) as client:
        deadline = time.monotonic() + IN_TIME_S
        while not client.pubsub_numsub(topic)[0][1]:
            assert time.monotonic() < deadline, "nobody subscribes"
            time.sleep(0.01)
        first_ns = time.monotonic_ns()
        for row in rows:
            client.publish(topic, row)
    return {"first_ns": first_ns}
