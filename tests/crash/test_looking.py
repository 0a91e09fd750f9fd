# SPDX-License-Identifier: Apache-2.0
"""What machines and people see of a process that trades: its logs, line by line, and the diagnosis
of its execution from the journal that it is writing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crash.live_process import SYMBOLS, LiveProcess, Place
from unit.cli_runs import run_here
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server

PYRAMID = f"{Path(__file__).with_name('pyramid.py')}:Pyramid"


def diagnosis(folder: Path) -> dict[str, Any] | None:
    """As the command gives it; none before the whole way of an order is in it."""
    out = folder / "diagnosis.json"
    ran = run_here("diagnose", "execution", "--data-dir", folder / "data", "--json", out)
    assert ran.code == 0, ran.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    stages = {each["stage"] for each in found["latency"]}
    return found if stages == {"decision", "send", "ack", "fill"} else None


@pytest.mark.promise(28)
@pytest.mark.promise(129)
@pytest.mark.promise(155)
def test_a_trading_process_logs_its_orders_and_is_diagnosed_meanwhile(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    asked.mkdir()
    with TwinProcess("bybit", tmp_path) as twin:
        place = Place(
            twin, "linear", tmp_path, strategy=PYRAMID, given={"told": str(asked)},
            environment={"LOG_LEVEL": "INFO"},
        )  # fmt: skip
        with LiveProcess(place) as process:
            process.go()
            (asked / "first").touch()
            wait_until(lambda: process.status()["positions"][SYMBOLS[0]] == "0.003", "a piece")
            found = wait_until(lambda: diagnosis(tmp_path), "word of every stage of an order")
            process.ask("kill", level="HALT_NEW", reason="seen enough", by="ann")
            process.stop()
        words = "".join(path.read_text() for path in tmp_path.glob("told-*.txt"))
    rows = [json.loads(line) for line in words.splitlines() if line[:1] == "{"]
    assert (found["is_running"], found["unknown"]) == (True, [])
    assert found["fills"] >= 1 and found["orders"]["FILLED"] >= 1
    told = [(row["level"], row.get("event")) for row in rows]
    assert ("INFO", "ORDER_FILLED") in told
    assert ("CRITICAL", "KILLSWITCH_TRIGGERED") in told
    assert not {"TICK", "BOOK"} & {event for _, event in told}
