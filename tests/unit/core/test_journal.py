# SPDX-License-Identifier: Apache-2.0
"""Durability, the chain, the lock. Damage is done to the real file, crashes are real kills."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hean.core.bus import EventBus
from hean.core.journal import (
    STATE_HASH,
    STATE_HASH_EVERY,
    Journal,
    Record,
    SqliteDisk,
    WriterLock,
    open_journal,
)
from hean.core.types import Event, EventType, Tick
from hean.errors import JournalDamaged, JournalWriteFailed, SecondWriter, StateError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def write(path: Path, count: int) -> bytes:
    """A closed journal of so many rows. Returns its head hash."""
    journal = open_journal(path, holder="1", meta={"account": "demo"})
    for number in range(1, count + 1):
        journal.append("INTENT", f"payload {number}".encode(), ts_ns=number)
    journal.close()
    return journal.head_hash


def test_rows_and_meta_are_read_back_as_they_were_written(path: Path) -> None:
    head = write(path, 3)
    journal = open_journal(path)
    rows = list(journal.records())
    assert [(row.seq, row.ts_ns, row.payload) for row in rows] == [
        (number, number, f"payload {number}".encode()) for number in (1, 2, 3)
    ]
    assert (journal.head_hash, journal.head_seq, journal.meta) == (head, 3, {"account": "demo"})
    assert [row.seq for row in journal.records(after_seq=2)] == [3]
    journal.close()


def test_a_reopened_journal_goes_on_with_its_chain(path: Path) -> None:
    write(path, 2)
    journal = open_journal(path, holder="2", meta={"account": "ignored"})
    assert journal.append("INTENT", b"x", ts_ns=9) == 3
    assert journal.meta == {"account": "demo"}
    journal.close()
    open_journal(path).close()


def test_the_same_rows_give_the_same_head_hash(tmp_path: Path) -> None:
    assert write(tmp_path / "a.db", 5) == write(tmp_path / "b.db", 5)


def test_events_from_a_tap_come_back_as_facts(path: Path) -> None:
    journal, bus = open_journal(path, holder="1"), EventBus()
    bus.tap(journal.append_event)
    tick = Tick("BTCUSDT", 1.5, 2.0, 3)
    bus.drain((tick, Event(EventType.SIGNAL, {"symbol": "BTCUSDT", "side": "BUY"})))
    journal.commit()
    rows = list(journal.records())
    assert [(row.kind, row.event_seq) for row in rows] == [("TICK", 1), ("SIGNAL", 2)]
    assert rows[0].fact() == tick
    journal.close()


def test_a_row_is_not_there_before_the_commit(path: Path) -> None:
    journal = open_journal(path, holder="1")
    journal.append("INTENT", b"x", ts_ns=1)
    assert list(journal.records()) == []
    journal.commit()
    assert len(list(journal.records())) == 1
    journal.close()


def test_the_state_hash_is_written_every_thousand_records(path: Path) -> None:
    states = iter([b"first", b"second"])
    journal = open_journal(path, holder="1", state_hash=lambda: next(states))
    for number in range(2 * STATE_HASH_EVERY):
        journal.append("INTENT", b"", ts_ns=number)
    journal.commit()
    hashes = [(row.seq, row.payload) for row in journal.records() if row.kind == STATE_HASH]
    assert hashes == [(STATE_HASH_EVERY + 1, b"first"), (2 * STATE_HASH_EVERY + 1, b"second")]
    journal.close()


# ---------------------------------------------------------------- damage


def test_one_flipped_byte_in_a_middle_row_is_refused_naming_the_row(path: Path) -> None:
    write(path, 100)
    content = bytearray(path.read_bytes())
    place = content.index(b"payload 50")
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(JournalDamaged, match=r"journal\.db: row 50 was changed"):
        open_journal(path, holder="2")


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("DELETE FROM record WHERE seq = 5", 5),
        ("UPDATE record SET ts_ns = ts_ns + 1 WHERE seq = 7", 7),
        ("UPDATE record SET kind = 'OTHER' WHERE seq = 2", 2),
        ("UPDATE record SET event_seq = 1 WHERE seq = 3", 3),
        ("UPDATE header SET meta = '{}'", 1),
    ],
)
def test_any_edit_is_refused_naming_the_first_row_that_does_not_fit(
    path: Path, sql: str, row: int
) -> None:
    write(path, 10)
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()
    with pytest.raises(JournalDamaged, match=f"row {row} "):
        open_journal(path)


def test_flipped_bytes_anywhere_are_harmless_or_refused(path: Path) -> None:
    """300 single-bit flips spread over the whole file: same rows and head, or a refusal."""
    head = write(path, 60)
    before = [(row.seq, row.payload) for row in read(path)]
    content = path.read_bytes()
    refused = 0
    for number in range(300):
        damaged = bytearray(content)
        place = number * len(content) // 300
        damaged[place] ^= 1 << (number % 8)
        path.write_bytes(damaged)
        try:
            journal = open_journal(path)
        except JournalDamaged as error:
            assert path.name in str(error)
            refused += 1
            continue
        assert journal.head_hash == head
        assert [(row.seq, row.payload) for row in journal.records()] == before
        journal.close()
    assert refused > 50


def read(path: Path) -> list[Record]:
    journal = open_journal(path)
    rows = list(journal.records())
    journal.close()
    return rows


@pytest.mark.parametrize("content", [b"a text file\n" * 100, b"SQLite format 3\0" + b"\1" * 200])
def test_a_file_that_is_no_journal_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalDamaged, match=r"journal\.db"):
        open_journal(path, holder="1")


def test_somebody_elses_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trades (id)")
    connection.close()
    with pytest.raises(JournalDamaged, match="trades"):
        open_journal(path, holder="1")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("trades",)]
    connection.close()


def test_another_format_is_refused_naming_both(path: Path) -> None:
    write(path, 1)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE header SET format = 99")
    connection.close()
    with pytest.raises(JournalDamaged, match="format 99, this version reads 1"):
        open_journal(path)


def test_a_missing_file_is_not_made_by_a_reader(path: Path) -> None:
    with pytest.raises(JournalDamaged, match="does not exist"):
        open_journal(path)
    assert not path.exists()


# ---------------------------------------------------------------- one writer


def test_a_second_writer_is_refused_naming_the_first(path: Path) -> None:
    journal = open_journal(path, holder="4711")
    with pytest.raises(SecondWriter, match="held by process 4711"):
        open_journal(path, holder="4712")
    journal.append("INTENT", b"still mine", ts_ns=1)
    journal.close()
    open_journal(path, holder="4713").close()


def test_a_reader_may_look_beside_a_writer_but_not_write(path: Path) -> None:
    journal = open_journal(path, holder="1")
    journal.append("INTENT", b"x", ts_ns=1)
    journal.commit()
    reader = open_journal(path)
    assert reader.head_seq == 1
    with pytest.raises(StateError, match="open for reading"):
        reader.append("INTENT", b"y", ts_ns=2)
    reader.close()
    journal.close()


def test_a_refused_open_frees_the_lock(path: Path) -> None:
    path.write_bytes(b"no journal")
    for _ in range(2):
        with pytest.raises(JournalDamaged):
            open_journal(path, holder="1")


# ---------------------------------------------------------------- crashes and failing disks

WRITER = """
import os, sys
from pathlib import Path
from hean.core.journal import open_journal
journal = open_journal(Path(sys.argv[1]), holder=str(os.getpid()))
for number in range(1, 21):
    journal.append("INTENT", b"committed", ts_ns=number)
