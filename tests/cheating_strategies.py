# SPDX-License-Identifier: Apache-2.0
"""Strategies that cheat, each in its own way, for the checks that must catch them; and some that
only look as if. A cheat reads the recording of the market it is played on, whose path it is told.
"""

from __future__ import annotations

import datetime
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from hean.core.bus import EventBus
from hean.core.module import Context, on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, Funding, Side
from hean.strategies.base import Strategy

HOLD = 3  # bars


class _Cheat(Strategy):
    """Long or short for a few bars by what `wants` says, which sees all closes and a place."""

    parameters = (Parameter("file", "", "recording of the market"),)

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        frame = pl.read_parquet(self.p.file)
        self.closes = frame["close"].to_numpy()
        self.place = {int(ts): n for n, ts in enumerate(frame["ts"].to_list())}
        self.held = 0
        self.prepare()

    def prepare(self) -> None:
        """Look at everything once."""

    def wants(self, place: int) -> float:
        """Above zero to buy, below to sell."""
        raise NotImplementedError

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Hold for a few bars what was wanted."""
        symbol = event.data.symbol
        if self.is_waiting(symbol):
            return
        if self.position[symbol]:
            self.held += 1
            if self.held >= HOLD:
                self.leave(symbol)
            return
        wanted = self.wants(self.place[event.data.timestamp // 1_000_000])
        if wanted:
            self.held = 0
            self.enter(symbol, Side.BUY if wanted > 0 else Side.SELL)


class PeeksOneBar(_Cheat):
    """Knows the next close."""

    name = "peeks"

    def wants(self, place: int) -> float:
        """The next bar's move, if it is worth a trade."""
        if place + 1 >= len(self.closes):
            return 0.0
        move = self.closes[place + 1] / self.closes[place] - 1
        return float(move) if abs(move) > 0.002 else 0.0


class Repaints(_Cheat):
    """Trades turning points that only later bars make turning points."""

    name = "repaints"
    around = 6

    def wants(self, place: int) -> float:
        """Buy the lowest close around, sell the highest, as a chart shows them afterwards."""
        near = self.closes[max(place - self.around, 0) : place + self.around + 1]
        if self.closes[place] == near.min():
            return 1.0
        return -1.0 if self.closes[place] == near.max() else 0.0


class FitsOnAll(_Cheat):
    """Knows mean and deviation of the whole sample."""

    name = "fits"

    def prepare(self) -> None:
        """A scale over everything."""
        self.score = (self.closes - self.closes.mean()) / self.closes.std()

    def wants(self, place: int) -> float:
        """Back to the mean that is to be."""
        score = float(self.score[place])
        return -score if abs(score) > 0.8 else 0.0


class DrawsWithoutSeed(Strategy):
    """Throws a coin that nobody can throw again."""

    name = "coin"

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Heads: in. Tails: out."""
        symbol = event.data.symbol
        if self.is_waiting(symbol) or random.random() > 0.1:
            return
        if self.position[symbol]:
            self.leave(symbol)
        else:
            self.enter(symbol, Side.BUY)


class FollowsTheLast(Strategy):
    """Honest and simple: follows the last bars, whatever they are worth."""

    name = "follows"

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.closes: list[float] = []

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """In the direction of the last five bars, for as long as it lasts."""
        symbol = event.data.symbol
        self.closes.append(event.data.close)
        if len(self.closes) < 6 or self.is_waiting(symbol):
            return
        move = float(np.sign(np.log(self.closes[-1] / self.closes[-6])))
        held = float(np.sign(float(self.position[symbol])))
        if held and move != held:
            self.leave(symbol)
        elif not held and move:
            self.enter(symbol, Side.BUY if move > 0 else Side.SELL)


class PaysItself(FollowsTheLast):
    """Tells the account of funding that no venue paid."""

    name = "pays"

    def attach(self, bus: EventBus, context: Context) -> Callable[[], None]:
        """Keep the bus: what a strategy emits is looked at, what the bus is told is not."""
        self.bus = bus
        return super().attach(bus, context)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Paid for every long bar."""
        symbol = event.data.symbol
        if self.position[symbol] > 0:
            self.bus.emit(Funding(symbol, -0.001, 0, event.data.close))
        super().on_candle(event)


class TradesWhenTested(FollowsTheLast):
    """Sees who calls it, and does otherwise where money would be at stake."""

    name = "tested"

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """On paper every second bar is overslept."""
        frame = sys._getframe()
        while frame is not None:
            if Path(frame.f_code.co_filename).name == "paper.py" and len(self.closes) % 2:
                self.closes.append(event.data.close)
                return
            frame = frame.f_back
        super().on_candle(event)


class AsksTheWall(FollowsTheLast):
    """Trades by a clock on the wall: `clock` is `hour` of the local day, `now`, or `today`."""

    name = "wall"
    parameters = (Parameter("clock", "hour", "which"),)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Every second bar: in odd years and thirds of a day the other ones."""
        looked = {
            "hour": lambda: datetime.datetime.fromtimestamp(event.ts_ns / 1e9).hour // 8,
            "now": lambda: int(time.time() // 3.15e7),
            "today": lambda: datetime.datetime.now().year,
        }[self.p.clock]()
        if (looked + event.ts_ns // 300_000_000_000) % 2 == 0:
            super().on_candle(event)


class FollowsEach(Strategy):
    """Honest: each of many markets by its own last bars. *only*: those named are traded, all
    without a name."""

    name = "each"
    parameters = (Parameter("only", "", "symbols, joined by +"),)

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.closes: dict[str, list[float]] = {symbol: [] for symbol in symbols}
        self.chosen = set(filter(None, self.p.only.split("+"))) or set(symbols)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """As `FollowsTheLast`."""
        symbol = event.data.symbol
        closes = self.closes[symbol]
        closes.append(event.data.close)
        if symbol not in self.chosen or len(closes) < 6 or self.is_waiting(symbol):
            return
        move = float(np.sign(closes[-1] - closes[-6]))
        held = float(np.sign(float(self.position[symbol])))
        if held and move != held:
            self.leave(symbol)
        elif not held and move:
            self.enter(symbol, Side.BUY if move > 0 else Side.SELL, size=0.01)


class KnowsWhoStays(FollowsEach):
    """Trades only markets whose recording goes on to the end. *files*: joined by +."""

    name = "stays"
    parameters = (*FollowsEach.parameters, Parameter("files", "", "recordings"))

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        ends = [pl.read_parquet(path)["ts"][-1] for path in self.p.files.split("+")]
        self.chosen = {s for s, end in zip(symbols, ends, strict=True) if end == max(ends)}


class HearsTheFirst(FollowsEach):
    """Follows whichever market it hears first in each moment."""

    name = "first"

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.moment = 0

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """The others are late, though they are not."""
        if event.ts_ns == self.moment:
            return
        self.moment = event.ts_ns
        super().on_candle(event)


class HoldsAll(Strategy):
    """Buys every market at its first bar and keeps it."""

    name = "holds"

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """A hundred of the quote coin each."""
        symbol = event.data.symbol
        if not self.position[symbol] and not self.is_waiting(symbol):
            self.enter(symbol, Side.BUY, size=round(100 / event.data.close, 3))
