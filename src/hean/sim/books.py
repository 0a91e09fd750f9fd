# SPDX-License-Identifier: Apache-2.0
"""`books.py`: two sets of books that the checks compare, neither of them the engine's. `VenueBooks`
adds up what the exchange's own events say; `JournalBooks` adds up the rows that are really on the
disk. Both know only what an auditor would: ids, quantities, money, order of events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from operator import attrgetter
from typing import Any

from hean.core.journal import Record
from hean.core.types import (
    AmendApproved,
    EventType,
    Funding,
    KillswitchTriggered,
    OrderApproved,
    OrderFilled,
    Side,
)
from hean.live import rows
from hean.live.rows import Sent, Start, row_of
from hean.sim.audit import Audit
from hean.twin.market import TwinMarket
from hean.twin.orders import (
    Event,
    Execution,
    ExecutionEvent,
    Order,
    OrderEvent,
)

ZERO = Decimal(0)
LEVELS = ("RUN", "HALT_NEW", "CANCEL_ALL", "FLATTEN", "LOCKED")
FORCED = frozenset({"liquidation", "adl"})


def is_ours(client_id: str) -> bool:
    """Whether an id has HEAN's form: `h<epoch>-<strategy>-<number>`."""
    return client_id.startswith("h") and client_id.count("-") == 2


def epoch_of(client_id: str) -> int:
    """The epoch in an id."""
    return int(client_id[1:].partition("-")[0], 36)


def signed(side: str, quantity: Decimal) -> Decimal:
    """A quantity with the sign of its side."""
    return quantity if side == "BUY" else -quantity


@dataclass(slots=True)
class VenueBooks:
    """What happened at the exchange. *name*: of a market, by which it is kept here; *orders*: by
    client id, those that our requests made; *taken*: ids of our form that orders of somebody else
    bear.
    """

    name: Callable[[TwinMarket], str] = attrgetter("symbol")
    orders: dict[str, Order] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    times_made: dict[str, int] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    payments: list[Execution] = field(default_factory=list)
    """Funding that was settled."""
    position: dict[str, Decimal] = field(default_factory=dict)
    """By symbol: everything that traded in the account, less the fees taken of it."""
    own_position: dict[str, Decimal] = field(default_factory=dict)
    """By symbol: what our orders traded, and what the venue closed of it."""
    lots: dict[str, Decimal] = field(default_factory=dict)
    """By symbol: the lot when it traded first."""

    def on_event(self, event: Event, *, is_asked: bool) -> None:
        """The exchange did something. *is_asked*: for a client that asked for it."""
        match event:
            case OrderEvent():
                self._order(event, is_asked)
            case ExecutionEvent() if event.execution.kind == "funding":
                self.payments.append(event.execution)
            case ExecutionEvent():
                self._execution(event.execution)

    def held(self, symbol: str) -> Decimal:
        """Whole lots of a position: a fee in coins leaves less of one, which cannot be sold."""
        return self._whole(symbol, self.position)

    def own_held(self, symbol: str) -> Decimal:
        """Whole lots of what our orders traded."""
        return self._whole(symbol, self.own_position)

    def _whole(self, symbol: str, position: dict[str, Decimal]) -> Decimal:
        if symbol not in position:
            return ZERO
        lot = self.lots[symbol]
        return (position[symbol] / lot).to_integral_value(ROUND_FLOOR) * lot

    def has_made(self, order: Order | None) -> bool:
        """Whether this order came of a request of ours; an id alone does not say so."""
        return order is not None and self.orders.get(order.client_id) is order

    def _order(self, event: OrderEvent, is_asked: bool) -> None:
        name = event.order.client_id
        if event.kind != "new" or not is_ours(name):
            return
        if is_asked:
            self.orders[name] = event.order
            self.times_made[name] = self.times_made.get(name, 0) + 1
        else:
            self.taken.add(name)

    def coins_before(self, began_ns: int) -> None:
        """The first reading of a journal began then. On spot nobody adopts what others had traded
        by then: coins that are there are no position.
        """
        for execution in self.executions.values():
            is_coins = execution.market.listing.market == "spot"
            if is_coins and execution.ts_ns < began_ns and not self.has_made(execution.order):
                self.position[self.name(execution.market)] -= _change(execution)

    def _execution(self, execution: Execution) -> None:
        self.executions[str(execution.number)] = execution
        symbol, change = self.name(execution.market), _change(execution)
        self.lots.setdefault(symbol, execution.market.listing.lot)
        self.position[symbol] = self.position.get(symbol, ZERO) + change
        if execution.kind in FORCED or self.has_made(execution.order):
            self.own_position[symbol] = self.own_position.get(symbol, ZERO) + change

    def open_orders(self, symbol: str, side: str) -> Decimal:
        """What our orders that may open something still have to trade."""
        return sum(
            (
                order.left
                for order in self.orders.values()
                if order.is_open
                and self.name(order.market) == symbol
                and order.side == side
                and not (order.reduce_only or order.close_all)
            ),
            ZERO,
        )


