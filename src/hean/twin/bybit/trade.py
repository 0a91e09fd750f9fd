# SPDX-License-Identifier: Apache-2.0
"""`trade.py`: orders in: create, amend, cancel, many at once. The same functions answer REST and
the order-entry socket. A reply means that the order was taken; what became of it the stream tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from hean.twin import checks
from hean.twin.bybit import terms, words
from hean.twin.bybit.call import Answer, Call
from hean.twin.bybit.errors import Denied, denied, invalid, missing, wrong
from hean.twin.orders import Order, Refused, Status, Why

BATCH_MAX = {"linear": 20, "spot": 10}
CANCEL_ALL_MAX = 500
RATE = (10006, "Too many visits. Exceeded the API Rate Limit.")
PRODUCTS = {"DERIVATIVES": "linear", "SPOT": "spot", "OPTIONS": "option"}
WINDOW_S = (3, 300)
FINISHED = {
    "linear": ((110008, "The order has been completed."), (110010, "The order was cancelled.")),
    "spot": ((170139, "Order has been filled."), (170142, "Order has been canceled.")),
}


def create(call: Call) -> Answer:
    """POST order/create."""
    return Answer(_ids(_create(call)))


def amend(call: Call) -> Answer:
    """POST order/amend."""
    return Answer(_ids(_amend(call)))


def cancel(call: Call) -> Answer:
    """POST order/cancel."""
    return Answer(_ids(_cancel(call)))


def create_batch(call: Call) -> Answer:
    """POST order/create-batch."""
    return _batch(call, _create, is_new=True)


def amend_batch(call: Call) -> Answer:
    """POST order/amend-batch."""
    return _batch(call, _amend)


def cancel_batch(call: Call) -> Answer:
    """POST order/cancel-batch."""
    return _batch(call, _cancel)


def cancel_all(call: Call) -> Answer:
    """POST order/cancel-all: one of symbol, baseCoin, settleCoin counts, in that order."""
    category = call.need_category()
    found = list(selected(call, call.account.open_orders.values(), category))
    kind = call.text("orderFilter", "Order" if category == "spot" else "")
    if kind:
        found = [order for order in found if filter_of(order) == kind]
    ended = call.venue.cancel_all(found[:CANCEL_ALL_MAX])
    return Answer({"list": [_ids(order) for order in ended], "success": "1"})


def pre_check(call: Call) -> Answer:
    """POST order/pre-check: margin rates before and after, in units of 1e-4. Nothing is placed."""
    category, new = terms.new_order(call)
    account, market = call.account, call.venue.market(category, new.symbol)
    try:
        checks.check_terms(account, market, new)
    except Refused as refused:
        raise denied(refused, category) from None
    equity = account.equity() or Decimal(1)
    held = sum((account.position_margin(p) for p in account.positions.values()), Decimal(0))
    price = new.price or market.last
    value = (new.quantity or Decimal(0)) * price if category == "linear" else Decimal(0)
    more = value / account.leverage_of(market.symbol)
    rate = market.listing.tier(value)[1][2] if category == "linear" else Decimal(0)
    margin = held + account.order_margin()
    return Answer(
        {
            "orderId": "",
            "orderLinkId": new.client_id,
            "preImrE4": int(margin / equity * 10_000),
            "preMmrE4": int(account.maintenance / equity * 10_000),
            "postImrE4": int((margin + more) / equity * 10_000),
            "postMmrE4": int((account.maintenance + value * rate) / equity * 10_000),
        }
    )


def disconnect_window(call: Call) -> Answer:
    """POST order/disconnected-cancel-all: how long after the last connection orders live."""
    product = PRODUCTS.get(call.text("product", "DERIVATIVES"))
    window = call.whole("timeWindow")
    if product is None:
        raise wrong("params error: product invalid")
    if window is None or not WINDOW_S[0] <= window <= WINDOW_S[1]:
        raise wrong("params error: timeWindow must be between 3 and 300")
    call.floor.windows[call.account.number, product] = window
    return Answer({}, "success")


def selected(call: Call, orders: Iterable[Order], category: str) -> Iterable[Order]:
    """Orders of a product that match symbol, baseCoin or settleCoin; contracts need one of them."""
    symbol, base, settle = (call.text(name) for name in ("symbol", "baseCoin", "settleCoin"))
    if category == "linear" and not (symbol or base or settle):
        raise wrong("params error: symbol, baseCoin or settleCoin is required")
    if symbol:
        call.venue.market(category, symbol)
    for order in orders:
        listing = order.market.listing
        if listing.market != category or (symbol and listing.symbol != symbol):
            continue
        if not symbol and base and listing.base != base:
            continue
        if not symbol and not base and settle and listing.quote != settle and category != "spot":
            continue
        yield order


def find_order(call: Call, category: str) -> Order:
    """The order that orderId or orderLinkId names. *Raises*: `Refused` (ORDER_NOT_FOUND)."""
    market = call.venue.market(category, call.need("symbol"))
    number, link = call.text("orderId"), call.text("orderLinkId")
    if not number and not link:
        raise missing(category, "orderId")
    account = call.account
    order = account.orders.get(number) if number else account.by_client_id.get(link)
    if order is None or order.market is not market:
        raise Refused(Why.ORDER_NOT_FOUND)
    return order


def _create(call: Call) -> Order:
    category, new = terms.new_order(call)
    if new.extra.get("stopOrderType") != "tpslOrder":
        return call.venue.place(call.account, new, market=category)
    market = call.venue.market(category, new.symbol)
    checks.check_terms(call.account, market, new)
    held = checks.check_money(
        call.account, market, new, call.venue.quantity_of(call.account, market, new)
    )
    order = call.venue.place(call.account, new, market=category)
    call.venue.lock(order, held)
    return order


def _amend(call: Call) -> Order:
    category = call.need_category()
    order = find_order(call, category)
    _check_open(order)
    price, quantity, trigger = (terms.number(call, n) for n in ("price", "qty", "triggerPrice"))
    if trigger is not None and order.status is not Status.UNTRIGGERED:
        raise invalid(category, "triggerPrice")
    if order.price is None:
        price = None  # a market order has no price to change
    has_exits = _amend_exits(call, order)
    if not has_exits or price is not None or quantity is not None or trigger is not None:
        call.venue.amend(order, price=price, quantity=quantity, trigger_price=trigger)
    return order


def _amend_exits(call: Call, order: Order) -> bool:
    """Change the exits an order carries; "0" removes. *Returns*: whether anything was asked."""
    is_asked = False
    for name, short in (("takeProfit", "tp"), ("stopLoss", "sl")):
        price = terms.number(call, name)
        if price is None:
            continue
        is_asked = True
        if not price:
            order.extra.pop(name, None)
            continue
        base = order.price or order.market.last
        is_long = order.side == "BUY"
        terms.check_exit(order.market, name, price, is_long=is_long, base=base)
        order.extra[name] = order.market.listing.price_text(price)
        by = terms.watched(call, f"{short}TriggerBy")
        order.extra[f"{short}TriggerBy"] = words.WATCHED_NAMES[by]
        order.extra.setdefault("tpslMode", "Full")
    return is_asked


def _cancel(call: Call) -> Order:
    category = call.need_category()
    order = find_order(call, category)
    _check_open(order)
    call.venue.cancel(order)
    return order


def _check_open(order: Order) -> None:
    if order.is_open:
        return
    filled, cancelled = FINISHED[order.market.listing.market]
    raise Denied(*(filled if order.status is Status.FILLED else cancelled))


def _batch(call: Call, act: Callable[[Call], Order], *, is_new: bool = False) -> Answer:
    """Each leg for itself; those beyond the rate limit fail alone."""
    category = call.need_category()
    legs = call.params.get("request")
    if not isinstance(legs, list) or not legs:
        raise wrong("params error: request is required")
    if len(legs) > BATCH_MAX[category]:
        raise wrong(f"The number of orders in a batch exceeds {BATCH_MAX[category]}")
    granted = len(legs) if call.budget is None else call.budget.units
    rows, codes = [], []
    for index, leg in enumerate(legs):
        row, code = _leg(call, leg, act, is_granted=index < granted)
        if is_new:
            row["createAt"] = str(call.now_ms) if code["code"] == 0 else ""
        rows.append(row)
        codes.append(code)
    return Answer({"list": rows}, extra={"list": codes})


def _leg(
    call: Call, leg: Any, act: Callable[[Call], Order], *, is_granted: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    category = call.category
    params = leg if isinstance(leg, dict) else {}
    link, symbol = params.get("orderLinkId") or "", params.get("symbol") or ""
    row = {"category": category, "symbol": symbol, "orderId": "", "orderLinkId": link}
    try:
        if not is_granted:
            raise Denied(*RATE)
        order = act(Call(call.floor, {**params, "category": category}, call.key))
    except Refused as refused:
        refusal = denied(refused, category)
        return row, {"code": refusal.code, "msg": refusal.message}
    except Denied as refusal:
        return row, {"code": refusal.code, "msg": refusal.message}
    return {**row, **_ids(order)}, {"code": 0, "msg": "OK"}


def _ids(order: Order) -> dict[str, Any]:
    return {"orderId": order.order_id, "orderLinkId": order.client_id}


def filter_of(order: Order) -> str:
    """Which `orderFilter` an order falls under: `Order`, `StopOrder` or `tpslOrder`."""
    if order.status is not Status.UNTRIGGERED:
        return "Order"
    return "tpslOrder" if order.extra.get("stopOrderType") == "tpslOrder" else "StopOrder"
