# SPDX-License-Identifier: Apache-2.0
"""`usdm_market.py`: public facts of the USD-M futures by REST: rules, books, trades, candles,
funding, tickers. What is asked for all symbols answers a list, for one an object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.twin.binance import usdm_tape as tape
from hean.twin.binance.call import Call, Route, Security
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.words import INTERVALS, aggregate, ms
from hean.twin.candles import Candle, CandleStore
from hean.twin.listing import CONDITIONAL_MAX
from hean.twin.market import TwinMarket
from hean.twin.orders import TradePrint

DEPTHS = (5, 10, 20, 50, 100, 500, 1_000)
DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1_000: 20}
KLINES, KLINES_MAX = 500, 1_500
ROWS, ROWS_MAX = 500, 1_000
FUNDINGS, WINDOW_FUNDINGS, FUNDINGS_MAX = 200, 100, 1_000
USUAL_FUNDING_MINUTES = 480
CONTRACT_TYPES = frozenset({"PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER"})
PERIODS = frozenset({"5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"})


def ping(call: Call) -> dict[str, Any]:
    """Nothing."""
    return {}


def server_time(call: Call) -> dict[str, Any]:
    """The exchange's clock."""
    return {"serverTime": call.now_ms}


def exchange_info(call: Call) -> dict[str, Any]:
    """Rules of every symbol; a symbol parameter is ignored, as at the exchange."""
    markets = _markets(call)
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": call.dialect.limits.listed("linear"),
        "exchangeFilters": [],
        "assets": [tape.asset_object(coin) for coin in sorted({m.listing.quote for m in markets})],
        "symbols": [
            tape.symbol_object(market.listing, conditional_max=CONDITIONAL_MAX["binance"])
            for market in markets
        ],
    }


def depth(call: Call) -> dict[str, Any]:
    """A snapshot of the book, on the counter of the diff streams."""
    market, limit = call.market(), _depth_limit(call)
    bids, asks = market.snapshot(limit)
    return {
        "lastUpdateId": market.update_id,
        "E": call.now_ms,
        "T": call.now_ms,
        "bids": bids,
        "asks": asks,
    }


def _depth_limit(call: Call) -> int:
    limit = call.integer("limit")
    limit = 500 if limit is None else limit
    if limit not in DEPTHS:
        allowed = ", ".join(str(each) for each in DEPTHS)
        raise BinanceError(-4021, f"{limit} is not valid depth limit; use one of {allowed}.")
    return limit


def trades(call: Call) -> list[dict[str, Any]]:
    """The newest trades, or from an id on, oldest first."""
    prints, most = list(call.market().trades), call.limit(ROWS, ROWS_MAX)
    since = call.integer("fromId")
    if since is None:
        return [tape.public_trade(each) for each in prints[-most:]]
    return [tape.public_trade(each) for each in prints if each.number >= since][:most]


def aggregates(call: Call) -> list[dict[str, Any]]:
    """Aggregate trades: the newest, from an id on, or in a window."""
    prints, most = list(call.market().trades), call.limit(ROWS, ROWS_MAX)
    since, start_ms, end_ms = (call.integer(n) for n in ("fromId", "startTime", "endTime"))

    def fits(print_: TradePrint) -> bool:
        time_ms = ms(print_.ts_ns)
        return (
            (since is None or print_.number >= since)
            and (start_ms is None or time_ms >= start_ms)
            and (end_ms is None or time_ms <= end_ms)
        )

    fitting = [each for each in prints if fits(each)]
    rows = fitting[:most] if since is not None or start_ms is not None else fitting[-most:]
    return [aggregate(each) for each in rows]


# --- candles


def klines(call: Call) -> list[list[Any]]:
    """Candles of trades."""
    market = call.market()
    return _klines(call, market, market.candles, is_traded=True)


def continuous_klines(call: Call) -> list[list[Any]]:
    """Candles of the perpetual of a pair."""
    market = call.market("pair")
    kind = call.enum("contractType", CONTRACT_TYPES, (-4088, "Invalid contractType."))
    return _klines(call, market, market.candles, is_traded=True) if kind == "PERPETUAL" else []


