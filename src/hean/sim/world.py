# SPDX-License-Identifier: Apache-2.0
"""`world.py`: virtual time, chance and steps of one simulated run. A step is one callback of the
loop. Chance comes in labelled streams of one seed, so that a draw more in one place moves nothing
elsewhere. The trace is a hash over every step and every byte that somebody notes: two runs of one
seed have one trace, or something in here is not determined.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import random
import struct
import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from hean.core.clock import SimClock
from hean.core.simloop import SimLoop
from hean.errors import StateError

if TYPE_CHECKING:
    from hean.sim.process import Process

START_NS = 1_772_366_400_000_000_000  # 2026-03-01 12:00 UTC: any moment will do, always the same
CHOICE = 8  # callbacks looked at when a task is chosen
STEP = struct.Struct("<qH")

OWNER: ContextVar[Process | None] = ContextVar("owner", default=None)
"""Whose code is running; `None` is the world itself: venue, network, people."""


class StepLoop(SimLoop):
    """A virtual loop that runs one callback at a time. What a dead process left in it is dropped.

    *rng*: chooses among tasks that can run now; without it the first has its turn, as in asyncio.
    Plain callbacks keep their order: asyncio promises it, and frames of one socket rely on it.
    """

    def __init__(self, clock: SimClock, rng: random.Random | None) -> None:
        super().__init__(clock)
        self.steps = 0
        """Callbacks run so far."""
        self.after_step: Callable[[Process | None], None] = lambda owner: None
        self._rng = rng

    def forget(self) -> None:
        """Drop all that waits to be run."""
        self._ready.clear()
        self._scheduled.clear()

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)
        if not ready:
            if not scheduled:
                raise StateError("every task waits and nothing can wake one: a deadlock.")
            while (ahead_s := scheduled[0].when() - self.time()) > 0:
                self.skip(ahead_s)  # exactly there: a timer may never be early
        now_s = self.time()
        while scheduled and scheduled[0].when() <= now_s:
            ready.append(heapq.heappop(scheduled))
        if self._rng is not None and len(ready) > 1:
            self._choose(self._rng)
        handle = ready.popleft()
        if handle.cancelled():
            return
        owner = handle._context.get(OWNER)
        if owner is not None and not owner.is_alive:
            return
        self.steps += 1
        handle._run()
        self.after_step(owner)

    def _choose(self, rng: random.Random) -> None:
        """Put one of the tasks that can run in front."""
        ready = self._ready
        tasks = [place for place in range(min(len(ready), CHOICE)) if _is_task(ready[place])]
        if len(tasks) > 1:
            chosen = rng.choice(tasks)
            ready.rotate(-chosen)
            handle = ready.popleft()
            ready.rotate(chosen)
            ready.appendleft(handle)


def stream(seed: int, label: str) -> random.Random:
    """A random stream of its own: same seed and label, same numbers."""
    digest = hashlib.sha256(f"{seed}/{label}".encode()).digest()
    return random.Random(int.from_bytes(digest[:16], "big"))


def _is_task(handle: asyncio.Handle) -> bool:
    callback = handle._callback  # type: ignore[attr-defined]  # as asyncio keeps it
    return isinstance(getattr(callback, "__self__", None), asyncio.Task)


class World:
    """One run. *shuffles*: whether callbacks that can run at one moment run in random order."""

    def __init__(self, seed: int, *, shuffles: bool = False) -> None:
        self.seed = seed
        self.clock = SimClock(START_NS)
        self.loop = StepLoop(self.clock, self.rng("order") if shuffles else None)
        self.loop.set_task_factory(_task)
        self.skew_ns = 0
        """How far the clock of the engine's machine is off."""
        self._trace = hashlib.blake2b(digest_size=16)
        self.on_error: Callable[[str], None] = lambda what: None
        """Told what nobody has handled."""
        self.loop.set_exception_handler(self._unhandled)
        self._root = copy_context()
        self._graves: list[asyncio.Task[Any]] = []

    def rng(self, label: str) -> random.Random:
        """A stream of this run."""
        return stream(self.seed, label)

    def now(self) -> int:
        """The true time, UTC ns."""
        return self.clock.now_ns

    def machine_now(self) -> int:
        """What the clock of the engine's machine shows."""
        return self.clock.now_ns + self.skew_ns

    def now_s(self) -> float:
        """Monotonic seconds."""
        return self.loop.time()

    def later(self, seconds: float, act: Callable[[], object]) -> asyncio.TimerHandle:
        """Have the world do something; nobody's death prevents it."""
        return self.loop.call_later(seconds, act, context=self._root)

    def at(self, due_s: float, act: Callable[[], object]) -> None:
        """The same at a moment of `now_s`."""
        self.loop.call_at(due_s, act, context=self._root)

    def note(self, what: bytes) -> None:
        """Put bytes into the trace."""
        self._trace.update(what)

    def note_step(self, owner: Process | None) -> None:
        """Put a step into the trace."""
        number = 0 if owner is None else owner.number
        self._trace.update(STEP.pack(self.clock.now_ns, number))

    def trace(self) -> str:
        """The hash so far."""
        return self._trace.hexdigest()

    def _unhandled(self, _loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):  # that a process was killed is none
            self.on_error(f"{context['message']}: {type(error).__name__}: {error}")

    def bury(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Keep what a dead process was doing: no clean-up code of it may run."""
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is meant so
            self._graves.append(task)

    def close(self) -> None:
        """End it, after the last process. Clean-up code of the dead runs now, against nothing."""
        self.loop.forget()
        self.loop.close()
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for task in self._graves:
                with suppress(BaseException):  # reason: whatever it does now, nobody is there
                    task.get_coro().close()
            self._graves.clear()
        sys.unraisablehook = hook


def _task(
    loop: asyncio.AbstractEventLoop, coroutine: Any, *, context: Context | None = None
) -> asyncio.Task[Any]:
    """Make a task that its process can find when it dies."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, context=context)
    owner = OWNER.get() if context is None else context.get(OWNER)
    if owner is not None:
        owner.tasks.add(task)
    return task
