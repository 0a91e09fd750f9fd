# SPDX-License-Identifier: Apache-2.0
"""Paper trading on the twin in virtual time: the session of `hean paper` with its feeds, parsers
and journal, the twin's exchange with its dialect at the other end of a simulated wire, and prices
that follow a course. An hour takes seconds, nothing waits, and the same course is the same session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import polars as pl
import pytest

from hean.backtest.run import Backtest, BacktestSettings
from hean.core.bus import EventBus
from hean.core.types import Candle, Event, EventType
from hean.feeds.recording import load_market
from hean.paper import Paper
from hean.paper_journal import finish_session_journal, start_recording, start_session_journal
from hean.sim.exchange import MarketPath, SimExchange
from hean.sim.net import SimNet
from hean.sim.process import Process
from hean.sim.world import START_NS, World
from hean.strategies.base import Strategy
from hean.twin.market import TwinMarket
from hean.venues.endpoints import Market, Place, endpoints_for

NS = 1_000_000_000
LOOK_S = 0.2  # a twentieth of the looks at a market where nothing happens; see `test_paper.py`: how
# often a session is played is no part of its result
KINDS: tuple[tuple[Market, str], ...] = (("spot", "spot"), ("linear", "perp"))
DECISIONS = frozenset(
    {
        EventType.SIGNAL,
        EventType.CANCEL_REQUEST,
        EventType.ORDER_REQUEST,
        EventType.ORDER_APPROVED,
        EventType.ORDER_FILLED,
        EventType.FUNDING,
    }
)
Course = Callable[[str, str, float], float]
"""The middle of a market at a second of the session: kind (`spot`, `linear`), symbol, second."""
Heard = list[tuple[int, Any]]
"""Decisions and what came of them: moment, fact."""


class CourseExchange(SimExchange):
    """Bybit's spot and perpetuals of *coins* on one exchange, at the prices of a course. *beat_s*:
    how often a market moves and is told; a book is stale after two seconds. *trades*: on average in
    a beat.
    """

    def __init__(
        self,
        world: World,
        course: Course,
        coins: tuple[str, ...],
        *,
        beat_s: float = 0.8,
        trades: float = 10.0,
    ) -> None:
        super().__init__(world, "bybit", "linear", coins, path=MarketPath(trades=trades))
        self.tick_s = self.step_s = beat_s
        self.levels = 6
        for coin in coins:
            self._list("bybit", "spot", coin)
        self.course = course

    def next_price(self, market: TwinMarket) -> float:
        """What the course says."""
        return self.course(*market.key, self.world.now_s())


@dataclass
class Session:
    """One session: where it writes, and once it is over what came of it."""

    paper: Paper
    folder: Path
    decisions: Heard = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def journal(self) -> Path:
        """Of the session."""
        return self.folder / "run.journal"

    @property
    def tape(self) -> Path:
        """Its recording."""
        return self.folder / "tape.jsonl.gz"

    @property
    def strategy(self) -> Strategy:
        """As the session left it."""
        return self.paper.session.run.system.strategy

    async def run(self, stop: asyncio.Event) -> None:
        """Trade until *stop*, with journal and recording, as the command does."""
        opened: list[Any] = []

        def ready(paper: Paper) -> None:
            opened.append(start_session_journal(self.journal, paper.session, paper.terms))
            opened.append(start_recording(self.tape, paper.session, paper.terms))
            self.decisions = heard(paper.session.run.bus)

        paper = self.paper
        paper.on_ready.append(ready)
        self.summary, _ = await paper.run(stop)
        journal, tape = opened
        finish_session_journal(journal, paper.session, paper.ended_ns)
        tape.close(paper.ended_ns)


class PaperWorld:
    """A world with the exchange, and sessions in it; use it as a context. *prepare*: given the
    exchange before it opens. *seed*: of the depth, the trades and every journey; the course has its
    own. *given*: to the exchange.
    """

    def __init__(
        self,
        course: Course,
        coins: tuple[str, ...],
        *,
        prepare: Callable[[CourseExchange], None] | None = None,
        seed: int = 1,
        **given: float,
    ) -> None:
        self.world = World(seed)
        self.exchange = CourseExchange(self.world, course, coins, **given)
        self.net = SimNet(self.world, self.exchange)
        self.errors: list[str] = []
        self.world.on_error = self.errors.append
        self._processes: list[Process] = []
        if prepare is not None:
            prepare(self.exchange)
        self.exchange.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        self.world.close()

    def run(self, seconds: float, *given: tuple[BacktestSettings, Path]) -> list[Session]:
        """Play sessions beside each other from now on for so many virtual seconds. *given*: of
        each, settings and a folder to make. *Returns*: them, over.
        """
        stop = asyncio.Event()
        sessions = []
        for settings, folder in given:
            folder.mkdir()
            session = Session(self._paper(settings), folder)
            self._processes[-1].run(session.run(stop))
            sessions.append(session)
        self.world.later(seconds, stop.set)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hean.paper.PLAY_EVERY_S", LOOK_S)
            self.world.loop.run_forever()
        assert self.errors == []
        return sessions

    def _paper(self, settings: BacktestSettings) -> Paper:
        """A session in a process of its own."""
        number = len(self._processes) + 1
        process = Process(self.world, number, self._ended)
        self._processes.append(process)
        return Paper(
            places_of(settings.symbols),
            settings,
            now=self.world.now,
            rng=self.world.rng(f"paper {number}"),
            transport=self.net.transport(process),
            dial=self.net.dial(process),
        )

    def _ended(self, why: str) -> None:
        if why:
            self.errors.append(why)
        if why or not any(process.is_alive for process in self._processes):
            self.world.loop.stop()


def places_of(symbols: Sequence[str]) -> list[Place]:
    """One feed for each kind of market among `BTCUSDT@spot`, `ETHUSDT@perp`; `BTCUSDT` is one of
    the latter.
    """
    found = []
    for kind, word in KINDS:
        names = {
            coin: name
            for name in symbols
            for coin, _, market in [name.partition("@")]
            if (market or "perp") == word
        }
        if names:
            ends = endpoints_for("bybit", kind, testnet=True, environment={})
            found.append(Place(ends, names))
    return found


def heard(bus: EventBus) -> Heard:
    """A list that fills with every decision and what came of it."""
    decisions: Heard = []

    def tap(event: Event) -> None:
        if event.event_type in DECISIONS:
            decisions.append((event.ts_ns - START_NS, event.data))

    bus.tap(tap)
    return decisions


@dataclass
class Judged:
    """A backtest. *bars*: that it was told, by symbol."""

    summary: dict[str, Any]
    decisions: Heard
    bars: dict[str, list[Candle]]


def backtest(settings: BacktestSettings, files: Sequence[Path]) -> Judged:
    """The backtest of what a session recorded, or of files of bars."""
    run = Backtest(settings, load_market(files, settings.symbols))
    decisions = heard(run.bus)
    bars: dict[str, list[Candle]] = {}

    def keep(event: Event) -> None:
        bars.setdefault(event.data.symbol, []).append(event.data)

    run.bus.subscribe(EventType.CANDLE, keep)
    summary, _ = run.run()
    return Judged(summary, decisions, bars)


def write_bars(symbol: str, bars: Sequence[Candle], folder: Path) -> Path:
    """A file of candles as `hean data` knows them."""
    coin, _, kind = symbol.partition("@")
    names = ("open", "high", "low", "close", "volume")
    columns = {name: [getattr(bar, name) for bar in bars] for name in names}
    times = [bar.timestamp // 1_000_000 for bar in bars]
    path = folder / f"bybit_{kind or 'perp'}_{coin}_{bars[0].timeframe}.parquet"
    pl.DataFrame({"ts": times, **columns}).write_parquet(path)
    return path
