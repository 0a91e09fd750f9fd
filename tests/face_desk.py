# SPDX-License-Identifier: Apache-2.0
"""The whole face over a real engine: a paper session on a twin, HTTP and live stream on a real
port, a token of each role.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from engine_desk import IDLE, EngineDesk, engine_desk
from hean.api.face import Face
from hean.api.permissions import Role
from hean.api.pulse import Pulse
from hean.config import load
from hean.data.catalog import Catalog
from hean.data.reader import read_columns
from hean.jobs.runner import JobLimits
from hean.net.bind import Bind
from small_market import write_candles

PATIENCE_S = 600.0  # what a request may take, and the loop stand still, where machines stall


class FaceDesk:
    """A client of each role. *engine*: what is behind it."""

    def __init__(
        self, engine: EngineDesk, folder: Path, http: aiohttp.ClientSession, **rest: Any
    ) -> None:
        self.engine = engine
        self.asked = 0
        self._folder, self._rest = folder, {"pulse": Pulse(late_s=PATIENCE_S), **rest}
        self.face = self.another()
        tokens = self.face.api.access.tokens
        self.tokens = {role: tokens.create(role, role.word)[0] for role in Role}
        self.http = http

    def another(self) -> Face:
        """A face of another life of the server, not begun."""
        facade, rest = self.engine.facade, self._rest
        face = Face(facade, self._folder, load({}, {}), Bind(port=0), ticks=self.ticks, **rest)
        shield: Any = face.api._shield
        shield._request_s = PATIENCE_S
        return face

    def ticks(self) -> float:
        """Steady seconds; every question makes a second pass, so that nothing is limited."""
        return time.monotonic() + self.asked

    async def ask(
        self, method: str, path: str, body: Any = None, *, role: Role = Role.ADMIN, **headers: str
    ) -> tuple[int, Any]:
        """Status and document of an answer."""
        sent = {"Authorization": f"Bearer {self.tokens[role]}", **headers}
        self.asked += 1
        if method == "POST" and path == "/orders" and "Idempotency-Key" not in headers:
            sent["Idempotency-Key"] = f"key-{self.asked}"
        url = f"{self.face.server.url}{path}"
        bare = ("Content-Type",) if body is None else ()  # as every other client does
        async with self.http.request(
            method, url, json=body, headers=sent, skip_auto_headers=bare
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    def socket(self) -> Any:
        """A WebSocket that has said nothing yet."""
        return self.http.ws_connect(f"{self.face.server.url}/ws".replace("http", "ws"))


@asynccontextmanager
async def face_desk(
    folder: Path, strategy: str = IDLE, *, given: dict[str, Any] | None = None, **rest: Any
) -> AsyncIterator[FaceDesk]:
    """Port open, engine stopped. *given*: parameters of the strategy; *rest*: of the face."""
    async with engine_desk(folder, strategy, given) as engine, aiohttp.ClientSession() as http:
        desk = FaceDesk(engine, folder / "data", http, **rest)
        await desk.face.start()
        try:
            yield desk
        finally:
            await desk.face.stop()


@asynccontextmanager
async def recorded_desk(
    folder: Path, *, bars: int = 600, source: Path | None = None, **limits: Any
) -> AsyncIterator[FaceDesk]:
    """A face with one recorded market. *source*: its bars of five minutes, made if left out;
    *limits*: of jobs.
    """
    source = source or write_candles(folder, 3, bars)
    columns = read_columns(source, symbol="BTCUSDT", venue="binance", market="perp", timeframe="5m")
    Catalog(folder / "data").add(columns)
    async with face_desk(folder, job_limits=JobLimits(**limits)) as desk:
        yield desk
