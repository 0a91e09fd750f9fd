# SPDX-License-Identifier: Apache-2.0
"""A strategy that buys when it is told to, by files, and knows what it holds from its own fills."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, OrderType, Side, Signal
from hean.strategies.base import Strategy

PIECE = Decimal("0.003")
BURST = 6


class Pyramid(Strategy):
    """Buys one piece for each file in the folder *told*, in the first symbol; sells everything it
    believes to hold when there is one named `leave`; offers `BURST` pieces far from the market, all
    at once, when there is one named `burst`.
    """

    name = "pyramid"
    parameters = (Parameter("told", "", "path of a folder"),)

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self._has_offered = False
        self._told = Path(str(self.p.told))

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Do what was asked for, once."""
        symbol = event.data.symbol
        if symbol != self.symbols[0] or self.is_waiting(symbol):
            return
        if (self._told / "burst").exists():
            self._offer(symbol, event.data.price)
            return
        asked = {file.name for file in self._told.iterdir()}
        if "leave" in asked:
            self.leave(symbol)
        elif self.position[symbol] < PIECE * len(asked):
            self.enter(symbol, Side.BUY, size=PIECE, stop_loss=event.data.price * 0.9)

    def _offer(self, symbol: str, price: float) -> None:
        if self._has_offered:
            return
        self._has_offered = True
        for number in range(BURST):
            self.context.emit(
                Signal(
                    symbol,
                    Side.BUY,
                    PIECE,
                    strategy_id=self.name,
                    type=OrderType.LIMIT,
                    price=price * (0.98 - number / 1_000),
                    order_id=self.context.next_id(self.name),
                )
            )
