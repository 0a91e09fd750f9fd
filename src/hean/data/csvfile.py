# SPDX-License-Identifier: Apache-2.0
"""CSV, strict: a header, commas, one record a line, UTF-8, no quotes (every field is a number or a
plain word). The file is read in blocks; each block's fields per line are counted before anything is
parsed, so a ragged line is named with its number and can never shift a column. `.csv.gz` is read as
it is unpacked: memory follows the rows, not what the archive claims to be.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from hean.data.problems import Problem, Problems, shown
from hean.data.schema import SIDES, Kind
from hean.data.table import NO_SIDE, ROWS_MAX, SYMBOL_COLUMN, Header, Table, match_header

_BLOCK_BYTES = 8 << 20
_LINE_BYTES_MAX = 4096
_GZIP_MAGIC = b"\x1f\x8b"
_FORBIDDEN = {0: "NUL byte", ord('"'): "quoted field"}
_ENCODINGS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"PAR1": "Parquet",
    b"PK\x03\x04": "ZIP",
}


def read_csv(path: Path, stated: Kind | None, problems: Problems) -> Table:
    """All rows of a CSV file; what cannot be read is in `problems` and marked in `bad`."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        if zipped != path.name.lower().endswith(".gz"):
            told = "gzip" if zipped else "plain text"
            problems.add(Problem("content and file ending differ", got=told), fatal=True)
            problems.refuse()
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if zipped else raw
        try:
            return _read_stream(stream, stated, problems)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            problems.add(Problem("damaged or truncated gzip", got=str(error)), fatal=True)
            problems.refuse()


def _read_stream(stream: BinaryIO, stated: Kind | None, problems: Problems) -> Table:
    first = stream.readline(_LINE_BYTES_MAX + 1)
    header = _header(first, stated, problems)
    reader = _Blocks(header, problems, crlf=first.endswith(b"\r\n"))
    for block in _blocks(stream, problems):
        reader.read(block)
        if reader.rows > ROWS_MAX:
            problems.add(Problem("too many rows", expected=f"<= {ROWS_MAX}"), fatal=True)
        if problems.fatal:
            problems.refuse()
    return reader.table()


def _header(first: bytes, stated: Kind | None, problems: Problems) -> Header:
    def stop(what: str, got: str = "", expected: str = "") -> None:
        problems.add(Problem(what, line=1, got=got, expected=expected), fatal=True)
        problems.refuse()

    for magic, name in _ENCODINGS.items():
        if first.startswith(magic):
            stop("not a UTF-8 text file", got=name)
    text = first.decode("utf-8", "replace").removeprefix("\ufeff").rstrip("\r\n")
    if len(first) > _LINE_BYTES_MAX:
        stop("line too long", got=shown(first), expected=f"<= {_LINE_BYTES_MAX} bytes")
    if "\0" in text or '"' in text:
        stop("NUL byte" if "\0" in text else "quoted field", expected="plain names, no quotes")
    if not text.strip():
        stop("empty header line", expected="column names")
    if "," not in text and any(mark in text for mark in ";\t|"):
        stop("wrong delimiter", got=shown(text), expected="commas")
    names = text.split(",")
    if any(_is_number(name) for name in names):
        stop("no header line", got=shown(text), expected="column names in line 1")
    return match_header(names, stated, problems, line=1)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in ("nan", "inf", "infinity")


def _blocks(stream: BinaryIO, problems: Problems) -> Iterator[bytes]:
    """The rest of the stream in pieces that end with a line end."""
    rest = b""
    while chunk := stream.read(_BLOCK_BYTES):
        chunk = rest + chunk
        cut = chunk.rfind(b"\n") + 1
        rest = chunk[cut:]
        if len(rest) > _LINE_BYTES_MAX:
            problems.add(
                Problem("line too long", got=shown(rest), expected=f"<= {_LINE_BYTES_MAX} bytes"),
                fatal=True,
            )
            problems.refuse()
        if cut:
            yield chunk[:cut]
    if rest:
        yield rest + b"\n"


