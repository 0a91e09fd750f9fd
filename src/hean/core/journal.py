# SPDX-License-Identifier: Apache-2.0
"""`journal.py`: the write-ahead log that is the truth. One SQLite file, one writer.

Every row carries the hash of the row before it, so that a changed, missing or moved row is found
when the file is opened, and the start is refused with its number. `append` only buffers;
`commit` returns when everything is on the disk. An intent is appended and committed before a byte
of it leaves. A failed commit is final: the journal takes nothing more, the process must end.
"""

from __future__ import annotations

import fcntl
import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from hean.core.ports import Disk
from hean.core.types import Event, EventType, Payload, decode, encode
from hean.errors import JournalDamaged, JournalWriteFailed, SecondWriter, StateError

FORMAT = 1  # of rows and chain; a reader of another format refuses the file
STATE_HASH = "STATE_HASH"  # kind of the rows by which a replay is compared
STATE_HASH_EVERY = 1_000  # records; RELIABILITY R-02
BUFFER_ROWS_MAX = 1_000  # a fuller buffer commits by itself: bounds memory and loss
READ_ROWS = 10_000  # rows fetched at a time: some megabytes

_HEADER = "CREATE TABLE header (format INTEGER NOT NULL, meta TEXT NOT NULL)"
_RECORD = (
    "CREATE TABLE record (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL,"
    " kind TEXT NOT NULL, event_seq INTEGER NOT NULL, payload BLOB NOT NULL, hash BLOB NOT NULL)"
)
_SCHEMA = {"header": _HEADER, "record": _RECORD}
_INSERT = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT * FROM record WHERE seq > ? ORDER BY seq LIMIT ?"


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row. *seq*: its number, from 1 without gaps; *event_seq*: number of the bus, or 0."""

    seq: int
    ts_ns: int
    kind: str
    event_seq: int
    payload: bytes
    hash: bytes

    def fact(self) -> Payload:
        """The payload of an event row. *Raises*: `ValueError` for a row of another kind."""
        return decode(EventType(self.kind), self.payload)


class SqliteDisk:
    """The `Disk` port on SQLite: write-ahead log, every commit synced.

    May be used from any thread, by one at a time.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        mode = "ro" if read_only else "rwc"
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        self._connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False
        )
        self._is_open = False
        if not read_only:
            self.execute("PRAGMA journal_mode=WAL")
            self.execute("PRAGMA synchronous=FULL")

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Run one statement and return its rows."""
        return self._connection.execute(sql, parameters).fetchall()

    def insert_many(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        """Run one statement for each row, inside a transaction that `commit` ends."""
        if not self._is_open:
            self._connection.execute("BEGIN IMMEDIATE")
            self._is_open = True
        self._connection.executemany(sql, rows)

    def commit(self) -> None:
        """Return only when everything before is on the disk."""
        if self._is_open:
            self._connection.execute("COMMIT")
            self._is_open = False

    def close(self) -> None:
        """Let go of the file; what was not committed is lost."""
        self._connection.close()


class Lock(Protocol):
    """The right to be the only one who writes."""

    def release(self) -> None:
        """Let another writer in."""
        ...


class WriterLock:
    """The right to write beside *path*; the kernel frees it when the process dies."""

    def __init__(self, path: Path, holder: str) -> None:
        self._file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  # held until release
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            other = self._file.read().strip() or "unknown"
            self._file.close()
            raise SecondWriter(
                f"{path} is held by process {other}; stop it before another writer starts."
            ) from None
        self._file.truncate(0)
        self._file.write(f"{holder}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another writer in."""
        self._file.close()


def holder_of(path: Path) -> str | None:
    """Who holds the `WriterLock` at *path*; `None` if nobody does."""
    try:
        file = open(path, encoding="utf-8")  # noqa: SIM115  # closed below
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # until the file is closed
        except BlockingIOError:
            return file.read().strip() or "unknown"
    return None


