# SPDX-License-Identifier: Apache-2.0
"""`sim.py`: the simulated exchange as source and venue. All of it happens in Rust; this file
only adds the present time to what is sent. See `crates/core/src/sim` for how orders fill.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hean._core import SimVenue
from hean.core.ports import Clock, Instant
from hean.core.types import EventType, OrderApproved


class SimulatedVenue:
    """Recorded market in, orders in, facts out. Both `Source` and `Venue` of a simulation."""

    next: Callable[[int | None], Instant | None]
    """The next instant at which somebody learns something; the core's own method."""
    last_price: Callable[[str], float | None]
    """Last published price of a symbol, `None` while there is none."""

    def __init__(self, core: SimVenue, clock: Clock) -> None:
        self.core = core
        self.clock = clock
        self.next = core.next
        self.last_price = core.last_price

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Offer only what somebody handles."""
        self.core.subscribe(wanted)

    def submit(self, approved: OrderApproved) -> None:
        """Send an approved order into the entry latency."""
        self.core.submit(approved, self.clock.now_ns)

    def cancel(self, order_id: str) -> None:
        """Ask for a cancellation."""
        self.core.cancel(order_id, self.clock.now_ns)

    def amend(
        self, order_id: str, *, price: Decimal | None = None, size: Decimal | None = None
    ) -> None:
        """Ask for another price or remaining size."""
        self.core.amend(order_id, price, size, self.clock.now_ns)
