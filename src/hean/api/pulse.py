# SPDX-License-Identifier: Apache-2.0
"""`pulse.py`: whether the event loop turns. It notes the time a few times a second; when it has not
for longer than five seconds, `/health/live` answers 503, so that whoever watches containers may
restart this one. A loop that is stuck cannot answer, so a thread of its own listens meanwhile: it
says 503 to that one question, and keeps every other caller for the loop, which may come back: a
stop of trading that is asked for now is carried out then, not refused.
"""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

LATE_S = 5.0
BEAT_S = 0.5
REMEMBER_S = 10.0  # after a stall, that a probe which came meanwhile hears of it
PEEK_S = 0.5  # for a caller to say what it wants
PEEK_BYTES = 4_096
QUESTIONS = tuple(f"GET {prefix}/health/live ".encode() for prefix in ("", "/api", "/api/v1"))
Adopt = Callable[[socket.socket], None]


class Pulse:
    """*late_s*: without a beat for longer, the loop is stuck."""

    def __init__(self, *, late_s: float = LATE_S) -> None:
        self.late_s = late_s
        self._beat_s = min(BEAT_S, late_s / 4)
        self._last_s = time.monotonic()
        self._late_until_s = 0.0
        self._next: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._is_over = threading.Event()

    @property
    def is_late(self) -> bool:
        """Whether the loop is stuck, or was a moment ago."""
        return time.monotonic() < self._late_until_s or self._is_stuck

    @property
    def _is_stuck(self) -> bool:
        return time.monotonic() - self._last_s > self.late_s

    def start(self, listener: socket.socket, refusal: bytes, adopt: Adopt, *, peeks: bool) -> None:
        """Watch the loop that runs. *refusal*: the whole answer of one that is stuck; *adopt*:
        told, in the loop, a connection that it shall serve; *peeks*: what callers say can be read,
        as it cannot with TLS.
        """
        loop = asyncio.get_running_loop()
        self._last_s = time.monotonic()
        self._beat(loop)
        self._is_over.clear()
        self._thread = threading.Thread(
            target=self._stand_in,
            args=(listener.dup(), refusal, lambda s: loop.call_soon_threadsafe(adopt, s), peeks),
            name="pulse",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Watch no more. Safe to call twice."""
        self._is_over.set()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s > self.late_s:
            self._late_until_s = now_s + REMEMBER_S
        self._last_s = now_s
        self._next = loop.call_later(self._beat_s, self._beat, loop)

    # ------------------------------------------------------------ in the thread

    def _stand_in(
        self, listener: socket.socket, refusal: bytes, hand_over: Adopt, peeks: bool
    ) -> None:
        with listener:
            while not self._is_over.wait(self._beat_s):
                while self._is_stuck and not self._is_over.is_set():
                    with suppress(OSError, RuntimeError):  # the caller is gone, or the loop is
                        self._take(listener, refusal, hand_over, peeks)

    def _take(self, listener: socket.socket, refusal: bytes, hand_over: Adopt, peeks: bool) -> None:
        if not select.select([listener], [], [], self._beat_s)[0]:
            return
        caller, _ = listener.accept()
        said = b""
        if peeks and select.select([caller], [], [], PEEK_S)[0]:
            said = caller.recv(PEEK_BYTES, socket.MSG_PEEK)
        if not said.startswith(QUESTIONS):
            caller.setblocking(False)
            hand_over(caller)
            return
        with caller:
            caller.settimeout(PEEK_S)
            caller.recv(PEEK_BYTES)
            caller.sendall(refusal)
            caller.shutdown(socket.SHUT_WR)
