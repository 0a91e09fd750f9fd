# SPDX-License-Identifier: Apache-2.0
"""A journal as tables: money agrees with the ledger's, whatever kind of journal it is."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from desk import BTC, candle_file
from hean.analytics.questions import Questions
from hean.analytics.reports import REPORTS, document, report
from hean.analytics.tables import COLUMNS, Tables, read_tables
from hean.backtest.journaling import finish_journal, start_journal
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.types import Funding, OrderRejected, OrderUnknown, Side
from hean.errors import JournalDamaged
from hean.feeds.history import load_history
from journal_desk import MS_NS, SPOT, JournalDesk
from sessions import recorded_session


def rows(tables: Tables, name: str) -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS[name], row, strict=True)) for row in tables.rows[name]]


def total(tables: Tables, name: str) -> float:
    return sum(row[name] for row in rows(tables, "pnl"))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, dict[str, Any]]:
    """A session on paper, and what it said of itself."""
    journal, _, summary = recorded_session(tmp_path_factory.mktemp("session"))
    return read_tables(journal), summary


def test_money_of_a_session_is_that_of_its_ledger(session: tuple[Tables, dict[str, Any]]):
    tables, summary = session
    held = sum(row["unrealized"] for row in rows(tables, "positions"))
    assert total(tables, "net") + held == pytest.approx(float(summary["net_pnl"]), abs=1e-6)
    assert total(tables, "fees") == pytest.approx(float(summary["fees"]), abs=1e-6)
    assert total(tables, "slippage_cost") == pytest.approx(float(summary["slippage_cost"]))
    assert len(tables.rows["fills"]) == summary["fills"] == total(tables, "fills")
    assert len(tables.rows["orders"]) == summary["orders"]
    assert tables.origin["kind"] == "paper" and tables.origin["source"] == "a test"


def test_every_fill_has_its_arrival_and_every_order_its_end(
    session: tuple[Tables, dict[str, Any]],
):
    tables, _ = session
    for fill in rows(tables, "fills"):
        sign = 1 if fill["side"] == "BUY" else -1
        cost = sign * (fill["price"] - fill["arrival"]) * fill["qty"]
        assert fill["slippage_cost"] == pytest.approx(cost, abs=1e-9)
        assert fill["slippage_bps"] == pytest.approx(
            sign * (fill["price"] / fill["arrival"] - 1) * 1e4
        )
    statuses = {order["status"] for order in rows(tables, "orders")}
    assert statuses <= {"FILLED", "CANCELLED", "WORKING", "INTENT", "PARTIAL"}
    stages = {row["stage"]: row["ms"] for row in rows(tables, "latency")}
    assert stages["ack"] == stages["fill"] == 100.0  # what the session assumed of the venue


TURNS = """
from hean.core.module import on
from hean.core.types import EventType, Side
from hean.strategies.base import Strategy

class Turns(Strategy):
    bars = 0
    @on(EventType.CANDLE)
    def on_candle(self, event):
        self.bars += 1
        if self.bars % 10 == 0 and not self.position[event.data.symbol]:
            self.enter(event.data.symbol, Side.BUY if self.bars % 20 else Side.SELL, strength=0.2,
                stop_loss=event.data.close * (0.99 if self.bars % 20 else 1.01))
