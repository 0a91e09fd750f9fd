# SPDX-License-Identifier: Apache-2.0
"""`spot_feeds.py`: the kinds of public spot stream and what each of them tells, as objects ready to
be encoded. When they are asked, and who hears them, is `spot_streams.py`.
"""

from __future__ import annotations

from typing import Any

from hean.twin.binance.spot_market import DEPTH_MAX
from hean.twin.binance.spot_tape import (
    average_price,
    closing_ms,
    day_of,
    number,
    opening_ms,
    read,
)
from hean.twin.binance.words import MS_NS, aggregate, ms
from hean.twin.market import BookDiff, TwinMarket
from hean.twin.orders import TradePrint

SECOND_NS = 1_000 * MS_NS
KLINE_NS = 2 * SECOND_NS


class Feed:
    """A stream that somebody listens to. *period_ns*: its rhythm, 0 for none."""

    period_ns = SECOND_NS

    def __init__(self, name: str, market: TwinMarket) -> None:
        self.name = name
        self.market = market
        self.due_ns = 0

    def events(self, now_ns: int) -> list[Any]:
        """What is to be told now."""
        return []

    def book(self, now_ns: int) -> dict[str, Any] | None:
        """What a change of the book tells."""
        return None

    def trade(self, print_: TradePrint) -> dict[str, Any] | None:
        """What a trade tells."""
        return None


class Trades(Feed):
    """`trade`."""

    period_ns = 0

    def trade(self, print_: TradePrint) -> dict[str, Any]:
        """Each trade."""
        at = ms(print_.ts_ns)
        return {
            "e": "trade",
            "E": at,
            "s": self.market.symbol,
            "t": print_.number,
            "p": print_.price,
            "q": print_.quantity,
            "T": at,
            "m": not print_.is_buy,
            "M": True,
        }


class Aggregates(Feed):
    """`aggTrade`: each trade is an aggregate of one."""

    period_ns = 0

    def trade(self, print_: TradePrint) -> dict[str, Any]:
        """Each trade."""
        return {
            "e": "aggTrade",
            "E": ms(print_.ts_ns),
            "s": self.market.symbol,
            **aggregate(print_),
            "M": True,
        }


class Touch(Feed):
    """`bookTicker`: when the best price or its quantity changed."""

    period_ns = 0

    def __init__(self, name: str, market: TwinMarket) -> None:
        super().__init__(name, market)
        self._shown: tuple[str, ...] = ()

    def book(self, now_ns: int) -> dict[str, Any] | None:
        """The touch, if it is another."""
        touch = self.market.touch()
        if touch == self._shown:
            return None
        self._shown = touch
        bid, bid_quantity, ask, ask_quantity = touch
        return {
            "u": self.market.update_id,
            "s": self.market.symbol,
            "b": bid,
            "B": bid_quantity,
            "a": ask,
            "A": ask_quantity,
        }


class Difference(Feed):
    """`depth`: what changed in the book. Its ids have no gap: each event begins where the last one
    ended.
    """

    def __init__(self, name: str, market: TwinMarket, period_ns: int) -> None:
        super().__init__(name, market)
        self.period_ns = period_ns
        self.diff = BookDiff(market, DEPTH_MAX)
        self.catch_up()

    def catch_up(self) -> None:
        """Forget what changed; the next event begins here."""
        self.diff.start()
        self._last_id = self.market.update_id

    def events(self, now_ns: int) -> list[Any]:
        """One event, if anything changed."""
        bids, asks = self.diff.taken()
        if not bids and not asks:
            return []
        first = self._last_id + 1
        self.market.update_id = self._last_id = self.market.update_id + 1
        return [
            {
                "e": "depthUpdate",
                "E": ms(now_ns),
                "s": self.market.symbol,
                "U": first,
                "u": self._last_id,
                "b": bids,
                "a": asks,
            }
        ]


class Partial(Feed):
    """`depth5`, `depth10`, `depth20`: the top of the book, if it changed."""

    def __init__(self, name: str, market: TwinMarket, period_ns: int, *, depth: int) -> None:
        super().__init__(name, market)
        self.period_ns = period_ns
        self.depth = depth
        self._shown: Any = None

    def events(self, now_ns: int) -> list[Any]:
        """The levels."""
        levels = self.market.desk.levels(self.depth)
        if levels == self._shown:
            return []
        self._shown = levels
        return [{"lastUpdateId": self.market.update_id, "bids": levels[0], "asks": levels[1]}]


