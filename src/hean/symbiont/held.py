# SPDX-License-Identifier: Apache-2.0
"""`held.py`: a position with money, as its fills tell it: how large, what was received for it, what
the order cost that was decided at a bar. An order in many pieces is one order.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.core.types import OrderApproved, OrderFilled, Side

ZERO = Decimal(0)


class Held(msgspec.Struct):
    """*size*: signed; *received*: quote currency, so far. *is_whole*: whether the trip counts: all
    of it was seen, by an agent in one stage. *order_id*, *quantity*, *value*, *fee*: of the order
    whose pieces come in.
    """

    size: Decimal = ZERO
    received: Decimal = ZERO
    is_whole: bool = True
    order_id: str = ""
    quantity: Decimal = ZERO
    value: Decimal = ZERO
    fee: Decimal = ZERO

    def take(self, fill: OrderFilled) -> None:
        """Count a fill."""
        signed = fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
        self.size += signed
        self.received -= signed * fill.fill_price + fill.fee
        if fill.order_id != self.order_id:
            self.order_id, self.quantity, self.value, self.fee = fill.order_id, ZERO, ZERO, ZERO
        self.quantity += fill.filled_qty
        self.value += fill.filled_qty * fill.fill_price
        self.fee += fill.fee

    def cost_bp(self, fill: OrderFilled, price: float) -> float | None:
        """What the order of the last fill cost against *price*, fee and slippage; `None` before
        its last piece.
        """
        if fill.remaining_qty or not self.value:
            return None
        sign = 1.0 if fill.side is Side.BUY else -1.0
        slip = sign * (float(self.value / self.quantity) / price - 1)
        return 1e4 * (slip + float(self.fee / self.value))

    def close(self) -> Decimal | None:
        """The position is flat. *Returns*: what its trip has earned, if it counts."""
        earned = self.received if self.is_whole else None
        self.received, self.is_whole = ZERO, True
        return earned


def exposure_of(order: OrderApproved, price: float, given: float) -> float:
    """Value of an entry as a multiple of the capital *given* to whoever decided it; an exit has
    none. Two digits: the price has moved a little since.
    """
    if order.reduce_only or not given > 0:
        return 0.0
    return round(float(order.size) * price / given, 2)
