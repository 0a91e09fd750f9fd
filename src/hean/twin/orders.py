# SPDX-License-Identifier: Apache-2.0
"""`orders.py`: what the twin's exchange speaks of, free of any wire: orders, executions, the events
that dialects turn into frames, and the one refusal that dialects turn into their own code. Prices
and quantities are `Decimal`, times are ns UTC. Nothing here decides anything.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hean.twin.account import Account, Position
    from hean.twin.market import TwinMarket

ZERO = Decimal(0)
FILLS_KEPT = 1_000  # of one order: as many as any answer lists


class Status(StrEnum):
    """Where an order stands."""

    UNTRIGGERED = "UNTRIGGERED"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


OPEN = frozenset({Status.UNTRIGGERED, Status.NEW, Status.PARTIALLY_FILLED})


class Why(StrEnum):
    """Why an order ended unfilled, or a request was refused; dialects have a code for each."""

    REQUESTED = "requested"
    NO_LIQUIDITY = "no_liquidity"
    NOT_FILLABLE = "not_fillable"
    WOULD_TAKE = "would_take"
    SELF_MATCH = "self_match"
    REDUCE_ONLY = "reduce_only"
    LIQUIDATION = "liquidation"
    DISCONNECT = "disconnect"
    COUNTDOWN = "countdown"
    POSITION_CLOSED = "position_closed"
    # refusals of a request
    UNKNOWN_SYMBOL = "unknown_symbol"
    NOT_TRADING = "not_trading"
    PRICE_OFF_TICK = "price_off_tick"
    PRICE_TOO_LOW = "price_too_low"
    PRICE_TOO_HIGH = "price_too_high"
    PRICE_ABOVE_BAND = "price_above_band"
    PRICE_BELOW_BAND = "price_below_band"
    QUANTITY_OFF_STEP = "quantity_off_step"
    QUANTITY_TOO_SMALL = "quantity_too_small"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    NOTIONAL_TOO_SMALL = "notional_too_small"
    INSUFFICIENT = "insufficient"
    NO_POSITION = "no_position"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    TOO_MANY_ORDERS = "too_many_orders"
    TOO_MANY_CONDITIONAL = "too_many_conditional"
    TRIGGER_PASSED_RISING = "trigger_passed_rising"
    TRIGGER_PASSED_FALLING = "trigger_passed_falling"
    POSITION_SIDE = "position_side"
    ORDER_NOT_FOUND = "order_not_found"
    ORDER_CLOSED = "order_closed"
    AMEND_UNCHANGED = "amend_unchanged"
    AMEND_BELOW_FILLED = "amend_below_filled"
    LEVERAGE_TOO_HIGH = "leverage_too_high"
    UNCHANGED = "unchanged"
    HAS_POSITION = "has_position"
    HAS_ORDERS = "has_orders"


class Refused(Exception):
    """The exchange says no. *why*: the reason; *allowed*: the bound that was missed, if any.

    Reaction: the dialect answers with its own code and nothing has changed.
    """

    def __init__(self, why: Why, *, allowed: Decimal | None = None, text: str = "") -> None:
        super().__init__(f"{why.value} {text}".strip())
        self.why = why
        self.allowed = allowed
        self.text = text


@dataclass(slots=True)
class Trigger:
    """What wakes a conditional order. *by*: `last`, `mark` or `index`; *trailing*: distance kept
    behind the best price seen since *active* (`None`: at once), a fraction of it if *is_fraction*.
    """

    price: Decimal
    rising: bool
    by: str = "last"
    trailing: Decimal | None = None
    active: Decimal | None = None
    is_fraction: bool = False


@dataclass(slots=True)
class NewOrder:
    """What a client asks for, checked by its dialect for syntax only.

    *quantity* in base units, or *quote_quantity* to spend or earn (spot market orders). *price*
    `None` is a market order. *life*: GTC, IOC, FOK, POST_ONLY. *position_side*: BOTH, LONG, SHORT.
    *close_all*: quantity is the position's when it fires. *extra*: the dialect's own words, echoed.
    """

    symbol: str
    side: str
    quantity: Decimal | None
    price: Decimal | None = None
    quote_quantity: Decimal | None = None
    life: str = "GTC"
    client_id: str = ""
    reduce_only: bool = False
    close_all: bool = False
    position_side: str = "BOTH"
    trigger: Trigger | None = None
    self_match: str = "allow"
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Order:
    """An order the exchange has accepted. *key*: its handle at the desk. *value*: filled, in quote.

    *number*: rises with every order of the exchange; dialects make their ids of it.
    """

    number: int
    order_id: str
    client_id: str
    account: Account
    market: TwinMarket
    side: str
    price: Decimal | None
    quantity: Decimal
    life: str
    reduce_only: bool
    close_all: bool
    position_side: str
    trigger: Trigger | None
    self_match: str
    created_ns: int
    updated_ns: int
    quote_quantity: Decimal | None = None
    status: Status = Status.NEW
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fees: dict[str, Decimal] = field(default_factory=dict)
    realized: Decimal = ZERO
    fills: deque[Execution] = field(default_factory=lambda: deque(maxlen=FILLS_KEPT))
    why: Why | None = None
    updates: int = 0
    was_triggered: bool = False
    locked: Decimal = ZERO
    """Spot: money or coins this order holds back."""
    cancel_id: str = ""
    """Client id of the cancel request, where the venue has one."""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Still able to trade."""
        return self.status in OPEN

    @property
    def is_market(self) -> bool:
        """Takes whatever price there is."""
        return self.price is None

    @property
    def left(self) -> Decimal:
        """Quantity not filled."""
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal | None:
        """Average fill price."""
        return self.value / self.filled if self.filled else None


