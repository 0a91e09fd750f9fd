# SPDX-License-Identifier: Apache-2.0
"""`tracking.py`: the orders under way at one venue, and what is told about them. Answers, stream
frames and queries about one order arrive in any order and more than once; this file says each fact
to the bus once. A fill that comes before the acknowledgement stands for it; an execution is known
by its id. No order ends before all is told that the venue counts as filled: what has ended counts
no more, and its fill would count nowhere. An order declared absent or in quarantine that turns up
is adopted at once. The terms of an order are those of the newest look at it; that an amendment was
taken on shows nothing. It decides nothing about money and sends nothing. What belongs to no order
of ours is told under an id that begins with `venue-`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from hean.core.types import (
    AmendRejected,
    Funding,
    Liquidity,
    OrderAbsent,
    OrderAmended,
    OrderApproved,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderQuarantined,
    OrderRejected,
    OrderType,
    OrderUnknown,
    Payload,
)
from hean.errors import HeanError, OrderNotOpen, VenueRefused
from hean.venues.reports import ZERO, Execution, OrderReport, Settlement, Status, Tracked

ENDED_MAX = 10_000  # closed orders remembered for a late fill: hours of trading
EXECUTIONS_MAX = 100_000  # ids remembered; a reconnect reads five minutes back, a few thousand

_CONDITIONAL = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT)


class Watch(Protocol):
    """Who is told what a table of orders cannot decide."""

    def strange(self, report: OrderReport) -> None:
        """A status that nobody knows."""
        ...

    def stranger(self, seen: OrderReport | Execution) -> None:
        """An order, or a piece of one, that is not under way here."""
        ...

    def disputed(self, order: Tracked, why: str) -> None:
        """The venue shows another order under this one's id."""
        ...

    def turned_up(self, order: Tracked, ts_ns: int) -> None:
        """One that was declared absent, or ended by a person's word, is there; *ts_ns*: the
        venue's time of what showed it.
        """
        ...

    def untold(self, order: Tracked) -> None:
        """Pieces of it are missing that the venue counts."""
        ...


