# SPDX-License-Identifier: Apache-2.0
"""`ends.py`: when everything has been honest for a while. `unsettled` says what is not explained
yet; `check` compares the three sets of books, to the last unit: orders, fills, fees, funding,
positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from hean.core.journal import Record
from hean.errors import ReplayDiverged
from hean.live.recovery import fold
from hean.sim.books import ZERO, signed
from hean.strategies.legs import TwoLegs
from hean.twin.orders import Execution, Order

if TYPE_CHECKING:
    from hean.sim.run import Trial

TOLD = frozenset({"ORDER_PLACED", "ORDER_FILLED", "ORDER_CANCELLED", "ORDER_ABSENT", "FUNDING"})
MS_NS = 1_000_000
FEE_GRAIN = Decimal("0.00000001")  # venues print fees so finely
DOUBTFUL = frozenset({"SENT", "INTENT", "UNKNOWN", "QUARANTINE"})


class Ends:
    """The end of one run."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def unsettled(self) -> list[str]:
        """What is still open, in words; empty when nothing is."""
        engine = self._trial.engine
        if engine is None:
            return ["no process"]
        if not engine.is_ready:
            return ["not ready"]
        lost, orders = self._lost(), engine.system.engine.open_orders()
        # A sliced order waits for its last slice.
        waiting = {order["parent_id"] for order in orders if order["client_order_id"] in lost}
        reasons = [
            f"{order['client_order_id']} is {order['status']}"
            for order in orders
            if (order["status"] in DOUBTFUL or order["cancel_pending"])
            and order["client_order_id"] not in lost | waiting
        ]
        for symbol, stale in engine.system.governor._stale.items():
            reasons += [f"{symbol}: stale {name}" for name in sorted(stale)]
        why = engine.gateway.halts.why(engine.system.portfolio.symbols[0])
        if why and not lost:
            reasons.append(why)
        if not self._trial.checks.journal.is_clean and not lost:
            reasons.append("not reconciled")
        reasons += [f"payment {name} is not told" for name in self._untold()]
        return reasons or self._differences(engine) or self._alone(engine)

    def _lost(self) -> set[str]:
        """Orders that the venue confirmed and then lost, or under whose id it has an order that is
        not ours: only a person can say what became of them.
        """
        checks, ledger = self._trial.checks, self._trial.exchange.ledger
        records = ledger.records if ledger.counts["lost"] else []
        return checks.venue.taken & checks.left.keys() | {
            str(row["client_order_id"]) for row in records if row["kind"] == "lost"
        }

    def check(self) -> None:
        """*Raises*: nothing; the first difference is told to the checks."""
        checks, engine = self._trial.checks, self._trial.engine
        if engine is None:
            return
        for difference in self._differences(engine):
            checks.fail("I-22", difference)
        self._executions()
        self._payments(engine)
        self._fold(engine)
        self._attribution()
        self._ledger(engine)
        if not checks.has_others:
            self._strategy(engine)
        for alone in self._alone(engine):
            checks.fail("I-24", alone)

    # ------------------------------------------------------------ the books

    def _differences(self, engine: Any) -> list[str]:
        """Between the exchange's orders and the engine's."""
        checks, found, lost = self._trial.checks, [], self._lost()
        for name, order in checks.venue.orders.items():
            if name in checks.left and name not in lost:
                found += self._difference(name, order, engine)
        for order in engine.system.engine.open_orders():
            name = order["client_order_id"]
            is_here_alone = order["is_sliced"]  # its slices are at the venue
            if name not in checks.venue.orders and name not in lost and not is_here_alone:
                found.append(f"{name} is {order['status']} here and was never at the venue")
        for market in self._trial.exchange.markets:
            symbol = self._trial.exchange.name(market)
            there = checks.venue.held(symbol)
            here = engine.system.engine.position(symbol)
            if here != there:
                found.append(f"{symbol}: position {here} here, {there} at the venue")
        return found

    def _difference(self, name: str, order: Order, engine: Any) -> list[str]:
        here = engine.system.engine.get(name)
        if here["filled_qty"] != order.filled:
            return [f"{name}: filled {here['filled_qty']} here, {order.filled} at the venue"]
        is_open = here["status"] in ("WORKING", "PARTIAL")
        if is_open != order.is_open:
            return [f"{name} is {here['status']} here, {order.status.value} at the venue"]
        return []

    def _executions(self) -> None:
        """Each execution of ours is in the journal once, with its fee, and no other is. What a
        foreign order traded under an id of ours may be booked either way: nobody can tell.
        """
        checks, name_of = self._trial.checks, self._trial.exchange.name_of
        there, others = {}, set()
        for execution in checks.venue.executions.values():
            if checks.venue.has_made(execution.order):
                there[name_of(execution)] = execution
            else:
                others.add(name_of(execution))
        here = {
            name: fill
            for name, fill in checks.journal.fills.items()
            if fill.order_id in checks.left
        }
        for name, execution in there.items():
            fill, order = here.get(name), execution.order
            is_booked = (
                fill is not None
                and order is not None
                and (fill.order_id, fill.filled_qty) == (order.client_id, execution.quantity)
                and abs(fill.fee - execution.fee) <= FEE_GRAIN
            )
            checks.require(
                "I-01", is_booked, partial("{} at the venue, {} in the journal".format, order, fill)
            )
        extra = here.keys() - there.keys() - others
        checks.require("I-01", not extra, lambda: f"booked and not at the venue: {sorted(extra)}")

    def _settled(self) -> dict[str, Execution]:
        """Funding that the exchange settled since the account was first read, by its id."""
        checks, name_of = self._trial.checks, self._trial.exchange.name_of
        return {
            name_of(each): each
            for each in checks.venue.payments
            if each.ts_ns // MS_NS * MS_NS >= checks.journal.first_ns
        }

    def _untold(self) -> list[str]:
        """Payments that are not in the journal."""
        return sorted(self._settled().keys() - self._trial.checks.journal.payments.keys())

    def _payments(self, engine: Any) -> None:
        """Each payment is in the journal with its amount, no other is, and the ledger has received
        their sum.
        """
        checks, there = self._trial.checks, self._settled()
        here = checks.journal.payments
        for name, payment in there.items():
            fact = here.get(name)
            is_booked = (
                fact is not None
                and fact.amount is not None
                and abs(fact.amount + payment.fee) <= FEE_GRAIN
                and fact.symbol == self._trial.exchange.name(payment.market)
            )
            checks.require(
                "I-01", is_booked, partial("{} at the venue, {} in the journal".format, name, fact)
            )
        extra = here.keys() - there.keys()
        checks.require("I-01", not extra, lambda: f"never settled: {sorted(extra)}")
        booked = engine.system.portfolio.ledger.funding_total
        paid = sum((each.fee for each in there.values()), ZERO)
        checks.require(
            "I-01",
            abs(booked + paid) <= FEE_GRAIN * len(there),
            lambda: f"funding {booked} in the ledger, {-paid} at the venue",
        )

    def _fold(self, engine: Any) -> None:
        """The rows on the disk give the state of the engine, also when the venue's facts come
        twice.
        """
        checks = self._trial.checks
        engine.recorder.commit()
        rows: Any = self._trial.disk.rows(engine.settings.journal)
        records = [Record(*row) for row in rows]
        books = fold(records)
        here = engine.state_hash()
        checks.require(
            "I-10",
            books is not None and books.hash() == here,
            lambda: f"the journal gives {books and books.hash()[:12]}, the engine has {here[:12]}",
        )
        try:
            again = fold(_doubled(records))
        except ReplayDiverged as error:
            checks.fail("I-11", f"with every fact twice: {error.message}")
            return
        checks.require(
            "I-11",
            again is not None and again.hash() == here,
            lambda: f"with every fact twice {again and again.hash()[:12]}, once {here[:12]}",
        )

    def _ledger(self, engine: Any) -> None:
        """What the engine counts is what the venue did: positions, and money to the grain in which
        venues print it. What was there before the journal is adopted without its fee.
        """
        checks, ledger = self._trial.checks, engine.system.portfolio.ledger
        trades = checks.venue.executions.values()
        if self._trial.exchange.kind == "linear":
            what, here, there = "fees", ledger.fees, sum((each.fee for each in trades), ZERO)
        else:
            there = sum(map(_cash_of, trades), checks.journal.starts[0].account.cash)
            what, here = "cash", ledger.cash - ledger.funding_total
        checks.require(
            "I-01",
            abs(here - there) <= FEE_GRAIN * len(trades) or checks.has_others,
            lambda: f"{what} {here} in the ledger, {there} at the venue",
        )
        for symbol in checks.venue.position:
            held = checks.venue.held(symbol)
            booked = ledger.position(symbol)[0]
            checks.require(
                "I-02",
                booked == held,
                partial("{}: {} in the ledger, {} at the venue".format, symbol, booked, held),
            )

    def _strategy(self, engine: Any) -> None:
        """The strategy holds what its own orders traded."""
        checks, strategy = self._trial.checks, engine.strategy
        for symbol, held in strategy.position.items():
            own = checks.journal.by_strategy.get((strategy.name, symbol), ZERO)
            checks.require(
                "I-24",
                held == own,
                partial(
                    "{}: the strategy holds {}, its orders traded {}".format, symbol, held, own
                ),
            )

    def _alone(self, engine: Any) -> list[str]:
        """A pair of which one leg is held without the other, unless nothing may be sent any more,
        the kill switch is closing it, or only a person can tell what became of an order of it.
        """
        strategy, orders = engine.strategy, engine.system.engine
        if not isinstance(strategy, TwoLegs) or orders.halt_level in ("FLATTEN", "LOCKED"):
            return []
        if self._trial.checks.has_others:  # somebody may have traded a leg away
            return []
        lost = self._lost()
        is_doubtful = any(
            order["status"] == "QUARANTINE" or order["client_order_id"] in lost
            for order in orders.open_orders()
        )
        is_refused = not any(strategy.position.values())  # it wants a pair, and gets nothing of it
        if is_doubtful or strategy.is_open or strategy.is_flat or is_refused:
            return []
        held = {symbol: str(qty) for symbol, qty in strategy.position.items()}
        return [f"the pair is neither whole nor flat: {held}"]

    def _attribution(self) -> None:
        """Parts of strategies and of others add up to the account's position at the venue."""
        checks = self._trial.checks
        for symbol in checks.venue.position:
            held = checks.venue.held(symbol)
            parts = {
                name: part
                for (name, where), part in checks.journal.by_strategy.items()
                if where == symbol
            }
            checks.require(
                "I-24",
                sum(parts.values(), ZERO) == held,
                partial("{}: parts {}, {} at the venue".format, symbol, parts, held),
            )


def _cash_of(execution: Execution) -> Decimal:
    """What a piece that traded brought in quote coins; a fee in others cost none."""
    listing = execution.market.listing
    fee = execution.fee if execution.fee_coin == listing.quote else ZERO
    if listing.market == "linear":
        return execution.realized - fee
    return -signed(execution.side, execution.quantity * execution.price) - fee


def _doubled(records: Iterable[Record]) -> Iterator[Record]:
    """Every fact that a venue told comes twice, one right after the other."""
    for record in records:
        yield record
        if record.kind in TOLD:
            yield record
