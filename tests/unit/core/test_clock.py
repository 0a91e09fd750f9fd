# SPDX-License-Identifier: Apache-2.0
"""Timers, and time that stands still within a burst."""

from __future__ import annotations

from hean.core.clock import LiveClock, SimClock
from hean.core.types import Timer


def due(clock: SimClock, ts_ns: int) -> list[tuple[int, str]]:
    fired = []
    while (payload := clock.pop_due(ts_ns)) is not None:
        fired.append((clock.now_ns, payload["name"]))
    return fired


def test_timers_fire_by_time_and_ties_by_the_order_of_the_calls() -> None:
    clock = SimClock()
    for ts_ns, name in ((20, "c"), (10, "a"), (10, "b"), (30, "later")):
        clock.call_at(ts_ns, Timer(name))
    assert due(clock, 20) == [(10, "a"), (10, "b"), (20, "c")]
    assert clock.next_timer_ns == 30


def test_a_cancelled_timer_does_not_fire_and_is_no_horizon() -> None:
    clock = SimClock()
    first = clock.call_at(10, Timer("first"))
    clock.call_at(20, Timer("second"))
    assert (clock.cancel(first), clock.cancel(first)) == (True, False)
    assert clock.next_timer_ns == 20
    assert due(clock, 99) == [(20, "second")]
    assert clock.next_timer_ns is None


def test_a_timer_in_the_past_fires_now_and_time_never_runs_backwards() -> None:
    clock = SimClock(100)
    clock.call_at(40, Timer("late"))
    assert due(clock, 100) == [(100, "late")]


def test_live_time_stands_still_between_refreshes_and_never_steps_back() -> None:
    times = iter([10, 20, 15, 30])
    clock = LiveClock(lambda: next(times))
    assert clock.now_ns == 10
    assert (clock.refresh(), clock.now_ns) == (20, 20)
    assert clock.refresh() == 20
    assert (clock.read(), clock.now_ns) == (30, 20)
