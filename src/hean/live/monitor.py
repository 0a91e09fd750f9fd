# SPDX-License-Identifier: Apache-2.0
"""`monitor.py`: the second pair of eyes. In another process than the one that trades, it holds
every order that the venue shows under HEAN's own form of id against what the journal says was
approved and sent. The row is on the disk before a byte leaves, so an order without one, or with
other terms, was made by a bug or by somebody else. Pure: rows and reports go in, sentences come
out.
"""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import msgspec

from hean.core.journal import Record
from hean.core.types import EventType, OrderApproved, OrderType
from hean.live.rows import SENT, START, STOP, Sent, Start, row_of
from hean.risk.killswitch import PROTECTIVE
from hean.venues.reports import Execution, OrderReport, Status
from hean.venues.strangers import Kind, kind_of

KINDS = (START, SENT, STOP, EventType.ORDER_APPROVED.value)
"""The rows that are of interest."""
PRICED = (OrderType.LIMIT, OrderType.STOP_LIMIT)


class Terms(msgspec.Struct):
    """An order as approved. *prices*, *sizes*: also those of the amendments that were sent."""

    approved: OrderApproved
    prices: set[Decimal]
    sizes: set[Decimal]
    is_sent: bool = False


class Known:
    """What one journal knows of orders. It keeps as many as the journal has rows for; a journal is
    begun anew long before that is much.
    """

    def __init__(self) -> None:
        self.start: Start | None = None
        """Of the last life."""
        self.head_seq = 0
        """The last row read."""
        self._orders: dict[str, Terms] = {}

    def apply(self, record: Record) -> None:
        """One row, of `KINDS`. *Raises*: `JournalDamaged`."""
        match record.kind:
            case "START":
                self.start = row_of(record, Start)
            case "SENT":
                self._sent(row_of(record, Sent))
            case "ORDER_APPROVED":
                # One without a ticket is anybody's word.
                approved = cast(OrderApproved, record.fact())
                if approved.ticket is not None and approved.order_id not in self._orders:
                    prices = set() if approved.price is None else {approved.price}
                    terms = Terms(approved, prices, {approved.size})
                    self._orders[approved.order_id] = terms

    def _sent(self, sent: Sent) -> None:
        terms = self._orders.get(sent.order_id)
        if terms is None:
            return
        terms.is_sent = terms.is_sent or sent.verb == "submit"
        if sent.price is not None:
            terms.prices.add(sent.price)
        if sent.size is not None:
            terms.sizes.add(sent.size)

    # ------------------------------------------------------------ judging

    def objection(self, seen: OrderReport | Execution) -> str:
        """Why this order, or piece of one, cannot be explained, with both facts; empty if it can,
        or if it is none of this journal's concern.
        """
        order_id = seen.client_order_id
        terms = self._orders.get(order_id)
        if terms is None or not terms.is_sent:
            if kind_of(order_id, self.epoch) not in (Kind.OWN, Kind.NEWER):
                return ""
            what = "no approval" if terms is None else "an approval, but no row that it was sent,"
            return f"{self._shown(seen)}; the journal has {what} up to row {self.head_seq}"
        differs = _difference(seen, terms)
        if not differs:
            return ""
        approved = terms.approved
        price = "any price" if approved.price is None else f"{approved.price:f}"
        return (
            f"{self._shown(seen)}; approved was {approved.side} {approved.size:f} "
            f"{approved.symbol} at {price}: another {differs}"
        )

    def is_protective(self, order_id: str) -> bool:
        """Whether it is a stop that can only reduce."""
        terms = self._orders.get(order_id)
        return terms is not None and (
            terms.approved.reduce_only and terms.approved.type in PROTECTIVE
        )

    @property
    def epoch(self) -> int | None:
        """Of the last life; `None` before the first."""
        return self.start.epoch if self.start is not None else None

    def _shown(self, seen: OrderReport | Execution) -> str:
        price = "" if seen.price is None else f" at {seen.price:f}"
        side = seen.side or "of unknown side"
        return (
            f"the venue shows {seen.client_order_id}: {side} {seen.quantity:f} {seen.symbol}{price}"
        )


def _difference(seen: OrderReport | Execution, terms: Terms) -> str:
    """Which field is not as approved; empty if none."""
    approved = terms.approved
    if seen.symbol != approved.symbol:
        return "symbol"
    if seen.side not in (None, approved.side):
        return "side"
    if isinstance(seen, Execution):
        return "size" if seen.quantity > max(terms.sizes) else ""
    if seen.status is Status.STRANGE or not seen.quantity:
        return ""  # the gateway deals with what nobody understands
    is_less = approved.reduce_only and seen.quantity < max(terms.sizes)  # the venue may shrink it
    if seen.quantity not in terms.sizes and not is_less:
        return "size"
    is_priced = approved.type in PRICED and seen.price
    return "price" if is_priced and seen.price not in terms.prices else ""
