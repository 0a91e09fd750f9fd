# SPDX-License-Identifier: Apache-2.0
"""Who may speak to the twin's Binance. The vectors were made by the clients' own code with a fixed
clock; the twin must take each of them, and refuse the forged one.
"""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from binance_desk import READER, BinanceDesk
from hean.twin.account import Key
from hean.twin.binance import BinanceDialect
from hean.twin.binance.auth import check_signature
from hean.twin.binance.errors import BinanceError
from hean.twin.wire import Request

AUTH_CODES = {-1002, -1021, -1022, -1102, -2014, -2015}
SIGNED = "/api/v3/account"


def vectors(shared: Path) -> list[dict[str, Any]]:
    found = json.loads((shared / "protocols" / "client-vectors.json").read_text())["vectors"]
    return [vector for vector in found if vector["venue"].startswith("binance")]


def test_requests_that_real_clients_signed_are_accepted(shared: Path) -> None:
    """All REST vectors go through the whole dialect, bytes as sent, at the moment of signing."""
    desk, seen = BinanceDesk(), 0
    for vector in vectors(shared):
        if "path" not in vector:
            continue
        seen += 1
        desk.now_ns = vector["timestamp"] * 1_000_000
        key = Key(vector["key"], vector["secret"], desk.main)
        dialect = BinanceDialect(desk.venue, {key.key: key})
        body = (vector["body"] or "").encode()
        request = Request(
            vector["method"], vector["path"], vector["query"] or "", body, vector["headers"]
        )
        code = json.loads(dialect.rest(request).body)
        code = code.get("code", 0) if isinstance(code, dict) else 0
        if "must_fail" in vector:
            assert f"code {code}" == vector["must_fail"], vector["id"]
        else:
            assert code not in AUTH_CODES, (vector["id"], code)
    assert seen >= 20


def test_websocket_api_requests_that_real_clients_signed_are_accepted(shared: Path) -> None:
    found = [vector for vector in vectors(shared) if "params" in vector]
    assert len(found) >= 3
    for vector in found:
        key = Key(vector["key"], vector["secret"], BinanceDesk().main)
        check_signature(key, vector["string_to_sign"].encode(), vector["signature"])
        desk = BinanceDesk()
        desk.now_ns = vector["timestamp"] * 1_000_000
        dialect = BinanceDialect(desk.venue, {key.key: key})
        desk.dialect = dialect
        is_order = "symbol" in vector["params"]
        method = "order.place" if is_order else "userDataStream.subscribe.signature"
        answer = desk.say(
            desk.connect("/ws-api/v3"), {"id": "a", "method": method, "params": vector["params"]}
        )
        assert answer["id"] == "a"
        assert answer.get("error", {}).get("code", 0) not in AUTH_CODES, answer


def test_a_digest_is_taken_in_either_case_and_not_when_one_digit_differs() -> None:
    key = Key("k", "s", BinanceDesk().main)
    digest = "6abe0aca9c3e9b0d5b0a3c1e4b9e6a0e"
    with pytest.raises(BinanceError) as caught:
        check_signature(key, b"a=1", digest)
    assert caught.value.code == -1022

    right = hmac.digest(b"s", b"a=1", "sha256").hex()
    check_signature(key, b"a=1", right)
    check_signature(key, b"a=1", right.upper())


@pytest.mark.parametrize(
    ("off_ms", "window", "code"),
    [
        (-5_000, None, None),
        (-5_001, None, -1021),
        (999, None, None),
        (1_000, None, -1021),
        (-59_000, "60000", None),
        (-10, "9.5", -1021),
        (-9, "9.5", None),
        (0, "60001", -1102),
        (0, "-1", -1100),
        (0, "x", -1100),
    ],
)
def test_the_receive_window_is_kept_to_the_millisecond(
    off_ms: int, window: str | None, code: int | None
) -> None:
    desk = BinanceDesk()
    params: dict[str, Any] = {} if window is None else {"recvWindow": window}
    served_ns = desk.now_ns
    desk.now_ns += off_ms * 1_000_000
    text = _signed_query(desk, params)
    desk.now_ns = served_ns
    answer = desk.raw("GET", SIGNED, text, key="DeskKey1")
    assert answer.get("code") == code


def _signed_query(desk: BinanceDesk, params: dict[str, Any]) -> str:

    query = urlencode({**params, "timestamp": desk.now_ns // 1_000_000})
    digest = hmac.digest(b"DeskSecret1", query.encode(), "sha256").hex()
    return f"{query}&signature={digest}"


def test_microsecond_timestamps_are_understood() -> None:

    desk = BinanceDesk()
    query = f"timestamp={desk.now_ns // 1_000}"
    digest = hmac.digest(b"DeskSecret1", query.encode(), "sha256").hex()
    assert "balances" in desk.raw("GET", SIGNED, f"{query}&signature={digest}", key="DeskKey1")


def test_faults_are_told_in_order_key_clock_signature() -> None:
    desk = BinanceDesk()
    late = "timestamp=1&signature=00"
    assert desk.raw("GET", SIGNED, late)["code"] == -2014
    assert desk.status == 401
    assert desk.raw("GET", SIGNED, late, key="Nobody")["code"] == -2015
    assert desk.raw("GET", SIGNED, late, key="DeskKey1")["code"] == -1021
    now = f"timestamp={desk.now_ns // 1_000_000}"
    assert desk.raw("GET", SIGNED, now, key="DeskKey1")["msg"].startswith(
        "Mandatory parameter 'signature'"
    )
    assert desk.raw("GET", SIGNED, f"{now}&signature=00", key="DeskKey1")["code"] == -1022
    assert desk.raw("GET", SIGNED, "", key="DeskKey1")["msg"].startswith(
        "Mandatory parameter 'timestamp'"
    )


def test_a_reading_key_reads_and_does_not_trade() -> None:
    desk = BinanceDesk()
    assert "balances" in desk.signed("GET", SIGNED, key=READER[0])
    answer = desk.signed("POST", "/api/v3/order", key=READER[0], symbol="BTCUSDT")
    assert (desk.status, answer["code"]) == (401, -2015)


def test_swapped_secrets_are_refused() -> None:
    """The first account's key with the second account's secret."""

    desk = BinanceDesk()
    query = f"timestamp={desk.now_ns // 1_000_000}"
    digest = hmac.digest(b"DeskSecret2", query.encode(), "sha256").hex()
    answer = desk.raw("GET", SIGNED, f"{query}&signature={digest}", key="DeskKey1")
    assert (desk.status, answer["code"]) == (400, -1022)


def test_no_answer_and_no_representation_tells_a_secret() -> None:
    desk = BinanceDesk()
    text = json.dumps(desk.signed("GET", SIGNED)) + repr(desk.dialect.keys)
    assert "DeskSecret" not in text
