# SPDX-License-Identifier: Apache-2.0
"""One file in, proven columns out. `read_columns` either returns sorted, finite, duplicate-free
numpy columns with nanosecond time stamps and the list of gaps, or raises `DataInvalid` with
everything that is wrong with the file. It never fills, guesses or reorders; with `on_bad="drop"` it
leaves out bad rows and says which. Raw captures hold frames, not columns: `hean.data.captures`.
"""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from hean.data import checks
from hean.data.checks import Gaps
from hean.data.csvfile import read_csv
from hean.data.identity import (
    CAPTURE_SUFFIXES,
    DATA_SUFFIXES,
    Identity,
    from_path,
    is_symbol,
    resolve,
    suffix_of,
    symbol_problem,
)
from hean.data.parquetfile import read_parquet
from hean.data.problems import Problem, Problems, refuse_file, shown
from hean.data.schema import Kind, columns_of, timeframe_name
from hean.data.table import Table

OnBad = Literal["refuse", "drop"]
IDS_WITH_HOLES = "bybit"  # begin of the venues whose trade ids do not count trades
_DROPS_KEPT = 100_000
_SIDE_NAMES = np.array(["buy", "sell"])


@dataclass(frozen=True, slots=True)
class Columns:
    """Proven columns of one file. Arrays are read-only; `side` is 0 for buy and 1 for sell.

    `gaps` counts missing bars (missing ids for trades), `duplicates` exact repetitions that were
    left out, `dropped` the bad rows left out under `on_bad="drop"` (`dropped_rows` in all).
    """

    path: Path
    kind: Kind
    venue: str | None
    market: str | None
    symbol: str
    timeframe: str | None
    step_ns: int | None
    unit: str
    ts: npt.NDArray[np.int64]
    values: dict[str, npt.NDArray[Any]]
    gaps: Gaps
    duplicates: int = 0
    dropped_rows: int = 0
    dropped: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.ts.size)

    @property
    def first_ns(self) -> int:
        """Time of the first row."""
        return int(self.ts[0])

    @property
    def last_ns(self) -> int:
        """Time of the last row."""
        return int(self.ts[-1])

    @property
    def entry_name(self) -> str:
        """Its name in the catalog."""
        frame = "" if self.timeframe is None else f"_{self.timeframe}"
        return f"{self.kind.value}{frame}.parquet"

    @property
    def facts(self) -> dict[str, Any]:
        """What this kind of source adds to the sidecar."""
        return {
            "kind": self.kind.value,
            "timeframe": self.timeframe,
            "duplicates": self.duplicates,
            "dropped_rows": self.dropped_rows,
        }

    def write(self, target: Path) -> None:
        """As Parquet, `ts` in nanoseconds, so that reading back is no conversion."""
        arrays: dict[str, Any] = {"ts": self.ts, **self.values}
        if "side" in arrays:
            arrays["side"] = _SIDE_NAMES[arrays["side"]]
        frame = pl.DataFrame({name: arrays[name] for name in columns_of(self.kind)})
        frame.write_parquet(target, compression="zstd", statistics=True)


def read_columns(
    path: Path | str,
    kind: Kind | str | None = None,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    venue: str | None = None,
    market: str | None = None,
    on_bad: OnBad = "refuse",
    now_ns: int | None = None,
) -> Columns:
    """Read and prove one Parquet or CSV file.

    *kind, symbol, timeframe, venue, market*: what the caller knows; must agree with file name and
    content. *now_ns*: present time against which the future is told (default: this machine's).
    *Raises*: `DataInvalid` with up to 50 places in `problems`. *Cost*: O(rows), about 0.1 s/M rows.
    """
    path = Path(path)
    limit = _DROPS_KEPT if on_bad == "drop" else 50
    problems = Problems(path.name, limit=limit)
    stated = Identity(venue, market, symbol, timeframe, None if kind is None else Kind(kind))
    suffix = check_file(path)
    if suffix in CAPTURE_SUFFIXES:
        refuse_file(
            path.name,
            "a raw capture has frames, not columns",
            expected="Parquet or CSV; captures are kind book",
        )
    identity = resolve(stated, from_path(path), problems)
    if problems.fatal:
        problems.refuse()
    read = read_parquet if suffix == ".parquet" else read_csv
    table = read(path, stated.kind, problems)
    identity = _settle(identity, table, problems)
    return _prove(path, table, identity, problems, on_bad=on_bad, now_ns=now_ns or time.time_ns())


