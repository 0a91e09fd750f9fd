# SPDX-License-Identifier: Apache-2.0
"""Virtual time: free, exact, repeatable."""

from __future__ import annotations

import asyncio

import pytest

from hean.core.clock import SimClock
from hean.core.simloop import SimLoop
from hean.errors import StateError


def run(coroutine: object, clock: SimClock | None = None) -> object:
    loop = SimLoop(clock)
    try:
        return loop.run_until_complete(coroutine)  # type: ignore[arg-type]  # any awaitable
    finally:
        loop.close()


def test_a_timeout_of_thirty_minutes_is_not_waited_for() -> None:
    """By a loop that waits, this test would take half an hour."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), timeout=1800)
        return asyncio.get_running_loop().time()

    assert run(main()) == 1800.0


def test_tasks_wake_in_the_order_of_their_times() -> None:
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, asyncio.get_running_loop().time()))

    async def main() -> None:
        await asyncio.gather(sleeper("late", 3), sleeper("early", 1), sleeper("tie", 1))

    run(main())
    assert seen == [("early", 1.0), ("tie", 1.0), ("late", 3.0)]


def test_the_clock_moves_with_the_loop() -> None:
    clock = SimClock(1_700_000_000_000_000_000)
    run(asyncio.sleep(0.25), clock)
    assert clock.now_ns == 1_700_000_000_250_000_000


def test_waiting_for_nothing_is_a_deadlock() -> None:
    with pytest.raises(StateError, match="deadlock"):
        run(asyncio.Event().wait())


def test_decades_of_virtual_time_still_make_progress() -> None:
    async def main() -> int:
        count = 0
        await asyncio.sleep(9e8)
        for _ in range(100):
            await asyncio.sleep(0.1)
            count += 1
        return count

    assert run(main()) == 100


def test_run_ready_stops_at_the_given_moment() -> None:
    loop, seen = SimLoop(), []
    loop.call_later(1, seen.append, "one")
    loop.call_later(2, seen.append, "two")
    assert loop.run_ready(0) is False
    assert (loop.next_timer_ns, loop.run_ready(1_000_000_000), seen) == (10**9, True, ["one"])
    assert loop.next_timer_ns == 2 * 10**9
    loop.close()
