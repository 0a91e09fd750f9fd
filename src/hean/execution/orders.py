# SPDX-License-Identifier: Apache-2.0
"""`orders.py`: the order manager. It feeds the venue's facts to the order engine, which keeps the
state of every order in one table, and answers questions about orders from there. A fact that
cannot follow an order's state changes nothing and is reported. For fills it is the gate of the
bus: ledger, strategies and recorder see only executions that the engine has counted, each once.
"""

from __future__ import annotations

from collections.abc import Callable

from hean._core import OrderEngine
from hean.core.bus import EventBus, Fact
from hean.core.module import Context, Module, on
from hean.core.types import (
    AmendRejected,
    Error,
    Event,
    EventType,
    OrderFilled,
    OrderRejected,
    Side,
)
from hean.errors import FieldInvalid, HeanError, OrderError
from hean.execution.coin_fees import CoinFees


class OrderManager(Module):
    """The view of all orders. *coin_fees*: for venues that keep some of what is bought."""

    name = "orders"
    truth = True
    produces = (EventType.ERROR, EventType.ORDER_FILLED)
    tell_next: Callable[[Fact], None]
    """As of the bus it is attached to: who sees a buy sees the fee in coins before all else."""

    def __init__(self, engine: OrderEngine, coin_fees: CoinFees | None = None) -> None:
        self.engine = engine
        self._coin_fees = coin_fees or CoinFees({})
        self.unexplained = 0
        """Facts that did not fit an order's state."""
        self._forced: set[str] = set()  # executions without an order of ours; rare, so all are kept

    @classmethod
    def consumed(cls) -> frozenset[EventType]:
        """What it handles, and the fills it decides about."""
        return super().consumed() | {EventType.ORDER_FILLED}

    def attach(self, bus: EventBus, context: Context) -> Callable[[], None]:
        """Subscribe, and stand before everybody else who handles fills. *Returns*: undoes it."""
        detach = super().attach(bus, context)
        self.tell_next = bus.emit_next
        remove = bus.gate(EventType.ORDER_FILLED, self.admit_fill)

        def undo() -> None:
            remove()
            detach()

        return undo

    def knows(self, order_id: str) -> bool:
        """Whether an order of this id is, or was a while ago, ours."""
        try:
            self.engine.status(order_id)
        except OrderError:
            return False
        return True

    def admit_fill(self, event: Event) -> bool:
        """Count a piece that traded. *Returns*: whether it counts; an execution that was seen
        before does not, nor does one that contradicts its order, which is reported. What the venue
        kept of it is told next.
        """
        fill: OrderFilled = event.data
        try:
            if not fill.exec_id or fill.side is None:
                raise FieldInvalid(
                    f"fill of {fill.order_id} without exec_id or side; only a venue reports fills."
                )
            if fill.is_forced or fill.is_kept:
                is_counted = self._count_forced(fill)
            else:
                is_counted = self.engine.count_fill(fill, fill.executed_ns or event.ts_ns)
        except HeanError as error:
            self._report(event, error)
            return False
        kept = self._coin_fees.after(fill) if is_counted else None
        if kept is not None:
            self.tell_next(kept)
        return is_counted

    def _count_forced(self, fill: OrderFilled) -> bool:
        """A liquidation, a fee in coins: there is no order, but the position has changed."""
        if fill.exec_id in self._forced:
            return False
        if fill.filled_qty <= 0:
            raise FieldInvalid(f"fill {fill.exec_id} of {fill.filled_qty}; a fill is above 0.")
        signed = fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
        self.engine.set_position(fill.symbol, self.engine.position(fill.symbol) + signed)
        self._forced.add(fill.exec_id)
        return True

    @on(EventType.ORDER_PLACED)
    def on_placed(self, event: Event) -> None:
        """The venue holds the order."""
        placed = event.data
        try:
            self.engine.on_placed(placed.order_id, event.ts_ns, placed.exchange_order_id)
        except OrderError as error:
            self._report(event, error)

    @on(EventType.ORDER_AMENDED)
    def on_amended(self, event: Event) -> None:
        """The venue says what the terms are."""
        try:
            self.engine.on_amended(event.data, event.ts_ns)
        except HeanError as error:
            self._report(event, error)

    @on(EventType.AMEND_REJECTED)
    def on_amend_rejected(self, event: Event) -> None:
        """The old terms hold. What the router refused has not left: if its ticket is too old, the
        reservation is given back; what risk refused holds nothing.
        """
        rejected: AmendRejected = event.data
        if rejected.source == "router":
            self.engine.expire_tickets(event.ts_ns)
        elif rejected.source == "venue" and self._is_amending(rejected.order_id):
            self.engine.on_amend_rejected(rejected.order_id)

    def _is_amending(self, order_id: str) -> bool:
        """Whether an amendment is on its way; with its order it ends unanswered."""
        try:
            return bool(self.engine.get(order_id)["amend_pending"])
        except OrderError:
            return False

    @on(EventType.ORDER_CANCELLED)
    def on_cancelled(self, event: Event) -> None:
        """The rest is gone."""
        ended_ns = event.data.ended_ns or event.ts_ns
        self._apply(event, lambda: self.engine.on_cancelled(event.data.order_id, ended_ns))

    @on(EventType.ORDER_REJECTED)
    def on_rejected(self, event: Event) -> None:
        """The venue refused it. What the router refused has not left: if its ticket is too old, the
        reservation is given back; what risk refused holds nothing.
        """
        rejected: OrderRejected = event.data
        if rejected.source == "venue":
            self._apply(event, lambda: self.engine.on_rejected(rejected.order_id, event.ts_ns))
        elif rejected.source == "router":
            self.engine.expire_tickets(event.ts_ns)

    @on(EventType.ORDER_UNKNOWN)
    def on_unknown(self, event: Event) -> None:
        """Nobody knows; it keeps counting in full."""
        self._apply(event, lambda: self.engine.on_unknown(event.data.order_id, event.ts_ns))

    @on(EventType.ORDER_ABSENT)
    def on_absent(self, event: Event) -> None:
        """The venue never had it."""
        self._apply(event, lambda: self.engine.on_absent(event.data.order_id, event.ts_ns))

    @on(EventType.ORDER_QUARANTINED)
    def on_quarantined(self, event: Event) -> None:
        """Nobody could tell; it keeps counting in full."""
        self._apply(event, lambda: self.engine.on_quarantined(event.data.order_id, event.ts_ns))

    def _apply(self, event: Event, change: Callable[[], object]) -> None:
        try:
            change()
        except OrderError as error:
            self._report(event, error)

    def _report(self, event: Event, error: HeanError) -> None:
        self.unexplained += 1
        self.context.emit(Error(self.name, str(error), event.ts_ns, event.seq))
