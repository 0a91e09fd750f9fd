# SPDX-License-Identifier: Apache-2.0
"""`watchdog.py`: what ends a run that does not end by itself. A timer of the operating system looks
a few times a second where the main thread is; when simulated time has stood still for too long,
it raises there, naming the handler and its event. A second Ctrl-C ends the process at once. It only
looks, so a run it never stops gives the same result with and without it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self

from hean.core.driver import run_simulated
from hean.core.handling import Handling, handling_in

LOOK_S = 0.5  # far below any limit a person notices, far above what a look costs
RAISES_MAX = 3  # code that swallows the stop this often is ended with the process

UNFINISHED: set[Path] = set()
"""Files being written under a temporary name; removed when the process is ended hard."""


class Overdue(KeyboardInterrupt):
    """Raised inside code that does not return. An interrupt, because neither `except Exception` in
    a strategy nor a task of asyncio keeps one."""


class Watchdog:
    """Raises `Overdue` in the main thread when one instant, or one phase, takes longer than
    *limit_s*. Use it as a context; outside the main thread it does nothing.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.stuck: Handling | None = None
        """Who was at work when it raised; `None` outside of handlers."""
        self._phase = ""
        self._seen: object = None
        self._since_s = 0.0
        self._raises = 0
        self._previous: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGALRM, self._look)
            signal.siginterrupt(signal.SIGALRM, False)
            look_s = min(LOOK_S, self.limit_s / 4)
            signal.setitimer(signal.ITIMER_REAL, look_s, look_s)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._previous)
            self._previous = None

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Watch code outside of the run as well, such as the import of a strategy."""
        self._phase = phase
        try:
            yield
        finally:
            self._phase = ""

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        frames = list(_outwards(frame))
        seen = _instant_of(frames) or self._phase or None
        now_s = time.monotonic()
        if seen is None or seen != self._seen:
            self._seen, self._since_s, self._raises = seen, now_s, 0
        elif now_s - self._since_s >= self.limit_s:
            self._raises += 1
            self.stuck = handling_in(frames)
            if self._raises > RAISES_MAX:
                where = self.stuck.name if self.stuck else self._phase
                end_process(1, f"error: {where} does not return and swallows every exception")
            raise Overdue


def end_process(code: int, text: str) -> NoReturn:
    """End at once: no handler, no `finally`, only temporary files are removed."""
    for path in UNFINISHED:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    with suppress(OSError, ValueError):
        os.write(2, f"{text}\n".encode("utf-8", "replace"))
    os._exit(code)


def end_on_second_interrupt() -> None:
    """The first Ctrl-C raises `KeyboardInterrupt`; the second ends the process with 130."""
    count = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count > 1:
            end_process(130, "interrupted twice")
        signal.default_int_handler(number, frame)

    # A parent that ignores Ctrl-C, such as nohup, has its way.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupted)


def end_on_signals(ended: asyncio.Event) -> None:
    """For what runs until it is told: the first Ctrl-C or TERM sets *ended*, the second ends the
    process with 130. Called within the event loop.
    """

    def asked() -> None:
        if ended.is_set():
            end_process(130, "interrupted twice")
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, asked)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _instant_of(frames: Iterable[FrameType]) -> object:
    """Identity of the simulated instant being played; `None` outside of a run."""
    for frame in frames:
        if frame.f_code is run_simulated.__code__:
            return ("instant", frame.f_locals["clock"].now_ns)
    return None
