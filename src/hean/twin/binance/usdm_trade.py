# SPDX-License-Identifier: Apache-2.0
"""`usdm_trade.py`: orders of the USD-M futures: placing, changing, cancelling, looking up, alone
and in batches. Plain orders only; conditional ones are `usdm_algo.py`'s, and invisible here until
they have fired. A leg of a batch fails alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from hean.twin import checks
from hean.twin.binance import errors, usdm_algo
from hean.twin.binance.call import Call, Route, Security
from hean.twin.binance.errors import BinanceError, Refusals, translated
from hean.twin.binance.usdm_records import records_of
from hean.twin.binance.usdm_shapes import (
    is_algo,
    is_working,
    order_object,
    query_object,
    trade_object,
)
from hean.twin.binance.usdm_tape import AMENDS_MAX
from hean.twin.binance.usdm_terms import arm, plain_order
from hean.twin.binance.words import SIDES, ms
from hean.twin.candles import WEEK_MS
from hean.twin.market import TwinMarket
from hean.twin.orders import Order, Refused, Why
from hean.twin.wire import MALFORMED

PLACED_MAX, CANCELLED_MAX = 5, 10  # legs of a batch
ROWS, ROWS_MAX = 500, 1_000
DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}
CLIENT_ID = "origClientOrderId"
RESPONSES = frozenset({"ACK", "RESULT"})
_NO_MAKER = (
    "Due to the order could not be executed as maker, the Post Only order will be rejected. "
)
_NOT_AT_ONCE = "Due to the order could not be filled immediately, the FOK order has been rejected. "
_UNRECORDED = "The order will not be recorded in the order history"
REFUSALS: Refusals = {
    Why.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Why.NOT_TRADING: (-4140, "Invalid symbol status for opening position."),
    Why.PRICE_OFF_TICK: (-4014, "Price not increased by tick size."),
    Why.PRICE_TOO_LOW: (-4001, "Price less than 0."),
    Why.PRICE_TOO_HIGH: (-4002, "Price greater than max price."),
    Why.PRICE_ABOVE_BAND: (-4016, "Limit price can't be higher than {allowed}."),
    Why.PRICE_BELOW_BAND: (-4024, "Limit price can't be lower than {allowed}."),
    Why.QUANTITY_OFF_STEP: (-4023, "Quantity not increased by step size."),
    Why.QUANTITY_TOO_SMALL: (-4004, "Quantity less than min quantity."),
    Why.QUANTITY_TOO_LARGE: (-4005, "Quantity greater than max quantity."),
    Why.NOTIONAL_TOO_SMALL: (
        -4164,
        "Order's notional must be no smaller than {allowed} (unless you choose reduce only).",
    ),
    Why.INSUFFICIENT: (-2019, "Margin is insufficient."),
    Why.NO_POSITION: (-2022, "ReduceOnly Order is rejected."),
    Why.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    Why.DUPLICATE_CLIENT_ID: (-4116, "ClientOrderId is duplicated."),
    Why.TOO_MANY_ORDERS: (-2025, "Reach max open order limit."),
    Why.TOO_MANY_CONDITIONAL: (-4045, "Reach max stop order limit."),
    Why.TRIGGER_PASSED_RISING: (-2021, "Order would immediately trigger."),
    Why.TRIGGER_PASSED_FALLING: (-2021, "Order would immediately trigger."),
    Why.POSITION_SIDE: (-4061, "Order's position side does not match user's setting."),
    Why.ORDER_NOT_FOUND: (-2013, "Order does not exist."),
    Why.ORDER_CLOSED: (-2011, "Unknown order sent."),
    Why.AMEND_UNCHANGED: (-5027, "No need to modify the order."),
    Why.LEVERAGE_TOO_HIGH: (-4028, "Leverage is not valid."),
    Why.WOULD_TAKE: (-5022, _NO_MAKER + _UNRECORDED),
    Why.NOT_FILLABLE: (-5021, _NOT_AT_ONCE + _UNRECORDED),
}


# --- one order


def place(call: Call) -> dict[str, Any]:
    """A new order."""
    call.count_orders()
    return _place(call)


def _place(call: Call) -> dict[str, Any]:
    response = call.enum("newOrderRespType", RESPONSES, default="ACK")
    new, _ = plain_order(call)
    venue = call.dialect.venue
    order = venue.place(call.account, new, market="linear")
    arm(venue, order)
    return order_object(order, is_ack=response == "ACK")


def check(call: Call) -> dict[str, Any]:
    """An order that is judged and not placed."""
    new, market = plain_order(call)
    checks.check_terms(call.account, market, new)
    assert new.quantity is not None
    checks.check_money(call.account, market, new, new.quantity)
    return {}


def modify(call: Call) -> dict[str, Any]:
    """New price and quantity of a limit order; it goes to the end of its queue."""
    call.count_orders()
    return _modify(call)


def _modify(call: Call) -> dict[str, Any]:
    order = found(call, (-2013, "Order does not exist."))
    call.enum("side", SIDES, (-1117, "Invalid side."))
    listing = order.market.listing
    quantity = call.required_decimal("quantity", decimals=listing.quantity_decimals)
    price = call.required_decimal("price", decimals=listing.price_decimals)
    if not order.is_open:
        raise BinanceError(-2013, "Order does not exist.")
    if order.is_market:
        raise BinanceError(-5025, "Only limit order is supported.")
    changes: list[dict[str, Any]] = order.extra.setdefault("amendments", [])
    if len(changes) >= AMENDS_MAX:
        raise BinanceError(-5026, "Exceed maximum modify order limit.")
    change = _change(order, price, quantity, number=len(changes) + 1, now_ms=call.now_ms)
    venue = call.dialect.venue
    try:
        venue.amend(order, price=price, quantity=quantity, keeps_place=False)
        changes.append(change)
    except Refused as refused:
        if refused.why is not Why.AMEND_BELOW_FILLED:
            raise
        venue.cancel(order)  # what is left would be nothing: documented to cancel
    return {**order_object(order), "pair": listing.symbol}


def _change(
    order: Order, price: Decimal, quantity: Decimal, *, number: int, now_ms: int
) -> dict[str, Any]:
    """A row of `orderAmendment`."""
    listing = order.market.listing
    before, after = listing.price_text(order.price or price), listing.price_text(price)
    sizes = listing.quantity_text(order.quantity), listing.quantity_text(quantity)
    return {
        "amendmentId": order.number * AMENDS_MAX + number,
        "symbol": listing.symbol,
        "pair": listing.symbol,
        "orderId": int(order.order_id),
        "clientOrderId": order.client_id,
        "time": now_ms,
        "amendment": {
            "price": {"before": before, "after": after},
            "origQty": {"before": sizes[0], "after": sizes[1]},
            "count": number,
        },
        "priceMatch": order.extra.get("priceMatch", "NONE"),
    }


def cancel(call: Call) -> dict[str, Any]:
    """The end of an open order; it keeps its client id."""
    order = found(call, (-2011, "Unknown order sent."))
    call.dialect.venue.cancel(order)
    return order_object(order)


def query(call: Call) -> dict[str, Any]:
    """An order, open or not."""
    return query_object(found(call, (-2013, "Order does not exist.")))


def query_open(call: Call) -> dict[str, Any]:
    """An order, if it is open."""
    order = found(call, (-2013, "Order does not exist."))
    if not order.is_open:
        raise BinanceError(-2013, "Order does not exist.")
    return query_object(order)


def found(call: Call, refusal: tuple[int, str]) -> Order:
    """The plain order that a request names by id or client id."""
    market = call.market()
    number, client_id = call.integer("orderId"), call.text("origClientOrderId")
    if number is None and client_id is None:
        raise errors.missing_both("origClientOrderId", "orderId")
    account = call.account
    if number is not None:
        order = account.orders.get(str(number))
    else:
        order = account.client_ids("linear").get(client_id or "")
    if order is None or order.market is not market or not is_working(order):
        raise BinanceError(*refusal)
    return order


# --- many orders


def cancel_all(call: Call) -> dict[str, Any]:
    """The end of all plain orders of a symbol; also when there are none."""
    _cancel_market(call, call.market(), Why.REQUESTED)
    return DONE


def _cancel_market(call: Call, market: TwinMarket, why: Why) -> None:
    orders = [order for order in _open(call) if order.market is market]
    call.dialect.venue.cancel_all(orders, why)


def countdown(call: Call) -> dict[str, Any]:
    """Cancel a symbol's orders unless this is called again in time; zero disarms."""
    market, wait_ms = call.market(), call.integer("countdownTime")
    if wait_ms is None:
        raise errors.missing("countdownTime")
    deadlines = call.dialect.venue.deadlines
    key = ("usdm countdown", call.account.name, market.symbol)
    deadlines.pop(key, None)
    if wait_ms:
        act = partial(_cancel_market, call, market, Why.COUNTDOWN)
        deadlines[key] = (call.now_ns + wait_ms * 1_000_000, act)
    return {"symbol": market.symbol, "countdownTime": str(wait_ms)}


