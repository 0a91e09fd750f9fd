# SPDX-License-Identifier: Apache-2.0
"""A person breeds rules at the page: the form refuses, the champions appear, the report opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from face_desk import recorded_desk
from hean.api.permissions import Role
from judged_market import write_planted
from page_desk import needs_browser, tab

pytestmark = [needs_browser, pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]


async def test_rules_are_bred_and_their_champions_shown(tmp_path: Path, browser: Any) -> None:
    source = write_planted(tmp_path, 2, is_shuffled=True)
    async with (
        recorded_desk(tmp_path, source=source) as desk,
        tab(browser, desk.face.server.url) as at,
    ):
        page = at.page
        await desk.engine.start()
        await at.log_in(desk.tokens[Role.OPERATOR])
        await at.go("Evolution")
        await page.get_by_text("Nothing bred yet").wait_for()
        form = page.get_by_role("form", name="A new evolution")
        for label, text in (("Population", "500"), ("Generations", "41"), ("Trades", "20")):
            await form.get_by_label(label).fill(text)
        await form.get_by_role("button", name="Breed").click()
        await form.get_by_role("alert").get_by_text("At most 40").wait_for()
        await form.get_by_label("Population").fill("24")
        await form.get_by_label("Generations").fill("2")
        await form.get_by_role("button", name="Breed").click()
        champions = page.get_by_role("table", name="Champions")
        await champions.get_by_text("stop").first.wait_for()
        await page.get_by_text("Nothing is promoted").first.wait_for()
        await at.settled()
        assert await at.axe() == []
        async with page.context.expect_page() as opened:
            await page.get_by_role("button", name="Full report").click()
        report = await opened.value
        await report.get_by_role("heading", name="Champions", exact=True).wait_for()
        await at.go("Jobs")
        await page.get_by_role("row", name="evolution on BTCUSDT").click()
        await page.get_by_role("heading", name="Evolution", level=1).wait_for(state="attached")
