# SPDX-License-Identifier: Apache-2.0
"""`sim.py`: the simulated exchange as source and venue. All of it happens in Rust; this file
only adds the present time to what is sent. See `crates/core/src/sim` for how orders fill.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from typing import Any

from hean._core import SimVenue
from hean.core.ports import Clock, Instant
from hean.core.types import EventType, OrderApproved
from hean.errors import ParameterInvalid
from hean.program import Change, Condition, Wake


class SimulatedVenue:
    """Recorded market in, orders in, facts out: `Source`, `Venue` and `Market` of a simulation."""

    next: Callable[[int | None], Instant | None]
    """The next instant at which somebody learns something; the core's own method."""
    last_price: Callable[[str], float | None]
    """Last published price of a symbol, `None` while there is none."""

    def __init__(self, core: SimVenue, clock: Clock) -> None:
        self.core = core
        self.clock = clock
        self.next = core.next
        self.last_price = core.last_price
        self._conditions: dict[Condition, int] = {}

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Offer only what somebody handles."""
        self.core.subscribe(wanted)

    def watch(
        self, symbols: Sequence[str], wakes: Sequence[Wake], *, feed: EventType, is_gate: bool
    ) -> None:
        """Evaluate conditions on each fact of *feed*; as a gate, offer only facts that wake."""
        changes = [wake for wake in wakes if isinstance(wake, Change)]
        for change in changes:
            self._conditions.setdefault(change.when, len(self._conditions))
        words = [list(condition.words) for condition in self._conditions]
        asked = [
            (wake.kind, self._conditions[wake.when] if isinstance(wake, Change) else wake.every_ns)
            for wake in wakes
        ]
        for symbol in symbols:
            self.core.watch(symbol, feed, words, asked, is_gate)

    def window(self, symbol: str, rows: int, column: str = "close") -> Any:
        """The last rows of a recorded column up to now, without a copy."""
        return self.core.window(symbol, rows, column)

    def holds(self, symbol: str, condition: Hashable) -> bool:
        """Whether a watched condition holds as of the last fact."""
        number = self._conditions.get(condition) if isinstance(condition, Condition) else None
        if number is None:
            known = ", ".join(str(each) for each in self._conditions) or "none"
            raise ParameterInvalid(f"nobody watches {condition}; wakes() names: {known}.")
        return self.core.holds(symbol, number)

    def wake(self, symbol: str) -> None:
        """Have the next fact of *symbol* offered, whatever it is."""
        self.core.wake(symbol)

    def submit(self, approved: OrderApproved) -> None:
        """Send an approved order into the entry latency."""
        self.core.submit(approved, self.clock.now_ns)

    def cancel(self, order_id: str) -> None:
        """Ask for a cancellation."""
        self.core.cancel(order_id, self.clock.now_ns)

    def amend(
        self, order_id: str, *, price: Decimal | None = None, size: Decimal | None = None
    ) -> None:
        """Ask for another price or another size of the whole order."""
        self.core.amend(order_id, price, size, self.clock.now_ns)
