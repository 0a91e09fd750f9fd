# SPDX-License-Identifier: Apache-2.0
"""`usdm_streams.py`: market streams of the USD-M futures. Trades and touches leave when they
happen, books and prices on a rhythm; a recorded market's books leave at the end of each recorded
event, so that a client sees what was recorded. Each depth stream has its own chain of ids (`pu`)
on the one counter that REST snapshots show.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from hean.twin.binance import usdm_tape as tape
from hean.twin.binance.streams import Hub
from hean.twin.binance.words import INTERVALS, MS_NS, ms
from hean.twin.market import BookDiff, TwinMarket
from hean.twin.orders import BookChange, Event, ForcedPrint, TradePrint
from hean.twin.venue import TwinVenue

DIFF_LEVELS = 1_000  # of a side; as deep as the deepest REST snapshot
DEPTH_NS = 250 * MS_NS
TOUCHES_NS = 5_000 * MS_NS  # `!bookTicker`
KLINE_NS = 250 * MS_NS
MARK_NS = 3_000 * MS_NS
TICKER_NS = 2_000 * MS_NS
TICKERS_NS = 1_000 * MS_NS
FORCED_NS = 1_000 * MS_NS
PUBLIC = frozenset({"depth", "rpiDepth", "bookTicker", "trade"})
_STREAM = re.compile(
    r"(?P<symbol>!|[a-z0-9_]{1,30}@)(?P<kind>[a-zA-Z]+?)(?P<depth>5|10|20)?"
    r"(_(?P<interval>[0-9]{1,2}[a-zA-Z]))?(?P<array>@arr)?(@(?P<rhythm>[0-9]{1,4}m?s))?"
)
KINDS = PUBLIC | {
    "aggTrade",
    "markPrice",
    "kline",
    "continuousKline",
    "ticker",
    "miniTicker",
    "forceOrder",
    "contractInfo",
}
PERPETUAL = "_perpetual"
RHYTHMS = {
    "100ms": 100 * MS_NS,
    "250ms": 250 * MS_NS,
    "500ms": 500 * MS_NS,
    "0ms": 0,
    "1s": 1_000 * MS_NS,
}

Make = Callable[[int], Any]
"""The next frame at a time, `None` if there is nothing to say."""


@dataclass(slots=True)
class Rhythm:
    """A stream with a rhythm."""

    make: Make
    every_ns: int
    due_ns: int = 0


@dataclass(slots=True)
class DiffChain:
    """One diff stream of a market. *first*: where its next frame begins; *previous*: where the last
    one ended.
    """

    market: TwinMarket
    diff: BookDiff
    first: int = 0
    previous: int = 0

    def restart(self) -> None:
        """Forget what changed while nobody listened."""
        self.diff.start()
        self.previous = self.first = self.market.update_id

    def next(self, now_ns: int) -> Any:
        """What changed. A snapshot between two frames lies within the second one: its id is at
        least where that begins, and below where it ends.
        """
        market = self.market
        bids, asks = self.diff.taken()
        if not bids and not asks:
            return None
        market.update_id += 1
        ids = (self.first, market.update_id, self.previous)
        self.previous = market.update_id
        market.update_id += 2
        self.first = market.update_id
        return tape.depth_frame(market, ids, (bids, asks), now_ns)


class STREAMS:
    """Publishes the market streams of the USD-M futures."""

    def __init__(self, venue: TwinVenue, hub: Hub) -> None:
        self.venue, self.hub = venue, hub
        self._rhythms: dict[str, Rhythm] = {}
        self._depths: dict[str, dict[str, Rhythm]] = {}
        """Of these, the book streams, by symbol."""
        self._chains: dict[str, DiffChain] = {}
        self._touches: dict[str, tuple[str, str, str, str]] = {}
        self._forced: dict[str, tuple[int, ForcedPrint | None]] = {}

    # --- names

    def carries(self, route: str, stream: str) -> bool:
        """Whether a route has a stream; the wrong route is silent, not refused."""
        found = self._parse(stream)
        if found is None:
            return False
        return route == ("public" if found["kind"] in PUBLIC else "market")

    def started(self, stream: str) -> None:
        """The first listener of a stream came."""
        found = self._parse(stream)
        rhythm = None if found is None else self._rhythm(stream, found)
        if found is None or rhythm is None:
            return
        self._rhythms[stream] = rhythm
        if "epth" in found["kind"]:
            self._depths.setdefault(self._symbol(found), {})[stream] = rhythm

    def stopped(self, stream: str) -> None:
        """The last listener left."""
        self._rhythms.pop(stream, None)
        if stream in self._chains:
            self._chains[stream].diff.stop()
        for streams in self._depths.values():
            streams.pop(stream, None)

    def _parse(self, stream: str) -> dict[str, Any] | None:
        found = _STREAM.fullmatch(stream)
        if found is None or found["kind"] not in KINDS:
            return None
        parts = found.groupdict()
        if parts["symbol"] != "!" and ("linear", self._symbol(parts)) not in self.venue.markets:
            return None
        if parts["kind"] in {"kline", "continuousKline"} and parts["interval"] not in INTERVALS:
            return None
        return parts

    def _symbol(self, parts: dict[str, Any]) -> str:
        return str(parts["symbol"][:-1].removesuffix(PERPETUAL)).upper()

    def lose(self, market: TwinMarket) -> None:
        """The next frames of a market's books do not follow the last ones."""
        for stream, chain in self._chains.items():
            if chain.market is market and stream in self._rhythms:
                chain.restart()

    # --- events

    def on_event(self, event: Event) -> None:
        """A public thing happened."""
        match event:
            case TradePrint():
                self._trade(event)
            case BookChange():
                self._book(event)
            case ForcedPrint():
                symbol = event.market.symbol
                self._forced[symbol] = (self._forced.get(symbol, (0, None))[0], event)

    def _trade(self, print_: TradePrint) -> None:
        name = print_.market.symbol.lower()
        if self.hub.has(f"{name}@trade"):
            self._publish(f"{name}@trade", tape.trade_frame(print_))
        if self.hub.has(f"{name}@aggTrade"):
            self._publish(f"{name}@aggTrade", tape.aggregate_frame(print_))

    def _book(self, change: BookChange) -> None:
        market = change.market
        stream = f"{market.symbol.lower()}@bookTicker"
        if self.hub.has(stream):
            touch = market.touch()
            if self._touches.get(market.symbol) != touch:
                self._touches[market.symbol] = touch
                self._publish(stream, tape.book_frame(market, change.ts_ns))
        if change.is_event and market.is_recorded:
            for name, rhythm in self._depths.get(market.symbol, {}).items():
                self._beat(name, rhythm, change.ts_ns)

    def tick(self, now_ns: int) -> None:
        """Streams whose time has come."""
        for stream, rhythm in list(self._rhythms.items()):
            if rhythm.due_ns <= now_ns:
                rhythm.due_ns = now_ns + rhythm.every_ns
                if not self._is_recorded_book(stream):
                    self._beat(stream, rhythm, now_ns)
        for symbol, (last_ns, forced) in self._forced.items():
            if forced is not None and now_ns - last_ns >= FORCED_NS:
                self._forced[symbol] = (now_ns, None)
                for stream in (f"{symbol.lower()}@forceOrder", "!forceOrder@arr"):
                    self._publish(stream, tape.forced_frame(forced))

    def _is_recorded_book(self, stream: str) -> bool:
        """Books of recorded markets leave with their events, not by the clock."""
        symbol = stream.partition("@")[0].upper()
        market = self.venue.markets.get(("linear", symbol))
        return market is not None and market.is_recorded and stream in self._depths.get(symbol, ())

    def _beat(self, stream: str, rhythm: Rhythm, now_ns: int) -> None:
        frame = rhythm.make(now_ns)
        if frame is not None:
            self._publish(stream, frame)

    def _publish(self, stream: str, frame: Any) -> None:
        self.hub.publish(stream, msgspec.json.encode(frame))

    # --- what a stream with a rhythm says

    def _rhythm(self, stream: str, parts: dict[str, Any]) -> Rhythm | None:
        rhythm_ns = RHYTHMS.get(parts["rhythm"] or "")
        if parts["symbol"] == "!":
            return self._all_markets(parts["kind"], rhythm_ns)
        market = self.venue.markets["linear", self._symbol(parts)]
        match parts["kind"]:
            case "depth" | "rpiDepth":
                every_ns = DEPTH_NS if rhythm_ns is None else rhythm_ns
                if parts["depth"]:
                    return Rhythm(_partial(market, int(parts["depth"])), every_ns)
                return Rhythm(self._chain(stream, market).next, every_ns)
            case "kline" | "continuousKline":
                make = _candles(market, parts["interval"])
                if parts["kind"] == "continuousKline":
                    return Rhythm(_continuous(make), KLINE_NS)
                return Rhythm(make, KLINE_NS)
            case "markPrice":
                return Rhythm(lambda now_ns: tape.mark_frame(market, now_ns), rhythm_ns or MARK_NS)
            case "ticker":
                return Rhythm(lambda now_ns: tape.ticker_frame(market, now_ns), TICKER_NS)
            case "miniTicker":
                return Rhythm(lambda now_ns: tape.mini_frame(market, now_ns), TICKER_NS)
        return None

    def _all_markets(self, kind: str, rhythm_ns: int | None) -> Rhythm | None:
        frames: dict[str, tuple[Callable[[TwinMarket, int], Any], int]] = {
            "markPrice": (tape.mark_frame, rhythm_ns or MARK_NS),
            "ticker": (tape.ticker_frame, TICKERS_NS),
            "miniTicker": (tape.mini_frame, TICKERS_NS),
            "bookTicker": (tape.book_frame, TOUCHES_NS),
        }
        if kind not in frames:
            return None
        frame, every_ns = frames[kind]
        markets = self.venue.markets_of
        return Rhythm(lambda now_ns: [frame(m, now_ns) for m in markets("linear")], every_ns)

    def _chain(self, stream: str, market: TwinMarket) -> DiffChain:
        chain = self._chains.get(stream)
        if chain is None:
            chain = self._chains[stream] = DiffChain(market, BookDiff(market, DIFF_LEVELS))
        chain.restart()
        return chain


