# SPDX-License-Identifier: Apache-2.0
"""`merger.py`: in which order messages of several processes are played. The feed's go before all
others; what models say of a message of the feed is held before that message is played. So a process
waits for the models it hears, without end where the feed is played from a file and patiently where
it is live: a model that is too late is not waited for again until it has caught up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from hean.core.inbox import Arrived

PATIENCE_NS = 50_000_000
"""How long a live market waits for what models say of it: half of what counts as slow."""


class Merger:
    """*feed*: the process that has the market; *models*: those that answer to it. *patience_ns*:
    `None` is without end.
    """

    def __init__(self, feed: str, models: Sequence[str], *, patience_ns: int | None) -> None:
        self.overdue: set[str] = set()
        """Models that are not waited for."""
        self.timeouts = 0
        self._feed = feed
        self._patience_ns = patience_ns
        self._played = 0
        self._market: deque[tuple[Arrived, int]] = deque()
        self._answers: dict[str, deque[Arrived]] = {name: deque() for name in models}
        self._answered = dict.fromkeys(models, 0)

    def resume(self, played: int) -> None:
        """An earlier life has played the feed up to this number."""
        self._played = played

    @property
    def is_waiting(self) -> bool:
        """Whether something of the market waits for models."""
        return bool(self._market)

    def take(self, arrived: Sequence[Arrived], now_ns: int) -> None:
        """What came, at any steady clock's *now_ns*."""
        for each in arrived:
            source = each.message.source
            if source == self._feed:
                self._market.append((each, now_ns))
            else:
                self._answers[source].append(each)
                self._answered[source] = each.message.as_of
        if self.overdue:
            newest = self._market[-1][0].message.seq if self._market else self._played
            self.overdue = {name for name in self.overdue if self._answered[name] < newest}

    def turn(self, now_ns: int) -> list[Arrived]:
        """What is to be played now, in order."""
        found: list[Arrived] = []
        while self._market and self._is_ready(*self._market[0], now_ns):
            each, _ = self._market.popleft()
            found += self._up_to(each.message.seq)
            found.append(each)
            self._played = each.message.seq
        return found + self._up_to(self._played)

    def _is_ready(self, each: Arrived, since_ns: int, now_ns: int) -> bool:
        seq = each.message.seq
        missing = {name for name, as_of in self._answered.items() if as_of < seq} - self.overdue
        if missing and self._patience_ns is not None and now_ns - since_ns > self._patience_ns:
            self.overdue |= missing
            self.timeouts += len(missing)
            missing = set()
        return not missing

    def _up_to(self, seq: int) -> list[Arrived]:
        found: list[Arrived] = []
        for waiting in self._answers.values():
            while waiting and waiting[0].message.as_of <= seq:
                found.append(waiting.popleft())
        return found
