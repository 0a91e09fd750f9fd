# SPDX-License-Identifier: Apache-2.0
"""`arriving.py`: a live feed as the market of a simulated venue. Each frame's facts get the moment
they arrived as their time, later than all before, and become columns that the venue plays up to
the present. So a session on a live feed is a backtest whose market is still being made: what it
does depends on facts and their moments alone, not on how fast they were played.

A feed says more than trades happen: which side was the aggressor is taken from the touch, and
funding is settled on schedule at the rate last told, even while the feed is down. It decides no
fill; the venue does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from hean._core import Instrument, SimVenue
from hean.core.ports import Instant
from hean.core.types import Book, EventType, Funding, Payload, Tick
from hean.data.fingerprint import Fingerprint
from hean.data.instruments import Fees, Rules
from hean.errors import ParameterInvalid
from hean.feeds.history import NANOSECONDS, Market
from hean.feeds.listing import Listed, TierTexts
from hean.venues.sim import SimulatedVenue

BUY, SELL = 0, 1
SNAPSHOT_BEGIN, EVENT_END = 1, 2  # flags of depth rows
FUNDING_NS = 8 * 3_600_000_000_000  # where the listing does not say
GRID_TOLERANCE = 1e-4  # ticks, as in the core
KEPT_ROWS = 10_000  # of each symbol for strategies that look back: minutes of a busy market
SPAN_NS = 86_400_000_000_000  # a session without an end still needs a chart's scale

_KINDS = {
    "trades": (np.int64, np.float64, np.float64, np.uint8),
    "quotes": (np.int64, np.float64, np.float64, np.float64, np.float64),
    "depth": (np.int64, np.uint8, np.float64, np.float64, np.uint8),
    "funding": (np.int64, np.float64),
}
_TAPE, _TOUCH = ("price", "qty"), ("bid", "ask")  # columns to look back at
Row = tuple[Any, ...]


class Terms(msgspec.Struct, frozen=True):
    """The trading rules of a symbol as text, as a journal keeps them. Empty: not stated."""

    symbol: str
    kind: str
    tick: str
    lot: str
    quantity_min: str
    quantity_max: str
    notional_min: str
    tiers: tuple[TierTexts, ...]
    maker: str
    taker: str
    funding_interval_s: int

    def instrument(self) -> Instrument:
        """The rules as the core applies them."""
        return Instrument(
            self.symbol,
            self.kind,
            self.tick,
            self.lot,
            quantity_min=self.quantity_min,
            quantity_max=self.quantity_max or None,
            notional_min=self.notional_min,
            tiers=list(self.tiers),
        )


def terms_of(row: Listed) -> Terms:
    """The terms of a listed symbol."""
    return Terms(
        row.symbol,
        row.instrument.kind,
        f"{row.tick:f}",
        f"{row.lot:f}",
        f"{row.quantity_min:f}",
        f"{row.quantity_max:f}" if row.quantity_max is not None else "",
        f"{row.notional_min:f}",
        row.tiers,
        f"{row.fees.maker:f}",
        f"{row.fees.taker:f}",
        row.funding_interval_s or 0,
    )


class ArrivingMarket:
    """The market of a session, as `Backtest` wants it (`MarketData`).

    *terms*: of its symbols; *origin*: what the feed is, for people.
    """

    def __init__(self, terms: Sequence[Terms], *, start_ns: int, origin: str) -> None:
        self.start_ns = start_ns
        self.end_ns = start_ns + SPAN_NS
        """Where charts end; set when the session does."""
        self.fingerprints: list[Fingerprint] = []
        self.notes = [f"live from {origin}, not recorded"]
        self.markets: dict[str, Market] = {}
        self.off_grid = 0
        """Trades left out because their price lies on no tick."""
        self.plain: deque[tuple[int, Payload]] = deque()
        """Facts that are no market data, with their moments."""
        self.until_ns = start_ns
        """The present: everything before it may be played."""
        self.free_ns = start_ns
        """The first moment a fact to come may get: all before is told, or played."""
        self._symbols: dict[str, _Symbol] = {}
        self._changed: dict[str, _Symbol] = {}  # have rows to hand over: few of many, each time
        self._due_ns = 0  # of the next settlement of any symbol, 0 while none is known
        for row in terms:
            instrument = row.instrument()
            fees = Fees(Decimal(row.maker), Decimal(row.taker))
            rules = Rules(instrument, fees, row.tick, row.lot, ())
            self.markets[row.symbol] = Market(row.symbol, rules)
            interval_ns = row.funding_interval_s * 1_000_000_000 or FUNDING_NS
            self._symbols[row.symbol] = _Symbol(instrument.tick_size, interval_ns)

    def take(self, at_ns: int, facts: tuple[Payload, ...]) -> int:
        """Keep the facts of one frame until they are played. *Returns*: the moment they got."""
        at_ns = max(at_ns, self.free_ns)
        self.free_ns = at_ns + 1
        for fact in facts:
            match fact:
                case Tick():
                    self._tick(at_ns, fact)
                case Book():
                    self._book(at_ns, fact)
                case Funding():
                    self._funding(at_ns, fact)
                case _:
                    self.plain.append((at_ns, fact))
        return at_ns

    def source(self, venue: SimulatedVenue, look_back: LookBack) -> ArrivingSource:
        """Who plays it."""
        return ArrivingSource(venue, self, look_back)

    def hand_over(self, core: SimVenue, until_ns: int) -> None:
        """Give everything before *until_ns* to a venue that has played all that came before."""
        self.until_ns = until_ns
        self.free_ns = max(self.free_ns, until_ns)
        if 0 < self._due_ns < until_ns:
            self._changed |= {n: it for n, it in self._symbols.items() if it.settle(until_ns)}
            self._due_ns = min(it.due_ns for it in self._symbols.values() if it.due_ns)
        for name, symbol in self._changed.items():
            for kind, rows in symbol.rows.items():
                if rows:
                    symbol.streams[kind] = _add(core, name, kind, rows, symbol.streams[kind])
                    rows.clear()
        self._changed.clear()

    def feed(self, core: SimVenue) -> None:
        """Open the streams of a venue that lists the symbols; nothing is in them yet."""
        for name, symbol in self._symbols.items():
            is_spot = self.markets[name].rules.instrument.kind == "spot"
            for kind in symbol.rows:
                if not (is_spot and kind == "funding"):
                    symbol.streams[kind] = _add(core, name, kind, [], None)

    def closes(self, symbol: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Times (ns) and last prices, one a second at most."""
        rows = self._symbols[symbol].closes
        times = np.array([ts for ts, _ in rows], np.int64)
        return times, np.array([price for _, price in rows], np.float64)

    def _tick(self, at_ns: int, tick: Tick) -> None:
        symbol = self._changed[tick.symbol] = self._symbols[tick.symbol]
        if not tick.volume:
            symbol.rows["quotes"].append((at_ns, tick.bid or 0.0, 0.0, tick.ask or 0.0, 0.0))
            return
        ticks = tick.price / symbol.tick_size
        if abs(ticks - round(ticks)) > GRID_TOLERANCE:
            self.off_grid += 1
            return
        row = (at_ns, tick.price, tick.volume, symbol.aggressor(tick))
        symbol.rows["trades"].append(row)
        symbol.traded(at_ns, tick.price)

    def _book(self, at_ns: int, book: Book) -> None:
        symbol = self._changed[book.symbol] = self._symbols[book.symbol]
        rows = symbol.rows["depth"]
        levels = [(at_ns, BUY, price, quantity, 0) for price, quantity in book.bids]
        levels += [(at_ns, SELL, price, quantity, 0) for price, quantity in book.asks]
        if not levels:
            if not book.is_snapshot:
                return
            levels.append((at_ns, BUY, 0.0, 0.0, 0))  # how the venue is told of an empty book
        if book.is_snapshot:
            levels[0] = (*levels[0][:4], SNAPSHOT_BEGIN)
        levels[-1] = (*levels[-1][:4], levels[-1][4] | EVENT_END)
        rows.extend(levels)

    def _funding(self, at_ns: int, funding: Funding) -> None:
        symbol = self._changed[funding.symbol] = self._symbols[funding.symbol]
        symbol.settle(at_ns)
        symbol.rate = funding.rate
        # A venue may go on announcing a settlement for a while after it was due: it is one payment.
        if funding.next_ts > symbol.settled_ns:
            symbol.due_ns = max(funding.next_ts, at_ns)
        self._due_ns = min((it.due_ns for it in self._symbols.values() if it.due_ns), default=0)


