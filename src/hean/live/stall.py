# SPDX-License-Identifier: Apache-2.0
"""`stall.py`: somebody outside the event loop who sees that it stands still. The loop says often
that it turns; a thread looks, and after half a second without a word notes who is at work. After
five seconds nothing new may leave any more: the latch file has it before the loop turns again, and
whoever stood in the way is told of then. A process that was stopped as a whole is none of its
business: it reads the account before it goes on.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from hean.core.handling import Handling, handling_in
from hean.live.latch import Latch
from hean.risk.killswitch import KillSwitch
from hean.risk.levels import HALT_NEW, Latched

BEAT_S = 0.05
LOOK_S = 0.1
STALL_S, HALT_S = 0.5, 5.0  # RELIABILITY 2.5
ACTOR = "auto:stall"


class LoopWatch:
    """Watches the running loop. *now*: UTC nanoseconds; *on_stall*: told, on the loop, for how long
    it stood and who was at work, if that is known.
    """

    def __init__(
        self,
        killswitch: KillSwitch,
        latch: Latch,
        *,
        now: Callable[[], int],
        on_stall: Callable[[float, Handling | None], None],
    ) -> None:
        self.longest_s = 0.0
        """The longest time that the loop stood still."""
        self._killswitch = killswitch
        self._latch = latch
        self._now = now
        self._on_stall = on_stall
        self._beat_s = time.monotonic()
        self._stalled_s = 0.0
        self._at_work: Handling | None = None
        self._ended = threading.Event()
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="loop watch", daemon=True)

    async def beat(self) -> None:
        """Say that the loop turns, until cancelled."""
        self._beat_s = time.monotonic()
        self._thread.start()
        try:
            while True:
                self._beat_s = time.monotonic()
                stalled_s, self._stalled_s = self._stalled_s, 0.0
                if stalled_s:
                    self._on_stall(stalled_s, self._at_work)
                await asyncio.sleep(BEAT_S)
        finally:
            self._ended.set()

    def _watch(self) -> None:
        has_halted = False
        looked_s, worked_s = time.monotonic(), time.process_time()
        while not self._ended.wait(LOOK_S):
            gap_s, busy_s = time.monotonic() - looked_s, time.process_time() - worked_s
            looked_s, worked_s = looked_s + gap_s, worked_s + busy_s
            if gap_s > STALL_S and busy_s < gap_s / 2:
                self._beat_s = looked_s  # the whole process was stopped; see `wakeful.py`
            stood_s = time.monotonic() - self._beat_s
            if stood_s < STALL_S:
                has_halted = False
                continue
            self._stalled_s = stood_s
            self.longest_s = max(self.longest_s, stood_s)
            self._at_work = self._find()
            if stood_s >= HALT_S and not has_halted:
                has_halted = True
                self._halt(stood_s)

    def _find(self) -> Handling | None:
        """The handler that the loop's thread is in."""
        frame = sys._current_frames().get(self._loop_thread)
        frames = []
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        return handling_in(frames)

    def _halt(self, stood_s: float) -> None:
        """The loop cannot do it: close the door and keep that in the file."""
        name = self._at_work.name if self._at_work else "something outside the handlers"
        reason = f"the event loop has stood still for {stood_s:.1f} s in {name}"
        self._killswitch.hold(HALT_NEW, reason)
        with suppress(OSError):
            self._latch.raise_to(Latched(HALT_NEW, reason, ACTOR, self._now()))
