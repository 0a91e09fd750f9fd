# SPDX-License-Identifier: Apache-2.0
"""`stops.py`: take profits, stop losses and trailing stops. On Bybit they are conditional orders
that belong to a position, or on spot to a filled order. The exchange only knows conditional orders;
who belongs to whom is kept here, and acted on when the exchange has finished what it was doing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from hean.twin.account import Account, Position
from hean.twin.bybit import words
from hean.twin.orders import (
    ZERO,
    Event,
    NewOrder,
    Order,
    OrderEvent,
    PositionEvent,
    Refused,
    Status,
    Trigger,
    Why,
)
from hean.twin.venue import TwinVenue

KINDS = {"takeProfit": "TakeProfit", "stopLoss": "StopLoss", "trailingStop": "TrailingStop"}
ENDED = frozenset({"cancelled", "expired", "rejected", "triggered"})
PASSED = frozenset({Why.TRIGGER_PASSED_RISING, Why.TRIGGER_PASSED_FALLING})
Slot = tuple[int, str, str, str]
"""Account number, symbol, side of the position, `takeProfit` and so on."""


@dataclass(slots=True, frozen=True)
class Exit:
    """One exit of a position. *quantity* `None`: all of it. *limit*: price of a limit order."""

    name: str
    price: Decimal
    by: str = "last"
    quantity: Decimal | None = None
    limit: Decimal | None = None
    active: Decimal | None = None


@dataclass(slots=True)
class _Held:
    order: Order
    is_long: bool


@dataclass(slots=True)
class Stops:
    """Exits of all accounts. *later*: where work is put that must wait for the exchange."""

    venue: TwinVenue
    later: deque[Callable[[], None]]
    _held: dict[Slot, _Held] = field(default_factory=dict)

    def set(self, account: Account, position: Position, exit_: Exit) -> Order:
        """Give a position an exit of its own; one of each kind, a new one replaces the old.

        *Raises*: `Refused`; the old one stands.
        """
        slot = (account.number, position.market.symbol, position.side, exit_.name)
        held = self._held.get(slot)
        if held is not None and held.order.is_open:
            if exit_.name != "trailingStop":
                self.venue.amend(held.order, trigger_price=exit_.price)
                self._show(position, exit_.name, exit_.price)
                return held.order
            self.venue.cancel(held.order)
        order = self._place(account, position, exit_)
        self._held[slot] = _Held(order, position.size > 0)
        self._show(position, exit_.name, exit_.price)
        return order

    def add(self, account: Account, position: Position, exit_: Exit) -> Order:
        """An exit for part of a position, beside others. *Raises*: `Refused`."""
        return self._place(account, position, exit_)

    def clear(self, account: Account, position: Position, name: str) -> None:
        """Remove an exit if it is there."""
        slot = (account.number, position.market.symbol, position.side, name)
        held = self._held.pop(slot, None)
        if held is not None and held.order.is_open:
            self.venue.cancel(held.order)
        self._show(position, name, None)

    def on_event(self, event: Event) -> None:
        """Follow what happens to orders and positions."""
        if isinstance(event, OrderEvent):
            order = event.order
            if event.kind in ENDED and order.extra.get("of_position"):
                self._ended(order)
            if event.kind == "triggered" and order.extra.get("siblings"):
                self.later.append(lambda: self._drop_siblings(order))
            if order.extra.get("takeProfit") or order.extra.get("stopLoss"):
                self._attached(event)
        elif isinstance(event, PositionEvent) and self._held:
            self._check_side(event.account, event.position)

    def _attached(self, event: OrderEvent) -> None:
        """An order that carries exits filled."""
        order = event.order
        is_full = order.extra.get("tpslMode") != "Partial"
        is_linear = order.market.listing.market == "linear"
        if is_linear and is_full:
            if event.kind == "trade":
                self.later.append(lambda: self._arm_position(order))
        elif order.filled and not order.is_open:
            arm = self._arm_part if is_linear else self._arm_spot
            self.later.append(lambda: arm(order))

    def _arm_position(self, order: Order) -> None:
        position = order.account.position(order.market, order.position_side)
        if not position.size or (position.size > 0) != (order.side == "BUY"):
            return
        for exit_ in exits_of(order):
            held = self._shown(position, exit_.name)
            if held != exit_.price:
                self._arm(order, position, exit_)

    def _arm_part(self, order: Order) -> None:
        position = order.account.position(order.market, order.position_side)
        if not position.size or (position.size > 0) != (order.side == "BUY"):
            return
        for exit_ in exits_of(order, order.filled):
            self._arm(order, position, exit_)

    def _arm(self, order: Order, position: Position, exit_: Exit) -> None:
        """Set an exit; if its price has passed already, leave at the market at once."""
        place = self.set if exit_.quantity is None else self.add
        try:
            place(order.account, position, exit_)
        except Refused as refused:
            if refused.why in PASSED:
                self._leave(order)

    def _leave(self, order: Order) -> None:
        closing = NewOrder(
            order.market.symbol,
            "SELL" if order.side == "BUY" else "BUY",
            order.filled,
            reduce_only=True,
            position_side=order.position_side,
            extra={"orderType": "Market", "createType": "CreateByStopLoss"},
        )
        try:
            self.venue.place(order.account, closing, market="linear")
        except Refused:
            return  # the position is gone; nothing is left to leave

    def _arm_spot(self, order: Order) -> None:
        listing = order.market.listing
        fee = order.fees.get(listing.base, ZERO)
        quantity = (order.filled - fee) // listing.lot * listing.lot
        siblings: list[Order] = []
        for exit_ in exits_of(order, quantity):
            is_rising = (exit_.name == "takeProfit") == (order.side == "BUY")
            new = NewOrder(
                order.market.symbol,
                "SELL" if order.side == "BUY" else "BUY",
                quantity,
                exit_.limit,
                trigger=Trigger(exit_.price, is_rising, exit_.by),
                extra=_extra(exit_, "tpslOrder") | {"siblings": siblings},
            )
            try:
                siblings.append(self.venue.place(order.account, new, market="spot"))
            except Refused:
                continue  # its price has passed or the coins are gone

    def _drop_siblings(self, order: Order) -> None:
        for other in order.extra["siblings"]:
            if other is not order and other.is_open:
                self.venue.cancel(other, Why.POSITION_CLOSED)

    def _place(self, account: Account, position: Position, exit_: Exit) -> Order:
        is_long = position.size > 0
        is_rising = (exit_.name == "takeProfit") == is_long
        trigger = Trigger(exit_.price, is_rising, exit_.by)
        if exit_.name == "trailingStop":
            trigger = Trigger(ZERO, is_rising, "last", exit_.price, exit_.active)
        is_part = exit_.quantity is not None
        new = NewOrder(
            position.market.symbol,
            "SELL" if is_long else "BUY",
            exit_.quantity or abs(position.size),
            exit_.limit,
            reduce_only=True,
            close_all=not is_part,
            position_side=position.side,
            trigger=trigger,
            extra=_extra(exit_, ("Partial" if is_part else "") + KINDS[exit_.name])
            | {"of_position": True, "tpslMode": "Partial" if is_part else "Full"},
        )
        new.extra["lastPriceOnCreated"] = position.market.listing.price_text(position.market.last)
        return self.venue.place(account, new, market="linear")

    def _ended(self, order: Order) -> None:
        """An exit fired or was cancelled: the position no longer shows it."""
        for slot, held in list(self._held.items()):
            if held.order is order:
                del self._held[slot]
                position = order.account.position(order.market, order.position_side)
                self._show(position, slot[3], None)

    def _check_side(self, account: Account, position: Position) -> None:
        """Exits of a position that was closed or turned round go."""
        for name in KINDS:
            slot = (account.number, position.market.symbol, position.side, name)
            held = self._held.get(slot)
            if held is None or (position.size and held.is_long == (position.size > 0)):
                continue
            del self._held[slot]
            self._show(position, name, None)
            self.later.append(partial(self._drop, held.order))

    def _drop(self, order: Order) -> None:
        if order.is_open and order.status is Status.UNTRIGGERED:
            self.venue.cancel(order, Why.POSITION_CLOSED)

    @staticmethod
    def _shown(position: Position, name: str) -> Decimal | None:
        return position.take_profit if name == "takeProfit" else position.stop_loss

    @staticmethod
    def _show(position: Position, name: str, price: Decimal | None) -> None:
        match name:
            case "takeProfit":
                position.take_profit = price
            case "stopLoss":
                position.stop_loss = price
            case _:
                position.trailing_stop = price


def exits_of(order: Order, quantity: Decimal | None = None) -> list[Exit]:
    """The exits an order carries. *quantity*: what they close, all when `None`."""
    found = []
    for name, short in (("takeProfit", "tp"), ("stopLoss", "sl")):
        price = words.decimal(order.extra.get(name, ""))
        if not price:
            continue
        by = words.WATCHED[order.extra.get(f"{short}TriggerBy", "LastPrice")]
        limit = None
        if order.extra.get(f"{short}OrderType") == "Limit":
            limit = words.decimal(order.extra.get(f"{short}LimitPrice", ""))
        found.append(Exit(name, price, by, quantity, limit))
    return found


def _extra(exit_: Exit, kind: str) -> dict[str, Any]:
    created = "CreateBy" + kind.replace("tpslOrder", "User")
    return {
        "orderType": "Market" if exit_.limit is None else "Limit",
        "timeInForce": "IOC" if exit_.limit is None else "GTC",
        "stopOrderType": kind,
        "createType": created,
        "closeOnTrigger": True,
    }
