# SPDX-License-Identifier: Apache-2.0
"""Strategies for sessions on a live feed that trade without waiting for an opportunity."""

from __future__ import annotations

from collections.abc import Mapping

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, Side, Signal
from hean.strategies.base import Strategy
from hean.strategies.legs import TwoLegs


class Steady(Strategy):
    """In and out again, every four facts; keeps what it was told."""

    name = "steady"
    pace = 4

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.facts = 0
        self.told: list[tuple[str, str]] = []

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Trade."""
        symbol = event.data.symbol
        self.facts += 1
        if self.facts % self.pace or self.is_waiting(symbol):
            return
        if self.position[symbol]:
            self.leave(symbol)
        else:
            price = event.data.price
            self.enter(symbol, Side.BUY, stop_loss=price * 0.9, take_profit=price * 1.1)

    @on(EventType.HEALTH)
    def on_health(self, event: Event) -> None:
        """Remember."""
        self.told.append((event.data.component, event.data.state))


class Paced(Steady):
    """In and out again, as often as it is told to."""

    name = "paced"
    parameters = (Parameter("every", 4, "facts from one look to the next"),)

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.pace = int(self.settings["every"])


class Says(Strategy):
    """Says what has happened, for who waits for it outside the process."""

    @on(EventType.ORDER_FILLED)
    def say_filled(self, event: Event) -> None:
        """A fill."""
        print("filled", flush=True)

    @on(EventType.CANDLE)
    def say_bar(self, event: Event) -> None:
        """A bar."""
        print("a bar", flush=True)


class PacedAloud(Says, Paced):
    """Says what it does."""

    name = "aloud"


class Eager(Steady):
    """Wants more of each symbol whenever its data becomes stale, which nobody may give it."""

    name = "eager"

    @on(EventType.HEALTH)
    def on_stale(self, event: Event) -> None:
        """Ask for more."""
        symbol = (event.data.extra or {}).get("symbol")
        if symbol and event.data.state == "STALE":
            self.context.emit(Signal(symbol, Side.BUY, None, 1.0, self.name))


class Broken(Strategy):
    """Fails at its third fact."""

    name = "broken"
    facts = 0

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Fail."""
        self.facts += 1
        if self.facts == 3:
            raise ZeroDivisionError("a bug")


class Quiet(Strategy):
    """Never trades."""

    name = "quiet"


class Couple(TwoLegs):
    """Opens two legs at the first bar of both, closes them some bars later, and so on."""

    name = "couple"

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.bars: dict[str, float] = {}
        self.seen = 0

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Open, wait for two bars, close."""
        self.bars[event.data.symbol] = event.data.close
        self.seen += 1
        if len(self.bars) < 2 or self.seen % 4:
            return
        if self.is_open:
            self.close_legs(as_of_seq=event.seq)
        else:
            size = self.common_lot(1_000 / max(self.bars.values()))
            self.open_legs(size, -size, as_of_seq=event.seq)


class CoupleAloud(Says, Couple):
    """Says what it does."""

    name = "couple_aloud"


class Swing(Strategy):
    """In and out of each symbol by its bars, in sizes that the governor finds."""

    name = "swing"

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.bars = dict.fromkeys(symbols, 0)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Go in, wait for three bars, come out."""
        symbol = event.data.symbol
        self.bars[symbol] += 1
        if self.is_waiting(symbol):
            return
        if self.position[symbol]:
            if self.bars[symbol] % 3 == 0:
                self.leave(symbol, as_of_seq=event.seq)
        elif self.bars[symbol] % 3 == 1:
            side = Side.BUY if self.bars[symbol] % 2 else Side.SELL
            self.enter(symbol, side, as_of_seq=event.seq)


class Believer(Strategy):
    """In and out by what a trained model says, as much as it is sure of; out when it is silent."""

    name = "believer"

    @on(EventType.ML_PREDICTION)
    def on_prediction(self, event: Event) -> None:
        """Go in where it is sure, come out where it is not."""
        said = event.data
        if self.is_waiting(said.symbol):
            return
        is_sure = said.confidence > 0.1
        if self.position[said.symbol]:
            if not is_sure:
                self.leave(said.symbol, as_of_seq=event.seq)
        elif is_sure:
            side = Side.BUY if said.prediction > 0.5 else Side.SELL
            self.enter(said.symbol, side, strength=said.confidence, as_of_seq=event.seq)

    @on(EventType.HEALTH)
    def on_health(self, event: Event) -> None:
        """A model that is not trusted any more."""
        if event.data.component.startswith("ml:"):
            for symbol in self.symbols:
                self.leave(symbol, as_of_seq=event.seq)


class Fresh(Strategy):
    """In and out with every word of a model, and dies of an old one."""

    name = "fresh"
    ready_ns = 0

    @on(EventType.FEATURES_READY)
    def on_features(self, event: Event) -> None:
        """Remember of when they are."""
        self.ready_ns = event.data.timestamp

    @on(EventType.ML_PREDICTION)
    def on_prediction(self, event: Event) -> None:
        """Look at its age, then trade."""
        if event.ts_ns - self.ready_ns > 100_000_000:
            raise ValueError(f"an opinion of {self.ready_ns} at {event.ts_ns}")
        symbol = event.data.symbol
        if self.is_waiting(symbol):
            return
        if self.position[symbol]:
            self.leave(symbol, as_of_seq=event.seq)
        else:
            self.enter(symbol, Side.BUY, as_of_seq=event.seq)
