# SPDX-License-Identifier: Apache-2.0
"""`mailbox.py`: how an `async def` handler is called from a kernel that never waits.

Stepped inline it must finish in one step, which is all it needs if it only awaits `bus.publish`.
With a mailbox it runs as one task, its events in order, and may wait as long as it likes: the
kernel is not held up. A mailbox has a limit; what happens beyond depends on the delivery class.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from hean.core.types import Delivery, Event
from hean.errors import HandlerSuspended, QueueFull

AsyncHandler = Callable[[Event], Coroutine[Any, Any, None]]

MAILBOX_SIZE = 1_000  # RELIABILITY 2.8: a handler more than 1,000 events behind is lagging


class Turns:
    """Whose handlers are at work: at most *workers* of them at a time, each for at most *batch*
    events before the next one that waits has its turn, and the rest of the loop has its own. The
    order of one handler's events is never touched.
    """

    def __init__(self, workers: int, batch: int) -> None:
        self.batch = batch
        self._places = asyncio.Semaphore(workers)

    async def __aenter__(self) -> None:
        await self._places.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._places.release()
        await asyncio.sleep(0)


class Mailbox:
    """The waiting events of one `async def` handler and the task that works them off.

    *failed*: told handler, event and error; the task goes on with the next event. Calling the
    mailbox raises `QueueFull` once when its handler starts to lag. *loop*: where the task runs;
    the running loop when not given. *turns*: shared with others; without it, it works when it
    likes.
    """

    def __init__(
        self,
        handler: AsyncHandler,
        failed: Callable[[Callable[[Event], Any], Event, Exception], None],
        *,
        size: int = MAILBOX_SIZE,
        loop: asyncio.AbstractEventLoop | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.handler = handler
        self.size = size
        self.merged = 0
        """Class B events replaced by a newer one of their key."""
        self.refused = 0
        """Class C and D events not taken because the handler lagged."""
        self.is_lagging = False
        self._failed = failed
        self._loop = loop
        self._turns = turns
        self._waiting: deque[list[Event]] = deque()
        self._newest: dict[tuple[str, str], list[Event]] = {}
        self._task: asyncio.Task[None] | None = None

    def __call__(self, event: Event) -> None:
        """Take one event; called by the bus."""
        payload = event.data
        if payload.delivery is Delivery.NEWEST_PER_KEY:
            key = (event.event_type, payload.key_value())
            slot = self._newest.get(key)
            if slot is not None:
                slot[0] = event
                self.merged += 1
                return
            slot = self._newest[key] = [event]
        elif len(self._waiting) >= self.size and self._refuses(event):
            return
        else:
            slot = [event]
        self._waiting.append(slot)
        if self._task is None or self._task.done():
            loop = self._loop or asyncio.get_running_loop()
            work = self._work() if self._turns is None else self._work_in_turns(self._turns)
            self._task = loop.create_task(work)

    @property
    def is_busy(self) -> bool:
        """Whether an event waits or is being handled."""
        return self._task is not None and not self._task.done()

    async def idle(self) -> None:
        """Return when every event taken so far has been handled."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Stop the task; what waits is not handled."""
        self._waiting.clear()
        self._newest.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _refuses(self, event: Event) -> bool:
        """Whether a full mailbox refuses this event; the first refusal is raised."""
        if event.data.delivery is Delivery.NEVER_DROPPED:
            return False
        self.refused += 1
        if not self.is_lagging:
            self.is_lagging = True
            name = getattr(self.handler, "__qualname__", repr(self.handler))
            raise QueueFull(
                f"{self.size} events wait for {name}; {event.event_type} is refused until it "
                "has caught up."
            )
        return True

    async def _work_in_turns(self, turns: Turns) -> None:
        while self._waiting:
            async with turns:
                await self._work(turns.batch)

    async def _work(self, most: int = -1) -> None:
        """Handle what waits, at most so many if it is not negative."""
        while self._waiting and most:
            most -= 1
            (event,) = self._waiting.popleft()
            if event.data.delivery is Delivery.NEWEST_PER_KEY:
                del self._newest[(event.event_type, event.data.key_value())]
            try:
                await self.handler(event)
            except Exception as error:  # noqa: BLE001  # reason: any bug of user code ends up here
                self._failed(self, event, error)
        self.is_lagging = self.is_lagging and bool(self._waiting)


class InlineStep:
    """Make a plain handler of an `async def` one, which must not really wait."""

    __slots__ = ("handler",)

    def __init__(self, handler: AsyncHandler) -> None:
        self.handler = handler

    def __call__(self, event: Event) -> None:
        """Run the handler to its end. *Raises*: `HandlerSuspended` if it would wait."""
        coroutine = self.handler(event)
        try:
            coroutine.send(None)
        except StopIteration:
            return
        except RuntimeError as error:
            if "no running event loop" not in str(error):
                raise
            raise self._suspended(event) from error
        coroutine.close()
        raise self._suspended(event)

    def _suspended(self, event: Event) -> HandlerSuspended:
        name = getattr(self.handler, "__qualname__", repr(self.handler))
        return HandlerSuspended(
            f"{name} waits while handling event {event.seq} ({event.event_type}); in a "
            "simulation time stands still meanwhile. Use --virtual-loop, or do not wait."
        )
