# SPDX-License-Identifier: Apache-2.0
"""Who may speak to the twin's Bybit: every signing fact of real clients, the order of checks, the
edges of the window.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bybit_desk import SECRETS, BybitDesk
from hean.twin.account import Key
from hean.twin.bybit import BybitDialect
from hean.twin.wire import Request


@pytest.fixture
def desk() -> BybitDesk:
    return BybitDesk()


def vectors(shared: Path) -> list[dict[str, Any]]:
    text = (shared / "protocols/client-vectors.json").read_text()
    return [each for each in json.loads(text)["vectors"] if each["venue"] == "bybit"]


def test_every_client_vector_gets_past_the_signature_or_its_code(shared: Path) -> None:
    found = vectors(shared)
    assert len(found) >= 15
    codes = {}
    for vector in found:
        desk = BybitDesk()
        desk.now_ns = vector["timestamp"] * 1_000_000
        key = Key(vector["key"], vector["secret"], desk.main)
        desk.dialect = BybitDialect(desk.venue, {key.key: key}, quirks=desk.venue.quirks)
        if "frame" in vector:
            for path in ("/v5/private", "/v5/trade"):
                answer = desk.say(desk.connect(path), vector["frame"])
                assert answer.get("success", answer.get("retCode") == 0) is True, vector["id"]
            continue
        query, body = vector["query"] or "", (vector["body"] or "").encode()
        reply = desk.dialect.rest(
            Request(vector["method"], vector["path"], query, body, vector["headers"])
        )
        codes[vector["id"]] = json.loads(reply.body)["retCode"]
    refused = {"bybit-bad-digit", "bybit-bad-reserialised", "bybit-bad-resorted"}
    assert {name for name, code in codes.items() if code == 10004} == refused
    past_the_gate = {code for name, code in codes.items() if name not in refused}
    assert not past_the_gate & {10002, 10003, 10004, 10005, 10006}


@pytest.mark.parametrize(
    ("off_ms", "code"), [(0, 0), (-5_000, 0), (-5_001, 10002), (999, 0), (1_000, 10002)]
)
def test_a_timestamp_is_good_for_its_window_and_less_than_a_second_ahead(
    desk: BybitDesk, off_ms: int, code: int
) -> None:
    headers = desk.signing(b"", "DeskKey1")
    desk.now_ns -= off_ms * 1_000_000
    answer = desk.raw("GET", "/v5/account/info", headers=headers)
    assert answer["retCode"] == code
    if code:
        for word in ("req_timestamp[", "server_timestamp[", "recv_window[5000]"):
            assert word in answer["retMsg"]


def test_checks_come_in_the_order_key_time_signature_permission_parameters(desk: BybitDesk) -> None:
    body = b'{"category":"nonsense"}'
    headers = desk.signing(body, "DeskReader")
    faults = [
        ({"X-BAPI-API-KEY": "Stranger", "X-BAPI-TIMESTAMP": "1", "X-BAPI-SIGN": "0"}, 10003),
        ({"X-BAPI-TIMESTAMP": "1", "X-BAPI-SIGN": "0"}, 10002),
        ({"X-BAPI-SIGN": "0" * 64}, 10004),
        ({}, 10005),
    ]
    for wrong, code in faults:
        answer = desk.raw("POST", "/v5/order/create", body=body, headers=headers | wrong)
        assert answer["retCode"] == code
    headers = desk.signing(body, "DeskKey1")
    answer = desk.raw("POST", "/v5/order/create", body=body, headers=headers)
    assert answer["retCode"] == 10001


def test_a_request_without_signature_headers_is_an_http_error(desk: BybitDesk) -> None:
    assert desk.raw("GET", "/v5/account/info")["retCode"] == 10003
    assert desk.status == 401


def test_unknown_paths_bodies_on_get_and_broken_json_have_their_status(desk: BybitDesk) -> None:
    assert desk.raw("GET", "/v5/nowhere")["retCode"] == 10017
    assert desk.status == 404
    desk.raw("GET", "/v5/market/time", body=b"{}")
    assert desk.status == 403
    for body in (b"{", b"[" * 200_000):
        headers = desk.signing(body, "DeskKey1")
        answer = desk.raw("POST", "/v5/order/create", body=body, headers=headers)
        assert (answer["retCode"], desk.status) == (10001, 400)


def test_no_answer_and_no_representation_holds_a_secret(desk: BybitDesk) -> None:
    told = json.dumps(desk.ask("user/query-api"))
    assert '"secret": ""' in told
    shown = repr(desk.dialect.__dict__) + told
    assert not any(secret in shown for secret in SECRETS.values())


def test_a_read_only_key_reads_and_says_so(desk: BybitDesk) -> None:
    assert desk.ask("user/query-api", key="DeskReader")["result"]["readOnly"] == 1
    assert desk.ask("user/query-api")["result"]["readOnly"] == 0
    assert desk.ask("order/realtime", "DeskReader", category="spot")["retCode"] == 0


@pytest.mark.parametrize("path", ["/v5/private", "/v5/trade"])
def test_a_login_that_fails_has_the_answer_of_its_socket(desk: BybitDesk, path: str) -> None:
    for args in (["DeskKey1", desk.now_ms + 1_000, "0" * 64], ["DeskKey1", desk.now_ms - 1, "0"]):
        session = desk.connect(path)
        answer = desk.say(session, {"op": "auth", "args": args})
        if path == "/v5/trade":
            assert (answer["retCode"], session.closed) == (10004, None)
        else:
            assert (answer["success"], session.closed is not None) == (False, True)
    session = desk.connect("/v5/trade")
    assert desk.say(session, {"op": "auth", "args": []})["retCode"] == 10001
    assert desk.login(session)["retCode"] == 0
    assert desk.login(session)["retCode"] == 20001
