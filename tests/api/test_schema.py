# SPDX-License-Identifier: Apache-2.0
"""Every operation of the whole face, with an engine that trades and with one that stands still,
asked with everything its schema allows and forbids (C-31): no 5xx but those that are documented,
no status and no shape that is not, nothing of this machine in an answer (C-20), and each refusal
of a field names it. No operation forgets to ask who it is.

`HEAN_SCHEMA_CASES` is how many cases each operation gets: a few in each run, 200 and more in the
night and before a release.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from api.schema_desk import PATIENCE_S, SchemaDesk, schema_desk
from hean.api.permissions import ROWS, SOCKET
from hean.engine.indicating import chosen_of
from hean.errors import ParameterInvalid

# Taken away: a `hean` that another test starts would refuse a variable that it does not know.
CASES = int(os.environ.pop("HEAN_SCHEMA_CASES", "4"))
UNLISTED = ("/openapi.json", "/docs")
LAST = {("POST", "/engine/stop"): 1}
"""It takes away what others ask for."""
OPERATIONS = sorted(
    ((row.method, row.path) for row in ROWS if row.method != SOCKET and row.path not in UNLISTED),
    key=lambda operation: LAST.get(operation, 0),
)
MACHINE = re.compile(
    r"Traceback|\.py\b|line \d+, in |site-packages|/(?:tmp|home|root|usr|work|var|proc)/"
    r"|\b(?:sqlite|pydantic|starlette|uvicorn|asyncio|msgspec)\b|0x[0-9a-f]{8,}"
)
"""What an answer to a stranger's rubbish must not have."""
READINESS = "/health/ready"
JUDGED = (
    "/backtest", "/evaluate", "/evolve", "/orders", "/orders/preview", "/risk/limits",
    "/smoke-test/run",
)  # fmt: skip
"""What is asked there has to fit what there is: symbols, data, limits. No schema says so."""
TOLD = ("/settings", "/logs")
"""Answers that tell of this machine on purpose: where a setting comes from, what went wrong."""


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchemaDesk]:
    """One face for all; its engine stands still at first."""
    with schema_desk(tmp_path_factory.mktemp("face")) as desk:
        yield desk


@pytest.fixture(scope="module")
def trading(face: SchemaDesk) -> SchemaDesk:
    """The same, once its engine trades."""
    face.start()
    return face


@pytest.fixture(scope="module")
def schema(face: SchemaDesk) -> Any:
    """The document as a client sees it."""
    answer = requests.get(f"{face.url}/openapi.json", headers=face.headers(), timeout=PATIENCE_S)
    found = schemathesis.openapi.from_dict(_simple(answer.json()))
    found.config.update(base_url=face.url, request_timeout=PATIENCE_S)
    return found


def _simple(part: Any) -> Any:
    """Pairs described as lists of two: schemathesis stumbles over `prefixItems`."""
    if isinstance(part, list):
        return [_simple(each) for each in part]
    if not isinstance(part, dict):
        return part
    if "prefixItems" in part:
        part = {**part, "items": part["prefixItems"][0]}
        del part["prefixItems"]
    return {name: _simple(each) for name, each in part.items()}


def test_the_document_has_the_operations(schema: Any) -> None:
    found = {(op.ok().method.upper(), op.ok().path) for op in schema.get_all_operations()}
    assert found == set(OPERATIONS)


def test_the_document_has_the_indicators_that_are_taken(schema: Any) -> None:
    parameters = schema.raw_schema["paths"]["/market/{symbol}/indicators"]["get"]["parameters"]
    (pattern,) = (each["schema"]["pattern"] for each in parameters if each["name"] == "show")
    texts = [f"ema:{period}" for period in range(1_200)] + ["ema", "ema:", "ema:02", "ema:-2"]
    texts += [",".join(["rsi", "ema"] * 4), ",".join(["rsi"] * 9), "", "ema,", ",ema", "Ema"]
    for text in texts:
        try:
            is_taken = len(chosen_of(text)) > 0
        except ParameterInvalid:
            is_taken = False
        is_told = re.search(pattern, text) is not None
        # The same one over and over, and zeros in front, are taken and need not be told.
        assert is_told == is_taken or text in ("ema:02", ",".join(["rsi"] * 9)), text


