# SPDX-License-Identifier: Apache-2.0
"""How large, how deep, how long and how many (C-16), and what a body may look like before anybody
asks what it means. Each refusal names its limit, and nothing has reached a route.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from fastapi import APIRouter

from api.stand_in import BASE, Desk
from hean.api.permissions import Role
from hean.api.shapes import ARRAY_MAX, BODY_BYTES_MAX, DEPTH_MAX, check_json
from hean.api.shield import AT_WORK_MAX

pytestmark = pytest.mark.control("C-16")


@pytest.fixture
def desk(lasting_desk: Desk) -> Desk:
    lasting_desk.begin()
    return lasting_desk


def send(desk: Desk, body: bytes):
    headers = desk.as_role(Role.ADMIN) | {"Content-Type": "application/json"}
    return desk.client.post("/engine/stop", headers=headers, content=body)


def padded(size: int) -> bytes:
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


def test_a_body_of_the_limit_passes_and_one_byte_more_does_not(desk: Desk):
    assert send(desk, padded(BODY_BYTES_MAX)).status_code == 200
    answer = send(desk, padded(BODY_BYTES_MAX + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "BodyTooLarge")
    assert str(BODY_BYTES_MAX) in answer.json()["detail"]
    assert len(desk.engine.reached) == 1


def test_a_body_without_declared_length_is_counted_while_it_comes(desk: Desk):
    given = 0

    def pieces():
        nonlocal given
        for _ in range(1_000):
            given += 1_024
            yield b"x" * 1_024

    headers = desk.as_role(Role.ADMIN) | {"Content-Type": "application/json"}
    answer = desk.client.post("/engine/stop", headers=headers, content=pieces())
    assert answer.status_code == 413
    assert desk.engine.reached == []


def nested(depth: int, opening: str = '{"a":', closing: str = "}") -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (nested(DEPTH_MAX + 1), "BodyTooDeep"),
        (b'{"a":' + nested(10_000, "[", "]") + b"}", "BodyTooDeep"),
        (b'{"a":[' + b"1," * ARRAY_MAX + b"1]}", "ArrayTooLong"),
        (b'{"a":' + b"[" * 30_000, "BodyTooDeep"),
        (b"[]", "BodyInvalid"),
        (b"1", "BodyInvalid"),
        (b'"a"', "BodyInvalid"),
        (b"null", "BodyInvalid"),
        (b"{", "BodyInvalid"),
        (b"{}}", "BodyInvalid"),
        (b"a=1", "BodyInvalid"),
        (b'{"a":1,}', "BodyInvalid"),
        (b"{'a':1}", "BodyInvalid"),
        (b'{"a":NaN}', "BodyInvalid"),
        (b'{"a":-Infinity}', "BodyInvalid"),
        (b'{"a":1e400}', "BodyInvalid"),
        (b'{"a":' + b"9" * 5_000 + b"}", "BodyInvalid"),
        (b'{"a":1,"a":2}', "BodyInvalid"),
        (b'{"a":{"b":1,"b":1}}', "BodyInvalid"),
        (b'{"a":"\\ud800"}', "BodyInvalid"),
        (b'{"a":"\xff"}', "BodyInvalid"),
        (b"\xef\xbb\xbf{}", "BodyInvalid"),
        ('{"a":1}'.encode("utf-16"), "BodyInvalid"),
        (b'{"a":"\x00"}', "BodyInvalid"),
        (b"\x00", "BodyInvalid"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_bad_body_is_refused_by_name(desk: Desk, body: bytes, code: str):
    answer = send(desk, body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["field"] == "/body"
    assert desk.engine.reached == []


@pytest.mark.parametrize(
    "body",
    [nested(DEPTH_MAX), b'{"a":[' + b"1," * (ARRAY_MAX - 1) + b"1]}", b'{"a":"[[[{{{,,,"}',
     b'{"a":"\\"[[["}', '{"a":"\u00e9 \\ud83d\\ude00"}'.encode(), b' {"a": [1, {"b": []}]} '],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_a_good_body_passes(body: bytes):
    check_json(body)
    assert json.loads(body)


def test_a_safe_method_has_no_body(desk: Desk):
    answer = desk.client.request(
        "GET", "/orders", headers=desk.as_role(Role.ADMIN), content=b"{}"
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (400, "BodyUnexpected")


def test_headers_and_address_are_bounded(desk: Desk):
    headers = desk.as_role(Role.ADMIN)
    answer = desk.client.get("/orders", headers=headers | {"X-Long": "x" * 16_384})
    assert (answer.status_code, answer.json()["code"]) == (431, "HeadersTooLarge")
    answer = desk.client.get("/orders?status=" + "x" * 8_192, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (414, "AddressTooLong")
    answer = desk.client.get("/orders/a%00b", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "PathInvalid")


@pytest.mark.parametrize("name", ["Authorization", "Host", "Content-Type", "Origin"])
def test_a_header_that_counts_may_not_come_twice(desk: Desk, name: str):
    answer = desk.client.get("/orders", headers=[(name, "localhost"), (name, "b")])
    assert (answer.status_code, answer.json()["code"]) == (400, "HeaderTwice")
    assert len(answer.json()["request_id"]) == 16


@pytest.fixture
def slow(tmp_path: Path) -> Desk:
    """A desk that gives a request a twentieth of a second, with a route that takes for ever."""
    router = APIRouter()

    @router.get("/events")
    async def events() -> None:
        await asyncio.sleep(60)

    return Desk(tmp_path, routers=[router], request_s=0.05)


def test_an_answer_that_takes_too_long_is_given_up(slow: Desk):
    answer = slow.client.get("/events", headers=slow.as_role(Role.ADMIN))
    assert (answer.status_code, answer.json()["code"]) == (503, "AnswerTooSlow")


async def test_a_request_that_does_not_end_is_not_waited_for(slow: Desk):
    sent: list[dict] = []

    async def trickle() -> dict:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def keep(message: dict) -> None:
        sent.append(message)

    await slow.api(scope_of("POST", "/pair"), trickle, keep)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_only_so_many_are_at_work_and_the_kill_switch_is_one_more(desk: Desk):
    release = asyncio.Event()

    async def held() -> dict:
        await release.wait()
        return {"type": "http.disconnect"}

    async def asked(path: str, receive, headers=()) -> int:
        sent: list[dict] = []

        async def keep(message: dict) -> None:
            sent.append(message)

        await desk.api(scope_of("POST", path, headers), receive, keep)
        return sent[0]["status"] if sent else 0

    async def empty() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    waiting = [asyncio.create_task(asked("/pair", held)) for _ in range(AT_WORK_MAX)]
    await asyncio.sleep(0)
    assert await asked("/engine/stop", empty) == 503
    token = desk.as_role(Role.OPERATOR)["Authorization"].encode()
    assert await asked("/killswitch/trigger", empty, [(b"authorization", token)]) == 200
    release.set()
    assert set(await asyncio.gather(*waiting)) == {0}
    assert await asked("/engine/stop", empty) == 401


def scope_of(method: str, path: str, headers=()) -> dict:
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 8000),
        "headers": [(b"host", BASE.removeprefix("http://").encode()), *headers],
    }  # fmt: skip


@pytest.mark.parametrize("query", ["x=1", "limit=1", "ticket=a", "%00=1", "a&b", "\u00e9=1"])
def test_what_nobody_knows_behind_the_question_mark_is_refused(desk: Desk, query: str):
    answer = desk.client.get(f"/whoami?{query}", headers=desk.as_role(Role.VIEWER))
    assert (answer.status_code, answer.json()["code"]) == (400, "QueryInvalid")
    assert answer.json()["field"].startswith("/query/")


def test_a_filter_is_given_once(tmp_path: Path):
    router = APIRouter()

    @router.get("/orders")
    async def orders(limit: int = 5) -> int:
        return limit

    desk = Desk(tmp_path, routers=[router])
    viewer = desk.as_role(Role.VIEWER)
    assert desk.client.get("/orders?limit=3", headers=viewer).json() == 3
    answer = desk.client.get("/orders?limit=3&limit=4", headers=viewer)
    assert (answer.status_code, answer.json()["field"]) == (400, "/query/limit")
