# SPDX-License-Identifier: Apache-2.0
"""`market.py`: market data calls, for anybody. Products that are not traded here (inverse, options)
have empty lists, as clients that load every market expect.
"""

from __future__ import annotations

import math
from typing import Any

from hean.twin.bybit import instruments, words
from hean.twin.bybit.books import Books
from hean.twin.bybit.call import CATEGORIES, Answer, Call
from hean.twin.bybit.errors import Denied, wrong
from hean.twin.bybit.tickers import Tickers
from hean.twin.candles import DAY_MS, MINUTE_MS, Candle, CandleStore
from hean.twin.market import TwinMarket

INTERVALS = {
    **{str(n): n * MINUTE_MS for n in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": DAY_MS,
    "W": 7 * DAY_MS,
    "M": 0,
}
OPEN_INTEREST_SPANS = {
    "5min": 5 * MINUTE_MS,
    "15min": 15 * MINUTE_MS,
    "30min": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "1d": DAY_MS,
}
RISK_PAGE = 15  # symbols in a page of risk limits


class MarketCalls:
    """Answers about markets; shares tickers and books with the streams."""

    def __init__(self, tickers: Tickers, books: Books) -> None:
        self._tickers = tickers
        self._books = books

    def time(self, call: Call) -> Answer:
        """GET market/time."""
        now_ns = call.venue.now()
        return Answer({"timeSecond": str(now_ns // 10**9), "timeNano": str(now_ns)})

    def status(self, call: Call) -> Answer:
        """GET system/status: announced maintenance."""
        return Answer({"list": maintenances(call)}, "")

    def instruments(self, call: Call) -> Answer:
        """GET market/instruments-info."""
        category = call.need_category(*CATEGORIES)
        wanted, base, symbol = call.text("status"), call.text("baseCoin"), call.text("symbol")
        rows = []
        for number, market in enumerate(call.venue.markets_of(category), 1):
            listing = market.listing
            state = instruments.status(listing)
            if symbol:
                is_shown = listing.symbol == symbol
            else:
                is_shown = state == (wanted or "Trading") and (not base or listing.base == base)
            if is_shown:
                rows.append(instruments.instrument(market, number))
        if symbol and not rows and category in {"linear", "spot"}:
            raise wrong(f"params error: symbol invalid {symbol}")
        limit = len(rows) if category == "spot" else call.limit(500, 1_000)
        start = call.whole("cursor", 0) or 0
        cursor = str(start + limit) if start + limit < len(rows) else ""
        shown = rows[start : start + limit]
        return Answer({"category": category, "list": shown, "nextPageCursor": cursor})

    def klines(self, call: Call) -> Answer:
        """GET market/kline."""
        market, rows = self._candles(call, lambda market: market.candles)
        listing = market.listing
        price, quantity = listing.price_decimals, listing.quantity_decimals
        shown = [
            [*_prices(row, price), f"{row.volume:.{quantity}f}", f"{row.turnover:.4f}"]
            for row in rows
        ]
        return _klines(call, market, shown)

    def mark_klines(self, call: Call) -> Answer:
        """GET market/mark-price-kline."""
        market, rows = self._candles(call, lambda market: market.mark_candles)
        return _klines(call, market, [_prices(row, market.listing.price_decimals) for row in rows])

    def index_klines(self, call: Call) -> Answer:
        """GET market/index-price-kline."""
        market, rows = self._candles(call, lambda market: market.index_candles)
        return _klines(call, market, [_prices(row, market.listing.price_decimals) for row in rows])

    def premium_klines(self, call: Call) -> Answer:
        """GET market/premium-index-price-kline: mark over index, less one."""
        market, marks = self._candles(call, lambda market: market.mark_candles)
        _, indexes = self._candles(call, lambda market: market.index_candles)
        others = {row.start_ms: row for row in indexes}
        shown = []
        for row in marks:
            other = others.get(row.start_ms, row)
            opened, closed = row.open / other.open - 1, row.close / other.close - 1
            values = (opened, max(opened, closed), min(opened, closed), closed)
            shown.append([str(row.start_ms), *(f"{value:.6f}" for value in values)])
        return _klines(call, market, shown)

    def orderbook(self, call: Call) -> Answer:
        """GET market/orderbook: the book of the 1000-level stream, cut."""
        market = call.market(call.need_category())
        default = 1 if market.listing.market == "spot" else 25
        return Answer(self._books.answer(market, call.limit(default, 1_000)))

    def tickers(self, call: Call) -> Answer:
        """GET market/tickers."""
        category = call.need_category(*CATEGORIES)
        symbol = call.text("symbol")
        found = [call.market(category)] if symbol else call.venue.markets_of(category)
        rows = [self._tickers.answer(market, call.now_ms) for market in found]
        return Answer({"category": category, "list": rows})

    def funding_history(self, call: Call) -> Answer:
        """GET market/funding/history."""
        market = call.market(call.need_category("linear", "inverse"))
        start, end = call.whole("startTime"), call.whole("endTime")
        if start is not None and end is None:
            raise wrong("params error: endTime is required with startTime")
        rows = [
            {
                "symbol": market.symbol,
                "fundingRate": words.number(settlement.rate),
                "fundingRateTimestamp": words.ms(settlement.ts_ns),
            }
            for settlement in reversed(market.settlements)
            if (start or 0) <= settlement.ts_ns // words.MS_NS <= (end or call.now_ms)
        ]
        return Answer({"category": "linear", "list": rows[: call.limit(200, 200)]})

    def trades(self, call: Call) -> Answer:
        """GET market/recent-trade."""
        category = call.need_category()
        market = call.market(category)
        limit = call.limit(60, 60) if category == "spot" else call.limit(500, 1_000)
        rows = [
            {
                "execId": words.trade_id(category, trade.number),
                "symbol": market.symbol,
                "price": trade.price,
                "size": trade.quantity,
                "side": "Buy" if trade.is_buy else "Sell",
                "time": words.ms(trade.ts_ns),
                "isBlockTrade": False,
                "isRPITrade": False,
                "seq": str(trade.number),
            }
            for trade, _ in zip(reversed(market.trades), range(limit), strict=False)
        ]
        return Answer({"category": category, "list": rows})

    def risk_limit(self, call: Call) -> Answer:
        """GET market/risk-limit: fifteen symbols a page."""
        category = call.need_category("linear", "inverse")
        start = call.whole("cursor", 0) or 0
        markets = call.venue.markets_of(category)
        symbol = call.text("symbol")
        if symbol:
            call.market(category)
        rows: list[dict[str, Any]] = []
        for place, market in enumerate(markets):
            is_here = start <= place < start + RISK_PAGE
            if market.symbol == symbol or (not symbol and is_here):
                rows.extend(instruments.risk_tiers(market))
        is_more = not symbol and start + RISK_PAGE < len(markets)
        cursor = str(start + RISK_PAGE) if is_more else ""
        return Answer({"category": category, "list": rows, "nextPageCursor": cursor})

    def open_interest(self, call: Call) -> Answer:
        """GET market/open-interest: drawn around today's figure, the same for each time."""
        market = call.market(call.need_category("linear", "inverse"))
        span = OPEN_INTEREST_SPANS.get(call.need("intervalTime"))
        if span is None:
            raise wrong("params error: intervalTime invalid")
        limit = call.limit(50, 200)
        end = min(call.whole("endTime", call.now_ms) or 0, call.now_ms)
        start = call.whole("startTime", 0) or 0
        newest = min(end, call.whole("cursor", end) or end) // span
        rows = []
        for step in range(newest, newest - limit, -1):
            if step * span < start:
                break
            wave = math.sin(step * 0.37 + market.seed) * 0.02
            value = f"{float(market.open_interest) * (1 + wave):.8f}"
            rows.append(
                {
                    "openInterest": value,
                    "singleOpenInterest": value,
                    "timestamp": str(step * span),
                }
            )
        after = (newest - limit) * span
        cursor = str(after) if len(rows) == limit and after >= max(start, span) else ""
        return Answer(
            {
                "symbol": market.symbol,
                "category": "linear",
                "list": rows,
                "nextPageCursor": cursor,
            }
        )

    def price_limit(self, call: Call) -> Answer:
        """GET market/price-limit."""
        market = call.market(call.category or "linear")
        return Answer({**price_bounds(market), "ts": str(call.now_ms)}, "")

    def account_ratio(self, call: Call) -> Answer:
        """GET market/account-ratio: as many long as short; a twin's crowd has no opinion."""
        market = call.market(call.need_category("linear", "inverse"))
        span = OPEN_INTEREST_SPANS.get(call.need("period"))
        if span is None:
            raise wrong("params error: period invalid")
        newest = call.now_ms // span
        rows = [
            {
                "symbol": market.symbol,
                "buyRatio": "0.5",
                "sellRatio": "0.5",
                "timestamp": str((newest - step) * span),
            }
            for step in range(call.limit(50, 500))
        ]
        return Answer({"list": rows, "nextPageCursor": ""})

    def insurance(self, call: Call) -> Answer:
        """GET market/insurance: one pool for all contracts."""
        symbols = ",".join(market.symbol for market in call.venue.markets_of("linear"))
        money = "1000000"
        row = {"coin": "USDT", "symbols": symbols, "balance": money, "value": money}
        return Answer({"updatedTime": str(call.now_ms // DAY_MS * DAY_MS), "list": [row]})

    def coins(self, call: Call) -> Answer:
        """GET asset/coin/query-info."""
        wanted = call.text("coin")
        names = instruments.coins_of(list(call.venue.markets.values()))
        rows = [instruments.coin(name) for name in names if not wanted or name == wanted]
        return Answer({"rows": rows}, "")

    def _candles(self, call: Call, store_of: Any) -> tuple[TwinMarket, list[Candle]]:
        """The candles a call asks for, newest first."""
        market = call.market(call.category or "linear")
        interval = INTERVALS.get(call.need("interval"))
        if interval is None:
            raise Denied(10001, "Invalid period!")
        start, end = call.whole("start"), call.whole("end")
        store: CandleStore = store_of(market)
        if market.last:
            market.candles.price(call.now_ms, float(market.last))
        limit = call.limit(200, 1_000)
        newest = start is None or end is not None
        rows = store.read(interval, start, end, limit, newest=newest)
        return market, rows[::-1]


def price_bounds(market: TwinMarket) -> dict[str, str]:
    """The highest bid and the lowest ask that are taken now."""
    listing = market.listing
    reference = market.mark or market.last
    high = reference * (1 + listing.band_fraction) // listing.tick * listing.tick
    low = -(-(reference / (1 + listing.band_fraction)) // listing.tick) * listing.tick
    return {
        "symbol": market.symbol,
        "buyLmt": listing.price_text(high),
        "sellLmt": listing.price_text(low),
    }


def maintenances(call: Call) -> list[dict[str, Any]]:
    """Announced maintenance in the venue's words."""
    now_ns = call.venue.now()
    return [
        {
            "id": f"00000000-0000-11f0-a000-{each.number:012x}",
            "title": each.title,
            "state": each.state(now_ns),
            "begin": words.ms(each.begin_ns),
            "end": words.ms(each.end_ns),
            "href": "",
            "serviceTypes": [1, 2, 3, 4, 5],
            "product": [1, 2],
            "uidSuffix": [],
            "maintainType": 1,
            "env": 1,
        }
        for each in call.floor.quirks.maintenances
    ]


def _prices(row: Candle, digits: int) -> list[str]:
    prices = (row.open, row.high, row.low, row.close)
    return [str(row.start_ms), *(f"{price:.{digits}f}" for price in prices)]


def _klines(call: Call, market: TwinMarket, rows: list[list[str]]) -> Answer:
    category = market.listing.market
    return Answer({"category": category, "symbol": market.symbol, "list": rows})
