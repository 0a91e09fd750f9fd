# SPDX-License-Identifier: Apache-2.0
"""`health.py`: is it there, does it work, may it be given traffic. `/health/live` tells everybody
one word; the rest needs a login. A degraded engine answers 200 and says so: only one that cannot be
used yet is not ready, and a halted one is both live and ready, because nobody shall restart it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fastapi import APIRouter

from hean.api.models import Answered, Word
from hean.api.problems import Refused

ALIASES = {"execution": "execution_router"}
"""Components that documents call by another name."""


class ComponentHealth(Answered):
    """One part of the engine. *progress*: what it has done, as a watermark."""

    state: str
    last_check: str | None = None
    failure_count: int = 0
    circuit_breaker: str | None = None
    error_message: str | None = None
    progress: str | None = None


class OrchestratorHealth(Answered):
    """Who starts and watches the parts."""

    running: bool
    uptime_seconds: float
    overall_state: str


class Health(Answered):
    """The whole. *status*: `healthy`, `degraded` or `stopped`; *timestamp*: ISO 8601, UTC."""

    status: str
    services: dict[str, str]
    timestamp: str
    mode: str
    live_trading: bool
    dry_run: bool
    orchestrator: OrchestratorHealth
    components: dict[str, ComponentHealth]


class Alive(Answered):
    """That is all that strangers are told."""

    status: str


class Ready(Answered):
    """Whether requests may come."""

    ready: bool


class Examined(Protocol):
    """What can be asked how it is."""

    def health(self) -> Mapping[str, Any]:
        """A document of the fields of `Health`."""
        ...

    def not_ready(self) -> Sequence[str]:
        """Why no traffic may come yet; empty when it may."""
        ...


def health_router(examined: Examined, is_late: Callable[[], bool]) -> APIRouter:
    """The routes below `/health`. *is_late*: whether the loop is stuck, or was a moment ago."""
    router = APIRouter(tags=["health"])

    @router.get("/health/live")
    async def health_live() -> Alive:
        """Answers as long as the process turns; 503 when it stood still for over five seconds."""
        if is_late():
            raise stuck()
        return Alive(status="up")

    @router.get("/health/ready")
    async def health_ready() -> Ready:
        """503 until the journal is recovered, the account reconciled and the feed fresh."""
        if missing := examined.not_ready():
            raise Refused(503, "NotReady", f"Not ready: {'; '.join(missing)}.")
        return Ready(ready=True)

    @router.get("/health")
    async def health() -> Health:
        """Services, components and mode; 200 also when degraded."""
        return Health.model_validate(examined.health())

    @router.get("/health/{component}")
    async def health_component(component: Word) -> ComponentHealth:
        """One component; `orchestrator` is one, and `execution` is the router of orders."""
        found = Health.model_validate(examined.health())
        if component == "orchestrator":
            return ComponentHealth(state=found.orchestrator.overall_state)
        name = ALIASES.get(component, component)
        part = found.components.get(name) or found.components.get(component)
        if part is None:
            known = ", ".join(sorted(found.components)) or "none"
            raise Refused(
                404, "ComponentUnknown", f"No component {component[:40]!r}; known: {known}.",
                field="/path/component",
            )  # fmt: skip
        return part

    return router


def stuck() -> Refused:
    """What is said of a loop that does not turn."""
    return Refused(503, "LoopStuck", "down")
