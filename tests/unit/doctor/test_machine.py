# SPDX-License-Identifier: Apache-2.0
"""What is wrong with directory, journal, lock, latch or port is found before a start would fail."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hean.core.journal import SqliteDisk, WriterLock
from hean.core.types import KillswitchTriggered
from hean.doctor import machine
from hean.doctor.findings import Finding, Verdict
from hean.live.latch import Latch
from hean.live.parts import LiveParts, real_parts
from hean.live.recovery import Books
from hean.live.settings import LiveSettings
from hean.risk.levels import Latched
from journal_desk import JournalDesk


@pytest.fixture
def settings(tmp_path: Path) -> LiveSettings:
    """A data directory of an account."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    names = ("bybit", "linear", "testnet", ("BTCUSDT",), "hand")
    return LiveSettings(*names, folder, account_id="1")  # type: ignore[arg-type]


@pytest.fixture
def parts() -> LiveParts:
    """This machine."""
    return real_parts()


@pytest.fixture
def journal(settings: LiveSettings) -> Path:
    """A journal with an order in it, whose writer has gone."""
    desk = JournalDesk(settings.journal)
    desk.tick(60_000.0)
    for number in range(5):
        desk.signal(f"h1-hand-{number}")
    desk.stop()
    return settings.journal


def looked(settings: LiveSettings) -> tuple[Finding, Books | None]:
    """At the journal."""
    return machine.journal(settings)


def test_a_whole_journal_is_ok_with_its_rows_and_books(
    settings: LiveSettings, journal: Path
) -> None:
    finding, books = looked(settings)
    assert finding.verdict is Verdict.OK, finding
    assert "an orderly end" in finding.found
    assert books is not None
    assert len(books.open_orders()) == 5


def test_a_directory_without_a_journal_is_ok(settings: LiveSettings) -> None:
    finding, books = looked(settings)
    assert (finding.verdict, books) == (Verdict.OK, None)


def _truncated(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _flipped(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        row = connection.execute("SELECT payload FROM record WHERE seq = 7").fetchone()[0]
        changed = bytes([row[0] ^ 1, *row[1:]])
        connection.execute("UPDATE record SET payload = ? WHERE seq = 7", (changed,))


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE header SET format = 99")


def _text(path: Path) -> None:
    path.write_bytes(b"no journal at all\n" * 100)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_truncated, "restore"),
        (_flipped, "row 7 was changed"),
        (_newer, "format 99, this version reads 1"),
        (_text, "cannot be"),
    ],
)
def test_a_damaged_journal_fails_with_the_place_and_is_not_touched(
    settings: LiveSettings, journal: Path, damage: Callable[[Path], None], word: str
) -> None:
    damage(journal)
    before = journal.read_bytes()
    finding, books = looked(settings)
    assert finding.verdict is Verdict.FAIL
    assert word in finding.found
    assert (books, journal.read_bytes()) == (None, before)


@pytest.mark.parametrize(
    "other", [{"account_id": "2"}, {"venue": "binance"}, {"role": "mainnet"}, {"market": "spot"}]
)
def test_another_accounts_journal_fails_naming_both(
    settings: LiveSettings, journal: Path, other: dict[str, str]
) -> None:
    changed = LiveSettings(
        **{  # type: ignore[arg-type]
            "venue": "bybit",
            "market": "linear",
            "role": "testnet",
            "symbols": ("BTCUSDT",),
            "strategy": "hand",
            "data_dir": settings.data_dir,
            "account_id": "1",
            **other,
        }
    )
    finding, _ = looked(changed)
    assert finding.verdict is Verdict.FAIL
    assert "account 1, bybit linear testnet" in finding.found


def test_a_second_instance_is_seen_by_its_lock(settings: LiveSettings) -> None:
    assert machine.lock(settings).verdict is Verdict.OK
    held = WriterLock(settings.journal.with_name("journal.db.lock"), "4711")
    finding = machine.lock(settings)
    assert finding.verdict is Verdict.WARN
    assert "process 4711" in finding.found
    held.release()
    assert machine.lock(settings).verdict is Verdict.OK


