# SPDX-License-Identifier: Apache-2.0
"""`recorder.py`: writes before it happens. Every event that may not be lost is in the journal
before its handlers see it; fills and the kill switch are on the disk by then, and so is everything
before a request when its first byte leaves. All other rows reach the disk within a twentieth of a
second. A disk that is slow stops new orders; one that fails stops the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from hean.core.journal import STATE_HASH, STATE_HASH_EVERY, Journal
from hean.core.types import Delivery, Event, EventType, Funding, Health, Payload
from hean.errors import JournalWriteFailed
from hean.live.rows import SENT, Sent, Verb, row_bytes
from hean.live.witness import Witness
from hean.venues.reports import Tracked

FLUSH_S = 0.05  # what a crash may lose of facts that the venue can tell again
SLOW_S, HALT_S, END_S = 0.25, 1.0, 10.0  # RELIABILITY 2.5: warn, open nothing new, exit
COMPONENT = "journal"
AT_ONCE = frozenset(
    {
        EventType.ORDER_FILLED,
        EventType.FUNDING,
        EventType.KILLSWITCH_TRIGGERED,
        EventType.KILLSWITCH_RELEASED,
        EventType.COMMAND,
    }
)
"""On the disk before any handler sees them."""


class Recorder:
    """The writing side of a journal. *emit*: told when the disk is slow; *time_s*: monotonic;
    *now*: UTC nanoseconds; *state_hash*: of what outlives the process; *witness*: knows what was
    seen.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        emit: Callable[[Payload], None],
        time_s: Callable[[], float],
        now: Callable[[], int],
        state_hash: Callable[[], str],
        witness: Witness | None = None,
    ) -> None:
        self.journal = journal
        self.slowest_s = 0.0
        """The longest commit so far."""
        self.is_slow = False
        """Whether the last commit was so slow that nothing new may be opened."""
        self._emit = emit
        self._time_s = time_s
        self._now = now
        self._state_hash = state_hash
        self._witness = witness
        # By the journal's numbers, not this life's: short lives are the ones to be checked.
        self._hashed_seq = journal.head_seq - journal.head_seq % STATE_HASH_EVERY
        self._is_dirty = False
        self._failure = ""

    def tap(self, event: Event) -> None:
        """Keep an event; of the bus, before its handlers."""
        fact, witness = event.data, self._witness
        if fact.delivery is not Delivery.NEVER_DROPPED:
            if witness is None or not witness.is_news(fact):
                return
        elif isinstance(fact, Funding) and fact.is_forecast:
            return  # told every second, moves no money
        journal = self.journal
        if journal.head_seq - self._hashed_seq >= STATE_HASH_EVERY:
            journal.append(
                STATE_HASH, self._state_hash().encode(), ts_ns=event.ts_ns, event_seq=event.seq
            )
            self._hashed_seq = journal.head_seq - journal.head_seq % STATE_HASH_EVERY
        for kind, payload in witness.rows(event) if witness is not None else ():
            journal.append(kind, payload, ts_ns=event.ts_ns, event_seq=event.seq)
        journal.append_event(event)
        self._is_dirty = True
        if event.event_type in AT_ONCE:
            self.commit()

    def sending(
        self, verb: Verb, orders: Sequence[Tracked], price: Decimal | None, size: Decimal | None
    ) -> None:
        """What is sent leaves when this has returned. *Raises*: `JournalWriteFailed`."""
        for order in orders:
            venue_ms = order.left_ms if verb == "submit" else 0
            if verb == "amend" and order.wanted is not None:
                venue_ms = order.wanted.left_ms
            self.write(SENT, row_bytes(Sent(verb, order.order_id, price, size, venue_ms)))
        self.commit()

    def write(self, kind: str, payload: bytes) -> None:
        """Append a row that is no event."""
        self.journal.append(kind, payload, ts_ns=self._now())
        self._is_dirty = True

    def commit(self) -> None:
        """Return when every row is on the disk. *Raises*: `JournalWriteFailed`, also after ten
        seconds: what was decided so long ago must not leave. From then on it always does, for the
        one who heard it first may not be the one who ends the process.
        """
        if self._failure:
            raise JournalWriteFailed(self._failure)
        if not self._is_dirty:
            return
        began_s = self._time_s()
        self.journal.commit()
        self._is_dirty = False
        took_s = self._time_s() - began_s
        self.slowest_s = max(self.slowest_s, took_s)
        if took_s > END_S:
            self._failure = (
                f"{self.journal.place}: a commit took {took_s:.1f} s, more than {END_S:g} s; the "
                "disk does not work. Nothing leaves any more."
            )
            raise JournalWriteFailed(self._failure)
        is_slow = took_s > HALT_S
        if is_slow or self.is_slow or took_s > SLOW_S:
            state = "HALT_NEW" if is_slow else "SLOW" if took_s > SLOW_S else "READY"
            reason = f"a commit took {took_s * 1e3:.0f} ms; up to {SLOW_S * 1e3:.0f} are normal"
            self._emit(Health(COMPONENT, state, self.journal.head_seq, {"reason": reason}))
        self.is_slow = is_slow

    async def flush_regularly(self) -> None:
        """Until cancelled. *Raises*: `JournalWriteFailed`."""
        while True:
            await asyncio.sleep(FLUSH_S)
            self.commit()
