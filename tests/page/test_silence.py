# SPDX-License-Identifier: Apache-2.0
"""What the page says of a trading process that stands still, and of an API that does: it was asked
to stop in the middle of everything, and neither closes a line nor says a word (C-40).
"""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from crash.cells import short_folder
from crash.live_process import LiveProcess, Place
from hean.api.permissions import Role
from page_desk import needs_browser, tab
from serve_process import ServeProcess
from venue_contract.twin_process import TwinProcess

pytestmark = [
    pytest.mark.control("C-40"),
    pytest.mark.server,
    pytest.mark.asyncio(loop_scope="module"),
    needs_browser,
]


async def test_who_stands_still_is_not_taken_for_one_that_trades(browser: Any) -> None:
    with short_folder() as folder, TwinProcess("bybit", folder) as twin:
        place = Place(twin, "linear", folder, given={"paused": "true"})
        place.command()  # writes the configuration
        with LiveProcess(place) as process, ServeProcess(place) as api:
            api.until_state("RUNNING")
            async with tab(browser, f"http://127.0.0.1:{api.port}") as at:
                await at.log_in(api.tokens[Role.VIEWER], mode="TESTNET")
                for pid in (process.pid, api.pid):
                    os.kill(pid, signal.SIGSTOP)
                    await at.mode.get_by_text("UNKNOWN").wait_for()
                    os.kill(pid, signal.SIGCONT)
                    await at.mode.get_by_text("TESTNET").wait_for()
                at.forgive("ERR_")
