# SPDX-License-Identifier: Apache-2.0
"""`postgres.py`: the projection on a PostgreSQL server. Who writes holds an advisory lock, which
ends with the connection. The driver is the extra `postgres`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from hean.errors import EnvironmentFault, ParameterInvalid, SecondWriter
from hean.store.database import Database
from hean.store.schema import Row

SCHEMES = ("postgresql", "postgres")
INSTALL = "PostgreSQL needs psycopg: ./hean setup postgres, or pip install 'hean[postgres]'"
LOCK = 0x4845414E  # "HEAN"
CONNECT_S = 10
SILENT_MS = 30_000  # without a word from the server the line counts as cut
PAGE_ROWS = 5_000


class PostgresDatabase(Database):
    """The database of *url*. *is_writer*: takes the lock.

    *Raises*: `SecondWriter`, `EnvironmentFault`, `ParameterInvalid`.
    """

    dialect = "postgresql"
    mark = "%s"
    begin_to_write = "BEGIN"
    begin_to_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: str, *, is_writer: bool) -> None:
        super().__init__(_named(url))
        if importlib.util.find_spec("psycopg") is None:
            raise EnvironmentFault(f"{INSTALL}.")
        import psycopg  # an extra that need not be there

        self._error = psycopg.Error
        try:
            self._connection = psycopg.connect(
                url, autocommit=True, connect_timeout=CONNECT_S, application_name="hean store",
                tcp_user_timeout=SILENT_MS,
            )  # fmt: skip
        except (psycopg.ProgrammingError, UnicodeError):
            raise ParameterInvalid(
                "the database is named postgresql://user@host:port/name; its words are wrong."
            ) from None
        except psycopg.Error as error:
            raise self._fault(error) from None
        if is_writer and not self.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))[0][0]:
            self.close()
            raise SecondWriter(f"{self.place} is written by another process; stop it first.")

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement."""
        try:
            cursor = self._connection.execute(sql, values or None)
            return cursor.fetchall() if cursor.description is not None else []
        except self._error as error:
            raise self._fault(error) from None

    def execute_many(self, sql: str, rows: Sequence[Row]) -> None:
        """One statement for each row."""
        try:
            with self._connection.cursor() as cursor:
                cursor.executemany(sql, rows)
        except self._error as error:
            raise self._fault(error) from None

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Rows of a query, inside of a snapshot."""
        try:
            with self._connection.cursor("rows") as cursor:
                cursor.itersize = PAGE_ROWS
                yield from cursor.execute(sql)
        except self._error as error:
            raise self._fault(error) from None

    def tables(self) -> set[str]:
        """Names of the tables that are there."""
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        return {str(name) for (name,) in self.execute(sql)}

    def close(self) -> None:
        """Let go of the connection, and the lock with it."""
        self._connection.close()

    def _fault(self, error: Exception) -> EnvironmentFault:
        words = " ".join(str(error).split())[:300]
        return EnvironmentFault(f"{self.place}: {words or type(error).__name__}.")


def _named(url: str) -> str:
    """A URL without user and password. *Raises*: `ParameterInvalid`."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        raise ParameterInvalid("the database is named postgresql://user@host:port/name.") from None
    return f"postgresql://{host}{parts.path}"
