# SPDX-License-Identifier: Apache-2.0
"""`ports.py`: the entire contract with the outside, as six protocols.

A mode of operation is a choice of these; nothing else in the kernel knows where facts come from
or where orders go.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from hean.core.types import EventType, OrderApproved, Payload

Instant = tuple[int, tuple[Payload, ...]]
"""One moment: UTC nanoseconds, and every fact of that moment in order."""


class Source(Protocol):
    """Where a simulation's facts come from, in order of time."""

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Called once before the first `next`: the types somebody handles."""
        ...

    def next(self, horizon_ns: int | None) -> Instant | None:
        """The next instant, none of it later than *horizon_ns* (`None`: no horizon).

        *Returns*: `(horizon_ns, ())` when nothing happens up to the horizon, `None` at the end.
        Must not look beyond the first moment at which somebody could act.
        """
        ...


class Market(Protocol):
    """The market as of now, for whoever may look at it. A simulation reads its recorded columns, a
    live feed the last rows it kept; neither shows anything later than the present fact.
    """

    def window(self, symbol: str, rows: int, column: str = "close") -> Any:
        """The last *rows* values of a column, oldest first: a read-only float64 array, shorter
        while there are fewer. *Raises*: `ParameterInvalid` naming the known columns.
        """
        ...

    def holds(self, symbol: str, condition: Hashable) -> bool:
        """Whether a watched condition holds as of the present fact."""
        ...

    def wake(self, symbol: str) -> None:
        """Have the next fact of this symbol delivered, whatever it is."""
        ...


class Clock(Protocol):
    """Time, held still while events are handled. `SimClock` and `LiveClock` are the two."""

    now_ns: int
    next_timer_ns: int | None

    def call_at(self, ts_ns: int, payload: Payload) -> int:
        """Have *payload* emitted at *ts_ns*; returns a number for `cancel`."""
        ...

    def cancel(self, timer: int) -> bool:
        """Forget a timer; returns whether it was still waiting."""
        ...


class Venue(Protocol):
    """Where orders go. Never waits; every answer comes back as an event."""

    def submit(self, approved: OrderApproved) -> None:
        """Send an approved order, once."""
        ...

    def cancel(self, order_id: str) -> None:
        """Ask for the cancellation of one order."""
        ...

    def amend(
        self, order_id: str, *, price: Decimal | None = None, size: Decimal | None = None
    ) -> None:
        """Ask for another price or another size of the whole order, what has traded included;
        `None` keeps the old one. `ORDER_AMENDED` or `AMEND_REJECTED` answers.
        """
        ...


class Transport(Protocol):
    """How messages travel between processes: at least once. A topic has one sender and any number
    of readers, each known by its name. Every call but `close` may raise `BrokerLost`; then
    `connect` again: what was sent last may or may not have arrived.
    """

    async def connect(self) -> None:
        """Reach the broker, anew if it was lost."""
        ...

    async def publish(self, topic: str, batch: Sequence[tuple[int, bytes]]) -> None:
        """Return when the broker has these messages, each with its number."""
        ...

    async def newest(self, topic: str) -> bytes | None:
        """The last message the broker has of a topic; after an outage it tells what is lost."""
        ...

    async def post(self, topic: str, notice: bytes) -> None:
        """Put up the notice of a topic: what a reader has to know before its first message."""
        ...

    async def notice(self, topic: str) -> bytes | None:
        """The notice of a topic; `None` while there is none."""
        ...

    async def positions(self, topic: str) -> dict[str, int]:
        """What each reader of a topic has confirmed."""
        ...

    async def trim(self, topic: str, seq: int) -> None:
        """Nobody needs the messages up to *seq* any more."""
        ...

    async def join(self, reader: str, positions: Mapping[str, int]) -> None:
        """Read the topics of *positions* from now on, first what an earlier life of this reader
        was given and did not confirm.
        """
        ...

    async def receive(self, limit: int, wait_s: float) -> list[bytes]:
        """Some messages of the joined topics, empty when none came in time; any may come twice."""
        ...

    async def confirm(self, positions: Mapping[str, int]) -> None:
        """The effects of all that was received are durable, up to these numbers."""
        ...

    async def close(self) -> None:
        """Let go of the broker; safe to call twice."""
        ...


class Disk(Protocol):
    """Durable storage of the journal, narrow enough to inject faults into."""

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Run one statement and return its rows. *Raises*: `OSError` or `sqlite3.Error`."""
        ...

    def insert_many(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        """Run one statement for each row, without committing."""
        ...

    def commit(self) -> None:
        """Return only when everything before is on the disk."""
        ...

    def close(self) -> None:
        """Let go of the file; what was not committed is lost."""
        ...
