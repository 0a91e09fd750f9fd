# SPDX-License-Identifier: Apache-2.0
"""Strategies that cheat, each in its own way, for the checks that must catch them; and some that
only look as if. A cheat reads the recording of the market it is played on, whose path it is told.
"""

from __future__ import annotations

import random

import numpy as np
import polars as pl

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, Side
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
