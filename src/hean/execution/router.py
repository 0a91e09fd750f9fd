# SPDX-License-Identifier: Apache-2.0
"""`router.py`: from approval to venue. It redeems the ticket, which works once and only for these
very fields, and hands the order, or the new terms of one, to the venue port; an order that names an
algorithm goes to the desk instead, and only its slices come back here. The same body runs in every
mode, because the port never waits. It invents no fills and approves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hean._core import OrderEngine
from hean.core.module import Module, on
from hean.core.ports import Venue
from hean.core.types import (
    AmendApproved,
    AmendRejected,
    CancelRequest,
    Event,
    EventType,
    OrderApproved,
    OrderRejected,
)
from hean.errors import HeanError, OrderUnknown, ParameterInvalid, TicketInvalid

if TYPE_CHECKING:  # the desk's schedules load NumPy, which most commands do without
    from hean.execution.desk import AlgoDesk
    from hean.execution.slicing import Algorithm

OPEN = frozenset({"SENT", "WORKING", "PARTIAL", "UNKNOWN", "QUARANTINE"})
"""States in which a venue may hold the order, so that a cancel makes sense."""


class ExecutionRouter(Module):
    """Sends what was approved, takes back what was asked for.

    An approval without a ticket is refused: only the governor approves. *accepts_unticketed*: for
    a process without a governor, in which a custom risk check approves alone; its approvals then
    go through `engine.approve` first, so that hard limits hold for them too. *desk*: works orders
    that name an algorithm; without one they are refused.
    """

    name = "router"
    truth = True
    produces = (EventType.ORDER_REJECTED, EventType.AMEND_REJECTED)

    def __init__(
        self,
        engine: OrderEngine,
        venue: Venue,
        *,
        accepts_unticketed: bool = False,
        desk: AlgoDesk | None = None,
    ) -> None:
        self.engine = engine
        self.venue = venue
        self.accepts_unticketed = accepts_unticketed
        self.desk = desk

    @on(EventType.ORDER_APPROVED)
    def on_order_approved(self, event: Event) -> None:
        """Redeem the ticket and send, once."""
        approved: OrderApproved = event.data
        now_ns = self.context.clock.now_ns
        try:
            ticket = approved.ticket
            if ticket is None:
                ticket = self._approve(approved, now_ns)
            self.engine.redeem_order(approved, ticket, now_ns)
            algorithm = None if approved.algo is None else self._plan(approved, now_ns)
        except HeanError as error:
            self.context.emit(
                OrderRejected(
                    approved.order_id,
                    error.message,
                    error.code,
                    "router",
                    approved.symbol,
                    approved.strategy_id,
                )
            )
            return
        if algorithm is None:
            self.venue.submit(approved)
        else:
            self._desk(approved).begin(approved, algorithm)

    def _plan(self, approved: OrderApproved, now_ns: int) -> Algorithm:
        """The algorithm of an order; one that has none is withdrawn."""
        try:
            return self._desk(approved).plan(approved)
        except HeanError:
            self.engine.on_cancelled(approved.order_id, now_ns)
            raise

    def _desk(self, approved: OrderApproved) -> AlgoDesk:
        if self.desk is None:
            raise ParameterInvalid(
                f"algo {approved.algo!r}: orders are sent whole here; a strategy that has some "
                "sliced says `slices = True`."
            )
        return self.desk

    def _approve(self, approved: OrderApproved, now_ns: int) -> int:
        if not self.accepts_unticketed:
            raise TicketInvalid(
                f"{approved.order_id} has no ticket; ask the governor by ORDER_REQUEST, and put "
                "a check of your own in with governor.add_check."
            )
        return self.engine.approve_order(approved, approved.order_id, now_ns)

    @on(EventType.AMEND_APPROVED)
    def on_amend_approved(self, event: Event) -> None:
        """Redeem the ticket and ask for the new terms, once."""
        approved: AmendApproved = event.data
        order_id = approved.order_id
        try:
            if approved.ticket is None:
                raise TicketInvalid(
                    f"the amendment of {order_id} has no ticket; ask the governor by AMEND_REQUEST."
                )
            self.engine.redeem_amend(approved, approved.ticket, self.context.clock.now_ns)
        except HeanError as error:
            self.context.emit(
                AmendRejected(
                    order_id,
                    error.message,
                    error.code,
                    "router",
                    approved.symbol,
                    approved.strategy_id,
                )
            )
            return
        self.venue.amend(order_id, price=approved.price, size=approved.size)

    @on(EventType.CANCEL_REQUEST)
    def on_cancel_request(self, event: Event) -> None:
        """Ask the venue to take orders back: one by id, or all that match. Never refused; an order
        that is unknown or closed needs nothing."""
        request: CancelRequest = event.data
        if request.order_id:
            order_ids = [request.order_id]
        else:
            order_ids = [
                order["client_order_id"]
                for order in self.engine.open_orders()
                if request.symbol in ("", order["symbol"])
                and request.strategy_id in ("", order["strategy_id"])
            ]
        for order_id in order_ids:
            if self.desk is not None and self.desk.works(order_id):
                self.desk.stop(order_id, request.reason)
            elif self._is_open(order_id):
                self.engine.cancel_requested(order_id)
                self.venue.cancel(order_id)

    def _is_open(self, order_id: str) -> bool:
        try:
            return self.engine.status(order_id) in OPEN
        except OrderUnknown:
            return False
