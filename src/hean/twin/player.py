# SPDX-License-Identifier: Apache-2.0
"""`player.py`: brings a market to the twin, in the host's time. A script is a list of moments, each
with something to do; the player waits for the moment and does it. Recorded files and the generated
market differ only in who writes the script. `speed` is market seconds per second.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hean.data.schema import Kind
from hean.feeds.capture import Capture
from hean.feeds.generated import CHUNK_NS, GeneratedMarket, MarketChunk
from hean.feeds.history import History
from hean.twin.ladder import Ladder
from hean.twin.market import TwinMarket
from hean.twin.venue import TwinVenue

STEP_S = 0.005  # how finely the twin's time is cut; a socket's jitter is coarser
LATE_NS = 1_000_000_000  # behind its time, before the market goes slower
SNAPSHOT_BEGIN, EVENT_END = 1, 2
Act = Callable[[int], None]
"""Told the moment it was due, in the host's time."""
Moment = tuple[int, Act]


class Script(Protocol):
    """A market as moments in order of time (ns of the market's own time)."""

    start_ns: int

    def moments(self) -> Iterator[Moment]:
        """Every moment, oldest first."""
        ...


async def play(
    script: Script,
    *,
    now: Callable[[], int],
    speed: float = 1.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Play a script to its end from this moment on. Where the machine is too slow for *speed*, the
    market goes slower, and everybody else still gets their turn.
    """
    began_ns = rested_ns = now()
    for ts_ns, act in script.moments():
        due_ns = began_ns + int((ts_ns - script.start_ns) / speed)
        while (ahead_s := (due_ns - now()) / 1e9) > 0:
            await sleep(min(max(ahead_s, STEP_S), 1.0))
            rested_ns = now()
        act(due_ns)
        now_ns = now()
        if now_ns - rested_ns > STEP_S * 1e9:
            began_ns += max(now_ns - due_ns - LATE_NS, 0)
            await sleep(0)
            rested_ns = now()


class GeneratedScript:
    """The generated market on every listed symbol it makes; spot stands below the perpetual by its
    premium.
    """

    def __init__(self, venue: TwinVenue, generated: GeneratedMarket) -> None:
        self.venue = venue
        self.generated = generated
        self.start_ns = generated.start_ns
        self._ladders: dict[tuple[str, str], Ladder] = {}

    def moments(self) -> Iterator[Moment]:
        """Minute by minute, without end."""
        number = 0
        while True:
            chunks = self.generated.chunk(number)
            yield from sorted(self._minute(chunks), key=lambda moment: moment[0])
            number += 1

    def _minute(self, chunks: Mapping[str, MarketChunk]) -> Iterator[Moment]:
        for symbol, chunk in chunks.items():
            for kind in ("linear", "spot"):
                market = self.venue.markets.get((kind, symbol))
                if market is not None:
                    yield from self._market(market, chunk)

    def _market(self, market: TwinMarket, chunk: MarketChunk) -> Iterator[Moment]:
        premium = 1.0 + (chunk.premium[0] if len(chunk.premium) else 0.0)
        divisor = premium if market.listing.market == "spot" else 1.0
        desk = market.desk
        columns = (chunk.bid, chunk.bid_qty, chunk.ask, chunk.ask_qty)
        for ts, bid, bid_qty, ask, ask_qty in zip(
            chunk.quote_ts.tolist(), *(column.tolist() for column in columns), strict=True
        ):
            low, high = desk.count(bid / divisor, bid_qty), desk.count(ask / divisor, ask_qty)
            yield ts, _quote(self, market, low, high, index=(bid + ask) / 2 / premium)
        for ts, price, qty, side in zip(
            chunk.trade_ts.tolist(),
            chunk.trade_price.tolist(),
            chunk.trade_qty.tolist(),
            chunk.trade_side.tolist(),
            strict=True,
        ):
            ticks, lots = desk.count(price / divisor, qty)
            yield ts, _trade(self.venue, market, ticks, max(lots, 1), is_buy=side == 0)
        for ts, rate in zip(chunk.funding_ts.tolist(), chunk.funding_rate.tolist(), strict=True):
            yield ts, _funding(market, rate)

    def quote(
        self, market: TwinMarket, bid: tuple[int, int], ask: tuple[int, int], index: float
    ) -> None:
        """Show a new touch."""
        low, high = (bid[0], max(bid[1], 1)), (max(ask[0], bid[0] + 1), max(ask[1], 1))
        ladder = self._ladders.get(market.key)
        if ladder is None:
            ladder = self._ladders[market.key] = Ladder(low[1])
            market.opened(float(market.price(low[0])), self.venue.now())
        is_snapshot, bids, asks = ladder.quote(low, high)
        self.venue.market_depth(market, bids, asks, is_snapshot=is_snapshot)
        middle = market.price(low[0] + high[0]) / 2
        if market.listing.market == "linear":
            step = market.listing.tick
            market.marked(self.venue.now(), middle, Decimal(str(index)) // step * step)
        else:
            market.mark = market.index = middle + market.shifted_by


def _quote(
    script: GeneratedScript,
    market: TwinMarket,
    bid: tuple[int, int],
    ask: tuple[int, int],
    *,
    index: float,
) -> Act:
    return lambda _: script.quote(market, bid, ask, index)


def _trade(venue: TwinVenue, market: TwinMarket, ticks: int, lots: int, *, is_buy: bool) -> Act:
    return lambda at_ns: venue.market_trade(market, ticks, lots, is_buy=is_buy, at_ns=at_ns)


def _funding(market: TwinMarket, rate: float) -> Act:
    def act(_: int) -> None:
        market.funding_rate = Decimal(f"{rate:.8f}")

    return act


class RecordedScript:
    """Recorded files: captures as they were, trades and candles with depth made up around them."""

    def __init__(self, venue: TwinVenue, kind: str, history: History) -> None:
        self.venue = venue
        self.history = history
        self.start_ns = history.start_ns
        self._kind = kind
        self._ladders: dict[str, Ladder] = {}
        self._marked_symbols: set[str] = set()

    def moments(self) -> Iterator[Moment]:
        """Everything recorded, merged by time; at one time books go before trades."""
        found: list[tuple[int, int, Act]] = []
        for symbol, recorded in self.history.markets.items():
            market = self.venue.markets[self._kind, symbol]
            for capture in recorded.captures:
                found.extend(self._capture(market, capture))
            if not recorded.captures:
                for columns in recorded.columns:
                    found.extend(self._columns(market, columns.kind, columns.ts, columns.values))
        found.sort(key=lambda moment: moment[:2])
        for ts_ns, _, act in found:
            yield ts_ns, act

    def _capture(self, market: TwinMarket, capture: Capture) -> Iterator[tuple[int, int, Act]]:
        has_depth = len(capture.depth["ts_ns"]) > 0
        market.is_recorded = has_depth
        if has_depth:
            for ts_ns, rank, is_snapshot, bids, asks in depth_events(market.desk, capture.depth):
                yield ts_ns, rank, self._depth(market, bids, asks, is_snapshot=is_snapshot)
        trades = capture.trades
        for ts, arrival, price, qty, side in _rows(
            trades, "ts_ns", "arrival", "price", "quantity", "side"
        ):
            ticks, lots = market.desk.count(price, qty)
            yield (
                ts,
                int(arrival),
                self._taped(market, ticks, lots, is_buy=side == 0, has_depth=has_depth),
            )
        for ts, arrival, mark, index, rate, next_ns in _rows(
            capture.marks, "ts_ns", "arrival", "mark", "index", "funding_rate", "next_funding_ns"
        ):
            yield ts, int(arrival), self._marked(market, mark, index, rate=rate)

    def _columns(
        self, market: TwinMarket, kind: Kind, ts: npt.NDArray[np.int64], values: Mapping[str, Any]
    ) -> Iterator[tuple[int, int, Act]]:
        if kind is Kind.TRADES:
            rows = zip(
                ts.tolist(), *(values[n].tolist() for n in ("price", "qty", "side")), strict=True
            )
            for when, price, qty, side in rows:
                ticks, lots = market.desk.count(price, qty)
                yield when, 0, self._taped(market, ticks, lots, is_buy=side == 0, has_depth=False)
        if kind is Kind.CANDLES:
            step = int(np.diff(ts).min()) if len(ts) > 1 else CHUNK_NS
            names = ("open", "high", "low", "close", "volume")
            for when, *prices, volume in zip(
                ts.tolist(), *(values[name].tolist() for name in names), strict=True
            ):
                yield from self._walked(market, when, step, prices, volume=volume)

    def _walked(
        self, market: TwinMarket, when: int, step: int, prices: list[float], *, volume: float
    ) -> Iterator[tuple[int, int, Act]]:
        """A candle as four trades: open, nearer extreme, other extreme, close."""
        opened, high, low, close = prices
        middle = [low, high] if opened - low < high - opened else [high, low]
        for part, price in enumerate([opened, *middle, close]):
            ticks, lots = market.desk.count(price, volume / 4)
            rises = part > 0 and price >= [opened, *middle, close][part - 1]
            at = when + part * (step - 1_000_000) // 3
            yield at, 0, self._taped(market, ticks, max(lots, 1), is_buy=rises, has_depth=False)

    def _depth(
        self,
        market: TwinMarket,
        bids: list[tuple[int, int]],
        asks: list[tuple[int, int]],
        *,
        is_snapshot: bool,
    ) -> Act:
        def act(_: int) -> None:
            if not market.last and bids:
                market.opened(float(market.price(max(bids)[0])), self.venue.now())
            self.venue.market_depth(market, bids, asks, is_snapshot=is_snapshot, is_event=True)
            self._mark_middle(market)

        return act

    def _taped(
        self, market: TwinMarket, ticks: int, lots: int, *, is_buy: bool, has_depth: bool
    ) -> Act:
        def act(at_ns: int) -> None:
            if not market.last:
                market.opened(float(market.price(ticks)), self.venue.now())
            if not has_depth:
                ladder = self._ladders.setdefault(market.symbol, Ladder(max(lots, 10)))
                bid = ticks - 1 if is_buy else ticks
                level = ladder.quote((bid, ladder.lots(bid)), (bid + 1, ladder.lots(bid + 1)))
                self.venue.market_depth(market, level[1], level[2], is_snapshot=level[0])
                self._mark_middle(market)
            self.venue.market_trade(market, ticks, lots, is_buy=is_buy, at_ns=at_ns)

        return act

    def _marked(self, market: TwinMarket, mark: float, index: float, *, rate: float) -> Act:
        def act(_: int) -> None:
            self._marked_symbols.add(market.symbol)
            price = market.price(market.desk.count(mark, 1.0)[0])
            other = mark if math.isnan(index) else index
            market.marked(self.venue.now(), price, Decimal(f"{other:.8f}"))
            if not math.isnan(rate):
                market.funding_rate = Decimal(f"{rate:.8f}")

        return act

    def _mark_middle(self, market: TwinMarket) -> None:
        bid, ask = market.best("BUY"), market.best("SELL")
        if bid is not None and ask is not None and market.symbol not in self._marked_symbols:
            middle = (bid + ask) / 2 - market.shifted_by
            market.marked(self.venue.now(), middle, middle)


def _rows(table: Mapping[str, npt.NDArray[Any]], *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].tolist() for name in names), strict=True)


class Grid(Protocol):
    """What turns recorded floats into counts."""

    def count(self, price: float, quantity: float) -> tuple[int, int]:
        """Ticks and lots."""
        ...


def depth_events(
    grid: Grid, depth: Mapping[str, npt.NDArray[Any]]
) -> Iterator[tuple[int, int, bool, list[tuple[int, int]], list[tuple[int, int]]]]:
    """Recorded book events: time, rank, is snapshot, bids, asks in ticks and lots."""
    is_snapshot, bids, asks = False, list[tuple[int, int]](), list[tuple[int, int]]()
    for ts, arrival, side, price, qty, flags in _rows(
        depth, "ts_ns", "arrival", "side", "price", "quantity", "flags"
    ):
        is_snapshot |= bool(flags & SNAPSHOT_BEGIN)
        if price:
            (bids if side == 0 else asks).append(grid.count(price, qty))
        if flags & EVENT_END:
            yield ts, int(arrival), is_snapshot, bids, asks
            is_snapshot, bids, asks = False, [], []
