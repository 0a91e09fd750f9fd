# SPDX-License-Identifier: Apache-2.0
"""A strategy that keeps orders moving, for tests that kill the process it runs in: market entries
with stop and target, limits near the market that fill, are changed or taken back, exits. It decides
by its count of facts alone, and after a restart goes on with what it finds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import CancelRequest, Event, EventType, OrderType, Side, Signal
from hean.strategies.base import Strategy

NEAR, AWAY = 0.9999, 0.97  # of the last price: a limit that may fill, one that waits
STOP, TARGET = 0.9, 1.1
RESTING_MAX = 3
STEP_NS = 150_000_000  # with stop and target, fewer orders than a second may have
STEPS = ("enter", "near", "away", "change", "leave", "away", "cancel", "near", "change", "cancel")


class Mover(Strategy):
    """One step for each *every* facts, not more than a few in a second. *notice*: a pipe that is
    told by one byte of each step that asks for something, for whoever wants to kill this process in
    the middle of it. *binds*: whether resting exits bind the coins, as on spot, so that they go
    before the position can.
    """

    name = "mover"
    parameters = (
        Parameter("every", 2, "facts from one step to the next"),
        Parameter("first", 0, "the first step", low=0),
        Parameter("paused", False, "whether nothing is done but to come to rest"),
        Parameter("binds", False, "whether resting exits bind the coins"),
        Parameter("notice", "", "path of a pipe"),
    )

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self._facts, self._steps = 0, int(self.p.first)
        self._resting: dict[str, dict[str, None]] = {symbol: {} for symbol in symbols}
        self._last_ns = 0
        self._taken_back: set[str] = set()
        self._pipe = -1
        if self.p.notice:
            with suppress(OSError):
                self._pipe = os.open(self.p.notice, os.O_WRONLY | os.O_NONBLOCK)

    def resume(
        self,
        position: Mapping[str, Decimal],
        orders: Iterable[Mapping[str, Any]],
        wanted: Mapping[str, tuple[float | None, float | None]],
    ) -> None:
        """Limits of an earlier life are taken back like those of this one."""
        kept = list(orders)
        limits = [
            order
            for order in kept
            if not order["reduce_only"] and OrderType(order["type"]) is OrderType.LIMIT
        ]
        super().resume(position, [order for order in kept if order not in limits], wanted)
        for order in limits:
            self._resting[order["symbol"]][order["client_order_id"]] = None

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Take the next step."""
        self._facts += 1
        symbol, price = event.data.symbol, event.data.price
        if self._facts % self.p.every or event.ts_ns - self._last_ns < STEP_NS or not price:
            return
        self._last_ns = event.ts_ns
        if self.p.paused:
            for each in self.symbols:  # facts come in bursts, the same symbol's first each time
                self._take_back(each)
                if not self.is_waiting(each):
                    self._get_out(each)
            return
        step = STEPS[self._steps % len(STEPS)]
        self._steps += 1
        match step:
            case "enter" if not (self.is_waiting(symbol) or self.position[symbol]):
                self._tell()
                stop, target = price * STOP, None if self.p.binds else price * TARGET
                self.enter(symbol, Side.BUY, stop_loss=stop, take_profit=target)
            case "leave" if not self.is_waiting(symbol):
                self._get_out(symbol)
            case "near" | "away" if len(self._resting[symbol]) < RESTING_MAX:
                self._offer(symbol, price * (NEAR if step == "near" else AWAY))
            case "change":
                self._change(symbol, price)
            case "cancel":
                self._take_back(symbol)

    @on(EventType.ORDER_FILLED, EventType.ORDER_CANCELLED, EventType.ORDER_REJECTED)
    def on_end(self, event: Event) -> None:
        """Forget limits that are over; a request about one that was refused ends nothing."""
        fact = event.data
        is_over = getattr(fact, "source", "") != "venue-request"
        if (
            is_over
            and not getattr(fact, "remaining_qty", 0)
            or fact.event_type in (EventType.ORDER_CANCELLED,)
        ):
            self._resting.get(fact.symbol, {}).pop(fact.order_id, None)

    def _offer(self, symbol: str, price: float) -> None:
        self._tell()
        order_id = self.context.next_id(self.name)
        self._resting[symbol][order_id] = None
        self.context.emit(
            Signal(
                symbol,
                Side.BUY,
                strategy_id=self.name,
                signal_strength=0.5,
                type=OrderType.LIMIT,
                price=price,
                order_id=order_id,
            )
        )

    def _change(self, symbol: str, price: float) -> None:
        """Other prices, where the venue changes them; it may not know of the last change yet."""
        away = NEAR if self._steps % 2 else AWAY
        for order_id in self._resting[symbol]:
            self._tell()
            self.amend(order_id, price=price * away, symbol=symbol)

    def _take_back(self, symbol: str) -> None:
        for order_id in self._resting[symbol]:
            if order_id not in self._taken_back:
                self._tell()
                self._taken_back.add(order_id)
                self.context.emit(CancelRequest(order_id, symbol, "moved", self.name))

    def _get_out(self, symbol: str) -> None:
        if self.p.binds and self._protection[symbol]:
            self._cancel_protection(symbol)
            return
        if self.position[symbol]:
            self._tell()
            self.leave(symbol)

    def _tell(self) -> None:
        if self._pipe >= 0:
            with suppress(OSError):
                os.write(self._pipe, b".")
