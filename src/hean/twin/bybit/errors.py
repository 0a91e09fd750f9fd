# SPDX-License-Identifier: Apache-2.0
"""`errors.py`: what Bybit answers when it says no: one table from the exchange's reasons to code
and wording for each product, and the codes of its own checks. A refusal never carries a secret.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.twin.bybit.words import number
from hean.twin.orders import Refused, Why
from hean.twin.wire import readable

OUT_OF_BAND = "Order price exceeds the allowable range."
LINEAR: dict[Why, tuple[int, str]] = {
    Why.UNKNOWN_SYMBOL: (10001, "params error: symbol invalid {text}"),
    Why.NOT_TRADING: (110074, "This contract is not live"),
    Why.PRICE_OFF_TICK: (10001, "params error: price must be a multiple of {allowed}"),
    Why.PRICE_TOO_LOW: (10001, "params error: Price invalid"),
    Why.PRICE_TOO_HIGH: (110003, OUT_OF_BAND),
    Why.PRICE_ABOVE_BAND: (110003, OUT_OF_BAND),
    Why.PRICE_BELOW_BAND: (110003, OUT_OF_BAND),
    Why.QUANTITY_OFF_STEP: (10001, "params error: Qty invalid, step {scaled}"),
    Why.QUANTITY_TOO_SMALL: (
        10001,
        "The number of contracts exceeds minimum limit allowed, min_qty:{scaled}",
    ),
    Why.QUANTITY_TOO_LARGE: (
        10001,
        "The number of contracts exceeds maximum limit allowed: too large, max_qty:{scaled}",
    ),
    Why.NOTIONAL_TOO_SMALL: (110094, "Order does not meet minimum order value {allowed}USDT"),
    Why.INSUFFICIENT: (110007, "ab not enough for new order"),
    Why.NO_POSITION: (110017, "current position is zero, cannot fix reduce-only order qty"),
    Why.REDUCE_ONLY: (110017, "Reduce-only rule not satisfied"),
    Why.DUPLICATE_CLIENT_ID: (110072, "OrderLinkedID is duplicate"),
    Why.TOO_MANY_ORDERS: (110020, "You can't have more than 500 active orders"),
    Why.TOO_MANY_CONDITIONAL: (110009, "The number of stop orders exceeds the maximum allowed"),
    Why.TRIGGER_PASSED_RISING: (
        110092,
        "expect Rising, but trigger_price is not above the current price",
    ),
    Why.TRIGGER_PASSED_FALLING: (
        110093,
        "expect Falling, but trigger_price is not below the current price",
    ),
    Why.POSITION_SIDE: (10001, "position idx not match position mode"),
    Why.ORDER_NOT_FOUND: (110001, "order not exists or too late to cancel"),
    Why.ORDER_CLOSED: (110010, "The order has been cancelled"),
    Why.AMEND_UNCHANGED: (
        10001,
        "The order remains unchanged as the parameters entered match the existing ones.",
    ),
    Why.AMEND_BELOW_FILLED: (110064, "The order quantity is below the quantity already filled"),
    Why.LEVERAGE_TOO_HIGH: (110013, "cannot set leverage {text} due to risk limit"),
    Why.HAS_POSITION: (110024, "Position exists, so you can't switch position mode"),
    Why.HAS_ORDERS: (110028, "Existing order, so you can't switch position mode"),
    Why.UNCHANGED: (110025, "Position mode is not modified"),
}
SPOT: dict[Why, tuple[int, str]] = {
    Why.UNKNOWN_SYMBOL: (170121, "Invalid symbol."),
    Why.NOT_TRADING: (170151, "This trading pair is not open yet."),
    Why.PRICE_OFF_TICK: (170134, "Order price has too many decimals."),
    Why.PRICE_TOO_LOW: (170133, "Order price is lower than the minimum."),
    Why.PRICE_TOO_HIGH: (170132, "Order price is higher than the maximum."),
    Why.PRICE_ABOVE_BAND: (170193, "Order price cannot be higher than {allowed}."),
    Why.PRICE_BELOW_BAND: (170194, "Order price cannot be lower than {allowed}."),
    Why.QUANTITY_OFF_STEP: (170137, "Order quantity has too many decimals."),
    Why.QUANTITY_TOO_SMALL: (170136, "Order quantity is lower than the minimum {allowed}."),
    Why.QUANTITY_TOO_LARGE: (170124, "Order quantity is larger than the maximum {allowed}."),
    Why.NOTIONAL_TOO_SMALL: (170140, "Order value exceeded lower limit."),
    Why.INSUFFICIENT: (170131, "Insufficient balance."),
    Why.DUPLICATE_CLIENT_ID: (170141, "Duplicate clientOrderId"),
    Why.TOO_MANY_ORDERS: (170810, "Cannot exceed maximum of 500 orders."),
    Why.TOO_MANY_CONDITIONAL: (170810, "Cannot exceed maximum of 30 conditional orders."),
    Why.TRIGGER_PASSED_RISING: (170203, "Trigger price must be above the current price."),
    Why.TRIGGER_PASSED_FALLING: (170204, "Trigger price must be below the current price."),
    Why.ORDER_NOT_FOUND: (170213, "Order does not exist."),
    Why.ORDER_CLOSED: (170142, "Order has been canceled."),
    Why.AMEND_BELOW_FILLED: (170190, "Order quantity is below the quantity already filled."),
    Why.AMEND_UNCHANGED: LINEAR[Why.AMEND_UNCHANGED],
}
SPOT_FIELDS = {
    "side": (170117, "Invalid side."),
    "orderType": (170116, "Invalid orderType."),
    "timeInForce": (170115, "Invalid timeInForce."),
}
SCALE = Decimal(10**8)  # limits stand in messages times this


class Denied(Exception):
    """Bybit says no. *code*: retCode; *status*: HTTP status; *result*: what stands in `result`.

    Reaction: the dialect answers with them and nothing has changed.
    """

    def __init__(
        self, code: int, message: str, *, status: int = 200, result: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = readable(message)
        self.status = status
        self.result = result or {}


def denied(refused: Refused, category: str) -> Denied:
    """The exchange's refusal in Bybit's words."""
    table = SPOT if category == "spot" else LINEAR
    code, text = table.get(refused.why) or (10001, f"params error: {refused.why.value}")
    allowed = refused.allowed
    return Denied(
        code,
        text.format(
            text=refused.text,
            allowed=number(allowed),
            scaled="" if allowed is None else number(allowed * SCALE),
        ),
    )


def missing(category: str, field: str) -> Denied:
    """A required field is absent or empty."""
    if category == "spot":
        return Denied(170105, f"Parameter '{field}' was empty.")
    return Denied(10001, f"params error: {field} is required")


def invalid(category: str, field: str) -> Denied:
    """A field holds what it must not."""
    if category == "spot":
        code, text = SPOT_FIELDS.get(field, (170130, f"Data sent for '{field}' is not valid."))
        return Denied(code, text)
    return Denied(10001, f"params error: {field} invalid")


def wrong(message: str) -> Denied:
    """A parameter of a query or a setting is wrong."""
    return Denied(10001, message)
