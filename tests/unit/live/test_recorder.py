# SPDX-License-Identifier: Apache-2.0
"""What is on the disk when a request may leave, and what a disk that does not work ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.core.journal import Journal, SqliteDisk, WriterLock
from hean.core.types import Payload
from hean.errors import JournalWriteFailed
from hean.live.recorder import Recorder
from hean.live.rows import SENT, Sent, row_of
from scripted_venue import tracked


class CountingDisk(SqliteDisk):
    """Counts its commits, each of which waits for the disk."""

    commits = 0

    def commit(self) -> None:
        super().commit()
        self.commits += 1


class Kept:
    """A recorder whose commits take as long as a test says."""

    def __init__(self, folder: Path) -> None:
        path = folder / "journal.db"
        self.disk = CountingDisk(path)
        self.told: list[Payload] = []
        self.took_s = 0.0
        self.time_s = 0.0
        journal = Journal(self.disk, place=str(path), meta={}, lock=WriterLock(folder / "l", "1"))
        self.disk.commits = 0
        self.recorder = Recorder(
            journal, emit=self.told.append, time_s=self._time, now=lambda: 1, state_hash=str
        )

    def _time(self) -> float:
        self.time_s += self.took_s
        return self.time_s

    def rows(self) -> list[str]:
        records = self.recorder.journal.records()
        return [row_of(record, Sent).order_id for record in records if record.kind == SENT]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_many_requests_are_durable_after_one_commit(kept: Kept) -> None:
    orders = [tracked(order_id=f"h1-test-{number}") for number in range(40)]
    kept.recorder.sending("cancel", orders, None, None)
    assert kept.disk.commits == 1
    assert kept.rows() == [order.order_id for order in orders]


def test_after_a_commit_that_took_too_long_none_succeeds(kept: Kept) -> None:
    """It was called for a cancel that nobody waits for: the next one ends the process."""
    kept.took_s = 11.0
    with pytest.raises(JournalWriteFailed, match=r"took 11\.0 s"):
        kept.recorder.sending("submit", [tracked()], None, None)
    kept.took_s = 0.0
    with pytest.raises(JournalWriteFailed, match=r"took 11\.0 s"):
        kept.recorder.commit()
