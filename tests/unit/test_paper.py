# SPDX-License-Identifier: Apache-2.0
"""A session on a live feed without a connection: facts by hand, real venue, risk and ledger; its
journal; and what a session does with a feed that ends."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hean.backtest.run import BacktestSettings
from hean.core.types import Book, EventType, Health, Payload, Tick
from hean.errors import InputError, JournalDamaged, ReplayDiverged
from hean.feeds.arriving import Terms
from hean.paper import PaperSession
from hean.paper_journal import (
    finish_session_journal,
    is_session,
    replay_session,
    start_session_journal,
)

HERE = Path(__file__).parent.parent
S_NS = 1_000_000_000
START_NS = 1_700_000_000 * S_NS
TERMS = [
    Terms("BTCUSDT", "linear", "0.1", "0.001", "0.001", "", "5", (), "0.0002", "0.00055", 28_800)
]


def settings_of(strategy: str = "Steady", **more: Any) -> BacktestSettings:
    spec = f"{HERE / 'paper_strategies.py'}:{strategy}"
    return BacktestSettings(spec, ("BTCUSDT",), **more)


def session_of(strategy: str = "Steady") -> PaperSession:
    return PaperSession(settings_of(strategy), TERMS, start_ns=START_NS, origin="a test")


def health(state: str) -> Health:
    return Health("feed.book.BTCUSDT", state, 0, {"symbol": "BTCUSDT"})


def frames(seconds: int, first: int = 0) -> Iterator[tuple[int, tuple[Payload, ...]]]:
    """A book that moves and a trade, ten times a second."""
    for number in range(first * 10, (first + seconds) * 10):
        at_ns = START_NS + number * S_NS // 10
        middle = round(1_000 + 5 * math.sin(number / 30), 1)
        bids, asks = ((middle - 0.1, 5.0),), ((middle + 0.1, 5.0),)
        yield at_ns, (Book("BTCUSDT", bids, asks, True),)
        yield at_ns, (Tick("BTCUSDT", middle, 0.5, 0, middle - 0.1, middle + 0.1),)


def run(session: PaperSession, seconds: int, *, first: int = 0, every: int = 1) -> int:
    """Play some seconds, a burst of *every* frames at a time. *Returns*: the moment after."""
    for number, (at_ns, facts) in enumerate(frames(seconds, first)):
        session.take(at_ns, facts)
        if number % every == 0:
            session.play(at_ns + 1)
    end_ns = START_NS + (first + seconds) * S_NS
    session.play(end_ns)
    return end_ns


def test_a_session_trades_with_the_ledger_of_a_backtest() -> None:
    session = session_of()
    run(session, 30)
    summary, record = session.finish()
    assert summary["fills"] == len(record.fills) > 4
    assert summary["symbols"] == ["BTCUSDT"]
    assert summary["end"].startswith("2023-11-14T22:13:49.9")
    assert Decimal(summary["fees"]) > 0
    assert "live from a test" in summary["assumptions"]["data"]
    times, prices = record.prices["BTCUSDT"]
    assert len(times) == 30
    assert 990 < prices.min() < prices.max() < 1_010
    assert session.run.system.portfolio.ledger.check() is None


@pytest.mark.parametrize("every", [7, 100, 10_000])
def test_the_result_does_not_depend_on_how_often_it_was_played(every: int) -> None:
    results = []
    for step in (1, every):
        session = session_of()
        run(session, 30, every=step)
        summary, record = session.finish()
        results.append((summary["state_hash"], summary["orders"], record.fills))
    assert results[0] == results[1]


def test_nothing_new_is_bought_on_stale_data_and_everything_goes_on_afterwards() -> None:
    session = session_of("Eager")
    approved: list[tuple[int, bool]] = []
    bus = session.run.bus
    bus.subscribe(
        EventType.ORDER_APPROVED, lambda e: approved.append((e.ts_ns, e.data.reduce_only))
    )
    end_ns = run(session, 10)
    session.take(end_ns, (health("STALE"),))
    assert approved
    place = len(approved)
    position = session.run.system.strategy.position["BTCUSDT"]
    run(session, 10, first=10)  # facts of other streams still come
    assert all(reduces for _, reduces in approved[place:])
    assert abs(session.run.system.strategy.position["BTCUSDT"]) <= abs(position)
    assert session.run.recorder.rejected > 0
    place = len(approved)
    session.take(START_NS + 20 * S_NS, (health("FRESH"),))
    run(session, 10, first=20)
    assert any(not reduces for _, reduces in approved[place:])


def test_days_without_a_feed_cost_no_state_and_settle_what_is_due() -> None:
    session = session_of()
    run(session, 6)
    session.play(START_NS + 7 * S_NS)  # what is under way arrives
    ledger = session.run.system.portfolio.ledger
    before = (ledger.position("BTCUSDT")[0], ledger.cash, session.run.system.engine.open_orders())
    session.take(START_NS + 7 * S_NS, (health("STALE"),))
    days_ns = START_NS + 3 * 86_400 * S_NS
    session.play(days_ns)
    after = (ledger.position("BTCUSDT")[0], ledger.cash, session.run.system.engine.open_orders())
    assert after == before
    assert session.run.clock.now_ns > days_ns - 60 * S_NS
    session.take(days_ns, (health("FRESH"),))
    run(session, 10, first=3 * 86_400)
    summary, _ = session.finish()
    assert summary["fills"] > 2


def test_stale_data_is_counted_from_the_second_report_on() -> None:
    session = session_of()
    for number, state in enumerate(["STALE", "FRESH", "STALE", "FRESH"]):
        session.take(START_NS + number, (health(state),))
    session.play(START_NS + 100)
    assert session.stale_reports == 1
    assert session.health["feed.book.BTCUSDT"].state == "FRESH"
    told = session.run.system.strategy.told  # type: ignore[attr-defined]
    assert told == [("feed.book.BTCUSDT", s) for s in ("STALE", "FRESH", "STALE", "FRESH")]


def test_what_a_strategy_raises_ends_the_session() -> None:
    session = session_of("Broken")
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(session, 10)


def journaled(path: Path, seconds: int = 60) -> str:
    """A session with a journal. *Returns*: its state hash."""
    session = session_of()
    journal = start_session_journal(path, session, TERMS)
    end_ns = run(session, seconds // 2, every=3)
    session.take(end_ns, (health("STALE"),))
    session.take(end_ns, (health("FRESH"),))
    end_ns = run(session, seconds // 2, first=seconds // 2, every=11)
    summary, _ = session.finish()
    finish_session_journal(journal, session, end_ns)
    return str(summary["state_hash"])


def test_a_journal_plays_the_whole_session_again(tmp_path: Path) -> None:
    path = tmp_path / "session.journal"
    state = journaled(path)
    assert is_session(path)
    result = replay_session(path)
    assert result["state_hash"] == state
    assert result["events_compared"] > 100
    assert result["state_hashes_compared"] >= 2


def test_a_replay_stops_at_the_first_difference(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "session.journal"
    journaled(path)
    monkeypatch.setattr("hean.feeds.arriving._Symbol.aggressor", lambda self, tick: 0)
    monkeypatch.setattr("hean.paper.PaperSession.take", lambda *_: None)
    with pytest.raises(ReplayDiverged, match="the journal has|the replay ended before"):
        replay_session(path)


def test_a_damaged_journal_is_not_played(tmp_path: Path) -> None:
    path = tmp_path / "session.journal"
    journaled(path, 10)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(JournalDamaged):
        replay_session(path)


def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "session.journal"
    path.write_text("precious")
    with pytest.raises(InputError, match="never written over"):
        start_session_journal(path, session_of(), TERMS)
    assert path.read_text() == "precious"
