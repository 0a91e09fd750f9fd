# SPDX-License-Identifier: Apache-2.0
"""`ports.py`: the entire contract with the outside, as six protocols.

A mode of operation is a choice of these; nothing else in the kernel knows where facts come from
or where orders go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from decimal import Decimal
from typing import Any, Protocol

from hean.core.types import Event, EventType, OrderApproved, Payload

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
    """How events travel between processes: at least once, in order for one key."""

    async def connect(self) -> None:
        """Reach the server. *Raises*: `EnvironmentFault` with the remedy."""
        ...

    async def publish(self, topic: str, event: Event) -> None:
        """Hand over one event."""
        ...

    def receive(self, topics: frozenset[str]) -> AsyncIterator[Event]:
        """Events of these topics, until `close`; the same event may come twice."""
        ...

    async def close(self) -> None:
        """Let go of the server; safe to call twice."""
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
