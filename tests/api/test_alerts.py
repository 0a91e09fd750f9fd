# SPDX-License-Identifier: Apache-2.0
"""Alerts of a real engine, as a person hears of them and as the API shows them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from alert_desk import until, webhook
from face_desk import face_desk
from hean.api.permissions import Role
from hean.observe.alert_line import AlertLine
from hean.observe.alert_rules import Severity
from hean.observe.alert_store import FILE
from hean.observe.alert_ways import Way


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
            await asyncio.to_thread(until, lambda: hook.taken)
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
    """Orders are placed while alerts pour in that nobody takes."""
    ways = [Way("slack", "json://127.0.0.1:1/", Severity.INFO)]
    line = AlertLine(
        tmp_path / "data", "paper", ways, now=time.time_ns, ticks=time.monotonic
    )  # fmt: skip
    async with face_desk(tmp_path) as desk:
        desk.engine.facade.on_ready.append(lambda system: line.listen(system.bus))
        await line.start()
        await desk.engine.start()
        took_s = []
        for number in range(40):
            began_s = time.perf_counter()
            line.say("error", f"number {number}")
            took_s.append(time.perf_counter() - began_s)
            asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "0.001"}
            status, _ = await desk.ask("POST", "/orders", asked)
            assert status == 202
        await line.stop()
        assert sorted(took_s)[20] < 0.001
