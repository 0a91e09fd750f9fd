# SPDX-License-Identifier: Apache-2.0
"""What a journal has is in Redis, in order and once, whatever the server forgets meanwhile; and an
export ends when it is told to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hean.core.event_streams import RedisEventStream
from hean.core.journal import Journal, open_journal
from hean.core.types import Error, EventType, PnlUpdate, Tick, encode
from hean.fleet.export import Export
from redis_server import RedisServer

pytestmark = pytest.mark.server
IN_TIME_S = 120.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    pytest.importorskip("redis")
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = open_journal(tmp_path / "journal", holder="me", meta={})
    yield journal
    journal.close()


def write(journal: Journal, count: int) -> None:
    for _ in range(count):
        number = journal.head_seq + 1
        data = encode(PnlUpdate(total_pnl=number, realized_pnl=number, unrealized_pnl=0))
        journal.append(EventType.PNL_UPDATE, data, ts_ns=number * 1_000_000, event_seq=number)
    journal.commit()


@asynccontextmanager
async def exporting(redis: RedisServer, journal: Journal) -> AsyncIterator[Export]:
    export = Export(RedisEventStream(redis.url), journal, "execution")
    await export.start()
    yield export
    await export.stop()


async def arrived(redis: RedisServer, count: int) -> None:
    """Wait until exactly the first *count* rows are there."""
    stream = RedisEventStream(redis.url)
    await stream.connect()
    deadline = time.monotonic() + IN_TIME_S
    found: list[int] = []
    while found != list(range(1, count + 1)):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)
        found = [each.seq async for each in stream.replay_events(EventType.PNL_UPDATE)]
    await stream.close()


@pytest.mark.promise(49)
@pytest.mark.promise(55)
async def test_errors_are_copied_and_ticks_are_not(redis: RedisServer, journal: Journal) -> None:
    facts = (Tick("BTCUSDT", 1.0, 1.0, 1), Error("ml", "it broke", 2))
    for number, fact in enumerate(facts, 1):
        journal.append(fact.event_type, encode(fact), ts_ns=number, event_seq=number)
    write(journal, 1)
    async with exporting(redis, journal):
        stream = RedisEventStream(redis.url)
        await stream.connect()
        deadline = time.monotonic() + IN_TIME_S
        while await stream.position("execution") < journal.head_seq:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        found = {
            kind: [event.data async for event in stream.replay_events(kind)]
            for kind in (EventType.TICK, EventType.ERROR, EventType.PNL_UPDATE)
        }
        await stream.close()
    assert (found[EventType.TICK], found[EventType.ERROR]) == ([], [facts[1]])
    assert len(found[EventType.PNL_UPDATE]) == 1


@pytest.mark.parametrize("is_killed", [False, True])
async def test_what_a_server_forgets_amid_traffic_is_exported_again(
    redis: RedisServer, journal: Journal, is_killed: bool
) -> None:
    write(journal, 700)
    async with exporting(redis, journal):
        await arrived(redis, 700)
        if is_killed:
            redis.kill()
            redis.start()
        else:
            redis.say("FLUSHALL")
        write(journal, 50)
        await arrived(redis, 750)


async def test_a_new_life_goes_on_where_the_server_is(redis: RedisServer, journal: Journal) -> None:
    for life in range(1, 4):
        write(journal, 20)
        async with exporting(redis, journal) as export:
            await arrived(redis, 20 * life)
            assert export.position == journal.head_seq


async def test_an_export_can_be_stopped_at_any_moment(redis: RedisServer, journal: Journal) -> None:
    for moment in range(0, 60, 2):
        write(journal, 3)
        export = Export(RedisEventStream(redis.url), journal, "execution")
        await export.start()
        for _ in range(moment):
            await asyncio.sleep(0)
        stopping = asyncio.create_task(export.stop())
        await asyncio.wait({stopping}, timeout=IN_TIME_S)
        assert stopping.done(), f"after {moment} turns of the loop"
    await arrived(redis, 90)