def _change(execution: Execution) -> Decimal:
    """Of the position, by what traded and by a fee in its coin."""
    change = signed(execution.side, execution.quantity)
    is_in_coin = execution.fee_coin == execution.market.listing.base
    return change - execution.fee if is_in_coin else change


@dataclass(slots=True)
class JournalBooks:
    """What is on the disk. *level*: of the kill switch, as the rows say;
    *is_clean*: the last comparison found no difference; *is_compared*: one of this life did not."""

    seq: int = 0
    approvals: dict[str, OrderApproved] = field(default_factory=dict)
    approved_ns: dict[str, int] = field(default_factory=dict)
    amends: dict[str, list[AmendApproved]] = field(default_factory=dict)
    sent: dict[tuple[str, str], int] = field(default_factory=dict)
    fills: dict[str, OrderFilled] = field(default_factory=dict)
    filled: dict[str, Decimal] = field(default_factory=dict)
    payments: dict[str, Funding] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    placed: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    position: dict[str, Decimal] = field(default_factory=dict)
    by_strategy: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    level: str = "RUN"
    raised_ns: int = 0
    """When the level was raised, by the engine's clock, as the rows say."""
    released_ns: int = 0
    first_ns: int = 0
    """When the first reading began, by the venue's clock."""
    is_clean: bool = True
    is_compared: bool = False
    kills: int = 0
    releases: int = 0
    starts: list[Start] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    audit: Audit = field(init=False)

    def __post_init__(self) -> None:
        self.audit = Audit(self.problems)

    def read(self, committed: Iterable[tuple[Any, ...]]) -> None:
        """Take rows that were just committed."""
        for row in committed:
            record = Record(*row)
            if record.seq != self.seq + 1:
                self.problems.append(("I-10", f"row {record.seq} follows row {self.seq}"))
            self.seq = record.seq
            self._take(record)

    def _take(self, record: Record) -> None:
        match record.kind:
            case rows.SENT:
                sent = row_of(record, Sent)
                key = (sent.verb, sent.order_id)
                self.sent[key] = self.sent.get(key, 0) + 1
            case rows.START:
                self._start(row_of(record, Start))
            case kind if kind in EventType.__members__:
                self._fact(record)

    def _start(self, start: Start) -> None:
        if self.starts and start.epoch <= self.starts[-1].epoch:
            what = f"a life of epoch {start.epoch} follows one of {self.starts[-1].epoch}"
            self.problems.append(("R-08", what))
        self.starts.append(start)
        self.is_compared = False

    def _fact(self, record: Record) -> None:
        fact: Any = record.fact()
        self.audit.take(fact)
        match EventType(record.kind):
            case EventType.ORDER_APPROVED:
                if fact.order_id in self.approvals:
                    self.problems.append(("I-03", f"{fact.order_id} was approved twice"))
                self.approvals[fact.order_id] = fact
                self.approved_ns[fact.order_id] = record.ts_ns
            case EventType.AMEND_APPROVED:
                self.amends.setdefault(fact.order_id, []).append(fact)
            case EventType.ORDER_FILLED:
                self._fill(fact)
            case EventType.FUNDING if fact.exec_id:
                self._payment(fact)
            case EventType.ORDER_PLACED:
                self.placed.add(fact.order_id)
            case EventType.ORDER_CANCELLED:
                self.ends[fact.order_id] = "CANCELLED"
            case EventType.ORDER_REJECTED if fact.source == "venue":
                self.ends[fact.order_id] = "REJECTED"
            case EventType.ORDER_ABSENT:
                self.absent.add(fact.order_id)
                self.unknown.discard(fact.order_id)
            case EventType.ORDER_UNKNOWN:
                self.unknown.add(fact.order_id)
            case EventType.ACCOUNT_READ:
                self.first_ns = self.first_ns or fact.began_ns
            case EventType.RECONCILE:
                self.is_clean = fact.clean
                self.is_compared |= fact.clean
            case EventType.KILLSWITCH_TRIGGERED:
                self._kill(fact)
            case EventType.KILLSWITCH_RELEASED:
                self.level, self.released_ns = "RUN", fact.timestamp
                self.releases += 1

    def _fill(self, fill: OrderFilled) -> None:
        if fill.exec_id in self.fills or fill.side is None:
            return
        self.fills[fill.exec_id] = fill
        self.filled[fill.order_id] = self.filled.get(fill.order_id, ZERO) + fill.filled_qty
        change = fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
        self.position[fill.symbol] = self.position.get(fill.symbol, ZERO) + change
        key = (fill.strategy_id, fill.symbol)
        self.by_strategy[key] = self.by_strategy.get(key, ZERO) + change

    def _payment(self, fact: Funding) -> None:
        if fact.exec_id in self.payments:
            self.problems.append(("I-01", f"payment {fact.exec_id} was told twice"))
        self.payments[fact.exec_id] = fact

    def _kill(self, fact: KillswitchTriggered) -> None:
        self.kills += 1
        if fact.level in LEVELS and LEVELS.index(fact.level) > LEVELS.index(self.level):
            self.level, self.raised_ns = fact.level, fact.timestamp
