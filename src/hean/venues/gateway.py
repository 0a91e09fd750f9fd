# SPDX-License-Identifier: Apache-2.0
"""`gateway.py`: the last door before a venue, the same for all of them. From an approved order to
the bytes on the socket it is one plain call: no task, no waiting, no log. An order whose bytes may
have left is never sent again; without an answer it is UNKNOWN and is looked for. While the stream
of the account has a hole, or key or clock are refused, nothing new leaves; cancels and reductions
do. It knows no venue (see `codec.py`), keeps no journal and judges no risk; who does is asked last.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hean.core.types import OrderApproved, Payload
from hean.errors import (
    DuplicateOrder,
    EnvironmentFault,
    FilterRefused,
    Halted,
    HeanError,
    NotSent,
    OrderNotOpen,
    OrderSizeInvalid,
    ParameterInvalid,
    PriceNotOnTick,
    RateLimited,
    VenueRefused,
)
from hean.net.budget import Budget, Priority, busy
from hean.net.http import HttpClient
from hean.net.latency import PathLatency
from hean.net.line import Heartbeat
from hean.net.offset import ClockOffset
from hean.net.socket import ConnectGovernor, Connection, Dial, picows_dial
from hean.venues.cancels import Cancels
from hean.venues.codec import Codec
from hean.venues.dispatch import ANSWER_S, S_NS, Dispatch, Flight, Sending
from hean.venues.halts import ACCOUNT, Halts
from hean.venues.private import NAME as STREAM
from hean.venues.private import PrivateStream
from hean.venues.questions import Questions
from hean.venues.reports import Reply, Tracked, Wanted
from hean.venues.resolution import Resolution
from hean.venues.search import Patience, PositionProblem
from hean.venues.upkeep import Upkeep

PING_S = 20.0  # both venues close a connection that is silent for much longer
SILENCE_S = 20.0  # RELIABILITY 2.4: then a ping, and half as long later another connection
LIFE_S = 86_100.0  # both venues cut after 24 h; five minutes before that HEAN changes over
START_S = 30.0  # to log in and to read the account
MS_NS = 1_000_000

_REASONS_TO_LOOK: dict[type[HeanError], tuple[str, ...]] = {  # after a refusal: what to read again
    FilterRefused: ("rules",),
    OrderSizeInvalid: ("rules",),
    PriceNotOnTick: ("rules",),
    VenueRefused: ("modes", "rules"),  # Bybit has one code for a wrong mode and a wrong price
}
_is_word = re.compile(r"[A-Za-z0-9_-]{1,36}").fullmatch  # ids and symbols at both venues
_is_symbol = re.compile(r"[A-Za-z0-9_-]{1,36}(@spot|@perp)?").fullmatch  # where both are traded


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """*symbols*: what is traded; *leverage*: set at start, `None` leaves it; *dead_man_s*: after so
    long without us the venue cancels everything, stops too, so `None` unless chosen; *account_id*:
    refuse any other account, where the venue tells it.
    """

    symbols: tuple[str, ...]
    leverage: int | None = None
    dead_man_s: int | None = None
    account_id: str = ""


class Gateway:
    """A venue with money: `Venue` and `RimTask` in one.

    *emit*: takes the answers; *now*: UTC nanoseconds; *client*: HTTP to the venue's REST address;
    *budget*, *governor*: shared by all who use this account and address; *reload*: reads the
    trading rules anew; *latency*: is given the stamps of each order; *dial*: opens the sockets;
    *sending*: keeps what is about to leave; *objection*: says why an order in a symbol, reduce-only
    or not, may not leave; empty if it may; *remembers*: whether the journal knows an order id;
    *position_problem*: see `search.py`, without it none is proven absent; *patience*: of a search.
    """

    def __init__(
        self,
        codec: Codec,
        settings: GatewaySettings,
        *,
        emit: Callable[[Payload], None],
        client: HttpClient,
        budget: Budget,
        now: Callable[[], int],
        rng: random.Random,
        governor: ConnectGovernor,
        reload: Callable[[], Awaitable[None]] | None = None,
        latency: PathLatency | None = None,
        dial: Dial = picows_dial,
        sending: Sending | None = None,
        objection: Callable[[str, bool], str] | None = None,
        remembers: Callable[[str], bool] = lambda order_id: False,
        position_problem: PositionProblem | None = None,
        patience: Patience = Patience(),  # noqa: B008  # frozen
    ) -> None:
        if not all(map(_is_symbol, settings.symbols)):
            raise ParameterInvalid(f"symbols {settings.symbols}: write them as the venue does.")
        self.codec = codec
        self.offset = ClockOffset()
        self.halts = Halts(
            codec.name, emit, self._details, first=(STREAM, "the account has not been read yet")
        )
        self.questions = Questions(
            codec,
            client,
            budget,
            self.offset,
            now=now,
            on_key_refused=lambda why: self.halts.add("key", why),
            on_code=lambda code: self.upkeep.answered(code),
        )
        self._symbols = frozenset(settings.symbols)
        self._settings = settings
        self._budget = budget
        self._now = now
        self._latency = latency
        self._sending = sending
        self._objection = objection
        self._tasks: set[asyncio.Task[None]] = set()
        self._put_together(emit, reload, remembers, position_problem, patience)
        self.sockets = self._connections(rng, governor, dial)

    def _put_together(
        self,
        emit: Callable[[Payload], None],
        reload: Callable[[], Awaitable[None]] | None,
        remembers: Callable[[str], bool],
        position_problem: PositionProblem | None,
        patience: Patience,
    ) -> None:
        """The parts that know orders, account and time."""
        codec, questions, halts, run = self.codec, self.questions, self.halts, self.run
        symbols = self._settings.symbols
        self.resolution = Resolution(
            codec,
            questions,
            halts,
            run,
            symbols=symbols,
            emit=emit,
            cancel=self._cancel,
            unbroken=lambda: self.private.unbroken,
            first_ns=lambda: self.private.first_ns(),
            remembers=remembers,
            position_problem=position_problem,
            patience=patience,
        )
        self.tracker = self.resolution.tracker
        self.dispatch = Dispatch(codec, questions, self, run)
        self.cancels = Cancels(
            codec,
            questions,
            self._budget,
            self.dispatch,
            sending=self._sending,
            later=self.resolution.cancel_later,
            is_superseded=lambda: bool(self.resolution.strangers.superseded),
        )
        self.private = PrivateStream(
            codec,
            questions,
            self.tracker,
            self.resolution.naming,
            halts,
            emit=emit,
            symbols=symbols,
            run=run,
            on_missing=self.resolution.look_for,
            on_read=lambda ticks_ns: self.upkeep.read(ticks_ns),
        )
        self.upkeep = Upkeep(
            codec,
            questions,
            self.offset,
            halts,
            self.dispatch,
            self.private,
            run,
            symbols=symbols,
            reload=reload,
        )

    # ------------------------------------------------------------ the port `Venue`

    def submit(self, approved: OrderApproved) -> None:
        """Send an approved order, once.

        *Raises*: `DuplicateOrder` for an id that was sent before.
        """
        latency = self._latency
        if latency is not None:
            latency.submit()
        if self.tracker.get(approved.order_id) is not None:
            raise DuplicateOrder(f"{approved.order_id} was sent before; ids are never used twice.")
        self.cancels.leave()
        now_ns = self._now()
        order = self.tracker.open(approved, now_ns)
        order.left_ms = self.questions.venue_ms()
        taken_ns = self.questions.ticks_ns()
        if (problem := self._problem(approved, now_ns, taken_ns)) is not None:
            self.tracker.refused(order, type(problem), problem.message)
            return
        flight = Flight("submit", order, now_ns, ticks_ns=taken_ns)
        if not self._may_leave(flight, self.codec.submit_kind(approved.symbol), None, None):
            return
        frame = None
        request_id = self.dispatch.next_id()
        if request_id:
            frame = self.codec.submit_frame(approved, request_id, order.left_ms)
            if latency is not None:
                latency.encoded()
        if frame is None or not self.dispatch.sent(flight, request_id, frame):
            self.dispatch.send_by_rest(flight, self.codec.submit_call(approved))
        elif latency is not None:
            latency.left()

    def cancel(self, order_id: str) -> None:
        """Ask for the cancellation of one order, which leaves as soon as the one who asks has done;
        asked again until the venue has decided. Who wishes it again meanwhile uses up no request.
        """
        order = self.tracker.get(order_id)
        if order is None or order.is_over:
            return
        age_ns = self.questions.ticks_ns() - order.cancelled_ns
        if not order.is_cancel_wanted or age_ns >= ANSWER_S * S_NS:
            self._cancel(order)

    def _cancel(self, order: Tracked) -> None:
        order.is_cancel_wanted, order.cancelled_ns = True, self.questions.ticks_ns()
        self.cancels.ask(order)

    def amend(
        self, order_id: str, *, price: Decimal | None = None, size: Decimal | None = None
    ) -> None:
        """Ask for another price or another whole size; `None` keeps the old one."""
        order = self.tracker.get(order_id)
        if order is None:
            return
        self.cancels.leave()
        if order.is_over or order.price is None:  # its end may be on its way to whoever asks
            self.tracker.amend_refused(order, OrderNotOpen, "only an open limit order can change.")
            return
        new_price = order.price if price is None else price
        new_size = order.size if size is None else size
        if refusal := self.codec.amend_refusal(order, new_price, new_size):
            self.tracker.amend_refused(order, VenueRefused, refusal)
            return
        if why := self._why_not(order):
            self.tracker.amend_refused(order, Halted, why)
            return
        now_ns = self._now()
        call = self.codec.amend_call(order, new_price, new_size)
        taken_ns = self.questions.ticks_ns()
        if wait_ns := self._budget.try_take(call.kind, Priority.NEW, taken_ns):
            self.tracker.amend_refused(order, RateLimited, busy(wait_ns))
            return
        now_ms = self.questions.venue_ms()
        order.wanted = Wanted(new_price, new_size, now_ms)
        flight = Flight("amend", order, now_ns, order.wanted, ticks_ns=taken_ns)
        if not self._may_leave(flight, call.kind, new_price, new_size):
            return
        frame = None
        request_id = self.dispatch.next_id()
        if request_id:
            frame = self.codec.amend_frame(order, new_price, new_size, request_id, now_ms)
        if frame is None or not self.dispatch.sent(flight, request_id, frame):
            self.dispatch.send_by_rest(flight, call)

    # ------------------------------------------------------------ the rim

    def restore(
        self,
        orders: Iterable[Tracked],
        seen: Iterable[str],
        since_ns: int,
        epoch: int | None = None,
        first_ns: int = 0,
    ) -> None:
        """Go on where earlier processes stopped: their orders, ids of executions they told, and
        until when they watched the account, by the venue's clock, 0 if there was none; *first_ns*:
        since when. Before `start`. *epoch*: of this process; with it orders on the account that
        bear HEAN's form of id are judged.
        """
        self.resolution.strangers.epoch = epoch
        self.tracker.restore(orders, seen)
        if since_ns:
            self.private.resume(since_ns, first_ns)

    async def start(self) -> None:
        """Measure the clock, set up the account, log in and read the account.

        *Raises*: `ParameterInvalid` for another account than the configured one, `KeyRefused`, and
        `EnvironmentFault` when the venue is not there in time. Nothing is left running then.
        """
        try:
            await self.measure_clock()
            await self._set_up()
            for socket in self.sockets:
                await socket.start()
            async with asyncio.timeout(START_S):
                await self.private.caught_up.wait()
            winds = self._settings.dead_man_s if await self._arm() else None
        except TimeoutError:
            why = self.halts.why(ACCOUNT)
            await self.stop()
            raise EnvironmentFault(
                f"{self.codec.name} was not ready within {START_S:g} s: {why}."
            ) from None
        except HeanError:
            await self.stop()
            raise
        for order in self.tracker.open_orders():
            if order.is_unknown:
                self.resolution.look_for(order)
            self.resolution.amendments.watch(order)
        self.upkeep.start(winds)

    async def stop(self) -> None:
        """Close everything; open orders stay where they are. Safe to call twice."""
        self.cancels.forget()
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._settings.dead_man_s and self.private.caught_up.is_set():
            with suppress(HeanError):  # it then cancels when its time is over, as it was meant to
                await self.upkeep.arm(0)
        self.private.caught_up.clear()
        for socket in reversed(self.sockets):
            await socket.stop()

    async def measure_clock(self) -> None:
        """One estimate of the venue's clock. *Raises*: as `Questions.ask`."""
        await self.upkeep.measure_clock()

    def look_again(self) -> None:
        """Read the account once more in a moment."""
        self.private.look_soon()

    def run(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task of this gateway, ended by `stop`."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------------ how requests end (`Ends`)

    def objection(self, flight: Flight) -> str:
        """Why an order or amendment that waited for its connection may not leave any more."""
        return "" if flight.kind == "cancel" else self._why_not(flight.order)

    def done(self, flight: Flight, reply: Reply) -> None:
        """The venue took it on. Of a cancel or amendment, a look tells that it is done."""
        self.halts.lift("key")
        if flight.kind == "submit":
            self.tracker.placed(flight.order, reply.exchange_order_id)
        elif flight.kind == "amend":
            self.resolution.amendments.watch(flight.order)

    def refused(self, flight: Flight, error: type[HeanError], why: str) -> None:
        """A definite no, and what it tells beyond this request."""
        order = flight.order
        for what in _REASONS_TO_LOOK.get(error, ()):
            self.upkeep.now(what)
        if flight.kind == "submit":
            self.tracker.refused(order, error, why)
        elif flight.kind == "amend":
            self.resolution.amendments.refused(flight, error, why)
        elif flight.kind == "cancel" and error in (RateLimited, NotSent, Halted):
            self.resolution.cancel_later(order)
        elif flight.kind == "cancel" and error is not OrderNotOpen:
            self.resolution.cancel_refused(order)
        else:
            self.tracker.request_refused(order, error, why)
            if error is OrderNotOpen:
                self.resolution.not_found(order)

    def lost(self, flight: Flight) -> None:
        """Nobody knows what became of it: ask."""
        if flight.kind == "submit":
            self.tracker.unknown(flight.order, flight.sent_ns)
        elif flight.kind == "amend":
            self.resolution.amendments.watch(flight.order)
        self.resolution.look_for(flight.order)

    # ------------------------------------------------------------ inside

    def _problem(self, approved: OrderApproved, now_ns: int, ticks_ns: int) -> HeanError | None:
        """Why this order may not leave; takes it from the budget if it may."""
        if approved.symbol not in self._symbols or not _is_word(approved.order_id):
            return ParameterInvalid(
                f"this gateway trades {', '.join(sorted(self._symbols))}, and an order id is 1 to "
                "36 letters, digits, '-' and '_'."
            )
        self.upkeep.look(now_ns)
        if why := self._why_not(approved):
            return Halted(why)
        priority = Priority.REDUCE if approved.reduce_only else Priority.NEW
        kind = self.codec.submit_kind(approved.symbol)
        wait_ns = self._budget.try_take(kind, priority, ticks_ns)
        return RateLimited(busy(wait_ns)) if wait_ns else None

    def _why_not(self, order: OrderApproved | Tracked) -> str:
        """Why it may not leave at this moment. A reduction leaves in spite of our own halts."""
        why = self.resolution.strangers.superseded
        if not why and not order.reduce_only:
            why = self.halts.why(order.symbol)
        if not why and self._objection is not None:
            why = self._objection(order.symbol, order.reduce_only)
        return why

    def _may_leave(self, flight: Flight, kind: str, *terms: Decimal | None) -> bool:
        """Keep what is about to leave, a request of this *kind*. A slow disk takes seconds: then it
        is judged once more, and the venue counts it later.
        """
        if self._sending is not None:
            self._sending(flight.kind, (flight.order,), *terms)
            self._budget.left(kind, flight.ticks_ns, self.questions.ticks_ns())
        if why := self.objection(flight):
            self.refused(flight, Halted, why)
        return not why

    def _details(self) -> dict[str, Any]:
        return {
            "headroom_fraction": self._budget.headroom_fraction(self.questions.ticks_ns()),
            "clock_offset_ms": self.offset.offset_ns // MS_NS,
            "in_flight": self.dispatch.in_flight,
        }

    def _connections(
        self, rng: random.Random, governor: ConnectGovernor, dial: Dial
    ) -> list[Connection]:
        """The order socket and the private stream."""
        codec = self.codec

        async def private_url() -> str:
            return await codec.private_url(self.questions.ask) or still(codec.endpoints.private)

        def still(url: str) -> str:
            if self._budget.silent_ns(self.questions.ticks_ns()):
                raise RateLimited(
                    f"{codec.name} wants silence; nothing connects before it is over."
                )
            return url

        def connection(part: str, url: Any, owner: Any, on_silence: Any) -> Connection:
            return Connection(
                f"{codec.name} {part}",
                url,
                on_frame=owner.frame,
                on_open=owner.opened,
                on_down=owner.down,
                heartbeat=Heartbeat(PING_S, codec.ping, proves_life=True),
                silence_s=SILENCE_S,
                now=self._now,
                rng=rng,
                governor=governor,
                life_s=LIFE_S,
                on_silence=on_silence,
                dial=dial,
            )

        return [
            connection("orders", lambda: still(codec.endpoints.trade), self.dispatch, None),
            connection("account", private_url, self.private, self.private.doubt),
        ]

    async def _set_up(self) -> None:
        ask, settings = self.questions.ask, self._settings
        found = await self.codec.account_id(ask)  # the first signed question: is the key accepted?
        if found and settings.account_id not in ("", found):
            raise ParameterInvalid(
                f"the key of {self.codec.key_label} belongs to account {found}, configured is "
                f"{settings.account_id}; no order was sent."
            )
        await self.codec.prepare(ask, settings.symbols, settings.leverage)
        await self.upkeep.check_modes()

    async def _arm(self) -> bool:
        """Set the dead-man's switch, if it is chosen. *Returns*: whether it must be wound."""
        seconds = self._settings.dead_man_s
        return bool(seconds) and await self.upkeep.arm(seconds or 0)
