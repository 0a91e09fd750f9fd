# SPDX-License-Identifier: Apache-2.0
"""`market.py`: the market as a person looks at it: last price, touch, a ladder of the book, the
newest trades, bars for a chart, funding. It is told the facts of the feed as they arrive and keeps
the newest; nothing that decides anything reads it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import groupby

from hean.core.types import Book, Funding, Payload, Tick
from hean.engine.documents import Bar, Ladder, Quote, Trade

BARS_S = {5: (5, 30), 60: (60, 300, 900)}  # lengths that are kept, and what is made of each
NS = 1_000_000_000
KEPT_BARS, KEPT_TRADES, LEVELS = 1_500, 200, 50


class MarketView:
    """The symbols of a session."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self._symbols = {symbol: _Symbol(symbol) for symbol in symbols}

    def see(self, at_ns: int, facts: tuple[Payload, ...]) -> None:
        """The facts of one frame of the feed."""
        for fact in facts:
            match fact:
                case Tick():
                    self._symbols[fact.symbol].tick(at_ns, fact)
                case Book():
                    self._symbols[fact.symbol].book(fact)
                case Funding():
                    self._symbols[fact.symbol].funding = fact

    def quotes(self) -> list[Quote]:
        """A line for each symbol."""
        return [symbol.quote() for symbol in self._symbols.values()]

    def ladder(self, symbol: str, levels: int = 20) -> Ladder:
        """The best levels of both sides. *Raises*: `KeyError`."""
        return self._symbols[symbol].ladder(min(levels, LEVELS))

    def trades(self, symbol: str) -> list[Trade]:
        """The newest first. *Raises*: `KeyError`."""
        return list(self._symbols[symbol].trades)

    def bars(self, symbol: str, seconds: int) -> list[Bar]:
        """One for each 5, 30, 60, 300 or 900 *seconds* with a trade, the oldest first; the last one
        still grows. *Raises*: `KeyError`.
        """
        kept_s = next(kept_s for kept_s, made in BARS_S.items() if seconds in made)
        kept = self._symbols[symbol].bars[kept_s]
        return list(kept) if kept_s == seconds else _gathered(kept, seconds * NS)


class _Symbol:
    def __init__(self, name: str) -> None:
        self.name = name
        self.funding: Funding | None = None
        self.trades: deque[Trade] = deque(maxlen=KEPT_TRADES)
        self.bars = {seconds: deque[Bar](maxlen=KEPT_BARS) for seconds in BARS_S}
        self._price: float | None = None
        self._touch: tuple[float | None, float | None] = (None, None)
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._at_ns = 0

    def tick(self, at_ns: int, tick: Tick) -> None:
        self._at_ns = at_ns
        if tick.bid is not None or tick.ask is not None:
            self._touch = (tick.bid, tick.ask)
        if not tick.volume:
            return
        self._price = tick.price
        side = "BUY" if tick.ask is not None and tick.price >= tick.ask else "SELL"
        trade = Trade(ts=at_ns, price=tick.price, qty=tick.volume, side=side)
        self.trades.appendleft(trade)
        for seconds, bars in self.bars.items():
            _grow(bars, at_ns - at_ns % (seconds * NS), tick.price, tick.volume)

    def book(self, book: Book) -> None:
        if book.is_snapshot:
            self._bids.clear()
            self._asks.clear()
        for side, levels in ((self._bids, book.bids), (self._asks, book.asks)):
            for price, quantity in levels:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)

    def ladder(self, levels: int) -> Ladder:
        bids = sorted(self._bids.items(), reverse=True)[:levels]
        return Ladder(symbol=self.name, bids=bids, asks=sorted(self._asks.items())[:levels])

    def quote(self) -> Quote:
        bid, ask = self._touch
        bid = max(self._bids, default=bid)
        ask = min(self._asks, default=ask)
        return Quote(
            symbol=self.name,
            price=self._price,
            bid=bid,
            ask=ask,
            spread_bps=(ask - bid) / ask * 1e4 if bid and ask else None,
            funding_rate=self.funding.rate if self.funding else None,
            next_funding=self.funding.next_ts or None if self.funding else None,
            ts=self._at_ns or None,
        )


def _gathered(bars: Iterable[Bar], length_ns: int) -> list[Bar]:
    """Longer bars made of shorter ones."""
    found: list[Bar] = []
    for begun_ns, group in groupby(bars, lambda bar: bar.ts - bar.ts % length_ns):
        parts = list(group)
        found.append(
            Bar(
                ts=begun_ns,
                open=parts[0].open,
                high=max(bar.high for bar in parts),
                low=min(bar.low for bar in parts),
                close=parts[-1].close,
                volume=sum(bar.volume for bar in parts),
            )
        )
    return found


def _grow(bars: deque[Bar], begun_ns: int, price: float, volume: float) -> None:
    """Put a trade into the bar that is open, or open the next."""
    last = bars[-1] if bars else None
    if last is None or last.ts != begun_ns:
        bar = Bar(ts=begun_ns, open=price, high=price, low=price, close=price, volume=volume)
        bars.append(bar)
        return
    bars[-1] = last.model_copy(
        update={
            "high": max(last.high, price),
            "low": min(last.low, price),
            "close": price,
            "volume": last.volume + volume,
        }
    )
