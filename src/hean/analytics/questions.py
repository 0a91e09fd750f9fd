# SPDX-License-Identifier: Apache-2.0
"""`questions.py`: SQL of people over the tables of a journal. The tables are copied into SQLite in
memory, and a question may read them and call functions; it writes nothing, opens no file, attaches
no database and loads no library, because SQLite asks an authorizer before it compiles any of that.
Time, rows, text and memory are bounded.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from hean.analytics.tables import COLUMNS, Tables
from hean.errors import ParameterInvalid

SECONDS_MAX = 5.0
ROWS_MAX = 1_000
ANSWER_LENGTH_MAX = 5_000_000  # of its text; a screen shows less
LOOK_STEPS = 10_000  # of SQLite's machine: a millisecond or so
HEAP_BYTES_MAX = 1 << 30  # of SQLite in the whole process, the tables included
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_UNCALLED = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})
_UNREADABLE = ("sqlite_", "pragma_")  # beginnings; all else there is are the tables and CTEs
_WARM_UP = "SELECT 1 FROM json_each('[]'), json_tree('[]')"  # these make themselves once, at first
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 20_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """*is_cut*: there are more rows than are shown."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    is_cut: bool
    seconds: float


class Questions:
    """Of one set of tables. May be used from any thread, by one at a time."""

    def __init__(self, tables: Tables) -> None:
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection = self._connection
        for name, columns in COLUMNS.items():
            connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
            marks = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", tables.rows[name])
        connection.commit()
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA hard_heap_limit = {HEAP_BYTES_MAX}")
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        connection.execute(_WARM_UP)
        connection.set_authorizer(_permission)
        self._end_s = 0.0
        connection.set_progress_handler(self._is_over, LOOK_STEPS)

    def ask(
        self, sql: str, *, rows_max: int = ROWS_MAX, seconds_max: float = SECONDS_MAX
    ) -> Answer:
        """Answer one statement. *Raises*: `ParameterInvalid` with what is wrong with it."""
        began_s = time.monotonic()
        self._end_s = began_s + seconds_max
        try:
            cursor = self._connection.execute(sql)
            rows, is_cut = _bounded(cursor, rows_max)
        except (sqlite3.Error, sqlite3.Warning, ValueError, UnicodeError) as error:
            raise ParameterInvalid(f"this cannot be answered: {_words(error)}.") from None
        except MemoryError:
            raise ParameterInvalid("this cannot be answered: it needs too much memory.") from None
        if cursor.description is None:
            raise ParameterInvalid("ask with SELECT; nothing else is answered.")
        columns = tuple(each[0] for each in cursor.description)
        cursor.close()
        return Answer(columns, rows, is_cut, time.monotonic() - began_s)

    def close(self) -> None:
        """Forget the tables."""
        self._connection.close()

    def _is_over(self) -> bool:
        return time.monotonic() > self._end_s


def _bounded(cursor: sqlite3.Cursor, rows_max: int) -> tuple[list[tuple[Any, ...]], bool]:
    """The rows that are shown, and whether there are more."""
    rows: list[tuple[Any, ...]] = []
    length = 0
    for row in cursor:
        length += sum(len(each) for each in row if isinstance(each, str | bytes))
        if len(rows) == rows_max or length > ANSWER_LENGTH_MAX:
            return rows, True
        rows.append(row)
    return rows, False


def _permission(action: int, first: str | None, second: str | None, *_: object) -> int:
    is_read = action == sqlite3.SQLITE_READ and not (first or "").startswith(_UNREADABLE)
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _UNCALLED:
        return sqlite3.SQLITE_DENY
    if action in _ALLOWED or is_read:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _words(error: Exception) -> str:
    text = str(error)
    if text == "interrupted":
        return f"it takes more than {SECONDS_MAX:g} s"
    if text in ("not authorized", "authorizer malfunction") or text.startswith("access to"):
        return f"it may only read {', '.join(COLUMNS)} ({text})"
    return text.rstrip(".")[:500]