def check_file(path: Path) -> str:
    """The file's known suffix; refuses what is missing, empty, no file or of unknown ending."""
    try:
        status = path.stat()
    except OSError as error:
        refuse_file(path.name, "cannot be opened", got=shown(error.strerror or str(error)))
    if stat.S_ISDIR(status.st_mode):
        refuse_file(path.name, "is a directory", expected=f"a file, such as {path.name}/*.parquet")
    if not stat.S_ISREG(status.st_mode):
        refuse_file(path.name, "not a regular file")
    suffix = suffix_of(path)
    if not suffix:
        known = ", ".join((*DATA_SUFFIXES, *CAPTURE_SUFFIXES))
        refuse_file(path.name, "unknown file ending", expected=known)
    if status.st_size == 0:
        refuse_file(path.name, "empty file", got="0 bytes")
    try:
        path.open("rb").close()
    except OSError as error:
        refuse_file(path.name, "cannot be opened", got=shown(error.strerror or str(error)))
    return suffix


def _settle(identity: Identity, table: Table, problems: Problems) -> Identity:
    """Complete and contradict the identity with what the columns say."""
    if identity.kind is not None and identity.kind is not table.kind:
        problems.add(
            Problem("columns contradict the stated kind", got=table.kind, expected=identity.kind),
            fatal=True,
        )
    symbol = identity.symbol
    if symbol is None and table.symbols is not None:
        symbol = table.symbols[0]
        if not is_symbol(symbol):
            problems.add(symbol_problem(symbol), fatal=True)
    if symbol is None:
        problems.add(
            Problem("symbol unknown", expected="--symbol, or a name like binance_perp_BTCUSDT_1m"),
            fatal=True,
        )
    if problems.fatal:
        problems.refuse()
    return Identity(identity.venue, identity.market, symbol, identity.timeframe, table.kind)


def _prove(
    path: Path,
    table: Table,
    identity: Identity,
    problems: Problems,
    *,
    on_bad: OnBad,
    now_ns: int,
) -> Columns:
    """Run every check in order and cut the columns to the rows that pass."""
    symbol = identity.symbol or ""
    checks.check_symbol(table, problems, symbol)
    checks.check_values(table, problems)
    unit = checks.prove_unit(table, problems, now_ns=now_ns)
    checks.check_order(table, problems)
    repeated = checks.check_duplicates(table, problems)
    rows = _kept(table, repeated)
    ts_ns = (table.ts if rows.size == table.ts.size else table.ts[rows]) * checks.UNITS[unit]
    step: int | None = None
    notes: list[str] = []
    if table.kind is not Kind.TRADES and rows.size:
        near = ts_ns if table.kind is not Kind.FUNDING else _to_second(ts_ns)
        step = checks.find_step(near, identity.timeframe, problems)
        if not problems.fatal:
            ts_ns, notes = checks.check_grid(table, ts_ns, rows, problems, step_ns=step)
    passing = ~table.bad[rows]
    if not passing.all():
        rows, ts_ns = rows[passing], ts_ns[passing]
    if problems.total and (on_bad == "refuse" or problems.fatal or not rows.size):
        nothing_left = not problems.fatal and on_bad == "drop"
        problems.refuse("no good row is left" if nothing_left else _hint(problems))
    values = _cut(table, rows)
    key = np.sort(values["id"]) if table.kind is Kind.TRADES else ts_ns
    gaps = checks.find_gaps(key, ts_ns, step or 1)
    if table.kind is Kind.TRADES and (identity.venue or "").startswith(IDS_WITH_HOLES):
        gaps = Gaps()
        notes.append(f"trade ids of {identity.venue} have holes, so gaps are not known")
    ts_ns.flags.writeable = False
    return Columns(
        path=path,
        kind=table.kind,
        venue=identity.venue,
        market=identity.market,
        symbol=symbol,
        timeframe=None if step is None else timeframe_name(step),
        step_ns=step,
        unit=unit,
        ts=ts_ns,
        values=values,
        gaps=gaps,
        duplicates=int(repeated.size),
        dropped_rows=problems.total,
        dropped=problems.first(),
        notes=tuple(notes),
    )


def _kept(table: Table, repeated: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    good = ~table.bad
    good[repeated] = False
    return np.flatnonzero(good)


def _to_second(ts_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Settlement times without their milliseconds of jitter, to find the interval."""
    second = 1_000_000_000
    return (ts_ns + second // 2) // second * second


def _cut(table: Table, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    whole = rows.size == table.ts.size
    values = {}
    for name, column in table.values.items():
        values[name] = column.view() if whole else column[rows]
        values[name].flags.writeable = False
    return values


def _hint(problems: Problems) -> str:
    """The next step, where there is one."""
    return "" if problems.fatal else "Leave bad rows out, with a report: --on-bad drop"
