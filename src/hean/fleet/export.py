# SPDX-License-Identifier: Apache-2.0
"""`export.py`: what a journal has, copied to where others may read it. It reads committed rows, so
nothing is told that could be lost, keeps nothing in memory, and begins again at whatever row the
server says it has: none after a flush. Trading does not wait for it and does not notice it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import islice

from hean.core.bridge import ended
from hean.core.event_streams import STREAMED, JournaledEvent, RedisEventStream
from hean.core.journal import Journal
from hean.core.types import EventType
from hean.errors import BrokerLost

ROWS = 500  # at a time: a millisecond of the loop
LOOK_S = 0.1
SURVEY_S = 1.0
RETRY_S = 0.25
FINISH_S = 5.0


class Export:
    """Copies *journal*, that of *process*, to *stream*."""

    def __init__(self, stream: RedisEventStream, journal: Journal, process: str) -> None:
        self.fault = "not connected"
        """Why nothing is copied; empty while all is well."""
        self.position = 0
        """The last row that is there."""
        self._stream, self._journal, self._process = stream, journal, process
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, with all that is committed if the server takes it in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_S):
                while self.position < self._journal.head_seq:
                    await asyncio.sleep(LOOK_S)
        if self._task is not None:
            await ended(self._task)
        await self._stream.close()

    async def _run(self) -> None:
        while True:
            try:
                await self._stream.connect()
                self.position = await self._stream.position(self._process)
                self.fault = ""
                await self._copy()
            except BrokerLost as lost:
                self.fault = lost.message
                await asyncio.sleep(RETRY_S)

    async def _copy(self) -> None:
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        while True:
            rows = list(islice(self._journal.records(self.position), ROWS))
            if rows:
                events = [
                    JournaledEvent(
                        row.seq, EventType(row.kind), row.ts_ns, row.event_seq, row.payload
                    )
                    for row in rows
                    if row.kind in STREAMED
                ]
                newest = rows[-1].seq
                if not await self._stream.append(self._process, events, self.position, newest):
                    raise BrokerLost("Redis was flushed: it has not what it was given.")
                self.position = newest
            if loop.time() - asked_s >= SURVEY_S:  # a flush cuts no connection
                self.position = min(self.position, await self._stream.position(self._process))
                asked_s = loop.time()
            elif len(rows) < ROWS:
                await asyncio.sleep(LOOK_S)
