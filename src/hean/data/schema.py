# SPDX-License-Identifier: Apache-2.0
"""The kinds of recorded data and their columns. A file is of a kind because of its columns, not
because somebody says so; other spellings of a column are accepted only if this file declares them.
`ts` of a candle is its OPEN time. Raw captures (`book`) have frames instead of columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SECOND_NS: Final = 1_000_000_000


class Kind(StrEnum):
    """What a file holds."""

    CANDLES = "candles"
    TRADES = "trades"
    FUNDING = "funding"
    FLOW = "flow"
    BOOK = "book"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which finite numbers a column may hold: `low <= x <= high`, or `low < x` if `open_low`."""

    low: float
    high: float
    open_low: bool
    expected: str


# A price above 1e12 or a volume above 1e18 is not a market but a broken file.
PRICE: Final = Rule(0.0, 1e12, True, "a price above 0 and at most 1e12")
QUANTITY: Final = Rule(0.0, 1e18, True, "a quantity above 0 and at most 1e18")
AMOUNT: Final = Rule(0.0, 1e18, False, "0 .. 1e18")
# The venues cap a settlement at 4 %; more than 5 % is a rate in percent or in basis points.
RATE: Final = Rule(-0.05, 0.05, False, "a fraction per settlement, -0.05 .. 0.05")

COLUMNS: Final[dict[Kind, dict[str, Rule | None]]] = {
    Kind.CANDLES: {
        "open": PRICE,
        "high": PRICE,
        "low": PRICE,
        "close": PRICE,
        "volume": AMOUNT,
    },
    Kind.TRADES: {"price": PRICE, "qty": QUANTITY, "side": None, "id": None},
    Kind.FUNDING: {"rate": RATE},
    Kind.FLOW: {"quote_volume": AMOUNT, "trades": AMOUNT, "taker_buy_base": AMOUNT},
}
"""Columns of each kind after `ts`; `None` marks the two columns that are no plain number."""

ALIASES: Final[dict[str, str]] = {
    "timestamp": "ts",
    "time": "ts",
    "open_time": "ts",
    "funding_time": "ts",
    "quantity": "qty",
    "size": "qty",
    "amount": "qty",
    "trade_id": "id",
    "funding_rate": "rate",
}
"""Other spellings of a column that are accepted, exactly as written here."""

SIDES: Final[dict[str, int]] = {"buy": 0, "sell": 1, "BUY": 0, "SELL": 1, "Buy": 0, "Sell": 1}
"""The aggressor's side as `Side` of the core counts it."""

TIMEFRAMES_S: Final[dict[str, int]] = {
    "1s": 1,
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "4h": 14400,
    "6h": 21600,
    "8h": 28800,
    "12h": 43200,
    "1d": 86400,
}
"""Bar lengths HEAN knows; all start on their multiple of UTC midnight."""

SYMBOL_PATTERN: Final = re.compile(r"[A-Z0-9]{2,30}")
VENUE_PATTERN: Final = re.compile(r"[a-z][a-z0-9]{1,19}")
MARKETS: Final = ("spot", "perp", "mark")


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Canonical column names in canonical order, `ts` first."""
    return ("ts", *COLUMNS[kind])


def timeframe_name(step_ns: int) -> str | None:
    """`5m` for 300 s in nanoseconds; `None` for a length HEAN does not know."""
    for name, seconds in TIMEFRAMES_S.items():
        if seconds * SECOND_NS == step_ns:
            return name
    return None
