# SPDX-License-Identifier: Apache-2.0
"""`process.py`: a process that can be killed at any step, and in the middle of one wherever it
touches the outside. From then on nothing of it runs: its callbacks are dropped, its tasks are kept
so that no clean-up code runs for them, and its ports refuse. What it had committed stays on the
disk; what it had sent is on its way.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

from hean.sim.world import OWNER, World


class Killed(BaseException):
    """The process ended here. No `Exception`, so that nobody handles it."""


class Process:
    """One life. *number*: of this life, from 1. *on_exit*: told why it ended by itself."""

    def __init__(self, world: World, number: int, on_exit: Callable[[str], None]) -> None:
        self.world = world
        self.number = number
        self.is_alive = True
        self.steps = 0
        self.touches = 0
        """Times it was about to touch the outside, and had done so."""
        self.die_at_step = 0
        self.die_at_touch = 0
        self.on_death: list[Callable[[], None]] = []
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.context = copy_context()
        self.context.run(OWNER.set, self)
        self._on_exit = on_exit

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Begin to live."""
        task = self.world.loop.create_task(main, context=self.context)
        task.add_done_callback(self._ended)

    def step(self) -> None:
        """A callback of it has run. *Raises*: nothing; it may be dead afterwards."""
        self.steps += 1
        if self.steps == self.die_at_step:
            self.kill()

    def touch(self) -> None:
        """It is about to touch the outside, or just has. *Raises*: `Killed`."""
        if not self.is_alive:
            raise Killed
        self.touches += 1
        if self.touches == self.die_at_touch:
            self.kill()
            raise Killed

    def kill(self) -> None:
        """End it now."""
        if not self.is_alive:
            return
        self.is_alive = False
        self.world.bury(list(self.tasks))
        for act in self.on_death:
            act()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if not self.is_alive:
            return
        self.kill()
        self._on_exit("" if error is None else f"{type(error).__name__}: {error}")
