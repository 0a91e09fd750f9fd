# SPDX-License-Identifier: Apache-2.0
"""A real engine behind its facade: a paper session on a twin in this process, with a journal."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hean.backtest.run import BacktestSettings
from hean.core.types import Event, EventType
from hean.engine import EngineFacade
from hean.engine.on_paper import OnPaper
from hean.engine.port import UP
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.paper import Paper
from hean.paper_journal import finish_session_journal, start_session_journal
from hean.twin.build import Twin, TwinSettings
from hean.venues.endpoints import Place, endpoints_for

SYMBOLS = ("BTCUSDT", "ETHUSDT")
STRATEGIES = Path(__file__).parent / "paper_strategies.py"
IDLE = f"{STRATEGIES}:Quiet"
KEYS = {"main": ("engine-desk-key", "engine-desk-secret-0123456789")}
PATIENCE_S = 240.0


class EngineDesk:
    """*now_ns*: what the session believes the time is, ahead of the clock by `ahead_ns`."""

    def __init__(
        self, twin: Twin, journal: Path, strategy: str, given: dict[str, Any] | None = None
    ) -> None:
        self.twin = twin
        self.journal = journal
        self.strategy = strategy
        self.given = given or {}
        self.ahead_ns = 0
        self.papers: list[Paper] = []
        self._books: list[Any] = []
        self.latch = journal.with_name("paper.latch")
        self.facade = EngineFacade(
            self._make, now=self.now, latch=Latch(self.latch, read_file, write_file)
        )

    def now(self) -> int:
        """UTC nanoseconds."""
        return time.time_ns() + self.ahead_ns

    def _make(self) -> OnPaper:
        base = f"http://127.0.0.1:{self.twin.port}"
        socket = base.replace("http", "ws")
        given = {
            "BYBIT_REST_URL": base,
            "BYBIT_WS_PUBLIC_URL": socket,
            "BYBIT_WS_PRIVATE_URL": socket,
            "BYBIT_WS_TRADE_URL": socket,
        }
        ends = endpoints_for("bybit", "linear", testnet=True, environment=given)
        places = [Place(ends, {symbol: symbol for symbol in SYMBOLS})]
        paper = Paper(
            places,
            BacktestSettings(self.strategy, SYMBOLS, self.given),
            now=self.now,
            rng=random.Random(1),
        )
        paper.on_ready.append(self._record)
        self.papers.append(paper)
        return OnPaper(paper, now=self.now)

    def _record(self, paper: Paper) -> None:
        if self._books:
            self.journal = self.journal.with_name(f"session-{len(self._books) + 1}.journal")
        self._books.append(start_session_journal(self.journal, paper.session, paper.terms))

    async def start(self, patience_s: float = PATIENCE_S) -> None:
        """Start it and wait until it knows a price of every symbol, and nothing is stale."""
        self.facade.start()
        await self.until(lambda: self.facade.state in UP, patience_s)
        paper = self.papers[-1]
        venue = paper.session.run.venue
        await self.until(lambda: all(venue.last_price(symbol) for symbol in SYMBOLS), patience_s)
        await self.until(lambda: not self.facade.not_ready(), patience_s)

    def facts(self) -> list[Event]:
        """A list that gets everything the bus delivers from now on."""
        heard: list[Event] = []
        self.papers[-1].system.bus.tap(heard.append)
        return heard

    async def stop(self) -> None:
        """Stop it and close its journal."""
        await self.facade.stop()
        paper = self.papers[-1]
        finish_session_journal(self._books[-1], paper.session, paper.ended_ns)

    async def until(self, condition: Any, patience_s: float = PATIENCE_S) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(patience_s):
            while not condition():
                assert self.facade.state != "FAILED", self.facade.status().error
                await asyncio.sleep(0.005)

    def filled(self, order_id: str) -> bool:
        """Whether an order is."""
        return self.facade.order(order_id).status == "FILLED"

    def seen(self, kind: EventType) -> int:
        """How often the journal has an event."""
        return sum(row.kind == kind.value for row in self._books[-1].records())


@asynccontextmanager
async def engine_desk(
    folder: Path, strategy: str = IDLE, given: dict[str, Any] | None = None
) -> AsyncIterator[EngineDesk]:
    """A twin and an engine that is not started. *given*: parameters of the strategy."""
    twin = Twin(TwinSettings("bybit", KEYS, limits_scale=100.0))
    await twin.start()
    desk = EngineDesk(twin, folder / "session.journal", strategy, given)
    try:
        yield desk
    finally:
        if desk.facade.state not in ("STOPPED", "FAILED"):
            await desk.facade.stop()
        await twin.stop()
