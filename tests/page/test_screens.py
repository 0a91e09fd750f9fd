# SPDX-License-Identifier: Apache-2.0
"""Every screen and everything that opens over one, as the accessibility checker sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine_desk import STRATEGIES
from face_desk import face_desk
from hean.api.permissions import Role
from page_desk import Tab, needs_browser, tab

TRADES = f"{STRATEGIES}:Steady"
OVER = ("Shift+Escape", "n", "Control+k", "?")
PROMISED = {"Dashboard", "Strategies", "Risk", "Orders", "Positions", "Logs"}
CONTRAST = {"runOnly": ["color-contrast"]}

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
