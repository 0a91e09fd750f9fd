# SPDX-License-Identifier: Apache-2.0
"""The tour of a first visit: by keyboard alone, over the real page, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine_desk import IDLE
from face_desk import face_desk
from hean.api.permissions import Role
from page_desk import Tab, needs_browser, tab

pytestmark = [needs_browser, pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]


async def next_by_keyboard(at: Tab, title: str) -> None:
    """On, and wait until the card says *title* and something is pointed at."""
    card = at.page.get_by_role("dialog")
    button = card.get_by_role("button", name="Next")
    await at.page.keyboard.press("Tab")
    while not await button.evaluate("(one) => one === document.activeElement"):
        await at.page.keyboard.press("Tab")
    await at.page.keyboard.press("Enter")
    await card.get_by_role("heading", name=title).wait_for()
    await at.page.locator("[data-toured]").wait_for()


async def test_a_first_visit_is_shown_around_and_drills_the_kill_switch(
    tmp_path: Path, browser: Any
) -> None:
    async with (
        face_desk(tmp_path, IDLE) as desk,
        tab(browser, desk.face.server.url, knows_it=False) as at,
    ):
        await desk.engine.start()
        page = at.page
        await at.log_in(desk.tokens[Role.ADMIN])
        card = page.get_by_role("dialog", name="No money here")
        await card.wait_for()
        await at.settled()
        found = await at.axe()
        for title in ("The market", "Every order says why", "A drill"):
            await next_by_keyboard(at, title)
        await page.keyboard.press("Shift+Escape")
        await page.get_by_label("Type STOP").fill("STOP")
        await page.keyboard.press("Enter")
        await page.get_by_text("Trading is stopped", exact=True).wait_for()
        await page.keyboard.press("Escape")
        await page.get_by_role("dialog", name="A drill").get_by_text("It holds").wait_for()
        await next_by_keyboard(at, "The same code on the past")
        await page.get_by_role("heading", name="Backtests", level=1).wait_for(state="attached")
        await next_by_keyboard(at, "That is all")
        await page.keyboard.press("Escape")
        await page.get_by_role("dialog").wait_for(state="detached")

        await page.reload()
        await at.mode.get_by_text("PAPER").wait_for()
        assert not await page.get_by_role("dialog").count()
        await page.keyboard.press("Control+k")
        await page.get_by_label("Command", exact=True).fill("tour")
        await page.keyboard.press("Enter")
        await page.get_by_role("dialog", name="No money here").wait_for()
    assert not found, "\n".join(found)
