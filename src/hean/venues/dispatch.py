# SPDX-License-Identifier: Apache-2.0
"""`dispatch.py`: requests about orders under way. Each leaves once, over the order socket or, when
that is not open or owes an answer, by REST, and ends in one of three ways: yes, no with a reason,
or lost. Lost is what has no answer in five seconds, what the socket took with it when it died, and
every answer that proves nothing, such as a yes to an order that does not name it. A late answer
still counts. What follows from an end is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from hean.errors import FrameInvalid, Halted, HeanError, NotConnected, NotSent, OutcomeUnknown
from hean.net.socket import Connection
from hean.venues.codec import Codec
from hean.venues.outcomes import Outcome
from hean.venues.questions import Questions
from hean.venues.reports import Call, Reply, Tracked, Wanted
from hean.venues.session import Session

ANSWER_S = 5.0  # RELIABILITY 2.4: after it the outcome is unknown
LATE_S = 60.0  # an answer counts so long; by then the order has been looked for
S_NS = 1_000_000_000

Run = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
Sending = Callable[[str, Sequence[Tracked], Decimal | None, Decimal | None], None]
"""Told verb, orders, and the price and size of an amendment, before a byte of any of them may
leave; returns when that is durable. *Raises*: `FatalError`; nothing leaves then."""


class Flight(msgspec.Struct):
    """A request. *kind*: `submit`, `cancel` or `amend`; *wanted*: by an amendment; *ticks_ns*:
    steady time, first of taking it from the budget, then of leaving over the socket.
    """

    kind: str
    order: Tracked
    sent_ns: int
    wanted: Wanted | None = None
    is_late: bool = False
    ticks_ns: int = 0


class Ends(Protocol):
    """Who is told how a request ended."""

    def objection(self, flight: Flight) -> str:
        """Why it may not leave after all; asked right before its first byte."""
        ...

    def done(self, flight: Flight, reply: Reply) -> None:
        """The venue did it, or has taken it on."""
        ...

    def refused(self, flight: Flight, error: type[HeanError], why: str) -> None:
        """It did not happen and will not."""
        ...

    def lost(self, flight: Flight) -> None:
        """It may have happened or not."""
        ...


class Dispatch:
    """The order socket and its REST fallback. *run*: starts a task that the owner ends."""

    def __init__(self, codec: Codec, questions: Questions, ends: Ends, run: Run) -> None:
        self.session = Session(
            lambda: codec.order_steps(questions.venue_ms()),
            on_ready=lambda: None,
            on_refused=questions.learn,
        )
        self._codec = codec
        self._questions = questions
        self._ends = ends
        self._run = run
        self._connection: Connection | None = None
        self._flights: dict[str, Flight] = {}
        self._last_id = 0
        self._owed_id = 0  # the last request whose answer is late
        self._sound_id = 0  # the last that is answered, or left over another connection

    @property
    def in_flight(self) -> int:
        """Requests on the socket that have no answer yet."""
        return len(self._flights)

    def next_id(self) -> str:
        """The number of a request for the socket; empty when it cannot take one, or owes an answer:
        frames are stuck on it, and what joins them is as late as they are.
        """
        if not self.session.is_ready or self._owed_id > self._sound_id:
            return ""
        self._last_id += 1
        return str(self._last_id)

    def sent(self, flight: Flight, request_id: str, frame: bytes) -> bool:
        """Send over the socket. *Returns*: whether it left; if not, REST is no second send."""
        if self._connection is None:
            return False
        try:
            self._connection.send(frame)
        except NotConnected:
            return False
        flight.ticks_ns = self._questions.ticks_ns()
        self._flights[request_id] = flight
        return True

    def send_by_rest(self, flight: Flight, call: Call) -> None:
        """Send by REST."""
        self._run(self._by_rest(flight, call), f"{self._codec.name} {flight.kind}")

    def opened(self, connection: Connection) -> None:
        """A socket is open: log in. A planned change leaves what is under way to the old one."""
        self._connection = connection
        self._sound_id = self._last_id
        self.session.opened(connection)

    def down(self, reason: str) -> None:
        """The socket died, and nobody knows what it had delivered."""
        self.session.down()
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            if not flight.is_late:
                self._ends.lost(flight)

    def frame(self, frame: bytes) -> None:
        """A message of the socket."""
        try:
            parsed = self._codec.parse(frame)
        except FrameInvalid:
            return  # whose answer it was will be lost in five seconds
        if parsed is None or parsed["kind"] != "reply":
            return
        reply = self._codec.reply(parsed, self._questions.venue_ms())
        flight = self._flights.pop(reply.request_id, None)
        if flight is None:
            self.session.answered(reply)
            return
        self._sound_id = max(self._sound_id, int(reply.request_id))
        self._questions.learn(reply)
        self._end(flight, reply)

    def sweep(self) -> None:
        """Give up on what has had no answer in time."""
        now_ns = self._questions.ticks_ns()
        for request_id, flight in list(self._flights.items()):
            age_ns = now_ns - flight.ticks_ns
            if age_ns < ANSWER_S * S_NS:
                break  # they are in the order of sending
            if not flight.is_late:
                flight.is_late = True
                self._owed_id = int(request_id)
                self._ends.lost(flight)
            elif age_ns > LATE_S * S_NS:
                del self._flights[request_id]
                self._sound_id = max(self._sound_id, int(request_id))

    async def _by_rest(self, flight: Flight, call: Call) -> None:
        try:
            reply = await self._questions.send(call, lambda: self._ends.objection(flight))
        except (NotSent, Halted) as error:
            self._ends.refused(flight, type(error), error.message)
        except OutcomeUnknown:
            self._ends.lost(flight)
        else:
            self._end(flight, reply)

    def _end(self, flight: Flight, reply: Reply) -> None:
        verdict = reply.verdict
        is_nameless = flight.kind == "submit" and not reply.exchange_order_id
        if verdict.outcome is Outcome.YES and not is_nameless:
            self._ends.done(flight, reply)
        elif verdict.outcome is Outcome.NO:
            self._ends.refused(flight, verdict.error, verdict.sentence())
        elif not flight.is_late:
            self._ends.lost(flight)
