# SPDX-License-Identifier: Apache-2.0
"""Takes a picture of every screen of the page and of everything that opens over one, dark and
light, on a desk and on a phone, while the demo trades behind it. Somebody should look at them.

    .venv/bin/python scripts/page_pictures.py pictures --play 60 --whole
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hean.api.face import Face
from hean.api.permissions import Role
from hean.config import load
from hean.demo import DemoEngine, DemoSettings
from hean.engine import EngineFacade
from hean.engine.on_paper import OnPaper
from hean.net.bind import Bind

SIZES = {"desk": (1440, 900), "phone": (390, 844)}
SCHEMES = ("dark", "light")
SETTLED = """() => !document.querySelector('.bones')
    && document.getAnimations().every((each) => each.playState !== 'running')"""


async def main(target: Path, *, play_s: float, only: str, whole: bool) -> None:
    """Run the demo for *play_s* seconds, then take the pictures. *only*: part of their names;
    *whole*: to the end of a screen, not of the window.
    """
    target.mkdir(parents=True, exist_ok=True)
    async with demo() as face, chromium() as browser:
        await asyncio.sleep(play_s)
        for scheme, size in itertools.product(SCHEMES, SIZES):
            width, height = SIZES[size]
            context = await browser.new_context(
                color_scheme=scheme, viewport={"width": width, "height": height}
            )
            look = Look(await context.new_page(), target, f"{scheme}-{size}", only, whole)
            await look.at_everything(face)
            await context.close()


@asynccontextmanager
async def demo() -> AsyncIterator[Face]:
    """The demo's engine behind its face, on any free port."""
    rng = random.Random(7)

    def make() -> OnPaper:
        now = time.time_ns
        return OnPaper(DemoEngine(DemoSettings(), now=now, rng=rng), now=now)

    facade = EngineFacade(make, now=time.time_ns)
    with tempfile.TemporaryDirectory() as folder:
        face = Face(facade, Path(folder), load({}, {}), Bind(port=0))
        await face.start()
        facade.start()
        try:
            yield face
        finally:
            await facade.stop()
            await face.stop()


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """Debian's, without a window."""
    from playwright.async_api import async_playwright  # reason: of the set dev

    async with async_playwright() as runner:
        browser = await runner.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


class Look:
    """One scheme on one size. *suffix*: of the names of its pictures."""

    def __init__(self, page: Any, target: Path, suffix: str, only: str, whole: bool) -> None:
        self.page = page
        self.target = target
        self.suffix = suffix
        self.only = only
        self.whole = whole

    async def at_everything(self, face: Face) -> None:
        """The way in, then every link of the navigation, then what opens over a screen."""
        page = self.page
        await page.goto(face.server.url)
        await page.get_by_label("Token").wait_for()
        await self.take("log-in")
        await page.goto(face.link(Role.ADMIN))
        await page.reload()  # a link differs from the page before by its fragment alone
        await page.get_by_test_id("mode").get_by_text("PAPER").wait_for()
        await page.get_by_role("dialog").wait_for()
        await self.take("over-tour")
        await page.keyboard.press("Escape")
        links = page.get_by_role("navigation").get_by_role("link")
        for name in await links.all_inner_texts():
            await links.get_by_text(name).click()
            # A screen is there when its heading is; until then the last one stands.
            await page.get_by_role("heading", name=name, level=1).wait_for(state="attached")
            await self.take(name.lower())
        await links.first.click()
        over: dict[str, Callable[[], Awaitable[None]]] = {
            "over-kill-switch": lambda: page.keyboard.press("Shift+Escape"),
            "over-ticket": lambda: page.keyboard.press("n"),
            "over-commands": lambda: page.keyboard.press("Control+k"),
            "over-keys": lambda: page.keyboard.press("?"),
            "over-why": self._open_why,
        }
        for name, opens in over.items():
            await opens()
            await page.get_by_role("dialog").wait_for()
            await self.take(name)
            await page.keyboard.press("Escape")
            await page.get_by_role("dialog").wait_for(state="detached")

    async def take(self, name: str) -> None:
        """Once nothing moves by itself."""
        if self.only not in name:
            return
        await self.page.wait_for_function(SETTLED)
        path = self.target / f"{name}-{self.suffix}.png"
        await self.page.screenshot(path=path, full_page=self.whole)
        print(path, flush=True)

    async def _open_why(self) -> None:
        await self.page.get_by_role("table", name="Last fills").get_by_role("row").nth(1).click()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("target", type=Path, help="folder")
    parser.add_argument("--play", type=float, default=60, help="seconds of trading before")
    parser.add_argument("--only", default="", help="part of a name")
    parser.add_argument("--whole", action="store_true", help="whole screens, however long")
    given = parser.parse_args(sys.argv[1:])
    asyncio.run(main(given.target, play_s=given.play, only=given.only, whole=given.whole))
