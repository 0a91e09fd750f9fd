# SPDX-License-Identifier: Apache-2.0
"""`staging.py`: the recorded market as other files: cut short, with another future, or made of
chance. Every copy keeps name, columns and units of its original, so that who reads it cannot tell.
"""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from hean.backtest.run import MarketData
from hean.core.listing import listing_of, pair_of
from hean.data.captures import is_capture
from hean.data.identity import CATALOG_DIRECTORY
from hean.data.reader import Columns, read_columns
from hean.data.schema import Kind
from hean.errors import DataInvalid
from hean.evaluate.plays import Recording
from hean.feeds.history import History
from hean.feeds.recording import Recording as Session
from hean.feeds.recording import is_session_recording

Array = npt.NDArray[np.float64]
Change = Callable[[Columns, dict[str, Array]], dict[str, Array]]
"""From a file and its number columns to what stands in the copy."""

PRICES = ("open", "high", "low", "close", "price")


class Staged(msgspec.Struct, frozen=True):
    """A market to play. *copies*: which file stands for which original. *is_turned*: symbols are
    fed in reverse, so that facts of one moment come in the other order."""

    recording: Recording
    copies: Mapping[Path, Path]
    is_turned: bool = False

    def load(self) -> MarketData:
        """Read it. *Raises*: `DataInvalid`."""
        market = self.recording.load()
        if self.is_turned and isinstance(market, History):
            turned = dict(reversed(market.markets.items()))
            return dataclasses.replace(market, markets=turned)
        return market

    def turned(self) -> Staged:
        """The same in the other order."""
        return msgspec.structs.replace(self, is_turned=True)


class Stage:
    """The originals, read once. *recording*: their files; captures are kept as they are, but for
    the recording of a session, which can be cut.

    *columns*: by file, cut to the part that is played.
    """

    def __init__(self, recording: Recording, *, end_ns: int) -> None:
        self.recording = recording
        self.end_ns = end_ns
        self.captures = [path for path in recording.files if is_capture(path)]
        self._sessions = {
            path: _lines_of(path) for path in self.captures if is_session_recording(path)
        }
        self._frames: dict[Path, pl.DataFrame] = {}
        self.columns: dict[Path, Columns] = {}
        for path in recording.files:
            if path not in self.captures:
                self._frames[path], self.columns[path] = self._read(path)

    @property
    def bars(self) -> dict[str, list[Columns]]:
        """Candle files by symbol, as they are asked for."""
        return {
            symbol: [columns for columns in self.of(symbol) if columns.kind is Kind.CANDLES]
            for symbol in self.recording.symbols
        }

    def of(self, symbol: str) -> list[Columns]:
        """The files of a symbol."""
        return [columns for columns in self.columns.values() if _belongs(columns, symbol)]

    def cut(self, folder: Path, end_ns: int) -> Staged:
        """The market as it was recorded up to *end_ns*."""
        return self._staged(folder, lambda _: end_ns, end_ns=end_ns)

    def ended(self, folder: Path, symbol: str, end_ns: int) -> Staged:
        """The whole market, but for *symbol*, which goes away at *end_ns*."""

        def end_of(columns: Columns) -> int:
            return end_ns if _belongs(columns, symbol) else self.end_ns

        return self._staged(folder, end_of)

    def only(self, folder: Path, symbols: tuple[str, ...]) -> Staged:
        """The market of *symbols* alone."""

        def end_of(columns: Columns) -> int:
            return self.end_ns if any(_belongs(columns, each) for each in symbols) else 0

        staged = self._staged(folder, end_of)
        recording = msgspec.structs.replace(staged.recording, symbols=symbols)
        return msgspec.structs.replace(staged, recording=recording)

    def changed(self, folder: Path, change: Change) -> Staged:
        """The whole market with other numbers. *Raises*: `DataInvalid` for captures."""
        if self.captures:
            raise DataInvalid(f"{self.captures[0].name}: frames cannot be changed.")
        return self._staged(folder, change=change)

    def edited(self, folder: Path, edit: Callable[[pl.DataFrame], pl.DataFrame]) -> Staged:
        """The whole market with other rows: repeated, or in another order."""
        return self._staged(folder, edit=edit)

    def _staged(
        self,
        folder: Path,
        end_of: Callable[[Columns], int] | None = None,
        *,
        end_ns: int | None = None,
        change: Change = lambda _, values: values,
        edit: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame,
    ) -> Staged:
        copies: dict[Path, Path] = {}
        for number, (path, columns) in enumerate(self.columns.items()):
            rows = _known_rows(columns, end_of(columns) if end_of else self.end_ns)
            if not rows:
                continue
            frame = self._frames[path].head(rows)
            values = {
                name: frame[name].cast(pl.Float64).to_numpy()
                for name in frame.columns
                if frame[name].dtype.is_numeric() and name in columns.values
            }
            put = change(columns, dict(values))
            frame = frame.with_columns(
                pl.Series(name, put[name], dtype=pl.Float64)
                for name in values
                if put[name] is not values[name]
            )
            frame = edit(frame)
            copies[path] = folder / str(number) / _identity(path)
            copies[path].parent.mkdir(parents=True)
            if path.suffix == ".parquet":
                frame.write_parquet(copies[path])
            else:
                text = frame.write_csv().encode()
                copies[path].write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
        last_ns = self.end_ns if end_ns is None else end_ns
        for path, lines in self._sessions.items():
            copies[path] = folder / path.name
            folder.mkdir(parents=True, exist_ok=True)
            with gzip.open(copies[path], "wb", compresslevel=1) as file:
                file.write(_cut_session(lines, last_ns))
        files = (*copies.values(), *(path for path in self.captures if path not in copies))
        start_ns = self.recording.start_ns
        recording = Recording(files, self.recording.symbols, start_ns, last_ns)
        return Staged(recording, copies)

    def _read(self, path: Path) -> tuple[pl.DataFrame, Columns]:
        """Rows as they are in the file, and as HEAN reads them, row by row the same."""
        symbols = self.recording.symbols
        columns = read_columns(path, symbol=pair_of(symbols[0]) if len(symbols) == 1 else None)
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
        if frame.height != columns.rows:
            raise DataInvalid(
                f"{path.name}: its rows are not one by one what HEAN reads; import it (hean data "
                "import) and check the strategy on that."
            )
        return frame, columns


