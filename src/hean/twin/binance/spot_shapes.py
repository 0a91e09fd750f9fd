# SPDX-License-Identifier: Apache-2.0
"""`spot_shapes.py`: what a spot order looks like on Binance's wire: in answers, in reports of a
cancel, in the user stream. Numbers are text with eight decimals, times ms. Only shapes; nothing is
decided here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.twin.binance.words import ms, status
from hean.twin.orders import ZERO, Execution, Order, OrderEvent, Status, Why

EXPIRY_REASONS = {
    Why.NO_LIQUIDITY: "INSUFFICIENT_LIQUIDITY",
    Why.NOT_FILLABLE: "INSUFFICIENT_LIQUIDITY",
    Why.WOULD_TAKE: "INSUFFICIENT_LIQUIDITY",
}
REJECT_REASONS = {Why.INSUFFICIENT: "INSUFFICIENT_BALANCES"}
KINDS = {
    "new": "NEW",
    "triggered": "NEW",
    "amended": "REPLACED",
    "trade": "TRADE",
    "cancelled": "CANCELED",
    "expired": "EXPIRED",
    "rejected": "REJECTED",
}
NO_LIST = -1
EXTRAS = ("strategyId", "strategyType")


def text(value: Decimal | None) -> str:
    """A price or amount; zero where there is none."""
    return f"{value or ZERO:.8f}"


def is_working(order: Order) -> bool:
    """Whether it is or was in the book."""
    return order.status is not Status.UNTRIGGERED


def working_ms(order: Order) -> int:
    """When it came into the book, -1 while it waits for its trigger."""
    if order.status is Status.UNTRIGGERED:
        return -1
    return int(order.extra.get("workingTime") or ms(order.created_ns))


def _words(order: Order) -> dict[str, Any]:
    """What a client asked for; an order placed by hand has the plain words."""
    kind = "MARKET" if order.is_market else "LIMIT"
    plain = {"type": kind, "timeInForce": "GTC", "selfTradePreventionMode": "NONE"}
    return plain | order.extra


def _terms(order: Order) -> dict[str, Any]:
    """What all shapes of an order share, in Binance's order."""
    extra = _words(order)
    return {
        "price": text(order.price),
        "origQty": text(order.quantity),
        "executedQty": text(order.filled),
        "origQuoteOrderQty": text(order.quote_quantity),
        "cummulativeQuoteQty": text(order.value),
        "status": status(order),
        "timeInForce": extra["timeInForce"],
        "type": extra["type"],
        "side": order.side,
    }


def _options(order: Order) -> dict[str, Any]:
    """Fields that appear when they apply."""
    extra = order.extra
    found = {name: extra[name] for name in EXTRAS if name in extra}
    if "trailingDelta" in extra:
        found["trailingDelta"] = extra["trailingDelta"]
        found["trailingTime"] = working_ms(order)
    if order.status is Status.EXPIRED and order.why in EXPIRY_REASONS:
        found["expiryReason"] = EXPIRY_REASONS[order.why]
    return found


def _stops(order: Order) -> dict[str, Any]:
    """Trigger price and visible quantity, where the order has them."""
    found = {}
    if order.extra.get("stopPrice"):
        found["stopPrice"] = text(order.extra["stopPrice"])
    if order.extra.get("icebergQty"):
        found["icebergQty"] = text(order.extra["icebergQty"])
    return found


def ack(order: Order) -> dict[str, Any]:
    """The shortest answer to a new order."""
    return {
        "symbol": order.market.symbol,
        "orderId": int(order.order_id),
        "orderListId": NO_LIST,
        "clientOrderId": order.client_id,
        "transactTime": ms(order.updated_ns),
    }


def result(order: Order) -> dict[str, Any]:
    """The answer to a new order without its fills."""
    return {
        **ack(order),
        **_terms(order),
        **_stops(order),
        "workingTime": working_ms(order),
        **_options(order),
        "selfTradePreventionMode": _words(order)["selfTradePreventionMode"],
    }


def full(order: Order) -> dict[str, Any]:
    """The answer to a new order with its fills."""
    return {**result(order), "fills": [_fill(each) for each in order.fills]}


def _fill(execution: Execution) -> dict[str, Any]:
    return {
        "price": text(execution.price),
        "qty": text(execution.quantity),
        "commission": text(execution.fee),
        "commissionAsset": execution.fee_coin,
        "tradeId": execution.trade_number,
    }