class OrderTracker:
    """The table of orders. *emit*: takes facts; *watch*: is told the rest."""

    def __init__(self, emit: Callable[[Payload], None], watch: Watch) -> None:
        self._emit = emit
        self._watch = watch
        self._orders: dict[str, Tracked] = {}
        self._by_exchange_id: dict[str, Tracked] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._restored: set[str] = set()

    def open(self, approved: OrderApproved, now_ns: int) -> Tracked:
        """Begin with an order that is about to leave."""
        order = Tracked(
            approved.order_id,
            approved.symbol,
            approved.side,
            approved.size,
            approved.price,
            approved.strategy_id,
            approved.type in _CONDITIONAL,
            approved.reduce_only,
            now_ns,
        )
        self._orders[approved.order_id] = order
        return order

    def restore(self, orders: Iterable[Tracked], seen: Iterable[str]) -> None:
        """Begin with what an earlier process left: its orders, and ids of executions it told."""
        for order in orders:
            self._orders[order.order_id] = order
            self._restored.add(order.order_id)
            for exchange_id in (order.exchange_order_id, order.child_order_id):
                if exchange_id:
                    self._by_exchange_id[exchange_id] = order
            if order.is_ended:
                self._ended[order.order_id] = None
        self._seen.update(dict.fromkeys(seen))

    def get(self, order_id: str) -> Tracked | None:
        """The order, if it is or was under way here."""
        return self._orders.get(order_id)

    def of(self, report: OrderReport) -> Tracked | None:
        """Whose look this is, if it is of an order under way here."""
        return self._find(report.client_order_id, report.exchange_order_id)

    def may_be_of_lost(self, execution: Execution) -> bool:
        """Whether an execution without a client id may be of an order that has no answer yet."""
        return any(not order.is_placed for order in self._may_have_traded(execution))

    def may_have_become(self, execution: Execution) -> list[Tracked]:
        """Conditional orders that may have been triggered and traded this as another order."""
        return [
            order
            for order in self._may_have_traded(execution)
            if order.is_conditional and not order.child_order_id
        ]

    def _may_have_traded(self, execution: Execution) -> list[Tracked]:
        """Open orders that fit an execution of an order nobody here knows."""
        if execution.exchange_order_id in self._by_exchange_id or self.has_seen(execution):
            return []
        traded = (execution.symbol, execution.side)
        return [order for order in self.open_orders() if (order.symbol, order.side) == traded]

    def open_orders(self) -> list[Tracked]:
        """Orders that have not ended, oldest first."""
        return [order for order in self._orders.values() if not order.is_ended]

    def placed(self, order: Tracked, exchange_order_id: str, ts_ns: int = 0) -> None:
        """The venue has it. *ts_ns*: the venue's time of what says so."""
        if exchange_order_id and not order.exchange_order_id:
            order.exchange_order_id = exchange_order_id
            self._by_exchange_id[exchange_order_id] = order
        order.is_unknown = order.is_quarantined = False
        if order.is_absent:
            self._turn_up(order, ts_ns)
        if not order.is_placed:
            order.is_placed = True
            self._emit(OrderPlaced(order.order_id, order.exchange_order_id, order.symbol))

    def refused(self, order: Tracked, error: type[HeanError], reason: str) -> None:
        """It never reached the venue's book. After the venue has shown it, a refusal is stale."""
        if order.is_ended or order.is_placed:
            return
        self._end(order)
        self._emit(
            OrderRejected(
                order.order_id, reason, error.code, "venue", order.symbol, order.strategy_id
            )
        )

    def amend_refused(self, order: Tracked, error: type[HeanError], reason: str) -> None:
        """An amendment was refused; the order is as it was."""
        was_wanted, order.wanted = order.wanted, None
        self._emit(
            AmendRejected(
                order.order_id, reason, error.code, "venue", order.symbol, order.strategy_id
            )
        )
        if was_wanted is not None and not order.is_ended and order.filled >= order.size:
            self._end(order)
            self._tell_terms(order)  # its last piece was told as if more were to come

    def request_refused(self, order: Tracked, error: type[HeanError], reason: str) -> None:
        """A cancel was refused; the order is as it was."""
        self._emit(
            OrderRejected(
                order.order_id,
                reason,
                error.code,
                "venue-request",
                order.symbol,
                order.strategy_id,
            )
        )

    def unknown(self, order: Tracked, since_ns: int) -> None:
        """Nobody knows whether the venue has it."""
        if order.is_placed or order.is_ended or order.is_unknown:
            return
        order.is_unknown = True
        self._emit(OrderUnknown(order.order_id, since_ns, order.symbol))

    def absent(self, order: Tracked, proof: str) -> None:
        """It was never there, as far as can be proven; a later frame proves better."""
        if order.is_placed or order.is_ended:
            return
        self._end(order)
        order.is_absent, order.is_quarantined = True, False
        self._emit(OrderAbsent(order.order_id, proof, order.symbol))

    def closed(self, order: Tracked, why: str, now_ns: int) -> None:
        """A person says that it has ended, and is believed until the venue shows it. *now_ns*: the
        venue's time.
        """
        if order.is_ended:
            return
        self._end(order)
        order.closed_ns = now_ns
        remaining = max(order.size - order.filled, ZERO)
        self._emit(OrderCancelled(order.order_id, why, order.symbol, remaining, now_ns))

    def quarantined(self, order: Tracked, why: str, now_ns: int) -> None:
        """Nobody can tell what became of it: it counts in full until something shows it."""
        if order.is_ended or order.is_quarantined:
            return
        if order.order_id in self._restored:  # unknown to an earlier process, not told in this one
            order.is_unknown = order.is_placed
        self.unknown(order, now_ns)
        order.is_quarantined = True
        self._emit(OrderQuarantined(order.order_id, why, order.symbol))

    def report(self, report: OrderReport) -> None:
        """A look at an order, from a stream or a query."""
        order = self._find(report.client_order_id, report.exchange_order_id)
        if order is None:
            self._watch.stranger(report)
            return  # only its executions matter here
        if report.status is Status.STRANGE:
            self._watch.strange(report)
            return
        if self._disputes(order, report):
            return
        if report.status is not Status.REJECTED:
            self.placed(order, report.exchange_order_id, report.ts_ns)
        if order.closed_ns and order.is_ended and report.status is Status.OPEN:
            self._turn_up(order, report.ts_ns)
        self.learn_child(order, report)
        self._learn_terms(order, report)
        if report.status is Status.FILLED and order.wanted is not None:
            self.amend_refused(order, OrderNotOpen, "it has filled on its old terms")
        if order.is_ended:
            return
        if report.status is Status.REJECTED and not order.is_placed:
            self.refused(order, VenueRefused, report.reason or report.word)
            return
        order.counted = max(order.counted, report.filled)
        if order.is_untold:
            self._watch.untold(order)
        if report.status is Status.OPEN:
            return
        if order.is_untold:
            order.end = report
        else:
            self._conclude(order, report)

    def _conclude(self, order: Tracked, report: OrderReport) -> None:
        """All that it has traded is told: it ends."""
        self._end(order)
        remaining = max(order.size - report.filled, ZERO)
        if report.status is not Status.FILLED or remaining:
            reason = report.reason or report.word
            self._emit(
                OrderCancelled(order.order_id, reason, order.symbol, remaining, report.ts_ns)
            )

    def has_seen(self, execution: Execution | Settlement) -> bool:
        """Whether this piece has been told."""
        return execution.exec_id in self._seen

    def execution(self, execution: Execution, found_ns: int = 0) -> None:
        """A piece that traded; told once, whatever it arrives through. *found_ns*: what others had
        traded by then is known and not told: it is in what the first reading of the account found.
        """
        if not self._is_new(execution):
            return
        order = self._find(execution.client_order_id, execution.exchange_order_id)
        strategy_id, order_id, remaining = "", f"venue-{execution.exchange_order_id}", ZERO
        if order is None:
            self._watch.stranger(execution)
            if execution.ts_ns < found_ns:
                return
        elif self._disputes(order, execution):
            order = None
        elif 0 < order.closed_ns < execution.ts_ns:
            if order.is_ended:
                self._turn_up(order, execution.ts_ns)
            order = None  # books in which it has ended count it as the venue's own
        if order is not None:
            self.placed(order, execution.exchange_order_id, execution.ts_ns)
            wanted = order.wanted
            if wanted is not None and order.filled + execution.quantity > order.size:
                # Only the terms that are wanted leave room for this piece: it proves them.
                order.price, order.size, order.wanted = wanted.price, wanted.size, None
                self._tell_terms(order)
            order.filled += execution.quantity
            strategy_id, order_id = order.strategy_id, order.order_id
            remaining = max(order.whole - order.filled, ZERO)
        self._emit(
            OrderFilled(
                order_id,
                execution.price,
                execution.quantity,
                execution.symbol,
                execution.side,
                execution.fee,
                execution.exec_id,
                Liquidity.MAKER if execution.is_maker else Liquidity.TAKER,
                remaining,
                strategy_id,
                execution.fee_asset,
                execution.ts_ns,
            )
        )
        if order is not None and order.filled >= order.whole:
            self._end(order)
        elif order is not None and order.end is not None and not order.is_untold:
            self._conclude(order, order.end)

    def settlement(self, settlement: Settlement) -> None:
        """Funding that was paid or received; told once, whatever it arrives through."""
        if not self._is_new(settlement):
            return
        rate, mark_price = settlement.rate, settlement.mark_price
        is_priced = rate is not None and mark_price is not None
        self._emit(
            Funding(
                settlement.symbol,
                float(rate or ZERO),
                mark_price=float(mark_price or ZERO) if is_priced else None,
                exec_id=settlement.exec_id,
                amount=settlement.received,
                asset=settlement.asset,
                settled_ns=settlement.ts_ns,
            )
        )

    def _is_new(self, seen: Execution | Settlement) -> bool:
        if seen.exec_id in self._seen:
            return False
        self._seen[seen.exec_id] = None
        if len(self._seen) > EXECUTIONS_MAX:
            self._seen.popitem(last=False)
        return True

    def merge(
        self,
        reports: Iterable[OrderReport],
        executions: Iterable[Execution],
        found_ns: int = 0,
    ) -> None:
        """What was fetched after a hole in the stream. Orders come first: they tell which of the
        venue's ids are ours. *found_ns*: as of `execution`.
        """
        looks = list(reports)
        for report in looks:
            order = self._find(report.client_order_id, report.exchange_order_id)
            is_there = report.status not in (Status.STRANGE, Status.REJECTED)
            if order is not None and is_there and not self._disputes(order, report):
                self.placed(order, report.exchange_order_id, report.ts_ns)
                self.learn_child(order, report)
                self._learn_terms(order, report)
        for execution in sorted(executions, key=lambda each: (each.ts_ns, each.exec_id)):
            self.execution(execution, found_ns)
        for report in looks:
            self.report(report)

    def _turn_up(self, order: Tracked, ts_ns: int) -> None:
        """Somebody was wrong: it is followed again."""
        order.is_absent = order.is_ended = False
        self._ended.pop(order.order_id, None)
        self._watch.turned_up(order, ts_ns)

    def learn_child(self, order: Tracked, report: OrderReport) -> None:
        """A look at a triggered order tells which order it became."""
        if report.child_order_id and not order.child_order_id:
            order.child_order_id = report.child_order_id
            self._by_exchange_id[report.child_order_id] = order

    def _learn_terms(self, order: Tracked, report: OrderReport) -> None:
        """Believe a look that is newer than the one the known terms are from. One that shows what
        an amendment wants is its answer.
        """
        if not order.is_placed or report.quantity <= 0 or report.ts_ns < order.terms_ns:
            return
        price = order.price
        if price is not None and report.price is not None:
            price = report.price
        shown, wanted = (price, report.quantity), order.wanted
        is_answer = wanted is not None and shown == (wanted.price, wanted.size)
        is_cut = order.reduce_only and report.quantity < order.size  # to what there is to reduce
        is_news = shown != (order.price, order.size) and not is_cut
        if report.ts_ns == order.terms_ns and order.terms_ns:
            is_news = False  # of two looks of one moment the later one was told first
        if not (is_answer or is_news):
            return
        order.price, order.size, order.terms_ns = price, report.quantity, report.ts_ns
        if is_answer:
            order.wanted = None
        self._tell_terms(order)

    def _tell_terms(self, order: Tracked) -> None:
        remaining = max(order.size - order.filled, ZERO)
        self._emit(OrderAmended(order.order_id, order.price, order.size, remaining, order.symbol))

    def _find(self, client_order_id: str, exchange_order_id: str) -> Tracked | None:
        order = self._orders.get(client_order_id)
        return order if order is not None else self._by_exchange_id.get(exchange_order_id)

    def _disputes(self, order: Tracked, seen: OrderReport | Execution) -> bool:
        """Whether the venue means another order by this id: one that it has not confirmed yet, and
        whose terms are not those that were sent. What such an order trades is not ours either.
        """
        if order.is_placed:
            return False
        is_other = seen.symbol != order.symbol or seen.side not in (None, order.side)
        if isinstance(seen, OrderReport) and seen.quantity:
            is_less = order.reduce_only and seen.quantity < order.size  # the venue may shrink it
            is_other = is_other or (seen.quantity != order.size and not is_less)
        elif isinstance(seen, Execution):
            is_more = order.filled + seen.quantity > order.whole
            is_other = is_other or order.is_disputed or is_more
        if is_other:
            order.is_disputed = True
            side = seen.side or "an order of unknown side"
            self._watch.disputed(
                order,
                f"the venue has {side} {seen.quantity:f} {seen.symbol} under this id, sent was "
                f"{order.side} {order.size:f} {order.symbol}",
            )
        return is_other

    def _end(self, order: Tracked) -> None:
        if order.is_ended:
            return
        order.is_ended, order.is_unknown, order.is_quarantined = True, False, False
        if order.wanted is not None:  # whoever asked is told, though the answer comes later
            self.amend_refused(order, OrderNotOpen, "the order ended before it was seen to change.")
        order.end = None
        self._ended[order.order_id] = None
        if len(self._ended) > ENDED_MAX:
            oldest, _ = self._ended.popitem(last=False)
            forgotten = self._orders.pop(oldest)
            self._by_exchange_id.pop(forgotten.exchange_order_id, None)
            self._by_exchange_id.pop(forgotten.child_order_id, None)
