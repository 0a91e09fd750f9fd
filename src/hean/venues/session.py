# SPDX-License-Identifier: Apache-2.0
"""`session.py`: a socket one has to log in to. After each opening the venue's steps are sent one by
one, each after the answer to the one before; when the last is answered the session is ready. A
refused step leaves the session unready and is told; for the next minute nothing is sent, however
often the socket opens, and then the login is tried once more. A step without an answer means that
the line does not bring everything: another one is opened, though this one may still answer pings.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from hean.errors import ClockRefused, NotConnected
from hean.net.socket import Connection
from hean.venues.outcomes import Outcome
from hean.venues.reports import Reply

REFUSED_PAUSE_S = 60.0  # a key or topic that was refused is tried again once a minute
ANSWER_S = 10.0  # to a step; venues answer at once
CLOCK_PAUSE_S = 2.0  # a time that was refused: when the clock has been measured anew


class Session:
    """The login on one connection.

    *steps*: makes the frames of a login; *on_ready*: logged in and subscribed; *on_refused*: told
    the reply that refused.
    """

    def __init__(
        self,
        steps: Callable[[], tuple[bytes, ...]],
        *,
        on_ready: Callable[[], None],
        on_refused: Callable[[Reply], None],
    ) -> None:
        self.is_ready = False
        self._steps = steps
        self._on_ready = on_ready
        self._on_refused = on_refused
        self._left: deque[bytes] = deque()
        self._connection: Connection | None = None
        self._later: asyncio.TimerHandle | None = None
        self._not_before_s = 0.0

    def opened(self, connection: Connection) -> None:
        """A socket is open: begin, at once or when the pause after a refusal is over."""
        self.down()
        self._connection = connection
        if self._not_before_s:
            loop = asyncio.get_running_loop()
            self._later = loop.call_at(self._not_before_s, self._begin)
        else:
            self._begin()

    def down(self) -> None:
        """The socket is gone."""
        self.is_ready = False
        self._left.clear()
        self._stop_waiting()

    def answered(self, reply: Reply) -> None:
        """An answer that belongs to no request is one to a step."""
        if self.is_ready or not self._left:
            return
        if reply.verdict.outcome is Outcome.YES:
            self._left.popleft()
            self._next()
            return
        self._left.clear()
        self._stop_waiting()
        loop = asyncio.get_running_loop()
        is_late = reply.verdict.error is ClockRefused
        self._not_before_s = loop.time() + (CLOCK_PAUSE_S if is_late else REFUSED_PAUSE_S)
        self._later = loop.call_at(self._not_before_s, self._begin)
        self._on_refused(reply)

    def _begin(self) -> None:
        self._not_before_s = 0.0
        self._left.extend(self._steps())
        self._next()

    def _next(self) -> None:
        self._stop_waiting()
        if not self._left:
            self.is_ready = True
            self._on_ready()
        elif self._connection is not None:
            try:
                self._connection.send(self._left[0])
            except NotConnected:
                self.down()  # it will open again and start over
                return
            self._later = asyncio.get_running_loop().call_later(ANSWER_S, self._give_up)

    def _give_up(self) -> None:
        self._later = None
        if self._connection is not None:
            self._connection.restart(f"a login was not answered within {ANSWER_S:g} s")

    def _stop_waiting(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
