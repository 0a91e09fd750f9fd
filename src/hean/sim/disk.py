# SPDX-License-Identifier: Apache-2.0
"""`disk.py`: a disk that outlives processes. What was committed is kept, everything else is lost
when the process dies; a commit that the death falls into is kept or lost by chance. It can be slow,
full or broken. One journal and some small files is all it holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hean.errors import SecondWriter
from hean.sim.process import Killed, Process
from hean.sim.world import World

NS = 1_000_000_000
FREE_BYTES = 64 << 30


@dataclass(slots=True)
class DiskFaults:
    """How the disk fails at present. *error_fraction*: of commits that fail for good; *slow_s*: the
    longest a commit takes, *slow_fraction* of them do; *is_full*: nothing can be written.
    """

    error_fraction: float = 0.0
    slow_fraction: float = 0.0
    slow_s: float = 0.0
    is_full: bool = False


class SimDisk:
    """The disk of one machine."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = DiskFaults()
        self.files: dict[str, bytes] = {}
        self.commits = 0
        self.on_commit: Callable[[list[tuple[object, ...]]], None] = lambda rows: None
        """Told the rows that are on the disk from now on."""
        self.holder: Process | None = None
        self.on_fault: Callable[[str], None] = lambda kind: None
        """Told each time the disk does something wrong."""
        self._rng = world.rng("disk")
        self._stores: dict[str, sqlite3.Connection] = {}

    def open(self, process: Process, path: Path) -> SimStore:
        """A journal file, for one process."""
        process.touch()
        store = self._stores.get(str(path))
        if store is None:
            store = self._stores[str(path)] = sqlite3.connect(":memory:", isolation_level=None)
        return SimStore(self, process, store)

    def lock(self, process: Process, path: Path, holder: str) -> SimLock:
        """The right to write. *Raises*: `SecondWriter`."""
        process.touch()
        if self.holder is not None and self.holder.is_alive:
            raise SecondWriter(f"{path} is held by process {self.holder.number}.")
        self.holder = process
        return SimLock(self)

    def read_file(self, process: Process, path: Path) -> bytes | None:
        """A small file, `None` if there is none."""
        process.touch()
        return self.files.get(str(path))

    def write_file(self, process: Process, path: Path, content: bytes) -> None:
        """Replace a small file, whole. *Raises*: `OSError`."""
        process.touch()
        if self.faults.is_full:
            raise OSError(28, "No space left on device")
        self.files[str(path)] = content
        self.world.note(content)
        process.touch()

    def free_bytes(self) -> int:
        """What is left."""
        return 0 if self.faults.is_full else FREE_BYTES

    def rows(self, path: Path, after_seq: int = 0) -> list[tuple[object, ...]]:
        """What a journal has committed."""
        store = self._stores.get(str(path))
        if store is None:
            return []
        return store.execute(
            "SELECT * FROM record WHERE seq > ? ORDER BY seq", (after_seq,)
        ).fetchall()

    def hinder(self) -> None:
        """What a commit meets. *Raises*: `sqlite3.OperationalError`."""
        faults, rng = self.faults, self._rng
        if faults.slow_fraction and rng.random() < faults.slow_fraction:
            self.world.clock.now_ns += int(rng.uniform(0.0, faults.slow_s) * NS)
            self.on_fault("disk_slow")
        if faults.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        if faults.error_fraction and rng.random() < faults.error_fraction:
            self.on_fault("disk_error")
            raise sqlite3.OperationalError("disk I/O error")


class SimLock:
    """Held until released, or until its process is dead."""

    def __init__(self, disk: SimDisk) -> None:
        self._disk = disk

    def release(self) -> None:
        """Let another in."""
        self._disk.holder = None


class SimStore:
    """The `Disk` port for one process."""

    def __init__(self, disk: SimDisk, process: Process, store: sqlite3.Connection) -> None:
        self._disk = disk
        self._process = process
        self._store = store
        self._waiting: list[tuple[str, list[tuple[object, ...]]]] = []
        process.on_death.append(self._waiting.clear)

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Run one statement and return its rows."""
        if not self._process.is_alive:
            raise Killed
        return self._store.execute(sql, parameters).fetchall()

    def insert_many(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        """Keep rows for the next commit."""
        if not self._process.is_alive:
            raise Killed
        self._waiting.append((sql, rows))

    def commit(self) -> None:
        """Put on the disk what was inserted."""
        self._process.touch()
        self._disk.hinder()
        self._store.execute("BEGIN")
        waiting, disk = self._waiting[:], self._disk
        for sql, rows in waiting:
            self._store.executemany(sql, rows)
        self._store.execute("COMMIT")
        self._waiting.clear()
        disk.commits += 1
        for sql, rows in waiting:
            disk.world.note(repr(rows).encode())
            if "record" in sql:
                disk.on_commit(rows)
        self._process.touch()

    def close(self) -> None:
        """What was not committed is lost."""
        self._waiting.clear()
