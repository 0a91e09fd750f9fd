# SPDX-License-Identifier: Apache-2.0
"""Bugs that trade well and account badly, planted on purpose: what is told, to whom it is booked,
what nobody looks for, what was never typed. Orders and positions are right in all of them, so that
each is seen by one check alone.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from typing import Any

import msgspec
import pytest

from hean.core.types import Event, OrderFilled
from hean.errors import HeanError
from hean.execution.orders import OrderManager
from hean.live.engine import LiveEngine
from hean.live.recovery import Books
from hean.portfolio.portfolio import Portfolio
from hean.risk import live_gate
from hean.risk.protection import Protection
from hean.sim.scenario import Scenario
from hean.system import AccountSettings, TradingSystem
from hean.venues.reports import Execution, OrderReport, Status, Tracked
from hean.venues.tracking import OrderTracker
from sim.bank import LIMITS, Bug, busy, deaths, dials

Patch = pytest.MonkeyPatch
ZERO = Decimal(0)
Change = Callable[[OrderFilled], OrderFilled | None]


def _book_otherwise(patch: Patch, change: Change) -> None:
    """Have ledgers, of the process and of its journal, book what *change* makes of a fill."""
    filled, book = Portfolio.on_filled, Books._book

    @wraps(filled)
    def told(self: Portfolio, event: Event) -> None:
        fill = change(event.data)
        if fill is not None:
            self.ledger.book(fill)

    def folded(self: Books, fill: OrderFilled) -> None:
        changed = change(fill)
        if changed is not None:
            book(self, changed)

    patch.setattr(Portfolio, "on_filled", told)
    patch.setattr(Books, "_book", folded)


def _gate_without(patch: Patch, **given: Any) -> None:
    """The live gate takes these factors for given."""
    missing = live_gate.missing

    def lenient(factors: live_gate.Factors) -> tuple[str, ...]:
        return missing(msgspec.structs.replace(factors, **given))

    patch.setattr(live_gate, "missing", lenient)


def _without_limit(patch: Patch, name: str) -> None:
    """One limit of the account is never told to whoever judges."""
    make = TradingSystem.__init__

    def loose(self: TradingSystem, *given: Any, settings: AccountSettings, **more: Any) -> None:
        limits = {key: value for key, value in settings.limits.items() if key != name}
        settings = msgspec.structs.replace(settings, limits=limits)
        make(self, *given, settings=settings, **more)

    patch.setattr(TradingSystem, "__init__", loose)


# ---------------------------------------------------------------- what is booked


def fees_are_not_in_the_ledger(patch: Patch) -> None:
    """The journal knows the fees, and the money that is counted does not."""
    _book_otherwise(patch, lambda fill: msgspec.structs.replace(fill, fee=ZERO))


def others_are_not_in_the_ledger(patch: Patch) -> None:
    """What somebody else trades on the account changes the limits, and no money."""
    _book_otherwise(patch, lambda fill: None if fill.is_forced else fill)


def others_are_the_strategys(patch: Patch) -> None:
    """What somebody else trades on the account is booked to the strategy."""
    execution = OrderTracker.execution

    def wrong(self: OrderTracker, piece: Execution, found_ns: int = 0) -> None:
        emit = self._emit

        def told(fact: Any) -> None:
            is_others = isinstance(fact, OrderFilled) and fact.is_forced
            emit(msgspec.structs.replace(fact, strategy_id="takers") if is_others else fact)

        self._emit = told
        try:
            execution(self, piece, found_ns)
        finally:
            self._emit = emit

    patch.setattr(OrderTracker, "execution", wrong)


def others_count_each_time_they_are_told(patch: Patch) -> None:
    """An execution without an order of ours moves the position again when it is told again."""
    count = OrderManager._count_forced

    def again(self: OrderManager, fill: OrderFilled) -> bool:
        self._forced.discard(fill.exec_id)
        return count(self, fill)

    patch.setattr(OrderManager, "_count_forced", again)


# ---------------------------------------------------------------- what is told


def refusal_has_no_reason(patch: Patch) -> None:
    """The venue says why it refuses an order, and nobody keeps it."""
    refused = OrderTracker.refused

    def silent(self: OrderTracker, order: Tracked, error: type[HeanError], reason: str) -> None:
        refused(self, order, error, "")

    patch.setattr(OrderTracker, "refused", silent)


def end_is_told_again(patch: Patch) -> None:
    """A frame that comes twice ends its order twice."""
    report = OrderTracker.report

    def again(self: OrderTracker, look: OrderReport) -> None:
        order = self.of(look)
        if order is not None and look.status is Status.CANCELLED:
            order.is_ended = False
        report(self, look)

    patch.setattr(OrderTracker, "report", again)


def nobody_looks_for_stops(patch: Patch) -> None:
    """A stop without an answer counts as one, and nobody is told that the position is bare."""
    patch.setattr(Protection, "look", lambda self, ticks_ns: None)


# ---------------------------------------------------------------- what leaves


def gate_needs_no_phrase(patch: Patch) -> None:
    """A process that comes back trades at once; nobody has typed this boot's phrase."""
    _gate_without(patch, is_typed=True)


