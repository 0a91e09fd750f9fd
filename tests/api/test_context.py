# SPDX-License-Identifier: Apache-2.0
"""Whatever is logged while a request is answered bears its ids and who asked, in tasks that it
starts too; what is logged besides bears none.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from api.stand_in import Desk
from hean.api.permissions import Role
from hean.observe.context import fields, trace_of

LOG = logging.getLogger("hean.somewhere")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
pytestmark = pytest.mark.promise(71)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A route that logs, itself and in a task; one that fails."""
    router = APIRouter()

    async def later() -> None:
        LOG.warning("in a task")

    @router.get("/events")
    async def events() -> dict[str, str]:
        LOG.warning("in the route")
        await asyncio.create_task(later())
        return dict(fields())

    @router.get("/logs")
    async def logs() -> None:
        raise RuntimeError("unforeseen")

    return Desk(tmp_path, routers=[router])


def said(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of each line, in any form that a handler may give them."""
    return [vars(record) for record in caplog.records if record.name.startswith("hean")]


def test_every_line_of_a_request_bears_its_ids(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    headers = desk.as_role(Role.ADMIN) | {"X-Request-ID": "mine-1", "Traceparent": PARENT}
    answer = desk.client.get("/events?limit=1", headers=headers)
    assert answer.status_code == 400  # refused before the route: nothing is logged of it
    answer = desk.client.get("/events", headers=headers)
    assert answer.headers["x-request-id"] == "mine-1"
    found = said(caplog)
    assert [each["msg"] for each in found] == ["in the route", "in a task"]
    for each in found:
        assert (each["request_id"], each["trace_id"]) == ("mine-1", TRACE)
        assert each["who"] == answer.json()["who"] and each["who"].startswith("admin")


def test_an_error_is_found_by_the_id_of_its_answer(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    answer = desk.client.get("/logs", headers=desk.as_role(Role.ADMIN))
    assert answer.status_code == 500
    (line,) = said(caplog)
    assert line["request_id"] == line["trace_id"] == answer.json()["request_id"]
    assert answer.headers["x-request-id"] == line["request_id"]


def test_what_is_logged_besides_bears_no_ids(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.client.get("/events", headers=desk.as_role(Role.ADMIN))
    LOG.warning("by the engine")
    assert "request_id" not in said(caplog)[-1] and fields() == {}


@pytest.mark.parametrize(
    "header",
    [None, b"", b"00", PARENT.upper().encode(), PARENT.encode()[:-1], b"x" * 10_000,
     PARENT.replace(TRACE, "0" * 32).encode(), PARENT.encode() + b"\r\nX: y"],
)  # fmt: skip
def test_a_trace_that_is_none_is_none(header: bytes | None) -> None:
    assert trace_of(header) == ""
    assert trace_of(PARENT.encode()) == TRACE
