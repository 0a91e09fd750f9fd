# SPDX-License-Identifier: Apache-2.0
"""How long a reader waits for what is missing: as long as it listens, by whatever clock."""

from __future__ import annotations

import pytest

from hean.core.bridge import HEARD_NS, Reader
from hean.core.inbox import WAIT_NS, Inbox
from hean.core.message import pack
from hean.transports.memory import MemoryBroker, MemoryTransport

SOURCE, TOPIC = "ingestion", "test.ingestion"
LONG_NS = 10 * WAIT_NS


class Scene:
    """A reader that has message 1 and 3 of three."""

    def __init__(self) -> None:
        self.broker, self.now_ns = MemoryBroker(), 0
        self.reader = Reader(
            MemoryTransport(self.broker), {SOURCE: TOPIC}, "execution",
            inbox=Inbox(), now=lambda: self.now_ns,
        )  # fmt: skip

    async def say(self, *numbers: int) -> None:
        line = MemoryTransport(self.broker)
        await line.connect()
        told = [(seq, pack(SOURCE, seq, seq - 1, seq, ())) for seq in numbers]
        await line.publish(TOPIC, told)
        await line.close()

    async def next(self) -> list[int]:
        return [each.message.seq for each in await self.reader.next(0.0)]

    async def begin(self) -> None:
        await self.say(1, 3)
        assert await self.next() == [1]


@pytest.mark.promise(56)
async def test_a_broker_that_was_away_is_no_reason_to_give_up_what_is_missing() -> None:
    scene = Scene()
    await scene.begin()
    scene.broker.down()
    assert await scene.next() == []
    scene.now_ns += LONG_NS
    assert await scene.next() == []
    scene.broker.up()
    assert await scene.next() == []
    await scene.say(2)
    assert await scene.next() == [2, 3]
    assert scene.reader.inbox.holes == 0


@pytest.mark.promise(56)
async def test_nor_is_a_standstill_of_the_reader() -> None:
    scene = Scene()
    await scene.begin()
    scene.now_ns += LONG_NS
    assert await scene.next() == []
    await scene.say(2)
    assert await scene.next() == [2, 3]
    assert scene.reader.inbox.holes == 0


async def test_it_is_given_up_after_a_while_of_listening() -> None:
    scene = Scene()
    await scene.begin()
    for _ in range(WAIT_NS // HEARD_NS - 1):
        scene.now_ns += HEARD_NS
        assert await scene.next() == []
    scene.now_ns += HEARD_NS
    assert await scene.next() == [3]
    assert scene.reader.inbox.holes == 1
