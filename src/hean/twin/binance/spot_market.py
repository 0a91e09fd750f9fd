# SPDX-License-Identifier: Apache-2.0
"""`spot_market.py`: public spot data by request: rules, book, trades, candles, tickers. It reads
the market as it stands; the book's `lastUpdateId` is the counter that the diff stream uses too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from hean.twin.binance import errors
from hean.twin.binance.call import Call, Route
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.spot_request import (
    ICEBERG_PARTS_MAX,
    TYPES,
)
from hean.twin.binance.spot_tape import (
    INTERVALS,
    average_price,
    candles_of,
    day_of,
    window_of,
)
from hean.twin.binance.words import SELF_MATCH_DEFAULT, SELF_MATCHES, aggregate, ms
from hean.twin.candles import DAY_MS
from hean.twin.listing import CONDITIONAL_MAX, OPEN_ORDERS_MAX, Listing
from hean.twin.market import TwinMarket
from hean.twin.orders import TradePrint

DEPTH_MAX = 5_000
ROWS_MAX = 1_000
NOTIONAL_MAX = "9000000.00000000"
WINDOWS = {"m": (60_000, 59), "h": (3_600_000, 23), "d": (DAY_MS, 7)}
STATUSES = {"trading": "TRADING", "halted": "HALT", "break": "BREAK"}


# --- the exchange


def ping(call: Call) -> dict[str, Any]:
    """GET ping."""
    return {}


def time(call: Call) -> dict[str, Any]:
    """GET time."""
    return {"serverTime": call.now_ms}


def exchange_info(call: Call) -> dict[str, Any]:
    """GET exchangeInfo."""
    if call.has("symbol") and call.has("symbols"):
        raise BinanceError(
            -1128,
            "Combination of optional parameters invalid. Recommendation: 'symbol' or 'symbols'",
        )
    chosen = chosen_markets(call)
    markets = call.dialect.venue.markets_of("spot") if chosen is None else chosen
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "rateLimits": call.dialect.limits.listed("spot"),
        "exchangeFilters": [],
        "symbols": [symbol_info(market.listing) for market in markets],
    }


def symbol_info(listing: Listing) -> dict[str, Any]:
    """The rules of one symbol."""
    return {
        "symbol": listing.symbol,
        "status": STATUSES.get(listing.status, "BREAK"),
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(TYPES),
        "icebergAllowed": True,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters(listing),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": SELF_MATCH_DEFAULT,
        "allowedSelfTradePreventionModes": list(SELF_MATCHES),
    }


def filters(listing: Listing) -> list[dict[str, Any]]:
    """The filters of one symbol."""
    tick, step = f"{listing.tick:.8f}", f"{listing.lot:.8f}"
    up, down = f"{1 + listing.band_fraction:f}", f"{1 / (1 + listing.band_fraction):f}"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": f"{listing.price_max:.8f}",
            "tickSize": tick,
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": f"{listing.quantity_min:.8f}",
            "maxQty": f"{listing.quantity_max:.8f}",
            "stepSize": step,
        },
        {"filterType": "ICEBERG_PARTS", "limit": ICEBERG_PARTS_MAX},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": f"{listing.market_quantity_max:.8f}",
            "stepSize": "0.00000000",
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2_000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2_000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up,
            "bidMultiplierDown": down,
            "askMultiplierUp": up,
            "askMultiplierDown": down,
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": f"{listing.notional_min:.8f}",
            "applyMinToMarket": True,
            "maxNotional": NOTIONAL_MAX,
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": OPEN_ORDERS_MAX["binance"]},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": CONDITIONAL_MAX["binance"]},
    ]


def chosen_markets(call: Call) -> list[TwinMarket] | None:
    """The markets of `symbol` or `symbols`, `None` for all."""
    if call.has("symbol"):
        return [call.market()]
    names = call.text("symbols")
    if names is None:
        return None
    try:
        listed = msgspec.json.decode(names, type=list[str])
    except msgspec.ValidationError:
        raise errors.invalid("symbols") from None
    except msgspec.DecodeError:
        raise errors.illegal(
            "symbols", '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$'
        ) from None
    if len(set(listed)) != len(listed):
        raise BinanceError(-1151, "Symbol is present multiple times in the list.")
    return [call.listed(name, "symbols") for name in listed]


def one_or_many(call: Call, shape: Any) -> Any:
    """An object for `symbol`, a list otherwise."""
    chosen = chosen_markets(call)
    if call.has("symbol"):
        assert chosen is not None
        return shape(chosen[0])
    markets = call.dialect.venue.markets_of("spot") if chosen is None else chosen
    return [shape(market) for market in markets]


# --- book and trades


def depth(call: Call) -> dict[str, Any]:
    """GET depth."""
    market, limit = call.market(), call.limit(100, DEPTH_MAX)
    bids, asks = market.snapshot(limit)
    return {"lastUpdateId": market.update_id, "bids": bids, "asks": asks}


def _depth_weight(call: Call) -> int:
    limit = call.limit(100, DEPTH_MAX)
    return next(
        weight for most, weight in ((100, 5), (500, 25), (1_000, 50), (5_000, 250)) if limit <= most
    )


def trade_row(print_: TradePrint) -> dict[str, Any]:
    """A public trade."""
    return {
        "id": print_.number,
        "price": print_.price,
        "qty": print_.quantity,
        "quoteQty": f"{Decimal(print_.price) * Decimal(print_.quantity):.8f}",
        "time": ms(print_.ts_ns),
        "isBuyerMaker": not print_.is_buy,
        "isBestMatch": True,
    }


def trades(call: Call) -> list[dict[str, Any]]:
    """GET trades: the newest."""
    found = list(call.market().trades)[-call.limit(500, ROWS_MAX) :]
    return [trade_row(print_) for print_ in found]


def historical_trades(call: Call) -> list[dict[str, Any]]:
    """GET historicalTrades: the newest, or from an id on."""
    first, limit = call.integer("fromId"), call.limit(500, ROWS_MAX)
    found = list(call.market().trades)
    if first is None:
        return [trade_row(print_) for print_ in found[-limit:]]
    return [trade_row(print_) for print_ in found if print_.number >= first][:limit]


def aggregate_trades(call: Call) -> list[dict[str, Any]]:
    """GET aggTrades."""
    found, limit = list(call.market().trades), call.limit(500, ROWS_MAX)
    first, start, end = call.integer("fromId"), call.integer("startTime"), call.integer("endTime")
    if first is not None and (start is not None or end is not None):
        raise BinanceError(-1128, "Combination of optional parameters invalid.")
    if first is not None:
        found = [print_ for print_ in found if print_.number >= first][:limit]
    if end is not None:
        found = [print_ for print_ in found if ms(print_.ts_ns) <= end]
    if start is not None:
        found = [print_ for print_ in found if ms(print_.ts_ns) >= start][:limit]
    return [{**aggregate(print_), "M": True} for print_ in found[-limit:]]


# --- candles and prices


def klines(call: Call) -> list[list[Any]]:
    """GET klines and uiKlines."""
    market = call.market()
    interval = call.enum("interval", INTERVALS, (-1120, "Invalid interval."))
    start, end = call.integer("startTime"), call.integer("endTime")
    limit = call.limit(500, ROWS_MAX)
    return candles_of(market, interval, start, end, limit=limit, now_ms=call.now_ms)


def average(call: Call) -> dict[str, Any]:
    """GET avgPrice."""
    market = call.market()
    return {"mins": 5, "price": average_price(market), "closeTime": call.now_ms}


def ticker_day(call: Call) -> Any:
    """GET ticker/24hr."""
    kind = call.enum("type", ("FULL", "MINI"), (-1139, "Invalid ticker type."), default="FULL")
    now_ms = call.now_ms
    return one_or_many(call, lambda market: day_of(market, now_ms, is_mini=kind == "MINI"))


def ticker_window(call: Call) -> Any:
    """GET ticker: a window of the client's choice."""
    if not call.has("symbol") and not call.has("symbols"):
        raise errors.missing_both("symbol", "symbols")
    kind = call.enum("type", ("FULL", "MINI"), (-1139, "Invalid ticker type."), default="FULL")
    size = call.params.get("windowSize") or "1d"
    unit_ms, most = WINDOWS.get(size[-1:], (0, 0))
    count = int(size[:-1]) if size[:-1].isdecimal() and len(size) <= 3 else 0
    if not 1 <= count <= most:
        raise errors.invalid("windowSize")
    start = call.now_ms - count * unit_ms
    return one_or_many(
        call, lambda each: window_of(each, start, call.now_ms, is_mini=kind == "MINI")
    )


