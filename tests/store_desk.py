# SPDX-License-Identifier: Apache-2.0
"""A life of trading whose journal grows by a random thing at a time, to be projected."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

from desk import BTC
from hean.core.types import Funding, OrderAmended, OrderCancelled, OrderRejected, Side
from hean.store.database import Database
from hean.store.projection import Projection
from hean.store.schema import ALL, Row
from journal_desk import MS_NS, JournalDesk


class RandomLife:
    """*folder*: of an account, with its journal."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "journal.db"
        self.desk = JournalDesk(self.path)
        self._rng = random.Random(seed)
        self._number = 0
        self.desk.read()
        self.desk.tick(60_000.0)

    def live(self, steps: int) -> None:
        """So many things happen, and are on the disk."""
        for _ in range(steps):
            self._step()
        self.desk.recorder.commit()

    def _step(self) -> None:
        desk, rng = self.desk, self._rng
        desk.clock.now_ns += rng.randrange(1, 40 * 60_000) * MS_NS
        desk.tick(round(60_000 + rng.gauss(0, 300), 1))
        self._number += 1
        order_id = f"h1-hand-{self._number}"
        side = rng.choice([Side.BUY, Side.SELL])
        size = Decimal(rng.randrange(1, 50)) / 1_000
        desk.signal(order_id, side, size=size)
        if desk.venue.sent and desk.venue.sent[-1].order_id != order_id:
            return  # refused
        match rng.randrange(8):
            case 0:
                desk.say(OrderRejected(order_id, "no\0 money", 3, "venue", BTC, "hand"))
            case 1:
                desk.place(order_id)
                desk.say(OrderCancelled(order_id, "asked", BTC, size))
            case 2:
                desk.place(order_id)
            case 3:
                desk.place(order_id)
                desk.say(OrderAmended(order_id, Decimal("59000.0"), size, size, BTC))
                self._fill(order_id, size)
            case _:
                desk.place(order_id)
                part = size if size < Decimal("0.002") else Decimal("0.001")
                self._fill(order_id, part)
                if part < size:
                    self._fill(order_id, size - part)
        if rng.random() < 0.2:
            self._pay()

    def _fill(self, order_id: str, qty: Decimal) -> None:
        self._number += 1
        price = str(round(60_000 + self._rng.gauss(0, 300), 1))
        fee = Decimal(self._rng.randrange(1, 900)) / 7_000
        self.desk.fill(order_id, str(qty), f"e{self._number}", price=price, fee=round(fee, 8))

    def _pay(self) -> None:
        self._number += 1
        named = {"exec_id": f"f{self._number}", "amount": Decimal("-1.25"), "asset": "USDT"}
        plain = Funding(BTC, 0.0001, 0, 60_100.5)
        self.desk.say(Funding(BTC, 0.0001, **named) if self._rng.random() < 0.5 else plain)


def follow_to_end(database: Database, name: str, path: Path) -> Projection:
    """Bring a journal into a database."""
    work = Projection(name, path, database)
    while work.catch_up():
        pass
    work.close()
    return work


def content(database: Database) -> dict[str, list[tuple[str, Row]]]:
    """Every row of every table."""
    with database.snapshot():
        return {name: sorted(database.rows(name), key=repr) for name in ALL}
