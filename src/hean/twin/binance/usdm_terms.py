# SPDX-License-Identifier: Apache-2.0
"""`usdm_terms.py`: what a client sends for a new USD-M order, made into what the exchange takes.
Only syntax is judged here (enums, decimals, what belongs to which type), in Binance's order; what
an order may do is the exchange's business.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from hean.twin.account import Account
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
from hean.twin.listing import Listing
from hean.twin.market import TwinMarket
from hean.twin.orders import ZERO, BookChange, NewOrder, Order, Refused, Status, Trigger, Why
from hean.twin.venue import TwinVenue

PLAIN_TYPES = frozenset({"LIMIT", "MARKET"})
LIMIT_TYPES = frozenset({"STOP", "TAKE_PROFIT"})
TRAILING = "TRAILING_STOP_MARKET"
CONDITIONAL_TYPES = LIMIT_TYPES | {"STOP_MARKET", "TAKE_PROFIT_MARKET", TRAILING}
PROFIT_TYPES = frozenset({"TAKE_PROFIT", "TAKE_PROFIT_MARKET"})
CLOSING_TYPES = frozenset({"STOP_MARKET", "TAKE_PROFIT_MARKET"})
POSITION_SIDES = frozenset({"BOTH", "LONG", "SHORT"})
LIVES = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", "GTX": "POST_ONLY", "GTD": "GTC"}
PRICE_MATCH_LEVELS = {"": 1, "_5": 5, "_10": 10, "_20": 20}
PRICE_MATCHES = frozenset(
    f"{word}{end}" for word in ("OPPONENT", "QUEUE") for end in PRICE_MATCH_LEVELS
) | {"NONE"}
WORKING_TYPES = {"CONTRACT_PRICE": "last", "MARK_PRICE": "mark"}
CLIENT_ID_CHARACTERS = frozenset(ID_ALPHABET + ".:/_-")
GOOD_TILL_AHEAD_MS = 600_000
GOOD_TILL_MAX_MS = 253_402_300_799_000
CALLBACK_MIN, CALLBACK_MAX = Decimal("0.1"), Decimal(10)  # percent

Lets = Callable[[], None]


def is_hedged(account: Account, venue: TwinVenue) -> bool:
    """Whether an account holds long and short apart; one setting for all symbols."""
    return any(account.hedged.get(market.symbol) for market in venue.markets_of("linear"))


def plain_order(call: Call) -> tuple[NewOrder, TwinMarket]:
    """A limit or market order of `/fapi/v1/order`."""
    market = call.market()
    side = call.enum("side", SIDES, (-1117, "Invalid side."))
    kind = call.enum("type", PLAIN_TYPES | CONDITIONAL_TYPES, (-1116, "Invalid orderType."))
    if kind in CONDITIONAL_TYPES:
        raise BinanceError(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints "
            "instead.",
        )
    if call.flag("closePosition"):
        raise _closing_not_for(kind)
    extra: dict[str, Any] = {"type": kind}
    life = _life(call, extra, is_market=kind == "MARKET")
    quantity = _quantity(call, market)
    price = _price(call, market, side, extra=extra, is_market=kind == "MARKET")
    new = NewOrder(
        symbol=market.symbol,
        side=side,
        quantity=quantity,
        price=price,
        life=life,
        client_id=_client_id(call, "newClientOrderId"),
        reduce_only=_reduce_only(call),
        position_side=_position_side(call),
        self_match=_self_match(call, extra),
        extra=extra,
    )
    if price is None:
        _check_counterpart(market, side)
    return new, market


def conditional_order(call: Call) -> tuple[NewOrder, TwinMarket]:
    """A conditional order of `/fapi/v1/algoOrder`."""
    call.enum("algoType", {"CONDITIONAL"}, (-4500, "Invalid algoType."))
    market = call.market()
    side = call.enum("side", SIDES, (-1117, "Invalid side."))
    kind = call.enum("type", CONDITIONAL_TYPES, (-1116, "Invalid orderType."))
    extra: dict[str, Any] = {"type": kind, "priceProtect": call.flag("priceProtect")}
    is_market = kind not in LIMIT_TYPES
    life = _life(call, extra, is_market=is_market, default="GTC")
    is_closing = _closing(call, kind, side)
    quantity = None if is_closing else _quantity(call, market)
    price = _price(call, market, side, extra=extra, is_market=is_market)
    new = NewOrder(
        symbol=market.symbol,
        side=side,
        quantity=quantity,
        price=price,
        life=life,
        client_id=_client_id(call, "clientAlgoId"),
        reduce_only=_reduce_only(call),
        close_all=is_closing,
        position_side=_position_side(call),
        trigger=_trigger(call, market, extra),
        self_match=_self_match(call, extra),
        extra=extra,
    )
    return new, market


def arm(venue: TwinVenue, order: Order) -> None:
    """Set the end of a GTD order."""
    until_ms = order.extra.get("goodTillDate", 0)
    if until_ms and order.is_open:
        venue.deadlines[order] = (until_ms * 1_000_000, partial(_expire, venue, order))


def _expire(venue: TwinVenue, order: Order) -> None:
    if order.is_open:
        order.market.desk.cancel(order.number)
        venue.finish(order, Status.EXPIRED, Why.COUNTDOWN)
        venue.emit(BookChange(order.market, venue.now()))


# --- parameters, one each


def _life(call: Call, extra: dict[str, Any], *, is_market: bool, default: str | None = None) -> str:
    if is_market:
        if call.has("timeInForce") and default is None:
            raise errors.not_required("timeInForce")
        extra["timeInForce"] = "GTC"
        return "GTC"
    word = call.enum("timeInForce", LIVES, (-1115, "Invalid timeInForce."), default=default)
    extra["timeInForce"] = word
    if word == "GTD":
        until_ms = call.integer("goodTillDate")
        if until_ms is None:
            raise errors.missing("goodTillDate")
        if not call.now_ms + GOOD_TILL_AHEAD_MS < until_ms < GOOD_TILL_MAX_MS:
            raise BinanceError(
                -5040,
                "The goodTillDate timestamp must be greater than the current time plus 600 seconds "
                f"and smaller than {GOOD_TILL_MAX_MS}.",
            )
        extra["goodTillDate"] = until_ms // 1_000 * 1_000  # the exchange keeps whole seconds
    return LIVES[word]


def _quantity(call: Call, market: TwinMarket) -> Decimal:
    quantity = _number(call, "quantity", market.listing.quantity_decimals)
    if quantity is None:
        raise errors.missing("quantity")
    if not quantity:
        raise BinanceError(-4003, "Quantity less than or equal to zero.")
    return quantity


def _number(call: Call, name: str, decimals: int) -> Decimal | None:
    """A number in a symbol's precision; one code for prices and quantities."""
    value = call.decimal(name, decimals=None)
    if value is not None and value != round(value, decimals):
        raise BinanceError(-1111, "Precision is over the maximum defined for this asset.")
    return value


