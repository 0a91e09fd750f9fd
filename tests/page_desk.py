# SPDX-License-Identifier: Apache-2.0
"""A person at the page: a tab of Debian's Chromium, driven by Playwright, over the whole face."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hean.api.page import built_page

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parent.parent / "ui" / "node_modules" / "axe-core" / "axe.min.js"
MISSING = [
    word
    for word, is_there in {
        "Playwright (./hean setup dev)": find_spec("playwright") is not None,
        "Chromium (apt-get install chromium)": CHROMIUM is not None,
        "a built page (npm run build --prefix ui)": built_page() is not None,
        "the page's packages (npm ci --prefix ui)": AXE.exists(),
    }.items()
    if not is_there
]
needs_browser = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")
PATIENCE_MS = 240_000
# Without a window frames come from a process of their own. On a starved machine a watchdog ends it,
# and a click waits for a frame that never comes; nor has shared memory room for what is drawn.
FLAGS = ["--no-sandbox", "--disable-gpu-watchdog", "--disable-dev-shm-usage"]
PHONE = {"width": 390, "height": 844}
CUT = """() => [document.documentElement, ...document.querySelectorAll('.grid')]
    .filter((each) => each.scrollWidth > each.clientWidth + 1)
    .map((each) => `${each.className || 'page'}: ${each.scrollWidth} of ${each.clientWidth} px`)"""
"""What is wider than the room it has."""
_SETTLED = """() => !document.querySelector('.bones')
    && document.getAnimations().every((each) => each.playState !== 'running')"""

_PAINTED = """(scheme) => document.documentElement.dataset.theme === scheme
    && new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"""
# What React paints comes a frame after the theme, and with it the transitions begin.


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """The browser, without a window."""
    from playwright.async_api import async_playwright  # reason: not on every machine

    async with async_playwright() as runner:
        browser = await runner.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS
        )
        try:
            yield browser
        finally:
            await browser.close()


class Tab:
    """A tab. `complaints`: what the page's scripts and the browser's console said against it."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    async def know_it(self) -> None:
        """Be somebody who has seen the tour."""
        await self.page.add_init_script("localStorage.setItem('hean.tour', 'seen')")

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def forgive(self, word: str) -> None:
        """Take complaints with *word* away: the test asked for them."""
        self.complaints = [each for each in self.complaints if word not in each]

    @property
    def mode(self) -> Any:
        """The banner's word."""
        return self.page.get_by_test_id("mode")

    async def log_in(self, token: str, mode: str = "PAPER") -> None:
        """Paste a token, and wait for what the banner says then."""
        await self.page.goto(self.url)
        await self.page.get_by_label("Token").fill(token)
        await self.page.keyboard.press("Enter")
        await self.mode.get_by_text(mode).wait_for()

    async def screens(self) -> list[str]:
        """Names of all screens."""
        links = self.page.get_by_role("navigation").get_by_role("link")
        found: list[str] = await links.all_inner_texts()
        return found

    async def go(self, screen: str) -> None:
        """To a screen, by its link, and wait until it stands."""
        await self.page.get_by_role("navigation").get_by_role("link", name=screen).click()
        await self.page.get_by_role("heading", name=screen, level=1).wait_for(state="attached")
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing loads and nothing moves by itself."""
        await self.page.wait_for_function(_SETTLED)

    async def painted(self, scheme: str) -> None:
        """Have the machine be dark or light, and wait until the page is, to the last colour."""
        await self.page.emulate_media(color_scheme=scheme)
        await self.page.wait_for_function(_PAINTED, arg=scheme)
        await self.settled()

    async def axe(self, **options: Any) -> list[str]:
        """What the accessibility checker finds wrong."""
        if not await self.page.evaluate("() => 'axe' in window"):
            await self.page.evaluate(AXE.read_text("utf-8"))
        found = await self.page.evaluate("(options) => axe.run(document, options)", options)
        return [
            f"{each['id']}: {node['html'][:160]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]


@asynccontextmanager
async def tab(
    browser: Any, url: str, *, knows_it: bool = True, **options: Any
) -> AsyncIterator[Tab]:
    """A tab of somebody who has nothing in store but, if they *know it*, that they took the tour.
    At its end the page must not have complained.
    """
    context = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)  # of the pages that a page opens, too
    opened = Tab(await context.new_page(), url)
    if knows_it:
        await opened.know_it()
    try:
        yield opened
    finally:
        await context.close()
    assert not opened.complaints
