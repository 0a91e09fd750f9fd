# SPDX-License-Identifier: Apache-2.0
"""`spot_streams.py`: public spot streams. Trades and the touch go out when they happen, books,
candles and tickers with a rhythm; the book of a recorded market goes out when a recorded event
ends, so that what was recorded is what is read. Nothing is made for a stream without listeners.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hean.twin.binance.spot_market import DEPTH_MAX
from hean.twin.binance.spot_tape import (
    INTERVALS,
    average_price,
    closing_ms,
    day_of,
    number,
    opening_ms,
    read,
)
from hean.twin.binance.streams import MICROSECONDS, Hub
from hean.twin.market import TwinMarket
from hean.twin.orders import BookChange, Event, TradePrint
from hean.twin.venue import TwinVenue

MS_NS = 1_000_000
SECOND_NS = 1_000 * MS_NS
FAST_NS = 100 * MS_NS
KLINE_NS = 2 * SECOND_NS
PARTIAL_DEPTHS = (5, 10, 20)
QUIET_NS = SECOND_NS  # a recorded market without events that long is shown with a rhythm again
TIMES = frozenset({"E", "T", "t", "O", "C"})
_ENCODER = msgspec.json.Encoder()


class Live:
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


class Trades(Live):
    """`trade`."""

    period_ns = 0

    def trade(self, print_: TradePrint) -> dict[str, Any]:
        """Each trade."""
        at = print_.ts_ns // MS_NS
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


class Aggregates(Live):
    """`aggTrade`: each trade is an aggregate of one."""

    period_ns = 0

    def trade(self, print_: TradePrint) -> dict[str, Any]:
        """Each trade."""
        at = print_.ts_ns // MS_NS
        return {
            "e": "aggTrade",
            "E": at,
            "s": self.market.symbol,
            "a": print_.number,
            "p": print_.price,
            "q": print_.quantity,
            "f": print_.number,
            "l": print_.number,
            "T": at,
            "m": not print_.is_buy,
            "M": True,
        }


class Touch(Live):
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


class Difference(Live):
    """`depth`: what changed in the book. Its ids have no gap: each event begins where the last one
    ended. A level that came and went between two events is in neither book, but a snapshot taken
    meanwhile has it: `collect` then sees to it that the next event says that it is gone.
    """

    def __init__(self, name: str, market: TwinMarket, period_ns: int) -> None:
        super().__init__(name, market)
        self.period_ns = period_ns
        self._reader = market.desk.add_reader(DEPTH_MAX)
        self._last_id = market.update_id
        self._bids: dict[str, str] = {}
        self._asks: dict[str, str] = {}
        self.catch_up()

    def catch_up(self) -> None:
        """Forget what changed; the next event begins here."""
        self._taken()
        self._last_id = self.market.update_id

    def collect(self) -> None:
        """Remember what changed so far for the next event."""
        bids, asks = self.market.desk.changes(self._reader)
        self._bids.update(bids)
        self._asks.update(asks)

    def _taken(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        self.collect()
        found = list(self._bids.items()), list(self._asks.items())
        self._bids, self._asks = {}, {}
        return found

    def events(self, now_ns: int) -> list[Any]:
        """One event, if anything changed."""
        bids, asks = self._taken()
        if not bids and not asks:
            return []
        first = self._last_id + 1
        self.market.update_id = self._last_id = self.market.update_id + 1
        return [
            {
                "e": "depthUpdate",
                "E": now_ns // MS_NS,
                "s": self.market.symbol,
                "U": first,
                "u": self._last_id,
                "b": bids,
                "a": asks,
            }
        ]


class Partial(Live):
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


class Kline(Live):
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
        now_ms = now_ns // MS_NS
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


class MiniTicker(Live):
    """`miniTicker`."""

    def events(self, now_ns: int) -> list[Any]:
        """The day in short."""
        return [mini_ticker(self.market, now_ns)]


class Ticker(Live):
    """`ticker`."""

    def events(self, now_ns: int) -> list[Any]:
        """The day."""
        return [ticker(self.market, now_ns)]


class Average(Live):
    """`avgPrice`."""

    def events(self, now_ns: int) -> list[Any]:
        """The average of the last minutes."""
        last = self.market.trades[-1].ts_ns if self.market.trades else now_ns
        return [
            {
                "e": "avgPrice",
                "E": now_ns // MS_NS,
                "s": self.market.symbol,
                "i": "5m",
                "w": average_price(self.market),
                "T": last // MS_NS,
            }
        ]


class AllTickers(Live):
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
    now_ms = now_ns // MS_NS
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
    now_ms = now_ns // MS_NS
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
SPEEDS = {"": SECOND_NS, "@1000ms": SECOND_NS, "@100ms": FAST_NS}


class SpotStreams:
    """Makes every public frame of spot."""

    def __init__(self, venue: TwinVenue, hub: Hub) -> None:
        self.venue = venue
        self.hub = hub
        self._live: dict[str, Live] = {}
        self._differences: dict[tuple[str, int], Difference] = {}
        self._recorded_ns: dict[str, int] = {}

    def carries(self, route: str, stream: str) -> bool:
        """Whether there is such a stream."""
        if _all_of(stream) in ALL:
            return bool(self.venue.markets_of("spot"))
        market, kind = self._parsed(stream)
        if market is None:
            return False
        if kind in PLAIN or kind.removeprefix("kline_") in INTERVALS:
            return True
        return _depth_of(kind) is not None

    def started(self, stream: str) -> None:
        """The first listener came."""
        live = self._make(stream)
        live.due_ns = self.venue.now()
        self._live[stream] = live

    def stopped(self, stream: str) -> None:
        """The last listener left."""
        self._live.pop(stream, None)

    def lose(self, market: TwinMarket) -> None:
        """The ids have jumped: books of this market go on from there."""
        for live in self._differences.values():
            if live.market is market:
                live.catch_up()

    def collect(self, market: TwinMarket) -> None:
        """Somebody takes a snapshot of this market's book."""
        for live in self._live.values():
            if isinstance(live, Difference) and live.market is market:
                live.collect()

    def on_event(self, event: Event) -> None:
        """The exchange did something public."""
        if isinstance(event, TradePrint):
            for live in self._of(event.market):
                self._send(live, live.trade(event))
        elif isinstance(event, BookChange):
            if event.is_event and event.market.is_recorded:
                self._recorded_ns[event.market.symbol] = event.ts_ns
                self._recorded(event.market, event.ts_ns)
            for live in self._of(event.market):
                self._send(live, live.book(event.ts_ns))

    def tick(self, now_ns: int) -> None:
        """Send what is due."""
        for live in list(self._live.values()):
            has_turned = isinstance(live, Kline) and live.turned(now_ns // MS_NS)
            if not live.period_ns or (now_ns < live.due_ns and not has_turned):
                continue
            live.due_ns = (now_ns // live.period_ns + 1) * live.period_ns
            if isinstance(live, Difference | Partial) and self._is_recorded(live.market, now_ns):
                continue
            for event in live.events(now_ns):
                self._send(live, event)

    def _recorded(self, market: TwinMarket, now_ns: int) -> None:
        for live in self._of(market):
            if isinstance(live, Difference | Partial):
                for event in live.events(now_ns):
                    self._send(live, event)

    def _is_recorded(self, market: TwinMarket, now_ns: int) -> bool:
        return now_ns - self._recorded_ns.get(market.symbol, -QUIET_NS) < QUIET_NS

    def _of(self, market: TwinMarket) -> list[Live]:
        return [live for live in self._live.values() if live.market is market]

    def _send(self, live: Live, event: Any) -> None:
        if event is None:
            return
        if self.hub.has(live.name):
            self.hub.publish(live.name, _ENCODER.encode(event))
        micro = live.name + MICROSECONDS
        if self.hub.has(micro):
            self.hub.publish(micro, _ENCODER.encode(_in_microseconds(event)))

    def _parsed(self, stream: str) -> tuple[TwinMarket | None, str]:
        symbol, _, kind = stream.partition("@")
        market = self.venue.markets.get(("spot", symbol.upper()))
        return (market if symbol == symbol.lower() else None), kind

    def _make(self, stream: str) -> Live:
        if _all_of(stream) in ALL:
            return AllTickers(stream, self.venue.markets_of("spot"), ALL[_all_of(stream)])
        market, kind = self._parsed(stream)
        assert market is not None
        if kind in PLAIN:
            return PLAIN[kind](stream, market)
        if kind.startswith("kline_"):
            return Kline(stream, market, kind.removeprefix("kline_"))
        depth, period_ns = _depth_of(kind) or (0, SECOND_NS)
        if depth:
            return Partial(stream, market, period_ns, depth=depth)
        key = (stream, period_ns)
        if key in self._differences:
            self._differences[key].catch_up()
        else:
            self._differences[key] = Difference(stream, market, period_ns)
        return self._differences[key]


def _all_of(stream: str) -> str:
    """A stream of all symbols without the speed that some clients add: `!miniTicker@arr@1000ms`."""
    return "@".join(stream.split("@")[:2])


def _depth_of(kind: str) -> tuple[int, int] | None:
    """Levels (0: all) and rhythm of a depth stream."""
    name, mark, speed = kind.partition("@")
    period_ns = SPEEDS.get(mark + speed)
    levels = name.removeprefix("depth")
    if period_ns is None or not name.startswith("depth"):
        return None
    if not levels:
        return 0, period_ns
    is_known = levels in {str(depth) for depth in PARTIAL_DEPTHS}
    return (int(levels), period_ns) if is_known else None


def _in_microseconds(event: Any) -> Any:
    if isinstance(event, list):
        return [_in_microseconds(each) for each in event]
    ids = {"t"} if event.get("e") == "trade" else set()  # a trade's id, not a time
    return {name: _scaled(name, value, ids) for name, value in event.items()}


def _scaled(name: str, value: Any, ids: set[str]) -> Any:
    if isinstance(value, dict):
        return _in_microseconds(value)
    is_time = name in TIMES and name not in ids and isinstance(value, int)
    return value * 1_000 if is_time else value


STREAMS = SpotStreams