def cases_of(operation: Any, mode: GenerationMode, most: int) -> Any:
    """Run a test over that many cases of an operation, always the same ones."""

    def over(test: Any) -> None:
        bounded = settings(
            max_examples=most,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        bounded(given(case=operation.as_strategy(generation_mode=mode))(test))()

    return over


def check_words(path: str, response: Any) -> None:
    """Nothing of this machine leaves, and what is wrong has a name."""
    text = response.text
    if not (path in TOLD and response.status_code == 200):
        found = MACHINE.search(text)
        assert found is None, text[max(0, found.start() - 80) : found.end() + 80]
    if response.status_code in (400, 404, 409, 415, 422):
        problem = response.json()
        assert problem["status"] == response.status_code and problem["code"], problem
        if "idempotent-replayed" not in response.headers:
            assert problem["request_id"] == response.headers["x-request-id"][0]
        if response.status_code == 422:
            assert str(problem["field"]).startswith("/"), problem


def left_out(path: str) -> list[Any]:
    """Checks that do not hold for an operation, and why."""
    found: list[Any] = [ignored_auth]  # has a test of its own
    if path == READINESS:
        found.append(not_a_server_error)  # 503 is its "no"
    if path in JUDGED:
        found.append(positive_data_acceptance)
    return found


def lost(case: Any, response: Any) -> list[Any]:
    """The check that does not hold where what was wrong is not sent: an empty list is no parameter
    on the wire.
    """
    sent = parse_qs(urlsplit(response.request.url).query, keep_blank_values=True)
    return [negative_data_rejection] if set(case.query or {}) - set(sent) else []


def name(desk: SchemaDesk, case: Any, number: int) -> None:
    """Let every other case be about something that is there."""
    if number % 2:
        return
    for place in (case.path_parameters, case.body):
        if isinstance(place, dict):
            for key in place.keys() & desk.names.keys():
                place[key] = desk.names[key][number // 2 % len(desk.names[key])]


def ask_all(desk: SchemaDesk, schema: Any, method: str, path: str, mode: GenerationMode) -> None:
    """All cases of one operation."""
    headers, asked = desk.headers(), []

    @cases_of(schema[path][method], mode, max(1, CASES // 2))
    def ask(case: Any) -> None:
        desk.pass_s(2)
        asked.append(1)
        if mode is GenerationMode.POSITIVE:
            name(desk, case, len(asked))
        response = case.call(headers=headers)
        check_words(path, response)
        excluded = left_out(path) + lost(case, response)
        case.validate_response(response, headers=headers, excluded_checks=excluded)


BEGUN = {("POST", "/engine/start"), ("POST", "/killswitch/trigger")}
"""They decide how the engine begins that everybody after them asks: stopped, it fills no order."""
STILL = [operation for operation in OPERATIONS if operation not in BEGUN]


@pytest.mark.parametrize(("method", "path"), STILL)
def test_an_engine_that_stands_still_is_asked_anything(
    face: SchemaDesk, schema: Any, method: str, path: str
) -> None:
    ask_all(face, schema, method, path, GenerationMode.POSITIVE)


@pytest.mark.control("C-31")
@pytest.mark.control("C-20")
@pytest.mark.control("C-17")
@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operation_keeps_to_its_document(
    trading: SchemaDesk, schema: Any, method: str, path: str, mode: GenerationMode
) -> None:
    if (path, mode) == ("/health/live", GenerationMode.NEGATIVE):
        return  # it takes nothing and nobody's word: nothing of it can be wrong
    ask_all(trading, schema, method, path, mode)


@pytest.mark.control("C-31")
@pytest.mark.control("C-02")
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operation_asks_who_it_is(face: SchemaDesk, schema: Any, method: str, path: str) -> None:
    headers = face.headers()

    @cases_of(schema[path][method], GenerationMode.POSITIVE, 2)
    def ask(case: Any) -> None:
        face.pass_s(3_600)  # its wrong tokens are no guessing
        case.call_and_validate(headers=headers, checks=[ignored_auth])