@dataclass(slots=True, frozen=True, eq=False)
class Execution:
    """One fill of one order, or a settlement. *kind*: trade, funding, liquidation, adl. *fee*:
    positive when paid. *number*: rises with every execution; a trade's two sides share
    *trade_number*. *realized*: profit it realised, fees apart. *closed*: quantity that reduced.
    """

    number: int
    trade_number: int
    order: Order | None
    account: Account
    market: TwinMarket
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_coin: str
    fee_rate: Decimal
    is_maker: bool
    ts_ns: int
    left: Decimal
    realized: Decimal = ZERO
    closed: Decimal = ZERO
    kind: str = "trade"
    position_side: str = "BOTH"

    @property
    def value(self) -> Decimal:
        """Price times quantity."""
        return self.price * self.quantity


@dataclass(slots=True, frozen=True)
class OrderEvent:
    """An order changed. *kind*: new, amended, triggered, trade, cancelled, expired, rejected."""

    order: Order
    kind: str
    ts_ns: int
    execution: Execution | None = None


@dataclass(slots=True, frozen=True)
class ExecutionEvent:
    """An execution; for a trade it comes after its `OrderEvent`."""

    execution: Execution


@dataclass(slots=True, frozen=True)
class PositionEvent:
    """A position changed, or an order of its symbol did."""

    account: Account
    position: Position
    ts_ns: int


@dataclass(slots=True, frozen=True)
class BalanceEvent:
    """Balances of *coins* changed. *reason*: ORDER, FUNDING, TRANSFER, INSURANCE; *wallet*:
    which."""

    account: Account
    wallet: str
    coins: tuple[str, ...]
    reason: str
    ts_ns: int
    change: Decimal = ZERO


@dataclass(slots=True, frozen=True)
class SettingEvent:
    """Leverage, margin or position mode of a symbol changed."""

    account: Account
    symbol: str
    what: str
    ts_ns: int


@dataclass(slots=True, frozen=True)
class TradePrint:
    """A public trade. *is_buy*: the taker bought."""

    market: TwinMarket
    number: int
    ts_ns: int
    price: str
    quantity: str
    is_buy: bool


@dataclass(slots=True, frozen=True)
class BookChange:
    """The market's book or own orders in it changed; readers may look. *is_event*: a recorded
    event just ended, so streams of recorded markets show it now.
    """

    market: TwinMarket
    ts_ns: int
    is_event: bool = False


@dataclass(slots=True, frozen=True)
class ForcedPrint:
    """A public liquidation. *side*: of the closing order; *price*: bankruptcy price."""

    market: TwinMarket
    side: str
    price: Decimal
    quantity: Decimal
    ts_ns: int


Event = (
    OrderEvent
    | ExecutionEvent
    | PositionEvent
    | BalanceEvent
    | SettingEvent
    | TradePrint
    | BookChange
    | ForcedPrint
)
