# SPDX-License-Identifier: Apache-2.0
"""Order of delivery, the bound of the queue, and what happens when a handler fails."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.types import (
    Balance,
    Delivery,
    Event,
    EventType,
    OrderRequest,
    Regime,
    Side,
    Signal,
    Tick,
)
from hean.errors import (
    FieldInvalid,
    HandlerSuspended,
    JournalWriteFailed,
    QueueFull,
    StateError,
)


def tick(price: float = 1.0) -> Tick:
    return Tick("BTCUSDT", price, 1.0, 1)


def signal(symbol: str = "BTCUSDT") -> Signal:
    return Signal(symbol, Side.BUY)


def test_handlers_run_in_order_of_subscription() -> None:
    bus, seen = EventBus(), []
    for name in "abc":
        bus.subscribe(EventType.TICK, lambda _, name=name: seen.append(name))  # type: ignore[misc]
    bus.emit(tick())
    bus.drain()
    assert seen == ["a", "b", "c"]


def test_events_are_delivered_generation_by_generation() -> None:
    """All handlers of both ticks run before any handler of the signals they caused."""
    bus, seen = EventBus(), []

    def first(event: Event) -> None:
        seen.append(f"first {event.data.price:.0f}")
        bus.emit(signal())

    bus.subscribe(EventType.TICK, first)
    bus.subscribe(EventType.TICK, lambda event: seen.append(f"second {event.data.price:.0f}"))
    bus.subscribe(EventType.SIGNAL, lambda event: seen.append(f"signal {event.seq}"))
    bus.drain((tick(1), tick(2)))
    assert seen == ["first 1", "second 1", "first 2", "second 2", "signal 3", "signal 4"]


def test_what_belongs_to_an_event_comes_before_all_that_waits() -> None:
    bus, seen = EventBus(), []

    def first(event: Event) -> None:
        if event.data.price == 1:
            bus.emit(tick(8))
            bus.emit_next(tick(9))

    bus.subscribe(EventType.TICK, first)
    bus.subscribe(EventType.TICK, lambda event: seen.append((event.seq, event.data.price)))
    bus.drain((tick(1), tick(2)))
    assert seen == [(1, 1), (2, 9), (3, 2), (4, 8)]


def test_emit_never_calls_a_handler() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(EventType.TICK, seen.append)
    bus.emit(tick())
    assert (seen, len(bus)) == ([], 1)


def test_a_handler_that_drains_is_refused() -> None:
    bus = EventBus()
    bus.subscribe(EventType.TICK, lambda _: bus.drain())
    bus.emit(tick())
    with pytest.raises(StateError, match="drain was called by a handler"):
        bus.drain()


def test_events_carry_time_and_a_number_without_gaps() -> None:
    clock = SimClock(500)
    bus, seen = EventBus(clock=clock), []
    bus.tap(lambda event: seen.append((event.seq, event.ts_ns, event.source)))
    bus.drain((tick(), Event(EventType.TICK, tick(), source="ingestion")))
    clock.now_ns = 600
    bus.drain((signal(),))
    assert seen == [(1, 500, ""), (2, 500, "ingestion"), (3, 600, "")]


def test_an_event_that_was_received_can_be_emitted_again() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(EventType.TICK, seen.append)
    bus.drain((tick(),))
    bus.drain((seen[0],))
    assert [event.seq for event in seen] == [1, 2]


def test_taps_see_every_event_before_its_handlers() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(EventType.TICK, lambda _: seen.append("handler"))
    bus.tap(lambda event: seen.append(f"tap {event.event_type}"))
    bus.drain((tick(), signal()))
    assert seen == ["tap TICK", "handler", "tap SIGNAL"]


def test_a_removed_tap_sees_nothing() -> None:
    bus, seen = EventBus(), []
    remove = bus.tap(seen.append)
    remove()
    remove()
    bus.drain((tick(),))
    assert seen == []


def test_unsubscribing_during_delivery_takes_effect_with_the_next_event() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(EventType.TICK, lambda _: unsubscribe())
    unsubscribe = bus.subscribe(EventType.TICK, seen.append)
    bus.drain((tick(1), tick(2)))
    assert [event.data.price for event in seen] == [1]


def test_one_handler_subscribed_twice_is_removed_once() -> None:
    bus, seen = EventBus(), []
    unsubscribe = bus.subscribe(EventType.TICK, seen.append)
    bus.subscribe(EventType.TICK, seen.append)
    unsubscribe()
    unsubscribe()
    bus.drain((tick(),))
    assert len(seen) == 1


def test_wanted_names_the_types_with_a_handler() -> None:
    bus = EventBus()
    unsubscribe = bus.subscribe(EventType.TICK, lambda _: None)
    bus.tap(lambda _: None)
    assert bus.wanted() == {EventType.TICK}
    unsubscribe()
    assert bus.wanted() == frozenset()


def test_a_limit_leaves_the_rest_in_order() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(EventType.TICK, lambda event: seen.append(event.data.price))
    bus.drain((tick(1), tick(2), tick(3)), limit=2)
    assert (seen, len(bus)) == ([1, 2], 1)
    bus.drain()
    assert seen == [1, 2, 3]


def test_something_that_is_no_fact_is_refused() -> None:
    bus = EventBus()
    bus.emit({"symbol": "BTCUSDT"})  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(FieldInvalid, match="a dict was emitted"):
        bus.drain()


# ---------------------------------------------------------------- failures


def broken(event: Event) -> None:
    raise ValueError("bug")


def test_a_failing_handler_stops_a_simulation_with_the_event_attached() -> None:
    bus = EventBus()
    bus.subscribe(EventType.TICK, broken)
    with pytest.raises(ValueError, match="bug") as caught:
        bus.drain((tick(7.0),))
    assert caught.value.event.data.price == 7.0  # type: ignore[attr-defined]
    assert "handling event 1" in caught.value.__notes__[0]


class Part:
    """A module-like owner of a failing handler."""

    name = "part"

    def __init__(self, truth: bool) -> None:
        self.truth = truth

    def on_tick(self, event: Event) -> None:
        raise ValueError("bug")


def test_the_type_of_an_event_may_be_given_as_a_text() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(EventType.TICK, seen.append)
    bus.emit(Event("TICK", tick()))  # type: ignore[arg-type]  # the point of the test
    bus.drain()
    assert seen[0].event_type is EventType.TICK


@pytest.mark.parametrize("truth", [False, True])
def test_a_failure_that_is_reported_becomes_a_fact_and_the_others_go_on(truth: bool) -> None:
    failures: list[tuple[Any, ...]] = []
    halts: list[str] = []
    bus = EventBus(
        on_failure=lambda *report: failures.append(report),
        on_truth_failure=lambda component, *_: halts.append(component),
    )
    errors: list[Event] = []
    after: list[Event] = []
    bus.subscribe(EventType.TICK, Part(truth).on_tick)
    bus.subscribe(EventType.TICK, after.append)
    bus.subscribe(EventType.ERROR, errors.append)
    bus.drain((tick(),))
    assert [report[0] for report in failures] == ["part"]
    assert halts == (["part"] if truth else [])
    (error,) = errors
    assert (error.data.component, error.data.error) == ("part", "ValueError: bug")
    assert error.data.event_seq == after[0].seq == 1


def test_a_failing_handler_of_errors_does_not_go_round_in_circles() -> None:
    failures: list[Any] = []
    bus = EventBus(on_failure=lambda *report: failures.append(report))
    bus.subscribe(EventType.TICK, broken)
    bus.subscribe(EventType.ERROR, broken)
    bus.drain((tick(),))
    assert len(failures) == 2


def test_a_fatal_error_is_never_only_reported() -> None:
    def tap(event: Event) -> None:
        raise JournalWriteFailed("disk")

    bus = EventBus(on_failure=lambda *_: None)
    bus.tap(tap)
    with pytest.raises(JournalWriteFailed):
        bus.drain((tick(),))


# ---------------------------------------------------------------- bound


def crowded(count: int, *, size: int = 10) -> EventBus:
    """A bus of *size* in which *count* class A facts wait."""
    bus = EventBus(size)
    for _ in range(count):
        bus.emit(Balance("USDT", Decimal(1), Decimal(1)))
    return bus


@pytest.mark.parametrize("fact", [signal(), tick()])
def test_new_input_is_refused_above_the_high_water_mark(fact: Any) -> None:
    bus = crowded(7)
    bus.emit(fact)
    with pytest.raises(QueueFull, match="8 events wait, 10 are allowed"):
        bus.emit(fact)
    assert len(bus) == 8


def test_class_a_is_taken_up_to_the_bound_and_then_refused_aloud() -> None:
    bus = crowded(10)
    for emit in (bus.emit, bus.emit_next):
        with pytest.raises(QueueFull):
            emit(OrderRequest("BTCUSDT", Side.BUY, Decimal(1)))
    assert len(bus) == 10


def test_class_b_is_merged_into_the_waiting_fact_of_its_key() -> None:
    bus, seen = EventBus(10), []
    bus.subscribe(
        EventType.REGIME, lambda event: seen.append((event.data.symbol, event.data.regime))
    )
    bus.emit(Regime("A", "calm", 1.0))
    bus.emit(Regime("B", "calm", 1.0))
    for _ in range(8):
        bus.emit(Balance("USDT", Decimal(1), Decimal(1)))
    bus.emit(Regime("B", "wild", 1.0))
    assert (len(bus), bus.merged) == (10, 1)
    with pytest.raises(QueueFull):
        bus.emit(Regime("C", "calm", 1.0))
    bus.drain()
    assert seen == [("A", "calm"), ("B", "wild")]


class Notice(Tick, frozen=True):
    """A droppable fact; the vocabulary has none today."""

    delivery: ClassVar = Delivery.DROPPABLE


def test_class_d_drops_its_oldest_and_is_counted() -> None:
    bus = crowded(6)
    first, second, third = (Notice("A", price, 1.0, 1) for price in (1.0, 2.0, 3.0))
    bus.emit(first)
    bus.emit(second)
    for _ in range(2):
        bus.emit(Balance("USDT", Decimal(1), Decimal(1)))
    bus.emit(third)
    waiting = list(bus._queue)
    assert (first in waiting, second in waiting, third in waiting) == (False, True, True)
    assert (len(bus), bus.dropped) == (10, 1)


# ---------------------------------------------------------------- async


async def test_an_async_handler_that_only_publishes_runs_inline() -> None:
    bus, seen = EventBus(), []

    async def handler(event: Event) -> None:
        await bus.publish(Event(EventType.SIGNAL, {"symbol": "BTC/USDT", "side": "BUY"}))
        seen.append("tick")

    bus.subscribe(EventType.TICK, handler)
    bus.subscribe(EventType.SIGNAL, lambda _: seen.append("signal"))
    bus.drain((tick(),))
    assert seen == ["tick", "signal"]


def test_an_async_handler_that_waits_stops_the_simulation_naming_it() -> None:
    async def sleeper(event: Event) -> None:
        await asyncio.sleep(0)

    bus = EventBus()
    bus.subscribe(EventType.TICK, sleeper)
    with pytest.raises(HandlerSuspended, match=r"sleeper waits .*event 1 \(TICK\).*virtual-loop"):
        bus.drain((tick(),))


def test_an_async_handler_that_needs_a_loop_is_told_about_the_virtual_one() -> None:
    async def waiter(event: Event) -> None:
        async with asyncio.timeout(0.1):
            await asyncio.sleep(0)

    bus = EventBus()
    bus.subscribe(EventType.TICK, waiter)
    with pytest.raises(HandlerSuspended, match="virtual-loop"):
        bus.drain((tick(),))


def test_an_async_handler_that_fails_inline_is_a_failing_handler() -> None:
    async def bad(event: Event) -> None:
        raise ValueError("bug")

    bus = EventBus()
    bus.subscribe(EventType.TICK, bad)
    with pytest.raises(ValueError, match="bug"):
        bus.drain((tick(),))


async def test_publish_from_the_rim_waits_while_the_queue_is_crowded() -> None:
    bus = crowded(8)
    bus.on_work = lambda: None
    publishing = asyncio.create_task(bus.publish(tick()))
    await asyncio.sleep(0.01)
    assert not publishing.done()
    bus.drain(limit=4)
    await publishing
    assert len(bus) == 5
