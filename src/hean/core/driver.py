# SPDX-License-Identifier: Apache-2.0
"""`driver.py`: the two loops, side by side so that they can be compared.

Simulated: ask the source for the next instant, let due timers fire first, deliver. Live: whatever
the rim emits is delivered in one burst as soon as the asyncio loop is free. Kernel code cannot
tell which of the two runs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from hean.core.bus import EventBus
from hean.core.clock import LiveClock, SimClock
from hean.core.ports import Source

CHECK_EVERY = 1_000  # instants between two looks at the hooks: below a millisecond of work
GRAIN_S = 1e-4  # of a timer: a bus that goes at half its pace would wake for ever smaller halves
DRAIN_SLICE = 1_000  # events of one burst; then the rim's tasks get their turn


class VirtualLoop(Protocol):
    """What the simulated driver needs of `simloop.SimLoop`."""

    @property
    def next_timer_ns(self) -> int | None:
        """When the first sleeping task wakes; `None` when none sleeps."""
        ...

    def run_ready(self, now_ns: int) -> bool:
        """Run every task that can run at *now_ns*. *Returns*: whether there was one."""
        ...


class RimTask(Protocol):
    """Something at the edge that is started before the bus runs and stopped after it."""

    async def start(self) -> None:
        """Begin; return when ready."""
        ...

    async def stop(self) -> None:
        """End; return when nothing more will be emitted."""
        ...


def run_simulated(
    bus: EventBus,
    clock: SimClock,
    source: Source,
    *,
    loop: VirtualLoop | None = None,
    should_stop: Callable[[], bool] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    check_every: int = CHECK_EVERY,
) -> int:
    """Run until the source ends or *should_stop* says so. *Returns*: instants played.

    *loop*: the virtual asyncio loop on which waiting handlers live, if there is one.
    *on_progress*: told instants played and the time in ns. Both hooks are called once every
    *check_every* instants, so a stop takes effect with that grain.
    """
    source.subscribe(bus.wanted())
    next_instant, drain = source.next, bus.drain
    played = 0
    while True:
        for _ in range(check_every):
            horizon_ns = clock.next_timer_ns if loop is None else _horizon(clock, loop)
            instant = next_instant(horizon_ns)
            if instant is None:
                if clock.next_timer_ns is None or clock.next_timer_ns > clock.now_ns:
                    return played
                # Due now: what a handler put off to the end of its instant still happens.
                _fire_due(bus, clock, clock.now_ns, loop=loop)
                continue
            ts_ns, facts = instant
            if horizon_ns is not None and horizon_ns <= ts_ns:
                _fire_due(bus, clock, ts_ns, loop=loop)
            clock.now_ns = ts_ns
            drain(facts)
            if loop is not None:
                _settle(bus, clock, loop)
            played += 1
        if on_progress is not None:
            on_progress(played, clock.now_ns)
        if should_stop is not None and should_stop():
            return played


async def run_live(
    bus: EventBus,
    clock: LiveClock,
    rim: Sequence[RimTask],
    *,
    stop: Callable[[], Awaitable[None]],
    drain_slice: int = DRAIN_SLICE,
) -> None:
    """Run until *stop* returns. The rim is started in order and stopped in reverse.

    *Raises*: what a handler raised when the bus has no `on_failure`, and any `FatalError`, after
    the rim has been stopped.
    """
    pump = _Pump(bus, clock, drain_slice)
    started: list[RimTask] = []
    try:
        for task in rim:
            await task.start()
            started.append(task)
        pump.wake()
        stopping = asyncio.ensure_future(stop())
        await asyncio.wait([stopping, pump.failed], return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            stopping.result()
        stopping.cancel()
    finally:
        try:
            await _stop(started)
        finally:
            pump.close()
            for mailbox in bus.mailboxes:
                await mailbox.close()
    if pump.failed.done():
        pump.failed.result()


async def _stop(started: list[RimTask]) -> None:
    """Stop in reverse, every one even if one fails; then raise the first failure."""
    first: Exception | None = None
    while started:
        try:
            await started.pop().stop()
        except Exception as error:  # noqa: BLE001  # reason: the others must stop as well
            first = first or error
    if first is not None:
        raise first


class _Pump:
    """Delivers bursts and timers on the running asyncio loop, until it fails or is closed."""

    def __init__(self, bus: EventBus, clock: LiveClock, drain_slice: int) -> None:
        self._bus = bus
        self._clock = clock
        self._slice = drain_slice
        self._loop = asyncio.get_running_loop()
        self._scheduled: asyncio.Handle | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.failed: asyncio.Future[None] = self._loop.create_future()
        bus.on_work = self.wake
        bus.on_burst = self._burst
        clock.on_change = self.wake

    def wake(self) -> None:
        """Have one burst delivered as soon as the loop is free."""
        if self._scheduled is None and not self.failed.done():
            self._scheduled = self._loop.call_soon(self._burst)

    def close(self) -> None:
        """Deliver what the stopping rim said last, then let go of bus and clock."""
        self._bus.on_work = self._bus.on_burst = self._clock.on_change = None
        for handle in (self._scheduled, self._alarm):
            if handle is not None:
                handle.cancel()
        if not self.failed.done():
            self._clock.refresh()
            self._bus.drain(limit=self._bus.max_queue)

    def _burst(self) -> None:
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        if self.failed.done():
            return
        try:
            now_ns = self._clock.refresh()
            while (payload := self._clock.pop_due(now_ns)) is not None:
                self._bus.drain((payload,))
            self._bus.drain(limit=self._slice)
        except Exception as error:  # noqa: BLE001  # reason: run_live stops the rim, raises it
            self.failed.set_exception(error)
            return
        if len(self._bus):
            self.wake()
        self._arm()

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        due_ns = self._clock.next_timer_ns
        if due_ns is not None:
            ahead_s = (due_ns - self._clock.read()) / 1e9
            delay_s = max(ahead_s, GRAIN_S) if ahead_s > 0 else 0.0
            self._alarm = self._loop.call_later(delay_s, self.wake)


def _horizon(clock: SimClock, loop: VirtualLoop) -> int | None:
    """The earlier of the next timer and the next moment a waiting handler goes on."""
    times = [ns for ns in (clock.next_timer_ns, loop.next_timer_ns) if ns is not None]
    return min(times, default=None)


def _fire_due(
    bus: EventBus, clock: SimClock, ts_ns: int, *, loop: VirtualLoop | None = None
) -> None:
    """Fire what is due at or before *ts_ns*, each fully drained, timers before handlers."""
    while True:
        waking_ns = loop.next_timer_ns if loop is not None else None
        timer_ns = clock.next_timer_ns
        first_ns = ts_ns + 1 if timer_ns is None else min(timer_ns, ts_ns + 1)
        if waking_ns is not None and waking_ns < first_ns:
            clock.now_ns = max(clock.now_ns, waking_ns)
            _settle(bus, clock, loop)
            continue  # it may have set a timer that is due before the next waking
        payload = clock.pop_due(ts_ns)
        if payload is None:
            return
        bus.drain((payload,))
        _settle(bus, clock, loop)


def _settle(bus: EventBus, clock: SimClock, loop: VirtualLoop | None) -> None:
    """Let waiting handlers and the queue take turns until neither has anything to do."""
    if loop is None:
        return
    while loop.run_ready(clock.now_ns):
        bus.drain()
