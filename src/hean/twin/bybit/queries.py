# SPDX-License-Identifier: Apache-2.0
"""`queries.py`: reading back what an account did: orders, executions, closed profit, the
transaction log. Newest first, in pages; a cursor is the number of the last line, so it survives
signing and any HTTP library's ideas about escapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from hean.twin.bybit import shapes, words
from hean.twin.bybit.call import Answer, Call
from hean.twin.bybit.errors import invalid, wrong
from hean.twin.bybit.records import Booked
from hean.twin.bybit.trade import filter_of, selected
from hean.twin.candles import DAY_MS
from hean.twin.orders import Order

RECENT_CLOSED = 500  # closed orders that realtime still knows
SPAN_DAYS = 7
T = TypeVar("T")


def page(
    call: Call, rows: Iterable[T], *, number: Callable[[T], int], limit: int
) -> tuple[list[T], str]:
    """The next *limit* of *rows* (newest first) after the cursor, and the cursor after them."""
    cursor = call.text("cursor")
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 19):
        raise invalid(call.category, "cursor")
    before = int(cursor) if cursor else None
    found: list[T] = []
    for row in rows:
        if before is not None and number(row) >= before:
            continue
        if len(found) == limit:
            return found, str(number(found[-1]))
        found.append(row)
    return found, ""


def realtime(call: Call) -> Answer:
    """GET order/realtime: open orders; with openOnly 1 or an id also what closed lately."""
    category = _category(call)
    limit = call.limit(20, 50)
    named = _named(call, category)
    if named is not None:
        recent = {id(order) for order in _recently_closed(call, category)}
        rows = [order for order in named if order.is_open or id(order) in recent]
        return _orders(call, category, rows, limit)
    if call.whole("openOnly", 0):
        return _orders(call, category, _recently_closed(call, category, check=True), limit)
    opened = reversed(call.account.open_orders.values())
    return _orders(call, category, selected(call, opened, category), limit)


def history(call: Call) -> Answer:
    """GET order/history: what is closed; cancelled ones without fills are kept for a day."""
    category = _category(call)
    limit = call.limit(20, 50)
    start, end = call.span_ms(SPAN_DAYS, SPAN_DAYS)
    status = call.text("orderStatus")
    named = _named(call, category)
    rows = _closed(call, category) if named is None else named
    symbol, base, settle = (call.text(name) for name in ("symbol", "baseCoin", "settleCoin"))
    forgotten_ms = call.now_ms - DAY_MS

    def is_wanted(order: Order) -> bool:
        listing, at_ms = order.market.listing, order.updated_ns // words.MS_NS
        return (
            not order.is_open
            and start <= at_ms <= end
            and (not symbol or listing.symbol == symbol)
            and (not base or listing.base == base)
            and (not settle or listing.quote == settle)
            and (not status or words.order_status(order) == status)
            and (bool(order.filled) or at_ms > forgotten_ms)
        )

    return _orders(call, category, (order for order in rows if is_wanted(order)), limit)


def executions(call: Call) -> Answer:
    """GET execution/list."""
    category = _category(call)
    start, end = call.span_ms(SPAN_DAYS, SPAN_DAYS)
    names = ("symbol", "orderId", "orderLinkId", "baseCoin", "execType")
    symbol, order_id, link, base, kind = (call.text(name) for name in names)
    if symbol:
        call.venue.market(category, symbol)

    def is_wanted(booked: Booked) -> bool:
        execution = booked.execution
        order, listing = execution.order, execution.market.listing
        return (
            listing.market == category
            and start <= execution.ts_ns // words.MS_NS <= end
            and (not symbol or listing.symbol == symbol)
            and (not order_id or (order is not None and order.order_id == order_id))
            and (not link or (order is not None and order.client_id == link))
            and (not base or listing.base == base)
            and (not kind or words.EXECUTION_TYPES.get(execution.kind) == kind)
        )

    booked = reversed(call.floor.records.of(call.account).executions)
    wanted = (row for row in booked if is_wanted(row))
    rows, cursor = page(call, wanted, number=lambda row: row.number, limit=call.limit(50, 100))
    return _listed(category, [shapes.execution_fields(row) for row in rows], cursor)


def closed_profit(call: Call) -> Answer:
    """GET position/closed-pnl."""
    category = _category(call)
    start, end = call.span_ms(SPAN_DAYS, SPAN_DAYS)
    symbol = call.text("symbol")
    found = (
        row
        for row in reversed(call.floor.records.of(call.account).closed)
        if category == "linear"
        and (not symbol or row.order.market.symbol == symbol)
        and start <= row.updated_ns // words.MS_NS <= end
    )
    rows, cursor = page(call, found, number=lambda row: row.number, limit=call.limit(50, 100))
    return _listed(category, [shapes.closed_fields(row) for row in rows], cursor)


def transaction_log(call: Call) -> Answer:
    """GET account/transaction-log."""
    start, end = call.span_ms(1, SPAN_DAYS)
    wish = {
        "category": call.text("category"),
        "currency": call.text("currency"),
        "type": call.text("type"),
    }
    found = (
        row
        for row in reversed(call.floor.records.of(call.account).log)
        if start <= row.ts_ns // words.MS_NS <= end
        and all(not value or row.fields[name] == value for name, value in wish.items())
    )
    rows, cursor = page(call, found, number=lambda row: row.number, limit=call.limit(20, 50))
    return Answer({"nextPageCursor": cursor, "list": [row.fields for row in rows]})


def _category(call: Call) -> str:
    """Contracts that are not traded here are empty lists, not errors."""
    return call.need_category("linear", "spot", "inverse", "option")


def _named(call: Call, category: str) -> list[Order] | None:
    """The order an id names, as a list; `None` when no id is given."""
    order_id, link = call.text("orderId"), call.text("orderLinkId")
    if not order_id and not link:
        return None
    account = call.account
    order = account.orders.get(order_id) if order_id else account.client_ids(category).get(link)
    symbol = call.text("symbol")
    if order is None or order.market.listing.market != category:
        return []
    return [order] if not symbol or order.market.symbol == symbol else []


def _closed(call: Call, category: str) -> Iterable[Order]:
    for order in reversed(call.account.orders.values()):
        if not order.is_open and order.market.listing.market == category:
            yield order


def _recently_closed(call: Call, category: str, *, check: bool = False) -> list[Order]:
    """The last closed orders. *check*: of the symbol or coin that the query must name."""
    found: list[Order] = []
    rows = _closed(call, category)
    for order in selected(call, rows, category) if check else rows:
        if order.updated_ns >= call.floor.quirks.recent_since_ns:
            found.append(order)
        if len(found) == RECENT_CLOSED:
            break
    return found


def _orders(call: Call, category: str, rows: Iterable[Order], limit: int) -> Answer:
    kind = call.text("orderFilter")
    if kind and kind not in {"Order", "StopOrder", "tpslOrder", "OcoOrder"}:
        raise wrong("params error: orderFilter invalid")
    wanted = (order for order in rows if not kind or _has_filter(order, kind))
    found, cursor = page(call, wanted, number=lambda order: order.number, limit=limit)
    return _listed(category, [shapes.order_fields(order) for order in found], cursor)


def _has_filter(order: Order, kind: str) -> bool:
    if order.is_open:
        return filter_of(order) == kind
    is_stop = order.trigger is not None and not order.was_triggered
    return (kind != "Order") == is_stop


def _listed(category: str, rows: list[dict[str, Any]], cursor: str) -> Answer:
    return Answer({"category": category, "list": rows, "nextPageCursor": cursor})
