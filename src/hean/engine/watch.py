# SPDX-License-Identifier: Apache-2.0
"""`watch.py`: what a running session has done lately, kept for whoever asks: orders and refusals by
name, executions, decisions, errors. It taps the bus, decides nothing, and forgets the oldest; the
whole story is in the journal.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from hean._core import OrderEngine
from hean.core.types import (
    Command,
    Error,
    Event,
    EventType,
    Health,
    OrderApproved,
    OrderRejected,
    OrderRequest,
    Payload,
    Tick,
)
from hean.engine.curve import EquityCurve
from hean.engine.documents import Decision, Document, Fill, Opinion, Order, Told
from hean.engine.port import SeenBus
from hean.engine.quality import Quality
from hean.engine.track import TrackRecord
from hean.errors import OrderUnknown
from hean.observe.metrics import Histogram, Labels
from hean.risk.drawdown import Baseline
from hean.risk.triggers import BASELINE

KEPT_ORDERS, KEPT_ROWS = 10_000, 2_000
FILLS, DECISIONS, OPINIONS, TOLD = ROWS = ("fills", "order_decisions", "ai_catalyst", "logs")
POPULATION = "symbiont"  # with which what is decided about agents begins
DAY_NS = 86_400_000_000_000
FEED: Labels = (("stage", "feed"),)
ORDER_ACK: Labels = (("stage", "order_ack"),)
Kept = TypeVar("Kept")


class Watch:
    """*engine*: asked for the orders that are known by name; *equity*: at the start. `end` takes
    the tap off.
    """

    def __init__(self, bus: SeenBus, engine: OrderEngine, *, equity: Decimal) -> None:
        self.rows: dict[str, deque[Any]] = {name: deque(maxlen=KEPT_ROWS) for name in ROWS}
        """`Fill`, `Decision`, `Opinion` and `Told`, the newest last."""
        self.totals: Counter[str] = Counter()
        """How many rows there have been, by the same names."""
        self.health: dict[str, Health] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """Of `orders`, `fills`, `refused` by strategy, `errors` by component, and executions, as
        `trades:SYMBOL`, by side.
        """
        self.latency: dict[Labels, Histogram] = {ORDER_ACK: Histogram(), FEED: Histogram()}
        """Seconds by stage: from approval to the venue's word, from the venue to us."""
        self.quality = Quality()
        self.last_tick_ns: dict[str, int] = {}
        self.opening_equity = equity
        """As of the last midnight UTC, or of the start."""
        self.curve = EquityCurve(bus.clock.now_ns, equity)
        self.track = TrackRecord()
        self._equity = equity
        self._day = bus.clock.now_ns // DAY_NS
        self._engine = engine
        self._orders: OrderedDict[str, Order | None] = OrderedDict()  # refused ones as they were
        self._asked: OrderedDict[str, OrderRequest] = OrderedDict()
        self._reasons: OrderedDict[str, str] = OrderedDict()  # of an end, where one was told
        self._approved_ns: OrderedDict[str, int] = OrderedDict()
        self.end = bus.tap(self._tap)

    def see(self, at_ns: int, facts: tuple[Payload, ...]) -> None:
        """The facts of one frame of the feed: how long they took to come."""
        self.quality.see(facts)
        for fact in facts:
            if isinstance(fact, Tick):
                self.last_tick_ns[fact.symbol] = at_ns
                if fact.timestamp > 0:
                    self.latency[FEED].observe(max(at_ns - fact.timestamp, 0) / 1e9)

    def order(self, order_id: str) -> Order | None:
        """An order by its name, as it is now; `None` for one that nobody knows."""
        if order_id not in self._orders:
            return None
        if (refused := self._orders[order_id]) is not None:
            return refused
        try:
            order = order_of(self._engine.get(order_id))
        except OrderUnknown:
            return None  # archived, or approved by nobody who may
        reason = self._reasons.get(order_id)
        return order.model_copy(update={"reason": reason}) if reason and not order.reason else order

    def orders(self, limit: int, status: str | None = None) -> list[Order]:
        """The newest orders first, of one *status* or of all."""
        found: list[Order] = []
        for order_id in reversed(self._orders):
            order = self.order(order_id)
            if order is not None and status in (None, order.status):
                found.append(order)
                if len(found) == limit:
                    break
        return found

    # ------------------------------------------------------------ inside

    def _tap(self, event: Event) -> None:
        self.quality.hear(event)
        keep = _KEEP.get(event.event_type)
        if keep is not None:
            keep(self, event)

    def _requested(self, event: Event) -> None:
        # A person's request is named when it is judged, which is the next thing that happens to it.
        _bounded(self._asked, event.data.order_id or event.data.strategy_id, event.data)

    def _approved(self, event: Event) -> None:
        order = event.data
        _bounded(self._orders, order.order_id, None)
        self._request(order)
        _bounded(self._approved_ns, order.order_id, event.ts_ns)
        self.counts["orders", order.strategy_id] += 1
        self._decided(event, "APPROVED", "")

    def _placed(self, event: Event) -> None:
        self._reasons.pop(event.data.order_id, None)  # it was in doubt, and is there
        approved_ns = self._approved_ns.pop(event.data.order_id, None)
        if approved_ns is not None:
            self.latency[ORDER_ACK].observe((event.ts_ns - approved_ns) / 1e9)

    def _rejected(self, event: Event) -> None:
        order: OrderRejected = event.data
        if order.source != "risk":
            self._ended(event)  # the venue's word on an order the engine knows
            return
        self.counts["refused", order.strategy_id] += 1
        request = self._request(order)
        if request is not None:
            _bounded(self._orders, order.order_id, _refused(request, order, event.ts_ns))
        self._decided(event, "REJECTED", order.reason)

    def _ended(self, event: Event) -> None:
        if event.data.reason:
            _bounded(self._reasons, event.data.order_id, event.data.reason)

    def _request(self, order: OrderApproved | OrderRejected) -> OrderRequest | None:
        named = self._asked.pop(order.order_id, None)
        return named or self._asked.pop(order.strategy_id, None)

    def _filled(self, event: Event) -> None:
        fill = event.data
        self.track.fill(fill)
        self.counts["fills", fill.strategy_id] += 1
        self.counts[f"trades:{fill.symbol}", fill.side.value if fill.side else ""] += 1
        self._add(
            FILLS,
            Fill(
                exec_id=fill.exec_id,
                client_order_id=fill.order_id,
                symbol=fill.symbol,
                side=fill.side.value if fill.side else "",
                price=fill.fill_price,
                qty=fill.filled_qty,
                fee=fill.fee,
                fee_asset=fill.fee_asset,
                liquidity=fill.liquidity.value,
                strategy_id=fill.strategy_id,
                ts=event.ts_ns,
            ),
        )

    def _decided(self, event: Event, verdict: str, reason: str) -> None:
        order = event.data
        self._add(
            DECISIONS,
            Decision(
                seq=event.seq,
                ts=event.ts_ns,
                client_order_id=order.order_id,
                symbol=order.symbol,
                strategy_id=order.strategy_id,
                verdict=verdict,
                reason=reason,
            ),
        )

    def _valued(self, event: Event) -> None:
        day = event.ts_ns // DAY_NS
        if day != self._day:
            self._day, self.opening_equity = day, self._equity
        self._equity = event.data.equity
        self.curve.add(event.ts_ns, event.data.equity)
        self.track.equity(day, float(event.data.equity))

    def _commanded(self, event: Event) -> None:
        """What losses are measured from says what a day began with, also one before this start."""
        command: Command = event.data
        if command.verb.startswith(POPULATION):
            said = {**command.arguments, "actor": command.actor}
            self._add(OPINIONS, Opinion(seq=event.seq, ts=event.ts_ns, kind="SYMBIONT", says=said))
        if command.verb != BASELINE:
            return
        baseline = msgspec.convert(command.arguments, Baseline)
        self._day, self.opening_equity = baseline.day, Decimal(str(baseline.opening))
        self._equity = self.opening_equity  # until the next valuation, which is a second away
        self.track.opened(baseline.day, baseline.opening)

    def _error(self, event: Event) -> None:
        error: Error = event.data
        self.counts["errors", error.component] += 1
        self._tell(event, "ERROR", error.component, error.error)

    def _health(self, event: Event) -> None:
        health: Health = event.data
        before = self.health.get(health.component)
        self.health[health.component] = health
        if before is None or before.state != health.state:
            self._tell(event, "INFO", health.component, health.state)

    def _tell(self, event: Event, level: str, component: str, text: str) -> None:
        told = Told(seq=event.seq, ts=event.ts_ns, level=level, component=component, text=text)
        self._add(TOLD, told)

    def _opined(self, event: Event) -> None:
        fact = event.data
        said = {name: getattr(fact, name) for name in fact.__struct_fields__}
        kind = event.event_type.value
        self._add(OPINIONS, Opinion(seq=event.seq, ts=event.ts_ns, kind=kind, says=said))

    def _add(self, name: str, row: Document) -> None:
        self.rows[name].append(row)
        self.totals[name] += 1