class Kline(Feed):
    """`kline_…`: the running candle, and once more when it closed."""

    def __init__(self, name: str, market: TwinMarket, interval: str) -> None:
        super().__init__(name, market)
        self.interval = interval
        self.period_ns = SECOND_NS if interval == "1s" else KLINE_NS
        self._opening: int | None = None

    def turned(self, now_ms: int) -> bool:
        """Whether a candle closed since the last event."""
        return self._opening is not None and opening_ms(now_ms, self.interval) != self._opening

    def events(self, now_ns: int) -> list[Any]:
        """The candle that closed and the one that runs."""
        now_ms = ms(now_ns)
        found = []
        if self.turned(now_ms):
            found.append(self._event(now_ms, self._opening, is_closed=True))
        self._opening = opening_ms(now_ms, self.interval)
        found.append(self._event(now_ms, self._opening, is_closed=False))
        return [event for event in found if event is not None]

    def _event(self, now_ms: int, start: int | None, *, is_closed: bool) -> dict[str, Any] | None:
        rows = read(self.market, self.interval, start, start, limit=1, now_ms=now_ms)
        if not rows:
            return None
        row, trades = rows[0], self.market.trades
        last_id = trades[-1].number if trades and row.trades else -1
        return {
            "e": "kline",
            "E": now_ms,
            "s": self.market.symbol,
            "k": {
                "t": row.start_ms,
                "T": closing_ms(row.start_ms, self.interval),
                "s": self.market.symbol,
                "i": self.interval,
                "f": max(0, last_id - row.trades + 1) if last_id >= 0 else -1,
                "L": last_id,
                "o": number(row.open),
                "c": number(row.close),
                "h": number(row.high),
                "l": number(row.low),
                "v": number(row.volume),
                "n": row.trades,
                "x": is_closed,
                "q": number(row.turnover),
                "V": number(row.buy_volume),
                "Q": number(row.buy_turnover),
                "B": "0",
            },
        }


class MiniTicker(Feed):
    """`miniTicker`."""

    def events(self, now_ns: int) -> list[Any]:
        """The day in short."""
        return [mini_ticker(self.market, now_ns)]


class Ticker(Feed):
    """`ticker`."""

    def events(self, now_ns: int) -> list[Any]:
        """The day."""
        return [ticker(self.market, now_ns)]


class Average(Feed):
    """`avgPrice`."""

    def events(self, now_ns: int) -> list[Any]:
        """The average of the last minutes."""
        last = self.market.trades[-1].ts_ns if self.market.trades else now_ns
        return [
            {
                "e": "avgPrice",
                "E": ms(now_ns),
                "s": self.market.symbol,
                "i": "5m",
                "w": average_price(self.market),
                "T": ms(last),
            }
        ]


class AllTickers(Feed):
    """`!miniTicker@arr`, `!ticker@arr`: every symbol."""

    def __init__(self, name: str, markets: list[TwinMarket], shape: Any) -> None:
        super().__init__(name, markets[0])
        self._markets = markets
        self._shape = shape

    def events(self, now_ns: int) -> list[Any]:
        """One list."""
        return [[self._shape(market, now_ns) for market in self._markets]]


def mini_ticker(market: TwinMarket, now_ns: int) -> dict[str, Any]:
    """The day of a symbol in short."""
    now_ms = ms(now_ns)
    day = day_of(market, now_ms, is_mini=True)
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": market.symbol,
        "c": day["lastPrice"],
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
    }


def ticker(market: TwinMarket, now_ns: int) -> dict[str, Any]:
    """The day of a symbol."""
    now_ms = ms(now_ns)
    day = day_of(market, now_ms, is_mini=False)
    return {
        "e": "24hrTicker",
        "E": now_ms,
        "s": market.symbol,
        "p": day["priceChange"],
        "P": day["priceChangePercent"],
        "w": day["weightedAvgPrice"],
        "x": day["prevClosePrice"],
        "c": day["lastPrice"],
        "Q": day["lastQty"],
        "b": day["bidPrice"],
        "B": day["bidQty"],
        "a": day["askPrice"],
        "A": day["askQty"],
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
        "O": day["openTime"],
        "C": day["closeTime"],
        "F": day["firstId"],
        "L": day["lastId"],
        "n": day["count"],
    }


PLAIN = {
    "trade": Trades,
    "aggTrade": Aggregates,
    "bookTicker": Touch,
    "miniTicker": MiniTicker,
    "ticker": Ticker,
    "avgPrice": Average,
}
ALL = {"!miniTicker@arr": mini_ticker, "!ticker@arr": ticker}
