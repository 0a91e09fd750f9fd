# SPDX-License-Identifier: Apache-2.0
"""Work one large order in slices, then hold. `algo` says how: by time (twap, vwap, shortfall), by
volume (pov), behind a small display (iceberg), or resting at the touch (chaser).

hean backtest --strategy examples/work_a_large_order.py:WorkALargeOrder --symbol BTCUSDT ...
"""

from __future__ import annotations

from decimal import Decimal

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, OrderType, Side, Signal
from hean.strategies.base import Strategy


class WorkALargeOrder(Strategy):
    """One order at the first trade of each symbol."""

    name = "large"
    slices = True
    parameters = (
        Parameter("size", "1", "base units"),
        Parameter("side", "BUY", "direction", choices=("BUY", "SELL")),
        Parameter("algo", "twap:duration=60s,slices=12", "how to work it; whole: as one order"),
        Parameter("reach", 0.0, "limit beyond the touch, for orders with a price; 0: none", "bp"),
    )

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.asked: dict[str, tuple[int, float]] = {}
        """When each symbol's order was asked for, and the middle of the touch then."""

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Ask once for each symbol, when both sides of its book are known; a quote is no price."""
        tick = event.data
        is_known = tick.volume and tick.bid is not None and tick.ask is not None
        if tick.symbol in self.asked or not is_known:
            return
        self.asked[tick.symbol] = (event.ts_ns, (tick.bid + tick.ask) / 2)
        side, size = Side(self.p.side), Decimal(self.p.size)
        algo = None if self.p.algo == "whole" else self.p.algo
        if not self.p.reach:
            self.enter(tick.symbol, side, size=size, algo=algo)
            return
        touch, sign = (tick.ask, 1) if side is Side.BUY else (tick.bid, -1)
        price = touch * (1 + sign * self.p.reach / 1e4)
        self.context.emit(
            Signal(
                tick.symbol,
                side,
                size,
                strategy_id=self.name,
                type=OrderType.LIMIT,
                price=price,
                algo=algo,
            )
        )
