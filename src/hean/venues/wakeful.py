# SPDX-License-Identifier: Apache-2.0
"""`wakeful.py`: has this process stood still? A machine that was paused, a loop that was blocked
and a clock that was set all look alike from inside: between two looks more time has passed, or
less, than can have. What is known of the account is then old, whatever the streams say. It only
measures; what follows is decided by who looks.
"""

from __future__ import annotations

GAP_NS = 5_000_000_000  # RELIABILITY 2.4; looks come several times a second


class Wakeful:
    """Looks at the wall clock. *gap_ns*: between two looks, either way."""

    __slots__ = ("_gap_ns", "_last_ns")

    def __init__(self, gap_ns: int = GAP_NS) -> None:
        self._gap_ns = gap_ns
        self._last_ns: int | None = None

    def look(self, now_ns: int) -> int:
        """*Returns*: how far the clock has moved since the last look, when that is too far; else 0.
        The first look has nothing to compare with.
        """
        last_ns, self._last_ns = self._last_ns, now_ns
        if last_ns is None or abs(now_ns - last_ns) <= self._gap_ns:
            return 0
        return now_ns - last_ns
