# SPDX-License-Identifier: Apache-2.0
"""`history.py`: recorded files become the market of a simulated venue. Files are read and proven
by `hean.data`, cut to the asked-for period without a copy, and handed to the Rust venue as
columns. What was read is described by fingerprints; what was assumed is said in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hean._core import SimVenue
from hean.core.listing import listing_of, pair_of
from hean.data.captures import is_capture
from hean.data.fingerprint import Fingerprint, fingerprint, iso_utc, sha256_of
from hean.data.instruments import Rules, fees_for, instrument_for, on_grid, rules_for
from hean.data.reader import Columns, read_columns
from hean.data.schema import Kind
from hean.errors import DataInvalid, UnknownSymbol
from hean.feeds.capture import Capture, read_capture

Array = npt.NDArray[np.float64]
Table = Mapping[str, npt.NDArray[Any]]
NANOSECONDS = 1  # scale of `ts`: the readers give nanoseconds


@dataclass(frozen=True, slots=True)
class Market:
    """All recorded streams of one symbol."""

    symbol: str
    rules: Rules
    columns: tuple[Columns, ...] = ()
    captures: tuple[Capture, ...] = ()

    @property
    def timeframe(self) -> str | None:
        """The shortest recorded bar, `None` without bars."""
        bars = [c for c in self.columns if c.kind is Kind.CANDLES and c.step_ns is not None]
        return min(bars, key=lambda c: c.step_ns or 0).timeframe if bars else None


@dataclass(frozen=True, slots=True)
class History:
    """A recorded market: what `load_history` read."""

    markets: dict[str, Market]
    fingerprints: list[Fingerprint]
    start_ns: int
    end_ns: int
    notes: list[str] = field(default_factory=list)

    def feed(self, core: SimVenue) -> None:
        """Hand every stream, cut to the period, to a venue that lists the symbols."""
        for market in self.markets.values():
            for columns in market.columns:
                _feed_columns(core, market.symbol, columns, period=(self.start_ns, self.end_ns))
            for capture in market.captures:
                _feed_capture(core, market.symbol, capture, period=(self.start_ns, self.end_ns))

    def closes(self, symbol: str) -> tuple[npt.NDArray[np.int64], Array]:
        """Times (ns) and prices for a chart: closes of bars at their end, or trades, or quotes."""
        market = self.markets[symbol]
        bars = [c for c in market.columns if c.kind is Kind.CANDLES]
        if bars:
            step_ns = min(c.step_ns or 0 for c in bars)
            finest = [c for c in bars if c.step_ns == step_ns]
            return self._joined([(c.ts + step_ns, c.values["close"]) for c in finest], step_ns)
        tapes = [(c.ts, c.values["price"]) for c in market.columns if c.kind is Kind.TRADES]
        tapes += [(c.trades["ts_ns"], c.trades["price"]) for c in market.captures]
        if not any(len(ts) for ts, _ in tapes):
            quotes = [c.quotes for c in market.captures]
            tapes = [(q["ts_ns"], (q["bid"] + q["ask"]) / 2) for q in quotes]
        return self._joined(tapes, 0)

    def _joined(
        self, tapes: Sequence[tuple[npt.NDArray[np.int64], Array]], step_ns: int
    ) -> tuple[npt.NDArray[np.int64], Array]:
        """Tapes of several files as one in order of time, cut to the period as it is played."""
        ts = np.concatenate([np.empty(0, np.int64), *(tape[0] for tape in tapes)])
        price = np.concatenate([np.empty(0, np.float64), *(tape[1] for tape in tapes)])
        order = np.argsort(ts, kind="stable")
        cut = _cut(ts[order], self.start_ns + step_ns, end_ns=self.end_ns)
        return ts[order][cut], price[order][cut]


def load_history(
    files: Sequence[Path],
    symbols: Sequence[str],
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    market: Literal["spot", "linear"] | None = None,
) -> History:
    """Read and prove *files*; keep what belongs to *symbols* inside the period. *market*: needed
    where a capture holds a symbol on both and the symbol does not say which.

    A file that holds one other symbol is refused, not ignored; so are files of two markets for a
    symbol that names none. *Raises*: `DataInvalid`, `UnknownSymbol`.
    """
    if not files:
        raise DataInvalid("no data given; name at least one file with --data.")
    columns: dict[str, list[Columns]] = {symbol: [] for symbol in symbols}
    captures: dict[str, list[Capture]] = {symbol: [] for symbol in symbols}
    prints: list[Fingerprint] = []
    for path in files:
        if is_capture(path):
            for symbol in symbols:
                capture = read_capture(path, pair_of(symbol), market=_captured(symbol) or market)
                captures[symbol].append(capture)
                prints.append(_capture_print(path, capture))
            continue
        read = read_columns(path, symbol=pair_of(symbols[0]) if len(symbols) == 1 else None)
        symbol = _asked_for(read, symbols)
        if read.kind is not Kind.FLOW:
            columns[symbol].append(read)
        prints.append(fingerprint(read))
    markets = {
        symbol: _market(symbol, tuple(columns[symbol]), captures=tuple(captures[symbol]))
        for symbol in symbols
    }
    first, last = _span(markets.values())
    begin, end = max(start_ns or first, first), min(end_ns or last, last)
    if begin >= end:
        raise DataInvalid(
            f"no data between {iso_utc(start_ns or first)} and {iso_utc(end_ns or last)}; "
            f"the files hold {iso_utc(first)} to {iso_utc(last)}."
        )
    notes = [note for market in markets.values() for note in market.rules.assumptions]
    return History(markets, prints, begin, end, notes)


def _captured(symbol: str) -> Literal["spot", "linear"] | None:
    """The market that a symbol names, in the words of captures."""
    match listing_of(symbol).market:
        case "spot":
            return "spot"
        case "perp":
            return "linear"
    return None


def _asked_for(read: Columns, symbols: Sequence[str]) -> str:
    """The one symbol that a file belongs to."""
    fits = [s for s in symbols if listing_of(s).covers(read.symbol, read.market, read.venue)]
    if len(fits) == 1:
        return fits[0]
    place = ".".join(part for part in (read.venue, read.market) if part)
    what = f"{read.path.name} holds {read.symbol}{f' of {place}' if place else ''}"
    if fits:
        raise UnknownSymbol(f"{what}, which fits {' and '.join(fits)}; name their markets.")
    raise UnknownSymbol(f"{what}; asked for {', '.join(symbols)}.")


def _market(symbol: str, columns: tuple[Columns, ...], *, captures: tuple[Capture, ...]) -> Market:
    tradable = [c for c in columns if c.kind in (Kind.CANDLES, Kind.TRADES)]
    if tradable:
        places = sorted({c.market for c in tradable if c.market})
        if len(places) > 1:
            names = " or ".join(f"{symbol}@{place}" for place in places)
            raise DataInvalid(f"the files hold {symbol} of several markets; name it {names}.")
        return Market(symbol, rules_for(tradable, symbol), columns, captures)
    if not captures:
        raise DataInvalid(f"no prices of {symbol} in the given files.")
    report = captures[0].report
    venue, market = report.venue, report.market or "perp"
    market = {"linear": "perp", "usdm": "perp"}.get(market, market)
    instrument = instrument_for(venue, market, pair_of(symbol), name=symbol)
    prices = np.concatenate([c.trades["price"] for c in captures])
    if len(prices) and not on_grid(prices, instrument.tick_size):
        raise DataInvalid(f"{symbol}: recorded trades are off the tick {instrument.tick_size:g}.")
    rules = Rules(instrument, fees_for(venue, market), str(instrument.tick_size),
                  str(instrument.lot_size), ())  # fmt: skip
    return Market(symbol, rules, columns, captures)


def _span(markets: Iterable[Market]) -> tuple[int, int]:
    """First and last moment at which prices exist."""
    firsts, lasts = [], []
    for market in markets:
        for columns in market.columns:
            if columns.kind in (Kind.CANDLES, Kind.TRADES) and columns.rows:
                firsts.append(int(columns.ts[0]))
                lasts.append(int(columns.ts[-1]) + (columns.step_ns or 0))
        for capture in market.captures:
            for table in (capture.depth, capture.trades, capture.quotes):
                if len(table["ts_ns"]):
                    firsts.append(int(table["ts_ns"][0]))
                    lasts.append(int(table["ts_ns"][-1]))
    if not firsts:
        raise DataInvalid("the given files hold no prices.")
    return min(firsts), max(lasts)


def _cut(ts: npt.NDArray[np.int64], start_ns: int, *, end_ns: int) -> slice:
    """Rows with start <= ts <= end."""
    low = np.searchsorted(ts, start_ns, side="left")
    return slice(int(low), int(np.searchsorted(ts, end_ns, side="right")))


def _feed_columns(
    core: SimVenue, symbol: str, columns: Columns, *, period: tuple[int, int]
) -> None:
    start_ns, end_ns = period
    # A bar belongs to the period if it ends in it; funding is paid in an instant.
    step = (columns.step_ns or 0) if columns.kind is Kind.CANDLES else 0
    cut = _cut(columns.ts, start_ns, end_ns=end_ns - step)
    ts, values = columns.ts[cut], {name: v[cut] for name, v in columns.values.items()}
    match columns.kind:
        case Kind.CANDLES:
            five = [values[name] for name in ("open", "high", "low", "close", "volume")]
            core.add_candles(symbol, str(columns.timeframe), step, ts, NANOSECONDS, five)
        case Kind.TRADES:
            core.add_trades(symbol, ts, NANOSECONDS, values["price"], values["qty"], values["side"])
        case Kind.FUNDING:
            core.add_funding(symbol, ts, NANOSECONDS, values["rate"])
        case _:
            raise DataInvalid(f"{columns.path.name}: {columns.kind} data cannot be played.")


def _feed_capture(
    core: SimVenue, symbol: str, capture: Capture, *, period: tuple[int, int]
) -> None:
    start_ns, end_ns = period

    def cut(table: Table, names: Sequence[str]) -> list[npt.NDArray[Any]]:
        rows = _cut(table["ts_ns"], start_ns, end_ns=end_ns)
        return [_frozen(table[name][rows]) for name in ("ts_ns", *names)]

    # A book cannot be cut at its start: it is built from the first row on.
    depth = capture.depth
    if len(depth["ts_ns"]):
        rows = slice(0, int(np.searchsorted(depth["ts_ns"], end_ns, side="right")))
        ts, side, price, qty, flags = (
            _frozen(depth[name][rows]) for name in ("ts_ns", "side", "price", "quantity", "flags")
        )
        core.add_depth(symbol, ts, NANOSECONDS, side, price, qty, flags)
    if len(capture.trades["ts_ns"]):
        ts, price, qty, side = cut(capture.trades, ("price", "quantity", "side"))
        core.add_trades(symbol, ts, NANOSECONDS, price, qty, side)
    if len(capture.quotes["ts_ns"]):
        names = ("bid", "bid_quantity", "ask", "ask_quantity")
        ts, *four = cut(capture.quotes, names)
        core.add_quotes(symbol, ts, NANOSECONDS, four)


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array, contiguous and read-only, as the core demands of what it borrows."""
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def _capture_print(path: Path, capture: Capture) -> Fingerprint:
    times = [t["ts_ns"] for t in (capture.depth, capture.trades, capture.quotes) if len(t["ts_ns"])]
    return Fingerprint(
        file=path.name,
        sha256=sha256_of(path),
        rows=capture.report.lines,
        first_ts=iso_utc(min(int(t[0]) for t in times)),
        last_ts=iso_utc(max(int(t[-1]) for t in times)),
        gaps=capture.report.gaps[0],
    )