"""


def test_a_backtest_has_money_and_no_market(tmp_path: Path):
    (tmp_path / "turns.py").write_text(TURNS)
    settings = BacktestSettings(f"{tmp_path / 'turns.py'}:Turns", (BTC,))
    files = [candle_file(tmp_path, symbol=BTC, bars=400)]
    backtest = Backtest(settings, load_history(files, (BTC,)))
    journal = start_journal(tmp_path / "run.journal", backtest, files)
    summary, _ = backtest.run()
    finish_journal(journal, backtest)
    tables = read_tables(tmp_path / "run.journal")
    assert tables.origin["kind"] == "backtest"
    assert len(tables.rows["fills"]) == summary["fills"] > 5
    assert total(tables, "fees") == pytest.approx(float(summary["fees"]), abs=1e-6)
    assert all(row["arrival"] is None for row in rows(tables, "fills"))


@pytest.fixture
def desk(tmp_path: Path) -> JournalDesk:
    """A life of live trading that has read its account."""
    desk = JournalDesk(tmp_path / "journal.db")
    desk.read()
    desk.tick(60_000.0, age_ms=5)
    return desk


def read(desk: JournalDesk) -> Tables:
    desk.recorder.commit()
    return read_tables(desk.path)


def test_a_life_of_live_trading(desk: JournalDesk):
    """Bought in two pieces at two prices, paid funding, sold at a loss."""
    desk.signal("h1-hand-1")
    desk.clock.now_ns += 3 * MS_NS
    desk.place("h1-hand-1")
    desk.clock.now_ns += 4 * MS_NS
    desk.fill("h1-hand-1", "0.04", "e1", price="60003", fee=Decimal("1.2"))
    desk.fill("h1-hand-1", "0.06", "e2", price="60006", fee=Decimal("1.8"))
    desk.say(Funding(BTC, 0.0001, 0, 60_100.0))
    desk.tick(59_990.0)
    desk.signal("h1-hand-2", Side.SELL, reduce_only=True)
    desk.fill("h1-hand-2", "0.1", "e3", price="59980", fee=Decimal(3))
    tables = read(desk)
    origin = tables.origin
    assert (origin["kind"], origin["venue"], origin["role"]) == ("live", "bybit", "testnet")
    first, second = rows(tables, "orders")
    assert (first["arrival"], first["filled_qty"], first["status"]) == (60_000.0, 0.1, "FILLED")
    assert first["avg_price"] == pytest.approx(60_004.8) and second["reduce_only"] == 1
    took = {(row["order_id"], row["stage"]): row["ms"] for row in rows(tables, "latency")}
    assert took["h1-hand-1", "send"] == 1.0 and took["h1-hand-1", "ack"] == 3.0
    assert took["h1-hand-1", "fill"] == 7.0
    pieces = rows(tables, "fills")
    assert [each["slippage_bps"] for each in pieces] == pytest.approx([0.5, 1.0, 1.667], abs=1e-3)
    assert [each["slippage_cost"] for each in pieces] == pytest.approx([0.12, 0.36, 1.0])
    (paid,) = rows(tables, "funding")
    assert paid["received"] == pytest.approx(-0.601) and paid["strategy"] == "hand"
    (hour,) = rows(tables, "pnl")
    assert hour["realized"] == pytest.approx(-2.48) and hour["net"] == pytest.approx(-9.081)
    assert hour["net"] == pytest.approx(float(desk.ledger.equity - desk.ledger.deposits))
    assert tables.rows["positions"] == []


def test_what_nobody_knows_and_what_was_refused(desk: JournalDesk):
    desk.signal("h1-hand-1")
    desk.signal("h1-hand-2")
    desk.say(OrderUnknown("h1-hand-1", desk.clock.now_ns, BTC))
    desk.say(OrderRejected("h1-hand-2", "no money", 3, "venue", BTC, "hand"))
    tables = read(desk)
    assert [row["status"] for row in rows(tables, "orders")] == ["UNKNOWN", "REJECTED"]
    (refusal,) = rows(tables, "refusals")
    assert (refusal["source"], refusal["reason"]) == ("venue", "no money")


def test_a_fee_in_coins_counts_as_what_the_coins_were_worth(tmp_path: Path):
    """The venue keeps coins of a buy; the books tell that as a fact of its own, with the money."""
    desk = JournalDesk(tmp_path / "journal.db", terms=SPOT)
    desk.read()
    desk.tick(60_000.0)
    desk.signal("h1-hand-1")
    desk.fill("h1-hand-1", "0.1", "e1", fee=Decimal("0.0001"), fee_asset="BTC")
    tables = read(desk)
    fills = rows(tables, "fills")
    assert (fills[0]["fee"], fills[0]["fee_asset"], fills[0]["net"]) == (0.0001, "BTC", 0.0)
    assert total(tables, "fees") == float(desk.ledger.fees) == 6.0
    (held,) = rows(tables, "positions")
    assert held["qty"] == pytest.approx(float(desk.held()[0]))


def test_rows_can_be_asked_about_as_json(desk: JournalDesk):
    desk.signal("h1-hand-1")
    questions = Questions(read(desk))
    answer = questions.ask(
        "SELECT json_extract(payload, '$.side') FROM events WHERE kind = 'ORDER_APPROVED'"
    )
    assert answer.rows == [("BUY",)]


def test_the_reports_answer_from_an_empty_journal_too(session: tuple[Tables, dict[str, Any]]):
    empty = Questions(Tables({}, {name: [] for name in COLUMNS}))
    full = Questions(session[0])
    for name in REPORTS:
        assert report(empty, name).columns == report(full, name).columns
    assert report(full, "by_strategy").rows[0][0] == "steady"
    found = document(session[0], full)
    assert found["latency"][0]["p50"] == 100.0 and "curve" not in found


def test_a_journal_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"no journal")
    for path in (tmp_path / "x", tmp_path / "not-there"):
        with pytest.raises(JournalDamaged):
            read_tables(path)