def ticker_trading_day(call: Call) -> Any:
    """GET ticker/tradingDay: since midnight UTC."""
    if not call.has("symbol") and not call.has("symbols"):
        raise errors.missing_both("symbol", "symbols")
    kind = call.enum("type", ("FULL", "MINI"), (-1139, "Invalid ticker type."), default="FULL")
    start = call.now_ms // DAY_MS * DAY_MS
    end = start + DAY_MS - 1
    return one_or_many(call, lambda each: window_of(each, start, end, is_mini=kind == "MINI"))


def ticker_price(call: Call) -> Any:
    """GET ticker/price."""
    return one_or_many(
        call,
        lambda each: {"symbol": each.symbol, "price": each.listing.price_text(each.last)},
    )


def ticker_book(call: Call) -> Any:
    """GET ticker/bookTicker."""
    return one_or_many(call, _touch)


def _touch(market: TwinMarket) -> dict[str, Any]:
    names = ("bidPrice", "bidQty", "askPrice", "askQty")
    return {"symbol": market.symbol, **dict(zip(names, market.touch(), strict=True))}


def _two_or(many: int) -> Any:
    return lambda call: 2 if call.has("symbol") else many


_CHOICE = frozenset({"symbol", "symbols", "symbolStatus"})
_CANDLES = frozenset({"symbol", "interval", "startTime", "endTime", "timeZone", "limit"})
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/api/v3/ping"): Route(ping, names=frozenset()),
    ("GET", "/api/v3/time"): Route(time, names=frozenset()),
    ("GET", "/api/v3/exchangeInfo"): Route(
        exchange_info,
        weight=20,
        names=_CHOICE | {"permissions", "showPermissionSets"},
    ),
    ("GET", "/api/v3/depth"): Route(
        depth, weight=_depth_weight, names=frozenset({"symbol", "limit", "symbolStatus"})
    ),
    ("GET", "/api/v3/trades"): Route(trades, weight=25, names=frozenset({"symbol", "limit"})),
    ("GET", "/api/v3/historicalTrades"): Route(
        historical_trades, weight=25, names=frozenset({"symbol", "limit", "fromId"})
    ),
    ("GET", "/api/v3/aggTrades"): Route(
        aggregate_trades,
        weight=4,
        names=frozenset({"symbol", "limit", "fromId", "startTime", "endTime"}),
    ),
    ("GET", "/api/v3/klines"): Route(klines, weight=2, names=_CANDLES),
    ("GET", "/api/v3/uiKlines"): Route(klines, weight=2, names=_CANDLES),
    ("GET", "/api/v3/avgPrice"): Route(average, weight=2, names=frozenset({"symbol"})),
    ("GET", "/api/v3/ticker/24hr"): Route(ticker_day, weight=_two_or(80), names=_CHOICE | {"type"}),
    ("GET", "/api/v3/ticker"): Route(
        ticker_window, weight=4, names=_CHOICE | {"type", "windowSize"}
    ),
    ("GET", "/api/v3/ticker/tradingDay"): Route(
        ticker_trading_day, weight=4, names=_CHOICE | {"type", "timeZone"}
    ),
    ("GET", "/api/v3/ticker/price"): Route(ticker_price, weight=_two_or(4), names=_CHOICE),
    ("GET", "/api/v3/ticker/bookTicker"): Route(ticker_book, weight=_two_or(4), names=_CHOICE),
}
