# SPDX-License-Identifier: Apache-2.0
"""`paper.py`: trading on paper on a venue's live feed; no key, no order leaves. It is the run of a
backtest whose market is still arriving: whenever frames have come, and a hundred times a second,
the simulated venue is played up to the present with the backtest's own loop, so strategy, risk,
router and portfolio cannot tell the difference. Its clock stands on the arrival times of facts.

A session therefore depends on the facts and their moments alone, and the journal keeps both: one
row a frame before it is played, beside the events. `replay_session` plays the rows again and
compares every event and state hash. A connection that is down for days costs no state: what hangs
on old data is refused by the governor until the data is fresh again, positions and resting orders
stay, timers and funding go on.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from hean.backtest.result import RunRecord
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.driver import run_simulated
from hean.core.types import EventType, Health, Payload
from hean.data.instruments import Fees
from hean.feeds.arriving import ArrivingMarket, Terms
from hean.feeds.freshness import STALE
from hean.feeds.places import Feeds
from hean.net.http import HttpTransport
from hean.net.socket import Dial, picows_dial
from hean.risk.hand import Hand
from hean.strategies.base import Strategy
from hean.system import TradingSystem
from hean.venues.endpoints import Place

Loaded = TypeVar("Loaded")
PLAY_EVERY_S = 0.01  # without news: how late an order under way may be told
SHOW_EVERY_S = 0.25
ACCOUNT = "paper"
"""The account of every session; what a person types to release its kill switch names it."""

Summary = dict[str, Any]


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Loaded]) -> Loaded:
    """What comes of *work*. *Raises*: `CancelledError` as soon as it is to *stop*: a venue that
    does not answer keeps nobody waiting.
    """
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait([working])
        return working.result()
    finally:
        working.cancel()
        stopping.cancel()


class PaperSession:
    """The played part: facts in, a result out. It opens no connection, so a replay uses it too.

    *terms*: of the symbols. *start_ns*: before the first fact. *origin*: what the
    feed is, for people. *elsewhere*: as of `TradingSystem`.
    """

    def __init__(
        self,
        settings: BacktestSettings,
        terms: Sequence[Terms],
        *,
        start_ns: int,
        origin: str,
        strategy: Strategy | None = None,
        beside: Sequence[Strategy] = (),
        elsewhere: Sequence[str] = (),
    ) -> None:
        self.origin = origin
        self.market = ArrivingMarket(terms, start_ns=start_ns, origin=origin)
        self.run = Backtest(
            settings, self.market, strategy=strategy, beside=beside, is_attended=True,
            elsewhere=frozenset(elsewhere),
        )  # fmt: skip
        system = self.run.system
        self.hand = Hand(
            system.governor,
            system.portfolio.ledger,
            limits=settings.account.hard_limits,
            account_id=ACCOUNT,
            owners=system.owners,
        )
        for module in self.hand.modules:
            system.add(module)
        self.on_frame: list[Callable[[int, tuple[Payload, ...]], None]] = []
        """Told moment and facts of each frame before they are played."""
        self.on_said: list[Callable[[int, tuple[Payload, ...]], None]] = []
        """Told the same of what a person wants, which is no part of the market."""
        self.health: dict[str, Health] = {}
        """The last report of each component."""
        self.stale_reports = 0
        """Times that data was fresh and became stale."""
        self._began_s = time.perf_counter()
        self.run.recorder.begin(start_ns)

    def take(self, at_ns: int, facts: tuple[Payload, ...]) -> None:
        """The facts of one frame that arrived at *at_ns*."""
        at_ns = self.market.take(at_ns, facts)
        for told in self.on_frame:
            told(at_ns, facts)
        for fact in facts:
            if fact.event_type is EventType.HEALTH and isinstance(fact, Health):
                before = self.health.get(fact.component)
                self.stale_reports += fact.state == STALE and before is not None
                self.health[fact.component] = fact

    def say(self, at_ns: int, facts: tuple[Payload, ...]) -> None:
        """What a person wants at *at_ns*, as facts; played like a frame, and kept in the journal
        as one.
        """
        at_ns = self.market.take(at_ns, facts)
        for told in self.on_said:
            told(at_ns, facts)

    def play(self, until_ns: int) -> None:
        """Play everything before *until_ns*. *Raises*: what a handler raises."""
        until_ns = max(until_ns, self.market.free_ns)
        self.market.hand_over(self.run.venue.core, until_ns)
        run_simulated(self.run.bus, self.run.clock, self.run.source)

    def finish(self) -> tuple[Summary, RunRecord]:
        """*Returns*: summary and record, as of a backtest."""
        clock = self.run.clock
        self.market.end_ns = max(clock.now_ns, self.market.start_ns + 1)
        return self.run.finish(time.perf_counter() - self._began_s)


class Paper:
    """A session on a live feed, from connecting to the result.

    *places*: the markets, with the symbols of each. *now*: UTC nanoseconds that never go back.
    *rng*: of waiting times. *market_data*, *transport*, *dial*: as of `Feeds`.
    """

    def __init__(
        self,
        places: Sequence[Place],
        settings: BacktestSettings,
        *,
        now: Callable[[], int],
        rng: random.Random,
        strategy: Strategy | None = None,
        beside: Sequence[Strategy] = (),
        depth: int = 50,
        market_data: str | None = None,
        show: Callable[[Paper], None] | None = None,
        transport: Callable[[float], HttpTransport] | None = None,
        dial: Dial = picows_dial,
    ) -> None:
        self.places = places
        self.settings = settings
        self.session: PaperSession
        self.feeds = Feeds(
            places,
            now=now,
            rng=rng,
            depth=depth,
            market_data=market_data,
            transport=transport,
            dial=dial,
        )
        self.terms: list[Terms]
        self.ended_ns = 0
        """Up to when it was played."""
        self.mode = "PAPER"
        self._now = now
        self._strategies = strategy, beside
        self.on_ready: list[Callable[[Paper], None]] = []
        """Told once the feed delivers, before the first fact is played."""
        self._show = show
        self._failed: asyncio.Future[None]
        self._is_scheduled = False

    @property
    def origin(self) -> str:
        """What the feed is, for people."""
        return " + ".join(place.title for place in self.places)

    @property
    def system(self) -> TradingSystem:
        """The modules of the session."""
        return self.session.run.system

    @property
    def hand(self) -> Hand:
        """What a person can do to it."""
        return self.session.hand

    def fees(self, symbol: str) -> Fees:
        """As of `OnPaper`."""
        return self.session.run.fees(symbol)

    def watch_market(self, see: Callable[[int, tuple[Payload, ...]], None]) -> None:
        """Have *see* told the moment and facts of each frame of the feed."""
        self.session.on_frame.append(see)

    def say(self, facts: tuple[Payload, ...]) -> None:
        """Let a person's facts enter and play them. *Raises*: what a handler raises."""
        now_ns = self._now()
        self.session.say(now_ns, facts)
        self.session.play(max(now_ns, self.session.market.free_ns))

    async def run(self, stop: asyncio.Event) -> tuple[Summary, RunRecord]:
        """Trade until *stop*. *Raises*: `EnvironmentFault`, `VenueError`, `UnknownSymbol` while
        connecting, `CancelledError` when it is to stop before that is done, and whatever a handler
        raises.
        """
        loop = asyncio.get_running_loop()
        self._failed = loop.create_future()
        async with AsyncExitStack() as stack:
            self.terms = await _unless(stop, self.feeds.load(stack))
            strategy, beside = self._strategies
            self.session = PaperSession(
                self.settings,
                self.terms,
                start_ns=self._now(),
                origin=self.origin,
                strategy=strategy,
                beside=beside,
            )
            for told in self.on_ready:
                told(self)
            await self.feeds.start(stack, self._take)
            playing = loop.create_task(self._keep_playing())
            stopping = loop.create_task(stop.wait())
            ends: list[asyncio.Future[Any]] = [stopping, self._failed]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                playing.cancel()
                stopping.cancel()
            if self._failed.done():
                self._failed.result()
        self.ended_ns = max(self._now(), self.session.market.free_ns)
        self.session.play(self.ended_ns)
        summary, record = self.session.finish()
        summary["feed"] = self._feed_facts()
        return summary, record

    def _take(self, facts: tuple[Payload, ...]) -> None:
        if self._failed.done():
            return
        try:
            self.session.take(self._now(), facts)
        except Exception as error:  # noqa: BLE001  # reason: a disk that refuses; as in `_play`
            self._failed.set_exception(error)
            return
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._play)

    def _play(self) -> None:
        self._is_scheduled = False
        if self._failed.done():
            return
        try:
            self.session.play(self._now())
        except Exception as error:  # noqa: BLE001  # reason: `run` ends the session and raises it
            self._failed.set_exception(error)

    async def _keep_playing(self) -> None:
        """Timers fire and orders arrive although no frame comes."""
        shown_s = 0.0
        while True:
            await asyncio.sleep(PLAY_EVERY_S)
            self._play()
            if self._show is not None and time.monotonic() - shown_s >= SHOW_EVERY_S:
                shown_s = time.monotonic()
                self._show(self)

    def _feed_facts(self) -> Summary:
        session, ends = self.session, [place.endpoints for place in self.places]
        return {
            "venue": " + ".join(dict.fromkeys(each.venue for each in ends)),
            "market": " + ".join(dict.fromkeys(each.market for each in ends)),
            "network": " + ".join(dict.fromkeys(each.network for each in ends)),
            "stale_reports": session.stale_reports,
            "off_grid": session.market.off_grid,
            **self.feeds.counters(),
        }
