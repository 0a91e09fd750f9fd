# SPDX-License-Identifier: Apache-2.0
"""`journal_tail.py`: reads a journal beside the process that writes it. Each look is a few short
statements on a connection that cannot write; none stays open between two looks, so writer and
checkpoint never wait for it. A journal that was begun anew is noticed and read from its first row;
so is that its folder is gone, or another one stands in its place. It checks no chain: whoever opens
the journal to write does.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from hean.core.journal import Record, SqliteDisk
from hean.live.monitor import KINDS

PAGE_ROWS = 2_000  # of one statement: a few milliseconds
_HEAD = "SELECT max(seq) FROM record"
_ROWS = "SELECT * FROM record WHERE seq > ? AND seq <= ?"


class Look(NamedTuple):
    """*is_new*: the file is another one than at the last look, its rows begin anew; *is_gone*: the
    folder is not the one of the first look any more; *has_more*: there are rows yet to be read.
    """

    head_seq: int
    records: list[Record]
    is_new: bool
    is_gone: bool = False
    has_more: bool = False


class JournalTail:
    """The journal at *path*, there or not. Used from any thread, by one at a time. *kinds*: rows
    that are read, all where none is named; *pages_max*: how many pages a look reads.
    """

    def __init__(
        self, path: Path, kinds: tuple[str, ...] = KINDS, *, pages_max: int | None = None
    ) -> None:
        self.path = path
        self._kinds = kinds
        self._pages_max = pages_max
        wanted = f" AND kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
        self._rows = f"{_ROWS}{wanted} ORDER BY seq"
        self._disk: SqliteDisk | None = None
        self._file: tuple[int, int] | None = None
        self._folder: tuple[int, int] | None = None
        self._seq = 0

    def look(self) -> Look:
        """What was committed since the last look.

        *Raises*: `OSError`, `sqlite3.Error` when it cannot be read now; the next look goes on.
        """
        folder, file = _identity(self.path.parent), _identity(self.path)
        self._folder = self._folder or folder
        if folder is None or folder != self._folder:
            return Look(0, [], False, is_gone=True)
        if file is None:
            return Look(0, [], False)
        is_new = self._file != file
        if is_new:
            self.close()
            self._file, self._seq = file, 0
        if self._disk is None:
            self._disk = SqliteDisk(self.path, read_only=True)
        try:
            return self._read(self._disk, is_new)
        except sqlite3.Error:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file; the next look opens it again."""
        disk, self._disk = self._disk, None
        if disk is not None:
            with suppress(sqlite3.Error):
                disk.close()

    def _read(self, disk: SqliteDisk, is_new: bool) -> Look:
        head_seq = int(str(disk.execute(_HEAD)[0][0] or 0))
        records: list[Record] = []
        seq, pages = self._seq, 0
        while seq < head_seq and pages != self._pages_max:
            end_seq = min(seq + PAGE_ROWS, head_seq)
            rows = disk.execute(self._rows, (seq, end_seq, *self._kinds))
            records += [Record(*row) for row in rows]  # type: ignore[arg-type]  # column types
            seq = end_seq
            pages += 1
        self._seq = seq  # not before all of it was read: what a failed look saw is seen again
        return Look(head_seq, records, is_new, has_more=seq < head_seq)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file or folder lies there; `None` if none does."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
