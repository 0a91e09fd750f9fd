# SPDX-License-Identifier: Apache-2.0
"""A person at the page, in a real browser, over a real engine: what they do comes to pass, what
they may not do they are not offered, and the page says when it knows nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine_desk import IDLE, STRATEGIES
from face_desk import FaceDesk, face_desk, recorded_desk
from hean.api.permissions import Role
from hean.api.server import ApiServer
from hean.net.bind import Bind
from page_desk import Tab, needs_browser, tab
from small_market import IMPULSE

TRADES = f"{STRATEGIES}:Steady"
MINUTE_NS = 60_000_000_000

pytestmark = [needs_browser, pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]


async def below_market(desk: FaceDesk) -> str:
    """A price at which nobody sells."""
    quotes = desk.engine.facade.quotes
    await desk.engine.until(lambda: quotes()[0].price)
    return f"{(quotes()[0].price or 0) * 0.97:.1f}"


@pytest.mark.promise(213)
async def test_a_trade_appears_and_an_order_is_placed_and_cancelled(
    tmp_path: Path, browser: Any
) -> None:
    async with face_desk(tmp_path, TRADES) as desk, tab(browser, desk.face.server.url) as at:
        await desk.engine.start()
        page = at.page
        await at.log_in(desk.tokens[Role.TRADER])
        fills = page.get_by_role("table", name="Last fills")
        await fills.get_by_text("steady").first.wait_for()

        await page.keyboard.press("n")
        ticket = page.get_by_role("form", name="Order by hand")
        await ticket.get_by_label("Quantity").fill("0.01")
        await ticket.get_by_label("Price").fill(await below_market(desk))
        await ticket.get_by_text("It would pass.").wait_for()
        await ticket.get_by_role("button", name="Buy 0.01").click()
        orders = page.get_by_role("table", name="Open orders", include_hidden=True)
        row = orders.get_by_role("row", name="manual", include_hidden=True)
        await row.wait_for()  # the word that it was sent goes by itself
        await page.keyboard.press("Escape")
        await ticket.wait_for(state="detached")
        await row.get_by_role("button", name="Cancel order").click()
        await row.wait_for(state="detached")
        assert [each.status for each in desk.engine.facade.orders(500)
                if each.strategy_id == "manual"] == ["CANCELLED"]  # fmt: skip


async def test_trading_is_stopped_and_goes_on(tmp_path: Path, browser: Any) -> None:
    async with face_desk(tmp_path, IDLE) as desk, tab(browser, desk.face.server.url) as at:
        await desk.engine.start()
        page, facade = at.page, desk.engine.facade
        await at.log_in(desk.tokens[Role.RISK])
        await page.keyboard.press("Shift+Escape")
        stop = page.get_by_role("dialog")
        button = stop.get_by_role("button", name="Stop trading")
        await stop.get_by_label("Type STOP").fill("STO")
        assert await button.is_disabled()
        await stop.get_by_label("Type STOP").fill("STOP")
        await button.click()
        await stop.get_by_text("Trading is stopped").wait_for()
        assert facade.killswitch().level == "CANCEL_ALL"
        await page.get_by_test_id("kill").get_by_text("STOPPED").wait_for(state="attached")

        # The wrong phrase, and too early: it says what is missing, and never the phrase.
        await stop.get_by_label("Phrase").fill("something else")
        await stop.get_by_label("What was found").fill("looked at the feed")
        await stop.get_by_role("button", name="Release").click()
        await stop.get_by_text("the phrase is another one").wait_for()
        at.forgive("409")
        assert "release paper" not in await stop.inner_text()

        await stop.get_by_label("Phrase").fill("release paper")
        desk.engine.ahead_ns += MINUTE_NS + 1_000_000_000
        await stop.get_by_role("button", name="Release").click()
        await stop.get_by_label("Type STOP").wait_for()
        assert not facade.killswitch().latched
        await page.keyboard.press("Escape")
        await page.get_by_test_id("kill").get_by_text("STOP", exact=True).wait_for()


async def test_a_backtest_is_run_and_its_report_opened(tmp_path: Path, browser: Any) -> None:
    async with recorded_desk(tmp_path) as desk, tab(browser, desk.face.server.url) as at:
        page = at.page
        await desk.engine.start()
        await at.log_in(desk.tokens[Role.OPERATOR])
        await at.go("Backtests")
        await page.get_by_label("threshold").fill("0.1")
        await page.get_by_role("button", name="Run backtest").click()
        await page.get_by_role("alert").get_by_text("Allowed: 0.5 to 20").wait_for()
        for name, value in IMPULSE.items():
            await page.get_by_label(name.replace("_", " "), exact=False).first.fill(str(value))
        await page.get_by_role("button", name="Run backtest").click()
        await page.get_by_role("img", name="Equity and drawdown").wait_for()
        async with page.context.expect_page() as opened:
            await page.get_by_role("button", name="Full report").click()
        report = await opened.value
        await report.get_by_role("heading", name="Key figures").wait_for()
        assert await report.evaluate("window.opener") is None
        await report.get_by_role("button", name="Light / dark").click()  # its script may run
        await at.settled()
        assert await at.axe() == []
        await at.go("Jobs")
        await page.get_by_role("button", name="Remove impulse on BTCUSDT").click()
        await page.get_by_text("No jobs").wait_for()


async def test_a_link_with_a_code_lets_in_once_and_leaves_no_trace(
    tmp_path: Path, browser: Any
) -> None:
    async with face_desk(tmp_path) as desk, tab(browser, desk.face.server.url) as at:
        await desk.engine.start()
        code = desk.face.api.access.pairings.issue(Role.VIEWER)
        await at.page.goto(f"{at.url}/#pair={code}")
        await at.mode.get_by_text("PAPER").wait_for()
        assert code not in at.page.url
        assert await at.page.evaluate("localStorage.getItem('hean.token')") is None


async def test_a_page_that_hears_nothing_says_so_and_comes_back(
    tmp_path: Path, browser: Any
) -> None:
    async with face_desk(tmp_path, IDLE) as desk, tab(browser, desk.face.server.url) as at:
        await desk.engine.start()
        page = at.page
        await at.log_in(desk.tokens[Role.ADMIN])
        await desk.face.stop()
        lost = page.get_by_role("alert").filter(has_text="Disconnected.")
        await lost.wait_for()
        await at.mode.get_by_text("UNKNOWN").wait_for()
        port = int(at.url.rpartition(":")[2])
        desk.face.server = ApiServer(desk.face.api, Bind(port=port))
        await desk.face.start()
        await at.mode.get_by_text("PAPER").wait_for()
        await lost.wait_for(state="detached")
        at.forgive("ERR_")  # the dead line


async def test_a_chart_that_could_not_be_loaded_says_so_and_is_tried_again(
    tmp_path: Path, browser: Any
) -> None:
    async with face_desk(tmp_path, IDLE) as desk, tab(browser, desk.face.server.url) as at:
        await desk.engine.start()
        page, bars = at.page, "**/bars?*"
        await page.route(bars, lambda route: route.abort())  # an answer that is lost on its way
        await at.log_in(desk.tokens[Role.VIEWER])
        failed = page.get_by_role("region", name="BTCUSDT").get_by_role("alert")
        await failed.get_by_text("Could not be loaded").wait_for()
        # It is asked for again by itself, too: let through before, the button might be gone.
        await failed.get_by_role("button", name="Try again").click()
        await page.unroute(bars)
        await page.get_by_role("img", name="Price of BTCUSDT over time").wait_for()
        at.forgive("ERR_")


async def may(at: Tab) -> set[str]:
    """What the page offers to whoever is logged in, of what changes something."""
    page = at.page
    offers = {}
    row = page.get_by_role("table", name="Open orders").get_by_role("row", name="manual")
    await row.wait_for()
    offers["cancel"] = row.get_by_role("button", name="Cancel order")
    offers["cancel all"] = page.get_by_role("button", name="Cancel all")
    found = {name for name, button in offers.items() if await button.is_enabled()}
    await at.go("Strategies")
    if await page.get_by_label("may open positions").is_enabled():
        found.add("switch")
    await at.go("Settings")
    if await page.get_by_role("button", name="Stop the engine").is_enabled():
        found.add("engine")
    await at.go("Logs")
    if not await page.get_by_text("Not for this role").count():
        found.add("logs")
    await at.go("Risk")
    change = page.get_by_role("button", name="Change open orders max")
    if await change.count() and await change.is_enabled():
        found.add("limits")
    await page.keyboard.press("n")
    ticket = page.get_by_role("form", name="Order by hand")
    await ticket.get_by_label("Quantity").fill("0.01")
    await ticket.get_by_label("Price").fill("20000")
    if await ticket.get_by_role("button", name="Buy 0.01").is_enabled():
        found.add("order")
    await page.keyboard.press("Escape")
    await ticket.wait_for(state="detached")
    await page.keyboard.press("Shift+Escape")
    stop = page.get_by_role("dialog")
    await stop.get_by_label("Type STOP").fill("STOP")
    if await stop.get_by_role("button", name="Stop trading").is_enabled():
        found.add("stop")
    return found


OPERATES = {"cancel all", "switch", "engine", "logs", "stop"}
TRADES_TOO = {*OPERATES, "cancel", "order", "limits"}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.VIEWER, set()),
        (Role.OPERATOR, OPERATES),
        (Role.TRADER, TRADES_TOO),
        (Role.RISK, TRADES_TOO),
        (Role.ADMIN, TRADES_TOO),
    ],
    ids=lambda value: getattr(value, "word", None),
)
async def test_what_a_role_may_not_do_it_is_not_offered(
    tmp_path: Path, browser: Any, role: Role, expected: set[str]
) -> None:
    async with face_desk(tmp_path, IDLE) as desk, tab(browser, desk.face.server.url) as at:
        await desk.engine.start()
        asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "qty": "0.01",
                 "price": await below_market(desk)}  # fmt: skip
        assert (await desk.ask("POST", "/orders", asked, role=Role.TRADER))[0] == 202
        await at.log_in(desk.tokens[role])
        assert await may(at) == expected


async def test_only_risk_may_release(tmp_path: Path, browser: Any) -> None:
    async with face_desk(tmp_path, IDLE) as desk:
        await desk.engine.start()
        stop = {"reason": "a drill"}
        assert (await desk.ask("POST", "/killswitch/trigger", stop, role=Role.OPERATOR))[0] == 200
        for role, expected in ((Role.TRADER, False), (Role.RISK, True)):
            async with tab(browser, desk.face.server.url) as at:
                await at.log_in(desk.tokens[role])
                await at.page.get_by_role("button", name="Release…").click()
                button = at.page.get_by_role("dialog").get_by_role("button", name="Release")
                await button.wait_for()
                assert await button.is_enabled() is expected
