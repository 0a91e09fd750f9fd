# SPDX-License-Identifier: Apache-2.0
"""`orders.py`: the life of an order, from a strategy's wish to the venue's last word.

A `Signal` is an opinion (floats); from `OrderRequest` on, size and price are `Decimal`. `id` is
another spelling of `order_id` on every payload here that has one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from hean.core.listing import pair_of
from hean.core.vocabulary import (
    Delivery,
    EventType,
    Liquidity,
    OrderType,
    Payload,
    Side,
    TimeInForce,
)

ZERO = Decimal(0)
MANUAL = "manual"  # `strategy_id` of what a person orders
DESK = "desk"  # `OrderCancelled.source` of a sliced order
KEPT = "venue-fee-"  # beginning of the order id of what a venue kept as its fee


class Signal(Payload, frozen=True):
    """A strategy wants to trade. *size*: base units; `None` leaves it to the governor's sizing.

    *price*: limit of a `LIMIT`, trigger of a stop; put on the tick by the governor. *order_id*:
    for an order the strategy wants to cancel later; empty lets the governor name it. *algo*: how
    to slice it, such as `twap:duration=10m,slices=20`.
    """

    event_type: ClassVar = EventType.SIGNAL
    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "symbol"

    symbol: str
    side: Side
    size: Decimal | None = None
    signal_strength: float = 1.0
    strategy_id: str = ""
    as_of_seq: int = 0
    reduce_only: bool = False
    type: OrderType = OrderType.MARKET
    price: float | None = None
    stop_loss: float | None = None
    take_profit: float | None = None
    order_id: str = ""
    extra: dict[str, Any] | None = None
    algo: str | None = None


class OrderPayload(Payload, frozen=True):
    """Base of payloads about one order: all are class A and keyed by symbol."""

    delivery: ClassVar = Delivery.NEVER_DROPPED
    key: ClassVar = "symbol"

    @property
    def id(self) -> str:
        """Another spelling of `order_id`."""
        return str(getattr(self, "order_id"))  # noqa: B009  # every subclass has the field

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__("order_id" if name == "id" else name)

    def __contains__(self, name: object) -> bool:
        return name == "id" or super().__contains__(name)


class OrderRequest(OrderPayload, frozen=True, gc=False):
    """An order to be judged. *size*: base units; *trigger_price*: for stops; *algo*: how to slice.

    *parent_id*: the sliced order this one is a part of.
    """

    event_type: ClassVar = EventType.ORDER_REQUEST

    symbol: str
    side: Side
    size: Decimal
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    order_id: str = ""
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC
    strategy_id: str = ""
    algo: str | None = None
    parent_id: str = ""


class OrderApproved(OrderPayload, frozen=True, gc=False):
    """A judged order. *ticket*: the single-use permission made by the order engine."""

    event_type: ClassVar = EventType.ORDER_APPROVED

    symbol: str
    side: Side
    size: Decimal
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    order_id: str = ""
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC
    strategy_id: str = ""
    algo: str | None = None
    parent_id: str = ""
    ticket: int | None = None


class OrderRejected(OrderPayload, frozen=True, gc=False):
    """An order that will not be. *code*: number of `hean.errors`; *source*: who said no."""

    event_type: ClassVar = EventType.ORDER_REJECTED

    order_id: str
    reason: str
    code: int = 0
    source: str = "risk"
    symbol: str = ""
    strategy_id: str = ""


class CancelRequest(OrderPayload, frozen=True, gc=False):
    """Cancel one order, or all that match; an empty field matches everything."""

    event_type: ClassVar = EventType.CANCEL_REQUEST

    order_id: str = ""
    symbol: str = ""
    reason: str = ""
    strategy_id: str = ""


class AmendRequest(OrderPayload, frozen=True, gc=False):
    """A resting order is wanted on other terms; `None` keeps the old one. *price*: put on the tick
    by the governor; *size*: of the whole order, what has traded included.
    """

    event_type: ClassVar = EventType.AMEND_REQUEST

    order_id: str
    price: float | None = None
    size: Decimal | None = None
    symbol: str = ""
    strategy_id: str = ""


class AmendApproved(OrderPayload, frozen=True, gc=False):
    """Judged terms of an order, all of them. *price*: `None` for an order without one; *size*: of
    the whole order; *ticket*: the single-use permission made by the order engine.
    """

    event_type: ClassVar = EventType.AMEND_APPROVED

    order_id: str
    price: Decimal | None
    size: Decimal
    symbol: str = ""
    strategy_id: str = ""
    ticket: int | None = None


class AmendRejected(OrderPayload, frozen=True, gc=False):
    """An amendment that will not be; the order is as it was. *code*: number of `hean.errors`;
    *source*: who said no.
    """

    event_type: ClassVar = EventType.AMEND_REJECTED

    order_id: str
    reason: str
    code: int = 0
    source: str = "risk"
    symbol: str = ""
    strategy_id: str = ""


class OrderPlaced(OrderPayload, frozen=True, gc=False):
    """The venue holds the order under its own id."""

    event_type: ClassVar = EventType.ORDER_PLACED

    order_id: str
    exchange_order_id: str
    symbol: str = ""


class OrderAmended(OrderPayload, frozen=True, gc=False):
    """The venue's word on the terms of an order, whoever asked for them. *size*: of the whole
    order; *remaining_qty*: what of it is not filled.
    """

    event_type: ClassVar = EventType.ORDER_AMENDED

    order_id: str
    price: Decimal | None
    size: Decimal
    remaining_qty: Decimal
    symbol: str = ""


class OrderFilled(OrderPayload, frozen=True, gc=False):
    """One execution. *exec_id*: the venue's id of it, unique; *fee*: positive when paid;
    *executed_ns*: by the venue's clock, 0 where it is the time of the event.

    An execution that no order of ours asked for, such as a liquidation, comes under an order id
    that starts with `venue-`; what a venue kept as its fee of the coins of a buy, under one that
    starts with `venue-fee-`, see `execution/coin_fees.py`. *fee_asset*: empty for the quote coin.
    """

    event_type: ClassVar = EventType.ORDER_FILLED

    order_id: str
    fill_price: Decimal
    filled_qty: Decimal
    symbol: str = ""
    side: Side | None = None
    fee: Decimal = ZERO
    exec_id: str = ""
    liquidity: Liquidity = Liquidity.TAKER
    remaining_qty: Decimal = ZERO
    strategy_id: str = ""
    fee_asset: str = ""
    executed_ns: int = 0

    @property
    def is_forced(self) -> bool:
        """Whether the venue traded of its own accord."""
        return self.order_id.startswith("venue-") and not self.is_kept

    @property
    def is_kept(self) -> bool:
        """Whether nothing traded: the venue kept this of the coins of a buy."""
        return self.order_id.startswith(KEPT)

    @property
    def is_fee_in_quote(self) -> bool:
        """Whether the fee is money of the ledger."""
        return not self.fee_asset or pair_of(self.symbol).endswith(self.fee_asset)

    @property
    def is_fee_in_base(self) -> bool:
        """Whether the fee was taken in the coin that is traded."""
        return not self.is_fee_in_quote and self.symbol.startswith(self.fee_asset)


class OrderCancelled(OrderPayload, frozen=True, gc=False):
    """The order is closed with *remaining_qty* unfilled. *ended_ns*: by the venue's clock, 0 where
    it is the time of the event. *source*: who ended it; `desk` ends a sliced order, also one that
    was filled whole.
    """

    event_type: ClassVar = EventType.ORDER_CANCELLED

    order_id: str
    reason: str = ""
    symbol: str = ""
    remaining_qty: Decimal = ZERO
    ended_ns: int = 0
    source: str = "venue"


class OrderUnknown(OrderPayload, frozen=True, gc=False):
    """Nobody knows whether the venue has this order; it counts in full until resolved."""

    event_type: ClassVar = EventType.ORDER_UNKNOWN

    order_id: str
    since_ns: int
    symbol: str = ""


class OrderAbsent(OrderPayload, frozen=True, gc=False):
    """Proven: the venue never had this order. *reason*: the proof in words."""

    event_type: ClassVar = EventType.ORDER_ABSENT

    order_id: str
    reason: str
    symbol: str = ""


class OrderQuarantined(OrderPayload, frozen=True, gc=False):
    """Nobody could tell in time; it counts in full until a later frame or a person decides."""

    event_type: ClassVar = EventType.ORDER_QUARANTINED

    order_id: str
    reason: str
    symbol: str = ""
