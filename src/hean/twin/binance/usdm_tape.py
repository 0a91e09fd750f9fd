# SPDX-License-Identifier: Apache-2.0
"""`usdm_tape.py`: markets of the twin as Binance's USD-M futures print them, in REST answers and
market streams. Each function builds one documented object, key for key. Candles are kept as floats
and put back on the price grid here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.twin.binance.words import aggregate, ms
from hean.twin.candles import DAY_MS, MINUTE_MS, Candle, following
from hean.twin.listing import LIQUIDATION_FEE, OPEN_ORDERS_MAX, Listing
from hean.twin.market import Settlement, TwinMarket
from hean.twin.orders import ForcedPrint, TradePrint

Levels = list[tuple[str, str]]

ORDER_TYPES = (
    "LIMIT",
    "MARKET",
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
)
LIVES = ("GTC", "IOC", "FOK", "GTX", "GTD")
AMENDS_MAX = 10_000
FAR_DELIVERY_MS = 4_133_404_800_000  # how a perpetual's delivery date is printed
ONBOARD_MS = 1_569_398_400_000
MARK_DIGITS = 8
INTEREST_RATE = "0.00010000"


def symbol_object(listing: Listing, *, conditional_max: int) -> dict[str, Any]:
    """A symbol of `exchangeInfo`."""
    return {
        "symbol": listing.symbol,
        "pair": listing.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": FAR_DELIVERY_MS,
        "onboardDate": ONBOARD_MS,
        "status": "TRADING" if listing.status == "trading" else "SETTLING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.quote,
        "pricePrecision": listing.price_decimals,
        "quantityPrecision": listing.quantity_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": f"{LIQUIDATION_FEE:.6f}",
        "marketTakeBound": f"{listing.band_fraction:.2f}",
        "maxMoveOrderLimit": AMENDS_MAX,
        "filters": _filters(listing, conditional_max),
        "orderTypes": list(ORDER_TYPES),
        "timeInForce": list(LIVES),
        "permissionSets": ["GRID", "COPY"],
    }


def _filters(listing: Listing, conditional_max: int) -> list[dict[str, Any]]:
    lot = f"{listing.lot:f}"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": listing.price_text(listing.tick),
            "maxPrice": listing.price_text(listing.price_max),
            "tickSize": listing.price_text(listing.tick),
        },
        _sizes("LOT_SIZE", listing, listing.quantity_max, lot),
        _sizes("MARKET_LOT_SIZE", listing, listing.market_quantity_max, lot),
        {"filterType": "MAX_NUM_ORDERS", "limit": OPEN_ORDERS_MAX["binance"]},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": conditional_max},
        {"filterType": "MIN_NOTIONAL", "notional": f"{listing.notional_min:f}"},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": f"{1 + listing.band_fraction:.4f}",
            "multiplierDown": f"{listing.band_low:.4f}",
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]


def _sizes(name: str, listing: Listing, largest: Decimal, step: str) -> dict[str, Any]:
    return {
        "filterType": name,
        "minQty": f"{listing.quantity_min:f}",
        "maxQty": f"{largest.normalize():f}",
        "stepSize": step,
    }


def asset_object(coin: str) -> dict[str, Any]:
    """A margin coin of `exchangeInfo`."""
    return {"asset": coin, "marginAvailable": True, "autoAssetExchange": "-10000"}


def kline_row(listing: Listing, candle: Candle, interval_ms: int) -> list[Any]:
    """A candle as a row of twelve columns."""
    return [
        candle.start_ms,
        *(grid_text(listing, p) for p in (candle.open, candle.high, candle.low, candle.close)),
        f"{candle.volume:.{listing.quantity_decimals}f}",
        following(candle.start_ms, interval_ms) - 1,
        f"{candle.turnover:.{_money_digits(listing)}f}",
        candle.trades,
        f"{candle.buy_volume:.{listing.quantity_decimals}f}",
        f"{candle.buy_turnover:.{_money_digits(listing)}f}",
        "0",
    ]


def price_kline_row(listing: Listing, candle: Candle, interval_ms: int) -> list[Any]:
    """A candle of mark or index prices: nothing is traded in it."""
    prices = (f"{p:.{MARK_DIGITS}f}" for p in (candle.open, candle.high, candle.low, candle.close))
    closing = following(candle.start_ms, interval_ms) - 1
    return [candle.start_ms, *prices, "0", closing, "0", 60, "0", "0", "0"]


def grid_text(listing: Listing, price: float) -> str:
    """A float as the nearest price on the grid."""
    return f"{round(price / float(listing.tick)) * float(listing.tick):.{listing.price_decimals}f}"


def _money_digits(listing: Listing) -> int:
    return listing.price_decimals + listing.quantity_decimals


def premium(market: TwinMarket, now_ns: int) -> dict[str, Any]:
    """`premiumIndex`."""
    index = f"{market.index:.{MARK_DIGITS}f}"
    return {
        "symbol": market.symbol,
        "markPrice": f"{market.mark:.{MARK_DIGITS}f}",
        "indexPrice": index,
        "estimatedSettlePrice": index,
        "lastFundingRate": f"{market.funding_rate:.8f}",
        "interestRate": INTEREST_RATE,
        "nextFundingTime": ms(market.next_funding_ns),
        "time": ms(now_ns),
    }


def settlement(market: TwinMarket, row: Settlement) -> dict[str, Any]:
    """A row of `fundingRate`."""
    return {
        "symbol": market.symbol,
        "fundingTime": ms(row.ts_ns),
        "fundingRate": f"{row.rate:.8f}",
        "markPrice": f"{row.mark:.{MARK_DIGITS}f}",
    }


def public_trade(print_: TradePrint) -> dict[str, Any]:
    """A row of `trades`."""
    value = Decimal(print_.price) * Decimal(print_.quantity)
    return {
        "id": print_.number,
        "price": print_.price,
        "qty": print_.quantity,
        "quoteQty": f"{value:.2f}",
        "time": ms(print_.ts_ns),
        "isBuyerMaker": not print_.is_buy,
    }


def ticker(market: TwinMarket, now_ns: int) -> dict[str, Any]:
    """`ticker/24hr`: no bid and no ask here."""
    day = _day(market, now_ns)
    return {
        "symbol": market.symbol,
        "priceChange": day["p"],
        "priceChangePercent": day["P"],
        "weightedAvgPrice": day["w"],
        "lastPrice": day["c"],
        "lastQty": day["Q"],
        "openPrice": day["o"],
        "highPrice": day["h"],
        "lowPrice": day["l"],
        "volume": day["v"],
        "quoteVolume": day["q"],
        "openTime": day["O"],
        "closeTime": day["C"],
        "firstId": day["F"],
        "lastId": day["L"],
        "count": day["n"],
    }


def _day(market: TwinMarket, now_ns: int) -> dict[str, Any]:
    """The last 24 hours in the letters of the ticker stream."""
    listing = market.listing
    opened, high, low, volume, turnover, count = market.day()
    last = float(market.last)
    change = last - opened
    newest = market.trades[-1] if market.trades else None
    last_id = newest.number if newest is not None else 0
    closing = ms(now_ns)
    return {
        "p": grid_text(listing, change),
        "P": f"{100 * change / opened if opened else 0.0:.3f}",
        "w": f"{turnover / volume if volume else last:.{listing.price_decimals}f}",
        "c": listing.price_text(market.last),
        "Q": newest.quantity if newest is not None else listing.quantity_text(Decimal(0)),
        "o": grid_text(listing, opened),
        "h": grid_text(listing, high),
        "l": grid_text(listing, low),
        "v": f"{volume:.{listing.quantity_decimals}f}",
        "q": f"{turnover:.2f}",
        "O": (closing - DAY_MS) // MINUTE_MS * MINUTE_MS,
        "C": closing,
        "F": max(0, last_id - count + 1),
        "L": last_id,
        "n": count,
    }


# --- streams


def ticker_frame(market: TwinMarket, now_ns: int) -> dict[str, Any]:
    """`24hrTicker`."""
    head = {"e": "24hrTicker", "E": ms(now_ns), "s": market.symbol}
    return {**head, **_day(market, now_ns)}


def mini_frame(market: TwinMarket, now_ns: int) -> dict[str, Any]:
    """`24hrMiniTicker`."""
    day = _day(market, now_ns)
    head = {"e": "24hrMiniTicker", "E": ms(now_ns), "s": market.symbol}
    return {**head, **{name: day[name] for name in "cohlvq"}}


def book_frame(market: TwinMarket, now_ns: int) -> dict[str, Any]:
    """`bookTicker`."""
    bid, bid_qty, ask, ask_qty = market.touch()
    return {
        "e": "bookTicker",
        "u": market.update_id,
        "s": market.symbol,
        "b": bid,
        "B": bid_qty,
        "a": ask,
        "A": ask_qty,
        "T": ms(now_ns),
        "E": ms(now_ns),
    }


def depth_frame(
    market: TwinMarket, ids: tuple[int, int, int], levels: tuple[Levels, Levels], now_ns: int
) -> dict[str, Any]:
    """`depthUpdate`. *ids*: first id, last id, last id of the frame before."""
    return {
        "e": "depthUpdate",
        "E": ms(now_ns),
        "T": ms(now_ns),
        "s": market.symbol,
        "U": ids[0],
        "u": ids[1],
        "pu": ids[2],
        "b": levels[0],
        "a": levels[1],
    }


def trade_frame(print_: TradePrint) -> dict[str, Any]:
    """`trade`; undocumented, as recorded."""
    return {
        "e": "trade",
        "E": ms(print_.ts_ns),
        "T": ms(print_.ts_ns),
        "s": print_.market.symbol,
        "t": print_.number,
        "p": print_.price,
        "q": print_.quantity,
        "X": "MARKET",
        "m": not print_.is_buy,
    }


def aggregate_frame(print_: TradePrint) -> dict[str, Any]:
    """`aggTrade`."""
    head = {"e": "aggTrade", "E": ms(print_.ts_ns), "s": print_.market.symbol}
    return {**head, **aggregate(print_)}


def mark_frame(market: TwinMarket, now_ns: int) -> dict[str, Any]:
    """`markPriceUpdate`."""
    mark = f"{market.mark:.{MARK_DIGITS}f}"
    index = f"{market.index:.{MARK_DIGITS}f}"
    return {
        "e": "markPriceUpdate",
        "E": ms(now_ns),
        "s": market.symbol,
        "p": mark,
        "ap": mark,
        "i": index,
        "P": index,
        "r": f"{market.funding_rate:.8f}",
        "T": ms(market.next_funding_ns),
    }


def kline_frame(
    market: TwinMarket, candle: Candle, interval: tuple[str, int], *, is_closed: bool, now_ns: int
) -> dict[str, Any]:
    """`kline`. *interval*: its word and its length in ms."""
    word, interval_ms = interval
    row = kline_row(market.listing, candle, interval_ms)
    last_id = market.trades[-1].number if market.trades else -1
    body = {
        "t": row[0],
        "T": row[6],
        "s": market.symbol,
        "i": word,
        "f": last_id - candle.trades + 1 if candle.trades else -1,
        "L": last_id if candle.trades else -1,
        "o": row[1],
        "c": row[4],
        "h": row[2],
        "l": row[3],
        "v": row[5],
        "n": row[8],
        "x": is_closed,
        "q": row[7],
        "V": row[9],
        "Q": row[10],
        "B": row[11],
    }
    return {"e": "kline", "E": ms(now_ns), "s": market.symbol, "k": body}


def continuous_frame(kline: dict[str, Any]) -> dict[str, Any]:
    """`continuous_kline`, made of the `kline` of the perpetual."""
    body = {name: value for name, value in kline["k"].items() if name != "s"}
    head = {"e": "continuous_kline", "E": kline["E"], "ps": kline["s"], "ct": "PERPETUAL"}
    return {**head, "k": body}


def forced_frame(forced: ForcedPrint) -> dict[str, Any]:
    """`forceOrder`."""
    listing = forced.market.listing
    price, quantity = listing.price_text(forced.price), listing.quantity_text(forced.quantity)
    order = {
        "s": forced.market.symbol,
        "S": forced.side,
        "o": "LIMIT",
        "f": "IOC",
        "q": quantity,
        "p": price,
        "ap": price,
        "X": "FILLED",
        "l": quantity,
        "z": quantity,
        "T": ms(forced.ts_ns),
    }
    return {"e": "forceOrder", "E": ms(forced.ts_ns), "o": order}
