# SPDX-License-Identifier: Apache-2.0
"""Raw captures of venue sockets to columns.

A capture is what a recorder wrote: one frame a line, plain, gzipped or zipped. This module opens
the file and hands its bytes to `_core.CaptureBuilder`, which parses them with the parsers that
live feeds use. Venue, market, symbol and the unit of the receive times are detected and proven by
the frames, never by the file's name. A damaged or ambiguous file is refused with the place;
whatever was left out on purpose stands in the report.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hean import _core
from hean.errors import DataInvalid, UnknownSymbol

CHUNK_BYTES = 1 << 20  # larger chunks read no faster; smaller ones cross into Rust more often
FILE_BYTES_MAX = 64 << 30  # unpacked; beyond it a damaged or hostile archive is more likely
PLACES_SHOWN = 10  # of the 50 the report keeps, as many as fit on a screen

Columns = Mapping[str, NDArray[Any]]
Places = tuple[int, list[tuple[int, str]]]
Market = Literal["spot", "linear"]


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """What reading found. Places are (count, first 50 of (line, sentence)); lines count from 1
    over all files. `clamped`: per table, events whose time ran backwards and the largest move in
    nanoseconds. `receive_offset_ns`: receive time minus venue time as (count, min, median, max).
    """

    venue: str
    market: str | None
    symbol: str
    symbols: dict[str, int]
    lines: int
    frames: dict[str, int]
    ignored: dict[str, int]
    bad_lines: Places
    gaps: Places
    snapshots: int
    stale_deltas: int
    unseeded_deltas: int
    clamped: dict[str, tuple[int, int]]
    estimated_times: int
    receive_unit: str | None
    receive_offset_ns: tuple[int, int, int, int]
    receive_backward: int


@dataclass(frozen=True, slots=True)
class Capture:
    """The tables of one symbol, each monotone in `ts_ns` (venue time, nanoseconds UTC); `arrival`
    (the line) orders rows of different tables at equal times.

    depth: side (0 bid, 1 ask), price, quantity (absolute, 0 removes), flags (`SNAPSHOT_BEGIN`:
    clear the book first; `EVENT_END`: the book is consistent after this row). An empty book is one
    `SNAPSHOT_BEGIN` row of price 0. · trades: price, quantity, side (0 bought, 1 sold), id (int64,
    or text where the venue's ids are no numbers). · quotes: bid, bid_quantity, ask, ask_quantity.
    · marks: mark, index, funding_rate (NaN where not sent), next_funding_ns (0 where not sent).
    """

    depth: Columns
    trades: Columns
    quotes: Columns
    marks: Columns
    report: CaptureReport


def read_capture(
    source: Path | Sequence[Path],
    symbol: str | None = None,
    *,
    market: Market | None = None,
    bad_lines_max: int = 0,
) -> Capture:
    """Read one capture, or several files that continue each other, oldest first.

    *symbol*, *market*: needed where a file holds several. *bad_lines_max*: lines that may be
    damaged before the capture is refused. *Raises*: `DataInvalid` for a missing, empty, truncated
    or foreign file, for bad lines and for an ambiguous symbol; `UnknownSymbol` for a symbol that
    is not in it. Gaps in the book do not raise: they are in the report, and the book is empty
    from the gap to the next snapshot. *Cost*: about 2 µs a frame of 300 bytes, gunzip included.
    """
    paths = [source] if isinstance(source, Path) else list(source)
    builder = _core.CaptureBuilder(symbol=symbol, market=market)
    for path in paths:
        for chunk in _chunks(path):
            builder.feed(chunk)
        builder.end_file()
    name = ", ".join(path.name for path in paths)
    try:
        tables = builder.finish()
    except (DataInvalid, UnknownSymbol) as error:
        raise type(error)(f"{name}: {error.message}") from None
    report = CaptureReport(**tables.pop("report"))
    bad, first = report.bad_lines
    if bad > bad_lines_max:
        places = "; ".join(f"line {line}: {why}" for line, why in first[:PLACES_SHOWN])
        raise DataInvalid(f"{name}: {bad} bad lines, allowed {bad_lines_max}; {places}")
    tables["trades"]["id"] = np.asarray(tables["trades"]["id"])
    return Capture(**tables, report=report)


def _chunks(path: Path) -> Iterator[bytes]:
    """Unpacked bytes of a file; every way a file can be damaged becomes `DataInvalid`."""
    total = 0
    try:
        with path.open("rb") as raw, _unpacked(path, raw) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                total += len(chunk)
                if total > FILE_BYTES_MAX:
                    raise DataInvalid(f"{path.name}: more than {FILE_BYTES_MAX} bytes unpacked")
                yield chunk
    except EOFError:
        raise DataInvalid(f"{path.name}: ends early after {total} bytes; copy it again") from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise DataInvalid(f"{path.name}: damaged after {total} bytes: {error}") from None
    except (OSError, RuntimeError) as error:
        # zipfile reports encryption and unknown packing as RuntimeError and its child.
        raise DataInvalid(f"{path.name}: cannot be read: {error}") from None


def _unpacked(path: Path, raw: IO[bytes]) -> IO[bytes]:
    """The stream inside, by the file's first bytes rather than by its name."""
    magic = raw.read(4)
    raw.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.open(raw, "rb")  # type: ignore[return-value]  # GzipFile reads like IO[bytes]
    if not magic.startswith(b"PK"):
        return raw
    archive = zipfile.ZipFile(raw)
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise DataInvalid(f"{path.name}: {len(members)} files in the archive, expected one")
    return archive.open(members[0])
