# SPDX-License-Identifier: Apache-2.0
"""`database.py`: a database that journals are projected into, whichever it is: opened to write by
one process at a time, brought to the newest version, written in transactions that hold rows and
position together, read in one snapshot. Whatever goes wrong with it is an `EnvironmentFault`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

from hean.errors import EnvironmentFault
from hean.store.schema import ALL, JOURNAL, JOURNALS, TABLES, Row, migrations, upsert

VERSION = "schema_version"
REMEDY = "hean store rebuild makes it anew"


class Position(NamedTuple):
    """Up to where a journal is in the tables: number and chain hash (hex) of its row."""

    seq: int
    head: str


class Database(ABC):
    """What both kinds share. *place*: what it is called, without a password."""

    dialect: ClassVar[str]
    mark: ClassVar[str]
    begin_to_write: ClassVar[str]
    begin_to_read: ClassVar[str]

    def __init__(self, place: str) -> None:
        self.place = place
        self._is_within = False

    # ------------------------------------------------------------ each its own

    @abstractmethod
    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement. *Raises*: `EnvironmentFault`."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Sequence[Row]) -> None:
        """One statement for each row. *Raises*: `EnvironmentFault`."""

    @abstractmethod
    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Rows of a query, some at a time. *Raises*: `EnvironmentFault`."""

    @abstractmethod
    def tables(self) -> set[str]:
        """Names of the tables that are there."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it, and of the right to write."""

    # ------------------------------------------------------------ version

    @property
    def newest(self) -> int:
        """The version that this code knows."""
        return len(migrations(self.dialect))

    def version(self) -> int:
        """What is there; 0 for nothing."""
        if VERSION not in self.tables():
            return 0
        return int(self.execute(f"SELECT version FROM {VERSION}")[0][0])  # ours

    def migrate(self) -> int:
        """Bring it to the newest version. *Returns*: from which. *Raises*: `EnvironmentFault`."""
        with self.transaction():
            found = self.version()
            if found > self.newest:
                raise EnvironmentFault(
                    f"{self.place} has version {found}, this HEAN knows {self.newest}; use the "
                    f"newer HEAN, or let {REMEDY}."
                )
            if not found:
                self._refuse_foreign()
                self.execute(f"CREATE TABLE {VERSION} (version INTEGER NOT NULL)")
                self.execute(f"INSERT INTO {VERSION} VALUES (0)")  # ours
            for statements in migrations(self.dialect)[found:]:
                for statement in statements:
                    self.execute(statement)
            self.execute(f"UPDATE {VERSION} SET version = {self.newest}")  # ours
        return found

    def check_version(self) -> None:
        """*Raises*: `EnvironmentFault` when it is not what this code reads."""
        found = self.version()
        if found != self.newest:
            what = f"has version {found}, not {self.newest}" if found else "has no tables of ours"
            raise EnvironmentFault(f"{self.place} {what}; {REMEDY}.")

    # ------------------------------------------------------------ writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one inside of another is a part of it."""
        if self._is_within:
            yield
            return
        self.execute(self.begin_to_write)
        self._is_within = True
        try:
            yield
            self._is_within = False
            self.execute("COMMIT")
        except BaseException:
            self._is_within = False
            self._roll_back()
            raise

    def clear(self) -> None:
        """Leave no table of ours, of whatever version."""
        found = self.tables()
        if VERSION not in found:
            self._refuse_foreign()
        for name in {*ALL, VERSION} & found:
            self.execute(f"DROP TABLE {name}")

    def write(self, journal: str, rows: dict[str, list[Row]], about: Row) -> None:
        """Put rows in their places, and with them up to where the journal was read. *about*: its
        row of `journals`. All of them as `Table.same` gives them.
        """
        with self.transaction():
            for name, found in rows.items():
                if found:
                    named = [(journal, *row) for row in found]
                    self.execute_many(upsert(name, self.mark), named)
            self.execute_many(upsert(JOURNALS, self.mark), [(journal, *about)])

    def forget(self, journal: str) -> None:
        """Take out all rows of a journal."""
        with self.transaction():
            for name in ALL:
                sql = f"DELETE FROM {name} WHERE journal = {self.mark}"  # ours
                self.execute(sql, (journal,))

    # ------------------------------------------------------------ reading

    def positions(self) -> dict[str, Position]:
        """Of each journal."""
        rows = self.execute(f"SELECT journal, seq, head FROM {JOURNALS}")  # ours
        return {str(name): Position(int(seq), str(head)) for name, seq, head in rows}

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read inside is of one moment."""
        self.execute(self.begin_to_read)
        try:
            yield
        finally:
            self._roll_back()

    def rows(self, name: str) -> Iterator[tuple[str, Row]]:
        """Journal and row of a table, as `Table.same` gives them."""
        table = ALL[name]
        for journal, *row in self.stream(f"SELECT {', '.join(table.names)} FROM {name}"):
            yield str(journal), table.same(row)

    # ------------------------------------------------------------ inside

    def _roll_back(self) -> None:
        try:
            self.execute("ROLLBACK")
        except EnvironmentFault:
            return  # its connection is gone, and with it what was begun

    def _refuse_foreign(self) -> None:
        if foreign := sorted({*TABLES, JOURNALS} & self.tables()):
            raise EnvironmentFault(
                f"{self.place} has a table {foreign[0]} that is not ours; give an empty database."
            )


def about_row(kind: str, whose: dict[str, str], times: tuple[str, str], position: Position) -> Row:
    """A row of `journals`."""
    words = (kind, *(whose[name] for name in ("venue", "market", "role", "account")), *times)
    return JOURNAL.same((*words, *position))
