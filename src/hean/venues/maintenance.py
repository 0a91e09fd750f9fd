# SPDX-License-Identifier: Apache-2.0
"""`maintenance.py`: is the venue about to close, closed, or just open again? Two things tell: its
announcement, and answers that say "shutting down" several times in a short while; one such answer
may be a hiccup. It counts as open again when nothing of the kind was heard for half a minute and
the whole account was read after it. It asks nobody and stops nothing by itself.
"""

from __future__ import annotations

from collections import deque

CODES = frozenset({-1016, 10016, 10019})  # shutting down, internal error, restarting
BURST = 3  # so many answers
BURST_NS = 10_000_000_000  # within this time
CLEAN_NS = 30_000_000_000  # RELIABILITY 2.4: of clean data before anything new
BEFORE_NS = 120_000_000_000  # announced: nothing new from two polls before it begins


class Maintenance:
    """Of one venue. *clean_ns*: how long nothing may be heard before it counts as open. Times are
    steady ones, which nobody sets.
    """

    def __init__(self, clean_ns: int = CLEAN_NS) -> None:
        self.is_closed = False
        """Whether nothing new is to be opened."""
        self._clean_ns = clean_ns
        self._heard: deque[int] = deque(maxlen=BURST)
        self._last_ns = 0

    def answered(self, code: int | None, now_ns: int) -> None:
        """An answer of the venue."""
        if code not in CODES:
            return
        self._heard.append(now_ns)
        is_burst = len(self._heard) == BURST and now_ns - self._heard[0] <= BURST_NS
        if is_burst or self.is_closed:
            self._close(now_ns)

    def announced(self, ahead_ns: int, now_ns: int) -> None:
        """The venue says that it closes in so long; below 0 it has."""
        if ahead_ns <= BEFORE_NS:
            self._close(now_ns)

    def read(self, began_ns: int, now_ns: int) -> None:
        """The whole account was read; the reading began then. It is open again if that was after
        the last bad word, and that long ago.
        """
        if began_ns > self._last_ns and now_ns - self._last_ns >= self._clean_ns:
            self.is_closed = False

    def _close(self, now_ns: int) -> None:
        self.is_closed = True
        self._last_ns = max(self._last_ns, now_ns)
