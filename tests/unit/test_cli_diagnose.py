# SPDX-License-Identifier: Apache-2.0
"""`hean diagnose execution` as it is typed: of a session on paper, of a trading process with an
order that nobody knows about, and of nothing.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from desk import BTC
from hean.core.types import OrderUnknown
from journal_desk import JournalDesk
from sessions import recorded_session
from unit.cli_runs import run_here

pytestmark = pytest.mark.promise(28)
ID = "h1-hand-1"


def test_a_session_is_told_by_states_refusals_and_stages(tmp_path: Path) -> None:
    journal, _, summary = recorded_session(tmp_path, 30)
    ran = run_here("diagnose", "execution", "--journal", journal, "--json", tmp_path / "out.json")
    assert ran.code == 0, ran.stderr
    told = json.loads((tmp_path / "out.json").read_text())
    assert (told["kind"], told["is_running"], told["unknown"]) == ("paper", False, [])
    assert told["fills"] == summary["fills"] > 0
    assert sum(told["orders"].values()) == summary["orders"]
    assert told["refused"] == summary["orders_rejected"]
    stages = {each["stage"]: each for each in told["latency"]}
    assert {"decision", "ack", "fill"} <= stages.keys()
    assert 0 < stages["ack"]["p50_ms"] <= stages["ack"]["p99_ms"] <= stages["ack"]["worst_ms"]
    for word in ("FILLED", "refused", "p99_ms"):
        assert word in ran.stdout


def test_an_order_that_nobody_knows_about_is_named_and_ends_it_badly(tmp_path: Path) -> None:
    desk = JournalDesk(tmp_path / "journal.db")
    desk.read()
    desk.tick(60_000.0)
    desk.signal(ID)
    desk.say(OrderUnknown(ID, desk.clock.now_ns, BTC))
    desk.stop()
    ran = run_here("diagnose", "execution", "--data-dir", tmp_path)  # the newest there
    assert ran.code == 1
    assert f"NOBODY KNOWS what became of {ID}" in ran.stdout


def test_the_newest_journal_is_taken_and_without_one_it_is_refused(tmp_path: Path) -> None:
    ran = run_here("diagnose", "execution", "--data-dir", tmp_path)
    assert ran.code == 2 and "no journal" in ran.stderr
    journal, *_ = recorded_session(tmp_path, 10)
    place = tmp_path / "data"
    place.mkdir()
    shutil.copy(journal, place / "execution.journal")
    ran = run_here("diagnose", "execution", "--data-dir", place)
    assert ran.code == 0 and "execution.journal" in ran.stdout