_KEEP: dict[EventType, Callable[[Watch, Event], None]] = {
    EventType.ORDER_REQUEST: Watch._requested,
    EventType.ORDER_APPROVED: Watch._approved,
    EventType.ORDER_REJECTED: Watch._rejected,
    EventType.ORDER_PLACED: Watch._placed,
    EventType.ORDER_FILLED: Watch._filled,
    EventType.ORDER_CANCELLED: Watch._ended,
    EventType.ORDER_ABSENT: Watch._ended,
    EventType.ORDER_QUARANTINED: Watch._ended,
    EventType.PNL_UPDATE: Watch._valued,
    EventType.COMMAND: Watch._commanded,
    EventType.ERROR: Watch._error,
    EventType.HEALTH: Watch._health,
    **dict.fromkeys(
        (
            EventType.REGIME,
            EventType.CHANGEPOINT,
            EventType.VOL_FORECAST,
            EventType.HEDGE_RATIO,
            EventType.ML_PREDICTION,
        ),
        Watch._opined,
    ),
}


def order_of(row: dict[str, Any]) -> Order:
    """The document of an order engine's row."""
    return Order.model_construct(**{name: row[name] for name in Order.model_fields})


def _refused(request: OrderRequest, rejected: OrderRejected, now_ns: int) -> Order:
    """The document of an order that was never let into the engine."""
    return Order(
        client_order_id=rejected.order_id,
        exchange_order_id=None,
        symbol=request.symbol,
        side=request.side.value,
        type=request.type.value,
        time_in_force=request.time_in_force.value,
        reduce_only=request.reduce_only,
        qty=request.size,
        price=request.price,
        trigger_price=request.trigger_price,
        filled_qty=request.size * 0,
        avg_price=None,
        status="REJECTED",
        strategy_id=request.strategy_id,
        parent_id=request.parent_id or None,
        reason=rejected.reason,
        created_at=now_ns,
        updated_at=now_ns,
    )


def _bounded(kept: OrderedDict[str, Kept], name: str, value: Kept) -> None:
    kept[name] = value
    if len(kept) > KEPT_ORDERS:
        kept.popitem(last=False)
