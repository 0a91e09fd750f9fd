# SPDX-License-Identifier: Apache-2.0
"""`auth.py`: who is asking. Signatures are checked over the bytes that arrived, in the venue's
order: key, time, signature, permission. A key's secret is turned into a ready hash once and never
leaves.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from hean.twin.account import Key
from hean.twin.bybit.errors import Denied
from hean.twin.bybit.words import MS_NS
from hean.twin.wire import Request

WINDOW_MS = "5000"
AHEAD_MS = 1_000  # a clock may run ahead of the venue's by less than this


class Gate:
    """Checks keys and signatures. *now*: ns UTC."""

    def __init__(self, keys: Mapping[str, Key], now: Callable[[], int]) -> None:
        self._keys = keys
        self._now = now
        self._hashes: dict[str, hmac.HMAC] = {}

    def check(self, request: Request, *, trades: bool) -> Key:
        """The key of a signed REST request. *trades*: it needs the trade permission.

        *Raises*: `Denied`.
        """
        headers = request.headers
        name = headers.get("X-BAPI-API-KEY", "")
        sign = headers.get("X-BAPI-SIGN", "")
        stamp = headers.get("X-BAPI-TIMESTAMP", "")
        if not (name and sign and stamp):
            raise Denied(10003, "API key is invalid.", status=401)
        key = self._key(name)
        window = headers.get("X-BAPI-RECV-WINDOW", WINDOW_MS)
        self.check_time(stamp, window)
        payload = request.body if request.method == "POST" else _bytes(request.query)
        if not self._matches(key, f"{stamp}{name}{window}".encode() + payload, sign):
            raise Denied(10004, "error sign! please check your signature generation algorithm.")
        self.check_permission(key, trades=trades)
        return key

    def check_time(self, stamp: object, window: object) -> None:
        """Whether a timestamp lies in its window. *Raises*: `Denied` (10002)."""
        now_ms = self._now() // MS_NS
        sent, wide = _whole(stamp), _whole(window)
        if sent is None or wide is None or not now_ms - wide <= sent < now_ms + AHEAD_MS:
            raise Denied(
                10002,
                "invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{window}]",
            )

    def check_permission(self, key: Key, *, trades: bool) -> None:
        """What a key may do. *Raises*: `Denied` (10005, 10027)."""
        if ("trade" if trades else "read") not in key.permissions:
            raise Denied(10005, "Permission denied, please check your API key permissions.")
        if trades and key.account.is_banned:
            raise Denied(10027, "Transactions are banned.")

    def login(self, args: Any) -> Key:
        """The key of a socket's `auth` frame: [key, expires, signature]. *Raises*: `Denied`."""
        if not isinstance(args, list) or len(args) != 3:
            raise Denied(10001, "Params Error")
        name, expires, sign = args
        key = self._key(name if isinstance(name, str) else "")
        until = _whole(expires)
        if until is None or until <= self._now() // MS_NS:
            raise Denied(10004, "Params Error: request expired")
        if not isinstance(sign, str) or not self._matches(
            key, f"GET/realtime{expires}".encode(), sign
        ):
            raise Denied(10004, "Invalid sign")
        return key

    def _key(self, name: str) -> Key:
        key = self._keys.get(name)
        if key is None:
            raise Denied(10003, "API key is invalid.")
        return key

    def _matches(self, key: Key, payload: bytes, sign: str) -> bool:
        ready = self._hashes.get(key.key)
        if ready is None:
            ready = self._hashes[key.key] = hmac.new(key.secret.encode(), digestmod=hashlib.sha256)
        digest = ready.copy()
        digest.update(payload)
        return hmac.compare_digest(digest.hexdigest().encode(), _bytes(sign))


def _bytes(text: str) -> bytes:
    """What stood on the wire; a server hands undecodable bytes on as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _whole(value: object) -> int | None:
    """A time as integer or text of digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        return int(value)
    return None
