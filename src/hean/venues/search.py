# SPDX-License-Identifier: Apache-2.0
"""`search.py`: what became of an order whose answer is missing. It is looked for by its client id,
among the open orders and among the executions, until one of them shows it. That none does is proof
of nothing until every part of the proof holds at once (`missing_proof`); then it is absent. Without
proof it goes to quarantine after a while, which is told again every minute, and the looks go on: it
never gets old enough to be forgotten. A list with an end missing is no look at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from hean.core.types import Error, Payload
from hean.errors import Halted, HeanError, RateLimited
from hean.venues.codec import Codec
from hean.venues.dispatch import Run
from hean.venues.naming import Naming
from hean.venues.questions import WAIT_MAX_S, Questions
from hean.venues.reports import Execution, Listing, OrderReport, Tracked
from hean.venues.tracking import OrderTracker

EARLIER_NS = 5_000_000_000  # executions are read from before the order left: clocks differ
SHARED_S = 5.0  # a list that is no older serves everybody who looks: lists are dear, and many
# orders without an answer would use up the budget that is to find them
RECEIVE_WINDOW_MS = 5_000  # sent to Bybit with each request, and Binance's when nothing is said
TRAVEL_MS_MAX = 1_000_000  # of a request: TCP gives a connection up after a quarter of an hour
ROUNDS = 3  # complete looks, one after the other, that found nothing
SILENT_S = WAIT_MAX_S  # in a silence; its end is then never missed, for a question waits as long
MS_NS = 1_000_000
GRAIN_S = 1e-6  # sums of times are not exact

PositionProblem = Callable[[str, int], str]
"""Why the position of a symbol, read after a venue's time in ns, is not what our fills explain;
empty if it is."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is looked. *pauses_s*: before each look, the first ones dense, the last for good;
    none is used up while nobody may be asked; *by_id*: until so many are used up, the order alone
    is asked for, because lists are dear and looks dense; *spread_s*: from the first to the last
    look of a proof; *late_ms*: how long after the receive window of the request, by the venue's
    clock; *quarantine_s*: without proof; *alarm_s*: between two alarms about one order.
    """

    pauses_s: tuple[float, ...] = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 20.0)
    by_id: int = 4
    spread_s: float = 60.0
    late_ms: int = 5_000
    quarantine_s: float = 300.0
    alarm_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What speaks for an order not being there. *rounds*, *spread_s*: complete looks that found
    nothing, and the time they span; *late_ms*: since the receive window of its request was over;
    *is_watched*: the private stream was in step all that time, without a hole; *position*: why the
    position does not agree, empty if it does.
    """

    rounds: int
    spread_s: float
    late_ms: int
    is_watched: bool
    position: str


def missing_proof(proof: Proof, order: Tracked, patience: Patience) -> str:
    """The first part of the proof that does not hold; empty when the order is absent."""
    if order.is_disputed:
        return "the venue shows another order under its id"
    if proof.rounds < ROUNDS:
        return f"{proof.rounds} of {ROUNDS} complete looks"
    if proof.spread_s < patience.spread_s:
        return f"looks over {proof.spread_s:.0f} of {patience.spread_s:g} s"
    if proof.late_ms < patience.late_ms:
        return "by the venue's clock its request may still be accepted"
    if not proof.is_watched:
        return "the private stream had a hole"
    return proof.position


@dataclass(slots=True)
class _Case:
    """One order that is looked for. *pauses*: used up; *is_silent*: the last look was none, for
    nobody may be asked. Clean looks since *first_s* (loop) and *first_ns* (venue).
    """

    order: Tracked
    began_s: float
    was_unknown: bool
    pauses: int = 0
    is_silent: bool = False
    rounds: int = 0
    first_s: float = 0.0
    looked_s: float = 0.0
    first_ns: int = 0
    holes: int = 0
    told_s: float | None = None
    doubt: str = "no complete look yet"

    def is_over(self) -> bool:
        """Whether something else has shown it meanwhile."""
        order = self.order
        return order.is_over or (self.was_unknown and not order.is_unknown)


@dataclass(frozen=True, slots=True)
class _Lists:
    began_s: float
    since_ns: int
    orders: Listing[OrderReport]
    executions: Listing[Execution]


