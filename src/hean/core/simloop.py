# SPDX-License-Identifier: Apache-2.0
"""`simloop.py`: an asyncio event loop on virtual time.

Nothing is ever waited for: when every task sleeps, the time jumps to the first one that wakes. A
timeout of half an hour takes no time, and the same program runs in the same order each time. It
has no sockets, no threads and no subprocesses; a task that waits for one of those, or for nothing
at all, is reported as a deadlock.

Alone (`SimLoop().run_until_complete(main())`) it moves its own time. Under the simulated driver
the driver owns the time and asks with `run_ready` and `next_timer_ns`.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from hean.core.clock import SimClock
from hean.errors import StateError

RESOLUTION_S = 1e-6  # coarser than a float of seconds is after thirty years
_NS = 1_000_000_000


class _Selector:
    """Stands where a real loop asks the operating system: instead of waiting, time jumps."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop

    def select(self, timeout_s: float | None) -> list[Any]:
        """Wait in virtual time. *Raises*: `StateError` when nothing can ever happen."""
        if timeout_s is None:
            raise StateError("every task waits and nothing can wake one: a deadlock.")
        self._loop.skip(timeout_s)
        return []


class SimLoop(asyncio.BaseEventLoop):
    """The loop. *clock*: where the time is; one of its own when not given."""

    _ready: Any  # of BaseEventLoop: handles that can run now
    _scheduled: Any  # of BaseEventLoop: a heap of timers
    _selector: Any

    def __init__(self, clock: SimClock | None = None) -> None:
        super().__init__()
        self.clock = clock or SimClock()
        self._start_ns = self.clock.now_ns
        self._clock_resolution = RESOLUTION_S
        self._selector = _Selector(self)

    def time(self) -> float:
        """Seconds since the loop was made, so that a float still resolves nanoseconds."""
        return (self.clock.now_ns - self._start_ns) / _NS

    def now_ns(self) -> int:
        """The virtual time, UTC nanoseconds; made to be given to a `LiveClock`."""
        return self.clock.now_ns

    def skip(self, seconds: float) -> None:
        """Move the time forward, rounded up, so that whoever waits for it is surely due."""
        self.clock.now_ns += math.ceil(seconds * _NS)

    @property
    def next_timer_ns(self) -> int | None:
        """When the first sleeping task wakes; `None` when none sleeps."""
        times = [timer.when() for timer in self._scheduled if not timer.cancelled()]
        return self._start_ns + math.ceil(min(times) * _NS) if times else None

    def run_ready(self, now_ns: int) -> bool:
        """Run every task that can run at *now_ns*. *Returns*: whether there was one."""
        self.clock.now_ns = now_ns
        due_ns = self.next_timer_ns
        if not self._ready and (due_ns is None or due_ns > now_ns):
            return False
        while self._ready or (due_ns is not None and due_ns <= now_ns):
            self.call_soon(self.stop)  # one round: with a stop pending the loop does not wait
            self.run_forever()
            due_ns = self.next_timer_ns
        return True

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no sockets, hence never an event."""

    def _write_to_self(self) -> None:
        """A thread would wake the loop by this; the loop never sleeps."""
