# SPDX-License-Identifier: Apache-2.0
"""The whole face on a port, run by a loop in a thread of its own, for clients that know no loop:
a paper session on a twin behind it, one order that rests and one that was filled.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from face_desk import FaceDesk, face_desk
from hean.api.permissions import Role
from hean.jobs.runner import JobLimits

Answer = TypeVar("Answer")
WAIT_S = 900.0  # of a machine on which everything stalls; every wait within is by condition
PATIENCE_S = 600.0
RESTING = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "qty": "0.01", "price": "59000"}
COOL_DOWN_NS = 61 * 10**9
GO_ON = {"phrase": "release paper", "reason": "looked at the feed"}
FILLED = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "0.01"}


class SchemaDesk:
    """*names*: what there really is, by the name of a parameter or of a field."""

    def __init__(self, desk: FaceDesk, loop: asyncio.AbstractEventLoop) -> None:
        self.desk = desk
        self.names: dict[str, list[str]] = {
            "symbol": ["BTCUSDT", "ETHUSDT"], "component": ["orchestrator", "execution"]
        }  # fmt: skip
        self._loop = loop

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.desk.face.server.url

    def headers(self, role: Role = Role.ADMIN) -> dict[str, str]:
        """Those that show the token of a role."""
        return {"Authorization": f"Bearer {self.desk.tokens[role]}"}

    def pass_s(self, seconds: int) -> None:
        """Let time pass for limits, so that nobody is refused for asking often."""
        self.desk.asked += seconds

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Have its loop do something. *Returns*: what came of it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    def start(self) -> None:
        """Have the engine trade, and something there that can be named."""
        self.run(self._start())

    async def _start(self) -> None:
        await self.desk.engine.start(PATIENCE_S)
        if (await self._asked("GET", "/killswitch"))["latched"]:  # since before an engine ran
            self.desk.engine.ahead_ns += COOL_DOWN_NS
            await self._asked("POST", "/killswitch/release", GO_ON)
        orders = [await self._asked("POST", "/orders", each) for each in (RESTING, FILLED)]
        ids = [order["client_order_id"] for order in orders]
        self.names["client_order_id"] = self.names["order_id"] = ids
        strategies = await self._asked("GET", "/strategies")
        self.names["strategy_id"] = [each["id"] for each in strategies]
        job = await self._asked("POST", "/smoke-test/run", {"symbol": "BTCUSDT"})
        self.names["job_id"] = [job["job_id"]]

    async def _asked(self, method: str, path: str, body: Any = None) -> Any:
        """A good answer."""
        status, found = await self.desk.ask(method, path, body)
        assert status < 300, found
        return found


@contextmanager
def schema_desk(folder: Path) -> Iterator[SchemaDesk]:
    """Port open, engine stopped."""
    ready, over = threading.Event(), asyncio.Event()
    found: list[SchemaDesk] = []

    async def live() -> None:
        try:
            async with face_desk(folder, job_limits=JobLimits()) as desk:
                found.append(SchemaDesk(desk, asyncio.get_running_loop()))
                ready.set()
                await over.wait()
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="face")
    thread.start()
    ready.wait(WAIT_S)
    assert found, "the face did not begin"
    try:
        yield found[0]
    finally:
        found[0]._loop.call_soon_threadsafe(over.set)
        thread.join(WAIT_S)
