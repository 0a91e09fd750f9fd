# SPDX-License-Identifier: Apache-2.0
"""`poison.py`: frames that no parser should have to meet, made of frames that were good. A number
is spoiled where a price or quantity stands, whatever the venue calls it; ids and times stay, so
that a client finds the frame plausible until it reads the number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from hean.twin.wire import decoded

LARGE_BYTES = 10 << 20
DEEP_LEVELS = 10_000
VALUES: dict[str, Any] = {
    "nan": "NaN",
    "null": None,
    "empty": "",
    "negative": "-1",
    "minus_zero": "-0",
    "zero": "0",
    "huge_exponent": "1e400",
    "long": "0." + "1" * 40,
    "number": 1,
    "wrong_type": {},
}
FORMS = (
    *VALUES,
    "bare_nan",
    "missing",
    "extra",
    "array",
    "truncated",
    "bad_utf8",
    "nul",
    "deep",
    "large",
    "unknown_topic",
)
# Names of prices and quantities in the frames of both venues.
PRICES = frozenset(
    ["p", "price", "lastPrice", "markPrice", "indexPrice", "bid1Price", "ask1Price", "execPrice"]
    + ["avgPrice", "entryPrice", "open", "close", "high", "low", "o", "h", "l", "c", "L", "ap"]
    + ["highPrice24h", "lowPrice24h", "prevPrice24h", "i", "P", "w"]
)
QUANTITIES = frozenset(
    ["q", "v", "qty", "size", "execQty", "cumExecQty", "leavesQty", "walletBalance", "equity"]
    + ["bid1Size", "ask1Size", "z", "B", "A", "volume", "wb", "f", "pa"]
)
LEVELS = frozenset(["b", "a", "bids", "asks"])
NUMBER = re.compile(r"-?\d+(\.\d+)?")
Visit = Callable[[Any], Any]


def poisoned(data: bytes, form: str) -> bytes | None:
    """A spoiled copy, `None` if the frame has nothing to spoil."""
    match form:
        case "truncated":
            return data[: len(data) // 2]
        case "bad_utf8":
            return data[:-1] + b"\xff\xfe" + data[-1:]
        case "nul":
            return data[:-1] + b"\x00" + data[-1:]
        case "deep":
            return b"[" * DEEP_LEVELS + b"]" * DEEP_LEVELS
        case "large":
            return data[:-1] + b',"padding":"' + b"x" * LARGE_BYTES + b'"}'
        case "array":
            return b"[" + data + b"]"
    body = decoded(data)
    if not isinstance(body, dict):
        return None
    if form == "extra":
        return msgspec.json.encode({**body, "neverSeenField": {"a": [1, None, "x"]}})
    if form == "unknown_topic":
        return msgspec.json.encode({**body, "topic": "never.seen", "e": "neverSeen"})
    return _spoiled(body, form)


def _spoiled(body: dict[str, Any], form: str) -> bytes | None:
    place = next(_places(body, PRICES | QUANTITIES), None)
    if place is None:
        return None
    holder, key = place
    if form == "missing":
        del holder[key]
    else:
        holder[key] = "\0NaN\0" if form == "bare_nan" else VALUES[form]
    data = msgspec.json.encode(body)
    return data.replace(b'"\\u0000NaN\\u0000"', b"NaN")


def outlier(data: bytes, *, factor: float | None, price: Decimal | None) -> bytes | None:
    """Every price of a frame times *factor*, or *price* instead; `None` if there is none."""
    body = decoded(data)
    found = list(_places(body, PRICES))
    if not found:
        return None
    for holder, key in found:
        if price is not None:
            holder[key] = f"{price:f}"
        else:
            holder[key] = f"{Decimal(holder[key]) * Decimal(str(factor or 1)):f}"
    return msgspec.json.encode(body)


def _places(value: Any, names: frozenset[str]) -> Any:
    """Where prices and quantities stand: (holder, key) each."""
    if isinstance(value, list):
        for each in value:
            yield from _places(each, names)
    if not isinstance(value, dict):
        return
    for key, part in list(value.items()):
        if key in LEVELS and isinstance(part, list):
            for level in part:
                if isinstance(level, list) and level:
                    yield level, 0
        elif key == "i" and "S" in value:
            continue  # Bybit's trade id, not Binance's index price
        elif key in names and isinstance(part, str) and NUMBER.fullmatch(part):
            yield value, key
        elif isinstance(part, dict | list):
            yield from _places(part, names)
