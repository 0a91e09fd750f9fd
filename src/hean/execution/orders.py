# SPDX-License-Identifier: Apache-2.0
"""`orders.py`: the order manager. It feeds the venue's facts to the order engine, which keeps the
state of every order in one table, and answers questions about orders from there. A fact that
cannot follow an order's state changes nothing and is reported.
"""

from __future__ import annotations

from collections.abc import Callable

from hean._core import OrderEngine
from hean.core.module import Module, on
from hean.core.types import Error, Event, EventType, OrderFilled, OrderRejected
from hean.errors import OrderError


class OrderManager(Module):
    """The view of all orders."""

    name = "orders"
    truth = True
    produces = (EventType.ERROR,)

    def __init__(self, engine: OrderEngine) -> None:
        self.engine = engine
        self.unexplained = 0
        """Facts that did not fit an order's state."""

    @on(EventType.ORDER_PLACED)
    def on_placed(self, event: Event) -> None:
        """The venue holds the order."""
        placed = event.data
        self._apply(
            event,
            lambda: self.engine.on_placed(placed.order_id, event.ts_ns, placed.exchange_order_id),
        )

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """A piece traded; counted once by its execution id."""
        fill: OrderFilled = event.data
        try:
            self.engine.on_filled(
                fill.order_id,
                fill.exec_id,
                price=fill.fill_price,
                qty=fill.filled_qty,
                ts_ns=event.ts_ns,
            )
        except OrderError as error:
            self._report(event, error)

    @on(EventType.ORDER_CANCELLED)
    def on_cancelled(self, event: Event) -> None:
        """The rest is gone."""
        self._apply(event, lambda: self.engine.on_cancelled(event.data.order_id, event.ts_ns))

    @on(EventType.ORDER_REJECTED)
    def on_rejected(self, event: Event) -> None:
        """The venue refused it. A refusal by risk or router holds nothing any more."""
        rejected: OrderRejected = event.data
        if rejected.source == "venue":
            self._apply(event, lambda: self.engine.on_rejected(rejected.order_id, event.ts_ns))

    @on(EventType.ORDER_UNKNOWN)
    def on_unknown(self, event: Event) -> None:
        """Nobody knows; it keeps counting in full."""
        self._apply(event, lambda: self.engine.on_unknown(event.data.order_id, event.ts_ns))

    def _apply(self, event: Event, change: Callable[[], object]) -> None:
        try:
            change()
        except OrderError as error:
            self._report(event, error)

    def _report(self, event: Event, error: OrderError) -> None:
        self.unexplained += 1
        self.context.emit(Error(self.name, str(error), event.ts_ns, event.seq))
