# SPDX-License-Identifier: Apache-2.0
"""`clock.py`: the only two places kernel code gets the time from.

Both clocks hold `now_ns` still while a burst of events is handled, so that a recorded run can be
repeated exactly. A timer is a payload that is emitted when its time has come; the driver does it.
Neither clock reads the machine: `LiveClock` is handed the function that does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from hean.core.types import Payload


class SimClock:
    """A clock that stands still until the driver moves it. Times are UTC nanoseconds."""

    __slots__ = ("_heap", "_pending", "_serial", "next_timer_ns", "now_ns")

    def __init__(self, start_ns: int = 0) -> None:
        self.now_ns = start_ns
        self.next_timer_ns: int | None = None
        """When the earliest timer is due; `None` without timers."""
        self._heap: list[tuple[int, int]] = []
        self._pending: dict[int, Payload] = {}
        self._serial = 0

    def call_at(self, ts_ns: int, payload: Payload) -> int:
        """Have *payload* emitted at *ts_ns*, or at once if that is past.

        *Returns*: a number for `cancel`. Timers of one time fire in the order of these calls.
        """
        self._serial += 1
        self._pending[self._serial] = payload
        heapq.heappush(self._heap, (ts_ns, self._serial))
        self._find_next()
        return self._serial

    def cancel(self, timer: int) -> bool:
        """Forget a timer. *Returns*: whether it was still waiting."""
        found = self._pending.pop(timer, None) is not None
        self._find_next()
        return found

    def pop_due(self, ts_ns: int) -> Payload | None:
        """Take the earliest timer due at or before *ts_ns* and move the time to it."""
        if self.next_timer_ns is None or self.next_timer_ns > ts_ns:
            return None
        due_ns, timer = heapq.heappop(self._heap)
        payload = self._pending.pop(timer)
        self.now_ns = max(self.now_ns, due_ns)
        self._find_next()
        return payload

    def _find_next(self) -> None:
        while self._heap and self._heap[0][1] not in self._pending:
            heapq.heappop(self._heap)
        self.next_timer_ns = self._heap[0][0] if self._heap else None


class LiveClock(SimClock):
    """Real time, read through *now* at the start of each burst and then held still.

    *now*: returns UTC nanoseconds. Code at the rim that needs the very moment calls `read`.
    *ticks*: the steady time in ns, which nobody sets; without it the time stands still after the
    machine's clock was set back. *on_change*: set by the driver; called when the earliest timer may
    have changed.
    """

    __slots__ = ("_now", "_read_ns", "_ticks", "_ticks_ns", "on_change")

    def __init__(self, now: Callable[[], int], *, ticks: Callable[[], int] = lambda: 0) -> None:
        super().__init__(now())
        self._now = now
        self._ticks = ticks
        self._read_ns, self._ticks_ns = self.now_ns, ticks()
        self.on_change: Callable[[], None] | None = None

    def read(self) -> int:
        """The time at this very moment, in UTC nanoseconds. After the machine's clock was set back
        it goes on at half its pace until that has caught up.
        """
        return max(self._now(), self._read_ns + (self._ticks() - self._ticks_ns) // 2)

    def refresh(self) -> int:
        """Move `now_ns` to the present; never backwards."""
        self._read_ns, self._ticks_ns = self.read(), self._ticks()
        self.now_ns = max(self.now_ns, self._read_ns)
        return self.now_ns

    def call_at(self, ts_ns: int, payload: Payload) -> int:
        """As in `SimClock`; also wakes the driver, because the rim may call it at any time."""
        timer = super().call_at(ts_ns, payload)
        if self.on_change is not None:
            self.on_change()
        return timer
