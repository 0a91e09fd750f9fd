# SPDX-License-Identifier: Apache-2.0
"""The strategy of the backtest jobs: an EMA cross with one unit. In the event tier it keeps its
own indicators in Python; in the others it states the same as conditions.
"""

from __future__ import annotations

from decimal import Decimal

from hean.core.module import on
from hean.core.types import Event, EventType, Side
from hean.indicators import EWM
from hean.program import Change, Program, Wake, count, ewm
from hean.strategies.base import Strategy

FAST, SLOW, ONE = 10, 20, Decimal(1)
IS_UP = (ewm(FAST) >= ewm(SLOW)) & (count >= SLOW)


class FixedCross(Strategy):
    """On bars, each seen by Python."""

    name = "cross"

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.fast, self.slow = EWM(FAST).update, EWM(SLOW).update
        self.seen = 0

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """A bar has closed."""
        candle = event.data
        self.decide(candle.symbol, candle.close)

    def decide(self, symbol: str, price: float) -> None:
        """Follow the cross of the averages."""
        is_up = self.fast(price) >= self.slow(price)
        self.seen += 1
        if self.seen < SLOW or is_up == bool(self.position[symbol]) or self.is_waiting(symbol):
            return
        if is_up:
            self.enter(symbol, Side.BUY, size=ONE)
        else:
            self.leave(symbol)

    def program(self) -> Program:
        """The same as rules."""
        return Program(long_when=IS_UP, exit_when=~IS_UP, size=ONE)


class FixedTickCross(FixedCross):
    """On quotes."""

    @on(EventType.TICK)
    def on_candle(self, event: Event) -> None:
        """The quote has moved."""
        tick = event.data
        self.decide(tick.symbol, tick.price)


class WokenCross(FixedCross):
    """On bars, woken by the cross."""

    def decide(self, symbol: str, price: float) -> None:
        """Ask the watched condition."""
        is_up = self.holds(symbol, IS_UP)
        if is_up == bool(self.position[symbol]) or self.is_waiting(symbol):
            return
        if is_up:
            self.enter(symbol, Side.BUY, size=ONE)
        else:
            self.leave(symbol)

    def wakes(self) -> tuple[Wake, ...]:
        """Python need only look when the averages cross."""
        return (Change(IS_UP),)


class WokenTickCross(WokenCross):
    """On quotes, woken by the cross."""

    on_candle = FixedTickCross.on_candle