class _Symbol:
    """What has arrived of one symbol and was not played yet."""

    __slots__ = (
        "_last",
        "closes",
        "due_ns",
        "interval_ns",
        "rate",
        "rows",
        "settled_ns",
        "streams",
        "tick_size",
    )

    def __init__(self, tick_size: float, interval_ns: int) -> None:
        self.tick_size = tick_size
        self.interval_ns = interval_ns
        self.rows: dict[str, list[Row]] = {kind: [] for kind in _KINDS}
        self.streams: dict[str, int | None] = dict.fromkeys(_KINDS)
        self.rate = 0.0
        self.due_ns = 0
        """The next settlement, 0 while none is known."""
        self.settled_ns = 0
        """When the last settlement was due."""
        self.closes: list[tuple[int, float]] = []
        self._last = (0.0, BUY)

    def settle(self, until_ns: int) -> bool:
        """Settle funding that is due before *until_ns*, at the rate last told. *Returns*: whether
        something was.
        """
        is_due = 0 < self.due_ns < until_ns
        while 0 < self.due_ns < until_ns:
            self.rows["funding"].append((self.due_ns, self.rate))
            self.settled_ns = self.due_ns
            self.due_ns += self.interval_ns
        return is_due

    def aggressor(self, tick: Tick) -> int:
        """Who crossed: at the ask a buyer, at the bid a seller; between them, or without a touch,
        whoever moved the price."""
        price, (last, side) = tick.price, self._last
        if tick.ask is not None and price >= tick.ask:
            side = BUY
        elif tick.bid is not None and price <= tick.bid:
            side = SELL
        elif price != last:
            side = BUY if price > last else SELL
        self._last = (price, side)
        return side

    def traded(self, at_ns: int, price: float) -> None:
        """Keep a price for the chart."""
        second_ns = at_ns - at_ns % 1_000_000_000
        if self.closes and self.closes[-1][0] == second_ns:
            self.closes[-1] = (second_ns, price)
        else:
            self.closes.append((second_ns, price))


