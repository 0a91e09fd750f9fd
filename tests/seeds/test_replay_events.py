# SPDX-License-Identifier: Apache-2.0
"""The integration guide's replay of events from Redis, word for word, and what it leaves open: the
order, a range, the last so many.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hean.core.event_streams import PAGE, JournaledEvent
from hean.core.types import Event, EventType, PnlUpdate, encode
from redis_server import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.promise(17), pytest.mark.promise(18)]
COUNT = PAGE + 20
MS = 1_000_000


def row(number: int) -> JournaledEvent:
    data = encode(PnlUpdate(total_pnl=number, realized_pnl=number, unrealized_pnl=0))
    return JournaledEvent(number, EventType.PNL_UPDATE, (1_000 + number // 2) * MS, number, data)


async def test_the_guide_word_for_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("redis")
    with RedisServer(tmp_path) as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        from hean.core.event_streams import RedisEventStream

        redis_stream = RedisEventStream()
        await redis_stream.connect()
        rows = [row(number) for number in range(1, COUNT + 1)]
        assert await redis_stream.append("execution", rows, 0, COUNT)
        assert not await redis_stream.append("execution", rows[-5:], COUNT - 5, COUNT)

        async for event in redis_stream.replay_events(
            event_type=EventType.PNL_UPDATE,
            start_id="-",  # Beginning
            end_id="+",  # End
        ):
            print(event)
        assert len(capsys.readouterr().out.splitlines()) == COUNT

        async def replayed(*given: object, **more: object) -> list[Event]:
            replay: Any = redis_stream.replay_events
            found = replay(EventType.PNL_UPDATE, *given, **more)
            return [event async for event in found]

        every = await replayed()
        assert [event.seq for event in every] == list(range(1, COUNT + 1))
        assert (every[0].source, every[0].ts_ns) == ("execution", 1_000 * MS)
        assert [event.seq for event in await replayed(count=3)] == [COUNT - 2, COUNT - 1, COUNT]
        assert [event.seq for event in await replayed("1001", "1002")] == [2, 3, 4, 5]
        assert await redis_stream.position("execution") == COUNT
        await redis_stream.close()
