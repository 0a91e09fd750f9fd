# SPDX-License-Identifier: Apache-2.0
"""Reading a journal beside its writer: the real one, with the real rows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hean.core.journal import Journal, SqliteDisk, open_journal
from hean.live import journal_tail
from hean.live.journal_tail import JournalTail, Look
from hean.live.rows import SENT, START


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def written(path: Path) -> Journal:
    """A journal with one life."""
    journal = open_journal(path, holder="1", meta={"kind": "live"})
    journal.append(START, b"start", ts_ns=1)
    journal.commit()
    return journal


def seqs(look: Look) -> list[int]:
    """Numbers of the rows."""
    return [record.seq for record in look.records]


def test_a_journal_that_is_not_there_yet_has_no_rows(path: Path) -> None:
    tail = JournalTail(path)
    assert tail.look() == Look(0, [], False)
    journal = written(path)
    assert (seqs(tail.look()), tail.look().is_new) == ([1], False)
    journal.close()


def test_each_row_of_interest_is_told_once_and_the_rest_only_counts(path: Path) -> None:
    journal, tail = written(path), JournalTail(path)
    first = tail.look()
    assert (first.head_seq, seqs(first), first.is_new) == (1, [1], True)
    for kind in ("POSITION", SENT, "RECONCILE"):
        journal.append(kind, b"", ts_ns=2)
    assert tail.look().head_seq == 1, "not committed"
    journal.commit()
    second = tail.look()
    assert (second.head_seq, seqs(second), second.is_new) == (4, [3], False)
    assert tail.look() == Look(4, [], False)
    journal.close()


def test_every_kind_is_told_to_who_asks_for_all_and_a_long_journal_bit_by_bit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_tail, "PAGE_ROWS", 7)
    journal, tail = written(path), JournalTail(path, (), pages_max=2)
    for _ in range(29):
        journal.append("POSITION", b"", ts_ns=2)
    journal.commit()
    looks = [tail.look() for _ in range(3)]
    assert [(seqs(look)[0], seqs(look)[-1], look.has_more) for look in looks] == [
        (1, 14, True),
        (15, 28, True),
        (29, 30, False),
    ]
    journal.close()


def test_what_a_look_that_failed_has_seen_is_seen_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_tail, "PAGE_ROWS", 7)
    journal, tail = written(path), JournalTail(path, ())
    assert seqs(tail.look()) == [1]
    for _ in range(20):
        journal.append("POSITION", b"", ts_ns=2)
    journal.commit()
    execute, asked = SqliteDisk.execute, []

    def once(self: SqliteDisk, sql: str, given: tuple[object, ...] = ()) -> object:
        asked.append(sql)
        if len(asked) == 3:  # the second page
            raise sqlite3.OperationalError("disk I/O error")
        return execute(self, sql, given)

    monkeypatch.setattr(SqliteDisk, "execute", once)
    with pytest.raises(sqlite3.OperationalError):
        tail.look()
    assert seqs(tail.look()) == list(range(2, 22))
    journal.close()


def test_a_long_journal_is_read_in_pages(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_tail, "PAGE_ROWS", 7)
    journal = written(path)
    for _ in range(100):
        journal.append(SENT, b"", ts_ns=2)
    journal.commit()
    assert seqs(JournalTail(path).look()) == list(range(1, 102))
    journal.close()


def test_a_journal_begun_anew_is_read_from_its_first_row(path: Path) -> None:
    journal, tail = written(path), JournalTail(path)
    tail.look()
    journal.close()
    path.rename(path.with_name("old.db"))
    journal = written(path)
    look = tail.look()
    assert (seqs(look), look.is_new) == ([1], True)
    journal.close()


def test_a_file_that_is_no_journal_is_told_and_looked_at_again(path: Path) -> None:
    tail = JournalTail(path)
    path.write_bytes(b"nonsense" * 1_000)
    with pytest.raises(journal_tail.sqlite3.Error):
        tail.look()
    path.unlink()
    journal = written(path)
    assert seqs(tail.look()) == [1]
    journal.close()


def test_a_reader_between_two_looks_holds_nothing(path: Path) -> None:
    """Row 25: the writer may begin its log anew, which no reader's snapshot allows."""
    journal, tail = written(path), JournalTail(path)
    for _ in range(20):
        journal.append(SENT, b"x" * 1_000, ts_ns=2)
        journal.commit()
        tail.look()
        disk = SqliteDisk(path)
        assert disk.execute("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0
        disk.close()
    assert path.with_name("journal.db-wal").stat().st_size == 0
    journal.close()


def test_a_folder_that_is_gone_or_another_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    tail = JournalTail(folder / "journal.db")
    assert not tail.look().is_gone
    folder.rename(tmp_path / "elsewhere")
    assert tail.look().is_gone
    folder.mkdir()
    assert tail.look().is_gone, "whoever lives there now has a watchdog of its own"
    folder.rmdir()
    (tmp_path / "elsewhere").rename(folder)
    assert not tail.look().is_gone
