# SPDX-License-Identifier: Apache-2.0
"""What was backed up is restored whole, or nothing is."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import pytest

from hean.core.journal import WriterLock, open_journal
from hean.errors import EnvironmentFault, InputError, JournalDamaged, SecondWriter
from hean.store.backup import MANIFEST, back_up, manifest_of, restore
from hean.store.projection import rebuild, verify
from hean.store.sqlite import SqliteDatabase
from store_desk import RandomLife, follow_to_end

NAME = "bybit-linear-testnet"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory whose account trades: its writer is at work."""
    data_dir = tmp_path / "data"
    life = RandomLife(data_dir / "live" / NAME)
    life.live(30)
    (data_dir / "live" / NAME / "kill.latch").write_text("{}")
    store = SqliteDatabase(data_dir / "trading.db", is_writer=True)
    rebuild(store, {NAME: life.path})
    store.close()
    life.live(3)
    return data_dir


def backup(data_dir: Path, target: Path) -> Path:
    return back_up(data_dir, [data_dir / "live" / NAME], target)[0]


def head(path: Path) -> tuple[int, bytes]:
    journal = open_journal(path)
    journal.close()
    return journal.head_seq, journal.head_hash


def test_a_backup_is_made_beside_a_writer_and_restored_elsewhere(
    tmp_path: Path, data_dir: Path
) -> None:
    journal = Path("live") / NAME / "journal.db"
    folder = backup(data_dir, tmp_path / "backups")
    manifest = manifest_of(folder)
    assert [kept.name for kept in manifest.files] == [
        str(journal),
        f"live/{NAME}/kill.latch",
        "trading.db",
    ]
    assert manifest.files[0].seq == head(data_dir / journal)[0]
    fresh = tmp_path / "fresh"
    _, aside = restore(folder, fresh, is_forced=False)
    assert (aside, head(fresh / journal)) == ([], head(data_dir / journal))
    store = SqliteDatabase(fresh / "trading.db", is_writer=True)
    assert verify(store, {NAME: fresh / journal}).count == 0
    follow_to_end(store, NAME, fresh / journal)
    proof = verify(store, {NAME: fresh / journal})
    assert proof.positions[NAME][0].seq == head(fresh / journal)[0]
    assert (fresh / journal).stat().st_mode & 0o077 == 0
    gone_on = open_journal(fresh / journal, holder="1")
    gone_on.close()


def test_a_backup_of_a_journal_that_grows_is_one_moment_of_it(tmp_path: Path) -> None:
    life = RandomLife(tmp_path / "data/live" / NAME)
    life.live(20)
    stop = threading.Event()

    def grow() -> None:
        while not stop.is_set():
            life.live(1)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        seqs = [head(life.path)[0]]
        for number in range(6):
            found = back_up(tmp_path / "data", [life.path.parent], tmp_path / str(number))[0]
            seqs.append(manifest_of(found).files[0].seq or 0)
    finally:
        stop.set()
        thread.join()
    assert sorted(seqs) == seqs and seqs[-1] <= head(life.path)[0]


def test_a_restore_releases_no_kill_switch(tmp_path: Path, data_dir: Path) -> None:
    folder = backup(data_dir, tmp_path / "backups")
    place = tmp_path / "other" / "live" / NAME
    place.mkdir(parents=True)
    (place / "kill.latch").write_text("latched since")
    for _ in range(2):
        _, aside = restore(folder, tmp_path / "other", is_forced=True)
        assert (place / "kill.latch").read_text() == "latched since"
        assert not any("latch" in name for name in aside)
    assert (folder / "live" / NAME / "kill.latch").read_text() == "{}"


def test_nothing_is_restored_over_what_is_there_or_written(tmp_path: Path, data_dir: Path) -> None:
    folder = backup(data_dir, tmp_path / "backups")
    with pytest.raises(InputError, match="--force puts it aside"):
        restore(folder, data_dir, is_forced=False)
    with pytest.raises(SecondWriter):  # somebody trades there
        restore(folder, data_dir, is_forced=True)
    other = tmp_path / "other"
    place = other / "live" / NAME
    life = RandomLife(place, 5)
    life.live(2)
    life.desk.die()
    before = head(life.path)
    _, aside = restore(folder, other, is_forced=True)
    assert head(life.path) == head(folder / "live" / NAME / "journal.db") != before
    assert head(other / aside[0]) == before
    lock = WriterLock(other / "trading.db.lock", "1")
    with pytest.raises(SecondWriter):
        restore(folder, other, is_forced=True)
    lock.release()
    assert head(life.path) == head(folder / "live" / NAME / "journal.db")


def test_a_backup_that_is_not_whole_restores_nothing(tmp_path: Path, data_dir: Path) -> None:
    fresh = tmp_path / "fresh"
    for number, spoil in enumerate(("journal", "latch", "manifest", "gone", "outside", "none")):
        folder = backup(data_dir, tmp_path / str(number))
        journal = folder / "live" / NAME / "journal.db"
        manifest = folder / MANIFEST
        document = json.loads(manifest.read_text())
        match spoil:
            case "journal":
                data = bytearray(journal.read_bytes())
                data[len(data) // 2] ^= 1
                journal.write_bytes(data)
            case "latch":
                (folder / "live" / NAME / "kill.latch").write_text("{} ")
            case "manifest":
                document["files"][0]["seq"] += 1
                manifest.write_text(json.dumps(document))
            case "gone":
                journal.unlink()
            case "outside":
                document["files"][0]["name"] = "../../escaped"
                manifest.write_text(json.dumps(document))
            case "none":
                manifest.unlink()
        with pytest.raises(InputError):
            restore(folder, fresh, is_forced=False)
        assert not fresh.exists()


def test_a_damaged_journal_and_a_full_disk_make_no_backup(tmp_path: Path, data_dir: Path) -> None:
    with pytest.raises(EnvironmentFault):
        backup(data_dir, Path("/proc/nowhere"))
    journal = data_dir / "live" / NAME / "journal.db"
    connection = sqlite3.connect(journal)
    connection.execute("UPDATE record SET ts_ns = 5 WHERE seq = 5")
    connection.commit()
    connection.close()
    with pytest.raises(JournalDamaged):
        backup(data_dir, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []
