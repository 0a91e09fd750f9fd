# SPDX-License-Identifier: Apache-2.0
"""The chain of an order holds everything that led to it and became of it, with its numbers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from desk import BTC
from hean.core.journal import open_journal
from hean.core.types import (
    CancelRequest,
    Error,
    EventType,
    KillswitchTriggered,
    OrderAbsent,
    OrderCancelled,
    OrderQuarantined,
    OrderRejected,
    OrderRequest,
    OrderType,
    OrderUnknown,
    Side,
    Signal,
)
from hean.why.chain import Chain, ChainReader
from journal_desk import MS_NS, SPOT, JournalDesk
from sessions import recorded_session

ID = "h1-hand-7"
LIMITS = {"order_value_max": "10000", "open_orders_max": "5", "orders_per_second_max": "10"}


@pytest.fixture
def desk(tmp_path: Path) -> JournalDesk:
    """A process that has read its account and seen a price."""
    desk = JournalDesk(tmp_path / "journal.db", limits=dict(LIMITS))
    desk.read()
    desk.tick(60_000.0, age_ms=5)
    desk.wait(0.002)
    return desk


def chain_of(desk: JournalDesk, order_id: str = ID) -> Chain:
    """The chain, which must be there."""
    found = ChainReader(order_id).feed(desk.rows())
    assert found is not None
    return found


def words(chain: Chain) -> list[str]:
    """The links, in order."""
    return [step.what for step in chain.steps]


def test_an_order_that_fills_has_every_link_from_the_tick_to_the_last_fill(
    desk: JournalDesk,
) -> None:
    desk.signal(ID)
    desk.place(ID)
    desk.fill(ID, "0.04", "e1", price="60006", fee=Decimal("1.2"), remaining_qty=Decimal("0.06"))
    desk.fill(ID, "0.06", "e2", price="60012", fee=Decimal("1.8"))
    chain = chain_of(desk)
    assert words(chain) == [
        *("MARKET", "SIGNAL", "CHECKS", "REQUEST", "APPROVED", "SENT", "PLACED", "FILLED"),
        "FILLED",
    ]
    assert (chain.status, chain.filled, chain.fee) == ("FILLED", Decimal("0.10"), Decimal("3.0"))
    assert chain.average == Decimal("60009.6")
    assert chain.cost == Decimal("0.96")
    rows = [step.seq for step in chain.steps]
    assert rows == sorted(rows)


def test_what_the_venue_kept_of_a_buy_is_a_link_and_its_fee_in_money(tmp_path: Path) -> None:
    desk = JournalDesk(tmp_path / "journal.db", limits=dict(LIMITS), terms=SPOT)
    desk.read()
    desk.signal(ID)
    desk.place(ID)
    desk.fill(ID, "0.1", "e1", fee=Decimal("0.0001"), fee_asset="BTC")
    chain = chain_of(desk)
    assert words(chain)[-2:] == ["FILLED", "KEPT"]
    assert "kept 0.00010 of what was bought" in chain.steps[-1].says
    assert (chain.status, chain.filled, chain.fee) == ("FILLED", Decimal("0.1"), 6)
    assert chain.average == 60_000


def test_the_numbers_are_price_seen_its_age_size_value_and_slippage(desk: JournalDesk) -> None:
    desk.signal(ID)
    desk.fill(ID, "0.1", "e1", price="60006")
    by_word = {step.what: step for step in chain_of(desk).steps}
    seen = by_word["MARKET"].numbers
    assert (seen["price"], seen["age_ms"], seen["venue_age_ms"]) == (60_000.0, 2.0, 7.0)
    assert by_word["MARKET"].after_ms == -2.0
    assert by_word["REQUEST"].numbers["value"] == Decimal(6_000)
    assert by_word["SENT"].after_ms == 1.0
    fill = by_word["FILLED"].numbers
    assert fill["slippage"] == Decimal("0.6")
    assert fill["slippage_bps"] == pytest.approx(1.0)


def test_rules_that_agreed_are_told_with_observed_and_allowed(desk: JournalDesk) -> None:
    desk.signal(ID)
    rules = {rule.rule: rule for rule in chain_of(desk).rules}
    assert not any(rule.is_breach for rule in rules.values())
    value = rules["R02 order value"]
    assert (value.observed, value.allowed) == ("6000", "10000")
    assert (rules["R27 kill switch"].observed, rules["data"].observed) == ("RUN", "fresh")


def test_a_refusal_names_the_limit_with_observed_and_allowed(desk: JournalDesk) -> None:
    desk.signal(ID, size=Decimal("0.2"))
    chain = chain_of(desk)
    assert words(chain) == ["MARKET", "SIGNAL", "CHECKS", "REQUEST", "REJECTED"]
    assert chain.status == "REFUSED by risk"
    broken = [rule for rule in chain.rules if rule.is_breach]
    assert [(rule.rule, rule.observed, rule.allowed) for rule in broken] == [
        ("R02 order value", "12000", "10000")
    ]


def test_a_signal_that_names_its_fact_is_told_the_price_of_that_one(desk: JournalDesk) -> None:
    named = desk.bus.seq
    desk.tick(61_000.0)
    desk.signal(ID, as_of_seq=named)
    market = chain_of(desk).steps[0]
    assert (market.what, market.numbers["price"]) == ("MARKET", 60_000.0)


def test_an_order_that_was_wanted_before_any_price_is_told_so(tmp_path: Path) -> None:
    desk = JournalDesk(tmp_path / "journal.db", limits=dict(LIMITS))
    desk.read()
    desk.signal(ID)
    chain = chain_of(desk)
    assert words(chain)[:4] == ["MARKET", "SIGNAL", "CHECKS", "REQUEST"]
    assert "nothing of BTCUSDT had come" in chain.steps[0].says
    assert len(chain.rules) >= 6
    assert all(rule.observed and rule.allowed for rule in chain.rules)


def test_an_order_whose_signal_had_no_id_is_linked_to_it(desk: JournalDesk) -> None:
    desk.signal("", size=Decimal("0.01"))
    desk.signal("", size=Decimal("0.02"))
    ids = [order.order_id for order in desk.venue.sent]
    assert len(ids) == 2
    sizes = ["0.01", "0.02"]
    for order_id, size in zip(ids, sizes, strict=True):
        chain = chain_of(desk, order_id)
        assert words(chain)[:2] == ["MARKET", "SIGNAL"]
        assert f"BUY {size} " in chain.steps[1].says


def test_a_stop_is_explained_by_the_fill_it_protects(desk: JournalDesk) -> None:
    desk.signal("h1-hand-1")
    desk.fill("h1-hand-1", "0.1", "e1")
    desk.signal(ID, Side.SELL, type=OrderType.STOP, price=54_000.0, reduce_only=True)
    desk.fill(ID, "0.1", "e2", price="53990")
    chain = chain_of(desk)
    cause = next(step for step in chain.steps if step.what == "CAUSE")
    assert cause.numbers["order_id"] == "h1-hand-1"
    fill = next(step for step in chain.steps if step.what == "FILLED")
    assert "its trigger 54000" in fill.says
    assert fill.numbers["slippage"] == Decimal("1.0")


def test_an_order_without_a_signal_is_explained_by_the_stop_that_asked_for_it(
    desk: JournalDesk,
) -> None:
    desk.signal("h1-hand-1")
    desk.fill("h1-hand-1", "0.1", "e1")
    desk.say(KillswitchTriggered("a drill", desk.clock.now_ns, "FLATTEN", actor="operator:ann"))
    request = OrderRequest(BTC, Side.SELL, Decimal("0.1"), order_id=ID, reduce_only=True)
    desk.say(request)
    says = [step.says for step in chain_of(desk).steps if step.what in ("CAUSE", "ASKED")]
    assert "FLATTEN by operator:ann: a drill" in says[0]
    assert "no signal" in says[1]


def test_a_lost_answer_a_restart_and_the_proof_of_absence_are_links(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first = JournalDesk(path)
    first.tick(60_000.0)
    first.signal(ID)
    first.say(OrderUnknown(ID, first.clock.now_ns, BTC))
    first.die()
    second = JournalDesk(path, epoch=2)
    second.say(OrderQuarantined(ID, "two sources do not answer", BTC))
    second.say(OrderAbsent(ID, "three complete looks found nothing", BTC))
    chain = chain_of(second)
    links = [word for word in words(chain) if word != "ERROR"]  # these books begin empty
    assert links[-4:] == ["UNKNOWN", "START", "QUARANTINED", "ABSENT"]
    assert chain.status == "ABSENT"


def test_a_cancelled_order_tells_who_wanted_it_and_what_was_left(desk: JournalDesk) -> None:
    desk.signal(ID, type=OrderType.LIMIT, price=59_000.0)
    desk.place(ID)
    desk.say(CancelRequest(ID, BTC, "too old", "hand"))
    desk.say(OrderCancelled(ID, "by request", BTC, Decimal("0.1")))
    chain = chain_of(desk)
    assert words(chain)[-3:] == ["PLACED", "CANCEL_REQUEST", "CANCELLED"]
    assert chain.status == "CANCELLED"
    assert "hand: too old" in chain.steps[-2].says


def test_the_venues_refusal_of_a_cancel_does_not_end_the_order(desk: JournalDesk) -> None:
    desk.signal(ID)
    desk.place(ID)
    desk.say(OrderRejected(ID, "not found", 3104, "venue-request", BTC))
    assert chain_of(desk).status == "WORKING"


def test_a_kill_while_the_order_lives_is_a_link_and_one_after_it_is_not(desk: JournalDesk) -> None:
    desk.signal(ID)
    desk.say(KillswitchTriggered("loss", desk.clock.now_ns, "HALT_NEW", actor="auto:loss"))
    desk.fill(ID, "0.1", "e1")
    desk.say(KillswitchTriggered("later", desk.clock.now_ns, "CANCEL_ALL", actor="operator"))
    kills = [step.says for step in chain_of(desk).steps if step.what == "KILL"]
    assert kills == ["kill switch HALT_NEW by auto:loss: loss"]


def test_an_error_about_the_order_is_a_link(desk: JournalDesk) -> None:
    desk.signal(ID)
    desk.say(Error("orders", f"fill of {ID} contradicts it", desk.clock.now_ns))
    assert "ERROR" in words(chain_of(desk))


def test_an_id_that_only_begins_like_another_is_another_order(desk: JournalDesk) -> None:
    desk.signal(f"{ID}1", size=Decimal("0.01"))
    desk.signal(ID, size=Decimal("0.02"))
    assert chain_of(desk).size == Decimal("0.02")
    assert len([word for word in words(chain_of(desk)) if word == "SENT"]) == 1


def test_an_unknown_id_has_no_chain_and_the_known_ones_are_told(desk: JournalDesk) -> None:
    desk.signal(ID)
    reader = ChainReader("h9-none-1")
    assert reader.feed(desk.rows()) is None
    assert ID in reader.ids


def test_an_order_of_a_session_on_paper_has_its_price_from_the_frames(tmp_path: Path) -> None:
    file, _, _ = recorded_session(tmp_path, 20)
    opened = open_journal(file)
    rows = list(opened.records())
    opened.close()
    signals = [row.fact() for row in rows if row.kind == EventType.SIGNAL]
    entry = next(s for s in signals if isinstance(s, Signal) and not s.reduce_only)
    chain = ChainReader(entry.order_id).feed(rows)
    assert chain is not None
    assert words(chain)[:4] == ["MARKET", "SIGNAL", "REQUEST", "APPROVED"]
    assert chain.status == "FILLED"
    assert chain.cost is not None
    assert any("simulated" in note for note in chain.notes)
    assert any("hean live only" in note for note in chain.notes)


def test_every_order_of_a_session_has_a_chain_with_an_end(tmp_path: Path) -> None:
    file, _, _ = recorded_session(tmp_path, 30)
    opened = open_journal(file)
    rows = list(opened.records())
    opened.close()
    ids = [row.fact()["order_id"] for row in rows if row.kind == EventType.ORDER_REQUEST]
    assert len(ids) > 10
    for order_id in ids:
        chain = ChainReader(order_id).feed(rows)
        assert chain is not None
        assert chain.status in ("FILLED", "CANCELLED", "WORKING", "REFUSED by risk", "not sent")
        assert words(chain)[0] in ("MARKET", "CAUSE")


def test_times_are_of_the_rows_and_count_from_the_signal(desk: JournalDesk) -> None:
    desk.signal(ID)
    desk.wait(1.5)
    desk.fill(ID, "0.1", "e1")
    steps = chain_of(desk).steps
    at = {step.seq: step.ts_ns for step in steps if step.what != "MARKET"}
    rows = {row.seq: row.ts_ns for row in desk.rows()}
    assert all(rows[seq] == ts_ns for seq, ts_ns in at.items())
    assert steps[-1].after_ms == pytest.approx(1_501, abs=1 / MS_NS)


def test_a_request_the_governor_had_to_name_is_linked_to_its_answer(desk: JournalDesk) -> None:
    request = OrderRequest(BTC, Side.BUY, Decimal("0.01"), strategy_id="hand")
    desk.say(request)
    desk.say(OrderRequest(BTC, Side.SELL, Decimal("0.01"), strategy_id="hand"))
    sold = desk.venue.sent[1].order_id
    chain = chain_of(desk, sold)
    assert words(chain) == ["CHECKS", "ASKED", "REQUEST", "APPROVED", "SENT"]
    assert chain.side == "SELL"
