# SPDX-License-Identifier: Apache-2.0
"""`words.py`: what spot and USD-M futures say in the same words: sides, states of an order, self
matches, times in ms, lengths of candles, ids that Binance makes up, the row of an aggregate trade.
What only one of the two says stays with it.
"""

from __future__ import annotations

import random
import string
from typing import Any

from hean.twin.candles import DAY_MS, MINUTE_MS
from hean.twin.orders import Order, Status, TradePrint, Why

MS_NS = 1_000_000
ID_ALPHABET = string.ascii_letters + string.digits
ID_LENGTH_MAX = 36
MADE_ID_LENGTH = 22

SIDES = ("BUY", "SELL")
SELF_MATCHES = {
    "NONE": "allow",
    "EXPIRE_TAKER": "cancel_taker",
    "EXPIRE_MAKER": "cancel_maker",
    "EXPIRE_BOTH": "cancel_both",
}
SELF_MATCH_DEFAULT = "EXPIRE_MAKER"
STATUSES = {
    Status.UNTRIGGERED: "NEW",
    Status.NEW: "NEW",
    Status.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    Status.FILLED: "FILLED",
    Status.CANCELLED: "CANCELED",
    Status.EXPIRED: "EXPIRED",
    Status.REJECTED: "REJECTED",
}
INTERVALS = {
    **{f"{n}m": n * MINUTE_MS for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * 60 * MINUTE_MS for n in (1, 2, 4, 6, 8, 12)},
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 0,
}
"""Lengths of candles in ms; a month has none."""


def ms(ts_ns: int) -> int:
    """Nanoseconds as the milliseconds Binance speaks."""
    return ts_ns // MS_NS


def status(order: Order) -> str:
    """An order's state."""
    if order.status is Status.EXPIRED and order.why is Why.SELF_MATCH:
        return "EXPIRED_IN_MATCH"
    return STATUSES[order.status]


def made_id(rng: random.Random) -> str:
    """A client order id as Binance makes one up."""
    return "".join(rng.choices(ID_ALPHABET, k=MADE_ID_LENGTH))


def aggregate(print_: TradePrint) -> dict[str, Any]:
    """A public trade as an aggregate of one: the twin's trades are one price each already."""
    return {
        "a": print_.number,
        "p": print_.price,
        "q": print_.quantity,
        "f": print_.number,
        "l": print_.number,
        "T": ms(print_.ts_ns),
        "m": not print_.is_buy,
    }