class _Blocks:
    """Turns blocks of whole lines into columns, keeping line numbers."""

    def __init__(self, header: Header, problems: Problems, *, crlf: bool) -> None:
        self.header = header
        self.problems = problems
        self.rows = 0
        self._crlf = crlf
        self._line = 2
        self._frames: list[pl.DataFrame] = []
        self._lines: list[npt.NDArray[np.int64]] = []
        self._bad: list[npt.NDArray[np.bool_]] = []
        text = {"side", SYMBOL_COLUMN}
        whole = {"ts", "id"}
        self._schema: dict[str, Any] = {
            name: pl.String if name in text else pl.Int64 if name in whole else pl.Float64
            for name in header.names
        }

    def read(self, block: bytes) -> None:
        """Check and parse one block."""
        block = self._plain(block)
        if self.problems.fatal:
            return
        data = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(data == ord("\n"))
        commas = np.flatnonzero(data == ord(","))
        fields = np.diff(np.searchsorted(commas, ends), prepend=0) + 1
        lines = np.arange(self._line, self._line + ends.size, dtype=np.int64)
        self._line += ends.size
        ragged = fields != len(self.header.names)
        if ragged.any():
            block, lines = self._without(block, ragged, fields, lines)
        if lines.size:
            self._parse(block, lines)

    def _plain(self, block: bytes) -> bytes:
        """Line ends made uniform; forbidden bytes and foreign encodings reported."""
        for byte, what in _FORBIDDEN.items():
            at = block.find(byte)
            if at >= 0:
                self._fatal(what, block, at, "plain numbers and names")
        returns = block.count(b"\r")
        if returns:
            pairs = block.count(b"\r\n")
            if not self._crlf or returns != pairs or pairs != block.count(b"\n"):
                self._fatal("mixed line ends", block, block.find(b"\r"), "one kind, LF or CRLF")
            block = block.replace(b"\r\n", b"\n")
        if not block.isascii():
            try:
                block.decode("utf-8")
            except UnicodeDecodeError as error:
                self._fatal("not UTF-8", block, error.start, "UTF-8 text")
        return block

    def _fatal(self, what: str, block: bytes, at: int, expected: str) -> None:
        line = self._line + block.count(b"\n", 0, at)
        got = shown(block[max(0, block.rfind(b"\n", 0, at) + 1) : at + 20])
        self.problems.add(Problem(what, line - 1, line, got=got, expected=expected), fatal=True)

    def _without(
        self,
        block: bytes,
        ragged: npt.NDArray[np.bool_],
        fields: npt.NDArray[np.int64],
        lines: npt.NDArray[np.int64],
    ) -> tuple[bytes, npt.NDArray[np.int64]]:
        """The block without its ragged lines, each of which becomes a problem."""
        texts = block.split(b"\n")[:-1]
        width = len(self.header.names)
        for index in np.flatnonzero(ragged).tolist():
            empty = not texts[index].strip()
            more = fields[index] > width
            expected = f"{width} fields" + (" (a decimal comma?)" if more else "")
            line = int(lines[index])
            what = "empty line" if empty else "wrong number of fields"
            got = "" if empty else f"{fields[index]} in {shown(texts[index])}"
            self.problems.add(Problem(what, line - 1, line, got=got, expected=expected))
        kept = [text for text, out in zip(texts, ragged.tolist(), strict=True) if not out]
        return b"\n".join([*kept, b""]), lines[~ragged]

    def _parse(self, block: bytes, lines: npt.NDArray[np.int64]) -> None:
        frame = pl.read_csv(
            io.BytesIO(block),
            has_header=False,
            schema=self._schema,
            quote_char=None,
            ignore_errors=True,
        )
        if frame.height != lines.size:
            self._fatal("lines and records differ", block, 0, "one record a line")
            return
        bad = np.zeros(lines.size, dtype=np.bool_)
        texts: list[bytes] | None = None
        for position, name in enumerate(self.header.names):
            if not frame[name].null_count():
                continue
            texts = texts or block.split(b"\n")
            missing = np.flatnonzero(frame[name].is_null().to_numpy())
            cells = [texts[row].split(b",")[position] for row in missing[:100_000].tolist()]
            blank = np.array([not cell.strip() for cell in cells], dtype=np.bool_)
            self._report(missing, blank, cells, name=name, lines=lines)
            bad[missing] = True
        self._frames.append(frame)
        self._lines.append(lines)
        self._bad.append(bad)
        self.rows += lines.size

    def _report(
        self,
        missing: npt.NDArray[np.int64],
        blank: npt.NDArray[np.bool_],
        cells: list[bytes],
        *,
        name: str,
        lines: npt.NDArray[np.int64],
    ) -> None:
        expected = "a whole number" if self._schema[name] == pl.Int64 else "a number"
        text = dict(zip(missing.tolist(), cells, strict=False))
        named = missing[: blank.size]
        rest = missing[blank.size :]
        for rows, what in ((named[blank], "empty cell"), (named[~blank], "not a number")):
            self.problems.add_rows(
                rows,
                what,
                column=name,
                got=lambda row: text[row].decode("utf-8", "replace"),
                expected=expected,
                lines=lines,
            )
        self.problems.add_rows(rest, "not a number", column=name, got=lambda _: "", lines=lines)

    def table(self) -> Table:
        """Everything read so far as one table."""
        if not self._frames:
            if not self.problems.total:
                self.problems.add(Problem("no data rows", line=1), fatal=True)
            self.problems.refuse()
        frame = pl.concat(self._frames, rechunk=True)
        self._frames.clear()
        return to_table(
            frame,
            self.header,
            bad=np.concatenate(self._bad),
            lines=np.concatenate(self._lines),
        )


def to_table(
    frame: pl.DataFrame,
    header: Header,
    *,
    bad: npt.NDArray[np.bool_],
    lines: npt.NDArray[np.int64] | None = None,
) -> Table:
    """Columns of a frame as numpy views; nulls (already marked in `bad`) become 0 or NaN."""
    values: dict[str, npt.NDArray[Any]] = {}
    symbols: list[str] | None = None
    for name in header.names:
        series = frame[name]
        if name == SYMBOL_COLUMN:
            symbols = series.fill_null("").to_list() if series.n_unique() > 1 else [series[0] or ""]
        elif name == "side":
            coded = series.replace_strict(SIDES, default=NO_SIDE, return_dtype=pl.UInt8)
            values[name] = coded.fill_null(NO_SIDE).to_numpy()
        elif series.dtype == pl.Int64:
            values[name] = (series.fill_null(0) if series.null_count() else series).to_numpy()
        else:
            values[name] = series.to_numpy()
    ts = values.pop("ts")
    return Table(header.kind, ts, values, bad, lines, symbols)
