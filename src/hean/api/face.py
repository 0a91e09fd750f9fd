# SPDX-License-Identifier: Apache-2.0
"""`face.py`: one engine behind one port: HTTP, live stream and what keeps them going, in the loop
that the engine is in. It begins nothing by itself but the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hean.api.app import build_app
from hean.api.engine import data_router, engine_router, market_router
from hean.api.meter import Meter
from hean.api.operations import guard_router, operations_router
from hean.api.page import built_page
from hean.api.permissions import Role
from hean.api.server import ApiServer, Bind
from hean.api.ws import Streams
from hean.config import Settings
from hean.engine import EngineFacade
from hean.engine.topics import Topics
from hean.observe.metrics import render


class Face:
    """*settings*: shown masked; *ticks*: steady seconds, of limits. `start` returns when the port
    answers, `stop` when nothing of it is left; the engine is the caller's.
    """

    def __init__(
        self,
        facade: EngineFacade,
        data_dir: Path,
        settings: Settings,
        bind: Bind,
        *,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.facade = facade
        self.topics = Topics(facade)
        self.streams = Streams(self.topics, ticks=ticks)
        page = built_page()
        self.has_page = page is not None
        """Whether the page was built."""
        self.api = build_app(
            self,
            data_dir,
            settings,
            routers=[
                engine_router(facade, self.metrics),
                data_router(facade),
                market_router(facade),
                operations_router(facade),
                guard_router(facade),
                self.streams.router(),
            ],
            page=page,
            ticks=ticks,
        )
        self.streams.access = self.api.access
        self.meter = Meter(self.api)
        self.server = ApiServer(self.meter, bind)
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. *Raises*: `EnvironmentFault` if the port is taken."""
        await self.server.start()
        self._keeping = asyncio.get_running_loop().create_task(self.topics.keep())

    async def stop(self) -> None:
        """Listen no more; safe to call twice."""
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None
        await self.server.stop()

    def link(self, role: Role) -> str:
        """An address that logs whoever opens it in, once."""
        return f"{self.server.url}/#pair={self.api.access.pairings.issue(role)}"

    def metrics(self) -> bytes:
        """Of engine and API, as Prometheus text."""
        samples = self.facade.metrics()
        self.meter.tell(samples)
        samples.put("hean_ws_connections", len(self.streams))
        return render(samples)

    def health(self) -> Mapping[str, Any]:
        """How the engine is."""
        return self.facade.health()

    def not_ready(self) -> Sequence[str]:
        """Why nobody should rely on it yet."""
        return self.facade.not_ready()

    def jobs_running(self, _token_id: str) -> int:
        """Nobody can start a job yet."""
        return 0
