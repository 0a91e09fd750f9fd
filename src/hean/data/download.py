# SPDX-License-Identifier: Apache-2.0
"""`download.py`: history from a venue into the catalog. Pages are fetched one after another and
kept as they come, so that a download that was cut goes on where it ended; when the last one is
there, all rows are proven by the reader that proves every file, joined with what the catalog has,
and written as one entry, all or nothing. Rows of the catalog are never changed: where the venue now
says something else about the same time, the download is refused. Holes are reported, never filled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from hean.core.timeframe import timeframe_ns
from hean.data.catalog import Catalog, Entry
from hean.data.fingerprint import iso_utc
from hean.data.reader import Columns, read_columns
from hean.data.schema import Kind, timeframe_name
from hean.data.staging import Staging, merged, open_staging
from hean.errors import DataInvalid, ParameterInvalid, UnknownSymbol
from hean.feeds.listing import known
from hean.feeds.rest import HistoryQuery, Market
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest

CATALOG_MARKET: Final[dict[Market, str]] = {"spot": "spot", "linear": "perp"}
TRADES_NOTE: Final = {
    "binance": "aggregated trades: one row for all fills of a taker order at one price",
    "bybit": "recent trades: the venue keeps no more than the last ones",
}
PROGRESS_STEPS = 1000  # of one symbol


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be downloaded. *venue*: its name in the catalog; *end_ns*: exclusive, `None` for
    now; *origin*: the host it comes from, for the entry's notes.
    """

    venue: str
    market: Market
    kind: Kind
    symbol: str
    timeframe: str | None
    start_ns: int
    end_ns: int | None
    origin: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A finished download. *rows_new*: rows the catalog did not have; *pages_kept*: pages a former
    process had left; *end_ns*: where it ended, exclusive.
    """

    entry: Entry
    rows_new: int
    pages: int
    pages_kept: int
    start_ns: int
    end_ns: int


async def download(
    rest: BybitRest | BinanceRest,
    wish: Wish,
    *,
    data_dir: Path,
    force: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> Downloaded:
    """Fetch what is missing of a wish and write it into the catalog.

    *force*: begin anew and replace the entry. *advance*: told steps of `PROGRESS_STEPS`.
    *Raises*: what `PublicRest.get` raises, the pages so far being kept; `DataInvalid` if there is
    no row, or if rows contradict the catalog; `UnknownSymbol`, naming the nearest.
    """
    now_ns = await rest.server_time_ns()
    end_ns = min(now_ns, now_ns if wish.end_ns is None else wish.end_ns)
    if wish.timeframe is not None:
        step = timeframe_ns(wish.timeframe)
        end_ns = min(end_ns, now_ns // step * step)  # the running candle is not history yet
    asked = {
        "venue": wish.venue,
        "market": wish.market,
        "kind": wish.kind.value,
        "symbol": wish.symbol,
        "timeframe": wish.timeframe,
        "start_ns": wish.start_ns,
        "end_asked_ns": wish.end_ns,
        "origin": wish.origin,
    }
    name = "_".join([wish.venue, CATALOG_MARKET[wish.market], wish.symbol, wish.kind.value])
    name += "" if wish.timeframe is None else f"_{wish.timeframe}"
    with open_staging(data_dir, name, asked, end_ns=end_ns, fresh=force) as staging:
        query = HistoryQuery(
            wish.kind, wish.symbol, wish.start_ns, int(staging.asked["end_ns"]), wish.timeframe
        )
        if query.start_ns >= query.end_ns:
            raise ParameterInvalid(
                f"--start {iso_utc(query.start_ns)}: nothing of {wish.symbol} is finished between "
                f"that and {iso_utc(query.end_ns)}."
            )
        kept = len(staging.parts)
        await _fetch(rest, query, staging, advance)
        step_name = await _step(rest, wish, staging)
        catalog = Catalog(data_dir)
        entry, rows_new = _into_catalog(staging, wish, catalog, step_name, force=force)
        pages = len(staging.parts)
        staging.remove()
    return Downloaded(entry, rows_new, pages, kept, query.start_ns, query.end_ns)


async def _fetch(
    rest: BybitRest | BinanceRest,
    query: HistoryQuery,
    staging: Staging,
    advance: Callable[[int], None],
) -> None:
    """Every page that is missing."""
    done = 0
    while not staging.is_complete:
        cursor = staging.cursor
        try:
            page = await rest.page(query, cursor)
            if page.is_doubtful:
                page = await rest.page(query, cursor)
        except UnknownSymbol:
            known(rest.venue, rest.market, [query.symbol], await rest.symbols())
            raise
        staging.add(page.rows, page.cursor)
        if page.count:
            ts = page.rows["ts"]
            far = max(query.end_ns - int(ts[0]), 0), max(int(ts[-1]) - query.start_ns, 0)
            share = (far[0] if rest.venue == "bybit" else far[1]) / (query.end_ns - query.start_ns)
            steps = min(PROGRESS_STEPS, int(share * PROGRESS_STEPS))
            advance(max(0, steps - done))
            done = max(done, steps)
    advance(PROGRESS_STEPS - done)


async def _step(rest: BybitRest | BinanceRest, wish: Wish, staging: Staging) -> str | None:
    """The bar length; of a single settlement only the venue knows it."""
    if wish.kind is Kind.FUNDING and staging.count == 1:
        return timeframe_name(await rest.funding_interval_s(wish.symbol) * 1_000_000_000)
    return wish.timeframe


def _into_catalog(
    staging: Staging, wish: Wish, catalog: Catalog, timeframe: str | None, *, force: bool
) -> tuple[Entry, int]:
    """Prove the pages, join them with the entry that exists, write."""
    table = staging.table(wish.kind)
    if not table.height:
        start, end = iso_utc(wish.start_ns), iso_utc(int(staging.asked["end_ns"]))
        staging.remove()
        raise DataInvalid(
            f"{wish.venue} {wish.market}: no {wish.kind} of {wish.symbol} from {start} to {end}."
        )
    columns = _proven(staging, wish, table, timeframe)
    target = catalog.path_of(columns)
    rows_old = 0
    if target.is_file() and not force:
        old = read_columns(target)
        _same_origin(catalog, target, wish)
        rows_old = old.rows
        new = pl.DataFrame(
            {"ts": columns.ts, **columns.values}
        )  # settlements are on their hour now
        table = merged({"ts": old.ts, **old.values}, new, wish.kind)
        try:
            columns = _proven(staging, wish, table, timeframe)
        except DataInvalid as error:
            raise DataInvalid(
                f"{wish.symbol}: what {wish.venue} says now contradicts the catalog; nothing was "
                f"changed. Compare, then replace the entry with --force.\n{error.message}",
                error.problems,
            ) from error
        if columns.rows == rows_old:
            return next(entry for entry in catalog.entries() if entry.path == target), 0
    entry = catalog.add(columns, force=True)
    return entry, columns.rows - rows_old


def _proven(staging: Staging, wish: Wish, table: pl.DataFrame, timeframe: str | None) -> Columns:
    """The rows as a file that passes every check of a file."""
    if "side" in table.columns:
        names = np.array(["buy", "sell"])[table["side"].to_numpy()]
        table = table.with_columns(side=pl.Series(names))
    market = CATALOG_MARKET[wish.market]
    path = staging.folder / f"{wish.venue}_{market}_{wish.symbol}.parquet"
    table.write_parquet(path, compression="zstd")
    columns = read_columns(path, wish.kind, timeframe=timeframe)
    notes = [*columns.notes, f"downloaded from {wish.origin}"]
    if wish.kind is Kind.TRADES:
        notes.append(TRADES_NOTE[_exchange(wish)])
    return replace(columns, notes=tuple(notes))


def _same_origin(catalog: Catalog, target: Path, wish: Wish) -> None:
    """Trades of another numbering cannot be joined: nobody could tell which are the same."""
    notes = next(e.facts["notes"] for e in catalog.entries() if e.path == target)
    if wish.kind is Kind.TRADES and TRADES_NOTE[_exchange(wish)] not in notes:
        what = f"the catalog's trades of {wish.symbol} are not from a download"
        raise DataInvalid(f"{what}; their ids differ. Replace them with --force.")


def _exchange(wish: Wish) -> str:
    """The venue without its network."""
    return "bybit" if wish.venue.startswith("bybit") else "binance"


def report(done: Downloaded, wish: Wish) -> dict[str, Any]:
    """What a download did, for people and machines."""
    return {
        **done.entry.facts,
        "path": str(done.entry.path),
        "rows_new": done.rows_new,
        "pages": done.pages,
        "pages_kept": done.pages_kept,
        "asked": {
            "start": iso_utc(done.start_ns),
            "end": iso_utc(done.end_ns),
            "origin": wish.origin,
        },
    }
