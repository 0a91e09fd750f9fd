# SPDX-License-Identifier: Apache-2.0
"""`spot_streams.py`: public spot streams. Trades and the touch go out when they happen, books,
candles and tickers with a rhythm; the book of a recorded market goes out when a recorded event
ends, so that what was recorded is what is read. Nothing is made for a stream without listeners.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hean.twin.binance.spot_feeds import (
    ALL,
    PLAIN,
    SECOND_NS,
    AllTickers,
    Difference,
    Feed,
    Kline,
    Partial,
)
from hean.twin.binance.spot_tape import INTERVALS
from hean.twin.binance.streams import MICROSECONDS, Hub
from hean.twin.binance.words import MS_NS, ms
from hean.twin.market import TwinMarket
from hean.twin.orders import BookChange, Event, TradePrint
from hean.twin.venue import TwinVenue

FAST_NS = 100 * MS_NS
PARTIAL_DEPTHS = (5, 10, 20)
QUIET_NS = SECOND_NS  # a recorded market without events that long is shown with a rhythm again
TIMES = frozenset({"E", "T", "t", "O", "C"})
SPEEDS = {"": SECOND_NS, "@1000ms": SECOND_NS, "@100ms": FAST_NS}
_ENCODER = msgspec.json.Encoder()


class SpotStreams:
    """Makes every public frame of spot."""

    def __init__(self, venue: TwinVenue, hub: Hub) -> None:
        self.venue = venue
        self.hub = hub
        self._feeds: dict[str, Feed] = {}
        self._differences: dict[str, Difference] = {}
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
        feed = self._make(stream)
        feed.due_ns = self.venue.now()
        self._feeds[stream] = feed

    def stopped(self, stream: str) -> None:
        """The last listener left."""
        feed = self._feeds.pop(stream, None)
        if isinstance(feed, Difference):
            feed.diff.stop()

    def lose(self, market: TwinMarket) -> None:
        """The ids have jumped: books of this market go on from there."""
        for feed in self._of(market):
            if isinstance(feed, Difference):
                feed.catch_up()

    def on_event(self, event: Event) -> None:
        """The exchange did something public."""
        if isinstance(event, TradePrint):
            for feed in self._of(event.market):
                self._send(feed, feed.trade(event))
        elif isinstance(event, BookChange):
            if event.is_event and event.market.is_recorded:
                self._recorded_ns[event.market.symbol] = event.ts_ns
                self._recorded(event.market, event.ts_ns)
            for feed in self._of(event.market):
                self._send(feed, feed.book(event.ts_ns))

    def tick(self, now_ns: int) -> None:
        """Send what is due."""
        for feed in list(self._feeds.values()):
            has_turned = isinstance(feed, Kline) and feed.turned(ms(now_ns))
            if not feed.period_ns or (now_ns < feed.due_ns and not has_turned):
                continue
            feed.due_ns = (now_ns // feed.period_ns + 1) * feed.period_ns
            if isinstance(feed, Difference | Partial) and self._is_recorded(feed.market, now_ns):
                continue
            for event in feed.events(now_ns):
                self._send(feed, event)

    def _recorded(self, market: TwinMarket, now_ns: int) -> None:
        for feed in self._of(market):
            if isinstance(feed, Difference | Partial):
                for event in feed.events(now_ns):
                    self._send(feed, event)

    def _is_recorded(self, market: TwinMarket, now_ns: int) -> bool:
        return now_ns - self._recorded_ns.get(market.symbol, -QUIET_NS) < QUIET_NS

    def _of(self, market: TwinMarket) -> list[Feed]:
        return [feed for feed in self._feeds.values() if feed.market is market]

    def _send(self, feed: Feed, event: Any) -> None:
        if event is None:
            return
        if self.hub.has(feed.name):
            self.hub.publish(feed.name, _ENCODER.encode(event))
        micro = feed.name + MICROSECONDS
        if self.hub.has(micro):
            self.hub.publish(micro, _ENCODER.encode(_in_microseconds(event)))

    def _parsed(self, stream: str) -> tuple[TwinMarket | None, str]:
        symbol, _, kind = stream.partition("@")
        market = self.venue.markets.get(("spot", symbol.upper()))
        return (market if symbol == symbol.lower() else None), kind

    def _make(self, stream: str) -> Feed:
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
        if stream in self._differences:
            self._differences[stream].catch_up()
        else:
            self._differences[stream] = Difference(stream, market, period_ns)
        return self._differences[stream]


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
