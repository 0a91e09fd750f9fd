# SPDX-License-Identifier: Apache-2.0
"""Funding payments in the journal: there before anybody sees them, known to the next process."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from desk import BTC, START_NS
from hean.core.types import EventType, Funding
from hean.live.recovery import fold
from recorded_life import Life


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


PAYMENT = Funding(BTC, 0.0001, 0, 60_000.0, "BTCUSDT-f1", Decimal("-0.06"), "USDT", START_NS)


def test_a_payment_is_on_the_disk_before_anybody_sees_it_and_a_forecast_never(life: Life) -> None:
    seen: list[int] = []
    undo = life.desk.bus.subscribe(
        EventType.FUNDING, lambda _: seen.append(len(list(life.journal.records())))
    )
    life.desk.say(Funding(BTC, 0.0002, START_NS))
    life.desk.say(PAYMENT)
    undo()
    kinds = [record.kind for record in life.journal.records()]
    assert kinds.count("FUNDING") == 1
    assert kinds[seen[1] - 1] == "FUNDING"


def test_the_next_process_knows_which_payments_are_booked(life: Life) -> None:
    """Also those whose rate the venue kept to itself; and a row that comes twice is one payment."""
    unpriced = replace(PAYMENT, rate=0.0, mark_price=None, exec_id="BTCUSDT-f2")
    for payment in (PAYMENT, unpriced):
        life.desk.say(payment)
    books = life.books()
    assert list(books.seen) == ["BTCUSDT-f1", "BTCUSDT-f2"]
    assert books.ledger.funding_total == life.desk.ledger.funding_total == Decimal("-0.12")
    life.recorder.commit()
    records = list(life.journal.records())
    again = fold([record for record in records for _ in range(1 + (record.kind == "FUNDING"))])
    assert again is not None
    assert again.hash() == books.hash()