def _price(
    call: Call, market: TwinMarket, side: str, *, extra: dict[str, Any], is_market: bool
) -> Decimal | None:
    """The limit price: given, or taken from the book by `priceMatch`."""
    refusal = (-5037, "Invalid priceMatch.")
    match = call.enum("priceMatch", PRICE_MATCHES, refusal, default="NONE")
    extra["priceMatch"] = match
    if is_market:
        if call.has("price") and call.params["price"].strip("0."):
            raise errors.not_required("price")
        if match != "NONE":
            raise BinanceError(-5038, "Price match only supports order type: LIMIT, STOP AND TAKE")
        return None
    if match != "NONE":
        if call.has("price"):
            raise errors.not_required("price")
        return _matched(market, side, match)
    price = _number(call, "price", market.listing.price_decimals)
    if price is None:
        raise errors.missing("price")
    return price


def _matched(market: TwinMarket, side: str, match: str) -> Decimal:
    word, _, depth = match.partition("_")
    wanted = int(depth or 1)
    bids, asks = market.desk.levels(wanted)
    is_own = word == "QUEUE"
    levels = bids if (side == "BUY") == is_own else asks
    if len(levels) < wanted:
        raise BinanceError(-1112, "No orders on book for symbol.")
    return Decimal(levels[wanted - 1][0])


