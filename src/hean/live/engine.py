# SPDX-License-Identifier: Apache-2.0
"""`engine.py`: one life of a trading process. It takes the lock, reads the journal into books, asks
the venue for its rules, builds the same modules as every other mode around a real gateway, writes
that a life begins, and only then lets anything happen. Nothing new leaves before the account has
been read, compared and found explained. When it ends, however it ends, the next life finds
everything it needs in the journal and at the venue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from itertools import chain, count, repeat
from typing import Any

import msgspec

from hean import __version__
from hean._core import Instrument
from hean.core.bus import EventBus
from hean.core.clock import LiveClock
from hean.core.driver import RimTask, run_live
from hean.core.journal import Journal
from hean.core.mailbox import Turns
from hean.core.module import IdSequence
from hean.core.types import Event, EventType
from hean.errors import ParameterInvalid
from hean.feeds.arriving import terms_of
from hean.feeds.listing import Listed
from hean.live.account import opening_cash
from hean.live.claims import Claims
from hean.live.control import Commands, Running
from hean.live.latch import Latch
from hean.live.market import LiveMarket
from hean.live.mishaps import Mishaps
from hean.live.parts import LiveParts
from hean.live.reach import Reach
from hean.live.ready import Ready
from hean.live.recorder import Recorder
from hean.live.recovery import Books, fold
from hean.live.rekey import Keys, Rekey
from hean.live.rows import START, STOP, Start, row_bytes
from hean.live.rules import Rules
from hean.live.safety import LOOK_S, Safety
from hean.live.settings import LiveSettings
from hean.live.socket import ControlSocket
from hean.live.stall import LoopWatch
from hean.live.streams import Feeds, PublicSide
from hean.live.summary import shape_of, summary_of
from hean.live.witness import Witness
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from hean.reconcile.reconcile import Reconciler
from hean.risk.levels import CANCEL_ALL, rank
from hean.risk.live_gate import Configured, KeyVerdict
from hean.strategies.base import Strategy
from hean.system import TradingSystem
from hean.venues.adapters import adapter_for, budget_for
from hean.venues.endpoints import Endpoints
from hean.venues.gateway import Gateway, GatewaySettings
from hean.venues.keys import key_facts
from hean.venues.signing import Signer
from hean.venues.sweep import Sweep

S_NS = 1_000_000_000
META = {"kind": "live"}
SETTLE_TURNS, SETTLE_S = 100, 0.001  # a burst is delivered in one turn of the loop or two
UNWATCHED_S = 1.0  # ten looks: a burst of slow commits in one step of the loop
DISK_LOOKS = 10  # of ten a second, so the disk is looked at once a second


class LiveEngine:
    """One account, one strategy, one life. *parts*: the world; *configured*: factors of the live
    gate that were set before. Made without touching anything; `run` is the life.
    """

    def __init__(
        self,
        settings: LiveSettings,
        strategy: Strategy,
        *,
        endpoints: Endpoints,
        signer: Signer,
        parts: LiveParts,
        configured: Configured | None = None,
    ) -> None:
        if not settings.symbols:
            raise ParameterInvalid("no symbols; name at least one.")
        self.settings = settings
        self.strategy = strategy
        self.endpoints = endpoints
        self.parts = parts
        self.epoch = 0
        self.account_id = settings.account_id
        self.is_ready = False
        """Whether the account was read and compared, and the market is there."""
        self.on_ready: Callable[[], None] | None = None
        """Told when it is."""
        self.on_rekeyed: Callable[[Keys], object] | None = None
        """Told the key that is used from now on, and what it is called."""
        self.latch = Latch(settings.latch, parts.read_file, parts.write_file)
        self.commands = Commands(self.latch, now=parts.now)
        self.safety: Safety
        self.mishaps: Mishaps
        self.sweep: Sweep
        self.rules: Rules
        self.reconciler: Reconciler
        self.journal: Journal
        self.books: Books
        self.bus: EventBus
        self.system: TradingSystem
        self.gateway: Gateway
        self.reach: Reach
        self.feed: Feeds
        self.recorder: Recorder
        self._signer = signer
        self._configured = configured or Configured()
        self._clock: LiveClock
        self._market: LiveMarket
        self._failed: asyncio.Future[None]
        self._public: PublicSide
        self._tasks: set[asyncio.Task[None]] = set()
        self._governor = ConnectGovernor()
        self._budget = budget_for(endpoints, scale=parts.budget_scale)

    # ------------------------------------------------------------ the life

    async def run(self, stop: asyncio.Event) -> None:
        """Trade until *stop*. *Raises*: `FatalError` when going on could lose money,
        `EnvironmentFault` when venue or disk are not there, `ParameterInvalid` for another account.
        """
        self._failed = asyncio.get_running_loop().create_future()
        async with AsyncExitStack() as stack:
            known = await self._open(stack)
            client = await stack.enter_async_context(self.parts.http(self.endpoints.rest))
            public = self._public = PublicSide(self.endpoints, client, self.parts, self._budget)
            listed = await public.listing(self.settings.symbols)
            self.epoch = self._next_epoch(known)
            self._connect(client)
            start = await self._start_row(known, listed)
            self.books = known or Books(start)
            self.books.admit(start.terms)
            self._build(public, listed, start)
            self._go_on(start)
            stack.push_async_callback(self._end_tasks)
            if self.parts.serves:
                self._keep(self.reach.keep())
            await run_live(self.bus, self._clock, self._rim(), stop=lambda: self._until(stop))
            self.recorder.write(STOP, b"")
            self.recorder.commit()

    def state_hash(self) -> str:
        """Of all that outlives the process."""
        return self.system.durable_hash()

    def summary(self) -> dict[str, Any]:
        """What this life came to, as JSON has it."""
        return summary_of(self)

    # ------------------------------------------------------------ before it begins

    async def _open(self, stack: AsyncExitStack) -> Books | None:
        """Take the lock, open the door for commands, and read the journal.

        *Returns*: its books, if it has any.
        """
        path, parts = self.settings.journal, self.parts
        lock = parts.lock(path.with_name(f"{path.name}.lock"), parts.holder)
        stack.callback(lock.release)
        if parts.serves:
            door = ControlSocket(self.settings.control, self.commands.answer)
            await door.start()
            stack.push_async_callback(door.stop)
        disk = parts.open_disk(path)
        self.journal = Journal(disk, place=str(path), meta=META, lock=lock)
        stack.callback(self.journal.close)
        return fold(self.journal.records())

    def _connect(self, client: HttpClient) -> None:
        """Make bus and gateway; nothing runs yet."""
        settings, parts = self.settings, self.parts
        time_s = asyncio.get_running_loop().time
        self._clock = LiveClock(parts.now, ticks=lambda: int(time_s() * S_NS))
        self.bus = EventBus(
            settings.queue_max,
            clock=self._clock,
            mailboxes=True,
            turns=Turns(settings.workers, settings.batch),
            on_failure=lambda *failed: self.mishaps.handler_failed(*failed),
            on_truth_failure=lambda *failed: self.mishaps.truth_failed(*failed),
        )
        leverage = int(settings.account.leverage) if settings.sets_leverage else None
        self.gateway = adapter_for(self.endpoints)(
            self.endpoints,
            self._signer,
            GatewaySettings(settings.symbols, leverage, settings.dead_man_s, settings.account_id),
            emit=self.bus.emit,
            client=client,
            budget=self._budget,
            now=parts.now,
            rng=parts.rng,
            governor=self._governor,
            dial=parts.dial,
            sending=self._sending,
            objection=self._objection_in,
            reload=lambda: self.rules.reload(),
            remembers=lambda order_id: self.system.orders.knows(order_id),
            position_problem=lambda *asked: self.reconciler.position_problem(*asked),
        )
        self.reach = Reach(self.gateway.codec, self.gateway.questions, time_s=time_s)

    async def _start_row(self, known: Books | None, listed: Mapping[str, Listed]) -> Start:
        """What this life is; asks the venue whose account it is, and for its money the first time.

        *Raises*: `ParameterInvalid` when the journal is another account's.
        """
        settings, ask = self.settings, self.gateway.questions.ask
        await self.gateway.measure_clock()
        self.account_id = await self.gateway.codec.account_id(ask) or settings.account_id
        if settings.account_id not in ("", self.account_id):
            raise ParameterInvalid(
                f"the key belongs to account {self.account_id}, configured is "
                f"{settings.account_id}; use the other key, or correct HEAN_ACCOUNT_ID (account_id "
                "in the file). Nothing was sent."
            )
        account = settings.account
        if known is not None:
            account = msgspec.structs.replace(account, cash=known.start.account.cash)
        elif not account.cash:
            quote = next(iter(listed.values())).quote
            cash = await opening_cash(self.gateway.codec, ask, quote)
            account = msgspec.structs.replace(account, cash=cash)
        start = Start(
            self.epoch,
            __version__,
            settings.venue,
            settings.market,
            settings.role,
            self.account_id,
            settings.strategy,
            settings.given,
            account,
            [terms_of(row) for row in listed.values()],
        )
        if known is not None and known.start.place != start.place:
            raise ParameterInvalid(
                f"{self.journal.place} is the journal of {' '.join(known.start.place)}, not of "
                f"{' '.join(start.place)}; give each account a data directory of its own."
            )
        return start

    def _next_epoch(self, known: Books | None) -> int:
        """Higher than every epoch before, and, by the clock, than one a restored backup forgot."""
        return max(self.parts.now() // S_NS, known.start.epoch + 1 if known else 0)

    def _build(self, public: PublicSide, listed: Mapping[str, Listed], start: Start) -> None:
        """The modules, the same as in every mode."""
        settings, books = self.settings, self.books
        self._market = LiveMarket(self.bus, settings.symbols, self.strategy)
        instruments = {symbol: row.instrument for symbol, row in listed.items()}
        self.system = TradingSystem(
            self.strategy,
            instruments,
            settings=start.account,
            bus=self.bus,
            venue=self.gateway,
            reference=self._market.last_price,
            seed=settings.seed,
            candles_from_ticks=settings.bar,
            market=self._market,
            ids=IdSequence(start.epoch),
            books=(books.engine, books.ledger, books.coin_fees),
            models=settings.models(),
        )
        self.recorder = Recorder(
            self.journal,
            emit=self.bus.emit,
            time_s=asyncio.get_running_loop().time,
            now=self.parts.now,
            state_hash=self.state_hash,
            witness=Witness(self.bus, self.system.governor, settings.symbols, door=self._objection),
        )
        self.rules = Rules(public.listing, instruments, books.instruments, self.gateway.halts)
        self.rules.learn(listed)
        self._guard(instruments, listed)
        self.bus.tap(self.recorder.tap)
        self.bus.tap(self.safety.follow)
        self.feed = public.feed(listed, bus=self.bus, governor=self._governor, depth=settings.depth)

    def _guard(self, instruments: Mapping[str, Instrument], listed: Mapping[str, Listed]) -> None:
        """Everything that compares, stops and takes back."""
        settings, gateway = self.settings, self.gateway
        is_margined = settings.market != "spot"
        quote = next(iter(listed.values())).quote
        ledger = self.system.portfolio.ledger
        self.reconciler = Reconciler(
            self.system.engine,
            instruments,
            look_again=gateway.look_again,
            reference=self._market.last_price,
            is_fresh=not self.books.is_compared,
            quote=quote,
            cash=(lambda: ledger.cash) if is_margined else None,
            account=self.account_id,
        )
        self.system.add(self.reconciler)
        self.safety = Safety(
            self.system,
            settings,
            self.latch,
            account_id=self.account_id,
            configured=self._configured,
            largest={
                symbol: row.market_quantity_max
                for symbol, row in listed.items()
                if row.market_quantity_max is not None
            },
            settle_asset=quote if is_margined else "",
        )
        self.mishaps = Mishaps(
            self.system,
            self.safety.killswitch,
            now=self._clock.refresh,
            free_bytes=self.parts.free_bytes,
            folder=settings.data_dir,
        )
        self.sweep = Sweep(
            gateway.codec,
            gateway.questions,
            gateway.tracker,
            gateway.run,
            cancel=gateway.cancel,
            keeps=self.safety.killswitch.keeps,
            emit=self.bus.emit,
            epoch=self.epoch,
            sending=self._sending,
        )
        self.bus.subscribe(EventType.KILLSWITCH_TRIGGERED, self._stopped)

    def _go_on(self, start: Start) -> None:
        """Write that a life begins, and tell what the last one left open."""
        self.recorder.write(START, row_bytes(start))
        self.recorder.commit()
        books, safety = self.books, self.safety
        claims = Claims(
            self.gateway,
            account_id=self.account_id,
            emit=self.bus.emit,
            settle=self._settle,
            position_problem=self.reconciler.position_problem,
        )
        self.commands.running = Running(
            safety.killswitch,
            safety.gate,
            self.bus.emit,
            self._settle,
            self.summary,
            claims,
            name=self.system.ids.next_id,
            seq=lambda: self.journal.head_seq,
            shape=lambda: shape_of(self),
            rekey=Rekey(
                self.gateway,
                self._signer,
                safety.gate,
                account_id=self.account_id,
                budget=self._budget,
                http=self.parts.http,
                on_taken=lambda keys: self.on_rekeyed(keys) if self.on_rekeyed else None,
            ),
        )
        safety.restore(books.latched, books.baseline)
        safety.directives.restore(books.wishes)
        self.gateway.restore(
            books.tracked(),
            books.seen,
            books.watched_ns,
            epoch=self.epoch,
            first_ns=books.first_ns,
        )
        name = self.strategy.name
        wanted = books.wanted.get(name, {})
        safety.protection.restore(symbol for symbol, (stop, _) in wanted.items() if stop)
        self.strategy.resume(
            books.positions.get(name, {}),
            [order for order in books.open_orders() if order["strategy_id"] == name],
            books.wanted.get(name, {}),
        )
        for fact in (*books.coin_fees.pending.values(), *books.withdrawals()):
            self.bus.emit(fact)

    # ------------------------------------------------------------ the rim

    def _rim(self) -> list[RimTask]:
        ready = Ready(
            self.gateway,
            self.safety.killswitch,
            self.strategy,
            emit=self.bus.emit,
            last_ns=self.books.last_ns,
            keeps_orders=self.settings.keeps_orders,
            prepare=self._prepare,
            on_change=self._readiness,
        )
        return [self.gateway, self.feed, ready]

    async def _prepare(self) -> None:
        """What the key may do, for the gate; and orders to be taken back are looked for again."""
        facts = await key_facts(self.gateway.codec, self.gateway.questions, self.parts.http)
        verdict = KeyVerdict(facts.may_trade, facts.may_withdraw, facts.is_bound)
        self.safety.gate.know_key(verdict)
        self.safety.directives.resume()
        if rank(self.safety.killswitch.level) >= rank(CANCEL_ALL):
            self.sweep.start()

    def _stopped(self, event: Event) -> None:
        """From CANCEL_ALL on, no open order is left; but not those of another process."""
        fact = event.data
        if rank(fact.level) >= rank(CANCEL_ALL) and not fact.is_final:
            self.sweep.start()

    def _readiness(self, is_ready: bool) -> None:
        self.is_ready = is_ready
        if is_ready and self.on_ready is not None:
            self.on_ready()

    async def _until(self, stop: asyncio.Event) -> None:
        """Return at *stop*. *Raises*: what ended the process before."""
        self._keep(self.recorder.flush_regularly())
        self._keep(self._look())
        if EventType.FUNDING in self.strategy.consumed():
            self._keep(self._public.tell_settled(self.settings.symbols, self.bus.emit))
        if self.parts.serves:
            watch = LoopWatch(
                self.safety.killswitch,
                self.latch,
                now=self.parts.now,
                on_stall=self.mishaps.stalled,
            )
            self._keep(watch.beat())
        stopping = asyncio.ensure_future(stop.wait())
        ends: list[asyncio.Future[Any]] = [stopping, self._failed]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._failed.done():
            self._failed.result()

    async def _settle(self) -> None:
        """Return when all that was emitted is delivered and on the disk. A bus that has failed
        delivers no more: whoever waits for it must not keep the process from ending.
        """
        for pause_s in chain(repeat(0.0, SETTLE_TURNS), repeat(SETTLE_S)):
            if not len(self.bus):
                break
            await asyncio.sleep(pause_s)
        self.recorder.commit()

    async def _look(self) -> None:
        for number in count():
            await asyncio.sleep(LOOK_S)
            self.safety.look(self._clock.refresh(), self.gateway.questions.ticks_ns())
            if not number % DISK_LOOKS:
                self.mishaps.look_at_disk()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """A task of this life; what it raises ends the life."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and not self._failed.done():
            self._failed.set_exception(task.exception() or RuntimeError("a task ended"))

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------ asked by the gateway

    def _sending(self, *request: Any) -> None:
        self.recorder.sending(*request)

    def _objection(self, is_reduction: bool) -> str:
        """Why an order may not leave at this moment."""
        if not self.is_ready and not is_reduction:
            return "the account has not been compared yet"
        if not is_reduction and self.feed.unwatched_s > UNWATCHED_S:
            return "nobody has looked lately whether the market data is fresh; the disk is slow"
        return self.safety.objection(is_reduction)

    def _objection_in(self, symbol: str, is_reduction: bool) -> str:
        """The same for an order in a symbol; its data may have become old while it waited."""
        why = self._objection(is_reduction)
        return why or ("" if is_reduction else self.system.governor.why_stale(symbol))
