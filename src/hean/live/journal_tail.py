# SPDX-License-Identifier: Apache-2.0
"""`journal_tail.py`: reads a journal beside the process that writes it. Each look is a few short
statements on a connection that cannot write; none stays open between two looks, so writer and
checkpoint never wait for it. A journal that was begun anew is noticed and read from its first row.
It checks no chain: whoever opens the journal to write does.
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
_ROWS = (
    "SELECT * FROM record WHERE seq > ? AND seq <= ?"
    f" AND kind IN ({', '.join('?' * len(KINDS))}) ORDER BY seq"
)


class Look(NamedTuple):
    """*is_new*: the file is another one than at the last look, its rows begin anew."""

    head_seq: int
    records: list[Record]
    is_new: bool


class JournalTail:
    """The journal at *path*, there or not. Used from any thread, by one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._disk: SqliteDisk | None = None
        self._file: tuple[int, int] | None = None
        self._seq = 0

    def look(self) -> Look:
        """What was committed since the last look.

        *Raises*: `OSError`, `sqlite3.Error` when it cannot be read now; the next look goes on.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return Look(0, [], False)
        is_new = self._file != (found.st_dev, found.st_ino)
        if is_new:
            self.close()
            self._file, self._seq = (found.st_dev, found.st_ino), 0
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
        while self._seq < head_seq:
            end_seq = min(self._seq + PAGE_ROWS, head_seq)
            rows = disk.execute(_ROWS, (self._seq, end_seq, *KINDS))
            records += [Record(*row) for row in rows]  # type: ignore[arg-type]  # column types
            self._seq = end_seq
        return Look(head_seq, records, is_new)