def test_looking_takes_no_lock_from_a_writer_that_comes(settings: LiveSettings) -> None:
    machine.lock(settings)
    WriterLock(settings.journal.with_name("journal.db.lock"), "1").release()


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o777])
def test_a_directory_others_may_look_into_fails_naming_the_remedy(
    settings: LiveSettings, parts: LiveParts, mode: int
) -> None:
    settings.data_dir.chmod(mode)
    finding = machine.directory(settings.data_dir, parts)[0]
    assert finding.verdict is Verdict.FAIL
    assert finding.is_environment
    assert finding.remedy == f"chmod 700 {settings.data_dir}"


def test_a_private_directory_and_one_to_be_made_are_ok(
    settings: LiveSettings, parts: LiveParts
) -> None:
    assert machine.directory(settings.data_dir, parts)[0].verdict is Verdict.OK
    missing = settings.data_dir / "not" / "there"
    finding = machine.directory(missing, parts)[0]
    assert finding.verdict is Verdict.OK
    assert not missing.exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_fails(settings: LiveSettings, parts: LiveParts) -> None:
    settings.data_dir.chmod(0o500)
    finding = machine.directory(settings.data_dir, parts)[0]
    settings.data_dir.chmod(0o700)
    assert finding.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("free", "verdict"),
    [
        (machine.FREE_MIN - 1, Verdict.FAIL),
        (machine.FREE_MIN, Verdict.WARN),
        (machine.FREE_LOW - 1, Verdict.WARN),
        (machine.FREE_LOW, Verdict.OK),
    ],
)
def test_free_space_is_judged_at_its_limits(
    settings: LiveSettings, parts: LiveParts, free: int, verdict: Verdict
) -> None:
    narrow = replace(parts, free_bytes=lambda _: free)
    assert machine.directory(settings.data_dir, narrow)[1].verdict is verdict


def test_the_stricter_copy_of_the_kill_switch_counts(
    settings: LiveSettings, parts: LiveParts
) -> None:
    assert machine.latch(settings, None, parts).verdict is Verdict.OK
    desk = JournalDesk(settings.journal)
    desk.say(KillswitchTriggered("drill", desk.clock.now_ns, "CANCEL_ALL", actor="operator:ann"))
    desk.stop()
    _, books = looked(settings)
    finding = machine.latch(settings, books, parts)
    assert finding.verdict is Verdict.WARN
    assert "CANCEL_ALL" in finding.found
    assert "operator:ann: drill" in finding.found
    latch = Latch(settings.latch, parts.read_file, parts.write_file)
    latch.raise_to(Latched("LOCKED", "two engines", "reconcile", 1))
    assert machine.latch(settings, books, parts).verdict is Verdict.FAIL


def test_a_latch_that_cannot_be_read_counts_as_locked(
    settings: LiveSettings, parts: LiveParts
) -> None:
    settings.latch.write_text("level: RUN\n")
    finding = machine.latch(settings, None, parts)
    assert finding.verdict is Verdict.FAIL
    assert "LOCKED" in finding.found


def test_a_port_that_is_taken_is_a_fault_of_the_environment() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        finding = machine.port(number)
        assert finding.verdict is Verdict.FAIL
        assert finding.is_environment
    assert machine.port(number).verdict is Verdict.OK


def test_versions_name_what_is_installed() -> None:
    found = {finding.name: finding for finding in machine.versions()}
    assert all(finding.verdict is Verdict.OK for finding in found.values())
    assert "msgspec" in found["packages"].found


def test_an_empty_file_is_no_journal_and_no_failure_of_the_examination(
    settings: LiveSettings,
) -> None:
    SqliteDisk(settings.journal).close()
    finding, books = looked(settings)
    assert finding.verdict is Verdict.FAIL
    assert books is None
