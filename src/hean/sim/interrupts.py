# SPDX-License-Identifier: Apache-2.0
"""`interrupts.py`: a Ctrl-C comes when it can do no harm. Raised in the middle of a step it would
run the engine's own clean-up code, or be lost in a callback that nobody hears.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Interrupt = tuple[int, FrameType | None]


@contextmanager
def interrupts_held(on_first: Callable[[], object] = lambda: None) -> Iterator[list[Interrupt]]:
    """An interrupt in here is told by *on_first* and comes at the end; a second one comes at once,
    so that nothing can hold it for ever. Outside the main thread none ever comes.

    *Yields*: those that are held.
    """
    held: list[Interrupt] = []
    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    handler = signal.getsignal(signal.SIGINT)

    def hold(number: int, frame: FrameType | None) -> None:
        held.append((number, frame))
        if len(held) == 1:
            on_first()
        elif callable(handler):
            handler(number, frame)

    if callable(handler):  # whoever ignores Ctrl-C, as nohup does, has its way
        signal.signal(signal.SIGINT, hold)
    try:
        yield held
    finally:
        signal.signal(signal.SIGINT, handler)
    if held and callable(handler):
        handler(*held[0])


@contextmanager
def never_interrupted() -> Iterator[None]:
    """Processes that are begun in here are never interrupted: they inherit the mask, and have it
    before their first line of Python.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
