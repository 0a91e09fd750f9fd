# SPDX-License-Identifier: Apache-2.0
"""`fanout.py`: one update to many listeners. It becomes a frame once; whoever listens to the same
topics is written the same bytes, all that was said in one turn of the loop in one go, straight into
the socket (ADR 0030). Who has not taken what came before has a queue: of a state it gets the
newest, of facts each, up to a bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn, Protocol

from hean.engine.topics import STATES

FACTS_MAX = 1_000  # updates that wait for a slow client
SEND_S = 10.0  # for what was written to leave; longer is a client that is stuck
WHOLE_TEXT = 0x81  # a text frame that is not continued
SHORT_MAX, LONG_MAX = 125, 65_535  # payloads whose size needs no, or two, bytes more
Topics = frozenset[str]


class Stuck(Exception):
    """It takes nothing any more, or too little."""


class Wire(Protocol):
    """Where frames leave. `on_full` is called when something that was written waits to leave, and
    when it is over; until then it may be written to.
    """

    on_full: Callable[[], None]
    write: Callable[[bytes], None]

    async def room(self) -> None:
        """Return when all has left. *Raises*: `OSError` when it is over."""
        ...


class Listener:
    """One client. What it does not take at once waits: states by topic, facts in a row.
    *is_free*: it has taken all so far.
    """

    def __init__(self, wire: Wire) -> None:
        self.topics: Topics = frozenset()
        self.write = wire.write
        self._wire = wire
        self._group: _Group | None = None
        self.is_free = True
        self._facts: list[bytes] = []
        self._states: dict[str, bytes] = {}
        self._has_news = asyncio.Event()
        wire.on_full = self.fall_behind

    def put(self, frame: bytes) -> None:
        """A frame that no later one replaces."""
        if self.is_free:
            self.write(frame)
        else:
            self.wait(frame)

    def wait(self, frame: bytes, topic: str = "") -> None:
        """Keep a frame; of a state, the newest."""
        if topic in STATES:
            self._states.pop(topic, None)  # in the order of the last updates
            self._states[topic] = frame
        elif len(self._facts) <= FACTS_MAX:  # with one more it is let go
            self._facts.append(frame)
        self._has_news.set()

    async def send(self) -> NoReturn:
        """Send what waits, for ever. *Raises*: `Stuck`, `OSError` when it is over."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            try:
                async with asyncio.timeout(SEND_S):
                    await self._wire.room()
            except TimeoutError:
                raise Stuck("the frames are not taken") from None
            if len(self._facts) > FACTS_MAX:
                raise Stuck(f"more than {FACTS_MAX} updates were not taken")
            frames = b"".join((*self._facts, *self._states.values()))
            self._facts, self._states = [], {}
            self.is_free = True
            if self._group is not None:
                self._group.add(self)
            self.write(frames)

    def fall_behind(self) -> None:
        """From now on it has a queue."""
        self.is_free = False
        if self._group is not None:
            self._group.add(self)

    def join(self, group: _Group | None, topics: Topics) -> None:
        """Be among those of the same *topics*; of none, nowhere."""
        if self._group is not None:
            self._group.remove(self)
        self._group, self.topics = group, topics
        if group is not None:
            group.add(self)


class _Group:
    """Those who listen to the same topics."""

    def __init__(self) -> None:
        self.free: dict[Listener, Callable[[bytes], None]] = {}
        self.behind: dict[Listener, None] = {}

    def __len__(self) -> int:
        return len(self.free) + len(self.behind)

    def add(self, listener: Listener) -> None:
        """Where it belongs now."""
        self.remove(listener)
        if listener.is_free:
            self.free[listener] = listener.write
        else:
            self.behind[listener] = None

    def remove(self, listener: Listener) -> None:
        """If it is there."""
        self.free.pop(listener, None)
        self.behind.pop(listener, None)


class FanOut:
    """All who listen."""

    def __init__(self) -> None:
        self._groups: dict[Topics, _Group] = {}
        self._news: list[tuple[str, bytes]] = []

    def tell(self, topic: str, update: bytes) -> None:
        """Say an update to all who listen to its topic, at the end of this turn of the loop."""
        if not self._groups:
            return
        if not self._news:
            asyncio.get_running_loop().call_soon(self._deliver)
        self._news.append((topic, framed(update)))

    def listen(self, listener: Listener, topics: Topics) -> None:
        """Hear *topics* from now on, instead of those before; none is the end."""
        self._deliver()  # what was said until now goes to those who listened until now
        group = self._groups.setdefault(topics, _Group()) if topics else None
        before = listener.topics
        listener.join(group, topics)
        if before and before != topics and not self._groups[before]:
            del self._groups[before]

    def _deliver(self) -> None:
        news, self._news = self._news, []
        for topics, group in self._groups.items():
            told = [each for each in news if each[0] in topics]
            if not told:
                continue
            whole = b"".join([frame for _, frame in told])
            behind = tuple(group.behind)
            for write in tuple(group.free.values()):
                write(whole)
            for listener in behind:
                for topic, frame in told:
                    listener.wait(frame, topic)


def framed(text: bytes) -> bytes:
    """A text as a WebSocket frame of a server (RFC 6455, 5.2)."""
    size = len(text)
    if size <= SHORT_MAX:
        return bytes((WHOLE_TEXT, size)) + text
    if size <= LONG_MAX:
        return bytes((WHOLE_TEXT, 126)) + size.to_bytes(2, "big") + text
    return bytes((WHOLE_TEXT, 127)) + size.to_bytes(8, "big") + text
