# SPDX-License-Identifier: Apache-2.0
"""`hean doctor` without a venue: it runs, asks nobody, and its exit code says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from free_port import free_port
from hean.cli_doctor import exit_code
from hean.doctor.findings import Finding, Verdict
from hean.live.rows import STOP
from journal_desk import JournalDesk
from unit.cli_runs import run_here


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test, no settings of the user, a free port."""
    monkeypatch.chdir(tmp_path)
    for name in ("API_KEY", "API_SECRET", "BYBIT_API_KEY", "BINANCE_API_KEY", "HEAN_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEAN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HEAN_API_PORT", str(free_port()))
    return tmp_path


def look(*options: object) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the findings by name."""
    ran = run_here("doctor", "--json", "-", *options)
    document = json.loads(ran.stdout)
    assert document["exit_code"] == ran.code
    return ran.code, {finding["name"]: finding for finding in document["findings"]}


def test_without_a_key_no_venue_is_asked() -> None:
    code, found = look()
    assert code == 0
    for name in ("clock", "key", "account", "withdraw permission", "positions", "dead man"):
        assert found[name]["verdict"] == "not asked"
        assert found[name]["found"] == "not asked: no key"
    assert found["configuration"]["verdict"] == "ok"


def test_a_wrong_configuration_is_a_finding_with_its_place(alone: Path) -> None:
    config = alone / "hean.toml"
    config.write_text('exchnge = "bybit"\n')
    code, found = look("--config", config)
    assert code == 1
    assert "hean.toml:1" in found["configuration"]["found"]
    assert "exchange" in found["configuration"]["found"]


def test_half_a_key_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "onlythisone")
    code, found = look()
    assert code == 1
    assert "API_SECRET" in found["key"]["found"]
    assert "onlythisone" not in json.dumps(found)


def test_a_damaged_journal_ends_with_1_and_its_row(alone: Path) -> None:
    folder = alone / "data" / "live" / "bybit-linear-mainnet"
    folder.mkdir(parents=True, mode=0o700)
    desk = JournalDesk(folder / "journal.db")
    desk.recorder.write(STOP, b"x" * 100)
    desk.die()
    data = (folder / "journal.db").read_bytes()
    (folder / "journal.db").write_bytes(data.replace(b"x" * 100, b"x" * 99 + b"y"))
    code, found = look()
    assert code == 1
    assert "row 2 was changed" in found["journal"]["found"]


def test_a_directory_of_the_wrong_mode_alone_is_a_fault_of_the_environment(alone: Path) -> None:
    (alone / "data" / "live" / "bybit-linear-mainnet").mkdir(parents=True)
    (alone / "data" / "live" / "bybit-linear-mainnet").chmod(0o755)
    code, found = look()
    assert code == 3
    assert found["data directory"]["verdict"] == "FAIL"


def test_people_see_a_table_with_what_to_do(alone: Path) -> None:
    (alone / "data" / "live" / "bybit-linear-mainnet").mkdir(parents=True)
    (alone / "data" / "live" / "bybit-linear-mainnet").chmod(0o755)
    ran = run_here("doctor")
    assert "chmod 700" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert "1 FAIL" in ran.stdout


def test_one_fault_that_is_not_the_machines_decides_the_exit_code() -> None:
    machine = Finding("disk", Verdict.FAIL, "", is_environment=True)
    other = Finding("key", Verdict.FAIL, "")
    warning = Finding("lock", Verdict.WARN, "")
    assert exit_code([warning]) == 0
    assert exit_code([machine, warning]) == 3
    assert exit_code([machine, other]) == 1
