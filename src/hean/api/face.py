# SPDX-License-Identifier: Apache-2.0
"""`face.py`: one engine behind one port: HTTP, live stream and what keeps them going, in the loop
that the engine is in. It begins nothing by itself but the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from hean.api.alerts import alerts_router
from hean.api.app import build_app
from hean.api.engine import data_router, engine_router, market_router
from hean.api.jobs import jobs_router, playable_router, smoke_router
from hean.api.meter import Meter
from hean.api.operations import books_router, guard_router, operations_router
from hean.api.page import built_page
from hean.api.permissions import Role
from hean.api.population import population_router
from hean.api.pulse import Pulse
from hean.api.server import ApiServer
from hean.api.ws import Streams
from hean.config import Settings
from hean.engine import EngineFacade
from hean.engine.populating import Populating
from hean.engine.topics import Topics
from hean.errors import ParameterInvalid
from hean.jobs.runner import JobLimits, Jobs
from hean.net.bind import Bind, is_loopback
from hean.observe.metrics import measure_process, render


class Face:
    """*settings*: shown masked; they name allowed hosts and origins, and the key of tokens;
    *ticks*: steady seconds, of limits; *pulse*: of the loop. `start` returns when the port answers,
    `stop` when nothing of it is left, jobs too; the engine is the caller's. *Raises*:
    `ParameterInvalid` for an address beyond loopback without `SECRET_KEY`.
    """

    def __init__(
        self,
        facade: EngineFacade,
        data_dir: Path,
        settings: Settings,
        bind: Bind,
        *,
        ticks: Callable[[], float] = time.monotonic,
        job_limits: JobLimits | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self.facade = facade
        self.jobs = Jobs(data_dir, now=lambda: facade.now_ns, limits=job_limits)
        self.topics = Topics(facade, self.jobs)
        self.streams = Streams(self.topics, ticks=ticks)
        if settings.secret_key is None and not is_loopback(bind.host):
            raise ParameterInvalid(
                f"--host {bind.host[:60]}: not loopback, so it needs SECRET_KEY (or "
                "SECRET_KEY_FILE), which signs the tokens: openssl rand -hex 32."
            )
        page, pulse = built_page(), pulse or Pulse()
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
                playable_router(data_dir),
                jobs_router(self.jobs, data_dir),
                smoke_router(self.jobs, facade),
                alerts_router(data_dir, settings),
                books_router(facade),
                population_router(Populating(facade)),
                self.streams.router(),
            ],
            hosts=[*settings.allowed_hosts, *_own_name(bind.host)],
            origins=settings.allowed_origins,
            page=page,
            ticks=ticks,
            is_late=lambda: pulse.is_late,
        )
        self.streams.access = self.api.access
        self.meter = Meter(self.api)
        self.server = ApiServer(self.meter, bind, pulse)
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
        await self.jobs.stop()
        await self.server.stop()

    def link(self, role: Role) -> str:
        """An address that logs whoever opens it in, once."""
        return f"{self.server.url}/#pair={self.api.access.pairings.issue(role)}"

    def metrics(self) -> bytes:
        """Of engine and API, as Prometheus text."""
        samples = self.facade.metrics()
        self.meter.tell(samples)
        samples.put("hean_ws_connections", len(self.streams))
        measure_process(samples, time.process_time(), getrusage(RUSAGE_SELF).ru_maxrss)
        return render(samples)

    def health(self) -> Mapping[str, Any]:
        """How the engine is."""
        return self.facade.health()

    def not_ready(self) -> Sequence[str]:
        """Why nobody should rely on it yet."""
        return self.facade.not_ready()

    def moment(self) -> Hashable:
        """The engine's."""
        return self.facade.moment()

    def jobs_running(self, token_id: str) -> int:
        """How many jobs of a token wait or run."""
        return self.jobs.open_jobs(token_id)


def _own_name(host: str) -> list[str]:
    """How those call it who call it by the address it listens on."""
    if is_loopback(host) or host in ("0.0.0.0", "::", "[::]"):  # told apart, not bound
        return []
    return [f"[{host.lower()}]" if ":" in host and not host.startswith("[") else host.lower()]
