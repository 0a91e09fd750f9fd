# SPDX-License-Identifier: Apache-2.0
"""Parquet, strict: magic and footer are checked before a decoder sees the file, then the schema,
then the number of rows, and only then are the columns read, straight into the arrays that the
checks and the backtest use. A type that cannot hold a market number exactly is refused by name.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError

from hean.data.csvfile import to_table
from hean.data.parquet_guard import Damaged, check_pages
from hean.data.problems import Problem, Problems
from hean.data.schema import Kind
from hean.data.table import ROWS_MAX, SYMBOL_COLUMN, Header, Table, match_header

_MAGIC = b"PAR1"
_FOOTER_BYTES_MAX = 16 << 20
_TEXT = (pl.String, pl.Categorical, pl.Enum)


def read_parquet(path: Path, stated: Kind | None, problems: Problems) -> Table:
    """All rows of a Parquet file as a table; nulls are problems and marked in `bad`."""
    _check_frame(path, problems)
    try:
        return _read(path, stated, problems)
    except (PolarsError, PanicException, OSError, MemoryError, Damaged) as error:
        lines = str(error).splitlines()
        problems.add(Problem("damaged Parquet", got=lines[0][:120] if lines else ""), fatal=True)
        problems.refuse()


def _check_frame(path: Path, problems: Problems) -> None:
    """Magic at both ends and a footer that fits into the file."""
    size = path.stat().st_size
    with path.open("rb") as raw:
        head = raw.read(4)
        raw.seek(max(0, size - 8))
        tail = raw.read(8)
    footer = int.from_bytes(tail[:4], "little")
    if head != _MAGIC:
        problems.add(Problem("wrong magic", got=repr(head), expected=repr(_MAGIC)), fatal=True)
    elif size < 12 or tail[4:] != _MAGIC:
        problems.add(Problem("truncated Parquet", expected="PAR1 at the end"), fatal=True)
    elif footer > min(_FOOTER_BYTES_MAX, size - 12):
        problems.add(Problem("impossible Parquet footer", got=f"{footer} bytes"), fatal=True)
    if problems.fatal:
        problems.refuse()


def _read(path: Path, stated: Kind | None, problems: Problems) -> Table:
    schema = pl.read_parquet_schema(path)
    header = match_header(list(schema), stated, problems)
    for (name, dtype), canonical in zip(schema.items(), header.names, strict=True):
        _check_type(canonical, dtype, problems, shown_as=name)
    if problems.fatal:
        problems.refuse()
    check_pages(path)
    rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    if rows == 0 or rows > ROWS_MAX:
        what = "no data rows" if rows == 0 else "too many rows"
        problems.add(Problem(what, got=str(rows), expected=f"1 .. {ROWS_MAX}"), fatal=True)
    if problems.fatal:
        problems.refuse()
    frame = pl.read_parquet(path, glob=False, use_statistics=False).rechunk()
    frame.columns = list(header.names)
    frame = frame.with_columns(_casts(frame, header))
    bad = np.zeros(frame.height, dtype=np.bool_)
    for name in header.names:
        if frame[name].null_count():
            missing = np.flatnonzero(frame[name].is_null().to_numpy())
            problems.add_rows(missing, "empty cell", column=name, got=lambda _: "null")
            bad[missing] = True
    return to_table(frame, header, bad=bad)


def _check_type(name: str, dtype: pl.DataType, problems: Problems, *, shown_as: str) -> None:
    """Refuse a column whose type cannot hold what the column means."""
    if name in ("side", SYMBOL_COLUMN):
        fits, expected = isinstance(dtype, _TEXT), "text"
    elif name in ("ts", "id"):
        utc = isinstance(dtype, pl.Datetime) and dtype.time_zone == "UTC"
        fits = dtype.is_integer() or (name == "ts" and utc)
        expected = "integers" + (" or a time stamp with zone UTC" if name == "ts" else "")
    else:
        fits = dtype == pl.Float64 or dtype.is_integer() or dtype.is_decimal()
        expected = "64-bit floats (32-bit floats cannot hold a price)"
    if not fits:
        problems.add(
            Problem("wrong column type", column=shown_as, got=str(dtype), expected=expected),
            fatal=True,
        )


def _casts(frame: pl.DataFrame, header: Header) -> list[pl.Expr]:
    """Only the columns whose type differs from the canonical one; the others stay as read."""
    casts: list[pl.Expr] = []
    for name in header.names:
        dtype = frame.schema[name]
        if name in ("side", SYMBOL_COLUMN):
            target: type[pl.DataType] = pl.String
        elif name in ("ts", "id"):
            target = pl.Int64
        else:
            target = pl.Float64
        if isinstance(dtype, pl.Datetime):
            casts.append(pl.col(name).to_physical())
        elif dtype != target:
            casts.append(pl.col(name).cast(target, strict=False))
    return casts
