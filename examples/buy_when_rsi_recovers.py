# SPDX-License-Identifier: Apache-2.0
"""Buy when the relative strength index is low, sell when it has recovered.

hean backtest --strategy examples/buy_when_rsi_recovers.py:BuyWhenRsiRecovers --symbol BTCUSDT ...
"""

from __future__ import annotations

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, Side
from hean.program import Change, Program, Wake, rsi
from hean.strategies.base import Strategy


class BuyWhenRsiRecovers(Strategy):
    """Long or flat, on finished bars."""

    name = "rsi"
    parameters = (
        Parameter("period", 14, "bars of the index", "bars", 2, 10_000),
        Parameter("low", 30.0, "buy below", "", 0, 100),
        Parameter("high", 55.0, "sell above", "", 0, 100),
    )

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.is_low = rsi(self.p.period) < self.p.low
        self.is_high = rsi(self.p.period) > self.p.high

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """A bar has closed."""
        symbol = event.data.symbol
        if self.is_waiting(symbol):
            return
        if self.position[symbol]:
            if self.holds(symbol, self.is_high):
                self.leave(symbol)
        elif self.holds(symbol, self.is_low):
            self.enter(symbol, Side.BUY)

    def wakes(self) -> tuple[Wake, ...]:
        """Python need only look when the index passes a bound."""
        return Change(self.is_low), Change(self.is_high)

    def program(self) -> Program:
        """The same in two lines."""
        return Program(long_when=self.is_low, exit_when=self.is_high)
