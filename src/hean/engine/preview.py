# SPDX-License-Identifier: Apache-2.0
"""`preview.py`: what an order would be judged like and what it would mean, before anybody asks for
it. The verdict is that of the governor, by the rules that decide; price and fee are read off the
book that is shown. Nothing is reserved, told or kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from hean.core.types import OrderRequest, OrderType, Side, TimeInForce
from hean.data.instruments import Fees
from hean.engine import documents as doc
from hean.engine.port import Seen
from hean.engine.views import exact, gross
from hean.errors import HeanError

AGAINST = Decimal("0.1")  # a bad day of these markets
NAME = "preview"  # nobody's id: no order is made
LATER = "asked when it is sent"
ZERO = Decimal(0)


@dataclass(frozen=True)
class Taking:
    """What the book would give. *cost*: of *qty*, quote currency; *is_deep*: whether it has all."""

    qty: Decimal
    cost: Decimal
    is_deep: bool


def preview_of(
    system: Seen,
    request: OrderRequest,
    *,
    limits: Mapping[str, str | None],
    ladder: doc.Ladder,
    quote: doc.Quote,
    fees: Fees,
) -> doc.Preview:
    """The preview of *request* at this moment. *limits*: in force."""
    checks, reason = _judged(system, request, limits)
    price, fee, is_deep = _priced(request, ladder, quote, fees)
    value = None if price is None else price * request.size
    system.portfolio.value()
    ledger = system.portfolio.ledger
    held = ledger.position(request.symbol)[0]
    after = held + (request.size if request.side is Side.BUY else -request.size)
    if request.reduce_only and abs(after) > abs(held):
        after = ZERO if after * held <= 0 else held
    added = None if price is None else (abs(after) - abs(held)) * price
    equity = ledger.equity
    can_say = added is not None and equity > 0
    return doc.Preview(
        verdict="REJECTED" if reason else "APPROVED",
        reason=reason,
        checks=checks,
        price=price,
        value=value,
        slippage_bps=_slippage(request, price, quote),
        is_deep_enough=is_deep,
        fee=fee,
        position_after=after,
        leverage_after=float(max(ZERO, gross(system) + (added or ZERO)) / equity)
        if can_say
        else None,
        adverse_fraction=float(AGAINST),
        adverse_loss=None if value is None or fee is None else value * AGAINST + fee,
    )


def _judged(
    system: Seen, request: OrderRequest, limits: Mapping[str, str | None]
) -> tuple[list[doc.Check], str]:
    """What each rule says, and why it would be refused; empty if it would not."""
    engine = system.engine.copy()
    engine.set_limits(dict(limits))
    now_ns = system.bus.clock.now_ns
    try:
        rows = system.governor.report(request, NAME, now_ns, engine=engine)
    except HeanError as error:
        return [], error.message
    checks = [
        doc.Check(
            rule=rule,
            observed=LATER if rule.startswith("policy ") else observed,
            allowed=allowed,
            refuses=refuses,
        )
        for rule, observed, allowed, refuses in rows
    ]
    against = [f"{each.rule}: {each.observed} of {each.allowed}" for each in checks if each.refuses]
    return checks, "; ".join(against)


def _priced(
    request: OrderRequest, ladder: doc.Ladder, quote: doc.Quote, fees: Fees
) -> tuple[Decimal | None, Decimal | None, bool]:
    """Average price and fee as the market stands, and whether the book has all of it."""
    is_buy, limit = request.side is Side.BUY, request.price
    levels = ladder.asks if is_buy else ladder.bids
    touch = quote.ask if is_buy else quote.bid
    if not levels and touch is not None:
        levels = [(touch, float("inf"))]  # no book is told, so its best price stands for it
    crosses = request.time_in_force is not TimeInForce.POST_ONLY
    found = taken(levels if crosses else (), request.size, limit=limit, is_buy=is_buy)
    rest = request.size - found.qty
    if request.type is OrderType.MARKET:
        if not found.qty:
            return None, None, False
        price = found.cost / found.qty
        return price, price * request.size * fees.taker, found.is_deep
    assert limit is not None
    cost = found.cost + rest * limit
    return cost / request.size, found.cost * fees.taker + rest * limit * fees.maker, True


def taken(
    levels: Iterable[tuple[float, float]], qty: Decimal, *, limit: Decimal | None, is_buy: bool
) -> Taking:
    """Take *qty* from levels, the best first, no further than *limit*."""
    left, cost = qty, ZERO
    for level, size in levels:
        price = exact(level)
        if limit is not None and (price > limit if is_buy else price < limit):
            break
        part = left if size == float("inf") else min(left, exact(size))
        cost += part * price
        left -= part
        if not left:
            break
    return Taking(qty - left, cost, not left)


def _slippage(request: OrderRequest, price: Decimal | None, quote: doc.Quote) -> float | None:
    """Of a market order against the middle, basis points; the sign is that of a loss."""
    if request.type is not OrderType.MARKET or price is None or not (quote.bid and quote.ask):
        return None
    middle = (quote.bid + quote.ask) / 2
    way = 1 if request.side is Side.BUY else -1
    return way * (float(price) - middle) / middle * 1e4
