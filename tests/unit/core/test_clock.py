# SPDX-License-Identifier: Apache-2.0
"""Timers, and time that stands still within a burst."""

from __future__ import annotations

from hean.core.clock import LiveClock, SimClock
from hean.core.types import Timer

S = 1_000_000_000


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


def test_time_goes_on_at_half_its_pace_after_the_clock_was_set_back() -> None:
    """Whoever waits a second waits two, not an hour; and the lead is made up in the end."""
    now, ticks = [5_000 * S], [100 * S]
    clock = LiveClock(lambda: now[0], ticks=lambda: ticks[0])
    now[0] -= 3_600 * S
    seen = []
    for _ in range(4):
        now[0] += S
        ticks[0] += S
        seen.append(clock.refresh())
        assert clock.read() == clock.now_ns
    assert seen == [5_000 * S + half * S // 2 for half in (1, 2, 3, 4)]
    now[0] += 7_200 * S
    ticks[0] += 7_200 * S
    assert clock.refresh() == now[0]
