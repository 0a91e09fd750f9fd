# SPDX-License-Identifier: Apache-2.0
"""`following.py`: a process that trades elsewhere, as an engine (ADR 0025). It reads the journal
as rows are committed, looks once a second whether the process is there, listens to a public feed of
its own for prices, and passes on what a person wants. It writes into no journal; that it stands
still or dies is nothing to whom it follows.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from hean.core.journal import Record
from hean.core.types import Payload, Tick
from hean.data.instruments import Fees
from hean.engine import documents as doc
from hean.engine.port import FAILED, HALTED, RUNNING, STARTING, STOPPED, UNKNOWN, UP, See
from hean.engine.watch import order_of
from hean.errors import HeanError, StateError
from hean.feeds.places import Feeds
from hean.follow.mirror import Mirror, Trader
from hean.follow.voice import NOBODY, SILENT, Voice
from hean.live.control_line import ControlLine
from hean.live.journal_tail import JournalTail
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.net.socket import Dial, picows_dial
from hean.risk.levels import RUN, Latched, stricter
from hean.risk.live_gate import Role
from hean.venues.endpoints import Endpoints, Place
from hean.why.chain import Chain, ChainReader

READ_S = 0.04  # between two looks at the journal, whose rows are written in twentieths of a second
LOOK_S = 1.0  # at the process
SILENT_S = 3.0  # without an answer nobody knows how it is
WAIT_S = 5.0  # until the row of an answer has been read
VALUE_S = 1.0
RETRY_S = 5.0  # of a feed that does not come
PAGES = 5  # of the journal in one look
ROWS_AT_ONCE = 200  # then others get their turn
NS = 1_000_000_000
LIVE, TESTNET, NONE = "LIVE", "TESTNET", "NONE"
LOOK = "look"


class Look(msgspec.Struct):
    """What a process tells about itself that no journal holds."""

    state: str = ""
    is_ready: bool = False
    missing: list[str] = []
    parts: list[str] = []
    strategies: list[dict[str, Any]] = []


class Following:
    """*folder*: of the account, with journal, latch and socket; *endpoints*: of the market; *role*:
    of its network, until the journal says it; *depth*: of its book; *now*: UTC nanoseconds. See
    `hean.engine.port.Engine`.
    """

    is_ours = False

    def __init__(
        self,
        folder: Path,
        endpoints: Endpoints,
        *,
        role: Role,
        now: Callable[[], int],
        rng: random.Random,
        depth: int = 50,
        dial: Dial = picows_dial,
    ) -> None:
        self.on_ready: list[Callable[[Any], None]] = []
        self.journal = folder / "journal.db"
        self.mirror: Mirror | None = None
        self._endpoints = endpoints
        self._role = role
        self._now = now
        self._feed_parts: dict[str, Any] = {"now": now, "rng": rng, "depth": depth, "dial": dial}
        self._latch = Latch(folder / "kill.latch", read_file, write_file)
        self._voice = Voice(folder / "control.sock", self._latch, self._read_to, now)
        self._line = ControlLine(folder / "control.sock", self._answered)
        self._filed = Latched()
        self._look = Look()
        self._is_there = False
        self._heard_s: float | None = None  # steady seconds; None when it was never heard
        self._begins = False  # another journal
        self._is_read = False  # up to the last row
        self._trouble = ""
        self._prices: dict[str, float] = {}
        self._watchers: list[See] = []
        self._is_wanted = asyncio.Event()  # that the journal is read now
        self._symbols_changed = asyncio.Event()
        self._scanning = asyncio.Lock()

    # ------------------------------------------------------------ how it is

    @property
    def system(self) -> Mirror:
        """Its books. *Raises*: `StateError` before there is a journal."""
        if self.mirror is None:
            raise StateError(f"{NOBODY}.")
        return self.mirror

    @property
    def state(self) -> str:
        """By its socket, its last answer and its journal."""
        mirror = self.mirror
        if not self._is_there:
            is_over = mirror is None or mirror.books.is_stopped
            return STOPPED if is_over else FAILED
        if self._heard_s is not None and self._now_s() - self._heard_s > SILENT_S:
            return UNKNOWN
        if mirror is None or not (self._is_read and self._look.is_ready):
            return STARTING
        return HALTED if mirror.engine.halt_level != RUN else RUNNING

    @property
    def error(self) -> str | None:
        """Why it does not run, or cannot be seen."""
        match self.state:
            case "STOPPED":
                return f"{NOBODY}."
            case "FAILED":
                return "The trading process died. Its journal is whole; hean live goes on from it."
            case "UNKNOWN":
                return f"{SILENT}. Its watchdog takes orders back."
        return self._trouble or None

    @property
    def mode(self) -> str:
        """That of its network, while it is known that it runs."""
        state = self.state
        if state in (STOPPED, FAILED):
            return NONE
        if state == UNKNOWN:
            return UNKNOWN
        role = self.mirror.books.start.role if self.mirror is not None else self._role
        return TESTNET if role == "testnet" else LIVE

    @property
    def origin(self) -> str:
        """The market, and whose account."""
        ends = self._endpoints
        account = self.mirror.books.start.account_id if self.mirror is not None else ""
        where = f"{ends.venue} {ends.market} {self._role}"
        return f"{where}, account {account}" if account else where

    @property
    def started_ns(self) -> int | None:
        """Since when this life of it lasts."""
        return self.mirror.began_ns if self.mirror is not None and self._is_there else None

    @property
    def limits(self) -> Mapping[str, str | None]:
        """Hard limits in force."""
        return self.system.limits

    @property
    def disabled(self) -> Mapping[str, str]:
        """Who switched a strategy off."""
        return self.system.books.wishes.disabled

    @property
    def latched(self) -> Latched:
        """The stricter of journal and file, as the process has it."""
        journaled = self.mirror.books.latched if self.mirror is not None else Latched()
        return stricter(journaled, self._filed)

    @property
    def live(self) -> doc.Live:
        """What its gate lacks, by its last word."""
        state, mode = self.state, self.mode
        missing = list(self._look.missing)
        if state not in UP:
            missing = [f"the engine is {state}", *missing]
        is_open = not missing
        return doc.Live(
            mode=mode, live_trading=is_open and mode == LIVE, missing=missing, is_open=is_open
        )

    @property
    def reconciled(self) -> doc.Reconciled:
        """The last reading of the account, and what the process made of it."""
        mirror = self.system
        at_ns, verdict = mirror.verdict or (None, None)
        reading, engine = mirror.reading, mirror.engine
        is_held = [o for o in engine.open_orders() if o["status"] == "QUARANTINE"]
        return doc.Reconciled(
            is_clean=None if verdict is None else verdict.clean,
            compared_at=at_ns,
            lag_seconds=(self._now() - mirror.clean_ns) / NS if mirror.clean_ns else None,
            read_at=reading.at_ns if reading else None,
            is_complete=reading.is_complete if reading else None,
            holdings=reading.holdings if reading else [],
            orders=reading.orders if reading else [],
            differences=list(verdict.differences) if verdict else [],
            undecided=[order_of(row) for row in is_held],
        )

    def fees(self, symbol: str) -> Fees:
        """As the process began with them."""
        terms = self.system.books.start.terms
        row = next(row for row in terms if row.symbol == symbol)
        return Fees(Decimal(row.maker), Decimal(row.taker))

    def keeps(self, order_id: str) -> bool:
        """Whether an order is a stop that protects a position."""
        return self.system.killswitch.keeps(order_id)

    def watch_market(self, see: See) -> None:
        """Have *see* told what our own feed brings."""
        self._watchers.append(see)

    # ------------------------------------------------------------ wishes

    async def say(self, *facts: Payload) -> str:
        """Put facts on its bus, to be judged there."""
        return await self._voice.say(facts)

    async def kill(self, level: str, reason: str, actor: str) -> None:
        """Stop it, or its next start."""
        try:
            await self._voice.kill(level, reason, actor)
        finally:
            self._filed = await asyncio.to_thread(self._latch.load)

    def restore(self, latched: Latched) -> None:
        """The trading process remembers by itself."""

    async def release(self, phrase: str, reason: str, actor: str) -> Sequence[str]:
        """Let it go on. *Returns*: what stands against it."""
        missing = await self._voice.release(phrase, reason, actor)
        self._filed = await asyncio.to_thread(self._latch.load)
        return missing

    async def confirm(self, phrase: str, actor: str) -> Sequence[str]:
        """Type the phrase of its boot. *Returns*: what its gate lacks, if it was another one."""
        missing = await self._voice.confirm(phrase, actor)
        self._answered(LOOK, await self._voice.ask({"verb": LOOK}))
        return missing

    async def resolve(self, asked: doc.Claimed, actor: str) -> Sequence[str] | str:
        """Say what became of an order in quarantine."""
        return await self._voice.resolve(asked.model_dump(), actor)

    async def chain(self, order_id: str) -> doc.Chain | None:
        """The causes of an order, by the code of `hean why`. One scan of the journal at a time."""
        async with self._scanning:
            found = await asyncio.to_thread(ChainReader(order_id).feed, _rows(self.journal))
        return None if found is None else _document(found)

    # ------------------------------------------------------------ following

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until *stop*. *Raises*: `JournalDamaged`, `ReplayDiverged`."""
        works = (self._read(), self._keep_looking(), self._keep_valuing(), self._keep_listening())
        tasks = [asyncio.ensure_future(work) for work in (stop.wait(), *works)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        tail = JournalTail(self.journal, (), pages_max=PAGES)
        while True:
            self._is_wanted.clear()
            try:
                look = await asyncio.to_thread(tail.look)
            except (OSError, sqlite3.Error) as error:
                self._trouble = f"the journal cannot be read: {error}"
                await asyncio.sleep(LOOK_S)
                continue
            self._trouble = ""
            if look.is_gone:  # another folder may come in its place
                tail.close()
                tail = JournalTail(self.journal, (), pages_max=PAGES)
            self._begins = self._begins or look.is_new
            for number, record in enumerate(look.records):
                self._apply(record)
                if number % ROWS_AT_ONCE == ROWS_AT_ONCE - 1:
                    await asyncio.sleep(0)
            self._is_read = not look.has_more
            if not look.has_more and not self._is_wanted.is_set():
                await _until(self._is_wanted, READ_S)

    def _apply(self, record: Record) -> None:
        mirror = self.mirror
        if mirror is None or self._begins:
            self._begins = False
            mirror = Mirror(record, price=self._prices.get, now=self._now)
            self._see(mirror)
        symbols = mirror.symbols
        mirror.apply(record)
        if mirror.symbols != symbols:
            self._see(mirror)

    def _see(self, mirror: Mirror) -> None:
        """There is something to be seen, or other symbols of it."""
        self.mirror = mirror
        self._watchers.clear()
        self._symbols_changed.set()
        for told in self.on_ready:
            told(self)

    async def _read_to(self, seq: int) -> None:
        """Return when the journal was read up to this row. *Raises*: `StateError`."""
        end_s = self._now_s() + WAIT_S
        while self.mirror is None or self.mirror.books.last_seq < seq:
            if self._now_s() > end_s:
                raise StateError("It was done, and the journal does not show it yet; look again.")
            self._is_wanted.set()
            await asyncio.sleep(READ_S / 4)

    async def _keep_looking(self) -> None:
        """Is it there, and what does it say? One connection is kept, and no second question asked
        before the first was answered: nothing piles up at a process that stands still.
        """
        keeping = asyncio.ensure_future(self._line.keep())
        try:
            while True:
                was_there, self._is_there = self._is_there, self._line.is_open
                if not self._is_there:
                    self._look, self._heard_s = Look(), None
                elif not was_there:
                    self._heard_s = self._now_s()  # it has begun, and may be silent for as long
                self._line.ask({"verb": LOOK})
                self._filed = await asyncio.to_thread(self._latch.load)
                await asyncio.sleep(LOOK_S if self._is_there else LOOK_S / 4)
        finally:
            keeping.cancel()

    def _answered(self, verb: str, answer: dict[str, Any]) -> None:
        try:
            self._look = msgspec.convert(answer, Look)
        except msgspec.ValidationError:
            return
        self._heard_s = self._now_s()
        mirror = self.mirror
        if verb == LOOK and mirror is not None:
            mirror.parts = self._look.parts
            mirror.strategies = (
                tuple(
                    Trader(each["name"], each["symbols"], each["params"])
                    for each in self._look.strategies
                )
                or mirror.strategies
            )

    async def _keep_valuing(self) -> None:
        while True:
            await asyncio.sleep(VALUE_S)
            if self.mirror is not None and self._is_read:
                self.mirror.value()

    # ------------------------------------------------------------ the market

    async def _keep_listening(self) -> None:
        """Prices for people, from the venue itself; without a feed the process's own of its last
        reading have to do.
        """
        while True:
            await self._symbols_changed.wait()
            self._symbols_changed.clear()
            try:
                await self._listen()
            except (HeanError, OSError):
                self._symbols_changed.set()
                await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        symbols = self.system.symbols
        async with AsyncExitStack() as stack:
            place = Place(self._endpoints, {symbol: symbol for symbol in symbols})
            feeds = Feeds([place], **self._feed_parts)
            await feeds.load(stack)
            await feeds.start(stack, self._take)
            await self._symbols_changed.wait()

    def _take(self, facts: tuple[Payload, ...]) -> None:
        for fact in facts:
            if isinstance(fact, Tick):
                if fact.volume:
                    self._prices[fact.symbol] = fact.price
                elif fact.bid and fact.ask:
                    self._prices[fact.symbol] = (fact.bid + fact.ask) / 2
        if self._symbols_changed.is_set():
            return  # of symbols that nobody looks at any more
        now_ns = self._now()
        for see in self._watchers:
            see(now_ns, facts)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _document(found: Chain) -> doc.Chain:
    return doc.Chain(
        reference=found.reference,
        cost=found.cost,
        steps=[
            doc.Step(
                seq=each.seq, ts=each.ts_ns, after_ms=each.after_ms, what=each.what, says=each.says
            )
            for each in found.steps
        ],
        rules=[doc.Rule(**msgspec.structs.asdict(each)) for each in found.rules],
        notes=found.notes,
    )


def _rows(journal: Path) -> Iterator[Record]:
    """All rows of a journal, a page at a time."""
    tail = JournalTail(journal, (), pages_max=PAGES)
    try:
        while True:
            look = tail.look()
            yield from look.records
            if not look.has_more:
                return
    finally:
        tail.close()
