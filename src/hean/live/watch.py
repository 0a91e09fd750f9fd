# SPDX-License-Identifier: Apache-2.0
"""`watch.py`: is the trading process alive? It is when it gets on, not when it exists: either it
has answered a heartbeat and delivered the fact that the one before put on its bus, or its journal
has grown. What is judged is handed in, time too; nothing is asked or done here. While the watchdog
itself stood still nothing could be heard, so a long gap between two looks counts as a short one.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

from hean.live.rows import START, STOP
from hean.risk.levels import RUN

SILENT_S = 10.0
LOOK_S = 0.5  # between two looks: fired within 11 s, the first cancel well within 15
GAP_MAX_S = 2 * LOOK_S  # what one look may add to a silence
RUNNING = "running"


class Finding(Enum):
    """What a look at the heart says."""

    FINE = "fine"
    SILENT = "silent"
    CUT_OFF = "cut off"
    """It is alive and does not reach the venue."""
    ENDED = "ended"
    """It has ended in order, or went without having begun: nothing is under way."""


class Pulse(msgspec.Struct, frozen=True):
    """How a process says that it is. *ticks*: facts delivered so far; *unreached_s*: since the
    venue answered it; *level*: of its kill switch.
    """

    state: str = ""
    ticks: int | None = None
    unreached_s: float = 0.0
    level: str = RUN


def pulse_of(answer: dict[str, Any]) -> Pulse | None:
    """What an answer to a heartbeat says; `None` if it is none."""
    try:
        pulse = msgspec.convert(answer, Pulse)
    except msgspec.ValidationError:
        return None
    return pulse if answer.get("ok") is True else None


class Heart:
    """Follows one data directory's trading process, through its restarts."""

    def __init__(self, limit_s: float = SILENT_S) -> None:
        self.limit_s = limit_s
        self.quiet_s = 0.0
        """How long nothing has moved."""
        self.unreached_s = 0.0
        """How long the venue has not answered it, by its own word."""
        self.is_under_way = False
        """Whether a life has begun and not ended in order: orders may be there."""
        self.level = RUN
        """The kill switch, by its last word."""
        self._has_stopped = False
        self._has_moved = False
        self._ticks: int | None = None
        self._head_seq = 0
        self._at_s: float | None = None

    def answered(self, pulse: Pulse) -> None:
        """It spoke. A process that runs must have delivered something since it spoke last."""
        self.level = pulse.level
        if pulse.state != RUNNING or pulse.ticks is None or pulse.ticks != self._ticks:
            self._has_moved = True
        self._ticks = pulse.ticks
        self.unreached_s = pulse.unreached_s if pulse.state == RUNNING else 0.0

    def journal_at(self, head_seq: int) -> None:
        """The number of the journal's last row."""
        if head_seq != self._head_seq:
            self._head_seq, self._has_moved = head_seq, True

    def row(self, kind: str) -> None:
        """A row that begins or ends a life, in order."""
        if kind == START:
            self.is_under_way, self._has_stopped = True, False
        elif kind == STOP:
            self._has_stopped, self.is_under_way = self.is_under_way, False

    def is_watched(self) -> None:
        """All rows of the past have been read: an end seen from now on is one seen by us."""
        self._has_stopped = False

    def look(self, at_s: float) -> Finding:
        """*at_s*: monotonic."""
        gap_s = 0.0 if self._at_s is None else min(at_s - self._at_s, GAP_MAX_S)
        self._at_s = at_s
        if self._has_moved:
            self.quiet_s, self._has_moved = 0.0, False
        else:
            self.quiet_s += gap_s
        is_silent = self.quiet_s > self.limit_s
        if self._has_stopped or (is_silent and not self.is_under_way):
            return Finding.ENDED
        if is_silent:
            return Finding.SILENT
        if self.unreached_s > self.limit_s and self.is_under_way:
            return Finding.CUT_OFF
        return Finding.FINE
