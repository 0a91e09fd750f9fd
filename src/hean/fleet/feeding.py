# SPDX-License-Identifier: Apache-2.0
"""`feeding.py`: the process that has the market and tells it to the others: a venue's live feed, or
a recorded session. A live feed counts its messages up from the time of its start, so a new life is
told apart; a recorded one numbers them by frames, so a new life goes on where the readers are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import msgspec

from hean import __version__
from hean.core.bridge import RETRY_S, Sender
from hean.core.outbox import Outbox
from hean.core.types import Payload
from hean.errors import BrokerLost
from hean.feeds.places import Feeds
from hean.feeds.recording import Recording, Sight
from hean.fleet.wiring import Connect, Notice

BEAT_S = 0.1  # how late a reader's timers may fire while the market is silent
TURN = 100  # frames between two looks at the rest of the process
END_S = 3_600.0  # a reader that is down for longer has to be started again with the feed


class Feeding:
    """What both kinds share. *readers*: the processes that hear it; *topic*: where."""

    def __init__(self, connect: Connect, process: str, topic: str, readers: Sequence[str]) -> None:
        self.sender: Sender | None = None
        self._connect = connect
        self._process = process
        self._topic = topic
        self._readers = readers

    def _sending(self, outbox: Outbox, notice: Notice) -> Sender:
        self.sender = Sender(
            self._connect(),
            self._topic,
            outbox,
            readers=self._readers,
            notice=msgspec.json.encode(notice),
        )
        return self.sender


class RecordedFeeding(Feeding):
    """Plays *recording*, as fast as readers take it or, with *speed*, so many times as fast as it
    was.
    """

    def __init__(
        self, connect: Connect, process: str, topic: str, readers: Sequence[str],
        recording: Recording, *, speed: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(connect, process, topic, readers)
        self._recording = recording
        self._speed = speed

    async def run(self, stop: asyncio.Event) -> None:
        """Tell it until its end, and until everybody has it; or until *stop*."""
        tape = self._recording
        opening = tape.opening
        start = await self._confirmed(stop)
        outbox = Outbox(self._process, start, is_resumed=True)
        notice = Notice(opening.origin, opening.terms, tape.start_ns, __version__, True)
        sender = self._sending(outbox, notice)
        await sender.start()
        try:
            await self._tell(sender, start, stop)
            if not stop.is_set():
                outbox.say(tape.end_ns, (), is_last=True)
                sender.wake()
            while len(outbox) and not stop.is_set():
                await asyncio.sleep(RETRY_S)
        finally:
            await sender.stop()

    async def _tell(self, sender: Sender, start: int, stop: asyncio.Event) -> None:
        loop, tape, outbox = asyncio.get_running_loop(), self._recording, sender.outbox
        sight = Sight([row.symbol for row in tape.opening.terms])
        last, began_s, began_ns = 0, loop.time(), 0
        for count, (number, at_ns, facts) in enumerate(tape, 1):
            is_cut, last = number != last + 1, number
            shown = sight.of(facts, is_cut=is_cut)
            if count <= start:
                continue
            if count <= sender.everywhere:  # a flush hid it until the readers said so
                outbox.pass_over(count)
                began_s, began_ns = loop.time(), at_ns
                continue
            began_ns = began_ns or at_ns
            while outbox.is_crowded and not stop.is_set():
                await asyncio.sleep(BEAT_S)
            if self._speed:
                ahead_s = (at_ns - began_ns) / 1e9 / self._speed - (loop.time() - began_s)
                await asyncio.sleep(max(ahead_s, 0.0))
            elif count % TURN == 0:
                await asyncio.sleep(0)
            if stop.is_set():
                return
            outbox.say(at_ns, shown)
            sender.wake()

    async def _confirmed(self, stop: asyncio.Event) -> int:
        """Number of the last message that all readers have, once the broker says."""
        transport = self._connect()
        while not stop.is_set():
            try:
                await transport.connect()
                found = await transport.positions(self._topic)
                await transport.close()
                return min((found.get(reader, 0) for reader in self._readers), default=0)
            except BrokerLost:
                await asyncio.sleep(RETRY_S)
        return 0


class LiveFeeding(Feeding):
    """Tells what *feeds* hear. *now*: UTC nanoseconds that never go back."""

    def __init__(
        self, connect: Connect, process: str, topic: str, readers: Sequence[str],
        feeds: Feeds, *, now: Callable[[], int],
    ) -> None:  # fmt: skip
        super().__init__(connect, process, topic, readers)
        self._feeds = feeds
        self._now = now
        self._said_ns = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until *stop*. *Raises*: what `Feeds` raises while connecting."""
        async with AsyncExitStack() as stack:
            terms = await self._feeds.load(stack)
            origin = " + ".join(place.title for place in self._feeds.places)
            start_ns = self._now()
            outbox = Outbox(self._process, start_ns)
            sender = self._sending(outbox, Notice(origin, terms, start_ns, __version__, False))
            stack.push_async_callback(sender.stop)
            await sender.start()

            def take(facts: tuple[Payload, ...]) -> None:
                self._said_ns = max(self._now(), self._said_ns + 1)
                outbox.say(self._said_ns, facts)
                sender.wake()

            await self._feeds.start(stack, take)
            while not stop.is_set():
                await asyncio.sleep(BEAT_S)
                if self._now() - self._said_ns > BEAT_S * 1e9:
                    take(())