def queried(order: Order) -> dict[str, Any]:
    """An order as queries and lists show it."""
    extra = _words(order)
    return {
        "symbol": order.market.symbol,
        "orderId": int(order.order_id),
        "orderListId": NO_LIST,
        "clientOrderId": order.client_id,
        "price": text(order.price),
        "origQty": text(order.quantity),
        "executedQty": text(order.filled),
        "cummulativeQuoteQty": text(order.value),
        "status": status(order),
        "timeInForce": extra["timeInForce"],
        "type": extra["type"],
        "side": order.side,
        "stopPrice": text(extra.get("stopPrice")),
        "icebergQty": text(extra.get("icebergQty")),
        "time": ms(order.created_ns),
        "updateTime": ms(order.updated_ns),
        "isWorking": is_working(order),
        "workingTime": working_ms(order),
        "origQuoteOrderQty": text(order.quote_quantity),
        **_options(order),
        "selfTradePreventionMode": extra["selfTradePreventionMode"],
    }


def cancelled(order: Order) -> dict[str, Any]:
    """The report of a cancel: the id is the cancel's, the order's own stands beside it."""
    return {
        "symbol": order.market.symbol,
        "origClientOrderId": order.client_id,
        "orderId": int(order.order_id),
        "orderListId": NO_LIST,
        "clientOrderId": order.cancel_id,
        "transactTime": ms(order.updated_ns),
        **_terms(order),
        **_stops(order),
        **_options(order),
        "selfTradePreventionMode": _words(order)["selfTradePreventionMode"],
    }


def trade(execution: Execution) -> dict[str, Any]:
    """One of the account's trades."""
    assert execution.order is not None
    return {
        "symbol": execution.market.symbol,
        "id": execution.trade_number,
        "orderId": int(execution.order.order_id),
        "orderListId": NO_LIST,
        "price": text(execution.price),
        "qty": text(execution.quantity),
        "quoteQty": text(execution.value),
        "commission": text(execution.fee),
        "commissionAsset": execution.fee_coin,
        "time": ms(execution.ts_ns),
        "isBuyer": execution.side == "BUY",
        "isMaker": execution.is_maker,
        "isBestMatch": True,
    }


def execution_report(event: OrderEvent, number: int) -> dict[str, Any]:
    """What the user stream says of a change. *number*: rises with every report."""
    order, execution = event.order, event.execution
    extra, kind = _words(order), KINDS[event.kind]
    is_cancel = event.kind == "cancelled" and bool(order.cancel_id)
    is_prevented = event.kind == "expired" and order.why is Why.SELF_MATCH
    report = {
        "e": "executionReport",
        "E": ms(event.ts_ns),
        "s": order.market.symbol,
        "c": order.cancel_id if is_cancel else order.client_id,
        "S": order.side,
        "o": extra["type"],
        "f": extra["timeInForce"],
        "q": text(order.quantity),
        "p": text(order.price),
        "P": text(extra.get("stopPrice")),
        "F": text(extra.get("icebergQty")),
        "g": NO_LIST,
        "C": order.client_id if is_cancel else "",
        "x": "TRADE_PREVENTION" if is_prevented else kind,
        "X": status(order),
        "r": REJECT_REASONS.get(order.why, "NONE") if order.why else "NONE",
        "i": int(order.order_id),
        "l": text(execution.quantity if execution else None),
        "z": text(order.filled),
        "L": text(execution.price if execution else None),
        "n": text(execution.fee) if execution else "0",
        "N": execution.fee_coin if execution else None,
        "T": ms(event.ts_ns),
        "t": execution.trade_number if execution else -1,
        "I": number,
        "w": order.is_open and is_working(order),
        "m": execution.is_maker if execution else False,
        "M": execution is not None,
        "O": ms(order.created_ns),
        "Z": text(order.value),
        "Y": text(execution.value if execution else None),
        "Q": text(order.quote_quantity),
        "V": extra["selfTradePreventionMode"],
    }
    return {**report, **_report_options(order)}


def _report_options(order: Order) -> dict[str, Any]:
    extra = order.extra
    found: dict[str, Any] = {}
    if is_working(order):
        found["W"] = working_ms(order)
    if "trailingDelta" in extra:
        found["d"] = extra["trailingDelta"]
        found["D"] = working_ms(order)
    if "strategyId" in extra:
        found["j"] = extra["strategyId"]
    if "strategyType" in extra:
        found["J"] = extra["strategyType"]
    if order.status is Status.EXPIRED and order.why in EXPIRY_REASONS:
        found["eR"] = EXPIRY_REASONS[order.why]
    return found
