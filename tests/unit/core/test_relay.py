# SPDX-License-Identifier: Apache-2.0
"""A model in another process is heard as if it were here: each fact at the event it was made at, in
the order of one process; what comes too late is told, and counted.
"""

from __future__ import annotations

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.message import Message, derived, pack, unpack
from hean.core.module import Context, Module, on
from hean.core.relay import Deriving, Relay
from hean.core.types import (
    Candle,
    Changepoint,
    Event,
    EventType,
    FeaturesReady,
    Health,
    MlPrediction,
    Tick,
    Timer,
    VolForecast,
)

BAR = Candle("BTCUSDT", 1.0, 1.0, 1.0, 1.0, 1.0, "1m", 0)


class Model(Module):
    """Says something of each bar, and of each tick something that nobody hears."""

    name = "garch"
    produces = (EventType.VOL_FORECAST, EventType.REGIME)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        self.context.emit(VolForecast(event.data.symbol, 0.02, 60))


class Ear(Module):
    """Keeps what it hears, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []

    @on(EventType.CANDLE, EventType.VOL_FORECAST, EventType.CHANGEPOINT)
    def on_any(self, event: Event) -> None:
        self.heard.append((event.event_type, event.ts_ns))


def bus_of(*modules: Module) -> tuple[EventBus, SimClock]:
    clock = SimClock(0)
    bus = EventBus(clock=clock)
    for module in modules:
        module.attach(bus, Context(bus, clock, name=module.name))
    return bus, clock


def made() -> Message:
    """What a process of models says of a bar, over the wire."""
    model = Model()
    bus, clock = bus_of(model)
    deriving = Deriving(bus, [model], frozenset({EventType.VOL_FORECAST}))
    clock.now_ns = 5
    bus.emit(Tick("BTCUSDT", 1.0, 1.0, 5))
    bus.emit(BAR)
    bus.drain()
    return unpack(pack("garch-volatility", 3, 0, 5, (), as_of=9, made=deriving.take()))


def test_a_fact_is_told_at_its_event_and_before_what_follows_from_it() -> None:
    message = made()
    assert (message.as_of, message.is_beat) == (9, False)
    relay, ear = Relay(), Ear()
    bus, clock = bus_of(relay, ear)
    change = derived(
        "changepoint", Event(EventType.CANDLE, BAR, 5, 1, ""), Changepoint("BTCUSDT", 0.5, 3)
    )
    relay.hold([change, *message.derived])
    for now_ns in (4, 5):
        clock.now_ns = now_ns
        bus.emit(BAR)
        bus.drain()
    assert ear.heard == [("CANDLE", 4), ("CANDLE", 5), ("VOL_FORECAST", 5), ("CHANGEPOINT", 5)]
    assert (relay.told, relay.late, relay.left(10)) == (2, 0, ())


def test_what_was_made_by_a_timer_has_one_here_and_what_is_late_is_counted() -> None:
    relay, ear = Relay(), Ear()
    _, clock = bus_of(relay, ear)
    cause = Event(EventType.TIMER, Timer("candles.close"), 7, 1, "")
    relay.hold([derived("candles", cause, BAR)])
    assert clock.next_timer_ns == 7
    relay.hold(made().derived)
    assert relay.left(4) == ()
    assert relay.left(5) == (VolForecast("BTCUSDT", 0.02, 60),)
    assert relay.late == 1


def test_a_late_prediction_is_none_but_word_of_the_model_is_told() -> None:
    """A model that was away and catches up says what it would have said; that time is over."""
    relay = Relay()
    bus_of(relay)
    features = FeaturesReady("BTCUSDT", {"return_1": 0.0}, 5, "version")
    distrusted = Health("ml:test", "SHADOW", 1)
    bar, ready = (
        Event(fact.event_type, fact, 5, at, "") for at, fact in enumerate((BAR, features))
    )
    relay.hold([
        derived("features", bar, features),
        derived("ml", ready, MlPrediction(0.9, "BTCUSDT", 0.8)),
        derived("ml", ready, distrusted),
    ])  # fmt: skip
    assert relay.left(5) == (distrusted,)
    assert relay.late == 3
