# SPDX-License-Identifier: Apache-2.0
"""`compared.py`: one reading of the account beside the books of that moment, for people. What the
differences mean has been decided by the process (`hean.reconcile`); here they are only shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from hean._core import Instrument, OrderEngine
from hean.core.types import AccountRead
from hean.engine.documents import Holding, ListedOrder

ZERO = Decimal(0)


@dataclass(frozen=True)
class Reading:
    """*at_ns*: when it was told."""

    at_ns: int
    is_complete: bool
    holdings: list[Holding]
    orders: list[ListedOrder]


def reading_of(
    read: AccountRead, at_ns: int, engine: OrderEngine, rules: Mapping[str, Instrument]
) -> Reading:
    """*engine*: our books when the reading was told; *rules*: of what is traded."""
    holdings = list(_holdings(read, engine, rules))
    return Reading(at_ns, read.is_complete, holdings, list(_orders(read, engine)))


def _holdings(
    read: AccountRead, engine: OrderEngine, rules: Mapping[str, Instrument]
) -> Iterator[Holding]:
    """Positions, both sides of a symbol in one; then coins, of which an account may hold some that
    no fill of ours explains.
    """
    held = {symbol: ZERO for symbol, each in rules.items() if each.kind != "spot"}
    for symbol, quantity in read.positions:
        held[symbol] = held.get(symbol, ZERO) + quantity
    for symbol, theirs in held.items():
        ours = engine.position(symbol) if symbol in rules else ZERO
        yield Holding(name=symbol, expected=ours, actual=theirs, difference=theirs - ours)
    for coin, quantity in read.balances:
        yield Holding(name=coin, expected=None, actual=quantity, difference=None)


def _orders(read: AccountRead, engine: OrderEngine) -> Iterator[ListedOrder]:
    """Open orders that only one of both shows."""
    ours = {
        order["client_order_id"]: order
        for order in engine.open_orders()
        if not order["is_sliced"]  # only its slices are at the venue
    }
    for listed in read.orders:
        if ours.pop(listed.client_order_id, None) is None:
            yield ListedOrder(
                order_id=listed.client_order_id or listed.exchange_order_id,
                symbol=listed.symbol,
                open_qty=listed.size - listed.filled,
                status="",
            )
    for order_id, order in ours.items():
        yield ListedOrder(
            order_id=order_id, symbol=order["symbol"], open_qty=None, status=order["status"]
        )
