# SPDX-License-Identifier: Apache-2.0
"""`session.py`: a socket one has to log in to. After each opening the venue's steps are sent one by
one, each after the answer to the one before; when the last is answered the session is ready. A
refused step leaves the session unready and is told; a minute later the socket is opened anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from hean.errors import NotConnected
from hean.net.socket import Connection
from hean.venues.outcomes import Outcome
from hean.venues.reports import Reply

REFUSED_PAUSE_S = 60.0  # a key or topic that was refused is tried again once a minute


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
        self._retry: asyncio.TimerHandle | None = None

    def opened(self, connection: Connection) -> None:
        """A socket is open: begin."""
        self.down()
        self._connection = connection
        self._left.extend(self._steps())
        self._next()

    def down(self) -> None:
        """The socket is gone."""
        self.is_ready = False
        self._left.clear()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def answered(self, reply: Reply) -> None:
        """An answer that belongs to no request is one to a step."""
        if self.is_ready or not self._left:
            return
        if reply.verdict.outcome is Outcome.YES:
            self._left.popleft()
            self._next()
            return
        self._left.clear()
        connection = self._connection
        if connection is not None:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(
                REFUSED_PAUSE_S, connection.restart, "the login was refused"
            )
        self._on_refused(reply)

    def _next(self) -> None:
        if not self._left:
            self.is_ready = True
            self._on_ready()
        elif self._connection is not None:
            try:
                self._connection.send(self._left[0])
            except NotConnected:
                self.down()  # it will open again and start over
