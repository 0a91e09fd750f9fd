# SPDX-License-Identifier: Apache-2.0
"""Every operation of the document, asked with everything its schema allows and forbids (C-31): no
5xx, no status and no shape that is not documented, no route that forgets to ask who it is.

`HEAN_SCHEMA_CASES` is how many cases each operation gets; the night may want more.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth

from api.stand_in import SHELL, Desk
from hean.api.permissions import ROWS, SOCKET, Role

CASES = int(os.environ.get("HEAN_SCHEMA_CASES", "200"))
HOST = "testserver"  # as the client of schemathesis calls it
OPERATIONS = [
    (row.method, row.path)
    for row in ROWS
    if row.path in SHELL and row.method != SOCKET and row.path not in ("/openapi.json", "/docs")
]
RUNS = [
    pytest.param(*operation, mode, id=f"{' '.join(operation)} {mode.value}")
    for operation in OPERATIONS
    for mode in GenerationMode
    if operation != ("GET", "/health/live") or mode is GenerationMode.POSITIVE
]
"""Each operation with what it allows and with what it forbids; of `/health/live`, which takes
nothing and nobody's word, nothing can be wrong."""


@pytest.fixture(scope="module")
def lasting_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The shell alone: its own routes, which are all documented."""
    return Desk(tmp_path_factory.mktemp("data"), hosts=[HOST], routers=[])


@pytest.fixture(scope="module")
def schema(lasting_desk: Desk) -> Any:
    """The document as a client sees it."""
    return schemathesis.openapi.from_asgi(
        "/openapi.json", lasting_desk.api, headers=lasting_desk.as_role(Role.ADMIN)
    )


def test_the_document_has_the_operations(schema: Any):
    found = {(op.ok().method.upper(), op.ok().path) for op in schema.get_all_operations()}
    assert found == set(OPERATIONS)


def cases_of(operation: Any, mode: GenerationMode, most: int) -> Any:
    """Run a test over that many cases of an operation, always the same ones."""

    def over(test: Any) -> None:
        bounded = settings(
            max_examples=most,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        bounded(given(case=operation.as_strategy(generation_mode=mode))(test))()

    return over


@pytest.mark.parametrize(("method", "path", "mode"), RUNS)
def test_an_operation_keeps_to_its_document(
    lasting_desk: Desk, schema: Any, method: str, path: str, mode: GenerationMode
):
    operation = schema[path][method]
    headers = lasting_desk.as_role(Role.ADMIN)

    @cases_of(operation, mode, max(1, CASES // 2))
    def ask(case: Any) -> None:
        lasting_desk.clock.pass_s(1)
        case.call_and_validate(headers=headers, excluded_checks=[ignored_auth])


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operation_asks_who_it_is(lasting_desk: Desk, schema: Any, method: str, path: str):
    headers = lasting_desk.as_role(Role.ADMIN)

    @cases_of(schema[path][method], GenerationMode.POSITIVE, 5)
    def ask(case: Any) -> None:
        lasting_desk.clock.pass_s(3_600)  # its wrong tokens are no guessing
        case.call_and_validate(headers=headers, checks=[ignored_auth])
