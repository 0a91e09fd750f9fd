# SPDX-License-Identifier: Apache-2.0
"""`echo.py`: the venue of a replay. Commands go nowhere; answers come from the journal, each at the
place in the order of events at which it came the first time. The recorded market is played beside
them by a simulated venue that never sees an order. The replay compares every journaled event with
what the same code emits now, so a command that differs is found before its answer is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hean.core.bus import EventBus
from hean.core.journal import STATE_HASH, Record
from hean.core.ports import Instant, Source
from hean.core.types import (
    AmendRejected,
    EventType,
    OrderApproved,
    OrderCancelled,
    OrderRejected,
    Payload,
)

ANSWERS = frozenset(
    {
        EventType.ORDER_PLACED,
        EventType.ORDER_AMENDED,
        EventType.ORDER_FILLED,
        EventType.ORDER_CANCELLED,
        EventType.ORDER_UNKNOWN,
        EventType.ORDER_ABSENT,
        EventType.ORDER_QUARANTINED,
        EventType.POSITION,
        EventType.BALANCE,
        EventType.ACCOUNT_READ,
        EventType.FUNDING,
    }
)


def is_answer(record: Record) -> bool:
    """Did this record come from the venue, and not from the code that is replayed?"""
    if record.kind == STATE_HASH:
        return False
    if record.kind in (EventType.ORDER_REJECTED, EventType.AMEND_REJECTED):
        fact = record.fact()
        return isinstance(fact, OrderRejected | AmendRejected) and fact.source.startswith("venue")
    if record.kind == EventType.ORDER_CANCELLED:
        fact = record.fact()
        return isinstance(fact, OrderCancelled) and fact.source == "venue"
    return record.kind in ANSWERS


class EchoVenue:
    """Source and venue of a replay.

    *bus*: tells how many events have passed. *market*: plays the recorded market. *records*: of
    the journal, in order.
    """

    def __init__(self, bus: EventBus, market: Source, records: Iterable[Record]) -> None:
        self.bus = bus
        self.market = market
        self._answers = [record for record in records if is_answer(record)]
        self._next = 0

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Offer only what somebody handles."""
        self.market.subscribe(wanted - ANSWERS)

    def next(self, horizon_ns: int | None) -> Instant | None:
        """The next instant: the journal's answers if it is their turn, else the market's."""
        facts: list[Payload] = []
        seq, ts_ns = self.bus.seq + 1, None
        while self._next < len(self._answers):
            record = self._answers[self._next]
            is_due = horizon_ns is None or record.ts_ns < horizon_ns
            if record.event_seq != seq or not is_due or ts_ns not in (None, record.ts_ns):
                break
            facts.append(record.fact())
            ts_ns = record.ts_ns
            seq += 1
            self._next += 1
        if ts_ns is not None:
            return ts_ns, tuple(facts)
        return self.market.next(horizon_ns)

    def submit(self, approved: OrderApproved) -> None:
        """Nothing leaves."""

    def cancel(self, order_id: str) -> None:
        """Nothing leaves."""

    def amend(
        self, order_id: str, *, price: Decimal | None = None, size: Decimal | None = None
    ) -> None:
        """Nothing leaves."""
