# SPDX-License-Identifier: Apache-2.0
"""`relay.py`: a model in another process, as if it were here. `Deriving` notes, where it runs, at
which event each of its facts was made; `Relay` stands, where it is missing, in its place on the
bus and tells each fact at that same event. So who listens to it hears what it would hear if all
were in one process, in the same order. Neither waits: whoever plays messages sees to it that what
is derived of a moment is held before that moment is played.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hean.core.bus import EventBus, Fact
from hean.core.message import Derived, derived
from hean.core.module import Module, on
from hean.core.types import Event, EventType, Payload, Timer

TIMER = "relay.tell"
ORDER = ("candles", "garch", "kalman", "changepoint", "regime", "features", "ml")
"""Of parts whose facts are made at one event: as one process has them on its bus."""
PERISHING = frozenset({EventType.FEATURES_READY, EventType.ML_PREDICTION})
"""An answer of a trained model that is late is none: nobody acts on an old opinion."""

Place = tuple[int, EventType, str]


class Relay(Module):
    """Tells what is held, each at its event."""

    name = "relay"
    produces = (
        EventType.CANDLE, EventType.HEDGE_RATIO, EventType.VOL_FORECAST, EventType.CHANGEPOINT,
        EventType.REGIME, EventType.FEATURES_READY, EventType.ML_PREDICTION, EventType.HEALTH,
    )  # fmt: skip

    def __init__(self) -> None:
        self.told = self.late = 0
        """Facts told at their event, and those that came after it, told or not."""
        self._held: dict[Place, list[Derived]] = {}

    def hold(self, facts: Iterable[Derived]) -> None:
        """Keep facts of moments that are still to be played."""
        for each in facts:
            place = each.at_ns, each.cause, each.key
            if each.cause is EventType.TIMER and place not in self._held:
                self.context.clock.call_at(each.at_ns, Timer(TIMER))
            held = self._held.setdefault(place, [])
            held.append(each)
            held.sort(key=_rank)

    def left(self, until_ns: int) -> tuple[Payload, ...]:
        """Take what is held of moments up to *until_ns*, whose event did not come, except for what
        perishes.
        """
        places = [place for place in self._held if place[0] <= until_ns]
        found = [each for place in sorted(places) for each in self._held.pop(place)]
        self.late += len(found)
        return tuple([each.payload() for each in found if each.fact[0] not in PERISHING])

    @on(
        EventType.TICK, EventType.CANDLE, EventType.HEDGE_RATIO, EventType.CHANGEPOINT,
        EventType.FEATURES_READY, EventType.TIMER,
    )  # fmt: skip
    def on_cause(self, event: Event) -> None:
        """Tell what was made at this event."""
        if not self._held:
            return
        place = event.ts_ns, event.event_type, event.data.key_value()
        for each in self._held.pop(place, ()):
            self.told += 1
            self.context.emit(each.payload())


class Deriving:
    """Notes what *parts* emit on *bus*, of the kinds *told*."""

    def __init__(self, bus: EventBus, parts: Sequence[Module], told: frozenset[EventType]) -> None:
        self._event: Event | None = None
        self._told = told
        self._made: list[Derived] = []
        bus.tap(self._see)
        for part in parts:
            part.context.emit = _Noting(self, part)

    def take(self) -> list[Derived]:
        """What was made since it was taken last."""
        made, self._made = self._made, []
        return made

    def note(self, part: str, payload: Payload) -> None:
        """*part* emitted *payload* at the event that is being handled."""
        if payload.event_type in self._told and self._event is not None:
            self._made.append(derived(part, self._event, payload))

    def _see(self, event: Event) -> None:
        self._event = event


class _Noting:
    """The `emit` of a part that is listened to."""

    def __init__(self, deriving: Deriving, part: Module) -> None:
        self._deriving = deriving
        self._name = part.name
        self._emit = part.context.emit

    def __call__(self, fact: Fact) -> None:
        self._deriving.note(self._name, fact.data if isinstance(fact, Event) else fact)
        self._emit(fact)


def _rank(each: Derived) -> int:
    return ORDER.index(each.part) if each.part in ORDER else len(ORDER)