def mark_klines(call: Call) -> list[list[Any]]:
    """Candles of the mark price."""
    market = call.market()
    return _klines(call, market, market.mark_candles, is_traded=False)


def index_klines(call: Call) -> list[list[Any]]:
    """Candles of the index price of a pair."""
    market = call.market("pair")
    return _klines(call, market, market.index_candles, is_traded=False)


def premium_klines(call: Call) -> list[list[Any]]:
    """Candles of the premium: mark over index, less one."""
    market = call.market()
    newest, interval_ms, start_ms, end_ms, most = _bounds(call)
    marks, indexes = (
        store.read(interval_ms, start_ms, end_ms, most, newest=newest)
        for store in (market.mark_candles, market.index_candles)
    )
    candles = [_premium(*pair) for pair in zip(marks, indexes, strict=True)]
    return [tape.price_kline_row(market.listing, candle, interval_ms) for candle in candles]


def _premium(mark: Candle, index: Candle) -> Candle:
    opened, closed = mark.open / index.open - 1, mark.close / index.close - 1
    ends = mark.high / index.high - 1, mark.low / index.low - 1, opened, closed
    return Candle(mark.start_ms, opened, max(ends), min(ends), closed)


def _bounds(call: Call) -> tuple[bool, int, int | None, int | None, int]:
    """Whether the newest are wanted, interval, start, end, how many."""
    refusal = (-1120, "Invalid interval.")
    interval_ms = INTERVALS[call.enum("interval", INTERVALS, refusal)]
    start_ms, end_ms = call.integer("startTime"), call.integer("endTime")
    return start_ms is None, interval_ms, start_ms, end_ms, call.limit(KLINES, KLINES_MAX)


def _klines(
    call: Call, market: TwinMarket, store: CandleStore, *, is_traded: bool
) -> list[list[Any]]:
    newest, interval_ms, start_ms, end_ms, most = _bounds(call)
    candles = store.read(interval_ms, start_ms, end_ms, most, newest=newest)
    if is_traded:
        return [tape.kline_row(market.listing, candle, interval_ms) for candle in candles]
    return [tape.price_kline_row(market.listing, candle, interval_ms) for candle in candles]


# --- funding


def premium(call: Call) -> Any:
    """Mark, index and the running funding rate."""
    return _one_or_all(call, lambda market: tape.premium(market, call.now_ns))


def funding_rates(call: Call) -> list[dict[str, Any]]:
    """Settlements, oldest first: the newest, or from the start of a window."""
    markets = [call.market()] if call.text("symbol") is not None else _markets(call)
    start_ms, end_ms = call.integer("startTime"), call.integer("endTime")
    has_window = start_ms is not None or end_ms is not None
    most = call.limit(WINDOW_FUNDINGS if has_window else FUNDINGS, FUNDINGS_MAX)
    rows = [
        tape.settlement(market, row)
        for market in markets
        for row in market.settlements
        if (start_ms is None or ms(row.ts_ns) >= start_ms)
        and (end_ms is None or ms(row.ts_ns) <= end_ms)
        and row.ts_ns <= call.now_ns
    ]
    rows.sort(key=lambda row: (row["fundingTime"], row["symbol"]))
    return rows[-most:] if start_ms is None else rows[:most]


def funding_info(call: Call) -> list[dict[str, Any]]:
    """Only symbols whose funding is not the usual one."""
    return [
        {
            "symbol": market.symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": market.listing.funding_minutes // 60,
            "disclaimer": False,
        }
        for market in _markets(call)
        if market.listing.funding_minutes != USUAL_FUNDING_MINUTES
    ]


# --- tickers


def tickers(call: Call) -> Any:
    """The last 24 hours."""
    return _one_or_all(call, lambda market: tape.ticker(market, call.now_ns))


def prices(call: Call) -> Any:
    """Last prices."""
    return _one_or_all(call, lambda market: _price(market, call.now_ms))


def _price(market: TwinMarket, now_ms: int) -> dict[str, Any]:
    price = market.listing.price_text(market.last)
    return {"symbol": market.symbol, "price": price, "time": now_ms}


def touches(call: Call) -> Any:
    """Best bid and ask."""
    return _one_or_all(call, lambda market: _touch(market, call.now_ms))


