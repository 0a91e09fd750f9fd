# SPDX-License-Identifier: Apache-2.0
"""Every screen and everything that opens over one, as the accessibility checker sees it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from engine_desk import STRATEGIES
from face_desk import face_desk, recorded_desk
from hean.api.permissions import Role
from hean.observe.alert_line import AlertLine
from judged_market import write_planted
from page_desk import CUT, PHONE, Tab, needs_browser, tab

TRADES = f"{STRATEGIES}:Steady"
OVER = ("Shift+Escape", "n", "Control+k", "?")
PROMISED = {"Dashboard", "Strategies", "Risk", "Orders", "Positions", "Logs"}
CONTRAST = {"runOnly": ["color-contrast"]}
BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "0.083"}
REST = {**BUY, "side": "SELL", "type": "LIMIT", "price": "99999.9"}

pytestmark = [needs_browser, pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]


async def looked_at(at: Tab, where: str) -> list[str]:
    """What is wrong in this scheme, and with the colours of the other one."""
    await at.settled()
    found = [f"{where}, dark: {each}" for each in await at.axe()]
    await at.painted("light")
    found += [f"{where}, light: {each}" for each in await at.axe(**CONTRAST)]
    await at.painted("dark")
    return found


@pytest.mark.promise(211)
async def test_every_screen_is_fit_for_everybody(tmp_path: Path, browser: Any) -> None:
    async with (
        face_desk(tmp_path, TRADES) as desk,
        tab(browser, desk.face.server.url, color_scheme="dark") as at,
    ):
        await desk.engine.start()
        await at.page.goto(at.url)
        await at.page.get_by_label("Token").wait_for()
        found = await looked_at(at, "log in")
        await at.log_in(desk.tokens[Role.ADMIN])
        await at.page.get_by_text("steady").first.wait_for()
        screens = await at.screens()
        assert set(screens) >= PROMISED
        for screen in screens:
            await at.go(screen)
            found += await looked_at(at, screen)
        for key in OVER:
            await at.page.keyboard.press(key)
            await at.page.get_by_role("dialog").wait_for()
            found += await looked_at(at, key)
            await at.page.keyboard.press("Escape")
            await at.page.get_by_role("dialog").wait_for(state="detached")
    assert not found, "\n".join(found)


BREED = {"symbols": ["BTCUSDT"], "population": 16, "generations": 1, "min_trades": 20}
WIDE = "document.documentElement.scrollWidth > innerWidth"


async def test_a_phone_shows_what_is_traded_without_a_cut(tmp_path: Path, browser: Any) -> None:
    """Every screen is as wide as the phone; so are the tables of what is held and ordered."""
    async with (
        face_desk(tmp_path) as desk,
        tab(browser, desk.face.server.url, viewport=PHONE) as at,
    ):
        await desk.engine.start()
        ids = [
            (await desk.ask("POST", "/orders", each))[1]["client_order_id"] for each in (BUY, REST)
        ]
        await desk.engine.until(lambda: desk.engine.filled(ids[0]))
        await at.page.goto(at.url)
        await at.page.get_by_label("Token").wait_for()
        assert not await at.page.evaluate(WIDE), "log in"
        await at.log_in(desk.tokens[Role.ADMIN])
        for screen in await at.screens():
            await at.go(screen)
            assert not await at.page.evaluate(WIDE), screen
        for screen, shown in (("Orders", "99,999.9"), ("Positions", "long 0.083")):
            await at.go(screen)
            table = at.page.get_by_role("table", name=screen, exact=True)
            await table.get_by_text(shown).wait_for()
            assert await at.page.evaluate(CUT) == [], screen


async def test_on_a_phone_what_came_of_a_job_and_an_alert_wrap(
    tmp_path: Path, browser: Any
) -> None:
    source = write_planted(tmp_path, 2, is_shuffled=True)
    line = AlertLine(tmp_path / "data", "paper", [], now=time.time_ns, ticks=time.monotonic)
    async with (
        recorded_desk(tmp_path, source=source) as desk,
        tab(browser, desk.face.server.url, viewport=PHONE) as at,
    ):
        await line.start()
        line.say("started", "a sentence that is longer than a phone is wide, as most of them are")
        await desk.engine.start()
        data = [each["id"] for each in (await desk.ask("GET", "/data"))[1]]
        status, job = await desk.ask("POST", "/evolve", BREED | {"data": data})
        assert status == 202, job
        await at.log_in(desk.tokens[Role.ADMIN])
        for screen, shown in (("Jobs", "promoted"), ("Alerts", "as most of them are")):
            await at.go(screen)
            table = at.page.get_by_role("table", name=screen, exact=True)
            await table.get_by_text(shown).first.wait_for()
            await at.settled()
            assert await at.page.evaluate(CUT) == [], screen
            assert await at.axe() == []
        await line.stop()
