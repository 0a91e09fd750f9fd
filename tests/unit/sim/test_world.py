# SPDX-License-Identifier: Apache-2.0
"""The simulated world: virtual time, labelled chance, one step at a time, and a trace of it all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from hean.errors import StateError
from hean.sim.process import Process
from hean.sim.world import START_NS, World, stream


@pytest.fixture
def world() -> Iterator[World]:
    found = World(1)
    yield found
    found.close()


def life(world: World, number: int = 1) -> Process:
    return Process(world, number, lambda why: None)


def run_for(world: World, seconds: float) -> None:
    world.later(seconds, world.loop.stop)
    world.loop.run_forever()


def test_an_hour_of_sleep_takes_no_time(world):
    run_for(world, 3_600.0)
    assert world.now() - START_NS == pytest.approx(3_600e9, abs=2_000)


def test_a_draw_more_in_one_stream_moves_no_other():
    first, second = stream(7, "net"), stream(7, "disk")
    second.random()
    assert [first.random() for _ in range(3)] == [
        number
        for one in [stream(7, "net")]
        for number in (one.random(), one.random(), one.random())
    ]
    assert stream(7, "net").random() != stream(8, "net").random()


def test_the_clock_of_the_machine_steps_and_time_goes_on(world):
    world.skew_ns = -3_600_000_000_000
    before = world.now_s()
    run_for(world, 5.0)
    assert world.machine_now() == world.now() - 3_600_000_000_000
    assert world.now_s() - before == pytest.approx(5.0)


def test_the_trace_tells_one_byte_and_one_step_apart():
    def traced(what: bytes, shift_s: float) -> str:
        world = World(1)
        world.loop.after_step = world.note_step
        world.later(shift_s, lambda: world.note(what))
        run_for(world, 1.0)
        trace = world.trace()
        world.close()
        return trace

    assert traced(b"a", 0.5) == traced(b"a", 0.5)
    assert len({traced(b"a", 0.5), traced(b"b", 0.5), traced(b"a", 0.25)}) == 3


def order(seed: int, *, are_tasks: bool) -> list[int]:
    """Eight things that can happen at one moment, as they happen."""
    world = World(seed, shuffles=True)
    found: list[int] = []

    async def task(number: int) -> None:
        found.append(number)

    for number in range(8):
        if are_tasks:
            world.loop.create_task(task(number))
        else:
            world.loop.call_soon(found.append, number)
    run_for(world, 1.0)
    world.close()
    return found


def test_tasks_of_one_moment_run_in_an_order_of_the_seed():
    assert sorted(order(3, are_tasks=True)) == list(range(8))
    assert order(3, are_tasks=True) == order(3, are_tasks=True)
    assert len({tuple(order(seed, are_tasks=True)) for seed in range(5)}) > 1


def test_plain_callbacks_keep_their_order():
    assert [order(seed, are_tasks=False) for seed in range(5)] == [list(range(8))] * 5


def test_a_world_in_which_everybody_waits_is_a_deadlock(world):
    with pytest.raises(StateError, match="deadlock"):
        world.loop.run_forever()


# ---------------------------------------------------------------- processes


def test_nothing_of_a_killed_process_runs_any_more(world):
    said: list[str] = []

    async def main() -> None:
        try:
            while True:
                said.append("tick")
                await asyncio.sleep(1.0)
        finally:
            said.append("cleaned up")

    process = life(world)
    process.run(main())
    world.later(2.5, process.kill)
    run_for(world, 10.0)
    assert said == ["tick", "tick", "tick"]


def test_tasks_and_timers_that_a_process_started_die_with_it(world):
    said: list[str] = []

    async def child() -> None:
        await asyncio.sleep(2.0)
        said.append("child")

    async def main() -> None:
        asyncio.get_running_loop().create_task(child())
        asyncio.get_running_loop().call_later(2.0, said.append, "timer")
        await asyncio.sleep(60.0)

    process = life(world)
    process.run(main())
    world.later(1.0, process.kill)
    run_for(world, 10.0)
    assert said == []


def test_a_process_dies_at_its_step_and_the_world_goes_on(world):
    counted: list[int] = []

    def step(owner: Process | None) -> None:
        if owner is not None:
            owner.step()

    world.loop.after_step = step

    async def main() -> None:
        while True:
            counted.append(1)
            await asyncio.sleep(0.1)

    process = life(world)
    process.die_at_step = 4
    process.run(main())
    run_for(world, 10.0)
    assert not process.is_alive
    assert process.steps == 4
    assert len(counted) == 2  # a sleep is two steps: the timer, and the task it wakes


def test_what_a_process_ends_with_is_told(world):
    told: list[str] = []

    async def main() -> None:
        raise ValueError("no more")

    process = Process(world, 1, told.append)
    process.run(main())
    run_for(world, 1.0)
    assert told == ["ValueError: no more"]
    assert not process.is_alive
