# SPDX-License-Identifier: Apache-2.0
"""What one event costs on the bus, delivery included, beside NautilusTrader's message bus.

Handlers are empty functions. HEAN: `emit` of a payload and `drain`, again and again, which is the
life of an event between modules; `deliver` hands a payload to `drain`, which is the life of a
market event; `burst` emits 1,000 events and drains once; `driver` plays ticks through
`run_simulated` from a Python iterator. The goals are set on the first form, the dearest one.
Peer: `MessageBus.publish` of the same payload to an exact topic. Both in this process, in turns;
one unmeasured turn first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.driver import run_simulated
from hean.core.ports import Instant
from hean.core.types import Event, EventType, Tick
from measure import Result, python_with, say, turns

EVENTS = 300_000
BURST = 1_000
TICK = Tick("BTCUSDT", 60_000.0, 0.5, 1)
EVENT = Event(EventType.TICK, TICK)

Timed = Callable[[int], float]
"""Nanoseconds an event, over so many."""


class Replay:
    """Ticks made beforehand, one per instant."""

    def __init__(self, count: int) -> None:
        self._instants = iter([(ns, (TICK,)) for ns in range(count)])

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Everything is a tick."""

    def next(self, horizon_ns: int | None) -> Instant | None:
        """One more tick."""
        return next(self._instants, None)


def ignore(event: Any) -> None:
    """A handler that does nothing."""


def bus_with(handlers: int) -> EventBus:
    """A bus with so many handlers of ticks."""
    bus = EventBus()
    for _ in range(handlers):
        bus.subscribe(EventType.TICK, lambda event: None)
    return bus


def hean_single(handlers: int) -> Timed:
    """Emit one payload, drain."""

    def timed(events: int) -> float:
        bus = bus_with(handlers)
        emit, drain = bus.emit, bus.drain
        started = time.perf_counter_ns()
        for _ in range(events):
            emit(TICK)
            drain()
        return (time.perf_counter_ns() - started) / events

    return timed


def hean_deliver(handlers: int) -> Timed:
    """Hand one payload over, as the kernel's loop does with what the market brings."""

    def timed(events: int) -> float:
        drain, facts = bus_with(handlers).drain, (TICK,)
        started = time.perf_counter_ns()
        for _ in range(events):
            drain(facts)
        return (time.perf_counter_ns() - started) / events

    return timed


def hean_burst(events: int) -> float:
    """Emit 1,000 events, drain once."""
    bus = bus_with(1)
    emit, drain = bus.emit, bus.drain
    started = time.perf_counter_ns()
    for _ in range(events // BURST):
        for _ in range(BURST):
            emit(EVENT)
        drain()
    return (time.perf_counter_ns() - started) / (events // BURST * BURST)


def hean_driver(events: int) -> float:
    """Ticks through the kernel's loop on simulated time."""
    clock = SimClock()
    bus = EventBus(clock=clock)
    bus.subscribe(EventType.TICK, ignore)
    source = Replay(events)
    started = time.perf_counter_ns()
    run_simulated(bus, clock, source)
    return (time.perf_counter_ns() - started) / events


def nautilus(handlers: int) -> Timed:
    """Publish one payload."""
    from nautilus_trader.common.component import LiveClock, MessageBus
    from nautilus_trader.model.identifiers import TraderId

    def timed(events: int) -> float:
        bus = MessageBus(TraderId("BENCH-001"), LiveClock())
        topic = "data.quotes.SIM.BTCUSDT"
        for _ in range(handlers):
            bus.subscribe(topic, lambda event: None)
        publish = bus.publish
        started = time.perf_counter_ns()
        for _ in range(events):
            publish(topic, TICK)
        return (time.perf_counter_ns() - started) / events

    return timed


def run(rounds: int, quick: bool = False) -> Result:
    """All forms in turns."""
    result = Result(
        workload="one payload to 1 and to 3 empty handlers, ns an event, delivery included",
        goals={"x1_vs_nautilus": (">=", 4.0), "x3_vs_nautilus": (">=", 3.0)},
    )
    forms: dict[str, Timed] = {
        "hean x1 ns": hean_single(1),
        "hean x3 ns": hean_single(3),
        "hean deliver x1 ns": hean_deliver(1),
        "hean deliver x3 ns": hean_deliver(3),
        "hean burst x1 ns": hean_burst,
        "hean driver x1 ns": hean_driver,
    }
    if python_with("nautilus_trader") is None:
        result.missing["nautilus_trader"] = "not installed; `make bench` installs it"
    else:
        forms |= {"nautilus x1 ns": nautilus(1), "nautilus x3 ns": nautilus(3)}
    events = EVENTS // 10 if quick else EVENTS
    for form in forms.values():
        form(events // 10)
    for turn in range(rounds):
        done = {name: forms[name](events) for name in turns(list(forms), turn)}
        ratios = {}
        for handlers in ("x1", "x3"):
            if f"nautilus {handlers} ns" in done:
                peer, own = done[f"nautilus {handlers} ns"], done[f"hean {handlers} ns"]
                ratios[f"{handlers}_vs_nautilus"] = peer / own
                deliver = done[f"hean deliver {handlers} ns"]
                ratios[f"{handlers}_deliver_vs_nautilus"] = peer / deliver
        result.add(done, ratios)
        say(f"round {turn + 1}: " + ", ".join(f"{k} {v:.1f}" for k, v in ratios.items()))
    return result
