# SPDX-License-Identifier: Apache-2.0
"""Buy when a fast average of the price is above a slow one; sell when it is not. Long or flat.

hean backtest --strategy examples/buy_when_emas_cross.py:BuyWhenEmasCross --symbol BTCUSDT ...
"""

from __future__ import annotations

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, Side
from hean.program import Change, Condition, Program, Wake, count, ewm
from hean.strategies.base import Strategy


class _Cross(Strategy):
    parameters = (
        Parameter("fast", 10, "rows of the fast average", "rows", 1, 10_000),
        Parameter("slow", 20, "rows of the slow average", "rows", 2, 10_000),
    )

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.is_up: Condition = (ewm(self.p.fast) >= ewm(self.p.slow)) & (count >= self.p.slow)

    def decide(self, symbol: str) -> None:
        """Follow the cross; an order under way is waited for."""
        is_up = self.holds(symbol, self.is_up)
        if self.is_waiting(symbol) or is_up == bool(self.position[symbol]):
            return
        if is_up:
            self.enter(symbol, Side.BUY)
        else:
            self.leave(symbol)

    def wakes(self) -> tuple[Wake, ...]:
        """Python need only look when the averages cross."""
        return (Change(self.is_up),)

    def program(self) -> Program:
        """The same in two lines."""
        return Program(long_when=self.is_up, exit_when=~self.is_up)


class BuyWhenEmasCross(_Cross):
    """On finished bars."""

    name = "emas"

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """A bar has closed."""
        self.decide(event.data.symbol)


class BuyWhenTickEmasCross(_Cross):
    """On every trade or quote."""

    name = "tickemas"

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """The price has moved."""
        self.decide(event.data.symbol)
