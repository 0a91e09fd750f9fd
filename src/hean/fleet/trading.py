# SPDX-License-Identifier: Apache-2.0
"""`trading.py`: the process with the truth group, whose market comes from another process. Each
message is a row of its journal before anything follows from it, and is confirmed when that row and
what followed are on the disk. So a start is a replay: what the journal has is played again, and the
sender gives the rest once more.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from hean.backtest.run import BacktestSettings
from hean.core.bridge import Reader
from hean.core.event_streams import RedisEventStream
from hean.core.inbox import Inbox
from hean.core.journal import Journal
from hean.errors import UnknownSymbol
from hean.fleet.export import Export
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


class Trading:
    """One life of it. *source*: the process that has the market, which tells it on *topic*.
    *export_to*: where its events are copied.
    """

    def __init__(
        self, connect: Connect, process: str, source: str, topic: str,
        settings: BacktestSettings, path: Path, *, export_to: RedisEventStream | None = None,
    ) -> None:  # fmt: skip
        self.reader = Reader(
            connect(), {source: topic}, process, inbox=Inbox(), now=time.monotonic_ns
        )
        self.session: PaperSession | None = None
        self.watermark_ns = 0
        """Up to when was played."""
        self.export: Export | None = None
        self._export_to = export_to
        self._process = process
        self._source = source
        self._settings = settings
        self._path = path

    async def run(self, stop: asyncio.Event) -> dict[str, Any] | None:
        """Trade until the market ends or *stop*. *Returns*: the summary, `None` if it goes on."""
        try:
            notice = await self._notice(stop)
            if notice is None:
                return None
            session, journal, inputs, is_ended = resume_session(self._path, self._header(notice))
            self.session = session
            self.reader.inbox.last.update(inputs.last)
            if self._export_to is not None:
                self.export = Export(self._export_to, journal, self._process)
                await self.export.start()
            try:
                if not inputs.is_over:
                    await self._trade(session, journal, inputs, stop)
                if not inputs.is_over:
                    return None
                summary, _ = session.finish()
                if not is_ended:
                    end_session_journal(journal, session, session.market.until_ns)
                while not (await self.reader.confirm() or stop.is_set()):
                    await self.reader.next()  # the sender waits for the word that all is done
                return summary
            finally:
                if self.export is not None:
                    await self.export.stop()
                journal.close()
        finally:
            await self.reader.close()

    async def _trade(
        self, session: PaperSession, journal: Journal, inputs: Inputs, stop: asyncio.Event
    ) -> None:
        """Until *stop*, or until the market has ended."""
        while not (stop.is_set() or inputs.is_over):
            arrived = await self.reader.next()
            for each in arrived:
                journal.append(INPUT, each.data, ts_ns=each.message.ts_ns)
                take_input(session, inputs, each.message)
                self.watermark_ns = each.message.ts_ns
            if arrived and not inputs.is_over:
                journal.commit()
                await self.reader.confirm()

    async def _notice(self, stop: asyncio.Event) -> Notice | None:
        while not stop.is_set():
            data = await self.reader.notice(self._source)
            if data is not None:
                return notice_of(data)
            await asyncio.sleep(ASK_S)
        return None

    def _header(self, notice: Notice) -> SessionHeader:
        terms = {row.symbol: row for row in notice.terms}
        missing = [symbol for symbol in self._settings.symbols if symbol not in terms]
        if missing:
            has = ", ".join(terms)
            raise UnknownSymbol(f"{self._source} tells {has}, not {', '.join(missing)}.")
        wanted = [terms[symbol] for symbol in self._settings.symbols]
        return SessionHeader(self._settings, wanted, notice.origin, notice.start_ns)
