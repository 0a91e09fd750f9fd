# SPDX-License-Identifier: Apache-2.0
"""Stands before the Parquet decoder, which ends the whole process when a damaged page header asks
it for more memory than there is. The footer and the headers of all pages are walked here first:
every offset must lie in the file, every size must be one that flat market columns can have, and the
values of the pages must add up to the rows. Page contents are not looked at; the decoder does that.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from hean.data.table import COLUMNS_MAX, ROWS_MAX

_DEPTH_MAX = 16
_ITEMS_MAX = 1_000_000
_PAGES_MAX = 100_000
_BYTES_PER_ROW_MAX = 64  # unpacked bytes a row of one flat column may take
_OVERHEAD_BYTES = 1 << 20  # room for dictionaries and levels of small files

# Types of Thrift's compact protocol.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = (
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12,
)  # fmt: skip

Fields = dict[int, Any]


class Damaged(ValueError):
    """The file contradicts itself; the text says where."""


def check_pages(path: Path) -> None:
    """Walk the footer and every page header. *Raises*: `Damaged`."""
    with path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = len(data) - 8
        footer = end - int.from_bytes(data[end : end + 4], "little")
        meta = _Compact(data[footer:end], 0).struct()
        for number, group in enumerate(_items(meta, 4)):
            _check_group(data, group, footer, number)


def _check_group(data: mmap.mmap, group: Any, footer: int, number: int) -> None:
    rows = _whole(group, 3, ROWS_MAX, f"row group {number}: rows")
    chunks = _items(group, 1)
    if len(chunks) > COLUMNS_MAX:
        raise Damaged(f"row group {number}: {len(chunks)} columns")
    for column, chunk in enumerate(chunks):
        place = f"row group {number}, column {column}"
        meta = chunk.get(3) if isinstance(chunk, dict) else None
        if not isinstance(meta, dict):
            raise Damaged(f"{place}: no metadata")
        unpacked_max = rows * _BYTES_PER_ROW_MAX + _OVERHEAD_BYTES
        unpacked = _whole(meta, 6, unpacked_max, f"{place}: unpacked bytes")
        packed = _whole(meta, 7, footer, f"{place}: packed bytes")
        start = _whole(meta, 9, footer, f"{place}: data offset")
        if 11 in meta:
            start = min(start, _whole(meta, 11, footer, f"{place}: dictionary offset") or start)
        if start < 4 or start + packed > footer:
            raise Damaged(f"{place}: pages outside the file")
        values = _walk(data[start : start + packed], unpacked, rows, place)
        if not values == rows == meta.get(5):
            raise Damaged(f"{place}: {values} values in pages, {rows} rows")


def _walk(pages: bytes, unpacked: int, rows: int, place: str) -> int:
    """Values in the data pages of one column chunk."""
    at = values = 0
    for _ in range(_PAGES_MAX):
        if at == len(pages):
            return values
        reader = _Compact(pages, at)
        header = reader.struct()
        _whole(header, 2, unpacked, f"{place}: page unpacked bytes")
        at = reader.at + _whole(header, 3, len(pages) - reader.at, f"{place}: page packed bytes")
        kinds = [header[field] for field in (5, 7, 8) if isinstance(header.get(field), dict)]
        if len(kinds) != 1:
            raise Damaged(f"{place}: page of unknown kind")
        count = _whole(kinds[0], 1, max(rows, 1), f"{place}: page values")
        values += 0 if 7 in header else count
    raise Damaged(f"{place}: too many pages")


def _items(fields: Any, field: int) -> list[Any]:
    found = fields.get(field) if isinstance(fields, dict) else None
    if not isinstance(found, list):
        raise Damaged(f"footer field {field} is missing")
    return found


def _whole(fields: Any, field: int, most: int, what: str) -> int:
    """An integer field between 0 and `most`."""
    value = fields.get(field) if isinstance(fields, dict) else None
    if not isinstance(value, int) or not 0 <= value <= most:
        raise Damaged(f"{what}: {value}, allowed 0 .. {most}")
    return value


class _Compact:
    """Reads structures of Thrift's compact protocol into `{field id: value}`."""

    __slots__ = ("_bytes", "at")

    def __init__(self, source: bytes, at: int) -> None:
        self._bytes = source
        self.at = at

    def struct(self, depth: int = 0) -> Fields:
        """One structure, from the current place."""
        if depth > _DEPTH_MAX:
            raise Damaged("nested too deep")
        fields: Fields = {}
        identity = 0
        while (head := self._byte()) != 0:
            identity = identity + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            fields[identity] = kind == _TRUE if kind <= _FALSE else self._value(kind, depth)
        return fields

    def _byte(self) -> int:
        if self.at >= len(self._bytes):
            raise Damaged("structure runs past its end")
        self.at += 1
        return self._bytes[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            part = self._byte()
            value |= (part & 127) << shift
            if part < 128:
                return value
        raise Damaged("number too long")

    def _integer(self) -> int:
        raw = self._varint()
        return (raw >> 1) ^ -(raw & 1)

    def _skip(self, count: int) -> None:
        if count > len(self._bytes) - self.at:
            raise Damaged("structure runs past its end")
        self.at += count

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_I16, _I32, _I64):
            return self._integer()
        if kind == _BINARY:
            return self._skip(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind in (_BYTE, _DOUBLE):
            return self._skip(1 if kind == _BYTE else 8)
        raise Damaged(f"unknown type {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size, kind = head >> 4, head & 15
        if size == 15:
            size = self._varint()
        if size > min(_ITEMS_MAX, len(self._bytes) - self.at):
            raise Damaged("list longer than its bytes")
        one_byte = kind <= _FALSE
        return [self._byte() if one_byte else self._value(kind, depth + 1) for _ in range(size)]
