# SPDX-License-Identifier: Apache-2.0
"""`usdm_algo.py`: conditional orders of the USD-M futures, which since December 2025 have paths,
ids and a status of their own. What one becomes when it fires is an ordinary order, looked up with
the ordinary paths.
"""

from __future__ import annotations

from typing import Any

from hean.twin.binance import errors
from hean.twin.binance.call import Call, Route, Security
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.usdm_shapes import (
    ALGO_BASE,
    algo_id,
    algo_object,
    algo_placed,
    algo_query,
    algo_type,
    is_algo,
)
from hean.twin.binance.usdm_terms import PROFIT_TYPES, arm, conditional_order
from hean.twin.binance.words import ms
from hean.twin.orders import NewOrder, Order, Status

ROWS, ROWS_MAX = 500, 1_000
DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


def place(call: Call) -> dict[str, Any]:
    """A new conditional order."""
    call.count_orders()
    new, market = conditional_order(call)
    if new.close_all:
        _check_closers(call, new)
    venue = call.dialect.venue
    order = venue.place(call.account, new, market="linear")
    arm(venue, order)
    venue.books.wake(market)
    return algo_placed(order)


def _check_closers(call: Call, new: NewOrder) -> None:
    """One closing stop and one closing profit for each direction."""
    is_profit = new.extra["type"] in PROFIT_TYPES
    for order in _waiting(call):
        if (
            order.close_all
            and order.market.symbol == new.symbol
            and (order.side, order.position_side) == (new.side, new.position_side)
            and (algo_type(order) in PROFIT_TYPES) == is_profit
        ):
            raise BinanceError(
                -4130,
                "An open stop or take profit order with GTE and closePosition in the direction is "
                "existing.",
            )


def cancel(call: Call) -> dict[str, Any]:
    """The end of a conditional order that waits."""
    order = _found(call, (-2011, "Unknown order sent."))
    if order.status is not Status.UNTRIGGERED:
        raise BinanceError(-2011, "Unknown order sent.")
    call.dialect.venue.cancel(order)
    return {**algo_object(order), "code": "200", "msg": "success"}


def query(call: Call) -> dict[str, Any]:
    """A conditional order and what became of it."""
    return algo_query(_found(call, (-2013, "Order does not exist.")))


def cancel_all(call: Call) -> dict[str, Any]:
    """The end of all conditional orders of a symbol."""
    market = call.market()
    call.dialect.venue.cancel_all([o for o in _waiting(call) if o.market is market])
    return DONE


def open_orders(call: Call) -> list[dict[str, Any]]:
    """Conditional orders that wait, of a symbol or all."""
    market = call.market() if call.text("symbol") is not None else None
    number = call.integer("algoId")
    return [
        algo_query(order)
        for order in _waiting(call)
        if market in (None, order.market) and number in (None, algo_id(order))
    ]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """Conditional orders of a symbol, oldest first."""
    market, most = call.market(), call.limit(ROWS, ROWS_MAX)
    since = call.integer("algoId") or 0
    start_ms, end_ms = call.integer("startTime") or 0, call.integer("endTime")
    rows = [
        order
        for order in call.account.orders.values()
        if order.market is market and is_algo(order) and algo_id(order) >= since
    ]
    fitting = [
        order
        for order in rows
        if start_ms <= ms(order.created_ns) and (end_ms is None or ms(order.created_ns) <= end_ms)
    ]
    cut = fitting[:most] if start_ms or since else fitting[-most:]
    return [algo_query(order) for order in cut]


def _found(call: Call, refusal: tuple[int, str]) -> Order:
    number, client_id = call.integer("algoId"), call.text("clientAlgoId")
    if number is None and client_id is None:
        raise errors.missing_both("algoId", "clientAlgoId")
    account = call.account
    if number is not None:
        rank = number - ALGO_BASE
        order = account.open_orders.get(rank) or _closed(call, number)
    else:
        order = account.client_ids("linear").get(client_id or "")
    if order is None or not is_algo(order) or order.market.listing.market != "linear":
        raise BinanceError(*refusal)
    return order


def _closed(call: Call, number: int) -> Order | None:
    orders = reversed(call.account.orders.values())
    return next((o for o in orders if is_algo(o) and algo_id(o) == number), None)


def _waiting(call: Call) -> list[Order]:
    return [
        order
        for order in call.account.open_orders.values()
        if order.status is Status.UNTRIGGERED and order.market.listing.market == "linear"
    ]


SIGNED, TRADE = Security.SIGNED, Security.TRADE
ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/fapi/v1/algoOrder"): Route(place, TRADE, 0),
    ("DELETE", "/fapi/v1/algoOrder"): Route(cancel, TRADE),
    ("GET", "/fapi/v1/algoOrder"): Route(query, SIGNED),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Route(cancel_all, TRADE),
    ("GET", "/fapi/v1/openAlgoOrders"): Route(open_orders, SIGNED),
    ("GET", "/fapi/v1/allAlgoOrders"): Route(all_orders, SIGNED, 5),
}
