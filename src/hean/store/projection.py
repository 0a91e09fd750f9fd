# SPDX-License-Identifier: Apache-2.0
"""`projection.py`: brings the rows of journals into a database, goes on where it was left, and
proves by a second fold that what is there is what the journals say. It reads journals beside their
writers and stops nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hean.core.journal import Record, SqliteDisk, open_journal
from hean.errors import JournalDamaged
from hean.live.journal_tail import JournalTail
from hean.store.database import Database, Position, about_row
from hean.store.fold import Fold, time_of
from hean.store.schema import ALL, JOURNALS, TABLES, Row, digest_text, row_digest

PAGES = 5  # of the journal at a time, 10,000 rows
DIFFERENCES_MAX = 50  # that are named


class Projection:
    """Of the journal at *path*, called *name*, into a database. After an error it is of no use any
    more; the next one goes on from what is in the tables.
    """

    def __init__(self, name: str, path: Path, database: Database) -> None:
        self.name = name
        self._path = path
        self._database = database
        self._tail = JournalTail(path, (), pages_max=PAGES)
        self._fold: Fold | None = None
        self._held: Position | None = None  # what the database has and the fold has yet to reach
        self.seq = 0
        """Of the last row that is in the tables."""

    def catch_up(self) -> int:
        """Read on and write, some thousand rows at most. *Returns*: how many rows remain.

        *Raises*: `EnvironmentFault` when the database does not take them.
        """
        look = self._tail.look()
        if look.is_new or self._fold is None:
            if not look.head_seq:
                return 0
            self._begin()
        if self._held is not None and look.head_seq < self._held.seq:
            return self._anew()
        for record in look.records:
            if not self._apply(record):
                return self._anew()
        if look.records:
            self._write(look.records[-1])
        read = look.records[-1].seq if look.records else self.seq
        return look.head_seq - read

    def close(self) -> None:
        """Let go of the journal."""
        self._tail.close()

    # ------------------------------------------------------------ inside

    def _begin(self) -> None:
        self._fold = Fold(meta_of(self._path))
        self._held = self._database.positions().get(self.name)
        self.seq = 0

    def _apply(self, record: Record) -> bool:
        """Fold a row. *Returns*: whether it is of the journal that the database knows."""
        assert self._fold is not None
        self._fold.apply(record)
        held = self._held
        if held is not None and record.seq == held.seq:
            if record.hash.hex() != held.head:
                return False
            self._fold.changed()  # the tables have it
            self._held, self.seq = None, held.seq
        return True

    def _anew(self) -> int:
        """It is another journal than the one in the tables."""
        self._database.forget(self.name)
        self._tail.close()
        self._tail = JournalTail(self._path, (), pages_max=PAGES)
        self._fold = None
        return 1

    def _write(self, last: Record) -> None:
        assert self._fold is not None
        found = self._fold.changed()
        if self._held is not None or last.seq == self.seq:
            return  # the tables have it
        rows = {name: list(map(TABLES[name].same, each)) for name, each in found.items()}
        about = _about(self._fold, Position(last.seq, last.hash.hex()))
        self._database.write(self.name, rows, about)
        self.seq = last.seq


def _about(fold: Fold, position: Position) -> Row:
    times = (time_of(fold.first_ns), time_of(fold.last_ns))
    return about_row(fold.kind, fold.whose.words(), times, position)


def meta_of(path: Path) -> dict[str, Any]:
    """Of a journal's header. *Raises*: `JournalDamaged`."""
    disk = SqliteDisk(path, read_only=True)
    try:
        rows = disk.execute("SELECT meta FROM header")
        found: dict[str, Any] = msgspec.json.decode(str(rows[0][0]))
    # reason: damaged bytes come up as errors of every kind
    except Exception as error:  # noqa: BLE001
        raise JournalDamaged(f"{path} cannot be read as a journal ({error}).") from None
    finally:
        disk.close()
    return found


