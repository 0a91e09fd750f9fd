# SPDX-License-Identifier: Apache-2.0
"""`hean kill --drill`, as an operator runs it once a month: the whole switch, with times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.server

PATIENT = Path(__file__).with_name("patient_drill.py")


def test_the_whole_switch_is_practised_and_nothing_of_the_person_s_is_touched(
    tmp_path: Path,
) -> None:
    place = tmp_path / "live" / "bybit-linear-mainnet"
    place.mkdir(parents=True)
    (place / "journal.db").touch()
    ran = subprocess.run(
        [sys.executable, PATIENT, "kill", "--drill", "--data-dir", tmp_path, "--json", "-"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    names = [step["name"] for step in found["drill"]]
    levels = ["HALT_NEW", "CANCEL_ALL", "FLATTEN"]
    assert names == [*(level for level in levels for _ in range(2)), "restart", "release"]
    assert all(step["is_kept"] for step in found["drill"])
    assert all(step["took_s"] >= 0 for step in found["drill"][:-1])
    assert found["exit_code"] == 0
    assert "nothing of yours is stopped" in ran.stderr
    assert ran.stderr.count("ok  ") == len(names)
    assert [file.name for file in place.iterdir()] == ["journal.db"]
