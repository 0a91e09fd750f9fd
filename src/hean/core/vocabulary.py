# SPDX-License-Identifier: Apache-2.0
"""`vocabulary.py`: the closed lists of words, and the base of every payload.

A payload is frozen, has one event type, one delivery class and one key. It answers both
`tick.price` and `tick["price"]`. Building one directly checks nothing, because that is the path
of each tick; a `dict` from outside is checked in `types.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar

import msgspec


class EventType(StrEnum):
    """Every kind of fact there is. The value is the name, on the wire as in the code."""

    TICK = "TICK"
    BOOK = "BOOK"
    CANDLE = "CANDLE"
    FUNDING = "FUNDING"
    FEATURES_READY = "FEATURES_READY"
    ML_PREDICTION = "ML_PREDICTION"
    HEDGE_RATIO = "HEDGE_RATIO"
    VOL_FORECAST = "VOL_FORECAST"
    CHANGEPOINT = "CHANGEPOINT"
    REGIME = "REGIME"
    SIGNAL = "SIGNAL"
    ORDER_REQUEST = "ORDER_REQUEST"
    ORDER_APPROVED = "ORDER_APPROVED"
    ORDER_REJECTED = "ORDER_REJECTED"
    CANCEL_REQUEST = "CANCEL_REQUEST"
    AMEND_REQUEST = "AMEND_REQUEST"
    AMEND_APPROVED = "AMEND_APPROVED"
    AMEND_REJECTED = "AMEND_REJECTED"
    ORDER_PLACED = "ORDER_PLACED"
    ORDER_AMENDED = "ORDER_AMENDED"
    ORDER_FILLED = "ORDER_FILLED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    ORDER_ABSENT = "ORDER_ABSENT"
    ORDER_QUARANTINED = "ORDER_QUARANTINED"
    POSITION = "POSITION"
    BALANCE = "BALANCE"
    ACCOUNT_READ = "ACCOUNT_READ"
    PNL_UPDATE = "PNL_UPDATE"
    RECONCILE = "RECONCILE"
    KILLSWITCH_TRIGGERED = "KILLSWITCH_TRIGGERED"
    KILLSWITCH_RELEASED = "KILLSWITCH_RELEASED"
    COMMAND = "COMMAND"
    TIMER = "TIMER"
    HEALTH = "HEALTH"
    ERROR = "ERROR"


class Side(StrEnum):
    """Direction of an order or fill."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """How an order finds its price. The last three wait for `trigger_price`."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"


class TimeInForce(StrEnum):
    """How long an order waits, and whether it may take liquidity."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    POST_ONLY = "POST_ONLY"


class Liquidity(StrEnum):
    """Whether a fill gave liquidity or took it; decides the fee."""

    MAKER = "MAKER"
    TAKER = "TAKER"


class Delivery(StrEnum):
    """What a full queue may do with a fact. A property of its type, never of luck."""

    NEVER_DROPPED = "A"
    NEWEST_PER_KEY = "B"
    ALL_OR_RESYNC = "B'"
    IN_ORDER = "C"
    DROPPABLE = "D"


class Payload(msgspec.Struct, frozen=True):
    """Base of every fact: typed fields, with the mapping access of the integration guide."""

    event_type: ClassVar[EventType]
    delivery: ClassVar[Delivery]
    key: ClassVar[str]
    """Name of the field that partitions and conflates; empty when there is none."""

    def __getitem__(self, name: str) -> Any:
        if name in self.__struct_fields__:
            return getattr(self, name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self.__struct_fields__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__struct_fields__)

    def keys(self) -> tuple[str, ...]:
        """Names of the fields, in order; `dict(payload)` works because of it."""
        return self.__struct_fields__

    def get(self, name: str, default: Any = None) -> Any:
        """The field, or *default* when this payload has no such field."""
        return self[name] if name in self else default  # noqa: SIM401  # this is `get`

    def key_value(self) -> str:
        """The value this fact is partitioned and conflated by; empty when it has no key."""
        return str(getattr(self, self.key)) if self.key else ""