def place_batch(call: Call) -> list[dict[str, Any]]:
    """Up to five orders; each answers for itself."""
    legs = _legs(call, "batchOrders", PLACED_MAX)
    call.count_orders(len(legs))
    return _each(call, legs, _place)


def modify_batch(call: Call) -> list[dict[str, Any]]:
    """Up to five changes."""
    legs = _legs(call, "batchOrders", PLACED_MAX)
    call.count_orders(len(legs))
    return _each(call, legs, _modify)


def cancel_batch(call: Call) -> list[dict[str, Any]]:
    """Up to ten cancels, by ids or by client ids. Clients write the lists' names in either case."""
    symbol = call.market().symbol
    sent = {name.lower(): name for name in call.params}
    for listed, field in (("orderidlist", "orderId"), ("origclientorderidlist", CLIENT_ID)):
        if listed in sent:
            ids = _list(call, sent[listed], CANCELLED_MAX)
            break
    else:
        raise errors.missing_both("origClientOrderIdList", "orderIdList")
    return _each(call, [{"symbol": symbol, field: str(each)} for each in ids], cancel)


def _legs(call: Call, name: str, most: int) -> list[dict[str, str]]:
    legs = _list(call, name, most)
    if not all(isinstance(leg, dict) for leg in legs):
        raise errors.invalid(name)
    return [{key: _text(value) for key, value in leg.items()} for leg in legs]


