# SPDX-License-Identifier: Apache-2.0
"""`hean store`, as people and scripts meet it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hean.cli_store import app
from hean.core.journal import open_journal
from hean.store.sqlite import SqliteDatabase
from sessions import recorded_session
from store_desk import RandomLife
from venue_contract.twin_process import wait_until

NAME = "bybit-linear-testnet"
PATIENCE_S = 240.0


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the journal of one account."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEAN_STORE_URL", raising=False)
    life = RandomLife(tmp_path / "data/live" / NAME)
    life.live(20)
    life.desk.die()
    return tmp_path / "data"


def store(data_dir: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, document and what was said."""
    ran = CliRunner().invoke(app, [*words, "--data-dir", str(data_dir), "--json", "-"])
    return ran.exit_code, json.loads(ran.stdout or "{}"), ran.stderr


def test_rebuild_verify_and_follow_agree(data_dir: Path) -> None:
    code, made, said = store(data_dir, "rebuild")
    assert (code, made["differences"], made["journals"][0]["behind"]) == (0, [], 0), said
    assert made["tables"]["orders"]["rows"] > 0 and made["sha256"] in said
    code, proved, _ = store(data_dir, "verify")
    assert (code, proved["sha256"], proved["tables"]) == (0, made["sha256"], made["tables"])
    (data_dir / "trading.db").unlink()
    code, followed, said = store(data_dir, "follow", "--once")
    assert (code, followed["journals"]) == (0, {NAME: made["journals"][0]["seq"]}), said
    assert store(data_dir, "verify")[1]["sha256"] == made["sha256"]
    text = CliRunner().invoke(app, ["verify", "--data-dir", str(data_dir)])
    assert (text.exit_code, made["sha256"] in text.stdout) == (0, True)


def test_a_difference_ends_with_one_and_a_rebuild_mends_it(data_dir: Path) -> None:
    store(data_dir, "rebuild")
    connection = sqlite3.connect(data_dir / "trading.db")
    connection.execute("UPDATE positions SET qty = '7'")
    connection.commit()
    connection.close()
    code, found, said = store(data_dir, "verify")
    assert (code, len(found["differences"])) == (1, 1)
    assert "differs: positions, bybit-linear-testnet hand BTCUSDT" in said
    assert store(data_dir, "rebuild")[0] == store(data_dir, "verify")[0] == 0


def test_a_damaged_file_is_put_aside_by_a_rebuild(data_dir: Path) -> None:
    (data_dir / "trading.db").write_bytes(b"no database at all, only words" * 300)
    assert store(data_dir, "verify")[0] == 3
    code, _, said = store(data_dir, "rebuild")
    assert (code, "trading.db.damaged" in said) == (0, True)
    assert (data_dir / "trading.db.damaged").exists()
    assert store(data_dir, "verify")[0] == 0


def test_backup_and_restore(tmp_path: Path, data_dir: Path) -> None:
    store(data_dir, "rebuild")
    code, made, said = store(data_dir, "backup")
    assert (code, len(made["files"]), made["folder"] in said) == (0, 2, True)
    fresh = tmp_path / "fresh"
    code, _, _ = store(fresh, "restore", made["folder"])
    assert code == 0
    assert store(fresh, "verify")[0] == 0
    assert store(fresh, "restore", made["folder"])[0] == 2
    code, again, _ = store(fresh, "restore", made["folder"], "--force")
    assert (code, len(again["put_aside"])) == (0, 2)


def test_a_journal_of_its_own_may_be_named(tmp_path: Path, data_dir: Path) -> None:
    journal, _, _ = recorded_session(tmp_path)
    code, found, _ = store(data_dir, "rebuild", "--journal", str(journal))
    assert (code, len(found["journals"])) == (0, 2)
    code, _, said = store(data_dir, "verify")
    assert (code, "run.journal: no journal of this name" in said) == (1, True)
    alone = str(tmp_path / "alone.db")
    words = ("--journal", str(journal), "--database", alone)
    assert store(tmp_path / "nothing", "rebuild", *words)[0] == 0


def test_what_cannot_be_done_is_told_by_the_exit_code(tmp_path: Path, data_dir: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    cases: list[tuple[int, str, Path, tuple[str, ...]]] = [
        (3, "hean store rebuild", data_dir, ("verify",)),
        (3, "no journal below", empty, ("rebuild",)),
        (3, "make it first", data_dir, ("rebuild", "--database", "/nowhere/x.db")),
        (2, "does not exist", data_dir, ("rebuild", "--journal", "/nowhere/j.db")),
        (2, "postgresql://", data_dir, ("rebuild", "--database", "mysql://h/x")),
        (2, "is no backup", data_dir, ("restore", str(empty))),
    ]
    for code, words, folder, given in cases:
        found, _, said = store(folder, *given)
        assert (found, words in said) == (code, True), said
    writer = SqliteDatabase(data_dir / "trading.db", is_writer=True)
    for command in (("rebuild",), ("follow",), ("follow", "--once")):
        found, _, said = store(data_dir, *command)
        assert (found, "SecondWriter" in said) == (3, True), said
    writer.close()
    for command_name in ("rebuild", "verify", "follow", "backup", "restore"):
        shown = CliRunner().invoke(app, [command_name, "--help"])
        assert (shown.exit_code, "Example: hean store" in shown.stdout) == (0, True)


def test_a_follower_that_is_killed_goes_on_and_an_ordered_end_is_zero(tmp_path: Path) -> None:
    """Killed where it stands, as often as one likes; the rows are whole after."""
    life = RandomLife(tmp_path / "live" / NAME)
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "hean", "store", "follow", "--data-dir", str(tmp_path)]
    for end in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        before = _seq(tmp_path)

        def follows(before: int = before) -> bool:
            life.live(2)
            return _seq(tmp_path) > before

        wait_until(follows, "the first rows", timeout_s=PATIENCE_S)
        life.live(5)
        if end == signal.SIGTERM:
            wait_until(lambda: _seq(tmp_path) == _head(life.path), "all", timeout_s=PATIENCE_S)
        process.send_signal(end)
        said = process.communicate(timeout=PATIENCE_S)[1]
        assert process.returncode == (0 if end == signal.SIGTERM else -end), said
        assert _seq(tmp_path) > before
    code, found, _ = store(tmp_path, "verify")
    assert (code, found["journals"][0]["behind"]) == (0, 0)
    assert store(tmp_path, "rebuild")[1]["sha256"] == found["sha256"]


def _seq(data_dir: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{data_dir / 'trading.db'}?mode=ro", uri=True)
        (found,) = connection.execute("SELECT max(seq) FROM journals").fetchone()
        connection.close()
    except sqlite3.Error:
        return 0
    return found or 0


def _head(path: Path) -> int:
    journal = open_journal(path)
    journal.close()
    return journal.head_seq
