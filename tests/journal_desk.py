# SPDX-License-Identifier: Apache-2.0
"""A trading system whose journal is kept by the recorder and the witness of a trading process: the
real modules on one bus, a venue that writes its SENT row and then only what the test says.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from desk import BTC, Desk
from hean.core.journal import Journal, Record, SqliteDisk, WriterLock, open_journal
from hean.core.types import AccountRead, Event, EventType, OrderApproved, Side, Signal, Tick
from hean.feeds.arriving import Terms
from hean.live.recorder import Recorder
from hean.live.rows import START, STOP, Start, row_bytes
from hean.live.witness import Witness
from hean.system import AccountSettings
from hean.venues.reports import Tracked

MS_NS = 1_000_000


PERPETUAL = Terms(*(BTC, "linear", "0.10", "0.001", "0.001", "", "0", (), "0.0002", "0.0005", 0))
SPOT = Terms(*(BTC, "spot", "0.10", "0.00001", "0.00001", "", "0", (), "0.001", "0.001", 0))


class JournalDesk(Desk):
    """A life of a trading process, played by hand. *door*: why nothing new may leave; *terms*: of
    its only symbol.
    """

    def __init__(
        self, path: Path, *, epoch: int = 1, terms: Terms | None = None, **more: Any
    ) -> None:
        if terms is not None:
            more["instruments"] = {BTC: terms.instrument()}
        super().__init__(**more)
        self.path = path
        self.door = ""
        self.bus.subscribe(EventType.TICK, lambda event: self._price(event))
        lock = WriterLock(path.with_name(f"{path.name}.lock"), "1")
        self.journal = Journal(SqliteDisk(path), place=str(path), meta={"kind": "live"}, lock=lock)
        if self.journal.head_seq:
            last = list(self.journal.records())[-1]
            self.clock.now_ns = last.ts_ns + MS_NS
        self.recorder = Recorder(
            self.journal,
            emit=self.bus.emit,
            time_s=lambda: 0.0,
            now=lambda: self.clock.now_ns,
            state_hash=self.system.durable_hash,
            witness=Witness(self.bus, self.system.governor, (BTC,), door=lambda _: self.door),
        )
        self.recorder.write(START, row_bytes(_start(epoch, terms or PERPETUAL)))
        self.bus.tap(self.recorder.tap)
        self.venue.submit = self._submit  # type: ignore[method-assign]

    def read(self) -> None:
        """The account was read and compared."""
        self.say(AccountRead(self.clock.now_ns, True))

    def tick(self, price: float, *, age_ms: int = 0) -> None:
        """A trade, so long after it happened at the venue."""
        at_ns = self.clock.now_ns - age_ms * MS_NS
        self.say(Tick(BTC, price, 1.0, at_ns, price - 0.1, price + 0.1))

    def signal(self, order_id: str = "", side: Side = Side.BUY, **fields: Any) -> None:
        """A strategy wants something."""
        fields.setdefault("strategy_id", "hand")
        fields.setdefault("size", Decimal("0.1"))
        self.say(Signal(BTC, side, order_id=order_id, **fields))

    def stop(self) -> None:
        """End in order."""
        self.recorder.write(STOP, b"")
        self.journal.close()

    def die(self) -> None:
        """End without a word."""
        self.journal.close()

    def rows(self) -> list[Record]:
        """What is on the disk."""
        self.recorder.commit()
        opened = open_journal(self.path)
        try:
            return list(opened.records())
        finally:
            opened.close()

    def _price(self, event: Event) -> None:
        self.prices[event.data.symbol] = event.data.price

    def _submit(self, approved: OrderApproved) -> None:
        self.venue.sent.append(approved)
        self.clock.now_ns += MS_NS  # so long from the signal to the first byte
        order = Tracked(
            approved.order_id,
            approved.symbol,
            approved.side,
            approved.size,
            approved.price,
            approved.strategy_id,
            False,
            approved.reduce_only,
            self.clock.now_ns,
        )
        self.recorder.sending("submit", [order], None, None)


def _start(epoch: int, terms: Terms) -> Start:
    account = AccountSettings(cash=Decimal(10_000))
    names = ("bybit", terms.kind, "testnet", "1", "hand")
    return Start(epoch, "test", *names, {}, account, [terms])
