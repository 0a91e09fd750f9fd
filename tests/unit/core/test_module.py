# SPDX-License-Identifier: Apache-2.0
"""Modules: marks, wiring, and what a context gives."""

from __future__ import annotations

import re

import pytest

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.module import Context, IdSequence, Module, base36, on
from hean.core.types import Event, EventType, Signal, Tick
from hean.errors import ParameterInvalid


class Base(Module):
    """A module with one handler."""

    produces = (EventType.SIGNAL,)

    def __init__(self) -> None:
        self.seen: list[str] = []

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        self.seen.append("tick")


class Derived(Base):
    """Adds handlers, one of them for two event types."""

    @on(EventType.SIGNAL, EventType.TICK)
    def on_either(self, event: Event) -> None:
        self.seen.append(f"either {event.event_type}")


def test_what_a_module_consumes_follows_from_its_marks() -> None:
    assert Base.consumed() == {EventType.TICK}
    assert Derived.handlers() == (
        (EventType.TICK, "on_tick"),
        (EventType.SIGNAL, "on_either"),
        (EventType.TICK, "on_either"),
    )


def test_attaching_subscribes_in_order_of_definition_and_can_be_undone() -> None:
    bus, module = EventBus(), Derived()
    detach = module.attach(bus, Context(bus, bus.clock))
    bus.drain((Tick("A", 1.0, 1.0, 1),))
    assert module.seen == ["tick", "either TICK"]
    detach()
    assert bus.wanted() == frozenset()


def test_an_overriding_method_needs_its_own_mark() -> None:
    class Silent(Base):
        """Overrides the handler without a mark."""

        def on_tick(self, event: Event) -> None:
            self.seen.append("never")

    assert Silent.consumed() == frozenset()


def test_a_context_emits_and_knows_the_time() -> None:
    clock = SimClock(5)
    bus, seen = EventBus(clock=clock), []
    bus.subscribe(EventType.SIGNAL, seen.append)
    context = Context(bus, clock, name="x", config={"a": 1})
    context.emit(Signal("A", "BUY"))  # type: ignore[arg-type]  # a text is fine here
    bus.drain()
    assert (seen[0].ts_ns, context.clock.now_ns, context.config) == (5, 5, {"a": 1})
    context.log("nothing happens", why="no log given")


def draws(seed: int, name: str, label: str) -> list[float]:
    bus = EventBus()
    rng = Context(bus, bus.clock, name=name, seed=seed).rng(label)
    return [rng.random() for _ in range(3)]


def test_random_streams_repeat_by_seed_name_and_label_and_differ_otherwise() -> None:
    assert draws(1, "a", "x") == draws(1, "a", "x")
    others = [draws(2, "a", "x"), draws(1, "b", "x"), draws(1, "a", "y")]
    assert draws(1, "a", "x") not in others


def test_the_numbers_of_a_random_stream_are_fixed_for_ever() -> None:
    assert draws(0, "", "x") == [0.8649422096713323, 0.7704996946180276, 0.5273801303179154]


def test_ids_repeat_and_fit_the_venues() -> None:
    def ids() -> list[str]:
        sequence = IdSequence(epoch=37, first=35)
        return [sequence.next_id(kind) for kind in ("impulse", "Ba-sis", "x")]

    assert ids() == ids() == ["h11-impu-z", "h11-basi-10", "h11-x000-11"]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,36}", each) for each in ids())


def test_contexts_that_share_a_sequence_never_make_the_same_id() -> None:
    bus, sequence = EventBus(), IdSequence(epoch=1)
    one, two = (Context(bus, bus.clock, name=name, ids=sequence) for name in ("a", "b"))
    made = [each.next_id("same") for _ in range(10) for each in (one, two)]
    assert len(set(made)) == 20


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (35, "z"), (36, "10"), (36**5, "100000")])
def test_base36(number: int, text: str) -> None:
    assert base36(number) == text
    assert int(text, 36) == number


def test_a_negative_number_has_no_base36() -> None:
    with pytest.raises(ParameterInvalid):
        base36(-1)
