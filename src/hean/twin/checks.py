# SPDX-License-Identifier: Apache-2.0
"""`checks.py`: what an exchange checks before it takes an order, in its order: grid, sizes, value,
price band, position side, ceilings, money. Each check raises `Refused` and changes nothing.
"""

from __future__ import annotations

from decimal import Decimal

from hean.twin.account import Account
from hean.twin.listing import CONDITIONAL_MAX, OPEN_ORDERS_MAX
from hean.twin.market import TwinMarket
from hean.twin.orders import ZERO, NewOrder, Order, Refused, Status, Trigger, Why

SWEEP_LEVELS = 1_000  # levels of a book that a market order is thought through


def check_price(market: TwinMarket, price: Decimal, *, side: str | None) -> None:
    """Tick, bounds and band of a price; *side* `None` leaves the band out (trigger prices). A band
    bounds how far a buyer goes up and a seller down; Binance's spot bounds both ways for both.
    """
    listing = market.listing
    if price <= 0:
        raise Refused(Why.PRICE_TOO_LOW, allowed=listing.tick)
    if price > listing.price_max:
        raise Refused(Why.PRICE_TOO_HIGH, allowed=listing.price_max)
    if price % listing.tick:
        raise Refused(Why.PRICE_OFF_TICK, allowed=listing.tick)
    reference = market.mark or market.last
    if side is None or not reference:
        return
    high = reference * (1 + listing.band_fraction)
    low = reference * listing.band_low
    is_both = (listing.exchange, listing.market) == ("binance", "spot")
    if price > high and (is_both or side == "BUY"):
        raise Refused(Why.PRICE_ABOVE_BAND, allowed=high)
    if price < low and (is_both or side == "SELL"):
        raise Refused(Why.PRICE_BELOW_BAND, allowed=low)


def check_quantity(market: TwinMarket, quantity: Decimal, *, is_market: bool) -> None:
    """Step, smallest and largest quantity."""
    listing = market.listing
    if quantity < listing.quantity_min:
        raise Refused(Why.QUANTITY_TOO_SMALL, allowed=listing.quantity_min)
    if quantity % listing.lot:
        raise Refused(Why.QUANTITY_OFF_STEP, allowed=listing.lot)
    largest = listing.market_quantity_max if is_market else listing.quantity_max
    if quantity > largest:
        raise Refused(Why.QUANTITY_TOO_LARGE, allowed=largest)


def check_value(market: TwinMarket, quantity: Decimal, price: Decimal | None) -> None:
    """Smallest order value, at its price or the last one."""
    if quantity * (price or market.last) < market.listing.notional_min:
        raise Refused(Why.NOTIONAL_TOO_SMALL, allowed=market.listing.notional_min)


def check_terms(account: Account, market: TwinMarket, new: NewOrder) -> None:
    """Everything about an order but its money."""
    listing = market.listing
    if listing.status != "trading":
        raise Refused(Why.NOT_TRADING)
    if new.price is not None:
        # What the price of a waiting order is to be measured with is not known yet.
        check_price(market, new.price, side=None if new.trigger is not None else new.side)
    if new.trigger is not None:
        check_trigger(market, new.trigger)
    if new.quantity is not None and not new.close_all:
        check_quantity(market, new.quantity, is_market=new.price is None)
        if not new.reduce_only:
            check_value(market, new.quantity, new.price)
    elif new.quote_quantity is not None and new.quote_quantity < listing.notional_min:
        raise Refused(Why.NOTIONAL_TOO_SMALL, allowed=listing.notional_min)
    if listing.market == "linear":
        if new.position_side not in account.position_sides(market.symbol):
            raise Refused(Why.POSITION_SIDE)
        if new.trigger is None:
            check_reducing(account, market, new)
    elif new.reduce_only or new.position_side != "BOTH":
        raise Refused(Why.POSITION_SIDE)  # there are no positions in spot
    check_ceilings(account, market, is_conditional=new.trigger is not None)


def check_trigger(market: TwinMarket, trigger: Trigger) -> None:
    """A trigger must lie ahead of the price it watches."""
    if trigger.trailing is not None:
        return
    check_price(market, trigger.price, side=None)
    now = watched(market, trigger.by)
    if trigger.rising and trigger.price <= now:
        raise Refused(Why.TRIGGER_PASSED_RISING)
    if not trigger.rising and trigger.price >= now:
        raise Refused(Why.TRIGGER_PASSED_FALLING)


def watched(market: TwinMarket, by: str) -> Decimal:
    """The price a trigger watches."""
    return {"mark": market.mark, "index": market.index}.get(by, market.last)


