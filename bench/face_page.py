# SPDX-License-Identifier: Apache-2.0
"""The page in Chromium over the demo at ten times real time, for `bench_face.py`: how long the
engine's word takes to the screen, the first paint, frames and memory.

    python face_page.py [--seconds 3600]

By hand it watches for as long as one likes and prints what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import shutil
import tempfile
from importlib.util import find_spec
from typing import Any

from face_parts import Server
from measure import BENCH, percentile

SPEED = 10
UPDATES_PER_S = 20.0
WARM_UP_S = 5.0
SHARE = 0.5  # of the time orders are placed; in the other half the page only shows the demo
DIST = BENCH.parent / "ui" / "dist"
CHROMIUM = shutil.which("chromium")
SLOW_FRAME_MS = 1_000 / 60 * 1.5
SEEN = """() => {
    window.seen = {};
    const look = () => {
        const table = document.querySelector('table[aria-label="Open orders"]');
        if (!table) return;
        const now = performance.timeOrigin + performance.now();
        for (const cell of table.querySelectorAll('td')) {
            const text = cell.textContent;
            if (/^[0-9,]+[.][0-9]+$/.test(text) && !(text in window.seen)) window.seen[text] = now;
        }
    };
    new MutationObserver(look).observe(document.body,
        {subtree: true, childList: true, characterData: true});
}"""
FRAMES = """() => {
    window.frames_ms = [];
    let before = performance.now();
    const turn = (now) => {
        window.frames_ms.push(now - before);
        before = now;
        requestAnimationFrame(turn);
    };
    requestAnimationFrame(turn);
}"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def why_not() -> str:
    """What is missing; empty when the page can be measured."""
    missing = [
        word
        for word, is_there in {
            "Playwright (./hean setup dev)": find_spec("playwright") is not None,
            "Chromium (apt-get install chromium)": CHROMIUM is not None,
            "a built page (npm run build --prefix ui)": (DIST / "index.html").exists(),
        }.items()
        if not is_there
    ]
    return f"needs {', '.join(missing)}" if missing else ""


def bundle_kb() -> float:
    """Scripts and styles of the page, packed, in kB."""
    parts = [*DIST.glob("assets/*.js"), *DIST.glob("assets/*.css"), DIST / "index.html"]
    return sum(len(gzip.compress(each.read_bytes())) for each in parts) / 1e3


async def heap_mb(session: Any) -> float:
    """What the page's scripts hold, after a collection."""
    await session.send("HeapProfiler.collectGarbage")
    used = await session.send("Runtime.getHeapUsage")
    return float(used["usedSize"]) / 1e6


async def watch(server: Server, seconds: float) -> dict[str, float]:
    """Open the page and look. Returns figures."""
    from playwright.async_api import async_playwright

    async with async_playwright() as runner:
        browser = await runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            context = await browser.new_context(viewport={"width": 1440, "height": 900})
            page = await context.new_page()
            await page.add_init_script("localStorage.setItem('hean.tour', 'seen')")
            await page.goto(f"http://127.0.0.1:{server.port}")
            await page.wait_for_function(PAINT)
            figures = {"first paint ms": float(await page.evaluate(PAINT))}
            await page.get_by_label("Token").fill(server.facts["tokens"][0])
            await page.keyboard.press("Enter")
            await page.get_by_test_id("mode").get_by_text("PAPER").wait_for()
            await page.get_by_role("table", name="Last fills").wait_for()
            await asyncio.sleep(WARM_UP_S)
            return figures | await _looked(page, server, seconds)
        finally:
            await browser.close()


async def _looked(page: Any, server: Server, seconds: float) -> dict[str, float]:
    session = await page.context.new_cdp_session(page)
    await page.evaluate(SEEN)
    before_mb = await heap_mb(session)
    await page.evaluate(FRAMES)
    await asyncio.sleep(seconds * (1 - SHARE))
    frames_ms = sorted(await page.evaluate("() => window.frames_ms"))
    words = f"trade {UPDATES_PER_S / 2} {min(seconds * SHARE, 60.0)}"  # each placed and cancelled
    approved = await asyncio.to_thread(server.order, words)
    await asyncio.sleep(1.0)
    after_mb = await heap_mb(session)
    shown = {
        float(text.replace(",", "")): at for text, at in (await page.evaluate("() => seen")).items()
    }
    late_ms = sorted(
        int(shown[price] - at_s * 1e3)
        for text, at_s in approved.items()
        if (price := float(text)) in shown
    )
    if len(late_ms) < 0.9 * len(approved):
        raise RuntimeError(f"the page showed {len(late_ms)} of {len(approved)} orders")
    return {
        "event to screen p50 ms": percentile(late_ms, 0.5),
        "event to screen p99 ms": percentile(late_ms, 0.99),
        "frames/s": 1e3 * len(frames_ms) / sum(frames_ms),
        "frame p50 ms": percentile(frames_ms, 0.5),
        "frame p99 ms": percentile(frames_ms, 0.99),
        "slow frames fraction": sum(each > SLOW_FRAME_MS for each in frames_ms) / len(frames_ms),
        "heap MB": after_mb,
        "heap, end by beginning": after_mb / before_mb,
    }


def page_round(seconds: float) -> dict[str, float]:
    """One browser over one demo."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server("demo", f"{folder}/data", str(SPEED))
        try:
            return {"bundle kB gzip": bundle_kb()} | asyncio.run(watch(server, seconds))
        finally:
            server.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Watch the page over the demo.")
    parser.add_argument("--seconds", type=float, default=3_600.0)
    print(json.dumps(page_round(parser.parse_args().seconds), indent=1))
