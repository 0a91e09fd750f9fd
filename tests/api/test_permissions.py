# SPDX-License-Identifier: Apache-2.0
"""Who may do what: the table itself, and every row of it against every kind of asker (C-01 to
C-03).

The matrix walks the table, not a list of its own: a row that is added is tested by being there.
"""

from __future__ import annotations

import secrets

import pytest
from fastapi import APIRouter

from api.stand_in import DAY_S, Desk, bearer, example
from hean.api.permissions import ROWS, SOCKET, Limit, Permissions, Role, Row
from hean.errors import TopologyInvalid

HTTP_ROWS = [row for row in ROWS if row.method != SOCKET]
GUARDED = [row for row in HTTP_ROWS if row.role is not None]
GARBAGE = (
    "Bearer x", "Bearer ", "Basic eDp5", "bearer hean_admin_" + "A" * 43, "Bearer " + "x" * 5_000,
    "hean_admin", "Bearer hean_admin_\u00e9",
)  # fmt: skip


@pytest.fixture
def desk(lasting_desk: Desk) -> Desk:
    """One app for all rows: what a test does to it, `begin` makes good."""
    lasting_desk.begin()
    return lasting_desk


@pytest.fixture(scope="module")
def strangers(lasting_desk: Desk) -> list[dict[str, str]]:
    """Headers that let nobody in: none, of a revoked and of an expired token of every right."""
    tokens = lasting_desk.api.access.tokens
    revoked, kept = tokens.create(Role.ADMIN)
    tokens.revoke(kept.id)
    expired, _ = tokens.create(Role.ADMIN, days=1)
    lasting_desk.clock.pass_s(DAY_S)
    return [{}, bearer(revoked), bearer(expired)]


def named(row: Row) -> str:
    return f"{row.method} {row.path}"


def ask(desk: Desk, row: Row, headers: dict[str, str]):
    """The request of a row, with a new idempotency key where one is due."""
    if row.needs_idempotency_key:
        headers = {**headers, "Idempotency-Key": secrets.token_hex(4)}
    return desk.client.request(row.method, example(row.path), headers=headers)


@pytest.mark.control("C-02")
@pytest.mark.parametrize("row", GUARDED, ids=named)
def test_nobody_reaches_a_route_without_a_good_token_of_its_role(
    desk: Desk, strangers: list[dict[str, str]], row: Row
):
    for headers in strangers:
        answer = ask(desk, row, headers)
        assert answer.status_code == 401, answer.text
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["code"] == "TokenRefused"
    for role in Role:
        if role < row.role:
            answer = ask(desk, row, desk.as_role(role))
            assert answer.status_code == 403, answer.text
            assert answer.json()["code"] == "RoleTooLow"
    assert desk.engine.reached == []


@pytest.mark.control("C-02")
@pytest.mark.parametrize("row", GUARDED, ids=named)
def test_garbage_is_no_token(desk: Desk, row: Row):
    for given in GARBAGE:
        answer = ask(desk, row, {"Authorization": given.encode("latin-1")})
        assert answer.status_code == 401, given
        desk.clock.pass_s(61)  # a wrong one now and then does not lock
    assert desk.engine.reached == []


@pytest.mark.parametrize("row", GUARDED, ids=named)
def test_the_least_role_and_those_above_it_are_let_in(desk: Desk, row: Row):
    for role in Role:
        if role >= row.role:
            assert ask(desk, row, desk.as_role(role)).status_code < 300, role


@pytest.mark.parametrize("prefix", ["/api", "/api/v1"])
@pytest.mark.parametrize("row", GUARDED, ids=named)
def test_a_prefix_changes_nothing(desk: Desk, row: Row, prefix: str):
    path = prefix + example(row.path)
    assert desk.client.request(row.method, path).status_code == 401
    headers = desk.as_role(row.role) | {"Idempotency-Key": "k1"}
    assert desk.client.request(row.method, path, headers=headers).status_code < 300


@pytest.mark.control("C-02")
@pytest.mark.parametrize(
    "path",
    ["//settings", "/settings/", "/SETTINGS", "/api/api/settings", "/%2e%2e/settings",
     "/api//settings", "/settings;a=1"],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_round_the_table(desk: Desk, path: str):
    for headers in ({}, desk.as_role(Role.ADMIN)):
        assert desk.client.get(path, headers=headers).status_code in (404, 401)


def test_life_is_told_to_everybody_and_nothing_else_is(desk: Desk):
    opened = [named(row) for row in ROWS if row.role is None]
    assert opened == ["GET /health/live", "POST /pair", "WEBSOCKET /ws"]
    assert desk.client.get("/health/live").json() == {"status": "up"}


@pytest.mark.control("C-03")
def test_safe_methods_have_no_route_that_changes_something():
    assert all(row.method in ("GET", "POST", "PATCH", "DELETE", SOCKET) for row in ROWS)
    assert not any(row.is_mutating for row in ROWS if row.method == "GET")


@pytest.mark.control("C-01")
def test_the_table_has_each_route_once():
    assert len({(row.method, row.path) for row in ROWS}) == len(ROWS)
    assert [named(row) for row in ROWS if row.limit is Limit.KILL] == [
        "GET /killswitch", "POST /killswitch/trigger"
    ]  # fmt: skip


@pytest.mark.control("C-01")
def test_a_route_without_a_row_does_not_start(tmp_path):
    router = APIRouter()
    router.add_api_route("/backdoor", lambda: None, methods=["POST"])
    with pytest.raises(TopologyInvalid, match="POST /backdoor has no row"):
        Desk(tmp_path, routers=[router])


def test_a_route_that_an_earlier_one_hides_does_not_start():
    with pytest.raises(TopologyInvalid, match="GET /health/live is hidden by /health/{component}"):
        Permissions().check([("GET", "/health/{component}"), ("GET", "/health/live")])


def test_a_longer_parameter_does_not_borrow_a_row():
    with pytest.raises(TopologyInvalid, match="GET /orders/{rest:path} has no row"):
        Permissions().check([("GET", "/orders/{rest:path}")])


@pytest.mark.parametrize("method", ["PUT", "TRACE", "HEAD", "OPTIONS", "QUERY", "X"])
def test_an_unknown_method_is_told_the_known_ones(desk: Desk, method: str):
    answer = desk.client.request(method, "/orders")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


def test_a_path_that_is_none_is_not_found(desk: Desk):
    answer = desk.client.get("/nothing", headers=desk.as_role(Role.ADMIN))
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound")
