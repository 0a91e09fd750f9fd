# SPDX-License-Identifier: Apache-2.0
"""`answering.py`: a process of models. It plays the feed as the trading process does, with nobody
who trades, and says of each message of the feed what its models made of it, perhaps nothing: so who
hears it knows how far it is. An answer has the number of the feed's row in this process's journal
and leaves when that row is durable; a start plays the journal again and says again what not all
readers have confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hean.core.bridge import RETRY_S, Sender
from hean.core.message import Derived, Message
from hean.core.outbox import Outbox
from hean.core.relay import Deriving
from hean.core.types import EventType
from hean.fleet.trading import Trading
from hean.fleet.wiring import Connect, Notice, confirmed
from hean.paper import PaperSession

NOTICE = b"answers"


class Answering(Trading):
    """One life of it. *parts*: names of its models; *told*: what others hear of them, on *topic*;
    *readers*: who they are. The rest: as of `Trading`.
    """

    def __init__(
        self, connect: Connect, process: str, *where: Any, topic: str, readers: Sequence[str],
        parts: Sequence[str], told: frozenset[EventType], **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(connect, process, *where, **more)
        self.sender: Sender | None = None
        self._connect = connect
        self._topic, self._readers = topic, readers
        self._parts, self._told = parts, told
        self._outbox = Outbox(process, 0, is_resumed=True)
        self._start = 0
        self._deriving: Deriving
        self._ready: list[tuple[int, Message, list[Derived]]] = []

    async def _life(self, notice: Notice, stop: asyncio.Event) -> dict[str, Any] | None:
        self._start = await confirmed(self._connect, self._topic, self._readers, stop)
        self._outbox.pass_over(self._start)
        self.sender = Sender(
            self._connect(), self._topic, self._outbox, readers=self._readers, notice=NOTICE
        )
        await self.sender.start()
        try:
            await super()._life(notice, stop)
            while len(self._outbox) and not stop.is_set():
                await asyncio.sleep(RETRY_S)
        finally:
            await self.sender.stop()
        return None

    def _begun(self, session: PaperSession) -> None:
        system = session.run.system
        modules = [each for each in system.modules if each.name in self._parts]
        self._deriving = Deriving(system.bus, modules, self._told)

    def _played(self, row: int, message: Message) -> None:
        if not message.as_of:
            self._ready.append((row, message, self._deriving.take()))

    def _committed(self) -> None:
        assert self.sender is not None
        for row, message, made in self._ready:
            if row > self._start:
                self._outbox.answer(row, message.ts_ns, message.seq, made, is_last=message.is_last)
        self._ready.clear()
        self.sender.wake()
