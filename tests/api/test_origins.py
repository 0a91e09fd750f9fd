# SPDX-License-Identifier: Apache-2.0
"""From where a call may come: Host, Origin, Sec-Fetch-Site, preflights and content types (C-04 to
C-06). A page on another site must be able neither to read nor to change anything.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from api.stand_in import Desk
from hean.api.permissions import Role
from hean.errors import ParameterInvalid

LISTED = "https://desk.example:3000"
FOREIGN = [
    "https://evil.example", "null", "http://localhost:8001", "https://localhost:8000",
    "http://localhost:8000.evil.example", "http://localhost", "http://127.0.0.1:8000",
    "https://desk.example", "https://desk.example:3000.evil.example", "http://desk.example:3000",
    "https://sub.desk.example:3000", "file://", "", "*",
]  # fmt: skip
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "1"}


@pytest.fixture(scope="module")
def lasting_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("data"), hosts=["Desk.internal"], origins=[LISTED])


@pytest.fixture
def desk(lasting_desk: Desk) -> Desk:
    lasting_desk.begin()
    return lasting_desk


def stop(desk: Desk, headers: dict[str, str], **rest):
    """A call that changes something, by somebody who may."""
    return desk.client.post(
        "/engine/stop", headers=desk.as_role(Role.ADMIN) | headers, **rest
    )  # fmt: skip


@pytest.mark.control("C-05")
@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.nip.io", "localhost.evil.example", "localhost:8000:1", "",
     "localhost@evil.example", "127.0.0.1.", "2130706433", "0.0.0.0", "[::]", "*", "localhost:x",
     "desk.internal.evil.example", "local\thost"],
)  # fmt: skip
def test_a_foreign_host_is_refused(desk: Desk, host: str):
    for path in ("/health/live", "/settings"):
        answer = desk.client.get(path, headers=desk.as_role(Role.ADMIN) | {"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (421, "HostRefused")
    assert stop(desk, {"Host": host}).status_code == 421
    assert desk.engine.reached == []


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:8000", "[::1]:8000",
                                  "LOCALHOST:8000", "desk.internal:3000"])  # fmt: skip
def test_our_own_hosts_are_answered(desk: Desk, host: str):
    assert desk.client.get("/health/live", headers={"Host": host}).status_code == 200


@pytest.mark.control("C-04")
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_origin_is_refused(desk: Desk, origin: str):
    headers = {"Origin": origin, "X-HEAN-Request": "1", "Sec-Fetch-Site": "same-origin"}
    for answer in (
        stop(desk, headers),
        desk.client.get("/settings", headers=desk.as_role(Role.ADMIN) | headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "OriginRefused")
        assert "access-control-allow-origin" not in answer.headers
    assert desk.engine.reached == []


@pytest.mark.control("C-04")
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_what_a_browser_calls_foreign_is_refused(desk: Desk, site: str):
    answer = stop(desk, {"Sec-Fetch-Site": site, "X-HEAN-Request": "1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "OriginRefused")


def test_a_link_from_elsewhere_opens_and_a_hidden_read_does_not(desk: Desk):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert desk.client.get("/health/live", headers=headers).status_code == 200
    assert desk.client.get("/health/live", headers=headers | {"Sec-Fetch-Mode": "no-cors"}
                           ).status_code == 403  # fmt: skip
    assert stop(desk, headers | {"X-HEAN-Request": "1"}).status_code == 403


@pytest.mark.control("C-04")
def test_a_browser_names_itself_and_a_program_need_not(desk: Desk):
    own = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}
    answer = stop(desk, own)
    assert (answer.status_code, answer.json()["field"]) == (403, "/header/X-HEAN-Request")
    assert stop(desk, own | {"X-HEAN-Request": "1"}).status_code == 200
    assert stop(desk, {}).status_code == 200
    assert len(desk.engine.reached) == 2


def preflight(desk: Desk, origin: str, method: str = "POST"):
    return desk.client.options(
        "/orders",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,x-hean-request",
        },
    )


@pytest.mark.control("C-06")
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_preflight_of_another_origin_is_refused(desk: Desk, origin: str):
    answer = preflight(desk, origin)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.control("C-06")
def test_a_listed_origin_is_let_in_by_name_and_without_cookies(desk: Desk):
    answer = preflight(desk, LISTED)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == LISTED
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    headers = {"Origin": LISTED, "Sec-Fetch-Site": "cross-site", "X-HEAN-Request": "1"}
    done = stop(desk, headers)
    assert done.status_code == 200
    assert done.headers["access-control-allow-origin"] == LISTED
    del headers["X-HEAN-Request"]
    refused = stop(desk, headers)
    assert refused.status_code == 403
    assert refused.headers["access-control-allow-origin"] == LISTED  # its page may read why


@pytest.mark.control("C-06")
def test_no_origin_is_listed_by_default(tmp_path: Path):
    desk = Desk(tmp_path)
    for origin in (LISTED, "null", "https://sub.localhost", "http://localhost.evil", "*"):
        assert preflight(desk, origin).status_code == 403
    assert preflight(desk, "http://localhost:8000").status_code == 405  # its own, which needs none


@pytest.mark.control("C-06")
@pytest.mark.parametrize("origin", ["*", "https://*.example", "desk.example", "null",
                                    "https://desk.example/", "https://desk.example/x"])  # fmt: skip
def test_only_whole_origins_can_be_listed(tmp_path: Path, origin: str):
    with pytest.raises(ParameterInvalid, match="allowed origin"):
        Desk(tmp_path, origins=[origin])


@pytest.mark.control("C-05")
@pytest.mark.parametrize("host", ["*", "*.example", "desk:8000", "http://desk"])
def test_only_plain_names_can_be_hosts(tmp_path: Path, host: str):
    with pytest.raises(ParameterInvalid, match="allowed host"):
        Desk(tmp_path, hosts=[host])


@pytest.mark.control("C-04")
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/jsonp", "text/json", "application/json; charset=utf-7", "", "*/*",
     "application/json, text/plain", "application/json;charset=utf-8;x=1"],
)  # fmt: skip
def test_a_form_cannot_be_sent(desk: Desk, kind: str):
    for content in (b'{"a": 1}', b""):
        answer = stop(desk, {"Content-Type": kind}, content=content)
        assert (answer.status_code, answer.json()["code"]) == (415, "ContentTypeRefused")
    assert desk.engine.reached == []


def test_json_is_taken_and_no_body_needs_no_type(desk: Desk):
    for kind in ("application/json", 'application/JSON; charset="UTF-8"'):
        assert stop(desk, {"Content-Type": kind}, content=b"{}").status_code == 200
    assert stop(desk, {}).status_code == 200
    assert stop(desk, {}, content=b"{}").status_code == 415


def test_a_packed_body_is_not_unpacked(desk: Desk):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert stop(desk, headers, content=b"{}").json()["code"] == "ContentEncodingRefused"


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_method_is_not_overridden(desk: Desk, name: str):
    answer = desk.client.get("/orders", headers=desk.as_role(Role.ADMIN) | {name: "DELETE"})
    assert (answer.status_code, answer.json()["code"]) == (400, "MethodOverridden")