journal.commit()
for number in range(21, 26):
    journal.append("INTENT", b"only buffered", ts_ns=number)
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_was_committed_survives_kill_9_and_the_lock_is_free(path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        writer.send_signal(signal.SIGKILL)
    journal = open_journal(path, holder="2")
    assert [row.payload for row in journal.records()] == [b"committed"] * 20
    assert journal.append("INTENT", b"next", ts_ns=26) == 21
    journal.close()
    open_journal(path).close()


class FullDisk(SqliteDisk):
    """A real disk that refuses to sync from some moment on."""

    is_full = False

    def commit(self) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        super().commit()


def test_a_failed_commit_is_final(path: Path) -> None:
    disk = FullDisk(path)
    lock = WriterLock(path.with_suffix(".lock"), "1")
    journal = Journal(disk, place=str(path), lock=lock)
    journal.append("INTENT", b"safe", ts_ns=1)
    journal.commit()
    disk.is_full = True
    journal.append("INTENT", b"lost", ts_ns=2)
    with pytest.raises(JournalWriteFailed, match="No space left"):
        journal.commit()
    disk.is_full = False
    with pytest.raises(JournalWriteFailed, match="takes no more rows"):
        journal.append("INTENT", b"never", ts_ns=3)
    with pytest.raises(JournalWriteFailed):
        journal.commit()
    journal.close()
    assert [row.payload for row in read(path)] == [b"safe"]
