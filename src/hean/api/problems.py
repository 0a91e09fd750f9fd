# SPDX-License-Identifier: Apache-2.0
"""`problems.py`: every refusal in one shape, `application/problem+json` with `code`, `field` and
`request_id`. An error that HEAN raises on purpose keeps its name as the code. Of one nobody
foresaw, or whose sentence is about this machine, only the request id leaves; the log has the rest.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hean.errors import (
    CircuitOpen,
    EnvironmentFault,
    FatalError,
    HeanError,
    InputError,
    LedgerError,
    OrderError,
    OrderUnknown,
    QueueFull,
    RiskRefusal,
    StateError,
    VenueError,
)

MEDIA_TYPE = "application/problem+json"
INTERNAL = "InternalError"
FIELDS_MAX = 50  # wrong fields told at a time
DETAIL_LENGTH_MAX = 2_000

log = logging.getLogger("hean.api")

STATUSES: tuple[tuple[type[HeanError], int], ...] = (
    (InputError, 422),
    (OrderUnknown, 404),
    (OrderError, 409),
    (RiskRefusal, 409),
    (LedgerError, 409),
    (QueueFull, 503),
    (CircuitOpen, 503),
    (StateError, 409),
    (VenueError, 502),
    (EnvironmentFault, 503),
    (FatalError, 503),
)
"""The status of each family of errors; the first that fits counts."""

MACHINE = (EnvironmentFault, FatalError)
"""Their sentences name files and servers of this machine, which do not leave it."""


class FieldProblem(BaseModel):
    """One wrong field. *field*: a JSON pointer into the request, such as `/body/qty`."""

    field: str
    detail: str


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    request_id: str
    errors: list[FieldProblem] | None = None


class Refused(Exception):
    """A request that goes no further. *code*: its name for programs; *field*: what of the request
    was wrong. The sentence is for people.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Iterable[FieldProblem] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.headers = dict(headers or {})
        self.errors = list(errors)[:FIELDS_MAX]

    def response(self, request_id: str) -> Response:
        """As an answer."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": title_of(self.status),
            "status": self.status,
            "detail": self.detail[:DETAIL_LENGTH_MAX],
            "code": self.code,
            "field": self.field,
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = [each.model_dump() for each in self.errors]
        body = json.dumps(document).encode()
        return Response(body, self.status, self.headers, MEDIA_TYPE)


def title_of(status: int) -> str:
    """The standard's phrase for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


def refused(error: Exception, request_id: str) -> Refused:
    """What the asker is told about an error; what that leaves out is logged."""
    match error:
        case Refused():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _plain(error)
        case HeanError():
            status = next((s for kind, s in STATUSES if isinstance(error, kind)), 500)
            if status < 500 or not isinstance(error, MACHINE):
                return Refused(status, type(error).__name__, error.message)
            log.error("request %s: %s", request_id, error)
            return Refused(status, type(error).__name__, "This machine cannot do it now; see log.")
    log.error("request %s failed", request_id, exc_info=error)
    return Refused(500, INTERNAL, "Something unforeseen happened; the log has it by request_id.")


@contextmanager
def about(field: str) -> Iterator[None]:
    """Say which field of the request an input that is refused in here stands in, such as
    `/body/symbol`. *Raises*: `Refused`.
    """
    try:
        yield
    except (InputError, OrderUnknown) as error:
        refusal = refused(error, "")
        refusal.field = field
        raise refusal from None


def install(app: FastAPI) -> None:
    """Have every error of the framework and of the routes answered in this shape."""

    async def answer(request: Request, error: Exception) -> Response:
        request_id = request.scope.get("state", {}).get("request_id", "")
        return refused(error, request_id).response(request_id)

    for kind in (Refused, HeanError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def _invalid(error: RequestValidationError) -> Refused:
    """All wrong fields at once. What was given is not repeated: it could be a secret."""
    found = [FieldProblem(field=_pointer(e["loc"]), detail=e["msg"]) for e in error.errors()]
    first = found[0] if found else FieldProblem(field="/body", detail="not understood")
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Refused(
        422,
        "FieldInvalid",
        f"{first.field}: {first.detail}{more}.",
        field=first.field,
        errors=found,
    )


def _pointer(place: Iterable[str | int]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1")[:100] for part in place)
    return "/" + "/".join(parts)


def _plain(error: HTTPException) -> Refused:
    names = {404: "NotFound", 405: "MethodNotAllowed", 400: "BodyInvalid", 413: "BodyTooLarge"}
    code = names.get(error.status_code, title_of(error.status_code).replace(" ", ""))
    return Refused(error.status_code, code, str(error.detail), headers=error.headers)
