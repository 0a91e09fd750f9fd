# SPDX-License-Identifier: Apache-2.0
"""`private.py`: the account's own stream, without holes. Whenever a socket has opened, frames are
kept waiting while the account is read by REST: open orders, executions since the last one known,
settled funding, positions, balances. Only when all of that has been merged are the frames let go,
so none is seen before the snapshot it must follow. Until then nothing new is opened. A frame that
is not understood is not skipped: the account is read again. Holes are counted, because nothing can
be proven absent across one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain, repeat
from typing import Any

from hean.core.types import AccountRead, OpenOrder, Payload, Position
from hean.errors import FrameInvalid, Halted, HeanError, RateLimited
from hean.net.socket import Connection
from hean.venues.codec import Codec, Told, told
from hean.venues.dispatch import S_NS, Run
from hean.venues.halts import Halts
from hean.venues.naming import Naming
from hean.venues.questions import Questions
from hean.venues.reports import ZERO, Execution, Listing, OrderReport, Reply, Status, Tracked
from hean.venues.search import SILENT_S
from hean.venues.session import Session
from hean.venues.settlements import Settlements
from hean.venues.tracking import OrderTracker

OVERLAP_NS = 300_000_000_000  # executions are read from so long before the last one known
WAITING_MAX = 100_000  # frames kept while the account is read: 10,000 fills a second for 10 s
SETTLED_S = 5.0  # an execution this old has reached a stream that works
MS_NS = 1_000_000
SOON_S = 2.5  # until the next reading when the last one did not agree with our books
SOON_TRIES = 3  # of that reading; then the usual rhythm has come round
RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # pauses between attempts to read the account
NAME = "private stream"
LEFT_OUT = "the stream left out an execution or the end of an order"
ENDS = frozenset({Status.FILLED, Status.CANCELLED, Status.EXPIRED})


class PrivateStream:
    """One private stream and its account. *emit*: takes positions and balances; *symbols*: whose
    executions are asked for; *run*: starts a task that the owner ends; *on_missing*: told of an
    order that the venue has confirmed and does not show any more; *on_read*: of each complete
    reading, with the steady time in ns at which it began.
    """

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        tracker: OrderTracker,
        naming: Naming,
        halts: Halts,
        *,
        emit: Callable[[Payload], None],
        symbols: Sequence[str],
        run: Run,
        on_missing: Callable[[Tracked], None],
        on_read: Callable[[int], None],
    ) -> None:
        self.caught_up = asyncio.Event()
        """Set while the stream is in step with the account."""
        self._holes = 0
        self.session = Session(
            lambda: codec.private_steps(questions.venue_ms()),
            on_ready=self.catch_up,
            on_refused=self._refused,
        )
        self._codec = codec
        self._questions = questions
        self._tracker = tracker
        self._naming = naming
        self._halts = halts
        self._emit = emit
        self._symbols = tuple(symbols)
        self._run = run
        self._on_missing = on_missing
        self._on_read = on_read
        self._settlements = Settlements(codec, questions, tracker, symbols)
        self._soon: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: list[Told] | None = None
        self._since_ns: int | None = None  # until the first reading says when that was
        self._is_first = True  # nobody has ever read this account for the same books
        self._found_ns = 0  # when that first reading began, until all that waited for it is told
        self._last_execution_ns = 0
        self._complete_ns = 0  # when the last complete reading began
        self._connection: Connection | None = None

    def resume(self, since_ns: int, first_ns: int) -> None:
        """Earlier processes of ours watched the account from *first_ns* to *since_ns*, venue time.
        What was executed before the first reading was in the position that it found.
        """
        self._since_ns = max(since_ns - OVERLAP_NS, first_ns)
        self._settlements.resume(since_ns, first_ns)
        self._is_first = False

    @property
    def unbroken(self) -> int:
        """A number that stays the same as long as nothing is missed; -1 while something may be."""
        return self._holes if self.caught_up.is_set() else -1

    async def look(self, settled_s: float = SETTLED_S) -> None:
        """Read the account beside a stream that works, or seems to. *Raises*: as `ask`."""
        if self.caught_up.is_set() and await self._read_account(settled_s):
            self._restart(LEFT_OUT)

    def look_soon(self, delay_s: float = SOON_S) -> None:
        """One more such reading in a moment, however often it is asked for."""

        async def read_again() -> None:
            for _ in range(SOON_TRIES):
                await asyncio.sleep(delay_s)
                with suppress(HeanError):
                    await self.look()
                    break

        if self._soon is None or self._soon.done():
            self._soon = self._run(read_again(), f"{self._codec.name} reads again")

    def distrust(self, reason: str) -> None:
        """Whatever the stream looks like, it is not believed: another one, and a reading."""
        self.down(reason)
        self._restart(reason)

    def opened(self, connection: Connection) -> None:
        """A socket is open: log in, and let nothing pass until the account has been read."""
        self._holes += 1
        self._connection = connection
        self._stop_reading()
        self._waiting = []
        self.session.opened(connection)

    def down(self, reason: str) -> None:
        """The socket is gone: what happens from now on is not seen."""
        self._holes += 1
        self._stop_reading()
        self.session.down()
        self.caught_up.clear()
        self._halts.add(NAME, f"the private stream is down ({reason})")

    def frame(self, frame: bytes) -> None:
        """One message of the stream."""
        try:
            parsed = self._codec.parse(frame)
            if parsed is None:
                return
            if parsed["kind"] == "reply":
                self.session.answered(self._codec.reply(parsed, self._questions.venue_ms()))
                return
            facts = told(parsed)
        except FrameInvalid as error:
            self._halts.add(NAME, f"a frame was not understood ({error.message})")
            self.catch_up()
            return
        if facts.ends:
            self._restart(facts.ends)
        elif self._waiting is None:
            self._pass_on(facts)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(facts)
        else:
            self._restart("more frames than can wait")

    def doubt(self, settled_s: float = SETTLED_S) -> None:
        """Nothing was heard for long: has something happened that should have been?"""
        if self.caught_up.is_set():
            self._run(self._ask_around(settled_s), f"{self._codec.name} listens")

    def catch_up(self) -> None:
        """Read the account, then let the frames go that have waited."""
        self._holes += 1
        self._stop_reading()
        self.caught_up.clear()
        if self._waiting is None:
            self._waiting = []
        self._reading = self._run(self._catch_up(), f"{self._codec.name} catches up")

    async def _ask_around(self, settled_s: float) -> None:
        """A stream that has forgotten us answers pings; only the account itself betrays it."""
        with suppress(HeanError):
            settled_ns = self._questions.venue_ms() * MS_NS - int(settled_s * S_NS)
            found = await self._codec.executions(
                self._questions.ask, self.first_ns(), self._symbols
            )
            if self._are_unheard(found.rows, settled_ns):
                self._restart(LEFT_OUT)

    def _are_unheard(self, executions: Sequence[Execution], settled_ns: int) -> bool:
        """Whether the stream owes us one of them. One topic of it may be silent alone."""
        seen = self._tracker.has_seen
        return any(each.ts_ns <= settled_ns and not seen(each) for each in executions)

    def _has_ended_unheard(self, report: OrderReport, settled_ns: int) -> bool:
        """Whether the stream owes us the end of this order, which is ours beyond doubt."""
        if report.status not in ENDS or not 0 < report.ts_ns <= settled_ns:
            return False
        order = self._tracker.of(report)
        return order is not None and order.is_placed and not order.is_over

    def _restart(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.restart(reason)

    async def _catch_up(self) -> None:
        pauses_s = chain(RETRY_S, repeat(RETRY_S[-1]))
        while True:
            try:
                await self._read_account()
                break
            except HeanError as error:
                self._halts.add(NAME, f"the account cannot be read ({error})")
                is_silent = isinstance(error, RateLimited | Halted)  # nobody was asked
                await asyncio.sleep(SILENT_S if is_silent else next(pauses_s))
        waiting, self._waiting, self._reading = self._waiting or [], None, None
        for facts in waiting:
            self._pass_on(facts)
        self._found_ns = 0
        self.caught_up.set()
        self._halts.lift(NAME)

    async def _read_account(self, settled_s: float = SETTLED_S) -> bool:
        """*Returns*: whether it shows what a stream that works had told us."""
        codec, ask = self._codec, self._questions.ask
        began_ns, ticks_ns = self._questions.venue_ms() * MS_NS, self._questions.ticks_ns()
        # A time from a clock that was ahead must not hide what happened since.
        self._since_ns = began_ns if self._since_ns is None else min(self._since_ns, began_ns)
        orders = await codec.open_orders(ask)
        reports = list(orders.rows)
        listed = {report.client_order_id for report in reports}
        for order in self._tracker.open_orders():
            if order.order_id not in listed and not order.is_over:
                found = await codec.order(ask, order)
                if found is not None:
                    reports.append(found)
                elif order.is_placed:
                    self._on_missing(order)
        executions = await codec.executions(ask, self.first_ns(), self._symbols)
        traded = await self._naming.name(executions.rows)
        settled = await self._settlements.read(began_ns)
        positions = await codec.positions(ask)
        balances = await codec.balances(ask)
        settled_ns = began_ns - int(settled_s * S_NS)
        is_left_out = self._are_unheard(traded, settled_ns) or any(
            self._has_ended_unheard(report, settled_ns) for report in reports
        )
        if self._is_first:
            self._is_first, self._found_ns = False, began_ns
        self._settlements.found(began_ns)
        self._merge(reports, traded)
        for settlement in settled.rows:
            self._settlements.tell(settlement)
        held = self._tell_positions(positions)
        for balance in balances.rows:
            self._emit(balance)
        lists: tuple[Listing[Any], ...] = (orders, executions, settled, positions, balances)
        is_complete = all(each.is_complete for each in lists)
        if is_complete:
            self._halts.lift("paging")
        else:
            self._halts.add("paging", "a list of the account is incomplete; look at the account")
        self._emit(
            AccountRead(
                began_ns,
                is_complete,
                tuple(self._listed(report) for report in orders.rows),
                held,
                tuple((each.asset, each.total) for each in balances.rows),
            )
        )
        if is_complete:
            self._complete_ns = began_ns
            self._settlements.was_read(began_ns)
            self._on_read(ticks_ns)
        return is_left_out

    def _listed(self, report: OrderReport) -> OpenOrder:
        """As a fact; the order that a triggered one of ours became bears our id."""
        order = self._tracker.of(report)
        return OpenOrder(
            report.client_order_id if order is None else order.order_id,
            report.exchange_order_id,
            report.symbol,
            report.quantity,
            report.filled,
        )

    def first_ns(self) -> int:
        """All that was executed before has been read; never from before we began to watch."""
        known_ns = min(self._last_execution_ns, self._complete_ns)
        return max(self._since_ns or 0, known_ns - OVERLAP_NS)

    def _merge(self, reports: list[OrderReport], executions: list[Execution]) -> None:
        self._tracker.merge(reports, executions, self._found_ns)
        for execution in executions:
            self._last_execution_ns = max(self._last_execution_ns, execution.ts_ns)

    def _tell_positions(self, positions: Listing[Position]) -> tuple[tuple[str, Decimal], ...]:
        """A complete list also says which of our symbols are flat; no other list does.

        *Returns*: what is known of every symbol, with its quantity.
        """
        told = list(positions.rows)
        if positions.is_complete:
            held = {position.symbol for position in told}
            told += [
                Position(each, ZERO, ZERO)
                for each in self._symbols
                if each not in held and self._codec.has_positions(each)
            ]
        for position in told:
            self._emit(position)
        return tuple((position.symbol, position.qty) for position in told)

    def _pass_on(self, facts: Told) -> None:
        """Executions before the order's end, so that a fill and its end in one frame are told in
        the order in which they happened."""
        for execution in facts.executions:
            self._last_execution_ns = max(self._last_execution_ns, execution.ts_ns)
            self._tracker.execution(execution, self._found_ns)
        for settlement in facts.settlements:
            self._settlements.tell(settlement)
        for report in facts.orders:
            self._tracker.report(report)
        for position in facts.positions:
            self._emit(position)
        for balance in facts.balances:
            self._emit(balance)
        if facts.is_settled:
            self.look_soon()

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _refused(self, reply: Reply) -> None:
        self._halts.add(NAME, f"the login was refused: {reply.verdict.sentence()}")
        self._questions.learn(reply)
