# SPDX-License-Identifier: Apache-2.0
"""A person looks at a population and decides about its agents: what nothing speaks for is refused
in words, and what is done stands among the events with its reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from face_desk import face_desk
from hean.api.permissions import Role
from hean.symbiont.population import Stage, id_of
from made_population import TEXTS, write_population
from page_desk import CUT, PHONE, needs_browser, tab

pytestmark = [needs_browser, pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]


async def test_agents_are_seen_refused_and_retired(tmp_path: Path, browser: Any) -> None:
    given = {"population": str(write_population(tmp_path))}
    ids = {stage: id_of(text) for text, stage in TEXTS.items()}
    async with (
        face_desk(tmp_path, "symbiont", given=given) as desk,
        tab(browser, desk.face.server.url) as at,
    ):
        page = at.page
        await desk.engine.start()
        await at.log_in(desk.tokens[Role.RISK])
        await at.go("Evolution")
        agents = page.get_by_role("table", name="Population")
        row = agents.get_by_role("row", name=ids[Stage.SHADOW])
        await row.get_by_text("Healthy").wait_for()
        assert await at.axe() == []
        await row.click()
        drawer = page.get_by_role("dialog", name=f"Agent {ids[Stage.SHADOW]}")
        await drawer.get_by_role("table", name="Gates").get_by_text("30").first.wait_for()
        await drawer.get_by_label("Reason").fill("it looks good to me")
        await drawer.get_by_role("button", name="Promote to paper").click()
        await drawer.get_by_role("alert").get_by_text("trades in the shadow 17").wait_for()
        await at.settled()
        assert await at.axe() == []
        await drawer.get_by_role("button", name="Retire").click()
        await drawer.get_by_text("Retired", exact=False).first.wait_for()
        await drawer.get_by_role("button", name="Close").click()
        happened = page.get_by_role("table", name="What has happened")
        await happened.get_by_text("it looks good to me").wait_for()
        at.forgive("422")  # the promotion that was refused


async def test_a_phone_shows_what_happened_to_whom_and_why(tmp_path: Path, browser: Any) -> None:
    given = {"population": str(write_population(tmp_path))}
    async with (
        face_desk(tmp_path, "symbiont", given=given) as desk,
        tab(browser, desk.face.server.url, viewport=PHONE) as at,
    ):
        await desk.engine.start()
        await at.log_in(desk.tokens[Role.VIEWER])
        await at.go("Evolution")
        happened = at.page.get_by_role("table", name="What has happened")
        await happened.get_by_text("passed no gate").first.wait_for()
        await at.settled()
        assert await at.page.evaluate(CUT) == []


async def test_a_broken_feed_is_said_before_all_else(tmp_path: Path, browser: Any) -> None:
    """What the service says is changed on its way: breaking the engine's bars takes hours."""
    given = {"population": str(write_population(tmp_path))}
    words = "column BTCUSDT volume: it does not change any more"

    async def breaking(route: Any) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json=await answer.json() | {"broken": [words]})

    async with (
        face_desk(tmp_path, "symbiont", given=given) as desk,
        tab(browser, desk.face.server.url, viewport=PHONE) as at,
    ):
        await at.page.route("**/population", breaking)
        await desk.engine.start()
        await at.log_in(desk.tokens[Role.VIEWER])
        await at.go("Evolution")
        await at.page.get_by_role("alert").get_by_text(words).wait_for()
        await at.settled()
        assert await at.axe() == []
        assert await at.page.evaluate(CUT) == []


async def test_who_may_only_look_decides_nothing(tmp_path: Path, browser: Any) -> None:
    given = {"population": str(write_population(tmp_path))}
    agent = id_of(next(iter(TEXTS)))
    async with (
        face_desk(tmp_path, "symbiont", given=given) as desk,
        tab(browser, desk.face.server.url) as at,
    ):
        await desk.engine.start()
        await at.log_in(desk.tokens[Role.VIEWER])
        await at.go("Evolution")
        await at.page.get_by_role("table", name="Population").get_by_text(agent).click()
        drawer = at.page.get_by_role("dialog", name=f"Agent {agent}")
        await drawer.get_by_label("Reason").fill("no reason")
        for name in ("Retire", "Promote to paper"):
            assert await drawer.get_by_role("button", name=name).is_disabled()
        reason = {"to": "RETIRED", "reason": "no reason"}
        path = f"/population/{agent}/retire"
        assert (await desk.ask("POST", path, reason, role=Role.VIEWER))[0] == 403
        promoted = {"to": "PAPER", "reason": "no reason"}
        path = f"/population/{agent}/promote"
        assert (await desk.ask("POST", path, promoted, role=Role.TRADER))[0] == 403
