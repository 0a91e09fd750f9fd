# SPDX-License-Identifier: Apache-2.0
"""What any transport must hold, together with outbox, inbox and bridge: each message once and in
order, whatever happens to the broker or to the reader between two confirmations.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from hean.core.bridge import Reader, Sender
from hean.core.inbox import Inbox
from hean.core.outbox import Outbox
from hean.core.ports import Transport
from hean.core.types import Tick
from hean.transports.memory import MemoryBroker, MemoryTransport
from kafka_broker import KafkaBroker
from redis_server import RedisServer

SOURCE, TOPIC, READER = "ingestion", "test.ingestion", "execution"
IN_TIME_S = 120.0


class Rig:
    """A broker with the faults that every broker has."""

    def __init__(
        self,
        transport: Callable[[], Transport],
        down: Callable[[], None],
        up: Callable[[], None],
        flush: Callable[[], None],
    ) -> None:
        self.transport = transport
        self.down = down
        self.up = up
        self.flush = flush


def server_of(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.server)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One broker for all tests of this file: a start of it takes seconds."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(params=["memory", server_of("redis"), server_of("kafka")])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    match request.param:
        case "memory":
            broker = MemoryBroker()
            yield Rig(lambda: MemoryTransport(broker), broker.down, broker.up, broker.flush)
        case "redis":
            pytest.importorskip("redis")
            from hean.transports.redis import RedisTransport

            with RedisServer(tmp_path / "redis") as server:
                yield Rig(
                    lambda: RedisTransport(server.url),
                    server.kill,
                    server.start,
                    lambda: server.say("FLUSHALL"),
                )
        case "kafka":
            kafka = request.getfixturevalue("kafka")
            from hean.transports.kafka import KafkaTransport

            yield Rig(lambda: KafkaTransport(kafka.servers), kafka.kill, kafka.start, kafka.flush)
            kafka.flush()


class Sending:
    """A sender that says numbers."""

    def __init__(self, rig: Rig) -> None:
        self.outbox = Outbox(SOURCE, time.time_ns())
        self.sender = Sender(
            rig.transport(), TOPIC, self.outbox, readers=[READER], notice=b"the terms"
        )
        self.said = 0

    async def __aenter__(self) -> Self:
        await self.sender.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sender.stop()

    def say(self, count: int) -> None:
        for _ in range(count):
            self.said += 1
            self.outbox.say(self.said, (Tick("BTCUSDT", 1.0, 1.0, self.said),))
        self.sender.wake()


def reader(rig: Rig, inbox: Inbox) -> Reader:
    return Reader(rig.transport(), {SOURCE: TOPIC}, READER, inbox=inbox, now=time.monotonic_ns)


async def read(reading: Reader, count: int, found: list[int]) -> None:
    """Read until *found* has so many, confirming each batch."""
    deadline = time.monotonic() + IN_TIME_S
    while len(found) < count:
        assert time.monotonic() < deadline, (len(found), reading.fault, reading.inbox.last)
        arrived = await reading.next(0.1)
        found += [each.message.ts_ns for each in arrived]
        if arrived:
            await reading.confirm()


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + IN_TIME_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.mark.promise(56)
async def test_each_message_once_and_in_order_and_then_forgotten(rig: Rig) -> None:
    found: list[int] = []
    async with Sending(rig) as sending:
        reading = reader(rig, Inbox())
        sending.say(3_000)
        await read(reading, 3_000, found)
        assert await reading.notice(SOURCE) == b"the terms"
        await until(lambda: len(sending.outbox) == 0)
        await reading.close()
    assert found == list(range(1, 3_001))
    assert reading.inbox.holes == reading.inbox.duplicates == 0


async def test_what_was_given_and_not_confirmed_is_given_to_the_next_life(rig: Rig) -> None:
    async with Sending(rig) as sending:
        sending.say(200)
        first, found = reader(rig, Inbox()), []
        await read(first, 200, found)
        last = dict(first.inbox.last)
        sending.say(100)
        got: list[int] = []
        while len(got) < 100:  # taken, and then the process dies before its commit
            got += [each.message.ts_ns for each in await first.next(0.1)]
        await first.close()
        second = reader(rig, Inbox(last))
        await read(second, 300, found)
        await second.close()
    assert found == list(range(1, 301))
    assert second.inbox.holes == 0


@pytest.mark.promise(56)
@pytest.mark.parametrize("is_flushed", [False, True])
async def test_a_broker_that_comes_and_goes_loses_and_doubles_nothing(
    rig: Rig, is_flushed: bool
) -> None:
    found: list[int] = []
    async with Sending(rig) as sending:
        reading = reader(rig, Inbox())
        for step in range(1, 4):
            sending.say(400)
            await read(reading, step * 800 - 500, found)  # some are on their way
            rig.down()
            sending.say(400)
            for _ in range(3):
                await reading.next(0.01)
            rig.up()
            if is_flushed:
                rig.flush()
        await read(reading, 2_400, found)
        await reading.close()
        assert sending.sender.outages >= 1
    assert found == list(range(1, 2_401))
    assert reading.inbox.holes == 0


async def test_a_flush_that_cuts_no_connection_is_noticed(rig: Rig) -> None:
    found: list[int] = []
    async with Sending(rig) as sending:
        reading = reader(rig, Inbox())
        sending.say(100)
        await read(reading, 100, found)
        sending.say(100)
        await until(lambda: not sending.outbox.unsent(1))
        rig.flush()
        await read(reading, 200, found)
        await reading.close()
    assert found == list(range(1, 201))


async def test_what_a_flush_amid_traffic_took_is_sent_again(rig: Rig) -> None:
    """The newest message is there again before anybody looks, those before it are not."""
    found: list[int] = []
    async with Sending(rig) as sending:
        reading = reader(rig, Inbox())
        sending.say(100)
        await read(reading, 100, found)
        sending.say(100)
        await until(lambda: not sending.outbox.unsent(1))
        rig.flush()
        sending.say(100)
        await read(reading, 300, found)
        async with asyncio.timeout(
            IN_TIME_S
        ):  # Kafka deletes one topic after the other: it may go last
            while await reading.notice(SOURCE) != b"the terms":
                await reading.next(0.01)
        await reading.close()
    assert found == list(range(1, 301))
    assert reading.inbox.holes == 0


async def test_a_broker_that_was_away_while_nobody_asked_is_asked_anew(rig: Rig) -> None:
    """A connection that ended between two questions may not be made again in silence: what the
    broker had is gone, and the next message would hide it."""
    found: list[int] = []
    async with Sending(rig) as sending:
        sending.say(100)
        await until(lambda: not sending.outbox.unsent(1))
        rig.down()
        rig.up()
        rig.flush()
        await asyncio.sleep(0.05)  # the end of the connection is seen, and no question is open
        sending.say(100)
        reading = reader(rig, Inbox())
        await read(reading, 200, found)
        await reading.close()
        assert sending.sender.outages >= 1
    assert found == list(range(1, 201))
    assert reading.inbox.holes == 0


async def test_a_sender_can_be_stopped_at_any_moment(rig: Rig) -> None:
    for moment in range(40):
        sending = Sending(rig)
        await sending.sender.start()
        sending.say(3)
        for _ in range(moment):
            await asyncio.sleep(0)
        stopping = asyncio.create_task(sending.sender.stop())
        await asyncio.wait({stopping}, timeout=IN_TIME_S)
        assert stopping.done(), f"after {moment} turns of the loop"


async def test_a_new_life_of_a_live_sender_is_told_as_a_cut(rig: Rig) -> None:
    inbox = Inbox()
    for life in range(2):
        async with Sending(rig) as sending:
            reading = reader(rig, inbox)
            sending.say(5)
            arrived = []
            while len(arrived) < 5:
                arrived += await reading.next(0.1)
            await reading.confirm()
            await reading.close()
        assert [each.is_cut for each in arrived] == [life == 1, False, False, False, False]
    assert inbox.restarts == 1


async def test_what_came_and_was_not_confirmed_comes_again(rig: Rig) -> None:
    """A reader may have more in its hands than has taken effect, and die."""
    async with Sending(rig) as sending:
        found: list[int] = []
        first = reader(rig, Inbox())
        for part in (4, 6):  # the later ones in an entry of their own, where there are entries
            sending.say(part)
            while len(found) < sending.said:
                found += [each.message.ts_ns for each in await first.next(1.0)]
            if part == 4:
                done = dict(first.inbox.last)
        assert await first.confirm(done)
        await first.close()
        again: list[int] = []
        second = reader(rig, Inbox(done))
        await read(second, 6, again)
        await second.close()
    assert found == [*range(1, 11)] and again == [*range(5, 11)]
