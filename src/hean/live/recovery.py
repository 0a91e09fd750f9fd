# SPDX-License-Identifier: Apache-2.0
"""`recovery.py`: from the rows of a journal to the books of the process that wrote them. `fold`
reads the rows in order into an order engine and a ledger; each fact goes through the very handlers
it went through the first time, no strategy runs, nothing leaves. Wherever the journal holds the
hash of its state, the books must have the same. The same rows give the same books, on any machine,
as often as one likes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec

from hean._core import Instrument, Ledger, OrderEngine
from hean.core.bus import EventBus
from hean.core.journal import STATE_HASH, Record
from hean.core.module import Context
from hean.core.orders import DESK
from hean.core.types import (
    AmendApproved,
    AmendRejected,
    Error,
    EventType,
    KillswitchTriggered,
    OrderApproved,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderType,
    Side,
    Signal,
    StampedEvent,
)
from hean.errors import (
    AlreadyApproved,
    Halted,
    HeanError,
    JournalDamaged,
    NotSent,
    OrderError,
    OrderNotOpen,
    OrderUnknown,
    ParameterInvalid,
    ReplayDiverged,
    StateError,
)
from hean.execution.coin_fees import CoinFees
from hean.execution.orders import OrderManager
from hean.feeds.arriving import Terms
from hean.live.rows import (
    JUDGED,
    RESOLVE,
    SEEN,
    SENT,
    START,
    STOP,
    Claimed,
    Sent,
    Start,
    row_of,
)
from hean.portfolio.portfolio import book_fill, book_funding
from hean.risk.directives import VERBS, Wishes
from hean.risk.drawdown import Baseline
from hean.risk.levels import Latched
from hean.risk.triggers import BASELINE
from hean.strategies.base import part_of
from hean.system import durable_hash, new_engine
from hean.venues.reports import Tracked, Wanted

ZERO = Decimal(0)
NEVER_SENT = "never sent: the process had ended"
ALGO_GONE = "its algorithm ended with the process; its slices are asked back"
SEEN_MAX = 100_000  # execution ids, as the tracker keeps
LEFT_MAX = 20_000  # orders that have left and are thought of; the engine keeps as many
REMEMBERED_NS = 3_600_000_000_000  # an order that ended so long ago is not told of any more
WITHDRAWN = frozenset({Halted.code, OrderNotOpen.code, ParameterInvalid.code})
"""Why an order ends while the router shows its ticket."""
OPEN = frozenset({"SENT", "WORKING", "PARTIAL", "UNKNOWN", "QUARANTINE"})
CONDITIONAL = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT)
Protection = tuple[float | None, float | None]
"""Stop and target of an entry."""


class Books:
    """What the journal says. Begins with its first START row.

    *start*: the last life's; *hashes*: how many state hashes were compared.
    """

    def __init__(self, first: Start) -> None:
        self.start = first
        self.instruments: dict[str, Instrument] = {}
        """The rules by which the books count."""
        self.engine: OrderEngine = new_engine({})
        self.ledger = Ledger(
            first.account.cash,
            [],
            leverage=first.account.leverage,
            allow_spot_borrowing=True,  # what the venue has executed is never refused
        )
        self.positions: dict[str, dict[str, Decimal]] = {}
        """Signed, by strategy and symbol."""
        self.wanted: dict[str, dict[str, Protection]] = {}
        """Of the last entry, by strategy and symbol."""
        self.seen: OrderedDict[str, None] = OrderedDict()
        """Ids of executions and of funding payments that are booked."""
        self.cancels: set[str] = set()
        """Orders that somebody wanted cancelled."""
        self.claimed: dict[str, int] = {}
        """When a person said of an order what became of it, by the venue's clock."""
        self.latched = Latched()
        """The kill switch, as the journal has it."""
        self.wishes = Wishes()
        """Strategies that are off, and limits that people have set."""
        self.baseline: Baseline | None = None
        """What losses are measured from."""
        self.is_compared = False
        """Whether the books were ever held against the venue's."""
        self.last_ns = 0
        self.first_ns = self.watched_ns = 0
        """By the venue's clock, since and until when the account was watched: the beginnings of
        its first reading and of its last complete one. What traded before is in what they found."""
        self.last_seq = 0
        self.hashes = 0
        self.is_stopped = False
        """Whether the last life ended in order."""
        self.coin_fees = CoinFees(self.instruments)
        """What the venue kept of what was bought."""
        self._manager = OrderManager(self.engine, self.coin_fees)
        bus = EventBus()
        self._manager.context = Context(bus, bus.clock)
        self._manager.context.emit = self._manager.tell_next = _forget
        self._left: OrderedDict[str, int] = OrderedDict()  # what has left, and when: venue's ms
        self._unsent: dict[str, None] = {}  # ids of approved orders without a SENT row
        self._tickets: dict[str, tuple[int, int]] = {}  # of those that nobody has used yet
        self._amends: dict[str, AmendApproved] = {}  # the last of each order
        self._amends_left: dict[str, int] = {}  # when its bytes were about to leave, ms

    def hash(self) -> str:
        """Of all that outlives a process."""
        return durable_hash(self.engine, self.ledger)

    def admit(self, terms: Iterable[Terms]) -> None:
        """Count in these symbols too. *Raises*: `StateError` for a symbol whose grid has become
        another one, in which the old prices and quantities cannot be told.
        """
        for row in terms:
            known, now = self.instruments.get(row.symbol), row.instrument()
            if known is None:
                self.engine.add_instrument(now)
                self.ledger.add_instrument(now, leverage=self.start.account.leverage)
                self.instruments[row.symbol] = now
            elif not is_grid_of(now, known):
                raise StateError(
                    f"{row.symbol}: the venue has made its grid finer (tick "
                    f"{known.price_decimal(1)} to {row.tick}, lot {known.quantity_decimal(1)} to "
                    f"{row.lot}) than the journal counts in; begin with a new data directory while "
                    "the account is flat."
                )

    def apply(self, record: Record) -> None:
        """One row. *Raises*: `ReplayDiverged` when the books differ from the journal's."""
        self.last_ns, self.last_seq = record.ts_ns, record.seq
        match record.kind:
            case "STATE_HASH":
                self._use_tickets()
                self._compare(record)
            case "START":
                self.start, self.is_stopped = row_of(record, Start), False
                self._tickets.clear()  # who might have used them is gone
                self.admit(self.start.terms)
            case "STOP":
                self.is_stopped = True
            case "SENT":
                self._sent(row_of(record, Sent))
            case "SEEN" | "JUDGED":
                pass  # for people
            case _:
                self._fact(record)

    def open_orders(self) -> list[dict[str, Any]]:
        """Orders that may be at the venue, as `OrderEngine.get` shows them."""
        orders = self.engine.open_orders()
        return [order for order in orders if order["client_order_id"] not in self._unsent]

    def never_sent(self) -> list[str]:
        """Approved orders of which no byte has left."""
        ids = [str(order["client_order_id"]) for order in self.engine.open_orders()]
        return [order_id for order_id in ids if order_id in self._unsent]

    def withdrawals(self) -> list[OrderCancelled | AmendRejected | Error]:
        """What ends the orders and amendments of which no byte has left. Of a sliced order none
        ever does: it ends as well, aloud, for nobody works it any more.
        """
        facts: list[OrderCancelled | AmendRejected | Error] = []
        for order_id in self.never_sent():
            order = self.engine.get(order_id)
            if not order["is_sliced"]:
                facts.append(OrderCancelled(order_id, NEVER_SENT, order["symbol"]))
                continue
            left = order["qty"] - order["filled_qty"]
            words = (
                f"{order_id}: {left:f} of {order['qty']:f} {order['symbol']} not done: {ALGO_GONE}"
            )
            facts.append(OrderCancelled(order_id, ALGO_GONE, order["symbol"], left, source=DESK))
            facts.append(Error(DESK, words, self.last_ns))
        for order in self.engine.open_orders():
            order_id = order["client_order_id"]
            if order["amend_pending"] and order_id not in self._amends_left:
                symbol, strategy_id = order["symbol"], order["strategy_id"]
                facts.append(
                    AmendRejected(order_id, NEVER_SENT, NotSent.code, "venue", symbol, strategy_id)
                )
        return facts

    def tracked(self) -> list[Tracked]:
        """Orders as a gateway wants to know them: the open ones, and those of which the venue may
        still tell something.
        """
        recent = []
        for order_id in self._left:
            try:
                order = self.engine.get(order_id)
            except OrderUnknown:
                continue  # archived
            is_late = self.last_ns - order["updated_at"] > REMEMBERED_NS
            is_judged = order["status"] == "ABSENT" or order_id in self.claimed  # not by the venue
            if order["status"] in OPEN or is_judged or not is_late:
                recent.append(self._tracked(order))
        return recent

    # ------------------------------------------------------------ inside

    def _tracked(self, order: dict[str, Any]) -> Tracked:
        order_id, status = order["client_order_id"], order["status"]
        is_unknown = status in ("SENT", "UNKNOWN", "QUARANTINE")
        return Tracked(
            order_id,
            order["symbol"],
            Side(order["side"]),
            order["qty"],
            order["price"],
            order["strategy_id"],
            OrderType(order["type"]) in CONDITIONAL,
            order["reduce_only"],
            order["created_at"],
            exchange_order_id=order["exchange_order_id"] or "",
            filled=order["filled_qty"],
            is_placed=not is_unknown and status != "ABSENT",
            is_unknown=is_unknown,
            is_ended=status not in OPEN,
            # Whoever worked the slices is gone.
            is_cancel_wanted=order_id in self.cancels or order["parent_id"] is not None,
            is_absent=status == "ABSENT",
            is_quarantined=status == "QUARANTINE",
            left_ms=self._left.get(order_id, 0),
            closed_ns=self.claimed.get(order_id, 0) if status == "CANCELLED" else 0,
            wanted=self._wanted(order),
        )

    def _wanted(self, order: dict[str, Any]) -> Wanted | None:
        """What an amendment that left and has no answer asks for."""
        order_id = order["client_order_id"]
        left_ms = self._amends_left.get(order_id)
        if left_ms is None or not order["amend_pending"]:
            return None
        amend = self._amends[order_id]
        return Wanted(amend.price, amend.size, left_ms)

    def _compare(self, record: Record) -> None:
        state = self.hash()
        if record.payload != state.encode():
            raise ReplayDiverged(
                f"row {record.seq}: the journal's state is {record.payload.decode()[:16]}, its "
                f"rows give {state[:16]}; this version must not trade on it. Use the version that "
                f"wrote it ({self.start.version})."
            )
        self.hashes += 1

    def _sent(self, sent: Sent) -> None:
        match sent.verb:
            case "cancel":
                self.cancels.add(sent.order_id)
            case "submit":
                self._left[sent.order_id] = sent.venue_ms
                self._at_gateway(sent.order_id)
            case "amend":
                self._amends_left[sent.order_id] = sent.venue_ms

    def _at_gateway(self, order_id: str) -> None:
        """The router let it through; it left, or the gateway refused it."""
        self._unsent.pop(order_id, None)
        self._left.setdefault(order_id, 0)
        if len(self._left) > LEFT_MAX:
            self._left.popitem(last=False)
        if order_id in self._tickets:
            self._use_ticket(order_id)

    def _use_ticket(self, order_id: str) -> None:
        ticket, approved_ns = self._tickets.pop(order_id)
        with suppress(Halted):  # it was withdrawn then as well
            self.engine.redeem(order_id, ticket, approved_ns)

    def _use_tickets(self) -> None:
        """The router had used every ticket before the next fact was handled: what stops the engine
        from now on did not stop those.
        """
        for order_id in list(self._tickets):
            self._use_ticket(order_id)

    def _fact(self, record: Record) -> None:
        fact: Any = record.fact()
        kind, manager = fact.event_type, self._manager
        event = StampedEvent(kind, fact, record.ts_ns, record.event_seq)
        match kind:
            case EventType.ORDER_APPROVED:
                self._approve(fact, record.ts_ns)
            case EventType.ORDER_PLACED:
                manager.on_placed(event)
            case EventType.AMEND_APPROVED:
                self._amend(fact)
            case EventType.AMEND_REJECTED:
                self._amend_rejected(fact, event)
            case EventType.ORDER_AMENDED:
                manager.on_amended(event)
            case EventType.ORDER_FILLED:
                if manager.admit_fill(event):
                    self._book(fact)
            case EventType.ORDER_CANCELLED:
                manager.on_cancelled(event)
            case EventType.ORDER_REJECTED:
                self._rejected(fact, event)
            case EventType.ORDER_UNKNOWN:
                manager.on_unknown(event)
            case EventType.ORDER_ABSENT:
                manager.on_absent(event)
            case EventType.ORDER_QUARANTINED:
                manager.on_quarantined(event)
            case EventType.FUNDING if fact.exec_id not in self.seen:
                book_funding(self.ledger, fact)
                if fact.exec_id:
                    self._see(fact.exec_id)
            case EventType.KILLSWITCH_TRIGGERED:
                self._halt(fact)
            case EventType.COMMAND if fact.verb == BASELINE:
                self.baseline = msgspec.convert(fact.arguments, Baseline)
            case EventType.COMMAND if fact.verb in VERBS:
                self.wishes.hear(fact)
            case EventType.COMMAND if fact.verb == RESOLVE:
                claimed = msgspec.convert(fact.arguments, Claimed)
                self.claimed[claimed.order_id] = claimed.at_ns
            case EventType.KILLSWITCH_RELEASED:
                self.latched, self.baseline = Latched(), None
                self.engine.release_halt()
            case EventType.RECONCILE:
                self.is_compared = True
            case EventType.ACCOUNT_READ:
                self.first_ns = self.first_ns or fact.began_ns
                if fact.is_complete or not self.watched_ns:
                    self.watched_ns = fact.began_ns
            case EventType.SIGNAL:
                self._remember(fact)

    def _approve(self, approved: OrderApproved, ts_ns: int) -> None:
        if approved.ticket is None:
            return  # anybody can say so; the router refused it
        try:
            self._tickets[approved.order_id] = (self.engine.readmit(approved, ts_ns), ts_ns)
        except AlreadyApproved:
            return  # said twice: the first stands
        self._unsent[approved.order_id] = None
        if approved.algo is not None:
            self._use_ticket(approved.order_id)  # as the router does at once; no SENT row follows

    def _amend(self, approved: AmendApproved) -> None:
        if approved.ticket is None:
            return  # anybody can say so; the router refused it
        with suppress(OrderError):  # one is on its way: the first stands
            self.engine.readmit_amend(approved)
            self._amends[approved.order_id] = approved
            self._amends_left.pop(approved.order_id, None)

    def _amend_rejected(self, rejected: AmendRejected, event: StampedEvent) -> None:
        self._manager.on_amend_rejected(event)
        if rejected.source == "router":
            with suppress(OrderError):  # it has ended
                self.engine.on_amend_rejected(rejected.order_id)

    def _book(self, fill: OrderFilled) -> None:
        book_fill(self.ledger, fill)
        self._see(fill.exec_id)
        owners = [fill.strategy_id] if not fill.is_forced else list(self.positions)
        for owner in owners:
            held = self.positions.setdefault(owner, {})
            before = held.get(fill.symbol, ZERO)
            held[fill.symbol] = before + part_of(fill, before, is_own=not fill.is_forced)

    def _see(self, exec_id: str) -> None:
        self.seen[exec_id] = None
        if len(self.seen) > SEEN_MAX:
            self.seen.popitem(last=False)

    def _rejected(self, rejected: OrderRejected, event: StampedEvent) -> None:
        order_id = rejected.order_id
        if rejected.source == "venue":
            self._at_gateway(order_id)
        elif rejected.source == "router" and rejected.code in WITHDRAWN:
            self._tickets.pop(order_id, None)
            self.engine.on_cancelled(order_id, event.ts_ns)  # as the engine did when it refused
        self._manager.on_rejected(event)

    def _halt(self, triggered: KillswitchTriggered) -> None:
        self.latched = self.latched.after(triggered)
        self._use_tickets()
        self.engine.halt("HALT_NEW")
        try:
            self.engine.halt(triggered.level)
        except HeanError:
            return  # a level nobody knows has stopped everything new; it was reported then

    def _remember(self, signal: Signal) -> None:
        if not signal.reduce_only:
            wanted = self.wanted.setdefault(signal.strategy_id, {})
            wanted[signal.symbol] = (signal.stop_loss, signal.take_profit)


def fold(records: Iterable[Record]) -> Books | None:
    """The books after these rows; `None` of an empty journal.

    *Raises*: `JournalDamaged` when it is not the journal of a trading process, `ReplayDiverged`.
    """
    books: Books | None = None
    for record in records:
        if books is None:
            if record.kind != START:
                raise JournalDamaged(
                    f"row {record.seq} is {record.kind}, not {START}: this is no journal of a "
                    "trading process; check the path."
                )
            books = Books(row_of(record, Start))
        books.apply(record)
    return books


def is_grid_of(coarse: Instrument, fine: Instrument) -> bool:
    """Whether every price and quantity of *coarse* can be counted in steps of *fine*."""
    pairs = (
        (coarse.price_decimal(1), fine.price_decimal(1)),
        (coarse.quantity_decimal(1), fine.quantity_decimal(1)),
    )
    return all(not step % unit for step, unit in pairs)


def _forget(_fact: object) -> None:
    """What handlers said, they said the first time."""


KINDS = frozenset({START, SENT, STOP, SEEN, JUDGED, STATE_HASH})
"""Rows that are no events."""
