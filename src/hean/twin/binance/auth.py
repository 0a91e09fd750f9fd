# SPDX-License-Identifier: Apache-2.0
"""`auth.py`: who asks, and whether the request is what they signed. Faults are told in Binance's
order: key, then clock, then signature, so that a client with a wrong clock learns about its clock.
What is signed is the text as it was sent; nothing is re-built here.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from hean.twin.account import Key
from hean.twin.binance import errors
from hean.twin.binance.call import Security
from hean.twin.binance.errors import BinanceError

WINDOW_MS = Decimal(5_000)
WINDOW_MS_MAX = Decimal(60_000)
AHEAD_US = 1_000_000  # how far a client's clock may run ahead
MICROSECONDS_FROM = 10**15  # larger timestamps are microseconds


def known_key(keys: Mapping[str, Key], text: str | None, security: Security) -> Key:
    """The key of a request. *Raises*: `BinanceError` -2014 or -2015."""
    if not text or not text.isascii() or " " in text:
        raise BinanceError(-2014, "API-key format invalid.", 401)
    key = keys.get(text)
    if key is None or (security is Security.TRADE and "trade" not in key.permissions):
        raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return key


def check_clock(params: Mapping[str, str], now_ns: int) -> None:
    """Timestamp and receive window. *Raises*: `BinanceError` -1021, -1100 or -1102."""
    sent = params.get("timestamp")
    if not sent:
        raise errors.missing("timestamp")
    if not (sent.isdecimal() and sent.isascii() and len(sent) <= 20):
        raise errors.illegal("timestamp", "^[0-9]{1,20}$")
    number = int(sent)
    sent_us = number if number >= MICROSECONDS_FROM else number * 1_000
    now_us = now_ns // 1_000
    if sent_us >= now_us + AHEAD_US:
        raise BinanceError(
            -1021, "Timestamp for this request was 1000ms ahead of the server's time."
        )
    if now_us - sent_us > _window_ms(params.get("recvWindow")) * 1_000:
        raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _window_ms(sent: str | None) -> Decimal:
    if sent is None:
        return WINDOW_MS
    try:
        window = Decimal(sent)
    except InvalidOperation:
        raise errors.illegal("recvWindow", "^[0-9]{1,5}(\\.[0-9]{1,3})?$") from None
    if not window.is_finite() or window < 0:
        raise errors.illegal("recvWindow", "^[0-9]{1,5}(\\.[0-9]{1,3})?$")
    if window > WINDOW_MS_MAX:
        raise BinanceError(
            -1102,
            "Mandatory parameter 'recvWindow' contains unexpected value. "
            "Cannot be greater than 60000.",
        )
    return window


def check_signature(key: Key, signed: bytes, signature: str | None) -> None:
    """The digest. *Raises*: `BinanceError` -1022, -1102 without one."""
    if not signature:
        raise errors.missing("signature")
    expected = hmac.digest(key.secret.encode(), signed, "sha256").hex()
    if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
        raise BinanceError(-1022, "Signature for this request is not valid.")


def signed_text(query: str, body: bytes) -> bytes:
    """What a REST request signs: query and body joined, without the signature pair."""
    return _unsigned(query.encode()) + _unsigned(body)


def _unsigned(text: bytes) -> bytes:
    if text.startswith(b"signature="):
        return text.partition(b"&")[2]
    before, found, after = text.partition(b"&signature=")
    if not found:
        return text
    _, more, rest = after.partition(b"&")
    return before + more + rest
