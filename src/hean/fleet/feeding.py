# SPDX-License-Identifier: Apache-2.0
"""`feeding.py`: the process that has the market and tells it to the others: a venue's live feed, or
a recorded session. A live feed counts its messages up from the time of its start, so a new life is
told apart; a recorded one numbers them by frames, so a new life goes on where the readers are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from hean import __version__
from hean.backtest.run import BacktestSettings
from hean.core.bridge import RETRY_S, Sender
from hean.core.message import Derived
from hean.core.outbox import Outbox
from hean.core.relay import Deriving
from hean.core.types import EventType, Payload
from hean.feeds.arriving import Terms
from hean.feeds.places import Feeds
from hean.feeds.recording import Recording, Sight
from hean.fleet.wiring import Connect, Notice, confirmed
from hean.models.candles import CandleBuilder
from hean.paper import PaperSession

BEAT_S = 0.1  # how late a reader's timers may fire while the market is silent
TURN = 100  # frames between two looks at the rest of the process
END_S = 3_600.0  # a reader that is down for longer has to be started again with the feed


class Parts(NamedTuple):
    """What runs beside the feed, such as candles. *names*: of it; *told*: what others hear."""

    names: Sequence[str]
    told: frozenset[EventType]
    settings: BacktestSettings
    elsewhere: Sequence[str]


class Beside:
    """The parts, playing the feed as everybody does who hears it."""

    def __init__(self, parts: Parts | None, notice: Notice) -> None:
        self._session: PaperSession | None = None
        if parts is None:
            return
        symbols = tuple(row.symbol for row in notice.terms)
        self._session = PaperSession(
            replace(parts.settings, symbols=symbols), notice.terms, start_ns=notice.start_ns,
            origin=notice.origin, elsewhere=parts.elsewhere,
        )  # fmt: skip
        system = self._session.run.system
        modules = [each for each in system.modules if each.name in parts.names]
        self._deriving = Deriving(system.bus, modules, parts.told)

    def made_of(
        self, at_ns: int, facts: tuple[Payload, ...], *, is_last: bool = False
    ) -> list[Derived]:
        """What the parts make of a message."""
        if self._session is None:
            return []
        if facts:
            self._session.take(at_ns, facts)
        self._session.play(at_ns + (not is_last))
        return self._deriving.take()


class Feeding:
    """What both kinds share. *readers*: the processes that hear it; *topic*: where."""

    def __init__(
        self, connect: Connect, process: str, topic: str, readers: Sequence[str],
        parts: Parts | None,
    ) -> None:  # fmt: skip
        self.sender: Sender | None = None
        self._parts = parts
        self._connect = connect
        self._process = process
        self._topic = topic
        self._readers = readers

    def _notice(
        self, origin: str, terms: list[Terms], start_ns: int, *, is_recorded: bool
    ) -> Notice:
        parts = self._parts
        bar = parts.settings.bar if parts is not None and CandleBuilder.name in parts.names else ""
        return Notice(origin, terms, start_ns, __version__, is_recorded, bar)

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
        recording: Recording, *, speed: float = 0.0, parts: Parts | None = None,
    ) -> None:  # fmt: skip
        super().__init__(connect, process, topic, readers, parts)
        self._recording = recording
        self._speed = speed

    async def run(self, stop: asyncio.Event) -> None:
        """Tell it until its end, and until everybody has it; or until *stop*."""
        tape = self._recording
        opening = tape.opening
        start = await confirmed(self._connect, self._topic, self._readers, stop)
        outbox = Outbox(self._process, start, is_resumed=True)
        notice = self._notice(opening.origin, opening.terms, tape.start_ns, is_recorded=True)
        sender = self._sending(outbox, notice)
        beside = Beside(self._parts, notice)
        await sender.start()
        try:
            await self._tell(sender, beside, start, stop)
            if not stop.is_set():
                made = beside.made_of(tape.end_ns, (), is_last=True)
                outbox.say(tape.end_ns, (), is_last=True, made=made)
                sender.wake()
            while len(outbox) and not stop.is_set():
                await asyncio.sleep(RETRY_S)
        finally:
            await sender.stop()

    async def _tell(self, sender: Sender, beside: Beside, start: int, stop: asyncio.Event) -> None:
        loop, tape, outbox = asyncio.get_running_loop(), self._recording, sender.outbox
        sight = Sight([row.symbol for row in tape.opening.terms])
        last, began_s, began_ns = 0, loop.time(), 0
        for count, (number, at_ns, facts) in enumerate(tape, 1):
            is_cut, last = number != last + 1, number
            shown = sight.of(facts, is_cut=is_cut)
            made = beside.made_of(at_ns, shown)
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
            outbox.say(at_ns, shown, made=made)
            sender.wake()


class LiveFeeding(Feeding):
    """Tells what *feeds* hear. *now*: UTC nanoseconds that never go back."""

    def __init__(
        self, connect: Connect, process: str, topic: str, readers: Sequence[str],
        feeds: Feeds, *, now: Callable[[], int], parts: Parts | None = None,
    ) -> None:  # fmt: skip
        super().__init__(connect, process, topic, readers, parts)
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
            notice = self._notice(origin, terms, start_ns, is_recorded=False)
            beside = Beside(self._parts, notice)
            sender = self._sending(outbox, notice)
            stack.push_async_callback(sender.stop)
            await sender.start()

            def take(facts: tuple[Payload, ...]) -> None:
                self._said_ns = max(self._now(), self._said_ns + 1)
                outbox.say(self._said_ns, facts, made=beside.made_of(self._said_ns, facts))
                sender.wake()

            await self._feeds.start(stack, take)
            while not stop.is_set():
                await asyncio.sleep(BEAT_S)
                if self._now() - self._said_ns > BEAT_S * 1e9:
                    take(())
