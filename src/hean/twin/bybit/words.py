# SPDX-License-Identifier: Apache-2.0
"""`words.py`: Bybit's vocabulary beside the exchange's: sides, states, lives, reasons, and numbers
as the venue prints them. Tables only; a word that is not in a table is the caller's to refuse.
"""

from __future__ import annotations

from decimal import Decimal

from hean.twin.orders import ZERO, Execution, Order, Status, Why

MS_NS = 1_000_000
DIGITS_MAX = 19  # characters of a number; longer ones would not divide exactly by a step

SIDES = {"Buy": "BUY", "Sell": "SELL"}
SIDE_NAMES = {"BUY": "Buy", "SELL": "Sell"}
LIVES = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", "PostOnly": "POST_ONLY", "RPI": "POST_ONLY"}
LIFE_NAMES = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", "POST_ONLY": "PostOnly"}
SELF_MATCHES = {
    "None": "allow",
    "CancelMaker": "cancel_maker",
    "CancelTaker": "cancel_taker",
    "CancelBoth": "cancel_both",
}
WATCHED = {"LastPrice": "last", "IndexPrice": "index", "MarkPrice": "mark"}
WATCHED_NAMES = {"last": "LastPrice", "index": "IndexPrice", "mark": "MarkPrice"}
POSITION_SIDES = {0: "BOTH", 1: "LONG", 2: "SHORT"}
POSITION_INDEXES = {"BOTH": 0, "LONG": 1, "SHORT": 2}
LISTING_STATUS = {"trading": "Trading", "prelaunch": "PreLaunch", "delivering": "Delivering"}

CANCEL_TYPES = {
    Why.REQUESTED: "CancelByUser",
    Why.REDUCE_ONLY: "CancelByReduceOnly",
    Why.LIQUIDATION: "CancelAllBeforeLiq",
    Why.DISCONNECT: "CancelByDCP",
    Why.COUNTDOWN: "CancelByDCP",
    Why.POSITION_CLOSED: "CancelByTpSlTsClear",
    Why.SELF_MATCH: "CancelBySmp",
}
REJECT_REASONS = {
    Why.REQUESTED: "EC_PerCancelRequest",
    Why.NO_LIQUIDITY: "EC_NoImmediateQtyToFill",
    Why.NOT_FILLABLE: "EC_CancelForNoFullFill",
    Why.WOULD_TAKE: "EC_PostOnlyWillTakeLiquidity",
    Why.INSUFFICIENT: "EC_Others",
}
CREATE_TYPES = {"liquidation": "CreateByLiq", "adl": "CreateByAdl_PassThrough"}
EXECUTION_TYPES = {
    "trade": "Trade",
    "funding": "Funding",
    "liquidation": "BustTrade",
    "adl": "AdlTrade",
}


def number(value: Decimal | None, default: str = "") -> str:
    """Plain decimal text without trailing zeros; *default* for what is absent."""
    if value is None:
        return default
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def amount(value: Decimal) -> str:
    """Money with eight decimals at most."""
    return number(value.quantize(Decimal("1e-8"))) if value else "0"


def fee(value: Decimal, coin: str, quote: str) -> str:
    """A fee as an execution tells it: of the coin that was bought in every digit."""
    return amount(value) if coin == quote else number(value)


def decimal(text: object) -> Decimal | None:
    """A number a client sent as text, never negative; `None` for anything else."""
    if not isinstance(text, str) or not text.isascii() or len(text) > DIGITS_MAX:
        return None
    return Decimal(text) if text.replace(".", "", 1).isdigit() else None


def ms(ns: int) -> str:
    """ns UTC as text of ms."""
    return str(ns // MS_NS)


def order_status(order: Order) -> str:
    """The state of an order in Bybit's words."""
    match order.status:
        case Status.UNTRIGGERED:
            return "Untriggered"
        case Status.NEW:
            return "New"
        case Status.PARTIALLY_FILLED:
            return "PartiallyFilled"
        case Status.FILLED:
            return "Filled"
        case Status.REJECTED:
            return "Rejected"
    if order.market.listing.market == "linear":
        return "Cancelled"
    if order.filled:
        return "PartiallyFilledCanceled"
    return "Deactivated" if order.trigger is not None and not order.was_triggered else "Cancelled"


def order_type(order: Order) -> str:
    """`Market` or `Limit`, as it was asked for."""
    return str(order.extra.get("orderType") or ("Market" if order.is_market else "Limit"))


def stop_order_type(order: Order) -> str:
    """What kind of conditional order this is, if it is one."""
    if order.trigger is None:
        return ""
    return str(order.extra.get("stopOrderType") or "Stop")


def create_type(order: Order) -> str:
    """Who made the order."""
    forced = CREATE_TYPES.get(order.extra.get("forced", ""))
    return str(forced or order.extra.get("createType", "CreateByUser"))


def execution_id(execution: Execution) -> str:
    """Id of a fill: a UUID for contracts, a long number for spot."""
    if execution.market.listing.market == "spot":
        return str(2_100_000_000_000_000_000 + execution.number)
    return f"00000000-0000-5000-8000-{execution.number:012x}"


def trade_id(market: str, trade_number: int) -> str:
    """Id of a public trade."""
    if market == "spot":
        return str(2_100_000_000_000_000_000 + trade_number)
    return f"00000000-0000-5000-9000-{trade_number:012x}"


def fee_of(order: Order) -> Decimal:
    """Fees paid so far, all coins."""
    return sum(order.fees.values(), ZERO)
