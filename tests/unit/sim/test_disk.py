# SPDX-License-Identifier: Apache-2.0
"""A disk that outlives processes: what was committed is there, what was not is gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hean.core.journal import Journal
from hean.errors import JournalWriteFailed, SecondWriter
from hean.sim.disk import DiskFaults, SimDisk
from hean.sim.process import Killed, Process
from hean.sim.world import World

PATH = Path("journal.db")


@pytest.fixture
def world() -> Iterator[World]:
    found = World(1)
    yield found
    found.close()


def life(world: World, number: int = 1) -> Process:
    return Process(world, number, lambda why: None)


def journal_of(disk: SimDisk, process: Process) -> Journal:
    lock = disk.lock(process, PATH, str(process.number))
    return Journal(disk.open(process, PATH), place="journal", lock=lock)  # type: ignore[arg-type]


def kinds(journal: Journal) -> list[str]:
    return [record.kind for record in journal.records()]


def test_the_next_process_reads_what_was_committed_and_nothing_else(world):
    disk = SimDisk(world)
    first = life(world)
    journal = journal_of(disk, first)
    journal.append("KEPT", b"", ts_ns=1)
    journal.commit()
    journal.append("LOST", b"", ts_ns=2)
    first.kill()
    assert kinds(journal_of(disk, life(world, 2))) == ["KEPT"]


@pytest.mark.parametrize("touch, is_kept", [(0, False), (1, True)])
def test_a_death_within_a_commit_keeps_all_of_it_or_nothing(world, touch, is_kept):
    disk = SimDisk(world)
    first = life(world)
    journal = journal_of(disk, first)
    journal.append("ONE", b"", ts_ns=1)
    journal.append("TWO", b"", ts_ns=1)
    first.die_at_touch = first.touches + 1 + touch
    with pytest.raises(Killed):
        journal.commit()
    assert kinds(journal_of(disk, life(world, 2))) == (["ONE", "TWO"] if is_kept else [])


def test_a_dead_process_reaches_the_disk_no_more(world):
    disk = SimDisk(world)
    process = life(world)
    journal = journal_of(disk, process)
    journal.append("LATE", b"", ts_ns=1)
    process.kill()
    with pytest.raises(Killed):
        journal.commit()
    with pytest.raises(Killed):
        disk.write_file(process, Path("latch"), b"on")
    assert disk.files == {}


def test_one_writer_until_it_is_dead(world):
    disk = SimDisk(world)
    first = life(world)
    disk.lock(first, PATH, "1")
    with pytest.raises(SecondWriter):
        disk.lock(life(world, 2), PATH, "2")
    first.kill()
    disk.lock(life(world, 3), PATH, "3").release()


@pytest.mark.parametrize("faults", [DiskFaults(error_fraction=1.0), DiskFaults(is_full=True)])
def test_a_commit_that_fails_is_final(world, faults):
    disk = SimDisk(world)
    journal = journal_of(disk, life(world))
    disk.faults = faults
    journal.append("ONE", b"", ts_ns=1)
    with pytest.raises(JournalWriteFailed):
        journal.commit()
    disk.faults = DiskFaults()
    with pytest.raises(JournalWriteFailed):
        journal.append("TWO", b"", ts_ns=1)


def test_a_slow_commit_takes_time_in_which_nobody_else_runs(world):
    disk = SimDisk(world)
    journal = journal_of(disk, life(world))
    disk.faults = DiskFaults(slow_fraction=1.0, slow_s=2.0)
    before_ns = world.now()
    journal.append("ONE", b"", ts_ns=1)
    journal.commit()
    assert 0 < world.now() - before_ns <= 2_000_000_000


def test_small_files_are_replaced_whole_and_outlive_processes(world):
    disk = SimDisk(world)
    first = life(world)
    assert disk.read_file(first, Path("latch")) is None
    disk.write_file(first, Path("latch"), b"one")
    first.die_at_touch = first.touches + 1
    with pytest.raises(Killed):
        disk.write_file(first, Path("latch"), b"two")
    assert disk.read_file(life(world, 2), Path("latch")) == b"one"
    disk.faults = DiskFaults(is_full=True)
    with pytest.raises(OSError, match="space"):
        disk.write_file(life(world, 3), Path("latch"), b"three")


def test_rows_are_told_when_they_are_on_the_disk_and_not_before(world):
    disk = SimDisk(world)
    told: list[str] = []
    disk.on_commit = lambda rows: told.extend(str(row[2]) for row in rows)
    journal = journal_of(disk, life(world))
    journal.append("ONE", b"", ts_ns=1)
    assert told == []
    journal.commit()
    assert told == ["ONE"]


def test_statements_that_are_wrong_are_errors_of_sqlite(world):
    disk = SimDisk(world)
    store = disk.open(life(world), PATH)
    with pytest.raises(sqlite3.Error):
        store.execute("SELECT * FROM nothing")
