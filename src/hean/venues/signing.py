# SPDX-License-Identifier: Apache-2.0
"""`signing.py`: how each venue wants a request signed. The one rule of all of them: what is signed
is what is sent. A function here therefore takes the finished text of a request and hands out the
text that goes on the wire; nothing is parsed, sorted or encoded again after the signature. It
reads no clock and sends nothing.
"""

from __future__ import annotations

from hean._core import RequestSigner
from hean.secret import Secret

BYBIT_WINDOW_MS = 5_000  # Bybit's default; an order older than this must not be accepted
AUTH_LIFE_MS = 10_000  # a login frame reaches the venue well within this time


class Signer:
    """HMAC-SHA256 under one API key. The secret goes to the core and does not come back.

    *key*: the public half, which travels with each request. *label*: how messages call it.
    """

    __slots__ = ("core", "key", "label")

    def __init__(self, key: Secret, secret: Secret, label: str = "") -> None:
        self.key = key.reveal()
        self.label = label
        self.core = RequestSigner(secret.reveal())

    def __repr__(self) -> str:
        return f"Signer({self.label})"

    def become(self, other: Signer) -> None:
        """Sign as the other does from now on; the key before is forgotten."""
        self.key, self.label, self.core = other.key, other.label, other.core

    def sign(self, text: bytes) -> str:
        """The lower-case hexadecimal digest of *text*."""
        return self.core.sign(text)


def bybit_headers(signer: Signer, timestamp_ms: int, payload: bytes) -> dict[str, str]:
    """Headers of a Bybit REST request. *payload*: the raw query of a GET, the body of a POST."""
    signed = b"%d%b%d%b" % (timestamp_ms, signer.key.encode(), BYBIT_WINDOW_MS, payload)
    return {
        "X-BAPI-API-KEY": signer.key,
        "X-BAPI-TIMESTAMP": str(timestamp_ms),
        "X-BAPI-RECV-WINDOW": str(BYBIT_WINDOW_MS),
        "X-BAPI-SIGN": signer.sign(signed),
    }


def bybit_login(signer: Signer, now_ms: int) -> bytes:
    """The frame that opens a private or order-entry socket of Bybit."""
    expires_ms = now_ms + AUTH_LIFE_MS
    signature = signer.sign(b"GET/realtime%d" % expires_ms)
    return f'{{"op":"auth","args":["{signer.key}",{expires_ms},"{signature}"]}}'.encode()


def binance_query(signer: Signer, query: str) -> str:
    """A Binance REST query with its signature; *query* already holds the timestamp."""
    return f"{query}&signature={signer.sign(query.encode())}"


def binance_frame(
    signer: Signer, request_id: str, method: str, params: dict[str, str], timestamp_ms: int
) -> bytes:
    """A signed frame of Binance's WebSocket API.

    *params*: without key, timestamp and signature; values need no escaping, as symbols, decimals
    and client ids do not. Any order will do: the frame carries them sorted, as they are signed.
    """
    fields = list(params.items())
    return signer.core.binance_frame(signer.key, request_id, method, fields, timestamp_ms)