def closes(new: NewOrder) -> bool:
    """In hedge mode the side says it: selling a long and buying back a short reduce."""
    return (new.position_side, new.side) in {("LONG", "SELL"), ("SHORT", "BUY")}


def reducible(account: Account, market: TwinMarket, side: str, position_side: str) -> Decimal:
    """Quantity of the position that an order of *side* would reduce."""
    size = account.position(market, position_side).size
    return abs(size) if size and (size > 0) != (side == "BUY") else ZERO


def check_reducing(account: Account, market: TwinMarket, new: NewOrder) -> None:
    """A reduce-only order needs a position against it; a hedged close must fit in its leg."""
    if not new.reduce_only and not closes(new):
        return
    there = reducible(account, market, new.side, new.position_side)
    if not there:
        raise Refused(Why.NO_POSITION)
    if closes(new) and new.quantity is not None and new.quantity > there:
        raise Refused(Why.REDUCE_ONLY, allowed=there)


def check_fits(order: Order, quantity: Decimal) -> None:
    """What is left of an open order that reduces may not be more than there is to reduce."""
    there = reducible(order.account, order.market, order.side, order.position_side)
    if quantity > there:
        raise Refused(Why.REDUCE_ONLY, allowed=there)


def check_ceilings(account: Account, market: TwinMarket, *, is_conditional: bool) -> None:
    """Number of open orders per symbol."""
    exchange = market.listing.exchange
    count = sum(
        1
        for order in account.open_orders.values()
        if order.market is market and (order.status is Status.UNTRIGGERED) == is_conditional
    )
    if is_conditional and count >= CONDITIONAL_MAX[exchange]:
        raise Refused(Why.TOO_MANY_CONDITIONAL)
    if not is_conditional and count >= OPEN_ORDERS_MAX[exchange]:
        raise Refused(Why.TOO_MANY_ORDERS)


def swept_cost(market: TwinMarket, quantity: Decimal) -> Decimal:
    """What a market order to buy will cost; beyond the visible book, at its last price."""
    best = market.desk.best(False)
    if best is not None and market.quantity(best[1]) >= quantity:
        return quantity * market.price(best[0])
    cost, left, price = ZERO, quantity, market.last
    for price_text, quantity_text in market.desk.levels(SWEEP_LEVELS)[1]:
        price = Decimal(price_text)
        take = min(left, Decimal(quantity_text))
        cost += take * price
        left -= take
        if not left:
            break
    return cost + left * price


def swept_quantity(market: TwinMarket, side: str, money: Decimal) -> Decimal:
    """Quantity that *money* buys or must be sold for it, at the book as it stands."""
    left, quantity = money, ZERO
    for price_text, quantity_text in market.desk.levels(SWEEP_LEVELS)[1 if side == "BUY" else 0]:
        price, there = Decimal(price_text), Decimal(quantity_text)
        take = min(there, left / price)
        quantity += take
        left -= take * price
        if left <= 0:
            break
    quantity = quantity // market.listing.lot * market.listing.lot
    if not quantity:
        raise Refused(Why.QUANTITY_TOO_SMALL, allowed=market.listing.quantity_min)
    return quantity


def market_bound(market: TwinMarket, side: str) -> Decimal | None:
    """The worst price a market order of contracts may trade at; spot has none."""
    listing = market.listing
    if not market.mark or listing.market == "spot":
        return None
    up = 1 + listing.band_fraction
    price = market.mark * up if side == "BUY" else market.mark / up
    return price // listing.tick * listing.tick


def check_money(account: Account, market: TwinMarket, new: NewOrder, quantity: Decimal) -> Decimal:
    """What a spot order must lock, or whether margin suffices. *Returns*: the amount to lock."""
    listing = market.listing
    price = new.price or market.best("SELL" if new.side == "BUY" else "BUY") or market.last
    if listing.market == "spot":
        coin = listing.quote if new.side == "BUY" else listing.base
        need = quantity
        if new.side == "BUY":
            need = quantity * price if new.price is not None else swept_cost(market, quantity)
        if need > account.free("spot", coin):
            raise Refused(Why.INSUFFICIENT, allowed=account.free("spot", coin))
        return need
    if new.reduce_only or closes(new):
        return ZERO
    opening = quantity - min(quantity, reducible(account, market, new.side, new.position_side))
    fee = opening * price * listing.taker_fee
    need = opening * price / account.leverage_of(market.symbol) + fee
    if opening and need > account.available():
        raise Refused(Why.INSUFFICIENT, allowed=account.available())
    return ZERO
