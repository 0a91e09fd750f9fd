# SPDX-License-Identifier: Apache-2.0
"""`signing.py`: how each venue wants a request signed. The one rule of all of them: what is signed
is what is sent. A function here therefore takes the finished text of a request and hands out the
text that goes on the wire; nothing is parsed, sorted or encoded again after the signature. It
reads no clock and sends nothing.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from operator import itemgetter
from typing import Any

from hean.secret import Secret

BYBIT_WINDOW_MS = 5_000  # Bybit's default; an order older than this must not be accepted
AUTH_LIFE_MS = 10_000  # a login frame reaches the venue well within this time
_SHAPES_MAX = 256  # kinds of Binance requests: a dozen methods by a handful of optional fields


class Signer:
    """HMAC-SHA256 under one API key. The key is prepared once; a signature copies that state.

    *key*: the public half, which travels with each request. *label*: how messages call it.
    """

    __slots__ = ("_mac", "key", "label")

    def __init__(self, key: Secret, secret: Secret, label: str = "") -> None:
        self.key = key.reveal()
        self.label = label
        self._mac = hmac.new(secret.reveal().encode(), digestmod="sha256")

    def __repr__(self) -> str:
        return f"Signer({self.label})"

    def sign(self, text: bytes) -> str:
        """The lower-case hexadecimal digest of *text*."""
        mac = self._mac.copy()
        mac.update(text)
        return mac.hexdigest()


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
    text, frame, ordered_of = _shape(method, tuple(params))
    ordered = ordered_of({"apiKey": signer.key, "timestamp": timestamp_ms, **params})
    signature = signer.sign((text % ordered).encode())
    return (frame % (request_id, *ordered, signature)).encode()


@lru_cache(maxsize=_SHAPES_MAX)
def _shape(method: str, given: tuple[str, ...]) -> tuple[str, str, itemgetter[Any]]:
    """Text to sign and frame to send of requests with these fields, and what puts their values in
    order; made once for each kind."""
    names = tuple(sorted((*given, "apiKey", "timestamp")))
    text = "&".join(f"{name}=%s" for name in names)
    fields = ",".join(f'"{name}":%s' if name == "timestamp" else f'"{name}":"%s"' for name in names)
    frame = f'{{"id":"%s","method":"{method}","params":{{{fields},"signature":"%s"}}}}'
    return text, frame, itemgetter(*names)
