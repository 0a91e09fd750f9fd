# SPDX-License-Identifier: Apache-2.0
"""What every answer carries (C-21) and what none may (C-12, C-20): headers on all routes and all
kinds of refusal, one shape for errors, and no secret, path or traceback in anything that leaves.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import APIRouter
from pydantic import Field

from api.stand_in import SHELL, Desk, bearer, example
from hean.api.models import Asked, Money
from hean.api.permissions import ROWS, SOCKET, Role
from hean.config import load
from hean.errors import (
    EnvironmentFault,
    Halted,
    JournalDamaged,
    OrderUnknown,
    QueueFull,
    UnknownSymbol,
)

SNAPSHOT = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
CANARY = "canary-7d1f40c2"
PLACE = "/var/canary-place/journal.db"


class Wanted(Asked):
    """A small order."""

    qty: Money
    note: str = Field(default="", max_length=8)


def failing() -> APIRouter:
    """Routes that raise, one for each family of errors."""
    router = APIRouter()
    errors = {
        "/live": UnknownSymbol("no symbol X"),
        "/risk": Halted("stopped at CANCEL_ALL"),
        "/fills": OrderUnknown("no order x1"),
        "/events": QueueFull("50000 events wait"),
        "/logs": EnvironmentFault(f"{PLACE}: no space"),
        "/jobs": JournalDamaged(f"{PLACE}: row 3"),
        "/positions": RuntimeError(f"{CANARY} at {PLACE}"),
    }
    for path, error in errors.items():
        router.add_api_route(path, _raiser(error), methods=["GET"], name=path)

    @router.post("/backtest")
    async def wanted(asked: Wanted) -> dict[str, str]:
        return {"qty": str(asked.qty)}

    return router


def _raiser(error: Exception):
    async def fails() -> None:
        raise error

    return fails


@pytest.fixture
def desk(lasting_desk: Desk) -> Desk:
    lasting_desk.begin()
    return lasting_desk


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("broken"), routers=[failing()])


def check_headers(answer, *, is_page: bool = False) -> None:
    found = {name: answer.headers.get(name) for name in SNAPSHOT}
    if is_page:
        csp = found.pop("content-security-policy")
        assert "script-src 'self';" in csp and "frame-ancestors 'none'" in csp
        assert found == {k: v for k, v in SNAPSHOT.items() if k != "content-security-policy"}
    else:
        assert found == SNAPSHOT
    assert len(answer.headers["x-request-id"]) >= 16
    assert not {"server", "x-powered-by", "set-cookie"} & set(answer.headers)
    names = [name for name, _ in answer.headers.multi_items()]
    assert len(names) == len(set(names))


@pytest.mark.control("C-21")
@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.method != SOCKET], ids=lambda row: f"{row.method} {row.path}"
)
def test_every_route_carries_the_headers_when_it_answers_and_when_it_refuses(desk: Desk, row):
    path = example(row.path)
    good = desk.as_role(Role.ADMIN) | {"Idempotency-Key": f"{row.method}{path}"}
    answer = desk.client.request(row.method, path, headers=good)
    check_headers(answer, is_page=row.path == "/docs")
    for headers in ({}, bearer("x"), good | {"Host": "evil"}, good | {"Origin": "null"}):
        check_headers(desk.client.request(row.method, path, headers=headers))
    check_headers(desk.client.request("PUT", path, headers=good))


@pytest.mark.control("C-21")
def test_refusals_without_a_route_carry_them_too(desk: Desk, broken: Desk):
    check_headers(desk.client.get("/nothing"))
    check_headers(desk.client.post("/pair", content=b"{" * 70_000))
    check_headers(desk.client.post("/pair", content=b"a=1"))
    check_headers(desk.client.post("/pair", json={}))
    check_headers(broken.client.get("/positions", headers=broken.as_role(Role.ADMIN)))


@pytest.mark.control("C-21")
def test_tls_is_remembered_by_browsers_and_only_tls(desk: Desk):
    name = "strict-transport-security"
    assert name not in desk.client.get("/health/live").headers
    tls = desk.client.get("https://localhost:8000/health/live")
    assert tls.headers[name] == "max-age=31536000"


@pytest.mark.parametrize("given", ["abc-1.2_X", "a" * 64])
def test_a_request_id_comes_back(desk: Desk, given: str):
    answer = desk.client.get("/settings", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["a b", "<script>", "a" * 65, "", "\u00e9", "a\tb"])
def test_a_request_id_that_is_none_is_replaced(desk: Desk, given: str):
    answer = desk.client.get("/settings", headers={"X-Request-ID": given.encode("latin-1")})
    assert len(answer.json()["request_id"]) == 16


@pytest.mark.control("C-20")
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/live", 422, "UnknownSymbol"),
        ("/risk", 409, "Halted"),
        ("/fills", 404, "OrderUnknown"),
        ("/events", 503, "QueueFull"),
        ("/logs", 503, "EnvironmentFault"),
        ("/jobs", 503, "JournalDamaged"),
        ("/positions", 500, "InternalError"),
    ],
)
def test_every_error_has_one_shape(broken: Desk, caplog, path: str, status: int, code: str):
    with caplog.at_level(logging.ERROR, "hean.api"):
        answer = broken.client.get(path, headers=broken.as_role(Role.ADMIN))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert (found["code"], found["status"]) == (code, status)
    assert {"title", "detail", "field", "request_id", "type"} <= found.keys()
    for word in (CANARY, PLACE, "Traceback", "hean/", ".py"):
        assert word not in answer.text
    is_hidden = code in ("EnvironmentFault", "JournalDamaged", "InternalError")
    assert (found["request_id"] in caplog.text) is is_hidden  # so that the log can be found


@pytest.mark.control("C-17")
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"qty": "1", "x": 1, "y": 2}, ["/body/x", "/body/y"]),
        ({}, ["/body/qty"]),
        ({"qty": None}, ["/body/qty"]),
        ({"qty": 1}, ["/body/qty"]),
        ({"qty": 0.1}, ["/body/qty"]),
        ({"qty": True}, ["/body/qty"]),
        ({"qty": "NaN"}, ["/body/qty"]),
        ({"qty": "1e5"}, ["/body/qty"]),
        ({"qty": "+1"}, ["/body/qty"]),
        ({"qty": " 1"}, ["/body/qty"]),
        ({"qty": "1\n"}, ["/body/qty"]),
        ({"qty": "01"}, ["/body/qty"]),
        ({"qty": ".5"}, ["/body/qty"]),
        ({"qty": "\uff11\uff10"}, ["/body/qty"]),
        ({"qty": "1" * 60_000}, ["/body/qty"]),
        ({"qty": "0." + "1" * 19}, ["/body/qty"]),
        ({"qty": ["1"]}, ["/body/qty"]),
        ({"qty": "1", "note": 5}, ["/body/note"]),
        ({"qty": "1", "note": CANARY}, ["/body/note"]),
        ({"qty": "1", "a/b~c": 1}, ["/body/a~1b~0c"]),
    ],
)
def test_wrong_fields_are_named_and_not_repeated(broken: Desk, body: dict, fields: list[str]):
    broken.begin()
    answer = broken.client.post("/backtest", json=body, headers=broken.as_role(Role.ADMIN))
    assert answer.status_code == 422
    found = answer.json()
    assert [each["field"] for each in found["errors"]] == fields
    assert found["field"] == fields[0]
    assert CANARY not in answer.text and len(answer.content) < 4_000


@pytest.mark.control("C-17")
def test_money_is_text_in_and_out(broken: Desk):
    broken.begin()
    for given in ("0.10", "-3", "12345678901234567890.000000000000000001"):
        answer = broken.client.post(
            "/backtest", json={"qty": given}, headers=broken.as_role(Role.ADMIN)
        )
        assert answer.json() == {"qty": given}


@pytest.mark.control("C-12")
def test_no_secret_leaves(tmp_path: Path, caplog):
    """A canary in every secret setting and in what is asked: it is in no answer and no log."""
    environ = {name: CANARY for name in ("API_KEY", "API_SECRET", "HEAN_ACCOUNT_ID")}
    environ |= {f"BYBIT_API_{half}": CANARY for half in ("KEY", "SECRET")}
    environ["SECRET_KEY"] = CANARY * 4
    desk = Desk(tmp_path, load({}, environ))
    admin = desk.as_role(Role.ADMIN)
    token = admin["Authorization"].removeprefix("Bearer ")
    seen = []
    with caplog.at_level(logging.DEBUG):
        for row in ROWS:
            for headers in (admin, bearer(CANARY), admin | {"Origin": f"https://{CANARY}"}):
                desk.clock.pass_s(61)
                keyed = headers | {"Idempotency-Key": f"k{len(seen)}"}
                method = "GET" if row.method == SOCKET else row.method
                seen.append(desk.client.request(method, example(row.path), headers=keyed))
        seen.append(desk.client.post("/pair", json={"code": CANARY, CANARY: CANARY[:4]}))
        seen.append(desk.client.post("/pair", json={"code": CANARY}))
    said = "\n".join(f"{answer.headers}\n{answer.text}" for answer in seen) + caplog.text
    body_names = said.replace(f"/body/{CANARY}", "")  # the name of a field, which is told
    packed = b64encode(CANARY.encode()).decode().rstrip("=")
    forms = (CANARY, CANARY[:8], CANARY[::-1], CANARY.encode().hex(), packed[:-1], quote(CANARY))
    for word in (*forms, token, token[-43:]):
        assert word not in body_names
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token[-43:].encode() not in kept and CANARY.encode() not in kept


@pytest.mark.control("C-13")
@pytest.mark.promise(63)
def test_the_settings_are_those_of_the_command(desk: Desk):
    found = desk.client.get("/settings", headers=desk.as_role(Role.VIEWER)).json()
    assert found["settings"]["api_key"]["value"] is None
    assert found["settings"]["limits.leverage_max"]["value"] == "3"
    assert found["problems"] == []


def test_health_is_told_in_whole_and_by_part(desk: Desk):
    viewer = desk.as_role(Role.VIEWER)
    whole = desk.client.get("/health", headers=viewer).json()
    assert whole["services"]["exchange"] == "connected"
    assert whole["components"]["ml_engine"]["state"] == "RUNNING"
    for name, state in (("orchestrator", "RUNNING"), ("execution", "RUNNING")):
        part = desk.client.get(f"/health/{name}", headers=viewer).json()
        assert part["state"] == state
        assert {"last_check", "failure_count", "circuit_breaker", "error_message"} <= part.keys()
    missing = desk.client.get("/health/nobody", headers=viewer)
    assert (missing.status_code, missing.json()["code"]) == (404, "ComponentUnknown")
    assert desk.client.get("/health/ready", headers=viewer).json() == {"ready": True}
    desk.engine.missing = ["reconcile not done"]
    waiting = desk.client.get("/health/ready", headers=viewer)
    desk.engine.missing = []
    assert (waiting.status_code, waiting.json()["code"]) == (503, "NotReady")


@pytest.mark.promise(68)
def test_the_documents_name_every_route_and_need_no_script(desk: Desk):
    viewer = desk.as_role(Role.VIEWER)
    document = desk.client.get("/openapi.json", headers=viewer).json()
    rows = {(row.method, row.path) for row in ROWS if row.method != SOCKET}
    rows -= {("GET", "/openapi.json"), ("GET", "/docs")}
    told = {(m.upper(), p) for p, item in document["paths"].items() for m in item}
    assert told == rows
    order = document["paths"]["/orders"]["post"]
    assert order["x-hean-role"] == "trader" and order["security"] == [{"token": []}]
    assert order["parameters"][0]["required"] is True
    page = desk.client.get("/docs", headers=viewer).text
    assert all(path in page for _, path in rows)
    assert "<script" not in page and "http" not in page.replace("http-", "")
    assert SHELL  # the shell's own routes are among them


def test_a_ticket_opens_the_documents_once(desk: Desk):
    viewer = desk.as_role(Role.VIEWER)
    ticket = desk.client.post("/ws-ticket", headers=viewer).json()["ticket"]
    assert desk.client.get("/settings", params={"ticket": ticket}).status_code == 401
    assert desk.client.get("/docs", params={"ticket": ticket}).status_code == 200
    assert desk.client.get("/docs", params={"ticket": ticket}).status_code == 401
    late = desk.client.post("/ws-ticket", headers=viewer).json()["ticket"]
    desk.clock.pass_s(30)
    assert desk.client.get("/docs", params={"ticket": late}).status_code == 401