def _lines_of(path: Path) -> list[bytes]:
    """Of the recording of a session, which is read as such first, so that nothing is wrong with
    it. Each begins with its moment."""
    Session(path)
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines(keepends=True)


def _cut_session(lines: list[bytes], end_ns: int) -> bytes:
    """The session up to a moment, ended there in order. The first line says what it is."""
    kept = [lines[0], *(x for x in lines[1:] if int(x.partition(b" ")[0]) <= end_ns)]
    while b'"end":' in kept[-1][:40]:
        kept.pop()
    frame = msgspec.json.decode(kept[-1].partition(b" ")[2], type=_Numbered)
    return b"".join(kept) + b'%d {"end":%d}\n' % (end_ns, frame.n)


class _Numbered(msgspec.Struct):
    """A frame's line; the opening has no number."""

    n: int = 0


def _belongs(columns: Columns, symbol: str) -> bool:
    return listing_of(symbol).covers(columns.symbol, columns.market, columns.venue)


def _identity(path: Path) -> Path:
    """The part of a path that says whose market it is: the name, or the place in the catalog."""
    in_catalog = len(path.parts) >= 5 and path.parts[-5] == CATALOG_DIRECTORY
    return Path(*path.parts[-5:]) if in_catalog else Path(path.name)


def _known_rows(columns: Columns, end_ns: int) -> int:
    """How many rows are known at a moment: bars when they end, everything else when it happens."""
    if columns.kind is Kind.FUNDING:
        if not end_ns:
            return 0
        # One row alone proves no interval; the engine plays none that comes later.
        return min(max(int(np.searchsorted(columns.ts, end_ns, side="right")), 2), columns.rows)
    return int(np.searchsorted(columns.ts + (columns.step_ns or 0), end_ns, side="right"))


def with_other_future(change: Callable[[Array], Array], after_ns: int) -> Change:
    """Rows that end after a moment get other prices. *change*: from their log closes, relative to
    the last one before, to others."""

    def put(columns: Columns, values: dict[str, Array]) -> dict[str, Array]:
        ends = columns.ts[: len(next(iter(values.values())))] + (columns.step_ns or 0)
        first = int(np.searchsorted(ends, after_ns, side="right"))
        closes = values.get("close", values.get("price"))
        if closes is None or not 0 < first < ends.size:
            return values
        before = closes[first - 1]
        factor = before * np.exp(change(np.log(closes[first:] / before))) / closes[first:]
        changed = dict(values)
        for name in PRICES:
            if name in values:
                changed[name] = values[name].copy()
                changed[name][first:] = on_tick(values[name][first:] * factor, closes)
        return _ordered(changed)

    return put


def scaled(factor: float) -> Change:
    """All prices times a power of two, which changes no digit of any of them."""

    def put(_: Columns, values: dict[str, Array]) -> dict[str, Array]:
        return {name: v * factor if name in PRICES else v for name, v in values.items()}

    return put


def on_tick(prices: Array, like: Array) -> Array:
    """Prices rounded to as many decimals as *like* has, at least one unit of the last."""
    decimals = next(
        (n for n in range(9) if np.allclose(np.round(like, n), like, rtol=0, atol=1e-9)), 8
    )
    unit = 10.0**-decimals
    return np.round(np.maximum(np.round(prices / unit), 1.0) * unit, decimals)


def _ordered(values: dict[str, Array]) -> dict[str, Array]:
    """High and low around open and close again after rounding."""
    if "high" in values:
        around = [values[name] for name in ("open", "high", "low", "close")]
        values["high"], values["low"] = np.maximum.reduce(around), np.minimum.reduce(around)
    return values


def bars_of(steps: Array, first: float, like: Array) -> dict[str, Array]:
    """Bars of a path. *steps*: log returns, bars x steps within; *first*: price before."""
    path = first * np.exp(np.cumsum(steps.ravel())).reshape(steps.shape)
    close = path[:, -1]
    open_ = np.concatenate(([first], close[:-1]))
    high, low = np.maximum(open_, path.max(axis=1)), np.minimum(open_, path.min(axis=1))
    made: dict[str, Any] = {"open": open_, "high": high, "low": low, "close": close}
    return _ordered({name: on_tick(values, like) for name, values in made.items()})
