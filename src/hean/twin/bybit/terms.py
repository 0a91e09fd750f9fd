# SPDX-License-Identifier: Apache-2.0
"""`terms.py`: the fields of an order request, read and checked for form, become what the exchange
takes. Whether the order may stand is the exchange's to say; here only words and numbers are judged.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.twin.bybit import words
from hean.twin.bybit.call import Call
from hean.twin.bybit.errors import Denied, invalid, missing, wrong
from hean.twin.market import TwinMarket
from hean.twin.orders import NewOrder, Refused, Trigger, Why

LINK_ID_MAX = 36
LINK_ID_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
QUOTE_DECIMALS = 8
TOLERANCES = {  # smallest and largest
    "TickSize": (Decimal(1), Decimal(10_000)),
    "Percent": (Decimal("0.01"), Decimal(10)),
}
FILTERS = {"", "Order", "tpslOrder", "StopOrder"}
TPSL_MODES = {"", "Full", "Partial"}
EXIT_NAMES = ("takeProfit", "stopLoss")
ECHOED = (
    "marketUnit",
    "slippageToleranceType",
    "slippageTolerance",
    "tpslMode",
    "tpLimitPrice",
    "slLimitPrice",
    "tpOrderType",
    "slOrderType",
)


def new_order(call: Call) -> tuple[str, NewOrder]:
    """A request for an order: its product and what the exchange is asked. *Raises*: `Denied`,
    `Refused`.
    """
    category = call.need_category()
    market = call.venue.market(category, call.need("symbol"))
    side = _choice(call, "side", words.SIDES)
    kind = call.need("orderType")
    if kind not in {"Market", "Limit"}:
        raise invalid(category, "orderType")
    is_market = kind == "Market"
    life_word = "IOC" if is_market else call.text("timeInForce", "GTC") or "GTC"
    life = words.LIVES.get(life_word)
    if life is None:
        raise invalid(category, "timeInForce")
    closes = call.flag("closeOnTrigger")
    reduces = (call.flag("reduceOnly") or closes) and category == "linear"
    quantity = number(call, "qty")
    if quantity is None:
        raise missing(category, "qty")
    extra: dict[str, Any] = {
        "orderType": kind,
        "timeInForce": life_word,
        "lastPriceOnCreated": market.listing.price_text(market.last),
    }
    extra.update((name, call.text(name)) for name in ECHOED if call.params.get(name))
    if closes:
        extra["closeOnTrigger"] = True
    price = _price(call, market, side, is_market=is_market)
    new = NewOrder(
        symbol=market.symbol,
        side=side,
        quantity=quantity,
        price=price,
        life=life,
        client_id=link_id(call),
        reduce_only=reduces,
        position_side=position_side(call),
        trigger=_trigger(call, market, extra),
        self_match=_self_match(call, extra),
        extra=extra,
    )
    _size(call, market, new, is_market=is_market)
    attach_exits(call, market, new)
    return category, new


def number(call: Call, name: str) -> Decimal | None:
    """An optional decimal text; empty is absent."""
    value = call.params.get(name)
    if value is None or value == "":
        return None
    found = words.decimal(value)
    if found is None:
        raise invalid(call.category, name)
    return found


def link_id(call: Call) -> str:
    """The client's own id, if it gave one."""
    text = call.text("orderLinkId")
    if len(text) > LINK_ID_MAX or not LINK_ID_CHARS.issuperset(text):
        raise invalid(call.category, "orderLinkId")
    return text


def position_side(call: Call) -> str:
    """Which leg `positionIdx` means."""
    if call.category != "linear":
        return "BOTH"
    side = words.POSITION_SIDES.get(call.whole("positionIdx", 0) or 0)
    if side is None:
        raise wrong("position idx not match position mode")
    return side


def watched(call: Call, name: str) -> str:
    """Which price a trigger watches."""
    return words.WATCHED[_one_of(call, name, words.WATCHED, "LastPrice")]


def _choice(call: Call, name: str, table: dict[str, str]) -> str:
    found = table.get(call.need(name))
    if found is None:
        raise invalid(call.category, name)
    return found


def _one_of(call: Call, name: str, allowed: Any, default: str = "") -> str:
    value = call.text(name, default) or default
    if value not in allowed:
        raise invalid(call.category, name)
    return value


def _self_match(call: Call, extra: dict[str, Any]) -> str:
    word = _one_of(call, "smpType", words.SELF_MATCHES, "None")
    extra["smpType"] = word
    return words.SELF_MATCHES[word]


