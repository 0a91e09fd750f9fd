# SPDX-License-Identifier: Apache-2.0
"""`spot_request.py`: a new spot order read from its parameters: which an order type needs, which it
forbids, in which words Binance says so. It checks syntax; what the exchange thinks of the order is
`checks.py`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.twin.binance import errors
from hean.twin.binance.call import Call
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.words import (
    ID_ALPHABET,
    ID_LENGTH_MAX,
    SELF_MATCH_DEFAULT,
    SELF_MATCHES,
    SIDES,
    made_id,
)
from hean.twin.market import TwinMarket
from hean.twin.orders import NewOrder, Trigger

TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
LIVES = ("GTC", "IOC", "FOK")
STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
TIMED = frozenset({"LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
PRICED = TIMED | {"LIMIT_MAKER"}
ID_LEGAL = "^[a-zA-Z0-9-_]{1,36}$"
ID_CHARACTERS = frozenset(ID_ALPHABET + "-_")
TRAILING_BASIS_POINTS = (10, 2_000)
BASIS_POINTS = Decimal(10_000)
ICEBERG_PARTS_MAX = 10
STRATEGY_TYPE_MIN = 1_000_000


def client_id(call: Call, name: str) -> str:
    """A client's own id, or a made one."""
    sent = call.text(name)
    if sent is None:
        return made_id(call.dialect.venue.rng)
    if len(sent) > ID_LENGTH_MAX or not ID_CHARACTERS.issuperset(sent):
        raise errors.illegal(name, ID_LEGAL)
    return sent


def read_order(call: Call) -> tuple[TwinMarket, NewOrder]:
    """The order a client asks for. *Raises*: `BinanceError`."""
    market = call.market()
    side = call.enum("side", SIDES, (-1117, "Invalid side."))
    kind = call.enum("type", TYPES, (-1116, "Invalid orderType."))
    life = _life(call, kind)
    price = _price(call, kind)
    quantity, money = _quantities(call, kind)
    trigger, stop_price = _trigger(call, kind, side)
    self_match = call.enum("selfTradePreventionMode", SELF_MATCHES, default=SELF_MATCH_DEFAULT)
    extra: dict[str, Any] = {
        "type": kind,
        "timeInForce": "GTC" if life == "POST_ONLY" or kind not in TIMED else life,
        "selfTradePreventionMode": self_match,
        "stopPrice": stop_price,
        "icebergQty": _iceberg(call, kind, life, quantity),
        **_strategy(call),
    }
    if trigger is not None and trigger.trailing is not None:
        extra["trailingDelta"] = call.integer("trailingDelta")
    new = NewOrder(
        market.symbol,
        side,
        quantity,
        price,
        quote_quantity=money,
        life=life,
        client_id=client_id(call, "newClientOrderId"),
        trigger=trigger,
        self_match=SELF_MATCHES[self_match],
        extra=extra,
    )
    return market, new


def _life(call: Call, kind: str) -> str:
    if kind in TIMED:
        return call.enum("timeInForce", LIVES, (-1115, "Invalid timeInForce."))
    if call.has("timeInForce"):
        raise errors.not_required("timeInForce")
    return "POST_ONLY" if kind == "LIMIT_MAKER" else "GTC"


def _price(call: Call, kind: str) -> Decimal | None:
    if kind in PRICED:
        return call.required_decimal("price")
    if call.has("price"):
        raise errors.not_required("price")
    return None


def _quantities(call: Call, kind: str) -> tuple[Decimal | None, Decimal | None]:
    """Quantity, or money to spend or earn."""
    if not call.has("quoteOrderQty"):
        if kind == "MARKET" and not call.has("quantity"):
            raise errors.missing_both("quantity", "quoteOrderQty")
        return call.required_decimal("quantity"), None
    if kind != "MARKET":
        raise errors.not_required("quoteOrderQty")
    if call.has("quantity"):
        raise BinanceError(
            -1128,
            "Combination of optional parameters invalid. "
            "Recommendation: 'quantity' or 'quoteOrderQty'",
        )
    return None, call.required_decimal("quoteOrderQty")


def _trigger(call: Call, kind: str, side: str) -> tuple[Trigger | None, Decimal | None]:
    """Trigger and the stop price as sent."""
    if kind not in STOPS:
        for name in ("stopPrice", "trailingDelta"):
            if call.has(name):
                raise errors.not_required(name)
        return None, None
    stop_price, delta = call.decimal("stopPrice"), call.integer("trailingDelta")
    if stop_price is None and delta is None:
        raise errors.missing_both("stopPrice", "trailingDelta")
    is_rising = (side == "BUY") == kind.startswith("STOP_LOSS")
    if delta is None:
        assert stop_price is not None
        return Trigger(stop_price, is_rising), stop_price
    low, high = TRAILING_BASIS_POINTS
    if not low <= delta <= high:
        raise BinanceError(-1013, "Filter failure: TRAILING_DELTA")
    distance = delta / BASIS_POINTS
    trigger = Trigger(Decimal(0), is_rising, trailing=distance, active=stop_price, is_fraction=True)
    return trigger, stop_price


def _iceberg(call: Call, kind: str, life: str, quantity: Decimal | None) -> Decimal | None:
    shown = call.decimal("icebergQty")
    if not shown:
        return None
    if kind not in PRICED or life not in ("GTC", "POST_ONLY"):
        raise errors.not_required("icebergQty")
    if quantity is not None and quantity > shown * ICEBERG_PARTS_MAX:
        raise BinanceError(-1013, "Filter failure: ICEBERG_PARTS")
    return shown


def _strategy(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {}
    number, kind = call.integer("strategyId"), call.integer("strategyType")
    if number is not None:
        found["strategyId"] = number
    if kind is not None:
        if kind < STRATEGY_TYPE_MIN:
            raise BinanceError(-1134, "strategyType was less than 1000000.")
        found["strategyType"] = kind
    return found