class Journal:
    """An open journal; made by `open_journal`.

    *place*: the file, for messages. *state_hash*: asked every 1,000 records for the hash of the
    state before that record was handled. *lock*: released by `close`; without one the journal can
    only be read.
    """

    def __init__(
        self,
        disk: Disk,
        *,
        place: str,
        meta: dict[str, Any] | None = None,
        lock: Lock | None = None,
        state_hash: Callable[[], bytes] | None = None,
    ) -> None:
        self.place = place
        self._disk = disk
        self._lock = lock
        self._state_hash = state_hash
        self._buffer: list[tuple[object, ...]] = []
        self._failure: str | None = None
        self._genesis = b""
        try:
            self.meta = self._open(meta or {})
            self.head_seq, self.head_hash = self._verify()
        except JournalDamaged:
            raise
        except Exception as error:  # reason: damaged bytes come up as errors of every kind
            raise JournalDamaged(
                f"{place} cannot be read as a journal ({error}); restore it from a backup."
            ) from error

    def append(self, kind: str, payload: bytes, *, ts_ns: int, event_seq: int = 0) -> int:
        """Buffer one row; durable after `commit`. *Returns*: its number.

        *Raises*: `JournalWriteFailed` after any failed commit, `StateError` without a lock.
        """
        if self._failure is not None:
            raise JournalWriteFailed(f"{self.place} takes no more rows: {self._failure}")
        if self._lock is None:
            raise StateError(f"{self.place} is open for reading; open it with a holder to write.")
        number = self._add(kind, payload, ts_ns, event_seq)
        if self._state_hash is not None and number % STATE_HASH_EVERY == 0:
            self._add(STATE_HASH, self._state_hash(), ts_ns, event_seq)
        if len(self._buffer) >= BUFFER_ROWS_MAX:
            self.commit()
        return number

    def append_event(self, event: Event) -> int:
        """`append` of an event; can be given to `bus.tap`."""
        return self.append(
            event.event_type, encode(event.data), ts_ns=event.ts_ns, event_seq=event.seq
        )

    def commit(self) -> None:
        """Return when every appended row is on the disk. *Raises*: `JournalWriteFailed`."""
        if self._failure is not None:
            raise JournalWriteFailed(f"{self.place}: {self._failure}")
        if not self._buffer:
            return
        rows, self._buffer = self._buffer, []
        try:
            self._disk.insert_many(_INSERT, rows)
            self._disk.commit()
        except (sqlite3.Error, OSError) as error:
            self._failure = f"a commit failed ({error}); the process must end and be looked at."
            raise JournalWriteFailed(f"{self.place}: {self._failure}") from error

    def records(self, after_seq: int = 0) -> Iterator[Record]:
        """The committed rows with a higher number than *after_seq*, in order."""
        while True:
            rows = self._disk.execute(_SELECT, (after_seq, READ_ROWS))
            for row in rows:
                yield Record(*row)  # type: ignore[arg-type]  # the table's column types
            if len(rows) < READ_ROWS:
                return
            after_seq = int(str(rows[-1][0]))

    def close(self) -> None:
        """Commit and let go of file and lock; safe to call twice."""
        try:
            if self._failure is None:
                self.commit()
        finally:
            self._disk.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def _add(self, kind: str, payload: bytes, ts_ns: int, event_seq: int) -> int:
        self.head_seq += 1
        row = (self.head_seq, ts_ns, str(kind), event_seq, payload)
        self.head_hash = _link(self.head_hash, *row)
        self._buffer.append((*row, self.head_hash))
        return self.head_seq

    def _open(self, meta: dict[str, Any]) -> dict[str, Any]:
        """Check or write the header. *Returns*: the meta data of the file."""
        problems = self._disk.execute("PRAGMA integrity_check")
        if problems != [("ok",)]:
            raise JournalDamaged(f"{self.place}: {problems[0][0]}; restore it from a backup.")
        for name, sql in self._disk.execute("SELECT name, sql FROM sqlite_master"):
            if _SCHEMA.get(str(name)) != sql:
                raise JournalDamaged(f"{self.place} is no journal: it has a table {name}: {sql}.")
        if self._lock is not None:
            self._create(meta)
        rows = self._disk.execute("SELECT format, meta FROM header")
        if len(rows) != 1 or rows[0][0] != FORMAT:
            found = rows[0][0] if rows else "missing"
            raise JournalDamaged(
                f"{self.place} has format {found}, this version reads {FORMAT}; use the version "
                "that wrote it."
            )
        text = str(rows[0][1])
        self._genesis = hashlib.sha256(f"{FORMAT}/{text}".encode()).digest()
        found_meta: dict[str, Any] = msgspec.json.decode(text)
        return found_meta

    def _create(self, meta: dict[str, Any]) -> None:
        """Make tables and header of a new file; a crash in between leaves an empty new file."""
        tables = {str(name) for (name,) in self._disk.execute("SELECT name FROM sqlite_master")}
        for name, sql in _SCHEMA.items():
            if name not in tables:
                self._disk.execute(sql)
        used = self._disk.execute("SELECT 1 FROM header UNION SELECT 1 FROM record LIMIT 1")
        if not used:
            text = msgspec.json.encode(meta, order="deterministic").decode()
            self._disk.insert_many("INSERT INTO header VALUES (?, ?)", [(FORMAT, text)])
            self._disk.commit()

    def _verify(self) -> tuple[int, bytes]:
        """Walk the chain. *Raises*: `JournalDamaged` naming the first row that does not fit."""
        seq, head = 0, self._genesis
        for record in self.records():
            seq += 1
            expected = _link(head, seq, record.ts_ns, record.kind, record.event_seq, record.payload)
            if record.seq != seq or record.hash != expected:
                was = "was changed: its hash is not that of its content"
                if record.seq != seq:
                    was = f"is missing: the next one there is row {record.seq}"
                raise JournalDamaged(
                    f"{self.place}: row {seq} {was}; restore the file from a backup."
                )
            head = expected
        return seq, head


def open_journal(
    path: Path,
    *,
    holder: str | None = None,
    meta: dict[str, Any] | None = None,
    state_hash: Callable[[], bytes] | None = None,
) -> Journal:
    """Open a journal, checking all of it.

    *holder*: the writer's process id; it takes the lock and makes the file if there is none.
    Without it the file is only read. *meta*: stored in the header of a new file.
    *Raises*: `SecondWriter`, `JournalDamaged`.
    """
    if holder is None and not path.exists():
        raise JournalDamaged(f"{path} does not exist; check the path.")
    lock = WriterLock(path.with_name(f"{path.name}.lock"), holder) if holder is not None else None
    try:
        disk = SqliteDisk(path, read_only=lock is None)
    except Exception as error:  # reason: damaged bytes come up as errors of every kind
        if lock is not None:
            lock.release()
        raise JournalDamaged(f"{path} cannot be opened as a journal ({error}).") from error
    try:
        return Journal(disk, place=str(path), meta=meta, lock=lock, state_hash=state_hash)
    except Exception:
        disk.close()
        if lock is not None:
            lock.release()
        raise


def _link(before: bytes, seq: int, ts_ns: int, kind: str, event_seq: int, payload: bytes) -> bytes:
    """The hash of a row, over the hash before it and all of its fields."""
    fields = f"{seq}/{ts_ns}/{len(kind)}/{kind}/{event_seq}/".encode()
    return hashlib.sha256(before + fields + payload).digest()