def nothing_waits_for_the_comparison(patch: Patch) -> None:
    """New orders leave as soon as the account was read, whatever the comparison says."""
    _gate_without(patch, is_clean=True)
    patch.setattr(
        LiveEngine, "_objection", lambda self, is_reduction: self.safety.objection(is_reduction)
    )


def open_orders_have_no_limit(patch: Patch) -> None:
    """There may be as many open orders as the strategy likes."""
    _without_limit(patch, "open_orders_max")


def one_order_has_no_limit(patch: Patch) -> None:
    """One order may be as large as the whole position."""
    _without_limit(patch, "order_value_max")


BY_HAND = {"dial": "order_by_hand", "at_s": 4.0, "type": "market"}
DUPLICATES = {"dial": "frame_duplicate", "probability": 0.5, "times": 2}
STOPS_LOST = {"dial": "timeout_lost", "probability": 0.5, "match": {"op": "stop"}}
AMNESIA = {"dial": "amnesia", "at_s": 2.0, "for_s": 60.0, "probability": 0.5}
FEW = {**LIMITS, "open_orders_max": "3"}
SMALL = {**LIMITS, "order_value_max": "400"}


def patient(seed: int) -> Scenario:
    """Positions are held for a while, and every other stop gets no answer."""
    scenario = busy("brackets", venue="binance", **dials(STOPS_LOST))(seed)
    return msgspec.structs.replace(scenario, pace=0.05)


AUDITED = (
    Bug(fees_are_not_in_the_ledger, ("I-01",), busy("takers")),
    Bug(others_are_not_in_the_ledger, ("I-02",), busy("takers", **dials(BY_HAND))),
    Bug(others_are_the_strategys, ("I-24",), busy("takers", **dials(BY_HAND))),
    Bug(others_count_each_time_they_are_told, ("I-11",), busy("takers", **dials(BY_HAND))),
    Bug(refusal_has_no_reason, ("I-20",), busy("monkey")),
    Bug(end_is_told_again, ("I-06",), busy("maker", **dials(DUPLICATES))),
    Bug(nobody_looks_for_stops, ("I-13",), patient),
    Bug(gate_needs_no_phrase, ("I-18",), busy("takers", **deaths(6, 400, 1.0))),
    Bug(
        nothing_waits_for_the_comparison,
        ("I-18",),
        busy("maker", **deaths(3, 600, 1.0), **dials(AMNESIA)),
    ),
    Bug(open_orders_have_no_limit, ("I-07",), busy("maker", limits=FEW)),
    Bug(one_order_has_no_limit, ("I-07",), busy("takers", limits=SMALL)),
)
