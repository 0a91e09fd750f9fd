# SPDX-License-Identifier: Apache-2.0
"""A trading process calls a person: of its kill switch, of its end, and of its death."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alert_desk import until, webhook
from crash.live_process import LiveProcess, Place
from hean.observe.alert_store import kept_alerts
from venue_contract.twin_process import TwinProcess

pytestmark = pytest.mark.server
CANARY = "canary-hook-1234"


def rules(folder: Path) -> list[str]:
    return [kept.rule for kept in kept_alerts(folder / "data", 100)[0]][::-1]


def test_stop_end_and_death_of_a_trading_process(tmp_path: Path):
    with TwinProcess("bybit", tmp_path) as twin, webhook() as hook:
        variables = {"HEAN_ALERTS_WEBHOOK": hook.url(CANARY)}
        place = replace(Place(twin, "linear", tmp_path), environment=variables)
        with LiveProcess(place) as process:
            assert process.until_ready(), process.words()
            process.ask("kill", level="CANCEL_ALL", reason="a drill", actor="ann")
            until(lambda: "HEAN critical: kill_switch" in hook.titles)
            assert process.stop() == 0, process.words()
            assert CANARY not in process.words()
        assert rules(tmp_path) == ["started", "kill_switch", "ended"]
        assert any("a drill" in each["message"] for each in hook.taken)
        hook.taken.clear()
        with LiveProcess(place) as process:
            assert process.until_ready(), process.words()
            # The latch is older than the process; who starts it is told of it once more.
            until(lambda: "HEAN critical: kill_switch" in hook.titles)
            process.kill()
            until(lambda: "HEAN critical: died" in hook.titles)
        assert rules(tmp_path)[3:] == ["started", "kill_switch", "died"]
        assert "live on bybit linear testnet" in hook.taken[-1]["message"]
