# SPDX-License-Identifier: Apache-2.0
"""A stop outlives what was stopped: `/engine/stop` and `/engine/start`, and the end of the process,
change nothing of a kill switch that a person has not released (CONTRACT 4, R-23).
"""

from __future__ import annotations

import errno
import http.client
import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.test_commands import PATIENCE_S, started
from face_desk import FaceDesk, face_desk
from hean.api.permissions import Role
from hean.core.types import Command
from hean.paper_journal import replay_session
from venue_contract.twin_process import wait_until

BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "0.01"}
STOP = {"reason": "the feed looks wrong", "level": "CANCEL_ALL"}
GO_ON = {"phrase": "release paper", "reason": "looked at the feed"}
COOL_DOWN_NS = 61 * 10**9


async def again(desk: FaceDesk) -> None:
    """End the engine and start another, over the API."""
    assert (await desk.ask("POST", "/engine/stop", role=Role.OPERATOR))[0] == 200
    await desk.engine.stop()  # and its journal
    assert (await desk.ask("POST", "/engine/start", role=Role.OPERATOR))[0] == 200
    await desk.engine.start()


async def state(desk: FaceDesk) -> str:
    """Of the engine."""
    return str((await desk.ask("GET", "/engine/status"))[1]["state"])


async def test_a_stop_stays_over_the_end_and_the_start_of_an_engine(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        _, latched = await desk.ask("POST", "/killswitch/trigger", STOP, role=Role.OPERATOR)
        assert (latched["latched"], latched["level"]) == (True, "CANCEL_ALL")
        await desk.ask("POST", "/engine/stop")
        assert (await desk.ask("GET", "/killswitch"))[1] == latched
        assert (await desk.ask("POST", "/killswitch/release", GO_ON, role=Role.RISK))[0] == 409
        await again(desk)
        assert (await desk.ask("GET", "/killswitch"))[1] == latched
        assert await state(desk) == "HALTED"
        assert (await desk.ask("POST", "/orders", BUY))[1]["status"] == "REJECTED"
        desk.engine.ahead_ns += COOL_DOWN_NS
        wrong = {**GO_ON, "phrase": "release"}
        assert (await desk.ask("POST", "/killswitch/release", wrong, role=Role.RISK))[0] == 409
        status, free = await desk.ask("POST", "/killswitch/release", GO_ON, role=Role.RISK)
        assert (status, free["latched"]) == (200, False)
        await again(desk)  # what was released stays released
        assert (await desk.ask("GET", "/killswitch"))[1]["latched"] is False
        assert (await desk.ask("POST", "/orders", BUY))[1]["status"] != "REJECTED"


async def test_a_session_that_begins_stopped_is_replayed_as_one(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        await desk.ask("POST", "/killswitch/trigger", STOP)
        await again(desk)
        await desk.ask("POST", "/orders", BUY)
        journal = desk.engine.journal
        await desk.engine.stop()
    assert journal.name == "session-2.journal"
    assert replay_session(journal)["events_compared"] > 0


async def test_a_stop_that_nobody_pressed_stays_as_well(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        told = {"level": "HALT_NEW", "reason": "the loss of the day"}
        desk.engine.papers[-1].say((Command("kill", told, "auto:daily_loss"),))
        await again(desk)
        found = (await desk.ask("GET", "/killswitch"))[1]
        assert (found["level"], found["actor"]) == ("HALT_NEW", "auto:daily_loss")


async def test_an_engine_that_stands_still_can_be_stopped(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        assert (await desk.ask("GET", "/killswitch"))[1]["latched"] is False
        status, latched = await desk.ask("POST", "/killswitch/trigger", STOP)
        assert (status, latched["latched"]) == (200, True)
        await desk.engine.start()
        assert await state(desk) == "HALTED"
        higher = {**STOP, "level": "LOCKED"}
        assert (await desk.ask("POST", "/killswitch/trigger", higher))[1]["level"] == "LOCKED"
        lower = {**STOP, "level": "HALT_NEW"}
        assert (await desk.ask("POST", "/killswitch/trigger", lower))[1]["level"] == "LOCKED"


async def test_a_latch_that_cannot_be_read_is_on(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        desk.engine.latch.write_text("RUN")
        await desk.engine.start()
        found = (await desk.ask("GET", "/killswitch"))[1]
        assert (found["level"], found["actor"]) == ("LOCKED", "auto:latch")
        assert await state(desk) == "HALTED"


async def test_a_stop_that_no_disk_takes_is_one_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(**_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        monkeypatch.setattr(tempfile, "mkstemp", full_disk)
        status, problem = await desk.ask("POST", "/killswitch/trigger", STOP)
        assert status == 503, problem
        assert (await desk.ask("GET", "/killswitch"))[1]["level"] == "CANCEL_ALL"
        await again(desk)
        assert await state(desk) == "HALTED"


def asked(url: str, token: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and document of an answer."""
    address = urlsplit(url)
    line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"{method}{id(body)}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        line.request(method, path, None if body is None else json.dumps(body), headers)
        answer = line.getresponse()
        return answer.status, json.load(answer)
    finally:
        line.close()


@pytest.mark.timeout(3 * PATIENCE_S)
def test_a_stop_stays_over_the_end_of_the_process(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def up() -> bool:
        state = asked(url, token, "GET", "/engine/status")[1]["state"]
        return state in ("RUNNING", "HALTED")

    with started("serve", folder=folder) as (_, url):
        token = (folder / "admin.token").read_text().strip()
        asked(url, token, "POST", "/engine/start")
        wait_until(up, "an engine", timeout_s=PATIENCE_S)
        status, latched = asked(url, token, "POST", "/killswitch/trigger", STOP)
        assert (status, latched["latched"]) == (200, True)
    with started("serve", folder=folder) as (_, url):  # the first was killed
        assert asked(url, token, "GET", "/killswitch") == (200, latched)
        assert "latched at CANCEL_ALL" in (folder / "words.txt").read_text()
        asked(url, token, "POST", "/engine/start")
        wait_until(up, "an engine", timeout_s=PATIENCE_S)
        assert asked(url, token, "GET", "/killswitch") == (200, latched)
        buy = {**BUY, "symbol": "BTCUSDT@perp"}
        assert asked(url, token, "POST", "/orders", buy)[1]["status"] == "REJECTED"
