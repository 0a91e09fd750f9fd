# SPDX-License-Identifier: Apache-2.0
"""`quirks.py`: where an exchange misbehaves behind its wire. The exchange and its dialect ask these
few things at the places where real venues have been seen to err; without a fault dial every answer
is the honest one. Faults of the wire itself (timeouts, cuts, garbage) never come by here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hean.twin.account import Account
from hean.twin.orders import NewOrder, Order


@dataclass(slots=True, frozen=True)
class Maintenance:
    """An announced maintenance, ns UTC. *title*: what the announcement says."""

    number: int
    title: str
    begin_ns: int
    end_ns: int

    def state(self, now_ns: int) -> str:
        """scheduled, ongoing or completed."""
        if now_ns < self.begin_ns:
            return "scheduled"
        return "ongoing" if now_ns < self.end_ns else "completed"


def _lets_place(account: Account, new: NewOrder) -> None:
    """Nothing stands in the way."""


def _lets_change(order: Order) -> None:
    """Nothing stands in the way."""


def _spares_none(order: Order) -> bool:
    return False


@dataclass(slots=True)
class Quirks:
    """What to ask.

    *clock_off_ns*: how far the clock is off that answers now, the exchange's or that of one of its
    machines. *recent_since_ns*: a list of recently closed orders (Bybit `order/realtime`) knows
    none that ended before it; the history still does. *maintenances*: what `/v5/system/status`
    tells.

    *before_place*, *before_amend*, *before_cancel*: called by the exchange; may fill, close or
    forbid (raise `Refused`). *spares*: an order that a cancel-all reports as cancelled and leaves.
    """

    clock_off_ns: int = 0
    recent_since_ns: int = 0
    maintenances: tuple[Maintenance, ...] = ()
    before_place: Callable[[Account, NewOrder], None] = _lets_place
    before_amend: Callable[[Order], None] = _lets_change
    before_cancel: Callable[[Order], None] = _lets_change
    spares: Callable[[Order], bool] = _spares_none