class ArrivingSource:
    """Source of a session on a live feed: what has arrived, up to the present.

    Answers `None` when all that was handed over is played. *look_back*: told of each instant.
    """

    def __init__(self, venue: SimulatedVenue, market: ArrivingMarket, look_back: LookBack) -> None:
        self._note = look_back.note
        self._wanted: frozenset[EventType] | None = None
        self._venue = venue
        self._market = market

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Offer only what somebody handles."""
        if wanted != self._wanted:  # it is asked at each play, which may be of one fact
            self._venue.subscribe(wanted)
            self._wanted = wanted

    def next(self, horizon_ns: int | None) -> Instant | None:
        """The next instant before the present, market data and other facts in order of moments."""
        plain, until_ns = self._market.plain, self._market.until_ns
        limit_ns = until_ns if horizon_ns is None else min(horizon_ns, until_ns)
        if plain and plain[0][0] < limit_ns:
            limit_ns = plain[0][0]
        instant = self._venue.next(limit_ns)
        if instant is not None and instant[1]:
            self._note(instant[1])
            return instant
        if plain and plain[0][0] == limit_ns:
            facts = []
            while plain and plain[0][0] == limit_ns:
                facts.append(plain.popleft()[1])
            return limit_ns, tuple(facts)
        return (limit_ns, ()) if limit_ns == horizon_ns else None


class LookBack:
    """`Market` of a session on a live feed: the last rows, because columns are let go when they are
    played. It is told every fact before its handlers are.
    """

    def __init__(self, venue: SimulatedVenue, symbols: Iterable[str]) -> None:
        self.holds = venue.holds
        self.wake = venue.wake
        self._rows: dict[str, dict[str, deque[float]]] = {
            symbol: {name: deque(maxlen=KEPT_ROWS) for name in _TAPE + _TOUCH} for symbol in symbols
        }

    def note(self, facts: tuple[Payload, ...]) -> None:
        """Keep what a strategy may look back at."""
        for fact in facts:
            if not isinstance(fact, Tick):
                continue
            rows = self._rows[fact.symbol]
            if fact.volume:
                rows["price"].append(fact.price)
                rows["qty"].append(fact.volume)
            else:
                rows["bid"].append(fact.bid or 0.0)
                rows["ask"].append(fact.ask or 0.0)

    def window(self, symbol: str, rows: int, column: str = "close") -> npt.NDArray[np.float64]:
        """The last *rows* of `price`, `qty`, `bid` or `ask`. *Raises*: `ParameterInvalid`."""
        kept = self._rows[symbol].get(column)
        if kept is None:
            known = ", ".join(_TAPE + _TOUCH)
            raise ParameterInvalid(f"{symbol} has no column {column!r} here; it has {known}.")
        values = np.array(list(islice(kept, max(0, len(kept) - rows), None)), np.float64)
        values.setflags(write=False)
        return values


def _add(core: SimVenue, symbol: str, kind: str, rows: list[Row], stream: int | None) -> int:
    """Open a stream, or continue one that is played out. *Returns*: its number."""
    parts = zip(*rows, strict=True) if rows else [()] * len(_KINDS[kind])
    columns: list[Any] = [np.array(p, t) for p, t in zip(parts, _KINDS[kind], strict=True)]
    for column in columns:
        column.setflags(write=False)
    ts, *values = columns
    if kind == "quotes":
        return core.add_quotes(symbol, ts, NANOSECONDS, values, refill=stream)
    add: Any = {"trades": core.add_trades, "depth": core.add_depth, "funding": core.add_funding}
    number: int = add[kind](symbol, ts, NANOSECONDS, *values, refill=stream)
    return number
