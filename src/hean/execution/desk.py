# SPDX-License-Identifier: Apache-2.0
"""`desk.py`: where sliced orders are worked. The router hands over a parent that was approved as a
whole; the desk asks its algorithm what to do, makes slices of the answers, which go through the
same door as any order, and tells the end. What is filled and what is left it reads from the order
engine each time; it keeps no sums of its own. It sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hean._core import Instrument, OrderEngine
from hean.core.module import Module, on
from hean.core.orders import DESK
from hean.core.types import (
    AmendRequest,
    CancelRequest,
    Event,
    EventType,
    OrderApproved,
    OrderCancelled,
    OrderRejected,
    OrderRequest,
    OrderType,
    Side,
    Tick,
    TimeInForce,
    Timer,
)
from hean.errors import OrderUnknown, ParameterInvalid
from hean.execution.algos import ALGORITHMS, plan_of
from hean.execution.slicing import Algorithm, Move, Slice, Touch, View, Wish

OPEN = frozenset({"INTENT", "SENT", "WORKING", "PARTIAL", "UNKNOWN", "QUARANTINE"})
AT_VENUE = frozenset({"WORKING", "PARTIAL"})
REFUSALS_MAX = 20  # in a row: at one a second a rate limit has long passed, so it is something else
CANCEL_AGAIN_NS = 1_000_000_000  # a venue that is too busy for a cancel needs a moment
COMPLETE = "complete"


class Job:
    """One parent at work. *slices*: lots asked for, by id, while they may be under way."""

    __slots__ = (
        "algorithm",
        "leaving",
        "lots",
        "parent",
        "refusals",
        "rules",
        "slices",
        "stopped",
        "timer",
        "volume_before",
    )

    def __init__(
        self, parent: OrderApproved, algorithm: Algorithm, rules: Instrument, volume: float
    ) -> None:
        self.parent = parent
        self.algorithm = algorithm
        self.rules = rules
        self.lots = algorithm.lots
        self.slices: dict[str, int] = {}
        self.leaving: set[str] = set()
        self.refusals = 0
        self.stopped = ""
        self.timer: int | None = None
        self.volume_before = volume


class AlgoDesk(Module):
    """Works sliced orders.

    *engine*: sums and states of all orders; *instruments*: trading rules by symbol.
    """

    name = "desk"
    truth = True
    produces = (
        EventType.ORDER_REQUEST,
        EventType.CANCEL_REQUEST,
        EventType.AMEND_REQUEST,
        EventType.ORDER_CANCELLED,
    )

    def __init__(self, engine: OrderEngine, instruments: Mapping[str, Instrument]) -> None:
        self.engine = engine
        self.instruments = instruments
        self._offered = dict(ALGORITHMS)
        self._touches = {symbol: Touch() for symbol in instruments}
        self._jobs: dict[str, Job] = {}
        self._by_slice: dict[str, Job] = {}

    def add(self, algorithm: type[Algorithm]) -> None:
        """Offer one more algorithm under its name. *Raises*: `ParameterInvalid` if it is taken."""
        if not algorithm.name or algorithm.name in self._offered:
            raise ParameterInvalid(f"algo {algorithm.name!r}: a new one needs a name of its own.")
        self._offered[algorithm.name] = algorithm

    # ------------------------------------------------------------ for the router

    def plan(self, approved: OrderApproved) -> Algorithm:
        """The algorithm of an order. *Raises*: `ParameterInvalid` if the text is wrong, or such an
        order cannot be sliced.
        """
        is_plain = approved.type in (OrderType.MARKET, OrderType.LIMIT)
        if not is_plain or approved.time_in_force is not TimeInForce.GTC or approved.parent_id:
            raise ParameterInvalid(
                f"algo {approved.algo!r}: only a MARKET or LIMIT order that is GTC can be sliced."
            )
        made, settings = plan_of(approved.algo or "", self._offered)
        return made(
            settings,
            self.instruments[approved.symbol].quantity_lots(approved.size),
            side=approved.side,
            start_ns=self.context.clock.now_ns,
            has_limit=approved.price is not None,
            chance=self.context.rng(approved.order_id).random,
        )

    def begin(self, approved: OrderApproved, algorithm: Algorithm) -> None:
        """Work an order whose ticket was redeemed."""
        rules, touch = self.instruments[approved.symbol], self._touches[approved.symbol]
        job = self._jobs[approved.order_id] = Job(approved, algorithm, rules, touch.volume)
        self._turn(job)

    def works(self, order_id: str) -> bool:
        """Whether a parent of this id is at work."""
        return order_id in self._jobs

    def stop(self, order_id: str, reason: str) -> None:
        """Ask the slices of a parent back, and end it after the last of them."""
        job = self._jobs[order_id]
        if not job.stopped:
            job.stopped = reason or "cancelled"
            self._turn(job)

    # ------------------------------------------------------------ what happens

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """A trade or a quote."""
        tick: Tick = event.data
        touch = self._touches.get(tick.symbol)
        if touch is None:
            return
        touch.last = tick.price
        touch.volume += tick.volume
        if tick.bid is not None and tick.ask is not None:
            touch.bid, touch.ask = tick.bid, tick.ask
        for job in list(self._jobs.values()):
            if job.parent.symbol == tick.symbol and job.algorithm.is_moved(touch):
                self._turn(job)

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """An algorithm asked to be asked."""
        if event.data.name == self.name and (job := self._jobs.get(event.data.data)):
            job.timer = None
            self._turn(job)

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """A slice traded."""
        job = self._by_slice.get(event.data.order_id)
        if job is not None:
            job.refusals = 0
            self._turn(job)

    @on(EventType.ORDER_CANCELLED, EventType.ORDER_ABSENT)
    def on_ended(self, event: Event) -> None:
        """A slice is over."""
        job = self._by_slice.get(event.data.order_id)
        if job is not None:
            self._turn(job)

    @on(EventType.ORDER_REJECTED)
    def on_rejected(self, event: Event) -> None:
        """A slice was refused, or only the cancel of one."""
        rejected: OrderRejected = event.data
        job = self._by_slice.get(rejected.order_id)
        if job is None:
            return
        if rejected.source == "venue-request":
            job.leaving.discard(rejected.order_id)
            if job.timer is None:
                self._await(job, self.context.clock.now_ns + CANCEL_AGAIN_NS)
            return
        if rejected.source == "risk":
            self._forget(job, rejected.order_id)  # the engine never had it
        job.refusals += 1
        if job.refusals >= REFUSALS_MAX and not job.stopped:
            job.stopped = f"{job.refusals} slices refused in a row, the last: {rejected.reason}"
        self._turn(job)

    @on(EventType.ORDER_PLACED, EventType.ORDER_AMENDED, EventType.AMEND_REJECTED)
    def on_changed(self, event: Event) -> None:
        """A slice rests, here or there."""
        job = self._by_slice.get(event.data.order_id)
        if job is not None:
            self._turn(job)

    @on(EventType.KILLSWITCH_TRIGGERED)
    def on_kill_switch(self, event: Event) -> None:
        """Nothing new: what only reduces goes on at the lowest level, as single orders may."""
        is_lowest = self.engine.halt_level == "HALT_NEW"
        for order_id, job in list(self._jobs.items()):
            if not (is_lowest and job.parent.reduce_only):
                self.stop(order_id, f"kill switch: {event.data.reason}")

    # ------------------------------------------------------------ one turn

    def _turn(self, job: Job) -> None:
        """Ask the algorithm, and do what it says; or go on ending."""
        parent = self.engine.get(job.parent.order_id)
        view = self._view(job, parent)
        if parent["status"] not in OPEN and not job.stopped:
            job.stopped = COMPLETE if parent["status"] == "FILLED" else f"it is {parent['status']}"
        if job.stopped:
            self._cancel(job, tuple(each.order_id for each in view.slices))
            if not view.slices:
                self._end(job, job.stopped)
        else:
            self._do(job, job.algorithm.move(view), view)

    def _do(self, job: Job, move: Move, view: View) -> None:
        self._cancel(job, move.cancel)
        for order_id, price in move.amend:
            parent = job.parent
            bounded = self._bounded(parent, price)
            self.context.emit(
                AmendRequest(order_id, bounded, None, parent.symbol, parent.strategy_id)
            )
        free = view.free
        for wish in move.send:
            lots = min(wish.lots, free)
            if lots > 0:
                free -= lots
                self._send(job, wish, lots)
        self._await(job, move.again_ns)
        if move.is_over and not view.slices and not move.send:
            self._end(job, "its algorithm is done")

    def _send(self, job: Job, wish: Wish, lots: int) -> None:
        parent, price, life = job.parent, job.parent.price, wish.time_in_force
        if wish.price is not None:
            wanted = self._bounded(parent, wish.price)
            price = job.rules.price_decimal(job.rules.quantise_price(wanted, "nearest"))
        elif price is not None:
            life = TimeInForce.IOC  # takes what is there and leaves nothing behind
        order_id = self.context.next_id(parent.strategy_id or self.name)
        job.slices[order_id] = lots
        self._by_slice[order_id] = job
        self.context.emit(
            OrderRequest(
                parent.symbol,
                parent.side,
                job.rules.quantity_decimal(lots),
                OrderType.MARKET if price is None else OrderType.LIMIT,
                price,
                order_id,
                None,
                parent.reduce_only,
                life,
                parent.strategy_id,
                None,
                parent.order_id,
            )
        )

    def _bounded(self, parent: OrderApproved, price: float) -> float:
        """*price*, or the order's limit if that is nearer."""
        if parent.price is None:
            return price
        best = min if parent.side is Side.BUY else max
        return float(best(price, float(parent.price)))

    def _cancel(self, job: Job, order_ids: tuple[str, ...]) -> None:
        for order_id in order_ids:
            if order_id not in job.leaving:
                job.leaving.add(order_id)
                parent = job.parent
                reason = job.stopped or "its algorithm goes on without it"
                self.context.emit(
                    CancelRequest(order_id, parent.symbol, reason, parent.strategy_id)
                )

    def _await(self, job: Job, again_ns: int | None) -> None:
        clock = self.context.clock
        if job.timer is not None:
            clock.cancel(job.timer)
            job.timer = None
        if again_ns is not None:
            job.timer = clock.call_at(again_ns, Timer(self.name, job.parent.order_id))

    def _end(self, job: Job, reason: str) -> None:
        parent = job.parent
        order = self.engine.get(parent.order_id)
        self._await(job, None)
        for order_id in list(job.slices):
            self._forget(job, order_id)
        del self._jobs[parent.order_id]
        left: Decimal = max(order["qty"] - order["filled_qty"], Decimal(0))
        self.context.emit(OrderCancelled(parent.order_id, reason, parent.symbol, left, source=DESK))

    # ------------------------------------------------------------ what it sees

    def _view(self, job: Job, parent: dict[str, Any]) -> View:
        rules, touch = job.rules, self._touches[job.parent.symbol]
        free = rules.quantity_lots(parent["left_qty"])
        slices = []
        for order_id, lots in list(job.slices.items()):
            order = self._order(order_id)
            if order is None:
                free -= lots  # asked for, not judged yet
                slices.append(Slice(order_id, lots, None, False, order_id in job.leaving))
            elif order["status"] in OPEN:
                left = rules.quantity_lots(order["qty"] - order["filled_qty"])
                price = None if order["price"] is None else float(order["price"])
                is_resting = order["status"] in AT_VENUE and not order["amend_pending"]
                is_leaving = order_id in job.leaving
                slices.append(Slice(order_id, left, price, is_resting, is_leaving))
            else:
                self._forget(job, order_id)
        traded = (touch.volume - job.volume_before) / rules.lot_size
        return View(
            self.context.clock.now_ns,
            job.lots,
            rules.quantity_lots(parent["filled_qty"]),
            max(free, 0),
            tuple(slices),
            touch,
            traded,
            self._lots_min(job, touch),
        )

    def _order(self, order_id: str) -> dict[str, Any] | None:
        try:
            return self.engine.get(order_id)
        except OrderUnknown:
            return None

    def _lots_min(self, job: Job, touch: Touch) -> int:
        rules, price = job.rules, job.parent.price
        worth = float(price) if price is not None else touch.last
        if not rules.notional_min or not worth > 0:
            return rules.lots_min
        # A hundredth more: the price moves between here and the venue.
        by_value = rules.notional_min * 1.01 / (worth * rules.lot_size)
        return max(rules.lots_min, int(by_value) + 1)

    def _forget(self, job: Job, order_id: str) -> None:
        job.slices.pop(order_id, None)
        job.leaving.discard(order_id)
        self._by_slice.pop(order_id, None)
