# SPDX-License-Identifier: Apache-2.0
"""`spot_trade.py`: spot orders: new, test, query, cancel, replace, amend. Each handler is one call
of Binance's; the exchange decides, and its refusals get their code in `REFUSALS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.twin import checks
from hean.twin.account import Account
from hean.twin.binance import errors, spot_shapes
from hean.twin.binance.call import Call, Route, Security
from hean.twin.binance.errors import BinanceError, Refusals, translated
from hean.twin.binance.spot_request import client_id, read_order
from hean.twin.market import TwinMarket
from hean.twin.orders import NewOrder, Order, Refused, Status, Why

UNKNOWN_ORDER = (-2011, "Unknown order sent.")
REFUSALS: Refusals = {
    Why.NOT_TRADING: (-1013, "Market is closed."),
    Why.PRICE_OFF_TICK: (-1013, "Filter failure: PRICE_FILTER"),
    Why.PRICE_TOO_LOW: (-1013, "Filter failure: PRICE_FILTER"),
    Why.PRICE_TOO_HIGH: (-1013, "Filter failure: PRICE_FILTER"),
    Why.PRICE_ABOVE_BAND: (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    Why.PRICE_BELOW_BAND: (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    Why.QUANTITY_OFF_STEP: (-1013, "Filter failure: LOT_SIZE"),
    Why.QUANTITY_TOO_SMALL: (-1013, "Filter failure: LOT_SIZE"),
    Why.QUANTITY_TOO_LARGE: (-1013, "Filter failure: LOT_SIZE"),
    Why.NOTIONAL_TOO_SMALL: (-1013, "Filter failure: NOTIONAL"),
    Why.TOO_MANY_ORDERS: (-1013, "Filter failure: MAX_NUM_ORDERS"),
    Why.TOO_MANY_CONDITIONAL: (-1013, "Filter failure: MAX_NUM_ALGO_ORDERS"),
    Why.INSUFFICIENT: (-2010, "Account has insufficient balance for requested action."),
    Why.DUPLICATE_CLIENT_ID: (-2010, "Duplicate order sent."),
    Why.WOULD_TAKE: (-2010, "Order would immediately match and take."),
    Why.TRIGGER_PASSED_RISING: (-2010, "Stop price would trigger immediately."),
    Why.TRIGGER_PASSED_FALLING: (-2010, "Stop price would trigger immediately."),
    Why.ORDER_NOT_FOUND: UNKNOWN_ORDER,
    Why.ORDER_CLOSED: UNKNOWN_ORDER,
    Why.AMEND_UNCHANGED: (-2038, "The requested action would change no state; rejecting."),
    Why.AMEND_BELOW_FILLED: (-2038, "Order amend (quantity below executed) is not supported."),
}
ANSWERS: dict[str, Callable[[Order], dict[str, Any]]] = {
    "ACK": spot_shapes.ack,
    "RESULT": spot_shapes.result,
    "FULL": spot_shapes.full,
}
ANSWERED_IN_FULL = frozenset({"LIMIT", "MARKET"})
RESTRICTIONS = {
    "ONLY_NEW": Status.NEW,
    "ONLY_PARTIALLY_FILLED": Status.PARTIALLY_FILLED,
}
MODES = ("STOP_ON_FAILURE", "ALLOW_FAILURE")


# --- new orders


def new_order(call: Call) -> dict[str, Any]:
    """POST order."""
    market, new = read_order(call)
    answer = _answer(call, new)
    call.count_orders()
    return answer(_place(call, market, new))


def _place(call: Call, market: TwinMarket, new: NewOrder) -> Order:
    _check_book(market, new)
    try:
        order = call.dialect.venue.place(call.account, new, market="spot")
    except Refused as refused:
        raise _refusal(refused, new) from None
    return order


def _refusal(refused: Refused, new: NewOrder) -> BinanceError:
    if refused.why is Why.QUANTITY_TOO_LARGE and new.price is None:
        return BinanceError(-1013, "Filter failure: MARKET_LOT_SIZE")
    return translated(refused, REFUSALS)


def _check_book(market: TwinMarket, new: NewOrder) -> None:
    if (
        new.extra["type"] == "MARKET"
        and market.best("SELL" if new.side == "BUY" else "BUY") is None
    ):
        raise BinanceError(-1112, "No orders on book for symbol.")


def _answer(call: Call, new: NewOrder) -> Callable[[Order], dict[str, Any]]:
    default = "FULL" if new.extra["type"] in ANSWERED_IN_FULL else "ACK"
    return ANSWERS[call.enum("newOrderRespType", ANSWERS, default=default)]


def test_order(call: Call) -> dict[str, Any]:
    """POST order/test: everything but the order."""
    market, new = read_order(call)
    _answer(call, new)
    _check_book(market, new)
    try:
        checks.check_terms(call.account, market, new)
    except Refused as refused:
        raise _refusal(refused, new) from None
    if not call.flag("computeCommissionRates"):
        return {}
    listing = market.listing
    rates = {"maker": f"{listing.maker_fee:.8f}", "taker": f"{listing.taker_fee:.8f}"}
    return {
        "standardCommissionForOrder": rates,
        "taxCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.00000000",
        },
    }


# --- finding


def find(
    call: Call,
    unknown: tuple[int, str],
    *,
    number: str = "orderId",
    name: str = "origClientOrderId",
) -> Order:
    """The order that a call names by its id or its client id. *unknown*: the refusal if there is
    none.
    """
    market = call.market()
    order_id, own_id = call.integer(number), call.text(name)
    account: Account = call.account
    if order_id is None and own_id is None:
        raise errors.missing_both(name, number)
    if order_id is not None:
        order = account.orders.get(str(order_id))
        if order is not None and own_id is not None and order.client_id != own_id:
            raise BinanceError(-2039, "Client order ID is not correct for this order ID.")
    else:
        order = account.client_ids("spot").get(own_id or "")
    if order is None or order.market is not market:
        raise BinanceError(*unknown)
    return order


def query_order(call: Call) -> dict[str, Any]:
    """GET order."""
    return spot_shapes.queried(find(call, (-2013, "Order does not exist.")))


# --- ends


def cancel_order(call: Call) -> dict[str, Any]:
    """DELETE order."""
    cancel_id = client_id(call, "newClientOrderId")
    return _cancel(call, find(call, UNKNOWN_ORDER), cancel_id)


def _cancel(call: Call, order: Order, cancel_id: str) -> dict[str, Any]:
    restriction = call.params.get("cancelRestrictions")
    if restriction is not None:
        only = RESTRICTIONS.get(restriction)
        if only is None:
            raise BinanceError(-1145, "Invalid cancelRestrictions")
        if order.is_open and order.status is not only:
            raise BinanceError(-2011, "Order was not canceled due to cancel restrictions.")
    if not order.is_open:
        raise BinanceError(*UNKNOWN_ORDER)
    try:
        call.dialect.venue.cancel(order, cancel_id=cancel_id)
    except Refused:
        raise BinanceError(*UNKNOWN_ORDER) from None
    return spot_shapes.cancelled(order)


def cancel_open_orders(call: Call) -> list[dict[str, Any]]:
    """DELETE openOrders: all of one symbol."""
    market = call.market()
    found = [order for order in call.account.open_orders.values() if order.market is market]
    if not found:
        raise BinanceError(*UNKNOWN_ORDER)
    cancel_id = client_id(call, "newClientOrderId")
    ended = call.dialect.venue.cancel_all(found, cancel_id=cancel_id)
    told = {"status": "CANCELED", "clientOrderId": cancel_id}
    return [{**spot_shapes.cancelled(order), **told} for order in ended]


def replace_order(call: Call) -> dict[str, Any]:
    """POST order/cancelReplace. The new order's syntax and filters come before the cancel; whether
    a refused cancel stops it is the client's choice.
    """
    mode = call.enum("cancelReplaceMode", MODES)
    market, new = read_order(call)
    answer = _answer(call, new)
    cancel_id = client_id(call, "cancelNewClientOrderId")
    try:
        checks.check_terms(call.account, market, new)
    except Refused as refused:
        raise _refusal(refused, new) from None
    call.count_orders()
    outcome: dict[str, Any] = {"cancelResult": "SUCCESS", "newOrderResult": "NOT_ATTEMPTED"}
    outcome.update(cancelResponse=None, newOrderResponse=None)
    try:
        order = find(call, UNKNOWN_ORDER, number="cancelOrderId", name="cancelOrigClientOrderId")
        outcome["cancelResponse"] = _cancel(call, order, cancel_id)
    except BinanceError as error:
        if error.code != UNKNOWN_ORDER[0]:
            raise
        outcome.update(cancelResult="FAILURE", cancelResponse=error.body)
        if mode == "STOP_ON_FAILURE":
            raise BinanceError(-2022, "Order cancel-replace failed.", data=outcome) from None
    try:
        outcome["newOrderResponse"] = answer(_place(call, market, new))
        outcome["newOrderResult"] = "SUCCESS"
    except BinanceError as error:
        outcome.update(newOrderResult="FAILURE", newOrderResponse=error.body)
    return _replaced(outcome)


def _replaced(outcome: dict[str, Any]) -> dict[str, Any]:
    results = {outcome["cancelResult"], outcome["newOrderResult"]}
    if results == {"SUCCESS"}:
        return outcome
    if results == {"FAILURE"}:
        raise BinanceError(-2022, "Order cancel-replace failed.", data=outcome)
    raise BinanceError(-2021, "Order cancel-replace partially failed.", 409, data=outcome)


def amend_order(call: Call) -> dict[str, Any]:
    """PUT order/amend/keepPriority: a smaller quantity."""
    order = find(call, (-2013, "Order does not exist."))
    quantity = call.required_decimal("newQty")
    own_id = call.text("newClientOrderId")
    if not order.is_open:
        raise BinanceError(*UNKNOWN_ORDER)
    if quantity > order.quantity:
        raise BinanceError(-2038, "Order amend (quantity increase) is not supported.")
    venue = call.dialect.venue
    is_renamed = own_id is not None and own_id != order.client_id
    if is_renamed:
        own_id = client_id(call, "newClientOrderId")
        venue.check_client_id(call.account, "spot", own_id)
    venue.amend(order, quantity=quantity)
    if is_renamed and own_id is not None:
        venue.rename(order, own_id)
    return {
        "transactTime": call.now_ms,
        "executionId": call.dialect.spot_users.last_report,
        "amendedOrder": _amended(order),
    }


def _amended(order: Order) -> dict[str, Any]:
    shown = spot_shapes.result(order)
    del shown["transactTime"]
    shown["qty"] = shown.pop("origQty")
    shown["preventedQty"] = "0.00000000"
    shown["quoteOrderQty"] = shown.pop("origQuoteOrderQty")
    shown["cumulativeQuoteQty"] = shown.pop("cummulativeQuoteQty")
    return shown


SIGNED, TRADE = Security.SIGNED, Security.TRADE
ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/api/v3/order"): Route(new_order, TRADE, is_refunded=True),
    ("POST", "/api/v3/order/test"): Route(
        test_order, TRADE, lambda call: 20 if call.flag("computeCommissionRates") else 1
    ),
    ("GET", "/api/v3/order"): Route(query_order, SIGNED, 4),
    ("DELETE", "/api/v3/order"): Route(cancel_order, TRADE, is_refunded=True),
    ("DELETE", "/api/v3/openOrders"): Route(cancel_open_orders, TRADE, is_refunded=True),
    ("POST", "/api/v3/order/cancelReplace"): Route(replace_order, TRADE, is_refunded=True),
    ("PUT", "/api/v3/order/amend/keepPriority"): Route(amend_order, TRADE, 4),
}
