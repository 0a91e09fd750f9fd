# SPDX-License-Identifier: Apache-2.0
"""`ends.py`: when everything has been honest for a while. `unsettled` says what is not explained
yet; `check` compares the three sets of books, to the last unit: orders, fills, fees, positions.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from hean.core.journal import Record
from hean.live.recovery import fold
from hean.sim.books import ZERO
from hean.twin.orders import Order

if TYPE_CHECKING:
    from hean.sim.run import Trial

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
        lost = self._lost()
        reasons = [
            f"{order['client_order_id']} is {order['status']}"
            for order in engine.system.engine.open_orders()
            if (order["status"] in DOUBTFUL or order["cancel_pending"])
            and order["client_order_id"] not in lost
        ]
        for symbol, stale in engine.system.governor._stale.items():
            reasons += [f"{symbol}: stale {name}" for name in sorted(stale)]
        why = engine.gateway.halts.why(engine.system.portfolio.symbols[0])
        if why and not lost:
            reasons.append(why)
        if not self._trial.checks.journal.is_clean and not lost:
            reasons.append("not reconciled")
        return reasons or self._differences(engine)

    def _lost(self) -> set[str]:
        """Orders that the venue confirmed and then lost, or under whose id it has an order that is
        not ours: only a person can say what became of them.
        """
        found = set()
        for row in self._trial.exchange.ledger.records:
            if row["kind"] == "lost":
                found.add(str(row["client_order_id"]))
            elif row["kind"] == "fault" and row["dial"] == "duplicate_id":
                found.update(row.get("client_order_ids", ()))
        return found

    def check(self) -> None:
        """*Raises*: nothing; the first difference is told to the checks."""
        checks, engine = self._trial.checks, self._trial.engine
        if engine is None:
            return
        for difference in self._differences(engine):
            checks.fail("I-22", difference)
        self._executions()
        self._fold(engine)
        self._attribution(engine)
        if not checks.has_others:
            self._strategy(engine)

    # ------------------------------------------------------------ the books

    def _differences(self, engine: Any) -> list[str]:
        """Between the exchange's orders and the engine's."""
        checks, found, lost = self._trial.checks, [], self._lost()
        for name, order in checks.venue.orders.items():
            if name in checks.left and name not in lost:
                found += self._difference(name, order, engine)
        for order in engine.system.engine.open_orders():
            name = order["client_order_id"]
            if name not in checks.venue.orders:
                found.append(f"{name} is {order['status']} here and was never at the venue")
        for market in self._trial.exchange.markets:
            symbol = market.symbol
            there = checks.venue.position.get(symbol, ZERO)
            here = engine.system.engine.position(symbol)
            if here != there and self._trial.exchange.kind == "linear":
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
        """Each execution of ours is in the journal once, with its fee, and no other is."""
        checks = self._trial.checks
        mine = {
            number: execution
            for number, execution in checks.venue.executions.items()
            if execution.order is not None and execution.order.client_id in checks.left
        }
        total: dict[str, list[Decimal]] = {"there": [ZERO, ZERO], "here": [ZERO, ZERO]}
        for execution in mine.values():
            total["there"][0] += execution.quantity
            total["there"][1] += execution.fee
        count = 0
        for fill in checks.journal.fills.values():
            if fill.order_id in checks.left:
                count += 1
                total["here"][0] += fill.filled_qty
                total["here"][1] += fill.fee
        fees_differ = abs(total["there"][1] - total["here"][1])
        checks.require(
            "I-01",
            count == len(mine)
            and total["there"][0] == total["here"][0]
            and fees_differ <= FEE_GRAIN * count,
            lambda: f"{count} fills in the journal, {len(mine)} at the venue; {total}",
        )

    def _fold(self, engine: Any) -> None:
        """The rows on the disk give the state of the engine."""
        checks = self._trial.checks
        engine.recorder.commit()
        rows: Any = self._trial.disk.rows(engine.settings.journal)
        books = fold(Record(*row) for row in rows)
        here = engine.state_hash()
        checks.require(
            "I-10",
            books is not None and books.hash() == here,
            lambda: f"the journal gives {books and books.hash()[:12]}, the engine has {here[:12]}",
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

    def _attribution(self, engine: Any) -> None:
        """Parts of strategies and of others add up to the account's position."""
        checks = self._trial.checks
        sums: dict[str, Decimal] = {}
        for (_, symbol), part in checks.journal.by_strategy.items():
            sums[symbol] = sums.get(symbol, ZERO) + part
        for symbol, total in sums.items():
            checks.require(
                "I-24",
                total == checks.journal.position.get(symbol, ZERO),
                partial("{}: parts add up to {}".format, symbol, total),
            )
