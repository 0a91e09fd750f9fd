# SPDX-License-Identifier: Apache-2.0
"""`bridge.py`: a process and a transport. `Sender` is one task that empties an outbox; `Reader` is
asked for messages and told when their effects are durable. A broker that is down, slow, flushed or
restored from an old copy is met in one way: connect again, ask what it has and what the readers
confirmed, go on from there. Nobody inside ever waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from hean.core.inbox import Arrived, Inbox
from hean.core.message import unpack
from hean.core.outbox import Outbox
from hean.core.ports import Transport
from hean.errors import BrokerLost

BATCH = 500  # messages: some milliseconds of a broker's time
SURVEY_S = 1.0  # a flush without a lost connection is noticed so late
RETRY_S = 0.25
WAIT_S = 0.5
AGAIN_S = 0.1
HEARD_NS = 1_000_000_000  # between two looks at a broker; what is more was no listening


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended: a cancellation that comes in the very turn of the loop in
    which `asyncio.wait_for` has its result is swallowed (Python 3.11), and clients use that.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_S)
    if not task.cancelled():
        await task


class Sender:
    """Sends what *outbox* holds to *topic*, whose readers are *readers*. *notice*: what each of
    them has to know first.
    """

    def __init__(
        self,
        transport: Transport,
        topic: str,
        outbox: Outbox,
        *,
        readers: Sequence[str],
        notice: bytes = b"",
    ) -> None:
        self.outbox = outbox
        self.topic = topic
        self.fault = "not connected"
        """Why nothing is sent; empty while all is well."""
        self.outages = 0
        self.sent = 0
        """Messages, those sent again included."""
        self._transport = transport
        self._notice = notice
        self._known = dict.fromkeys(readers, 0)
        self._news = asyncio.Event()
        self._last_sent = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def positions(self) -> Mapping[str, int]:
        """What each reader confirmed, as far as it was heard."""
        return self._known

    @property
    def everywhere(self) -> int:
        """The last message that all readers have confirmed, of this life or an earlier one."""
        return min(self._known.values(), default=0)

    def wake(self) -> None:
        """There is something to send."""
        self._news.set()

    async def start(self) -> None:
        """Begin; a broker that is not there yet is waited for meanwhile."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, without waiting for what is unsent."""
        if self._task is not None:
            await ended(self._task)
        await self._transport.close()

    async def flushed(self, timeout_s: float) -> bool:
        """Wait until every reader has confirmed everything. *Returns*: whether they have."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while len(self.outbox) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(RETRY_S)
        return not len(self.outbox)

    async def _run(self) -> None:
        while True:
            try:
                await self._transport.connect()
                is_whole = await self._transport.notice(self.topic) == self._notice
                await self._transport.post(self.topic, self._notice)
                await self._survey(is_new=True, is_whole=is_whole)
                self.fault = ""
                await self._pump()
            except BrokerLost as lost:
                self.outages += not self.fault
                self.fault = lost.message
                await asyncio.sleep(RETRY_S)

    async def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        surveyed_s = loop.time()
        while True:
            self._news.clear()
            batch = self.outbox.unsent(BATCH)
            if batch:
                await self._transport.publish(self.topic, batch)
                self._last_sent = batch[-1][0]
                self.outbox.sent(self._last_sent)
                self.sent += len(batch)
            if loop.time() - surveyed_s >= SURVEY_S:
                await self._survey()
                surveyed_s = loop.time()
            elif not batch:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(surveyed_s + SURVEY_S):
                        await self._news.wait()

    async def _survey(self, *, is_new: bool = False, is_whole: bool = True) -> None:
        """Forget what every reader has, and send again what the broker has not. *is_whole*: its
        newest message tells of those before it.
        """
        if not is_new and await self._transport.notice(self.topic) != self._notice:
            raise BrokerLost(f"the broker was flushed: it has no notice of {self.topic} any more.")
        found = await self._transport.positions(self.topic)
        for reader, before in self._known.items():
            self._known[reader] = max(before, found.get(reader, 0))
        needed = min(self._known.values(), default=self._last_sent)
        if needed:
            self.outbox.confirmed(needed)
            await self._transport.trim(self.topic, needed)
        newest = await self._transport.newest(self.topic)
        has = unpack(newest).seq if newest is not None and is_whole else 0
        if is_new or has < self._last_sent:
            self.outbox.resend_after(max(has, needed))


class Reader:
    """Reads *topics*, by source, as *name*. *now*: any steady clock in ns. What is missing is
    waited for while the broker is heard: neither its absence nor a standstill of this process
    counts, for in both the sender could say nothing.
    """

    def __init__(
        self,
        transport: Transport,
        topics: Mapping[str, str],
        name: str,
        *,
        inbox: Inbox,
        now: Callable[[], int],
    ) -> None:
        self.inbox = inbox
        self.name = name
        self.fault = "not connected"
        """Why nothing comes; empty while all is well."""
        self.outages = 0
        self.done: dict[str, int] = dict(inbox.last)
        """By source, up to where effects are durable."""
        self._transport = transport
        self._topics = topics
        self._now = now
        self._heard_ns = 0
        self._looked_ns = now()

    async def notice(self, source: str) -> bytes | None:
        """The notice of a source; `None` while it, or the broker, is not there."""
        try:
            if self.fault:
                await self._join()
            return await self._transport.notice(self._topics[source])
        except BrokerLost as lost:
            await self._lost(lost)
            return None

    async def next(self, wait_s: float = WAIT_S) -> list[Arrived]:
        """What came, each message once and in order; empty when nothing came in time."""
        try:
            if self.fault:
                await self._join()
            received = await self._transport.receive(BATCH, wait_s)
        except BrokerLost as lost:
            await self._lost(lost)
            return []
        now_ns = self._now()
        self._heard_ns += min(now_ns - self._looked_ns, HEARD_NS)
        self._looked_ns = now_ns
        found = [each for data in received for each in self.inbox.take(data, self._heard_ns)]
        return found + self.inbox.overdue(self._heard_ns)

    async def confirm(self, done: Mapping[str, int] | None = None) -> bool:
        """The effects of all that came are durable, or up to *done* of each source. *Returns*:
        whether the broker knows it; if not, it is told when it is there again.
        """
        self.done = dict(self.inbox.last if done is None else done)
        try:
            if not self.fault:
                await self._transport.confirm(self._positions())
        except BrokerLost as lost:
            await self._lost(lost)
        return not self.fault

    async def close(self) -> None:
        """Let go of the transport."""
        await self._transport.close()

    def _positions(self) -> dict[str, int]:
        return {topic: self.done.get(source, 0) for source, topic in self._topics.items()}

    async def _join(self) -> None:
        await self._transport.connect()
        await self._transport.join(self.name, self._positions())
        self._looked_ns = self._now()
        self.fault = ""

    async def _lost(self, lost: BrokerLost) -> None:
        self.outages += not self.fault
        self.fault = lost.message
        await asyncio.sleep(RETRY_S)
