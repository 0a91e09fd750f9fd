# SPDX-License-Identifier: Apache-2.0
"""The two loops: timers before events, hooks, waiting handlers, starting and stopping."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from hean.core.bus import EventBus
from hean.core.clock import LiveClock, SimClock
from hean.core.driver import run_live, run_simulated
from hean.core.ports import Instant
from hean.core.simloop import SimLoop
from hean.core.types import Event, EventType, Payload, Regime, Tick, Timer

S = 1_000_000_000


class ListSource:
    """Facts from a list of (ts_ns, fact), several of one time being one instant."""

    def __init__(self, facts: Iterable[tuple[int, Payload]]) -> None:
        self._facts = list(facts)
        self.wanted: frozenset[EventType] | None = None

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        self.wanted = wanted

    def next(self, horizon_ns: int | None) -> Instant | None:
        if not self._facts:
            return None
        ts_ns = self._facts[0][0]
        if horizon_ns is not None and horizon_ns < ts_ns:
            return horizon_ns, ()
        now = tuple(fact for at_ns, fact in self._facts if at_ns == ts_ns)
        del self._facts[: len(now)]
        return ts_ns, now


def ticks(*times_ns: int) -> ListSource:
    return ListSource((ns, Tick("A", 1.0, 1.0, ns)) for ns in times_ns)


class Lab:
    """A simulation that writes down what it delivers."""

    def __init__(self) -> None:
        self.clock = SimClock()
        self.bus = EventBus(clock=self.clock)
        self.seen: list[str] = []
        for kind in (EventType.TICK, EventType.TIMER):
            self.bus.subscribe(kind, self.write)

    def write(self, event: Event) -> None:
        self.seen.append(f"{event.ts_ns} {event.data.get('name', 'tick')}")


def test_timers_due_at_or_before_an_event_fire_before_it() -> None:
    lab = Lab()
    for ts_ns, name in ((10, "at"), (10, "tie"), (5, "before"), (15, "between"), (99, "never")):
        lab.clock.call_at(ts_ns, Timer(name))
    assert run_simulated(lab.bus, lab.clock, ticks(10, 20)) == 4
    assert lab.seen == ["5 before", "10 at", "10 tie", "10 tick", "15 between", "20 tick"]


def test_what_a_timer_causes_is_delivered_before_the_next_timer() -> None:
    lab = Lab()
    lab.bus.subscribe(EventType.REGIME, lambda _: lab.seen.append("regime"))

    def on_timer(event: Event) -> None:
        if event.data.name == "first":
            lab.bus.emit(Regime("A", "calm", 1.0))
            lab.clock.call_at(event.ts_ns, Timer("again"))

    lab.bus.subscribe(EventType.TIMER, on_timer)
    lab.clock.call_at(5, Timer("first"))
    lab.clock.call_at(5, Timer("second"))
    run_simulated(lab.bus, lab.clock, ticks(10))
    assert lab.seen == ["5 first", "regime", "5 second", "5 again", "10 tick"]


def test_the_source_is_told_once_who_wants_what() -> None:
    lab, source = Lab(), ticks(1)
    run_simulated(lab.bus, lab.clock, source)
    assert source.wanted == {EventType.TICK, EventType.TIMER}


def test_the_hooks_are_asked_every_so_many_instants_and_can_stop() -> None:
    lab, progress = Lab(), []
    played = run_simulated(
        lab.bus,
        lab.clock,
        ticks(*range(1, 100)),
        should_stop=lambda: len(lab.seen) >= 6,
        on_progress=lambda count, now_ns: progress.append((count, now_ns)),
        check_every=3,
    )
    assert (played, progress) == (6, [(3, 3), (6, 6)])


def test_the_same_inputs_give_the_same_events() -> None:
    def run() -> list[str]:
        lab = Lab()
        lab.clock.call_at(15, Timer("x"))
        run_simulated(lab.bus, lab.clock, ticks(10, 20, 20, 30))
        return lab.seen

    assert run() == run()


@pytest.mark.promise(12)
def test_a_waiting_handler_goes_on_at_its_own_time_in_a_virtual_loop() -> None:
    """Ticks come every second; the handler takes 1.5 s for each, one after another."""
    clock = SimClock()
    loop = SimLoop(clock)
    bus, seen = EventBus(clock=clock, mailboxes=True, loop=loop), []

    async def slow(event: Event) -> None:
        await asyncio.sleep(1.5)
        bus.emit(Regime("A", f"after {event.seq}", 1.0))

    bus.subscribe(EventType.TICK, slow)
    bus.tap(
        lambda event: seen.append((event.ts_ns / S, event.data.get("regime", event.event_type)))
    )
    clock.call_at(9 * S // 2, Timer("half past four"))
    run_simulated(bus, clock, ticks(1 * S, 2 * S, 3 * S, 5 * S), loop=loop)
    loop.close()
    assert seen == [
        (1.0, "TICK"),
        (2.0, "TICK"),
        (2.5, "after 1"),
        (3.0, "TICK"),
        (4.0, "after 2"),
        (4.5, "TIMER"),
        (5.0, "TICK"),
    ]


# ---------------------------------------------------------------- live, on virtual time


class Feed:
    """A rim task that emits a tick every second and keeps a diary."""

    def __init__(self, bus: EventBus, diary: list[str], name: str = "feed") -> None:
        self._bus, self._diary, self._name = bus, diary, name
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._diary.append(f"start {self._name}")
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._diary.append(f"stop {self._name}")
        assert self._task is not None
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._bus.publish(Tick("A", 1.0, 1.0, 1))


def test_live_delivers_bursts_and_timers_until_stopped_and_stops_in_reverse() -> None:
    loop = SimLoop()
    diary: list[str] = []

    async def main() -> None:
        clock = LiveClock(loop.now_ns)
        bus = EventBus(clock=clock, mailboxes=True)

        def on_tick(event: Event) -> None:
            diary.append(f"{event.ts_ns / S:.1f} tick")
            clock.call_at(event.ts_ns + S // 2, Timer("half"))

        bus.subscribe(EventType.TICK, on_tick)
        bus.subscribe(EventType.TIMER, lambda event: diary.append(f"{event.ts_ns / S:.1f} timer"))
        rim = [Feed(bus, diary, "one"), Quiet(diary)]
        await run_live(bus, clock, rim, stop=lambda: asyncio.sleep(2.2))

    loop.run_until_complete(main())
    loop.close()
    assert diary == [
        "start one", "start quiet", "1.0 tick", "1.5 timer", "2.0 tick", "stop quiet", "stop one",
    ]  # fmt: skip


class Quiet:
    """A rim task that does nothing but keep the diary."""

    def __init__(self, diary: list[str]) -> None:
        self._diary = diary

    async def start(self) -> None:
        self._diary.append("start quiet")

    async def stop(self) -> None:
        self._diary.append("stop quiet")


def test_live_stops_the_rim_and_raises_when_a_handler_fails_for_good() -> None:
    loop = SimLoop()
    diary: list[str] = []

    def on_tick(event: Event) -> None:
        raise ValueError("bug")

    async def main() -> None:
        clock = LiveClock(loop.now_ns)
        bus = EventBus(clock=clock, mailboxes=True)
        bus.subscribe(EventType.TICK, on_tick)
        await run_live(bus, clock, [Feed(bus, diary)], stop=lambda: asyncio.sleep(99))

    with pytest.raises(ValueError, match="bug"):
        loop.run_until_complete(main())
    loop.close()
    assert diary == ["start feed", "stop feed"]


def test_live_stops_every_rim_task_even_if_one_cannot_stop() -> None:
    class Stuck(Quiet):
        async def stop(self) -> None:
            raise ConnectionError("stuck")

    loop = SimLoop()
    diary: list[str] = []

    async def main() -> None:
        clock = LiveClock(loop.now_ns)
        bus = EventBus(clock=clock)
        rim = [Quiet(diary), Stuck(diary)]
        await run_live(bus, clock, rim, stop=lambda: asyncio.sleep(1))

    with pytest.raises(ConnectionError, match="stuck"):
        loop.run_until_complete(main())
    loop.close()
    assert diary == ["start quiet", "start quiet", "stop quiet"]


def test_live_gives_the_rim_its_turn_between_slices() -> None:
    """A handler that always emits again must not starve the task that stops the run."""
    loop = SimLoop()

    async def main() -> int:
        clock = LiveClock(loop.now_ns)
        bus = EventBus(clock=clock)
        bus.subscribe(EventType.TICK, lambda event: bus.emit(event.data))
        bus.emit(Tick("A", 1.0, 1.0, 1))

        async def stop() -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            bus._handlers[EventType.TICK].clear()
            bus._rebuild()

        await run_live(bus, clock, [], stop=stop, drain_slice=10)
        return bus.seq

    assert 20 <= loop.run_until_complete(main()) <= 100
    loop.close()


async def test_what_a_frame_brings_is_delivered_before_the_socket_goes_on() -> None:
    """Offered outside a handler it is handled at once, with the clock at that moment; offered by a
    handler it waits its turn; what was emitted before comes first.
    """
    now = [1 * S]
    clock = LiveClock(lambda: now[0])
    bus = EventBus(clock=clock)
    seen: list[tuple[str, int]] = []

    def handle(event: Event) -> None:
        seen.append((event.data.symbol, event.ts_ns))
        if event.data.symbol == "frame":
            bus.offer([Tick("answer", 1.0, 1.0, 0)])
            seen.append(("handled", event.ts_ns))

    bus.subscribe(EventType.TICK, handle)

    async def stop() -> None:
        bus.emit(Tick("before", 1.0, 1.0, 0))
        now[0] = 2 * S
        bus.offer([Tick("frame", 1.0, 1.0, 0)])
        assert [name for name, _ in seen] == ["before", "frame", "handled", "answer"]
        assert {ts_ns for _, ts_ns in seen} == {2 * S}

    await run_live(bus, clock, [], stop=stop)
    assert bus.on_burst is None
    bus.offer([Tick("late", 1.0, 1.0, 0)])
    assert len(bus) == 1, "without a driver it waits like anything else"


async def test_a_handler_that_fails_on_an_offered_fact_ends_the_run_not_the_socket() -> None:
    clock = LiveClock(lambda: S)
    bus = EventBus(clock=clock)

    def handle(event: Event) -> None:
        raise RuntimeError("no")

    bus.subscribe(EventType.TICK, handle)

    async def stop() -> None:
        bus.offer([Tick("A", 1.0, 1.0, 0)])  # the socket's callback does not learn of it
        bus.offer([Tick("B", 1.0, 1.0, 0)])
        await asyncio.sleep(10)

    with pytest.raises(RuntimeError, match="no"):
        await run_live(bus, clock, [], stop=stop)