def _touch(market: TwinMarket, now_ms: int) -> dict[str, Any]:
    bid, bid_qty, ask, ask_qty = market.touch()
    return {
        "symbol": market.symbol,
        "bidPrice": bid,
        "bidQty": bid_qty,
        "askPrice": ask,
        "askQty": ask_qty,
        "time": now_ms,
        "lastUpdateId": market.update_id,
    }


def open_interest(call: Call) -> dict[str, Any]:
    """Contracts held by everybody."""
    market = call.market()
    held = market.listing.quantity_text(market.open_interest)
    return {"symbol": market.symbol, "openInterest": held, "time": call.now_ms}


def open_interest_history(call: Call) -> list[dict[str, Any]]:
    """Open interest of the past; in the twin it does not move."""
    market = call.market()
    step_ms = INTERVALS[call.enum("period", PERIODS)]
    most = call.limit(30, 500)
    last_ms = (call.integer("endTime") or call.now_ms) // step_ms * step_ms
    start_ms = call.integer("startTime") or 0
    held = market.open_interest
    times_ms = (last_ms - back * step_ms for back in range(most - 1, -1, -1))
    return [
        {
            "symbol": market.symbol,
            "sumOpenInterest": f"{held:.8f}",
            "sumOpenInterestValue": f"{held * market.mark:.8f}",
            "timestamp": time_ms,
        }
        for time_ms in times_ms
        if time_ms >= start_ms
    ]


def _markets(call: Call) -> list[TwinMarket]:
    return call.dialect.venue.markets_of("linear")


def _one_or_all(call: Call, make: Callable[[TwinMarket], dict[str, Any]]) -> Any:
    if call.text("symbol") is not None:
        return make(call.market())
    return [make(market) for market in _markets(call)]


def _kline_weight(call: Call) -> int:
    text = call.params.get("limit", "")
    limit = int(text) if text.isdecimal() and len(text) < 9 else KLINES
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1_000 else 10


def _depth_weight(call: Call) -> int:
    text = call.params.get("limit", "500")
    return DEPTH_WEIGHTS.get(int(text) if text.isdecimal() and len(text) < 9 else 0, 2)


def _per_symbol(one: int, every: int) -> Callable[[Call], int]:
    return lambda call: one if call.params.get("symbol") else every


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/fapi/v1/ping"): Route(ping),
    ("GET", "/fapi/v1/time"): Route(server_time),
    ("GET", "/fapi/v1/exchangeInfo"): Route(exchange_info),
    ("GET", "/fapi/v1/depth"): Route(depth, weight=_depth_weight),
    ("GET", "/fapi/v1/trades"): Route(trades, weight=5),
    ("GET", "/fapi/v1/historicalTrades"): Route(trades, Security.KEY, 20),
    ("GET", "/fapi/v1/aggTrades"): Route(aggregates, weight=20),
    ("GET", "/fapi/v1/klines"): Route(klines, weight=_kline_weight),
    ("GET", "/fapi/v1/continuousKlines"): Route(continuous_klines, weight=_kline_weight),
    ("GET", "/fapi/v1/markPriceKlines"): Route(mark_klines, weight=_kline_weight),
    ("GET", "/fapi/v1/indexPriceKlines"): Route(index_klines, weight=_kline_weight),
    ("GET", "/fapi/v1/premiumIndexKlines"): Route(premium_klines, weight=_kline_weight),
    ("GET", "/fapi/v1/premiumIndex"): Route(premium, weight=_per_symbol(1, 10)),
    ("GET", "/fapi/v1/fundingRate"): Route(funding_rates),
    ("GET", "/fapi/v1/fundingInfo"): Route(funding_info),
    ("GET", "/fapi/v1/ticker/24hr"): Route(tickers, weight=_per_symbol(1, 40)),
    ("GET", "/fapi/v1/ticker/price"): Route(prices, weight=_per_symbol(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): Route(prices, weight=_per_symbol(1, 2)),
    ("GET", "/fapi/v1/ticker/bookTicker"): Route(touches, weight=_per_symbol(2, 5)),
    ("GET", "/fapi/v1/openInterest"): Route(open_interest),
    ("GET", "/futures/data/openInterestHist"): Route(open_interest_history),
}