class Search:
    """Looks for orders, one task each. *unbroken*: as of `PrivateStream`; *on_over*: told when an
    order needs no looking for any more; *on_quarantine*: told, with a sentence, that nobody knows
    what became of one.
    """

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        tracker: OrderTracker,
        naming: Naming,
        run: Run,
        *,
        symbols: tuple[str, ...],
        unbroken: Callable[[], int],
        emit: Callable[[Payload], None],
        on_over: Callable[[Tracked], None],
        on_quarantine: Callable[[Tracked, str], None],
        position_problem: PositionProblem | None,
        patience: Patience,
    ) -> None:
        self._codec = codec
        self._questions = questions
        self._tracker = tracker
        self._unbroken = unbroken
        self._naming = naming
        self._run = run
        self._symbols = symbols
        self._emit = emit
        self._on_over = on_over
        self._on_quarantine = on_quarantine
        self._position_problem = position_problem or _nobody
        self._patience = patience
        self._cases: dict[str, _Case] = {}
        self._reading = asyncio.Lock()
        self._lists: _Lists | None = None

    def look_for(self, order: Tracked) -> None:
        """Begin, unless it is being looked for."""
        if order.order_id in self._cases or order.is_over:
            return
        now_s = asyncio.get_running_loop().time()
        case = _Case(order, now_s, order.is_unknown)
        self._cases[order.order_id] = case
        if order.is_quarantined:
            self._on_quarantine(order, "an earlier run could not tell what became of it")
        self._run(self._look(case), f"{self._codec.name} looks for {order.order_id}")

    async def _look(self, case: _Case) -> None:
        try:
            while True:
                await self._pause(case)
                if case.is_over() or await self._is_shown(case) or await self._is_absent(case):
                    break
                case.pauses += not case.is_silent
                self._tell(case)
        finally:
            del self._cases[case.order.order_id]
        self._on_over(case.order)

    async def _pause(self, case: _Case) -> None:
        """Until the next look; it ends when the stream comes in step: from then on one counts."""
        loop = asyncio.get_running_loop()
        until_s, was_broken = loop.time() + self._until_look_s(case), self._unbroken() < 0
        while (left_s := until_s - loop.time()) > GRAIN_S:
            await asyncio.sleep(min(left_s, SILENT_S))
            if was_broken and self._unbroken() >= 0:
                break

    def _until_look_s(self, case: _Case) -> float:
        """The pause; a shorter one where the proof may be whole before."""
        pauses_s = self._patience.pauses_s
        pause_s = SILENT_S if case.is_silent else pauses_s[min(case.pauses, len(pauses_s) - 1)]
        due_s = case.first_s + self._patience.spread_s - asyncio.get_running_loop().time()
        return min(pause_s, due_s) if case.rounds and due_s > 0 else pause_s

    async def _is_shown(self, case: _Case) -> bool:
        """One look at all three places; takes over what one of them shows."""
        order, began_s = case.order, asyncio.get_running_loop().time()
        began_ms, holes = self._questions.venue_ms(), self._unbroken()
        case.is_silent = True
        try:
            report = await self._codec.order(self._questions.ask, order)
            case.is_silent = False
            if report is not None:
                return await self._take_over(case, report)
            if case.pauses < self._patience.by_id:
                return False
            lists = await self._read_lists(case)
            reports = [each for each in lists.orders.rows if each.client_order_id == order.order_id]
            named = await self._naming.name(lists.executions.rows)
            pieces = [each for each in named if each.client_order_id == order.order_id]
        except (RateLimited, Halted) as error:
            case.doubt = error.message  # nobody was asked, so nothing was answered
            return False
        except HeanError as error:
            case.is_silent = False
            case.rounds, case.doubt = 0, f"the last look failed ({error.message})"
            return False
        if reports or pieces:
            self._tracker.merge(reports, pieces)
            return order.is_placed
        if not (lists.orders.is_complete and lists.executions.is_complete):
            case.rounds, case.doubt = 0, "a list of the venue is incomplete"
            return False
        if holes < 0 or holes != self._unbroken():
            case.rounds, case.doubt = 0, "the private stream had a hole"
            return False
        if not case.rounds or case.holes != holes:  # a hole since the last look: begin anew
            case.rounds = 0
            case.first_s = min(began_s, lists.began_s)
            case.first_ns, case.holes = began_ms * MS_NS, holes
        case.rounds += 1
        return False

    async def _take_over(self, case: _Case, report: OrderReport) -> bool:
        """What the query shows; what it has traded is read first."""
        order, ask = case.order, self._questions.ask
        executions: list[Execution] = []
        if report.filled > order.filled:
            found = await self._codec.executions(ask, earliest_ns(order), (order.symbol,))
            executions = await self._naming.name(found.rows)  # others without an answer trade too
        case.rounds, case.doubt = 0, f"the venue shows it as {report.word}"
        self._tracker.merge((report,), executions)
        return (order.is_placed and not order.is_quarantined) or order.is_over

    async def _read_lists(self, case: _Case) -> _Lists:
        """Open orders and executions since the oldest order that is looked for, for all of them.
        What was read before this order was missed, or for its last look, is no look for it.
        """
        loop, ask = asyncio.get_running_loop(), self._questions.ask
        async with self._reading:
            since_ns = min(earliest_ns(case.order) for case in self._cases.values())
            kept = self._lists
            not_before_s = max(loop.time() - SHARED_S, case.began_s, case.looked_s)
            if kept is None or kept.began_s <= not_before_s or kept.since_ns > since_ns:
                began_s = loop.time()
                orders = await self._codec.open_orders(ask)
                executions = await self._codec.executions(ask, since_ns, self._symbols)
                kept = self._lists = _Lists(began_s, since_ns, orders, executions)
            case.looked_s = kept.began_s
            return kept

    async def _is_absent(self, case: _Case) -> bool:
        """Whether the proof is complete; tells the verdict with it."""
        order = case.order
        if order.is_placed:
            case.doubt = "the venue has confirmed it before and does not show it now"
        if order.is_placed or case.rounds < ROUNDS:
            return False
        try:
            server_ns = await self._codec.server_time_ns(self._questions.ask)
        except HeanError as error:
            case.doubt = f"the venue's clock cannot be read ({error.message})"
            return False
        spread_s = asyncio.get_running_loop().time() - case.first_s
        left_s = age_s(_left_ms(order), server_ns // MS_NS, waited_s=spread_s)
        proof = Proof(
            case.rounds,
            spread_s,
            round(left_s * 1e3) - RECEIVE_WINDOW_MS,
            self._unbroken() == case.holes,
            self._position_problem(order.symbol, case.first_ns),
        )
        case.doubt = missing_proof(proof, order, self._patience)
        if case.doubt or case.is_over():
            return False
        self._tracker.absent(
            order,
            f"{proof.rounds} complete looks by client id, at open orders and at executions within "
            f"{proof.spread_s:.0f} s found nothing; the venue's clock is {proof.late_ms} ms past "
            "the receive window of its request; the private stream had no hole; the position is "
            "what our fills explain.",
        )
        return True

    def _tell(self, case: _Case) -> None:
        """Quarantine when it takes too long, and an alarm every minute from then on."""
        order = case.order
        age_s = asyncio.get_running_loop().time() - case.began_s
        if not case.is_over() and (order.is_quarantined or age_s >= self._patience.quarantine_s):
            why = f"looked for since {age_s:.0f} s without a proof either way: {case.doubt}"
            self.quarantine(order, why)

    def quarantine(self, order: Tracked, why: str) -> None:
        """Say that nobody knows what became of an order, not more often than alarms may come; and
        look for it.
        """
        self.look_for(order)
        case = self._cases.get(order.order_id)
        now_s = asyncio.get_running_loop().time()
        if case is None:
            return  # it has ended
        if case.told_s is not None and now_s - case.told_s < self._patience.alarm_s:
            return
        case.told_s = now_s
        sentence = (
            f"order {order.order_id} ({order.symbol}, {self._codec.name}) is in quarantine and "
            f"counts in full: {why}. Look for it at the venue."
        )
        now_ns = self._questions.now()
        self._tracker.quarantined(order, sentence, now_ns)
        self._on_quarantine(order, sentence)
        self._emit(Error(self._codec.name, sentence, now_ns))


def _nobody(_symbol: str, _since_ns: int) -> str:
    return "nobody compares the position here"


def age_s(stamp_ms: int, venue_ms: int, *, waited_s: float) -> float:
    """How long ago a request left, by the venue's clock, which is what decides whether it is still
    taken. One that was stamped by a clock so far ahead that no connection lives until the venue
    would take it is refused whenever it comes: then how long it has been waited for.
    """
    late_ms = venue_ms - stamp_ms
    return late_ms / 1e3 if late_ms > -TRAVEL_MS_MAX else waited_s


def _left_ms(order: Tracked) -> int:
    return order.left_ms or order.opened_ns // MS_NS


def earliest_ns(order: Tracked) -> int:
    """From when executions may be its own, venue time."""
    return _left_ms(order) * MS_NS - EARLIER_NS
