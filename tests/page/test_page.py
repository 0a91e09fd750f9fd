# SPDX-License-Identifier: Apache-2.0
"""A person at the page, in a real browser, over a real engine. It needs Playwright, Chromium and a
page that was built (`npm run build` in `ui/`); without one of them there is nothing to look at.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine_desk import IDLE, STRATEGIES
from face_desk import FaceDesk, face_desk
from hean.api.page import built_page
from hean.api.permissions import Role
from hean.api.server import ApiServer, Bind

playwright = pytest.importorskip("playwright.async_api")
CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
TRADES = f"{STRATEGIES}:Steady"
PATIENCE_MS = 60_000

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or built_page() is None, reason="needs Chromium and a built page"
)


class Tab:
    """A tab of the browser. `complaints`: what its console said against the page."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    async def log_in(self, token: str) -> None:
        """Paste a token."""
        await self.page.goto(self.url)
        await self.page.get_by_label("Token").fill(token)
        await self.page.keyboard.press("Enter")
        await self.page.get_by_test_id("mode").get_by_text("PAPER").wait_for()

    async def go(self, screen: str) -> None:
        """To a screen, by its link."""
        await self.page.get_by_role("navigation").get_by_role("link", name=screen).click()

    async def axe(self) -> list[str]:
        """What the accessibility checker finds wrong."""
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate("axe.run()")
        return [
            f"{each['id']}: {node['html'][:160]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]


@asynccontextmanager
async def tab(desk: FaceDesk, **options: Any) -> AsyncIterator[Tab]:
    """A fresh browser; at its end the page must not have complained."""
    async with playwright.async_playwright() as runner:
        browser = await runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(**options)
        opened = Tab(page, desk.face.server.url)
        yield opened
        await browser.close()
    assert not opened.complaints


async def test_a_person_sees_a_trade_places_and_cancels_an_order_and_stops(tmp_path: Path) -> None:
    async with face_desk(tmp_path, TRADES) as desk, tab(desk) as at:
        await desk.engine.start()
        page = at.page
        await at.log_in(desk.tokens[Role.ADMIN])
        await page.get_by_role("table", name="Last fills").get_by_text("steady").first.wait_for()

        price = (desk.engine.facade.quotes()[0].price or 0) * 0.97
        await page.keyboard.press("n")
        ticket = page.get_by_role("form", name="Order by hand")
        await ticket.get_by_label("Quantity").fill("0.01")
        await ticket.get_by_label("Price").fill(f"{price:.1f}")
        await ticket.get_by_role("button", name="Buy 0.01").click()
        await page.get_by_text("sent.").wait_for()
        await page.keyboard.press("Escape")
        row = page.get_by_role("table", name="Open orders").get_by_role("row", name="manual")
        await row.get_by_role("button", name="Cancel order").click()
        await row.wait_for(state="detached")

        await page.keyboard.press("Shift+Escape")
        stop = page.get_by_role("dialog")
        await stop.get_by_label("Type STOP").fill("STO")
        assert await stop.get_by_role("button", name="Stop trading").is_disabled()
        await stop.get_by_label("Type STOP").fill("STOP")
        await stop.get_by_role("button", name="Stop trading").click()
        await stop.get_by_text("Trading is stopped").wait_for()
        assert desk.engine.facade.killswitch().level == "CANCEL_ALL"

        await stop.get_by_label("Phrase").fill("something else")
        await stop.get_by_role("button", name="Release").click()
        await stop.get_by_text("the phrase is another one").wait_for()
        await page.keyboard.press("Escape")
        assert await page.get_by_test_id("kill").inner_text() == "STOPPED"
        at.complaints = [each for each in at.complaints if "409" not in each]  # the refusal


async def test_a_link_with_a_code_lets_in_once_and_leaves_no_trace(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk, tab(desk) as at:
        await desk.engine.start()
        code = desk.face.api.access.pairings.issue(Role.VIEWER)
        await at.page.goto(f"{at.url}/#pair={code}")
        await at.page.get_by_test_id("mode").get_by_text("PAPER").wait_for()
        assert code not in at.page.url
        assert await at.page.evaluate("localStorage.getItem('hean.token')") is None
        await at.go("Logs")
        await at.page.get_by_text("Not for this role").wait_for()


async def test_a_page_that_hears_nothing_says_so_and_comes_back(tmp_path: Path) -> None:
    async with face_desk(tmp_path, IDLE) as desk, tab(desk) as at:
        await desk.engine.start()
        await at.log_in(desk.tokens[Role.ADMIN])
        await desk.face.stop()
        await at.page.get_by_test_id("mode").get_by_text("UNKNOWN").wait_for()
        await at.page.get_by_text("Disconnected.").wait_for()
        port = int(at.url.rpartition(":")[2])
        desk.face.server = ApiServer(desk.face.api, Bind(port=port))
        await desk.face.start()
        await at.page.get_by_test_id("mode").get_by_text("PAPER").wait_for()
        at.complaints = [each for each in at.complaints if "ERR_" not in each]  # the dead line


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_every_screen_is_fit_for_everybody(tmp_path: Path, scheme: str) -> None:
    async with face_desk(tmp_path, TRADES) as desk, tab(desk, color_scheme=scheme) as at:
        await desk.engine.start()
        await at.page.goto(at.url)
        await at.page.get_by_label("Token").wait_for()
        found = await at.axe()
        await at.log_in(desk.tokens[Role.ADMIN])
        await at.page.get_by_text("steady").first.wait_for()
        for screen in ("Dashboard", "Market", "Orders", "Positions", "Strategies", "Risk", "Logs",
                       "Settings"):  # fmt: skip
            await at.go(screen)
            await at.page.wait_for_timeout(700)
            found += [f"{screen}: {each}" for each in await at.axe()]
        for key in ("Shift+Escape", "n", "Control+k", "?"):
            await at.page.keyboard.press(key)
            await at.page.wait_for_timeout(300)
            found += [f"{key}: {each}" for each in await at.axe()]
            await at.page.keyboard.press("Escape")
            await at.page.wait_for_timeout(300)
    assert not found, "\n".join(found)