def rebuild(database: Database, journals: Mapping[str, Path]) -> None:
    """Make all tables anew from these journals, whose chains are walked; who reads meanwhile sees
    what was there before. *Raises*: `JournalDamaged`, `EnvironmentFault`; then nothing has changed.
    """
    for path in journals.values():
        open_journal(path).close()
    with database.transaction():
        database.clear()
        database.migrate()
        for name, path in journals.items():
            work = Projection(name, path, database)
            try:
                while work.catch_up():
                    pass
            finally:
                work.close()


@dataclass(frozen=True, slots=True)
class Proof:
    """What is in a database. *digests*: of each table; *positions*: of each journal, with the
    number of its newest row; *differences*: one sentence each; *count*: of all of them.
    """

    rows: dict[str, int]
    digests: dict[str, str]
    positions: dict[str, tuple[Position, int]]
    differences: list[str]
    count: int

    @property
    def digest(self) -> str:
        """Of everything."""
        return digest_text([int(each, 16) for each in self.digests.values()])


def verify(database: Database, journals: Mapping[str, Path]) -> Proof:
    """Compare every row with the fold of its journal. *Raises*: `JournalDamaged`."""
    differences: list[str] = []
    with database.snapshot():
        database.check_version()
        positions = database.positions()
        expected, heads = _expected(positions, journals, differences)
        others = len(differences)
        rows, digests, count = _compared(database, expected, differences)
    known = {name: (at, heads.get(name, at.seq)) for name, at in positions.items()}
    count += others
    return Proof(rows, digests, known, differences, count)


Expected = dict[tuple[str, str, Row], int]
"""Digest of a row, by table, journal and key."""


def _expected(
    positions: Mapping[str, Position], journals: Mapping[str, Path], differences: list[str]
) -> tuple[Expected, dict[str, int]]:
    """What there should be, and how many rows each journal has."""
    found: Expected = {}
    heads: dict[str, int] = {}
    for name, position in positions.items():
        if name not in journals:
            differences.append(f"{name}: no journal of this name is here.")
            continue
        journal = open_journal(journals[name])
        try:
            heads[name] = journal.head_seq
            fold, reached = Fold(journal.meta), None
            for record in journal.records():
                if record.seq > position.seq:
                    break
                fold.apply(record)
                reached = Position(record.seq, record.hash.hex())
        finally:
            journal.close()
        if reached != position:
            differences.append(f"{name}: its row {position.seq} is another than in the tables.")
        for table, rows in fold.changed().items():
            for row in map(TABLES[table].same, rows):
                found[table, name, TABLES[table].key(row)] = row_digest(name, row)
        about = _about(fold, position)
        found[JOURNALS, name, ()] = row_digest(name, about)
    differences += [f"{name}: not in the tables yet." for name in journals.keys() - positions]
    return found, heads


def _compared(
    database: Database, expected: Expected, differences: list[str]
) -> tuple[dict[str, int], dict[str, str], int]:
    """Rows and digest of each table, and how many rows differ."""
    rows: dict[str, int] = {}
    digests: dict[str, str] = {}
    count = 0

    def differs(table: str, journal: str, key: Row, how: str) -> None:
        nonlocal count
        count += 1
        if count <= DIFFERENCES_MAX:
            differences.append(f"{table}, {journal} {' '.join(map(str, key))}: {how}".rstrip())

    for name, table in ALL.items():
        found = []
        for journal, row in database.rows(name):
            digest = row_digest(journal, row)
            found.append(digest)
            key = table.key(row)
            wanted = expected.pop((name, journal, key), None)
            if wanted is None:
                differs(name, journal, key, "is in the tables, not in the journal.")
            elif wanted != digest:
                differs(name, journal, key, "is not as the journal says.")
        rows[name], digests[name] = len(found), digest_text(found)
    for name, journal, key in expected:
        differs(name, journal, key, "is in the journal, not in the tables.")
    return rows, digests, count
