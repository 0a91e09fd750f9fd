# SPDX-License-Identifier: Apache-2.0
"""What the tests of the API's shell share: the real app over an engine that only counts what
reaches it, with a route for every row of the table, a clock that is set by hand and a token of each
role.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.testclient import TestClient

from hean.api.app import Api, build_app
from hean.api.permissions import ROWS, SOCKET, Role, Row
from hean.config import Settings, load

BASE = "http://localhost:8000"
DAY_S = 86_400
SHELL = {"/health/live", "/health", "/health/ready", "/health/{component}", "/pair", "/ws-ticket"}
SHELL |= {"/whoami", "/settings", "/openapi.json", "/docs"}


class HandClock:
    """Wall time in ns and steady time in s; both move by `pass_s` alone."""

    def __init__(self) -> None:
        self.now_ns = 1_800_000_000 * 10**9
        self.steady_s = 100.0

    def now(self) -> int:
        return self.now_ns

    def ticks(self) -> float:
        return self.steady_s

    def pass_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)
        self.steady_s += seconds


class Counting:
    """An engine as the shell sees it. `reached` lists what came through to a route."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.jobs = 0
        self.missing: list[str] = []

    def health(self) -> Mapping[str, Any]:
        return {
            "status": "healthy",
            "services": {"redis": "off", "exchange": "connected", "engine": "running"},
            "timestamp": "2026-11-29T12:00:00Z",
            "mode": "paper",
            "live_trading": False,
            "dry_run": True,
            "orchestrator": {
                "running": True, "uptime_seconds": 12.5, "overall_state": "RUNNING"
            },
            "components": {
                "ml_engine": {"state": "RUNNING"},
                "execution_router": {"state": "RUNNING", "circuit_breaker": "CLOSED"},
            },
        }  # fmt: skip

    def not_ready(self) -> Sequence[str]:
        return self.missing

    def moment(self) -> int:
        """Always the same."""
        return 0

    def jobs_running(self, token_id: str) -> int:
        return self.jobs

    def router(self, rows: Sequence[Row] = ROWS) -> APIRouter:
        """A route for each row that the shell itself has none for."""
        router = APIRouter()
        for number, row in enumerate(rows):
            if row.path not in SHELL and row.method != SOCKET:
                self._add(router, row, f"route_{number}")
        return router

    def _add(self, router: APIRouter, row: Row, name: str) -> None:
        async def count(request: Request) -> dict[str, int]:
            self.reached.append(f"{row.method} {row.path}")
            return {"reached": len(self.reached)}

        router.add_api_route(row.path, count, methods=[row.method], name=name)


class Desk:
    """The app, a client of it, and tokens by role."""

    def __init__(self, folder: Path, settings: Settings | None = None, **rest: Any) -> None:
        self.clock = HandClock()
        self.engine = Counting()
        self.folder = folder
        rest.setdefault("routers", [self.engine.router()])
        self.api: Api = build_app(
            self.engine, folder, settings or load({}, {}),
            now=self.clock.now, ticks=self.clock.ticks, **rest,
        )  # fmt: skip
        self.tokens: dict[Role, str] = {}
        self.client = TestClient(self.api, base_url=BASE, raise_server_exceptions=False)

    def as_role(self, role: Role) -> dict[str, str]:
        """The header of a token of that role, the same each time."""
        if role not in self.tokens:
            self.tokens[role], _ = self.api.access.tokens.create(role)
        return bearer(self.tokens[role])

    def begin(self) -> None:
        """Forget what came through, and let enough time pass that nothing is limited."""
        self.engine.reached.clear()
        self.clock.pass_s(2 * DAY_S)


def bearer(text: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {text}"}


def example(path: str) -> str:
    """A path with its parameters filled in."""
    for name in ("client_order_id", "component", "strategy_id", "job_id"):
        path = path.replace(f"{{{name}}}", "ml_engine" if name == "component" else "x1")
    return path
