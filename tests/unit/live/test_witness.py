# SPDX-License-Identifier: Apache-2.0
"""What was seen is in the journal before what came of it, bounded, and changes nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from desk import BTC
from hean.core.types import Health, OrderRequest, Side
from hean.live.recovery import fold
from hean.live.rows import Judged, Seen, row_of
from journal_desk import JournalDesk


@pytest.fixture
def desk(tmp_path: Path) -> JournalDesk:
    """A process that knows a price."""
    desk = JournalDesk(tmp_path / "journal.db", limits={"order_value_max": "10000"})
    desk.tick(60_000.0)
    return desk


def kinds(desk: JournalDesk) -> list[str]:
    """Kinds of the rows so far."""
    return [row.kind for row in desk.rows()]


def test_what_was_seen_stands_right_before_signal_and_request(desk: JournalDesk) -> None:
    desk.signal("h1-hand-1")
    found = kinds(desk)
    assert found[found.index("SIGNAL") - 1] == "SEEN"
    assert found[found.index("ORDER_REQUEST") - 1] == "JUDGED"


def test_a_component_that_says_the_same_again_is_written_once(desk: JournalDesk) -> None:
    for number in range(100):
        desk.say(Health("feed.book.BTCUSDT", "FRESH", number, {"symbol": BTC}))
        desk.say(Health("bybit.linear", "READY", number, {"reasons": {}, "in_flight": number}))
    assert kinds(desk).count("HEALTH") == 2


def test_each_change_of_state_or_of_reasons_is_written(desk: JournalDesk) -> None:
    for reasons in ({}, {"key": "refused"}, {"key": "refused", "clock": "off"}, {}):
        state = "HALT_NEW" if reasons else "READY"
        desk.say(Health("bybit.linear", state, 1, {"reasons": reasons}))
    assert kinds(desk).count("HEALTH") == 4


def test_ticks_are_counted_and_not_written(desk: JournalDesk) -> None:
    for number in range(500):
        desk.tick(60_000.0 + number)
    desk.read()
    rows = desk.rows()
    assert len(rows) == 3
    seen = row_of(rows[1], Seen)
    assert (seen.symbol, seen.facts, seen.price) == (BTC, 501, 60_499.0)


def test_the_judgement_written_is_the_one_that_follows(desk: JournalDesk) -> None:
    for size in ("0.1", "0.2"):
        desk.signal(f"h1-hand-{size[-1]}", size=Decimal(size))
    rows = desk.rows()
    verdicts = [row_of(row, Judged) for row in rows if row.kind == "JUDGED"]
    says_no = [any(rule[3] for rule in verdict.rules) for verdict in verdicts]
    assert says_no == [False, True]
    assert [row.kind for row in rows].count("ORDER_REJECTED") == 1


def test_a_request_that_makes_no_sense_is_written_with_its_error(desk: JournalDesk) -> None:
    desk.say(OrderRequest("DOGEUSDT", Side.BUY, Decimal(1), order_id="h1-hand-1"))
    judged = next(row_of(row, Judged) for row in desk.rows() if row.kind == "JUDGED")
    assert "DOGEUSDT" in judged.error
    assert judged.rules == []


def test_writing_it_down_reserves_nothing(desk: JournalDesk) -> None:
    desk.signal("h1-hand-1", size=Decimal("0.01"))
    request = OrderRequest(BTC, Side.BUY, Decimal("0.1"), order_id="h1-hand-2", strategy_id="hand")
    before = desk.engine.canonical_bytes()
    rules = desk.system.governor.report(request, "h1-hand-2", desk.clock.now_ns)
    assert desk.engine.canonical_bytes() == before
    assert rules[0] == ("data", "fresh", "fresh", False)


def test_a_policy_check_is_named_and_asked_once(desk: JournalDesk) -> None:
    asked = []
    desk.system.governor.add_check(lambda request: asked.append(request), name="budget")
    desk.signal("h1-hand-1")
    judged = next(row_of(row, Judged) for row in desk.rows() if row.kind == "JUDGED")
    assert ("policy budget", "asked", "no objection", False) in judged.rules
    assert len(asked) == 1


def test_books_are_read_from_a_journal_with_such_rows(desk: JournalDesk) -> None:
    desk.signal("h1-hand-1")
    desk.say(Health("bybit.linear", "READY", 1, {"reasons": {}}))
    books = fold(desk.rows())
    assert books is not None
    assert [order["client_order_id"] for order in books.open_orders()] == ["h1-hand-1"]
