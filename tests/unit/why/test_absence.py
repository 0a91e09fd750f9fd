# SPDX-License-Identifier: Apache-2.0
"""Whatever kept an order from being made is named, the decisive cause first."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from desk import BTC, SECOND_NS
from hean.core.types import (
    Health,
    KillswitchReleased,
    KillswitchTriggered,
    OrderRejected,
    Side,
)
from hean.why.absence import Absence, AbsenceReader
from journal_desk import JournalDesk

LIMITS = {"order_value_max": "10000"}


@pytest.fixture
def desk(tmp_path: Path) -> JournalDesk:
    """A process in the middle of its life, with a price."""
    desk = JournalDesk(tmp_path / "journal.db", limits=dict(LIMITS))
    desk.read()
    desk.tick(60_000.0)
    desk.wait(20)
    return desk


def absence(desk: JournalDesk, at_ns: int | None = None, **more: object) -> Absence:
    """Why there was no order then; by default now."""
    at_ns = desk.clock.now_ns if at_ns is None else at_ns
    reader = AbsenceReader(BTC, at_ns, is_running=True, **more)  # type: ignore[arg-type]
    return reader.feed(desk.rows())


def kinds(found: Absence) -> list[str]:
    """The causes, in order."""
    return [cause.kind for cause in found.causes]


def test_the_kill_switch_is_named_with_level_reason_and_who(desk: JournalDesk) -> None:
    fact = KillswitchTriggered("loss of the day", desk.clock.now_ns, "HALT_NEW", actor="auto:loss")
    desk.say(fact)
    desk.wait(12)
    found = absence(desk)
    assert kinds(found) == ["kill_switch", "silent"]
    assert "HALT_NEW" in found.causes[0].says
    assert "auto:loss: loss of the day" in found.causes[0].says
    desk.say(KillswitchReleased("looked at it all", desk.clock.now_ns, "risk:ann"))
    desk.wait(12)
    assert kinds(absence(desk)) == ["silent"]


def test_an_order_the_kill_switch_refused_is_named_with_the_rule(desk: JournalDesk) -> None:
    desk.say(KillswitchTriggered("drill", desk.clock.now_ns, "HALT_NEW"))
    desk.signal("h1-hand-1")
    found = absence(desk)
    assert kinds(found) == ["refused", "kill_switch"]
    rule = found.causes[0].rules[0]
    assert (rule.rule, rule.observed) == ("R27 kill switch", "HALT_NEW")
    assert found.orders == []


def test_stale_data_is_named_with_its_stream_and_since_when(desk: JournalDesk) -> None:
    stale = Health("feed.book.BTCUSDT", "STALE", 4, {"symbol": BTC, "reason": "silent for 2 s"})
    desk.say(stale)
    desk.signal("h1-hand-1")
    found = absence(desk)
    assert kinds(found) == ["refused", "stale_data"]
    assert found.causes[0].rules[0].observed == "stale: feed.book.BTCUSDT"
    assert "silent for 2 s" in found.causes[1].says
    desk.say(Health("feed.book.BTCUSDT", "FRESH", 5, {"symbol": BTC}))
    desk.wait(12)
    assert kinds(absence(desk)) == ["silent"]


def test_stale_data_of_another_symbol_is_no_cause(desk: JournalDesk) -> None:
    desk.say(Health("feed.book.ETHUSDT", "STALE", 4, {"symbol": "ETHUSDT"}))
    assert kinds(absence(desk)) == ["silent"]


def test_a_breached_limit_is_named_with_observed_and_allowed(desk: JournalDesk) -> None:
    desk.signal("h1-hand-1", size=Decimal("0.2"))
    found = absence(desk)
    assert kinds(found) == ["refused"]
    broken = [(rule.rule, rule.observed, rule.allowed) for rule in found.causes[0].rules]
    assert broken == [("R02 order value", "12000", "10000")]


def test_a_halt_of_the_gateway_is_named_with_its_reasons(desk: JournalDesk) -> None:
    reasons = {"stream": "the account's stream is lost"}
    desk.say(Health("bybit.linear", "HALT_NEW", 1, {"reasons": reasons}))
    found = absence(desk)
    assert kinds(found)[0] == "gateway_halt"
    assert "the account's stream is lost" in found.causes[0].says
    desk.say(Health("bybit.linear", "READY", 2, {"reasons": {}}))
    assert kinds(absence(desk)) == ["silent"]


def test_the_venues_refusal_is_named_with_its_words(desk: JournalDesk) -> None:
    desk.signal("h1-hand-1")
    desk.say(OrderRejected("h1-hand-1", "not enough margin", 5101, "venue", BTC, "hand"))
    found = absence(desk)
    assert kinds(found) == ["refused"]
    assert "by venue: not enough margin (code 5101)" in found.causes[0].says


def test_a_shut_gate_is_named_with_what_it_lacks(desk: JournalDesk) -> None:
    desk.door = "the live gate lacks the phrase of this boot"
    desk.read()
    desk.wait(1)
    assert kinds(absence(desk))[0] == "gate"
    assert "the phrase of this boot" in absence(desk).causes[0].says


def test_a_silent_strategy_is_named_with_its_last_and_next_signal(desk: JournalDesk) -> None:
    desk.signal("h1-hand-1")
    desk.fill("h1-hand-1", "0.1", "e1")
    desk.wait(30)
    at_ns = desk.clock.now_ns
    desk.read()
    desk.wait(30)
    desk.signal("h1-hand-2", Side.SELL)
    found = absence(desk, at_ns)
    assert kinds(found) == ["silent"]
    says = found.causes[0].says
    assert "wanted nothing" in says
    assert "its last signal" in says
    assert "its next one" in says
    assert any("position of BTCUSDT by the fills in this journal: 0.1" in c for c in found.context)


def test_a_strategy_that_waits_for_an_order_is_said_to_wait(desk: JournalDesk) -> None:
    desk.signal("h1-hand-1")
    desk.wait(30)
    found = absence(desk)
    assert "it waits for h1-hand-1 (BUY 0.1 MARKET" in found.causes[0].says


def test_facts_that_arrived_are_counted(desk: JournalDesk) -> None:
    desk.read()
    for number in range(50):
        desk.tick(60_000.0 + number)
    desk.wait(30)
    desk.read()
    text = " ".join(absence(desk).context)
    assert "51 facts in this life, last price 60049.0" in text
    assert "50 facts in the 30.0 s before that" in text


def test_a_process_that_ended_is_named_with_when_until_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first = JournalDesk(path)
    first.wait(5)
    first.stop()
    at_ns = first.clock.now_ns + SECOND_NS // 2_000
    second = JournalDesk(path, epoch=2)
    found = absence(second, at_ns)
    assert kinds(found) == ["not_running"]
    assert "ended in order" in found.causes[0].says
    assert "until" in found.causes[0].says


def test_a_process_that_died_is_told_from_one_that_ended(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first = JournalDesk(path)
    first.die()
    at_ns = first.clock.now_ns + SECOND_NS // 2_000
    second = JournalDesk(path, epoch=2)
    assert "died" in absence(second, at_ns).causes[0].says


def test_before_the_first_row_nobody_ran(desk: JournalDesk) -> None:
    assert kinds(absence(desk, 1)) == ["not_running"]


def test_after_the_last_row_nobody_ran_unless_the_writer_is_there(desk: JournalDesk) -> None:
    at_ns = desk.clock.now_ns + SECOND_NS
    rows = desk.rows()
    away = AbsenceReader(BTC, at_ns, is_running=False).feed(rows)
    assert kinds(away) == ["not_running"]
    there = AbsenceReader(BTC, at_ns, is_running=True).feed(rows)
    assert kinds(there) == ["silent"]


def test_a_process_that_stood_still_is_told_by_its_missing_rows(desk: JournalDesk) -> None:
    at_ns = desk.clock.now_ns + 60 * SECOND_NS
    desk.wait(120)
    desk.read()
    found = absence(desk, at_ns)
    assert kinds(found) == ["stood_still"]
    assert "stood still for 140 s" in found.causes[0].says


def test_a_life_that_has_not_read_the_account_yet_is_not_ready(tmp_path: Path) -> None:
    desk = JournalDesk(tmp_path / "journal.db")
    desk.tick(60_000.0)
    assert kinds(absence(desk))[0] == "not_ready"


def test_an_order_that_was_made_after_all_is_named(desk: JournalDesk) -> None:
    desk.signal("h1-hand-1")
    found = absence(desk)
    assert found.orders == ["h1-hand-1"]
    assert found.causes == []


def test_a_row_can_be_named_instead_of_a_time(desk: JournalDesk) -> None:
    desk.say(KillswitchTriggered("drill", desk.clock.now_ns, "HALT_NEW"))
    rows = desk.rows()
    before = next(row.seq for row in rows if row.kind == "KILLSWITCH_TRIGGERED") - 1
    at_ns = rows[before].ts_ns
    named = AbsenceReader(BTC, at_ns, at_seq=before, is_running=True).feed(rows)
    assert "kill_switch" not in kinds(named)
    after = AbsenceReader(BTC, at_ns, at_seq=before + 1, is_running=True).feed(rows)
    assert kinds(after)[0] == "kill_switch"
