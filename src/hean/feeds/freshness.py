# SPDX-License-Identifier: Apache-2.0
"""`freshness.py`: may a decision stand on this data? A topic is stale until it has delivered, again
after it has been silent for too long, and as soon as its connection or its book is gone. A price is
doubtful while it lies far from everything heard before and nothing else confirms it. Both are told
as `HEALTH`, once per change; the governor takes no new exposure from what is stale. It asks for
nothing and repairs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.core.types import Health

LOOK_S = 0.1  # how often silence is looked at
STALE_S = {"book": 2.0, "ticker": 5.0, "mark": 5.0}  # RELIABILITY 2.4; trades may rightly pause
JUMP_FRACTION = 0.10  # RELIABILITY 63: further off than this is doubtful
CONFIRMATIONS = 3  # prices in a row that agree with a doubtful one make it true

STALE, FRESH = "STALE", "FRESH"
Tell = Callable[[Health], None]


class Topic:
    """One subscribed stream of one symbol.

    *stream*: `trade`, `book`, `ticker`, `mark` or `kline`. *limit_s*: longest silence, `None` for
    streams that may be silent.
    """

    __slots__ = (
        "_quiet_s",
        "_seen",
        "_tell",
        "component",
        "heard",
        "is_acknowledged",
        "is_silent",
        "is_stale",
        "limit_s",
        "name",
        "stream",
        "symbol",
    )

    def __init__(
        self,
        name: str,
        stream: str,
        symbol: str,
        *,
        component: str,
        limit_s: float | None,
        tell: Tell,
    ) -> None:
        self.name = name
        self.stream = stream
        self.symbol = symbol
        self.component = component
        self.limit_s = limit_s
        self.heard = 0
        """Frames so far."""
        self.is_acknowledged = False
        self.is_stale = True
        self.is_silent = False
        """Heard nothing for longer than allowed."""
        self._seen = 0
        self._quiet_s = 0.0
        self._tell = tell

    @property
    def is_ready(self) -> bool:
        """Acknowledged, or delivering."""
        return self.is_acknowledged or not self.is_stale

    def begin(self) -> None:
        """Say that nothing has come yet."""
        self._say(STALE, "nothing heard yet")

    def look(self, gap_s: float) -> None:
        """Count the silence since the last look; while a process stands still nothing is heard, so
        the caller bounds *gap_s*."""
        if self.limit_s is None:
            return
        if self.heard != self._seen:
            self._seen, self._quiet_s = self.heard, 0.0
        else:
            self._quiet_s += gap_s
        self.is_silent = self._quiet_s + LOOK_S > self.limit_s
        if self.is_silent:
            self.lose(f"silent for {self.limit_s:g} s")

    def lose(self, reason: str) -> None:
        """Stale from now on."""
        if not self.is_stale:
            self.is_stale = True
            self._say(STALE, reason)

    def revive(self) -> None:
        """It has delivered something that can be used."""
        if self.is_stale:
            self.is_stale = False
            self._quiet_s = 0.0
            self._say(FRESH, "")

    def _say(self, state: str, reason: str) -> None:
        if self.limit_s is None:
            return
        self._tell(health_of(self.component, state, self.symbol, reason, self.heard))


class Plausibility:
    """Keeps prices that cannot be true from being believed at once.

    *component*: beginning of the name under which it reports; *tell*: takes the reports.
    """

    def __init__(self, component: str, tell: Tell) -> None:
        self.doubted = 0
        """Prices withheld so far."""
        self._component = component
        self._tell = tell
        self._last: dict[str, float] = {}
        self._doubts: dict[str, tuple[float, int]] = {}

    def admits(self, symbol: str, price: float) -> bool:
        """Whether a price may be passed on. The first of a symbol may."""
        last = self._last.get(symbol, price)
        if abs(price - last) <= JUMP_FRACTION * last and price > 0:
            self._last[symbol] = price
            if symbol in self._doubts:
                self._settle(symbol)
            return True
        return self._doubt(symbol, price, last)

    def _doubt(self, symbol: str, price: float, last: float) -> bool:
        before, count = self._doubts.get(symbol, (0.0, 0))
        agrees = price > 0 and abs(price - before) <= JUMP_FRACTION * before
        count = count + 1 if agrees else 1
        if count >= CONFIRMATIONS:
            self._last[symbol] = price
            self._settle(symbol)
            return True
        is_new = symbol not in self._doubts
        self._doubts[symbol] = (price, count)
        self.doubted += 1
        if is_new:
            reason = f"price {price:g} after {last:g}; not confirmed"
            self._tell(health_of(f"{self._component}.price.{symbol}", STALE, symbol, reason))
        return False

    def _settle(self, symbol: str) -> None:
        del self._doubts[symbol]
        self._tell(health_of(f"{self._component}.price.{symbol}", FRESH, symbol, ""))


def health_of(component: str, state: str, symbol: str, reason: str, watermark: int = 0) -> Health:
    """A report about one symbol's data."""
    extra: dict[str, Any] = {"symbol": symbol}
    if reason:
        extra["reason"] = reason
    return Health(component, state, watermark, extra)
