# SPDX-License-Identifier: Apache-2.0
"""`call.py`: one request in the hands of the function that answers it: who asks, for what, and the
exchange behind. Reading a parameter either gives what the caller needs or refuses in Bybit's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hean.twin.account import Account, Key
from hean.twin.bybit.errors import Denied, invalid, missing, wrong
from hean.twin.bybit.limits import Budget
from hean.twin.bybit.records import Records
from hean.twin.bybit.stops import Stops
from hean.twin.bybit.words import MS_NS
from hean.twin.candles import DAY_MS
from hean.twin.faults.quirks import Quirks
from hean.twin.market import TwinMarket
from hean.twin.venue import TwinVenue

CATEGORIES = ("linear", "spot", "inverse", "option")
TRADED = ("linear", "spot")
WHOLE_DIGITS_MAX = 15  # ms UTC for thirty thousand years


@dataclass(slots=True)
class Floor:
    """What every answer may need: the exchange and what the dialect keeps beside it.

    *windows*: seconds until orders are cancelled after a disconnect, by account number and product.
    """

    venue: TwinVenue
    records: Records
    stops: Stops
    quirks: Quirks
    windows: dict[tuple[int, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class Answer:
    """A successful reply."""

    result: dict[str, Any]
    message: str = "OK"
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One request. *key*: of whoever asks, `None` for market data. *budget*: what it may spend."""

    floor: Floor
    params: Mapping[str, Any]
    key: Key | None = None
    budget: Budget | None = None

    @property
    def venue(self) -> TwinVenue:
        """The exchange."""
        return self.floor.venue

    @property
    def now_ms(self) -> int:
        """The exchange's clock in ms."""
        return self.venue.now() // MS_NS

    @property
    def account(self) -> Account:
        """Who asks. *Raises*: `Denied` where a key is needed and none was given."""
        if self.key is None:
            raise Denied(10003, "API key is invalid.", status=401)
        return self.key.account

    @property
    def category(self) -> str:
        """The product line, as sent."""
        value = self.params.get("category", "")
        return value if isinstance(value, str) else ""

    def text(self, name: str, default: str = "") -> str:
        """An optional text. *Raises*: `Denied` if it is something else."""
        value = self.params.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise invalid(self.category, name)
        return value

    def need(self, name: str) -> str:
        """A required text."""
        value = self.text(name)
        if not value:
            raise missing(self.category, name)
        return value

    def whole(self, name: str, default: int | None = None) -> int | None:
        """An optional integer, as number or text."""
        value = self.params.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if (
            isinstance(value, str)
            and len(value) <= WHOLE_DIGITS_MAX
            and value.isascii()
            and value.isdigit()
        ):
            return int(value)
        raise invalid(self.category, name)

    def limit(self, default: int, largest: int) -> int:
        """The page size, at least one, at most *largest*."""
        return min(max(self.whole("limit", default) or default, 1), largest)

    def flag(self, name: str) -> bool:
        """An optional boolean; clients send it as JSON or as text."""
        value = self.params.get(name)
        if value in (None, "", False, "false"):
            return False
        if value in (True, "true"):
            return True
        raise invalid(self.category, name)

    def need_category(self, *allowed: str) -> str:
        """The product line, one of *allowed*; all that are traded when none is named."""
        value = self.category
        if value not in (allowed or TRADED):
            raise wrong("params error: Category is invalid")
        return value

    def market(self, category: str) -> TwinMarket:
        """The symbol that a market query names. *Raises*: `Denied` (10001)."""
        symbol = self.need("symbol")
        found = self.venue.markets.get((category, symbol))
        if found is None:
            raise wrong("Not supported symbols")
        return found

    def span_ms(self, default_days: int, max_days: int) -> tuple[int, int]:
        """startTime and endTime; what is missing is made from the other or from now."""
        start, end = self.whole("startTime"), self.whole("endTime")
        if end is None:
            later = self.now_ms + DAY_MS
            end = later if start is None else min(later, start + default_days * DAY_MS)
        if start is None:
            start = end - (default_days + 1) * DAY_MS
        elif end - start > max_days * DAY_MS or end < start:
            raise wrong(f"The time range between startTime and endTime exceeds {max_days} days")
        return start, end
