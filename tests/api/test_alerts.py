# SPDX-License-Identifier: Apache-2.0
"""Alerts of a real engine, as a person hears of them and as the API shows them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from alert_desk import black_hole, until, webhook
from face_desk import face_desk
from hean.api.permissions import Role
from hean.observe.alert_line import AlertLine
from hean.observe.alert_rules import Severity
from hean.observe.alert_store import FILE, kept_alerts
from hean.observe.alert_ways import Way


def states(folder: Path) -> list[str]:
    """What has become of each alert at each destination."""
    return [each.state for kept in kept_alerts(folder, 100)[0] for each in kept.deliveries]


async def test_a_stop_calls_a_person_and_is_shown(tmp_path: Path) -> None:
    with webhook() as hook:
        ways = [Way("webhook", hook.url(), Severity.WARNING)]
        line = AlertLine(
            tmp_path / "data", "paper", ways, now=time.time_ns, ticks=time.monotonic
        )  # fmt: skip
        async with face_desk(tmp_path) as desk:
            assert (await desk.ask("GET", "/alerts"))[1] == {
                "alerts": [], "undelivered": 0, "destinations": [],
            }  # fmt: skip
            desk.engine.facade.on_ready.append(lambda system: line.listen(system.bus))
            await line.start()
            await desk.engine.start()
            asked = {"reason": "the feed looks wrong", "level": "FLATTEN"}
            await desk.ask("POST", "/killswitch/trigger", asked, role=Role.OPERATOR)
            await asyncio.to_thread(until, lambda: states(tmp_path / "data") == ["delivered"])
            await line.stop()
            assert set(hook.titles) == {"HEAN critical: kill_switch"}  # twice where nobody answers
            status, found = await desk.ask("GET", "/alerts?limit=1", role=Role.OPERATOR)
            assert (status, found["undelivered"]) == (200, 0)
            (alert,) = found["alerts"]
            assert alert["text"].endswith("the feed looks wrong") and alert["rule"] == "kill_switch"
            assert alert["deliveries"] == [
                {"to": "webhook", "state": "delivered", "tries": 1, "reason": ""}
            ]
            assert (await desk.ask("GET", "/alerts?missed=true"))[1]["alerts"] == []
            assert (await desk.ask("GET", "/alerts", role=Role.VIEWER))[0] == 403
            (tmp_path / "data" / FILE).write_bytes(b"rubbish" * 1_000)
            status, problem = await desk.ask("GET", "/alerts")
            assert (status, problem["code"]) == (503, "AlertsUnreadable")


async def test_a_destination_that_hangs_does_not_slow_orders(tmp_path: Path) -> None:
    """Orders are placed while alerts pour in that nobody takes: the first never gets an answer, and
    whoever waited for it would not come to the second.
    """
    asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "0.001"}
    with black_hole() as port:
        ways = [Way("slack", f"json://127.0.0.1:{port}/", Severity.INFO)]
        line = AlertLine(tmp_path / "data", "paper", ways, now=time.time_ns, ticks=time.monotonic)
        async with face_desk(tmp_path) as desk:
            desk.engine.facade.on_ready.append(lambda system: line.listen(system.bus))
            await line.start()
            await desk.engine.start()
            for number in range(40):
                line.say("error", f"number {number}")
                status, _ = await desk.ask("POST", "/orders", asked)
                assert status == 202
            await asyncio.to_thread(until, lambda: len(states(tmp_path / "data")) >= 40)
            assert "delivered" not in states(tmp_path / "data")
            assert line._process is not None
            line._process.kill()  # it would try for a few seconds more
            await line.stop()
