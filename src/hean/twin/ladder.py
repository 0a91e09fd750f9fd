# SPDX-License-Identifier: Apache-2.0
"""`ladder.py`: depth behind a touch, for markets that were recorded or generated without it. A
level's quantity is a fixed function of its price, so the book only changes where the touch moves.
"""

from __future__ import annotations

LEVELS = 500
Levels = list[tuple[int, int]]


class Ladder:
    """The levels of one symbol. *base_lots*: typical quantity of a level."""

    def __init__(self, base_lots: int) -> None:
        self.base_lots = max(1, base_lots)
        self._touch: dict[int, tuple[int, int]] = {}

    def quote(self, bid: tuple[int, int], ask: tuple[int, int]) -> tuple[bool, Levels, Levels]:
        """Move the touch to (ticks, lots) each. *Returns*: is a snapshot, bids, asks."""
        before = (self._touch.get(-1), self._touch.get(1))
        self._touch = {-1: bid, 1: ask}
        if before[0] is None or before[1] is None or self._jumped(before[0], bid):
            return True, self._side(bid, -1), self._side(ask, 1)
        return False, self._moved(before[0], bid, -1), self._moved(before[1], ask, 1)

    def lots(self, price: int) -> int:
        """Quantity of a level behind the touch."""
        mixed = (price * 2_654_435_761) & 0xFFFF_FFFF
        return max(1, self.base_lots * (20 + (mixed >> 16) % 200) // 100)

    def _jumped(self, before: tuple[int, int], after: tuple[int, int]) -> bool:
        return abs(before[0] - after[0]) >= LEVELS

    def _side(self, touch: tuple[int, int], away: int) -> Levels:
        price, lots = touch
        rest = (price + away * step for step in range(1, LEVELS))
        return [touch[:1] + (lots,), *((level, self.lots(level)) for level in rest if level > 0)]

    def _moved(self, before: tuple[int, int], after: tuple[int, int], away: int) -> Levels:
        """Changes that turn the old side into the new one."""
        out: dict[int, int] = {}
        old, new = before[0], after[0]
        shift = (new - old) * away  # above zero: the touch retreats
        if shift > 0:
            out.update({old + away * step: 0 for step in range(shift)})
            far = old + away * LEVELS
            out.update({far + away * step: self.lots(far + away * step) for step in range(shift)})
        elif shift < 0:
            out.update({new + away * step: self.lots(new + away * step) for step in range(-shift)})
            out[old] = self.lots(old)
            far = new + away * LEVELS
            out.update({far + away * step: 0 for step in range(-shift)})
        out[new] = after[1]
        return [(price, lots) for price, lots in out.items() if price > 0]
