# SPDX-License-Identifier: Apache-2.0
"""What one event costs on the bus, delivery included: `python bench/bench_bus.py`.

Nanoseconds per event, best of the repeats; handlers are empty functions. `single` emits one event
and drains, again and again, which is the life of a tick in a backtest; `burst` emits 1,000 events
and drains once; `driver` plays ticks through `run_simulated` from a Python iterator.
"""

from __future__ import annotations

import json
import sys
import time
import timeit
from collections.abc import Callable

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.driver import run_simulated
from hean.core.ports import Instant
from hean.core.types import Event, EventType, Tick

REPEATS = 7
ROUNDS = 100_000
BURST = 1_000
TICK = Tick("BTCUSDT", 60_000.0, 0.5, 1)
EVENT = Event(EventType.TICK, TICK)


class Replay:
    """Ticks made beforehand, one per instant."""

    def __init__(self, count: int) -> None:
        self._instants = iter([(ns, (TICK,)) for ns in range(count)])

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Everything is a tick."""

    def next(self, horizon_ns: int | None) -> Instant | None:
        return next(self._instants, None)


def ignore(event: Event) -> None:
    """A handler that does nothing."""


def bus_with(handlers: int) -> EventBus:
    bus = EventBus()
    for _ in range(handlers):
        bus.subscribe(EventType.TICK, ignore)
    return bus


def best_ns(run: Callable[[], object], *, events: int, rounds: int) -> float:
    seconds = min(timeit.repeat(run, number=rounds, repeat=REPEATS))
    return round(seconds / rounds / events * 1e9, 1)


def measure(handlers: int) -> dict[str, float]:
    bus = bus_with(handlers)

    def payload() -> None:
        bus.emit(TICK)
        bus.drain()

    def made() -> None:
        bus.emit(Tick("BTCUSDT", 60_000.0, 0.5, 1))
        bus.drain()

    def event() -> None:
        bus.emit(EVENT)
        bus.drain()

    def burst() -> None:
        for _ in range(BURST):
            bus.emit(EVENT)
        bus.drain()

    return {
        "single_payload_ns": best_ns(payload, events=1, rounds=ROUNDS),
        "single_payload_made_here_ns": best_ns(made, events=1, rounds=ROUNDS),
        "single_event_ns": best_ns(event, events=1, rounds=ROUNDS),
        "drain_of_one_payload_ns": best_ns(lambda: bus.drain((TICK,)), events=1, rounds=ROUNDS),
        "burst_event_ns": best_ns(burst, events=BURST, rounds=ROUNDS // BURST),
    }


def driver_ns(count: int = 300_000) -> float:
    times = []
    for _ in range(REPEATS):
        clock = SimClock()
        bus = EventBus(clock=clock)
        bus.subscribe(EventType.TICK, ignore)
        source = Replay(count)
        began = time.perf_counter()
        run_simulated(bus, clock, source)
        times.append(time.perf_counter() - began)
    return round(min(times) / count * 1e9, 1)


def main() -> None:
    result: dict[str, object] = {f"handlers_{n}": measure(n) for n in (1, 3)}
    result["driver_per_tick_ns"] = driver_ns()
    result["python"] = sys.version.split()[0]
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
