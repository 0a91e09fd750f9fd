# SPDX-License-Identifier: Apache-2.0
"""A person at the page of a real `hean live`, at a twin: three processes and a browser. The
page's banner is the server's, an order by hand reaches the exchange and is taken back, trading is
stopped and released, each by the role that may. One life for all of it: a start takes long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crash.cells import short_folder
from crash.live_process import OTHER_TIMES, LiveProcess, Place
from hean.api.permissions import Role
from hean.api.tokens import Tokens
from page_desk import Tab, needs_browser, tab
from serve_process import MARK
from venue_contract.twin_process import TwinProcess, wait_until

WAIT_S = 120.0

pytestmark = [
    needs_browser,
    pytest.mark.server,
    pytest.mark.timeout(10 * WAIT_S),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest.fixture
def place() -> Iterator[Place]:
    with short_folder() as folder, TwinProcess("bybit", folder) as twin:
        yield Place(
            twin, "linear", folder, given={"paused": "true"}, program=OTHER_TIMES,
            face=("--api", "0"),
        )  # fmt: skip


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for what another process does, and let the browser go on meanwhile."""
    return await asyncio.to_thread(wait_until, condition, what, timeout_s=WAIT_S)


async def test_live_is_seen_traded_stopped_and_released(place: Place, browser: Any) -> None:
    with LiveProcess(place) as process:
        words = await until(lambda: MARK in process.words() and process.words(), "its address")
        url = f"http://127.0.0.1:{words.split(MARK)[1].split()[0]}"
        tokens = Tokens(place.folder / "data")
        shown = {role: tokens.create(role, role.word)[0] for role in Role}
        account = (await until(process.until_ready, "a venue that was compared"))["account"]
        async with tab(browser, url) as at:
            await at.log_in(shown[Role.RISK], "TESTNET")
            await open_the_gate(at, f"live {account} testnet")
        async with tab(browser, url) as at:
            await at.log_in(shown[Role.TRADER], "TESTNET")
            await trade(at, place)
            await stop(at, process)
            assert not await at.page.get_by_role("button", name="Release").is_enabled()
        async with tab(browser, url) as at:
            await at.log_in(shown[Role.RISK], "TESTNET")
            await release(at, account)
            await until(lambda: process.status()["level"] == "RUN", "the released engine")


async def open_the_gate(at: Tab, phrase: str) -> None:
    """What is missing is told, the phrase is not; typed, it opens."""
    await at.go("Settings")
    await at.page.get_by_text("· the phrase of this boot, typed").wait_for()
    assert phrase not in await at.page.content()
    await at.page.get_by_label("Phrase of this boot").fill(phrase)
    await at.page.get_by_role("button", name="Let it trade").click()
    await at.page.get_by_text("Orders may leave, on a test network.").wait_for()


async def by_hand(at: Tab, shown: Any, price: float | None = None) -> None:
    """Buy a little, by the form. *shown*: what the page has of it then."""
    await at.page.keyboard.press("n")
    ticket = at.page.get_by_role("form", name="Order by hand")
    await ticket.get_by_label("Quantity").fill("0.01")
    kind = "MARKET" if price is None else "LIMIT"
    await ticket.locator("select", has_text="Market").select_option(kind)
    if price is not None:
        await ticket.get_by_label("Price").fill(f"{price:.1f}")
    await ticket.get_by_text("It would pass.").wait_for()
    await ticket.get_by_role("button", name="Buy 0.01").click()
    await shown.wait_for()  # the word that it was sent goes by itself
    await at.page.keyboard.press("Escape")
    await ticket.wait_for(state="detached")


async def trade(at: Tab, place: Place) -> None:
    """A position by a market order; a limit order with its why, which is taken back."""
    page = at.page
    positions = page.get_by_role("table", name="Positions", include_hidden=True)
    await by_hand(at, positions.get_by_text("BTCUSDT").first)
    paid = [row["price"] for row in place.twin.control.ledger() if row["kind"] == "trade"]
    orders = page.get_by_role("table", name="Open orders", include_hidden=True)
    row = orders.get_by_role("row", name="manual", include_hidden=True)
    await by_hand(at, row, float(paid[0]) * 0.97)
    await row.get_by_text("working", exact=False).wait_for()
    await row.click()
    why = page.get_by_role("dialog", name="Why this order")
    await why.get_by_text("SENT", exact=False).first.wait_for()
    await why.get_by_role("button", name="Close").click()
    await why.wait_for(state="detached")
    await row.get_by_role("button", name="Cancel order").click()
    await row.wait_for(state="detached")
    kinds = [each["kind"] for each in place.twin.control.ledger()]
    assert (kinds.count("new"), kinds.count("cancelled")) == (2, 1)


async def stop(at: Tab, process: LiveProcess) -> None:
    """The red button; it is latched in the process that trades."""
    await at.page.keyboard.press("Shift+Escape")
    dialog = at.page.get_by_role("dialog")
    await dialog.get_by_label("Type STOP").fill("STOP")
    await dialog.get_by_role("button", name="Stop trading").click()
    await dialog.get_by_text("Trading is stopped").wait_for()
    assert process.status()["level"] == "CANCEL_ALL"


async def release(at: Tab, account: str) -> None:
    """Another phrase is refused, and which it should be is not told."""
    page = at.page
    await page.get_by_role("button", name="Release…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("What was found").fill("looked at the feed")
    for phrase, then in (("release", "the phrase is another one"), (f"release {account}", "")):
        await dialog.get_by_label("Phrase").fill(phrase)
        await dialog.get_by_role("button", name="Release").click()
        if then:
            await dialog.get_by_text(then).wait_for()
            assert account not in await dialog.inner_text()
            at.forgive("409")
    await dialog.get_by_label("Type STOP").wait_for()
