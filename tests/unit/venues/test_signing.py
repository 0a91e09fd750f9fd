# SPDX-License-Identifier: Apache-2.0
"""Signatures against the vectors that other clients produced: for each, HEAN computes the digest
from the bytes that were sent. A vector marked `must_fail` must not come out as signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from hean.secret import Secret
from hean.venues.signing import (
    BYBIT_WINDOW_MS,
    Signer,
    binance_frame,
    binance_query,
    bybit_headers,
    bybit_login,
)

KEY, SECRET = "HeanTestKey0000001", "HeanTestSecret000000000000000001"


@pytest.fixture(scope="module")
def vectors(shared: Path) -> list[dict]:
    return json.loads((shared / "protocols" / "client-vectors.json").read_text())["vectors"]


@pytest.fixture
def signer() -> Signer:
    return Signer(Secret(KEY), Secret(SECRET), "test key")


def signer_of(vector: dict) -> Signer:
    return Signer(Secret(vector["key"]), Secret(vector["secret"]), vector["id"])


def bybit_signature(vector: dict) -> str:
    payload = vector["body"] if vector["method"] == "POST" else vector["query"] or ""
    headers = bybit_headers(signer_of(vector), vector["timestamp"], payload.encode())
    return headers["X-BAPI-SIGN"]


def test_bybit_rest_requests_are_signed_as_other_clients_sign_them(vectors):
    checked = 0
    for vector in vectors:
        if vector["venue"] != "bybit" or not vector.get("method") or vector.get("must_fail"):
            continue
        assert vector["recv_window"] == BYBIT_WINDOW_MS
        assert bybit_signature(vector) == vector["signature"], vector["id"]
        checked += 1
    assert checked == 10


def test_bybit_vectors_that_must_fail_carry_another_signature(vectors):
    wrong = [each for each in vectors if each["venue"] == "bybit" and each.get("must_fail")]
    assert len(wrong) == 3
    for vector in wrong:
        assert bybit_signature(vector) != vector["headers"]["X-BAPI-SIGN"], vector["id"]


def test_bybit_sockets_log_in_with_the_text_of_the_vectors(vectors):
    for vector in vectors:
        if "expires" in vector:
            text = f"GET/realtime{vector['expires']}".encode()
            assert signer_of(vector).sign(text) == vector["frame"]["args"][2], vector["id"]


def test_a_bybit_login_frame_is_signed_over_its_own_expiry(signer):
    frame = json.loads(bybit_login(signer, 1_700_000_000_000))
    key, expires, signature = frame["args"]
    assert (frame["op"], key, expires) == ("auth", KEY, 1_700_000_010_000)
    assert signature == "43bdff761d16c2a97fa8835a27f1ad5fed62188c93cce8a17d15f95958fd03bd"


def test_binance_rest_requests_are_signed_as_other_clients_sign_them(vectors):
    """Query and body are signed as one text; the signature is the last pair of what was sent."""
    checked = 0
    for vector in vectors:
        sent = (vector.get("query") or "") + (vector.get("body") or "")
        if not vector["venue"].startswith("binance") or "signature=" not in sent:
            continue
        unsigned, _, _ = sent.rpartition("&signature=")
        is_signed = binance_query(signer_of(vector), unsigned) == sent
        assert is_signed is not bool(vector.get("must_fail")), vector["id"]
        checked += 1
    assert checked == 19


def test_binance_socket_requests_are_signed_as_other_clients_sign_them(vectors):
    checked = 0
    for vector in vectors:
        if vector["venue"] != "binance-spot-wsapi":
            continue
        params = {
            name: str(value)
            for name, value in vector["params"].items()
            if name not in ("apiKey", "timestamp", "signature")
        }
        frame = binance_frame(signer_of(vector), "7", "m", params, vector["timestamp"])
        sent = json.loads(frame)["params"]
        assert sent["signature"] == vector["params"]["signature"], vector["id"]
        assert {k: str(v) for k, v in sent.items()} == {
            k: str(v) for k, v in vector["params"].items()
        }
        checked += 1
    assert checked == 3


def test_what_a_binance_frame_carries_is_what_was_signed(signer):
    params = {"symbol": "BTCUSDT", "side": "BUY", "newClientOrderId": "h1-impu-a"}
    frame = json.loads(binance_frame(signer, "12", "order.place", params, 1_700_000_000_123))
    sent = frame["params"]
    signature = sent.pop("signature")
    text = "&".join(f"{name}={value}" for name, value in sorted(sent.items()))
    expected = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert signature == expected
    assert frame["id"] == "12" and frame["method"] == "order.place"
    assert sent["timestamp"] == 1_700_000_000_123


def test_a_signer_shows_its_label_and_nothing_else(signer):
    assert repr(signer) == "Signer(test key)"
    assert SECRET not in repr(vars(Signer)) + repr(signer)
