# SPDX-License-Identifier: Apache-2.0
"""`app.py`: the API put together. Outermost the shield, then the gate, then the framework with the
routes; the framework's own documents, redirects and telemetry are off. It knows the facade's
methods and nothing behind them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from hean import __version__
from hean.api import problems
from hean.api.access import Access
from hean.api.document import complete, docs_router, queries_of
from hean.api.gate import Gate
from hean.api.health import Examined, health_router
from hean.api.idempotency import Idempotency
from hean.api.kept_answers import KeptAnswers
from hean.api.limits import Limits
from hean.api.origins import Origins
from hean.api.permissions import SOCKET, Permissions
from hean.api.proxies import Proxies
from hean.api.reads import Reads
from hean.api.session import session_router, settings_router
from hean.api.shield import REQUEST_S_MAX, Asgi, Receive, Scope, Send, Shield
from hean.api.tokens import Tokens
from hean.config import Settings
from hean.observe.context import install as bear_ids

NO_TELEMETRY = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,  # nothing is sent anywhere because of a variable
}


class Facade(Examined, Protocol):
    """What the shell itself asks of an engine."""

    def jobs_running(self, token_id: str) -> int:
        """How many jobs that this token has started run now."""
        ...

    def moment(self) -> Hashable:
        """Another one whenever something has happened since."""
        ...


class Api:
    """The whole API as one ASGI application. *access*: for sockets, and for the code of a first
    login; *framework*: for those who read its document.
    """

    def __init__(self, shield: Asgi, framework: FastAPI, access: Access) -> None:
        self._shield = shield
        self.framework = framework
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._shield(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document: dict[str, Any] = self.framework.state.document
        return document


def build_app(
    facade: Facade,
    data_dir: Path,
    settings: Settings,
    *,
    routers: Sequence[APIRouter] = (),
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
    page: Asgi | None = None,
    permissions: Permissions | None = None,
    now: Callable[[], int] = time.time_ns,
    ticks: Callable[[], float] = time.monotonic,
    request_s: float = REQUEST_S_MAX,
    is_late: Callable[[], bool] = lambda: False,
) -> Api:
    """Put it together. *routers*: of the engine; *page*: the files of the page, for everybody;
    *hosts*, *origins*: beside loopback; *now*: UTC nanoseconds; *ticks*: steady seconds;
    *is_late*: whether the loop is stuck.

    *Raises*: `TopologyInvalid` for a route without permission, `ParameterInvalid`.
    """
    permissions = permissions or Permissions()
    access = Access(Tokens(data_dir, now, key=settings.secret_key), Limits(ticks), ticks)
    framework = FastAPI(
        title="HEAN",
        version=__version__,
        description="What a running engine can be asked, and who may ask.",
        telemetry=NO_TELEMETRY,  # type: ignore[arg-type]
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    problems.install(framework)
    bear_ids()
    for router in (
        session_router(access),
        settings_router(settings),
        docs_router(),
        *routers,
        health_router(facade, is_late),
    ):
        framework.include_router(router)
    permissions.check(routes_of(framework))
    document = _document(framework, permissions)
    gate = Gate(
        Reads(framework, moment=facade.moment, ticks=ticks), permissions, access,
        Idempotency(ticks, lasting=KeptAnswers(data_dir, now)),
        jobs_running=facade.jobs_running, queries=queries_of(document, permissions), page=page,
    )  # fmt: skip
    shield = Shield(
        gate, permissions, Origins(hosts, origins),
        proxies=Proxies(settings.trusted_proxies), request_s=request_s,
    )  # fmt: skip
    return Api(shield, framework, access)


def operation_id(route: APIRoute) -> str:
    """The name of an operation for generated clients: that of its function."""
    return route.name


def routes_of(framework: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every route, in the order in which they are matched."""
    found = []
    for context in iter_route_contexts(framework.routes):
        for method in sorted(context.methods or {SOCKET}):
            found.append((method, context.path or "?"))
    return found


def _document(framework: FastAPI, permissions: Permissions) -> dict[str, Any]:
    """Make the document once: it does not change while the app runs."""
    made = get_openapi(
        title=framework.title,
        version=framework.version,
        description=framework.description,
        routes=framework.routes,
    )
    document = complete(made, permissions)
    framework.state.document = document
    framework.state.openapi_json = msgspec.json.encode(document)
    return document