def _price(call: Call, market: TwinMarket, side: str, *, is_market: bool) -> Decimal | None:
    if is_market:
        return _slippage_bound(call, market, side)
    price = number(call, "price")
    if price is None:
        raise missing(call.category, "price")
    return price


def _slippage_bound(call: Call, market: TwinMarket, side: str) -> Decimal | None:
    """The worst price of a market order with a slippage tolerance, from the opposite touch."""
    kind = _one_of(call, "slippageToleranceType", {"", "UNKNOWN", *TOLERANCES})
    tolerance = number(call, "slippageTolerance")
    if kind not in TOLERANCES or tolerance is None:
        return None
    if not TOLERANCES[kind][0] <= tolerance <= TOLERANCES[kind][1]:
        raise invalid(call.category, "slippageTolerance")
    touch = market.best("SELL" if side == "BUY" else "BUY")
    if touch is None:
        return None
    tick = market.listing.tick
    away = tolerance * tick if kind == "TickSize" else touch * tolerance / 100
    if away >= touch * market.listing.band_fraction:
        return None  # the exchange's own bound is nearer
    bound = touch + away if side == "BUY" else touch - away
    return bound // tick * tick


def _trigger(call: Call, market: TwinMarket, extra: dict[str, Any]) -> Trigger | None:
    """What makes this a conditional order, if anything does."""
    kind = _one_of(call, "orderFilter", FILTERS)
    price = number(call, "triggerPrice")
    if price is None:
        return None
    by = watched(call, "triggerBy")
    if call.category == "spot":
        extra["stopOrderType"] = "tpslOrder" if kind == "tpslOrder" else "Stop"
        return Trigger(price, price > market.last, by)
    direction = call.whole("triggerDirection")
    if direction not in {1, 2}:
        raise invalid(call.category, "triggerDirection")
    extra["stopOrderType"] = "Stop"
    return Trigger(price, direction == 1, by)


def _size(call: Call, market: TwinMarket, new: NewOrder, *, is_market: bool) -> None:
    """Whether `qty` counts coins or money, or means everything."""
    category = call.category
    if category == "spot" and is_market:
        unit = _one_of(call, "marketUnit", {"", "baseCoin", "quoteCoin"})
        if unit == "quoteCoin" or (not unit and new.side == "BUY"):
            if new.quantity is not None and new.quantity % Decimal(10) ** -QUOTE_DECIMALS:
                raise Refused(Why.QUANTITY_OFF_STEP, allowed=market.listing.lot)
            new.quote_quantity, new.quantity = new.quantity, None
            new.extra["marketUnit"] = "quoteCoin"
        else:
            new.extra["marketUnit"] = "baseCoin"
    if new.quantity == 0 and call.flag("reduceOnly") and call.flag("closeOnTrigger"):
        new.close_all = True


def attach_exits(call: Call, market: TwinMarket, new: NewOrder) -> None:
    """Take profit and stop loss that come with an order; put down in its `extra`."""
    listing, extra = market.listing, new.extra
    _one_of(call, "tpslMode", TPSL_MODES)
    base = new.price or market.last
    for name in EXIT_NAMES:
        price = number(call, name)
        if not price:
            continue
        if new.reduce_only:
            raise wrong("takeProfit and stopLoss cannot be set for a reduce-only order")
        short = name[0] + ("p" if name == "takeProfit" else "l")
        check_exit(market, name, price, is_long=new.side == "BUY", base=base)
        extra[name] = listing.price_text(price)
        extra[f"{short}TriggerBy"] = words.WATCHED_NAMES[watched(call, f"{short}TriggerBy")]
        extra.setdefault("tpslMode", "Full")
        kind = _one_of(call, f"{short}OrderType", {"Market", "Limit"}, "Market")
        if kind == "Limit" and number(call, f"{short}LimitPrice") is None:
            raise missing(call.category, f"{short}LimitPrice")


def check_exit(
    market: TwinMarket, name: str, price: Decimal, *, is_long: bool, base: Decimal
) -> None:
    """A take profit lies beyond the base price and a stop loss before it. *Raises*: `Denied`."""
    if price % market.listing.tick:
        raise Refused(Why.PRICE_OFF_TICK, allowed=market.listing.tick)
    is_higher = (name == "takeProfit") == is_long
    if (price > base) if is_higher else (price < base):
        return
    title = "TakeProfit" if name == "takeProfit" else "StopLoss"
    side, word = ("Buy" if is_long else "Sell"), ("higher" if is_higher else "lower")
    raise Denied(
        10001,
        f"{title}:{words.number(price)} set for {side} position should be {word} than "
        f"base_price:{words.number(base)}??LastPrice",
    )