def _list(call: Call, name: str, most: int) -> list[Any]:
    try:
        rows = msgspec.json.decode(call.required(name), type=list[Any])
    except MALFORMED:
        raise errors.invalid(name) from None
    if not 1 <= len(rows) <= most:
        raise BinanceError(-4082, "Invalid number of batch orders.")
    return rows


def _text(value: Any) -> str:
    """A value of a leg as a form would carry it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _each(
    call: Call, legs: list[dict[str, str]], act: Callable[[Call], dict[str, Any]]
) -> list[dict[str, Any]]:
    answers = []
    for leg in legs:
        try:
            answers.append(act(replace(call, params=leg)))
        except Refused as refused:
            answers.append(translated(refused, REFUSALS).body)
        except BinanceError as error:
            answers.append(error.body)
    return answers


# --- lists


def open_orders(call: Call) -> list[dict[str, Any]]:
    """Open plain orders, of a symbol or all."""
    market = call.market() if call.text("symbol") is not None else None
    return [query_object(o) for o in _open(call) if market is None or o.market is market]


def _open(call: Call) -> list[Order]:
    return [
        order
        for order in call.account.open_orders.values()
        if order.market.listing.market == "linear" and is_working(order)
    ]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """Orders of a symbol, oldest first: from an id on, or the newest in a window."""
    market, most = call.market(), call.limit(ROWS, ROWS_MAX)
    since = call.integer("orderId")
    start_ms, end_ms = window(call)
    mine = (o for o in call.account.orders.values() if o.market is market and is_working(o))
    if since is not None:
        return [query_object(o) for o in mine if int(o.order_id) >= since][:most]
    fitting = [o for o in mine if start_ms <= ms(o.created_ns) <= end_ms]
    rows = fitting[:most] if call.has("startTime") else fitting[-most:]
    return [query_object(order) for order in rows]


def window(call: Call) -> tuple[int, int]:
    """The window of a list: given, or the last seven days. *Raises*: `BinanceError` -4165."""
    start_ms, end_ms = call.integer("startTime"), call.integer("endTime")
    if start_ms is None:
        until = call.now_ms + 1_000 if end_ms is None else end_ms
        return until - WEEK_MS, until
    end_ms = start_ms + WEEK_MS if end_ms is None else end_ms
    if end_ms - start_ms > WEEK_MS:
        raise BinanceError(-4165, "Invalid time interval, maximum interval is 7 days.")
    return start_ms, end_ms


def user_trades(call: Call) -> list[dict[str, Any]]:
    """Fills of a symbol, oldest first."""
    market, most = call.market(), call.limit(ROWS, ROWS_MAX)
    order_id, since = call.integer("orderId"), call.integer("fromId")
    start_ms, end_ms = window(call)
    fills = (f for f in records_of(call).fills if f.market is market and f.order is not None)
    if order_id is not None:
        fills = (f for f in fills if f.order is not None and f.order.order_id == str(order_id))
    if since is not None:
        return [trade_object(f) for f in fills if f.trade_number >= since][:most]
    fitting = [f for f in fills if start_ms <= ms(f.ts_ns) <= end_ms]
    rows = fitting[:most] if call.has("startTime") else fitting[-most:]
    return [trade_object(fill) for fill in rows]


def amendments(call: Call) -> list[dict[str, Any]]:
    """Changes of orders of a symbol, newest first."""
    market, most = call.market(), call.limit(50, 100)
    orders: Iterable[Order] = (o for o in call.account.orders.values() if o.market is market)
    if call.has("orderId") or call.has("origClientOrderId"):
        orders = [found(call, (-2013, "Order does not exist."))]
    rows = [row for order in orders for row in order.extra.get("amendments", ())]
    rows.sort(key=lambda row: (row["time"], row["amendmentId"]), reverse=True)
    return rows[:most]


def forced(call: Call) -> list[dict[str, Any]]:
    """Liquidations and auto-deleveragings of the account."""
    market = call.market() if call.text("symbol") is not None else None
    kind = {"LIQUIDATION": "liquidation", "ADL": "adl"}.get(call.params.get("autoCloseType", ""))
    rows = [
        query_object(order)
        for order in call.account.orders.values()
        if order.extra.get("forced") in ((kind,) if kind else ("liquidation", "adl"))
        and market in (None, order.market)
        and not is_algo(order)
    ]
    return rows[-call.limit(50, 100) :]


def order_limits(call: Call) -> list[dict[str, Any]]:
    """How many orders an account may place."""
    rules = call.dialect.limits.listed("linear")
    return [rule for rule in rules if rule["rateLimitType"] == "ORDERS"]


def _per_symbol(one: int, every: int) -> Callable[[Call], int]:
    return lambda call: one if call.params.get("symbol") else every


SIGNED, TRADE = Security.SIGNED, Security.TRADE
ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/fapi/v1/order"): Route(place, TRADE, 0),
    ("POST", "/fapi/v1/order/test"): Route(check, TRADE, 0),
    ("PUT", "/fapi/v1/order"): Route(modify, TRADE),
    ("DELETE", "/fapi/v1/order"): Route(cancel, TRADE),
    ("GET", "/fapi/v1/order"): Route(query, SIGNED),
    ("GET", "/fapi/v1/openOrder"): Route(query_open, SIGNED),
    ("DELETE", "/fapi/v1/allOpenOrders"): Route(cancel_all, TRADE),
    ("POST", "/fapi/v1/countdownCancelAll"): Route(countdown, TRADE, 10),
    ("POST", "/fapi/v1/batchOrders"): Route(place_batch, TRADE, 5),
    ("PUT", "/fapi/v1/batchOrders"): Route(modify_batch, TRADE, 5),
    ("DELETE", "/fapi/v1/batchOrders"): Route(cancel_batch, TRADE),
    ("GET", "/fapi/v1/openOrders"): Route(open_orders, SIGNED, _per_symbol(1, 40)),
    ("GET", "/fapi/v1/allOrders"): Route(all_orders, SIGNED, 5),
    ("GET", "/fapi/v1/userTrades"): Route(user_trades, SIGNED, 5),
    ("GET", "/fapi/v1/orderAmendment"): Route(amendments, SIGNED),
    ("GET", "/fapi/v1/forceOrders"): Route(forced, SIGNED, _per_symbol(20, 50)),
    ("GET", "/fapi/v1/rateLimit/order"): Route(order_limits, SIGNED),
    **usdm_algo.ROUTES,
}
