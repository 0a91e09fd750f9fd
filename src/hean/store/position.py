# SPDX-License-Identifier: Apache-2.0
"""`position.py`: what a strategy holds of a symbol, at its average cost. The ledger of the core
counts the account's; that both agree is tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(slots=True)
class Holding:
    """*qty*: signed; *average*: what a piece of it cost."""

    qty: Decimal = ZERO
    average: Decimal = ZERO

    def trade(self, signed: Decimal, price: Decimal) -> Decimal:
        """Book a fill. *Returns*: what it realized, before fees."""
        closed = min(abs(signed), abs(self.qty)) if self.qty * signed < 0 else ZERO
        realized = (price - self.average) * closed * (1 if self.qty > 0 else -1)
        opened = abs(signed) - closed
        before = abs(self.qty) - closed
        self.qty += signed
        if opened:
            self.average = (self.average * before + price * opened) / (before + opened)
        return realized

    def unrealized(self, price: float | None) -> Decimal | None:
        """What it would make at *price*; `None` where that is not known."""
        if price is None:
            return None
        return (Decimal(repr(price)) - self.average) * self.qty
