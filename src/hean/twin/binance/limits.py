# SPDX-License-Identifier: Apache-2.0
"""`limits.py`: what a client may ask in how much time: request weight per address, new orders per
account, in windows that begin on the clock as Binance's do. Too much answers 429; who carries on is
banned for two minutes, then longer. `scale` widens every limit, for load tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hean.twin.binance.errors import BinanceError
from hean.twin.binance.words import ms

SECOND_NS = 1_000_000_000
SPANS_S = {"SECOND": 1, "MINUTE": 60, "DAY": 86_400}
REFUSALS_BEFORE_BAN = 20  # how much "carrying on" is, Binance does not say
BAN_S = 120
BAN_S_MAX = 3 * 86_400
CALLERS_MAX = 10_000  # addresses and accounts remembered; then all are forgotten
ADVICE = "Please use WebSocket Streams for live updates to avoid"


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit: *limit* of *kind* in *number* intervals."""

    kind: str
    interval: str
    number: int
    limit: int

    @property
    def span_ns(self) -> int:
        """Length of the window."""
        return SPANS_S[self.interval] * self.number * SECOND_NS

    @property
    def suffix(self) -> str:
        """As headers call the window: `10S`."""
        return f"{self.number}{self.interval[0]}"


RULES: dict[str, tuple[Rule, ...]] = {
    "spot": (
        Rule("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
        Rule("ORDERS", "SECOND", 10, 100),
        Rule("ORDERS", "DAY", 1, 200_000),
        Rule("RAW_REQUESTS", "MINUTE", 5, 61_000),
    ),
    "linear": (
        Rule("REQUEST_WEIGHT", "MINUTE", 1, 2_400),
        Rule("ORDERS", "MINUTE", 1, 1_200),
        Rule("ORDERS", "SECOND", 10, 300),
    ),
}
_Counter = tuple[str, int, str]
"""Family, number of the rule, who."""


class Limits:
    """All counters of a twin. *now*: the exchange's clock; *steady*: as of `TwinVenue`."""

    def __init__(self, now: Callable[[], int], steady: Callable[[], int], scale: float) -> None:
        self.scale = scale
        self._now = now
        self._steady = steady
        self._used: dict[_Counter, list[int]] = {}
        self._refusals: dict[tuple[str, str], int] = {}
        self._bans: dict[tuple[str, str], tuple[int, int]] = {}

    def limit(self, rule: Rule) -> int:
        """The limit of a rule, scaled."""
        return int(rule.limit * self.scale)

    def listed(self, family: str) -> list[dict[str, Any]]:
        """As `exchangeInfo` lists them."""
        return [self._row(rule) for rule in RULES[family]]

    def _row(self, rule: Rule) -> dict[str, Any]:
        return {
            "rateLimitType": rule.kind,
            "interval": rule.interval,
            "intervalNum": rule.number,
            "limit": self.limit(rule),
        }

    def counted(self, family: str, kind: str, who: str) -> list[dict[str, Any]]:
        """As replies of the WebSocket API and the order limit query list them."""
        return [
            {**self._row(rule), "count": self._slot(family, number, who)[1]}
            for number, rule in enumerate(RULES[family])
            if rule.kind == kind
        ]

    def charge(self, family: str, address: str, weight: int) -> None:
        """Count a request. *Raises*: `BinanceError` -1003 with status 429 or 418."""
        who = (family, address)
        ban = self._bans.get(who)
        if ban is not None and (left_ns := ban[0] - self._steady()) > 0:
            raise self._banned(left_ns)
        for number, rule in enumerate(RULES[family]):
            if rule.kind == "ORDERS":
                continue
            slot = self._slot(family, number, address)
            slot[1] += weight if rule.kind == "REQUEST_WEIGHT" else 1
            if slot[1] > self.limit(rule):
                self._refuse(who, rule)
        self._refusals.pop(who, None)

    def give_back(self, family: str, address: str, weight: int) -> None:
        """Return the weight of a request that succeeded where Binance does so."""
        slot = self._slot(family, 0, address)
        slot[1] = max(0, slot[1] - weight)

    def _refuse(self, who: tuple[str, str], rule: Rule) -> None:
        refusals = self._refusals[who] = self._refusals.get(who, 0) + 1
        if refusals > REFUSALS_BEFORE_BAN:
            before_s = self._bans.get(who, (0, BAN_S // 2))[1]
            span_s = min(before_s * 2, BAN_S_MAX)
            self._bans[who] = (self._steady() + span_s * SECOND_NS, span_s)
            self._refusals.pop(who)
            raise self._banned(span_s * SECOND_NS)
        what = "request weight" if rule.kind == "REQUEST_WEIGHT" else "requests"
        raise BinanceError(
            -1003,
            f"Too much request weight used; current limit is {self.limit(rule)} {what} per "
            f"{rule.number} {rule.interval}. {ADVICE} polling the API.",
            429,
            retry_after_s=self._until_next_s(rule),
        )

    def _until_next_s(self, rule: Rule) -> int:
        return (rule.span_ns - self._steady() % rule.span_ns) // SECOND_NS + 1

    def _banned(self, left_ns: int) -> BinanceError:
        return BinanceError(
            -1003,
            f"Way too much request weight used; IP banned until {ms(self._now() + left_ns)}. "
            f"{ADVICE} bans.",
            418,
            retry_after_s=left_ns // SECOND_NS + 1,
        )

    def count_orders(self, family: str, account: str, number: int) -> None:
        """Count new orders of an account. *Raises*: `BinanceError` -1015; nothing is counted."""
        slots = []
        for index, rule in enumerate(RULES[family]):
            if rule.kind != "ORDERS":
                continue
            slot = self._slot(family, index, account)
            if slot[1] + number > self.limit(rule):
                raise BinanceError(
                    -1015,
                    f"Too many new orders; current limit is {self.limit(rule)} orders per "
                    f"{rule.number} {rule.interval}.",
                    429,
                    retry_after_s=self._until_next_s(rule),
                )
            slots.append(slot)
        for slot in slots:
            slot[1] += number

    def uncount_order(self, family: str, account: str) -> None:
        """A filled order no longer counts (spot)."""
        for index, rule in enumerate(RULES[family]):
            if rule.kind == "ORDERS":
                slot = self._slot(family, index, account)
                slot[1] = max(0, slot[1] - 1)

    def weight_headers(self, family: str, address: str) -> dict[str, str]:
        """What every reply bears."""
        used = str(self._slot(family, 0, address)[1])
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}

    def order_headers(self, family: str, account: str) -> dict[str, str]:
        """What a reply to a new order bears."""
        return {
            f"X-MBX-ORDER-COUNT-{rule.suffix}": str(self._slot(family, n, account)[1])
            for n, rule in enumerate(RULES[family])
            if rule.kind == "ORDERS"
        }

    def _slot(self, family: str, number: int, who: str) -> list[int]:
        """[window, used] of the running window."""
        window = self._steady() // RULES[family][number].span_ns
        key = (family, number, who)
        slot = self._used.get(key)
        if slot is None or slot[0] != window:
            if len(self._used) > CALLERS_MAX:
                self._used.clear()
            slot = self._used[key] = [window, 0]
        return slot
