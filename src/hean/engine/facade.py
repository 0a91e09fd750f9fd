# SPDX-License-Identifier: Apache-2.0
"""`facade.py`: the one object that API and page hold. It starts and stops an engine, or follows one
that is started elsewhere, answers from what the engine has, and turns a person's wish into facts
that go the way of all others: governor, order engine, router. It judges no rights and knows no
strategy, venue or feed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from hean._core import Instrument
from hean.core.orders import MANUAL
from hean.core.types import (
    CancelRequest,
    Command,
    OrderRequest,
    OrderType,
    Payload,
    Side,
    TimeInForce,
)
from hean.engine import documents as doc
from hean.engine.gauges import samples_of, stopped
from hean.engine.health import health_of, not_ready
from hean.engine.indicating import chosen_of, lines_of
from hean.engine.market import LEVELS as BOOK_LEVELS
from hean.engine.market import MarketView
from hean.engine.port import DOWN, FAILED, STOPPED, STOPPING, Engine, Seen
from hean.engine.preview import preview_of
from hean.engine.stop import InMemory, Keeps, Stop
from hean.engine.views import portfolio_of, positions_of, risk_of, strategies_of
from hean.engine.watch import DECISIONS, FILLS, Watch
from hean.errors import OrderUnknown, StateError, UnknownSymbol
from hean.observe.metrics import Samples
from hean.risk.directives import DISABLE, ENABLE, LIMITS, check_limits, slack
from hean.risk.levels import LEVELS, RUN, Latched

STOP_S = 30.0
ELSEWHERE = "the trading process is started and ended where its keys are: hean live"


class EngineFacade:
    """*make*: a new engine, for each start. *now*: UTC nanoseconds. *latch*: where the level of the
    kill switch is kept while no engine of ours runs.
    """

    def __init__(
        self, make: Callable[[], Engine], *, now: Callable[[], int], latch: Keeps | None = None
    ) -> None:
        self._make = make
        self._now = now
        self._engine: Engine | None = None
        self._watch: Watch | None = None
        self._market = MarketView(())
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._latch = Stop(latch or InMemory())
        self._started_ns: int | None = None
        self._error: str | None = None
        self.is_ready = False
        """Whether there is, or was, an engine to ask."""
        self.on_ready: list[Callable[[Seen], None]] = []
        """Told the system of an engine that begins, before its first fact."""
        self.on_end: list[Callable[[str | None], None]] = []
        """Told why an engine failed, or `None` when it ended in order."""
        self.result: Any = None
        """What the last engine returned when it ended."""

    # ------------------------------------------------------------ life

    def start(self) -> doc.Status:
        """Start an engine unless one runs. It is ready a little later; ask `status`.

        *Raises*: `StateError` where one that was to be followed has to be started elsewhere.
        """
        if self._is_followed and self.state in DOWN and not self._has_ended:
            raise StateError(f"{ELSEWHERE}.")
        if self._task is None or self._task.done():
            self._stop = asyncio.Event()
            self._error, self.is_ready, self._started_ns = None, False, self.now_ns
            self._engine = self._make()
            self._engine.on_ready.append(self._ready)
            self._task = asyncio.get_running_loop().create_task(self._run(self._engine))
        return self.status()

    async def stop(self) -> doc.Status:
        """End the engine, if one runs, and wait until it has ended."""
        if self._task is not None and not self._task.done():
            self._stop.set()
            await asyncio.wait([self._task], timeout=STOP_S)
        return self.status()

    async def ask_to_stop(self) -> doc.Status:
        """The same for a person. *Raises*: `StateError` for an engine that is not ours to end."""
        if self._is_followed:
            raise StateError(f"{ELSEWHERE}. To stop trading, use the kill switch.")
        return await self.stop()

    async def ended(self) -> None:
        """Return when the engine has ended by itself or was stopped."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self, engine: Engine) -> None:
        try:
            self.result = await engine.run(self._stop)
        except Exception as error:  # noqa: BLE001  # reason: told by `status`, as HeanErrors are
            self._error = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
        finally:
            if self._watch is not None:
                self._watch.end()
            for told in self.on_end:
                told(self._error)

    @property
    def _has_ended(self) -> bool:
        return self._task is None or self._task.done()

    def _ready(self, engine: Engine) -> None:
        system = engine.system
        if self._watch is not None:
            self._watch.end()
        self._watch = Watch(system.bus, system.engine, equity=system.portfolio.ledger.deposits)
        self._market = MarketView(system.portfolio.symbols)
        engine.watch_market(self._market.see)
        engine.watch_market(self._watch.see)
        self.is_ready = True
        for told in self.on_ready:
            told(system)
        if engine.is_ours:
            engine.restore(self._latch.latched)
            self._latch.listen(engine.system.bus)

    @property
    def now_ns(self) -> int:
        """UTC nanoseconds."""
        return self._now()

    @property
    def state(self) -> str:
        """In one word."""
        if self._task is None or self._engine is None:
            return STOPPED
        if self._task.done():
            return FAILED if self._error else STOPPED
        return STOPPING if self._stop.is_set() else self._engine.state

    # ------------------------------------------------------------ questions

    def status(self) -> doc.Status:
        """How the engine is."""
        engine, state = self._engine, self.state
        system = engine.system if engine is not None and self.is_ready else None
        since_ns = self._started_ns
        if engine is not None and not engine.is_ours:
            since_ns = engine.started_ns
        is_on = since_ns is not None and not self._has_ended
        return doc.Status(
            state=state,
            mode=engine.mode if engine else "NONE",
            origin=engine.origin if engine else "",
            symbols=list(system.portfolio.symbols) if system else [],
            strategies=[each.name for each in system.strategies] if system else [],
            started_at=since_ns if is_on else None,
            uptime_seconds=(self.now_ns - since_ns) / 1e9 if is_on and since_ns else 0.0,
            events=system.bus.seq if system else 0,
            error=self._error or (engine.error if engine else None),
            is_followed=engine is not None and not engine.is_ours,
        )

    def moment(self) -> Hashable:
        """What is the same only while nothing has happened: which engine, its state, its last
        event. Prices of a market that is followed may move meanwhile.
        """
        engine = self._engine
        seq = engine.system.bus.seq if engine is not None and self.is_ready else 0
        return id(engine), self.state, seq

    def health(self) -> dict[str, Any]:
        """How it is, part by part, in the fields of `/health`."""
        live = self._engine.live if self._engine is not None else None
        return health_of(self.status(), live, self.now_ns, self._parts() if self.is_ready else None)

    def not_ready(self) -> list[str]:
        """Why nobody should rely on it yet, in words."""
        return not_ready(self.status(), self._parts() if self.is_ready else None)

    def metrics(self) -> Samples:
        """What machines that watch it are told."""
        if not self.is_ready:
            return stopped(self.status())
        engine, parts = self._followed(), self._parts()
        return samples_of(self.status(), self.risk(), engine.live, engine.reconciled, *parts)

    def portfolio(self) -> doc.Portfolio:
        """The account at the last prices. *Raises*: `StateError` before an engine was ready."""
        system, watch = self._parts()
        return portfolio_of(system, watch, mode=self.status().mode)

    def history(self) -> list[doc.EquityPoint]:
        """Equity since the session began, the oldest first."""
        _, watch = self._parts()
        return [doc.EquityPoint(ts=at, equity=equity) for at, equity in watch.curve.points()]

    def positions(self) -> list[doc.Position]:
        """What is held, flat symbols left out."""
        system, _ = self._parts()
        return positions_of(system)

    def orders(self, limit: int = 100, status: str | None = None) -> list[doc.Order]:
        """The newest first."""
        return self._parts()[1].orders(limit, status)

    def find_order(self, order_id: str) -> doc.Order | None:
        """One order, `None` for a name that nobody knows."""
        return self._parts()[1].order(order_id)

    def order(self, order_id: str) -> doc.Order:
        """One order. *Raises*: `OrderUnknown`."""
        found = self.find_order(order_id)
        if found is None:
            raise OrderUnknown(f"no order is called {order_id[:64]!r} in this session.")
        return found

    def latest(self, name: str, limit: int = 100) -> list[Any]:
        """The newest first of `fills`, `order_decisions`, `ai_catalyst` or `logs`."""
        rows = self._parts()[1].rows[name]
        return [rows[-1 - number] for number in range(min(limit, len(rows)))]

    def totals(self) -> Mapping[str, int]:
        """How many rows of each name of `latest` there have been."""
        return self._parts()[1].totals

    def quotes(self) -> list[doc.Quote]:
        """The market, a line for each symbol."""
        self._parts()
        return self._market.quotes()

    def ladder(self, symbol: str) -> doc.Ladder:
        """The book. *Raises*: `UnknownSymbol`."""
        return self._market.ladder(self._traded(symbol))

    def trades(self, symbol: str) -> list[doc.Trade]:
        """The newest trades of the market. *Raises*: `UnknownSymbol`."""
        return self._market.trades(self._traded(symbol))

    def bars(self, symbol: str, seconds: int) -> list[doc.Bar]:
        """Bars since the session began, of 5, 30, 60, 300 or 900 *seconds*. *Raises*:
        `UnknownSymbol`.
        """
        return self._market.bars(self._traded(symbol), seconds)

    def rules(self, symbol: str) -> Instrument:
        """Trading rules of a symbol. *Raises*: `UnknownSymbol`."""
        return self._parts()[0].governor.instruments[self._traded(symbol)]

    def indicators(self, symbol: str, seconds: int, chosen: str) -> doc.Indicators:
        """Lines over those bars. *Raises*: `UnknownSymbol`, `ParameterInvalid`."""
        kinds, bars = chosen_of(chosen), self.bars(symbol, seconds)
        return doc.Indicators(
            symbol=symbol,
            seconds=seconds,
            ts=[bar.ts for bar in bars],
            lines=lines_of(bars, kinds),
        )

    def strategies(self) -> list[doc.Strategy]:
        """Every strategy of the session."""
        return strategies_of(*self._parts(), disabled=self._followed().disabled)

    def risk(self) -> doc.Risk:
        """Limits and what counts against them."""
        return risk_of(self._parts()[0], self._followed().limits)

    def killswitch(self) -> doc.KillSwitch:
        """The latch."""
        latched = self._latched
        return doc.KillSwitch(
            latched=latched.level != RUN,
            level=latched.level,
            reason=latched.reason,
            actor=latched.actor,
            since=latched.since_ns or None,
        )

    def live(self) -> doc.Live:
        """What the live gate lacks; never the phrase."""
        if self._engine is None:
            return doc.Live(mode="NONE", live_trading=False, missing=["no engine runs"])
        return self._engine.live

    def reconciled(self) -> doc.Reconciled:
        """Our books beside the venue's."""
        return self._followed().reconciled

    def digest(self) -> doc.Digest:
        """What two engines of the same past share."""
        system, _ = self._parts()
        return doc.Digest(seq=system.bus.seq, state_hash=system.state_hash())

    # ------------------------------------------------------------ wishes

    async def place(
        self,
        symbol: str,
        side: Side,
        type: OrderType,
        qty: Decimal,
        *,
        price: Decimal | None = None,
        reduce_only: bool = False,
        time_in_force: TimeInForce = TimeInForce.GTC,
        algo: str | None = None,
    ) -> doc.Order:
        """Ask for an order; the governor judges it as any other. *Returns*: it, perhaps refused.
        *Raises*: `UnknownSymbol`.
        """
        self._traded(symbol)
        watch = self._parts()[1]
        # Without a name: the governor gives it the next one, as it would in a replay.
        wish = OrderRequest(symbol, side, qty, type, price, "", None, reduce_only, time_in_force)
        order_id = await self.say(replace(wish, strategy_id=MANUAL, algo=algo))
        if not order_id:
            rows = reversed(watch.rows[DECISIONS])
            order_id = next(row.client_order_id for row in rows if row.strategy_id == MANUAL)
        return self.order(order_id)

    def preview(
        self,
        symbol: str,
        side: Side,
        type: OrderType,
        qty: Decimal,
        *,
        price: Decimal | None = None,
        reduce_only: bool = False,
        time_in_force: TimeInForce = TimeInForce.GTC,
        algo: str | None = None,
    ) -> doc.Preview:
        """What such an order would be judged like now; nothing is asked for. *Raises*:
        `UnknownSymbol`.
        """
        quote = next(each for each in self.quotes() if each.symbol == self._traded(symbol))
        wish = OrderRequest(symbol, side, qty, type, price, "", None, reduce_only, time_in_force)
        return preview_of(
            self._parts()[0],
            replace(wish, strategy_id=MANUAL, algo=algo),
            ladder=self._market.ladder(symbol, BOOK_LEVELS),
            quote=quote,
            limits=self._followed().limits,
            fees=self._followed().fees(symbol),
        )

    async def why(self, order_id: str) -> doc.Why:
        """How an order came to be and what became of it. *Raises*: `OrderUnknown`."""
        order, watch = self.order(order_id), self._parts()[1]
        return doc.Why(
            order=order,
            decisions=[r for r in watch.rows[DECISIONS] if r.client_order_id == order_id],
            fills=[row for row in watch.rows[FILLS] if row.client_order_id == order_id],
            chain=await self._followed().chain(order_id),
        )

    async def cancel(self, order_id: str) -> doc.Order:
        """Ask for the end of an order. *Raises*: `OrderUnknown`."""
        order = self.order(order_id)
        await self.say(CancelRequest(order_id, order.symbol, "asked by a person"))
        return self.order(order_id)

    async def cancel_all(self) -> list[doc.Order]:
        """Ask for the end of every open order but the stops that protect a position.

        *Returns*: those asked for.
        """
        system, _ = self._parts()
        keeps = self._followed().keeps
        ids = [row["client_order_id"] for row in system.engine.open_orders()]
        ids = [order_id for order_id in ids if not keeps(order_id)]
        if ids:
            await self.say(*[CancelRequest(each, "", "all asked by a person") for each in ids])
        return [self.order(each) for each in ids]

    async def switch(self, strategy: str, *, on: bool, actor: str) -> doc.Strategy:
        """Switch a strategy on or off. *Raises*: `OrderUnknown`."""
        names = [each.name for each in self._parts()[0].strategies]
        if strategy not in names:
            raise StateError(f"no strategy {strategy[:64]!r} here; known: {', '.join(names)}.")
        await self.say(Command(ENABLE if on else DISABLE, {"strategy": strategy}, actor))
        return next(each for each in self.strategies() if each.id == strategy)

    def is_looser(self, limits: Mapping[str, str | None]) -> bool:
        """Whether any of these limits allows more than the one in force. *Raises*:
        `UnknownField` for a name that no limit has, another `HeanError` for a value that is none.
        """
        check_limits(limits)
        now = self._followed().limits
        return any(slack(name, new) > slack(name, now.get(name)) for name, new in limits.items())

    async def change_limits(self, limits: Mapping[str, str | None], actor: str) -> doc.Risk:
        """Put hard limits in force, for the next order on. *Raises*: as `is_looser`."""
        check_limits(limits)
        await self.say(Command(LIMITS, dict(limits), actor))
        return self.risk()

    async def kill(self, level: str, reason: str, actor: str) -> doc.KillSwitch:
        """Stop. *Raises*: `StateError` for a level that does not exist, `EnvironmentFault` when
        nobody took it.
        """
        if level not in LEVELS[1:]:
            raise StateError(f"no such level; known: {', '.join(LEVELS[1:])}.")
        if self._is_followed:
            await self._reachable().kill(level, reason, actor)
            return self.killswitch()
        try:
            if self._is_trading:
                await self._followed().kill(level, reason, actor)
        finally:
            self._latch.keep(Latched(level, reason, actor, self.now_ns))
        return self.killswitch()

    async def release(self, phrase: str, reason: str, actor: str) -> doc.KillSwitch | doc.Refusal:
        """Go on, if nothing stands against it; else what does. *Raises*: `StateError` while there
        is no engine whose books could be compared.
        """
        if not self._is_followed and not self._is_trading:
            raise StateError("released is an engine that runs: start it first, it stays stopped.")
        missing = await self._followed().release(phrase, reason, actor)
        return doc.Refusal(missing=list(missing)) if missing else self.killswitch()

    async def confirm(self, phrase: str, actor: str) -> doc.Live | doc.Refusal:
        """Type the phrase of this boot. *Returns*: what the gate still lacks, or, where it was
        another phrase, that. *Raises*: `StateError` for an engine that has no gate.
        """
        missing = await self._followed().confirm(phrase, actor)
        return doc.Refusal(missing=list(missing)) if missing else self.live()

    async def resolve(self, asked: doc.Claimed, actor: str) -> doc.Decided | doc.Refusal:
        """Say what became of an order in quarantine; the venue is asked first. *Raises*:
        `OrderUnknown`, `HeanError` for a claim that does not hold.
        """
        self.order(asked.order_id)
        found = await self._followed().resolve(asked, actor)
        if isinstance(found, str):
            return doc.Decided(order_id=asked.order_id, done=found)
        return doc.Refusal(missing=list(found))

    # ------------------------------------------------------------ inside

    def _parts(self) -> tuple[Seen, Watch]:
        if self._engine is None or self._watch is None or not self.is_ready:
            raise StateError("the engine is not running; start it first.")
        return self._engine.system, self._watch

    def _followed(self) -> Engine:
        self._parts()
        assert self._engine is not None
        return self._engine

    @property
    def _is_followed(self) -> bool:
        return self._engine is not None and not self._engine.is_ours

    @property
    def _is_trading(self) -> bool:
        return self.is_ready and not self._has_ended

    @property
    def _latched(self) -> Latched:
        if self._is_followed or self._is_trading:
            return self._reachable().latched
        return self._latch.latched

    def _reachable(self) -> Engine:
        """One that can be stopped, also before it can be seen."""
        if self._engine is not None and self._is_followed and not self._has_ended:
            return self._engine
        return self._followed()

    def _traded(self, symbol: str) -> str:
        symbols = self._parts()[0].portfolio.symbols
        if symbol not in symbols:
            known = ", ".join(symbols)
            raise UnknownSymbol(f"{symbol[:64]!r} is not traded here; known: {known}.")
        return symbol

    async def say(self, *facts: Payload) -> str:
        """Put a person's wishes on the bus. *Raises*: `StateError` when nobody trades."""
        engine = self._followed()
        if self._has_ended:
            raise StateError("the engine has ended; start it first.")
        return await engine.say(*facts)
