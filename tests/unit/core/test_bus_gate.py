# SPDX-License-Identifier: Apache-2.0
"""The gate of an event type: asked before every handler, whenever that subscribed."""

from __future__ import annotations

import pytest

from hean.core.bus import EventBus
from hean.core.types import Event, EventType, Tick
from hean.errors import StateError

TICK = Tick("BTCUSDT", 1.0, 1.0, 0)
DEAR = Tick("BTCUSDT", 2.0, 1.0, 0)


def is_cheap(event: Event) -> bool:
    return bool(event.data.price < 2)


def test_what_the_gate_refuses_reaches_no_handler_but_every_tap() -> None:
    bus = EventBus()
    handled: list[Event] = []
    tapped: list[Event] = []
    bus.subscribe(EventType.TICK, handled.append)
    bus.gate(EventType.TICK, is_cheap)
    bus.subscribe(EventType.TICK, handled.append)
    bus.tap(tapped.append)
    bus.drain((TICK, DEAR, TICK))
    assert [event.seq for event in handled] == [1, 1, 3, 3]
    assert [event.seq for event in tapped] == [1, 2, 3]


def test_a_gate_that_fails_refuses() -> None:
    failures: list[str] = []
    handled: list[Event] = []
    bus = EventBus(on_failure=lambda component, error, event: failures.append(str(error)))

    def broken(event: Event) -> bool:
        raise ValueError("no idea")

    bus.gate(EventType.TICK, broken)
    bus.subscribe(EventType.TICK, handled.append)
    bus.drain((TICK,))
    assert (failures, handled) == (["no idea"], [])


def test_without_anybody_to_tell_the_error_of_a_gate_is_raised_with_one_note() -> None:
    bus = EventBus()

    def broken(event: Event) -> bool:
        raise ValueError("no idea")

    bus.gate(EventType.TICK, broken)
    with pytest.raises(ValueError, match="no idea") as caught:
        bus.drain((TICK,))
    assert len(caught.value.__notes__) == 1


def test_a_handler_behind_a_gate_that_fails_does_not_stop_the_others() -> None:
    handled: list[Event] = []
    bus = EventBus(on_failure=lambda component, error, event: None)

    def broken(event: Event) -> None:
        raise ValueError("mine alone")

    bus.gate(EventType.TICK, is_cheap)
    bus.subscribe(EventType.TICK, broken)
    bus.subscribe(EventType.TICK, handled.append)
    bus.drain((TICK,))
    assert len(handled) == 1


def test_a_second_gate_is_refused_and_a_removed_one_decides_nothing() -> None:
    bus = EventBus()
    handled: list[Event] = []
    remove = bus.gate(EventType.TICK, is_cheap)
    assert bus.wanted() == {EventType.TICK}
    with pytest.raises(StateError, match="TICK has a gate already"):
        bus.gate(EventType.TICK, is_cheap)
    remove()
    bus.subscribe(EventType.TICK, handled.append)
    bus.drain((DEAR,))
    assert len(handled) == 1
