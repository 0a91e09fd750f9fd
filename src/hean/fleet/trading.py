# SPDX-License-Identifier: Apache-2.0
"""`trading.py`: a process whose market comes from another one: that with the truth group, or one of
models (`answering.py`). Each message is a row of its journal before anything follows from it, and
is confirmed when that row and what followed are on the disk. So a start is a replay: what the
journal has is played again, and the senders give the rest once more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hean.backtest.run import BacktestSettings
from hean.core.bridge import WAIT_S, Reader
from hean.core.bus import EventBus
from hean.core.event_streams import RedisEventStream
from hean.core.inbox import Inbox
from hean.core.journal import Journal
from hean.core.message import Message
from hean.engine.quality import Quality
from hean.errors import ParameterInvalid, UnknownSymbol
from hean.fleet.export import Export
from hean.fleet.merger import PATIENCE_NS, Merger
from hean.fleet.wiring import Connect, Notice, notice_of
from hean.paper import PaperSession
from hean.paper_journal import (
    INPUT,
    Inputs,
    SessionHeader,
    end_session_journal,
    resume_session,
    take_input,
)

ASK_S = 0.25  # between two looks for the notice of the market
LOOK_S = 0.01  # while a live market waits for models


class Trading:
    """One life of it. *feed*: the process that has the market. *topics*: where it and the processes
    of models that are heard speak, by their names. *export_to*: where its events are copied.
    *elsewhere*: as of `TradingSystem`.
    """

    def __init__(
        self, connect: Connect, process: str, feed: str, topics: Mapping[str, str],
        settings: BacktestSettings, path: Path, *, export_to: RedisEventStream | None = None,
        elsewhere: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.reader = Reader(connect(), topics, process, inbox=Inbox(), now=time.monotonic_ns)
        self.session: PaperSession | None = None
        self.on_resumed: Callable[[EventBus], None] | None = None
        """Told the bus once the journal was played again, before anything new."""
        self.watermark_ns = 0
        """Up to when was played."""
        self.export: Export | None = None
        self.merger: Merger | None = None
        self.quality = Quality()
        self._models = [name for name in topics if name != feed]
        self._elsewhere = tuple(elsewhere)
        self._export_to = export_to
        self._process = process
        self._feed = feed
        self._settings = settings
        self._path = path

    async def run(self, stop: asyncio.Event) -> dict[str, Any] | None:
        """Trade until the market ends or *stop*. *Returns*: the summary, `None` if it goes on."""
        try:
            notice = await self._notice(stop)
            if notice is None:
                return None
            return await self._life(notice, stop)
        finally:
            await self.reader.close()

    async def _life(self, notice: Notice, stop: asyncio.Event) -> dict[str, Any] | None:
        session, journal, inputs, is_ended = resume_session(
            self._path, self._header(notice), begun=self._begun, played=self._played
        )
        self.session = session
        if self.on_resumed is not None:
            self.on_resumed(session.run.bus)
        session.on_frame.append(lambda _at_ns, facts: self.quality.see(facts))
        session.run.system.bus.tap(self.quality.hear)
        self.reader.inbox.last.update(inputs.last)
        self.reader.done = dict(inputs.last)
        patience_ns = None if notice.is_recorded else PATIENCE_NS
        self.merger = Merger(self._feed, self._models, patience_ns=patience_ns)
        self.merger.resume(inputs.played)
        if self._export_to is not None:
            self.export = Export(self._export_to, journal, self._process)
            await self.export.start()
        try:
            self._committed()
            if not inputs.is_over:
                await self._trade(session, journal, inputs, stop)
            if not inputs.is_over:
                return None
            summary, _ = session.finish()
            if not is_ended:
                end_session_journal(journal, session, session.market.until_ns)
            self._committed()
            while not (await self.reader.confirm(inputs.last) or stop.is_set()):
                await self.reader.next()  # the senders wait for the word that all is done
            return summary
        finally:
            if self.export is not None:
                await self.export.stop()
            journal.close()

    async def _trade(
        self, session: PaperSession, journal: Journal, inputs: Inputs, stop: asyncio.Event
    ) -> None:
        """Until *stop*, or until the market has ended."""
        assert self.merger is not None
        while not (stop.is_set() or inputs.is_over):
            arrived = await self.reader.next(LOOK_S if self.merger.is_waiting else WAIT_S)
            self.merger.take(arrived, time.monotonic_ns())
            turn = self.merger.turn(time.monotonic_ns())
            for each in turn:
                row = journal.append(INPUT, each.data, ts_ns=each.message.ts_ns)
                take_input(session, inputs, each.message)
                self._played(row, each.message)
                self.watermark_ns = max(self.watermark_ns, each.message.ts_ns)
            if turn and not inputs.is_over:
                journal.commit()
                self._committed()
                await self.reader.confirm(inputs.last)

    def _begun(self, session: PaperSession) -> None:
        """A session is there and nothing of it is played."""

    def _played(self, row: int, message: Message) -> None:
        """A message was played."""

    def _committed(self) -> None:
        """What was played is durable."""

    async def _notice(self, stop: asyncio.Event) -> Notice | None:
        while not stop.is_set():
            data = await self.reader.notice(self._feed)
            if data is not None:
                return notice_of(data)
            await asyncio.sleep(ASK_S)
        return None

    def _header(self, notice: Notice) -> SessionHeader:
        terms = {row.symbol: row for row in notice.terms}
        missing = [symbol for symbol in self._settings.symbols if symbol not in terms]
        if missing:
            has = ", ".join(terms)
            raise UnknownSymbol(f"{self._feed} tells {has}, not {', '.join(missing)}.")
        if notice.bar and notice.bar != self._settings.bar:
            raise ParameterInvalid(
                f"{self._feed} makes bars of {notice.bar}, here --bar is {self._settings.bar}; all "
                "processes of a table are given the same."
            )
        wanted = [terms[symbol] for symbol in self._settings.symbols]
        return SessionHeader(
            self._settings, wanted, notice.origin, notice.start_ns, elsewhere=self._elsewhere
        )
