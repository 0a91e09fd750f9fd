# SPDX-License-Identifier: Apache-2.0
"""`freshness.py`: may a decision stand on this data? A topic is stale until it has delivered, again
after it has been silent for too long, and as soon as its connection or its book is gone. Each
change is told once, as `HEALTH`; the governor takes no new exposure from what is stale. It asks for
nothing and repairs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.core.types import Health

LOOK_S = 0.1  # how often silence is looked at
ANSWER_S = 5.0  # until a subscription that nobody answered is made again
STALE_S = {"book": 2.0, "ticker": 5.0, "mark": 5.0}  # RELIABILITY 2.4; trades may rightly pause

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
        "_unready_s",
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
        self._unready_s = 0.0
        self._tell = tell

    @property
    def is_ready(self) -> bool:
        """Acknowledged, or delivering."""
        return self.is_acknowledged or not self.is_stale

    @property
    def is_wanted(self) -> bool:
        """Whether to ask for it again: silent for too long, or never answered."""
        return (self.is_silent and self.is_acknowledged) or self._unready_s > ANSWER_S

    def subscribed(self) -> None:
        """It was asked for just now."""
        self._unready_s = 0.0

    def begin(self) -> None:
        """Say that nothing has come yet."""
        self._say(STALE, "nothing heard yet")

    def look(self, gap_s: float) -> None:
        """Count the silence since the last look; while a process stands still nothing is heard, so
        the caller bounds *gap_s*."""
        self._unready_s = 0.0 if self.is_ready else self._unready_s + gap_s
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


def health_of(
    component: str, state: str, symbol: str, reason: str = "", watermark: int = 0
) -> Health:
    """A report about one symbol's data."""
    extra: dict[str, Any] = {"symbol": symbol}
    if reason:
        extra["reason"] = reason
    return Health(component, state, watermark, extra)