def _client_id(call: Call, name: str) -> str:
    value = call.text(name)
    if value is None:
        return made_id(call.dialect.venue.rng)
    if len(value) > ID_LENGTH_MAX:
        raise BinanceError(-4015, "Client order id length should be less than 36 chars.")
    if not CLIENT_ID_CHARACTERS.issuperset(value):
        raise errors.illegal(name, "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
    return value


def _reduce_only(call: Call) -> bool:
    if not call.has("reduceOnly"):
        return False
    if is_hedged(call.account, call.dialect.venue):
        raise errors.not_required("reduceOnly")
    return call.flag("reduceOnly")


def _position_side(call: Call) -> str:
    return call.enum(
        "positionSide", POSITION_SIDES, (-4060, "Invalid position side."), default="BOTH"
    )


def _self_match(call: Call, extra: dict[str, Any]) -> str:
    refusal = (-5039, "Invalid selfTradePreventionMode.")
    word = call.enum("selfTradePreventionMode", SELF_MATCHES, refusal, default=SELF_MATCH_DEFAULT)
    extra["selfTradePreventionMode"] = word
    return SELF_MATCHES[word]


def _closing(call: Call, kind: str, side: str) -> bool:
    if not call.flag("closePosition"):
        return False
    position_side = call.params.get("positionSide", "BOTH")
    if kind not in CLOSING_TYPES or (position_side, side) in {("LONG", "BUY"), ("SHORT", "SELL")}:
        raise _closing_not_for(kind)
    if call.has("quantity"):
        raise BinanceError(-4137, "Quantity must be zero with closePosition equals true.")
    if call.flag("reduceOnly"):
        raise errors.not_required("reduceOnly")
    return True


def _closing_not_for(kind: str) -> BinanceError:
    return BinanceError(
        -4136, f"Target strategy invalid for orderType '{kind}',closePosition 'true'."
    )


def _trigger(call: Call, market: TwinMarket, extra: dict[str, Any]) -> Trigger:
    kind, is_buy = extra["type"], call.params["side"] == "BUY"
    refusal = (-4502, "Invalid workingType.")
    working = call.enum("workingType", WORKING_TYPES, refusal, default="CONTRACT_PRICE")
    extra["workingType"] = working
    by = WORKING_TYPES[working]
    if kind == TRAILING:
        return _trailing(call, market, extra, by=by)
    price = _number(call, "triggerPrice", market.listing.price_decimals)
    if price is None:
        raise errors.missing("triggerPrice")
    return Trigger(price, rising=is_buy != (kind in PROFIT_TYPES), by=by)


def _trailing(call: Call, market: TwinMarket, extra: dict[str, Any], *, by: str) -> Trigger:
    is_buy = call.params["side"] == "BUY"
    rate = call.required_decimal("callbackRate", decimals=None)
    if not CALLBACK_MIN <= rate <= CALLBACK_MAX:
        raise BinanceError(-2007, "Invalid callBack rate.")
    active = _number(call, "activatePrice", market.listing.price_decimals)
    now = market.mark if by == "mark" else market.last
    if active is not None and (active >= now if is_buy else active <= now):
        raise Refused(Why.TRIGGER_PASSED_RISING)
    extra["callbackRate"] = f"{rate:f}"
    extra["activatePrice"] = market.listing.price_text(active if active is not None else now)
    trailing = rate / 100
    return Trigger(ZERO, rising=is_buy, by=by, trailing=trailing, active=active, is_fraction=True)


def _check_counterpart(market: TwinMarket, side: str) -> None:
    """A market order needs somebody within the band to trade with."""
    listing: Listing = market.listing
    best = market.best("SELL" if side == "BUY" else "BUY")
    high, low = market.mark * (1 + listing.band_fraction), market.mark * listing.band_low
    is_far = best is not None and (best > high if side == "BUY" else best < low)
    if best is None or is_far:
        raise BinanceError(
            -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
        )