def _partial(market: TwinMarket, depth: int) -> Make:
    """The best levels, whenever the book has moved; the shape is that of a diff."""
    previous = 0
    shown: Any = None

    def make(now_ns: int) -> Any:
        nonlocal previous, shown
        levels = market.desk.levels(depth)
        if levels == shown:
            return None
        shown = levels
        ids = (market.update_id, market.update_id, previous)
        previous = market.update_id
        return tape.depth_frame(market, ids, levels, now_ns)

    return make


def _candles(market: TwinMarket, word: str) -> Make:
    """The running candle whenever it has moved, and each candle once more when it is closed."""
    interval_ms = INTERVALS[word]
    running_ms: int | None = None
    shown: Any = None

    def make(now_ns: int) -> Any:
        nonlocal running_ms, shown
        if not market.last:
            return None
        market.candles.price(ms(now_ns), float(market.last))
        candle = market.candles.read(interval_ms, None, None, 1, newest=True)[-1]
        is_closed = running_ms is not None and candle.start_ms != running_ms
        if is_closed:
            candle = market.candles.read(interval_ms, running_ms, None, 1, newest=False)[0]
            running_ms = None
        else:
            running_ms = candle.start_ms
        interval = (word, interval_ms)
        frame = tape.kline_frame(market, candle, interval, is_closed=is_closed, now_ns=now_ns)
        if frame["k"] == shown:
            return None
        shown = frame["k"]
        return frame

    return make


def _continuous(make: Make) -> Make:
    def wrapped(now_ns: int) -> Any:
        frame = make(now_ns)
        return None if frame is None else tape.continuous_frame(frame)

    return wrapped
