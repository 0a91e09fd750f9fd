# SPDX-License-Identifier: Apache-2.0
"""`sqlite.py`: `trading.db`, the projection in one file. Readers of any kind never stop its writer,
nor he them; `sqlite3 trading.db ".backup FILE"` works at any time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hean.core.journal import WriterLock
from hean.errors import EnvironmentFault
from hean.store.database import REMEDY, Database
from hean.store.schema import Row

BUSY_S = 30.0  # somebody reads or backs up
PAGE_ROWS = 5_000


class SqliteDatabase(Database):
    """The file at *path*. *is_writer*: takes the lock beside it, and makes it if there is none.

    *Raises*: `SecondWriter`, `EnvironmentFault`.
    """

    dialect = "sqlite"
    mark = "?"
    begin_to_write = "BEGIN IMMEDIATE"
    begin_to_read = "BEGIN"

    def __init__(self, path: Path, *, is_writer: bool) -> None:
        super().__init__(str(path))
        self._lock: WriterLock | None = None
        if not is_writer and not path.exists():
            raise EnvironmentFault(f"{path} is not there; {REMEDY}.")
        if is_writer:
            try:
                self._lock = WriterLock(path.with_name(f"{path.name}.lock"), str(os.getpid()))
            except OSError as error:
                raise EnvironmentFault(f"{path}: {error.strerror or error}.") from None
        mode = "rwc" if is_writer else "ro"
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None,
                timeout=BUSY_S, check_same_thread=False,
            )  # fmt: skip
            if is_writer:
                self.execute("PRAGMA journal_mode=WAL")
                self.execute("PRAGMA synchronous=NORMAL")  # what a crash takes is written again
        except (sqlite3.Error, EnvironmentFault) as error:
            self._release()
            raise EnvironmentFault(f"{path} cannot be opened ({error}).") from None

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement."""
        try:
            return self._connection.execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def execute_many(self, sql: str, rows: Sequence[Row]) -> None:
        """One statement for each row."""
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Rows of a query."""
        try:
            cursor = self._connection.execute(sql)
            while rows := cursor.fetchmany(PAGE_ROWS):
                yield from rows
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def tables(self) -> set[str]:
        """Names of the tables that are there."""
        rows = self.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {str(name) for (name,) in rows}

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file."""
        found = [str(text) for (text,) in self.execute("PRAGMA integrity_check(10)")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Let go of the file and its lock."""
        self._connection.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _fault(self, error: sqlite3.Error) -> EnvironmentFault:
        return EnvironmentFault(f"{self.place}: {error}.")
