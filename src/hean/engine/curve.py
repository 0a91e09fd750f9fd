# SPDX-License-Identifier: Apache-2.0
"""`curve.py`: equity over the life of a session, for a chart. It keeps a bounded number of points,
whatever the session's length: once full, every second one goes and the rest stand twice as far
apart. The highest and the lowest values in between are not kept; the ledger knows the drawdown.
"""

from __future__ import annotations

from decimal import Decimal

POINTS_MAX = 2_000  # a chart has fewer pixels
STEP_NS = 1_000_000_000  # between two points, to begin with


class EquityCurve:
    """*at_ns*, *equity*: of the beginning."""

    def __init__(self, at_ns: int, equity: Decimal) -> None:
        self._points = [(at_ns, equity)]
        self._last = self._points[0]
        self._step_ns = STEP_NS

    def add(self, at_ns: int, equity: Decimal) -> None:
        """The equity from this moment on; moments do not go back."""
        self._last = (at_ns, equity)
        if at_ns - self._points[-1][0] < self._step_ns:
            return
        self._points.append(self._last)
        if len(self._points) > POINTS_MAX:
            self._points = self._points[::2]
            self._step_ns *= 2

    def points(self) -> list[tuple[int, Decimal]]:
        """UTC nanoseconds and equity, the oldest first; the last one is the newest known."""
        is_kept = self._points[-1] == self._last
        return [*self._points] if is_kept else [*self._points, self._last]
