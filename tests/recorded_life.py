# SPDX-License-Identifier: Apache-2.0
"""A trading process without sockets that writes its journal: the real bus, governor, engine,
router, ledger and recorder, and in place of the gateway a venue that writes the SENT row as the
gateway does.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from desk import BTC, INSTRUMENTS, START_NS, Desk
from hean.core.journal import Journal, SqliteDisk, WriterLock
from hean.core.types import AmendRejected, OrderApproved, OrderRejected
from hean.feeds.arriving import Terms
from hean.live.recorder import Recorder
from hean.live.recovery import Books, fold
from hean.live.rows import START, Start, row_bytes
from hean.strategies.base import Strategy
from hean.system import AccountSettings
from hean.venues.reports import Tracked, Wanted

LOT = "0.001"


def terms_of_desk(tick: str = "0.10") -> list[Terms]:
    """The rules of the desk's symbols."""
    rows = [(BTC, tick, LOT), ("ETHUSDT", "0.01", "0.01")]
    return [
        Terms(symbol, "linear", step, lot, lot, "", "0", (), "0.0002", "0.0005", 0)
        for symbol, step, lot in rows
    ]


def start(epoch: int = 1, **changes: object) -> Start:
    """The row that begins a life."""
    fields: dict[str, object] = {
        "epoch": epoch,
        "version": "test",
        "venue": "bybit",
        "market": "linear",
        "role": "testnet",
        "account_id": "1",
        "strategy": "hand",
        "given": {},
        "account": AccountSettings(cash=Decimal(10_000)),
        "terms": terms_of_desk(),
    }
    return Start(**(fields | changes))  # type: ignore[arg-type]  # as given


VENUE_MS = 1_700_000_000_123


class Life:
    """A process that writes a journal, played by hand."""

    def __init__(self, folder: Path, *, strategy: Strategy | None = None) -> None:
        path = folder / "journal.db"
        self.journal = Journal(
            SqliteDisk(path), place=str(path), meta={}, lock=WriterLock(folder / "lock", "1")
        )
        self.desk = Desk(limits={}, strategy=strategy)
        self.desk.venue.submit = self._submit  # type: ignore[method-assign]
        self.desk.venue.amend = self._amend  # type: ignore[method-assign]
        self.time_s = 0.0
        self.recorder = Recorder(
            self.journal,
            emit=self.desk.bus.emit,
            time_s=lambda: self.time_s,
            now=lambda: self.desk.clock.now_ns,
            state_hash=self.desk.system.durable_hash,
        )
        self.recorder.write(START, row_bytes(start()))
        self.desk.bus.tap(self.recorder.tap)
        self.refuses = False

    def _submit(self, approved: OrderApproved) -> None:
        if self.refuses:
            reason = OrderRejected(approved.order_id, "no", 4201, "venue", approved.symbol)
            self.desk.bus.emit(reason)
            return
        self.desk.venue.sent.append(approved)
        order = tracked(approved)
        order.left_ms = VENUE_MS
        self.recorder.sending("submit", [order], None, None)

    def _amend(
        self, order_id: str, *, price: Decimal | None = None, size: Decimal | None = None
    ) -> None:
        if self.refuses:
            self.desk.bus.emit(AmendRejected(order_id, "no", 4201, "venue", BTC))
            return
        self.desk.venue.amends.append((order_id, price, size))
        sent = {order.order_id: order for order in self.desk.venue.sent}[order_id]
        order = tracked(sent)
        order.wanted = Wanted(price, size or order.size, VENUE_MS)
        self.recorder.sending("amend", [order], price, size)

    def books(self) -> Books:
        """What the journal says so far."""
        self.recorder.commit()
        books = fold(self.journal.records())
        assert books is not None
        return books

    def check(self) -> Books:
        """Books and process agree. *Returns*: the books."""
        books = self.books()
        assert books.hash() == self.desk.system.durable_hash()
        for symbol in INSTRUMENTS:
            assert books.engine.position(symbol) == self.desk.engine.position(symbol)
            assert books.ledger.position(symbol)[0] == self.desk.ledger.position(symbol)[0]
        for order in books.open_orders():
            alive = self.desk.engine.get(order["client_order_id"])
            assert order["amend_pending"] == alive["amend_pending"]
        return books


def tracked(approved: OrderApproved) -> Tracked:
    """As the gateway hands it to the recorder."""
    return Tracked(
        approved.order_id,
        approved.symbol,
        approved.side,
        approved.size,
        approved.price,
        approved.strategy_id,
        False,
        approved.reduce_only,
        START_NS,
    )
