# SPDX-License-Identifier: Apache-2.0
"""`turn.py`: how long the event loop has been at work without listening to everybody. In one turn
it takes all that a busy socket has to say, and a stop that is asked for meanwhile waits. So when a
turn grows long no more frames are read until the loop has looked around; they wait at the venue. It
is asked for each frame; nothing runs by itself, and no frame is lost.
"""

from __future__ import annotations

import asyncio

LONG_S = 0.005  # of work on frames: a tenth of what a stop may take to be obeyed


class Turn:
    """The present turn of the running loop; it begins when it is first asked."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s: float | None = None

    def is_long(self) -> bool:
        """Whether others have waited for long enough."""
        now_s = self._loop.time()
        if self._began_s is None:
            self._began_s = now_s
            self._loop.call_soon(self._end)
        return now_s - self._began_s > LONG_S

    def _end(self) -> None:
        self._began_s = None
