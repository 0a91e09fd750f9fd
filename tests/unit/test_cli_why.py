# SPDX-License-Identifier: Apache-2.0
"""`hean why` as it is typed: journals of every kind, wrong input, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from desk import candle_file
from hean.core.journal import open_journal
from hean.core.types import EventType
from journal_desk import JournalDesk
from sessions import recorded_session
from unit.cli_runs import run_here

ID = "h1-hand-1"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Of a life with one order, ended."""
    desk = JournalDesk(tmp_path / "journal.db", limits={"order_value_max": "10000"})
    desk.read()
    desk.tick(60_000.0)
    desk.signal(ID)
    desk.fill(ID, "0.1", "e1")
    desk.wait(30)
    desk.stop()
    return desk.path


def first_order(path: Path) -> str:
    """Id of the first order request in a journal."""
    opened = open_journal(path)
    try:
        row = next(row for row in opened.records() if row.kind == EventType.ORDER_REQUEST)
        return str(row.fact()["order_id"])
    finally:
        opened.close()


def test_the_chain_is_shown_with_numbers_and_as_json(journal: Path, tmp_path: Path) -> None:
    ran = run_here("why", ID, "--journal", journal)
    assert ran.code == 0, ran.stderr
    for word in ("MARKET", "SENT", "FILLED", "R02 order value", "6000", "10000", "slippage"):
        assert word in ran.stdout
    out = tmp_path / "why.json"
    assert run_here("why", ID, "--journal", journal, "--json", out).code == 0
    document = json.loads(out.read_text())
    assert document["status"] == "FILLED"
    assert document["steps"][0]["time"].startswith("2024-01-01T00:00:00")


def test_the_journal_is_found_in_the_data_directory(journal: Path) -> None:
    assert run_here("why", ID, "--data-dir", journal.parent).code == 0
    folder = journal.parent / "live" / "bybit-linear-testnet"
    folder.mkdir(parents=True)
    ran = run_here("why", ID, "--data-dir", journal.parent / "live")
    assert ran.code == 2
    assert "no journal of hean live" in ran.stderr


def test_two_journals_in_the_data_directory_must_be_told_apart(journal: Path) -> None:
    for name in ("bybit-linear-testnet", "binance-spot-testnet"):
        folder = journal.parent / "live" / name
        folder.mkdir(parents=True)
        (folder / "journal.db").write_bytes(journal.read_bytes())
    ran = run_here("why", ID, "--data-dir", journal.parent)
    assert ran.code == 2
    assert "3 journals" in ran.stderr


def test_an_unknown_order_ends_with_2_and_names_the_nearest(journal: Path) -> None:
    ran = run_here("why", "h1-hand-2", "--journal", journal)
    assert ran.code == 2
    assert f"nearest are {ID}" in ran.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "give an order id"),
        ([ID, "--not", "BTCUSDT", "1"], "one of the two"),
        (["--not", "BTCUSDT", "yesterday"], "give ISO 8601"),
        (["--not", "BTCUSDT", "9999"], "has rows 1 to"),
        (["--not", "BTCUSDT", "0"], "has rows 1 to"),
    ],
)
def test_what_cannot_be_meant_is_refused(journal: Path, words: list[str], says: str) -> None:
    ran = run_here("why", *words, "--journal", journal)
    assert ran.code == 2
    assert says in ran.stderr


def test_the_lack_of_an_order_is_explained_by_row_and_by_time(journal: Path) -> None:
    opened = open_journal(journal)
    head, last = opened.head_seq, list(opened.records())[-1]
    opened.close()
    ran = run_here("why", "--not", "btc/usdt", "2023-01-01", "--journal", journal)
    assert (ran.code, "not_running" in ran.stdout) == (0, True)
    options = ("--journal", journal, "--json", "-", "--window", 1)
    ran = run_here("why", "--not", "BTCUSDT", head, *options)
    document = json.loads(ran.stdout)
    assert document["at_ns"] == last.ts_ns
    assert [cause["kind"] for cause in document["causes"]] == ["silent"]


def test_a_damaged_journal_ends_with_2(journal: Path) -> None:
    journal.write_bytes(journal.read_bytes()[:5_000])
    assert run_here("why", ID, "--journal", journal).code == 2
    assert run_here("why", ID, "--journal", journal.parent / "none.db").code == 2


def test_orders_of_a_session_on_paper_are_explained(tmp_path: Path) -> None:
    path, _, _ = recorded_session(tmp_path, 20)
    ran = run_here("why", first_order(path), "--journal", path)
    assert ran.code == 0
    assert "MARKET" in ran.stdout
    assert "the venue" in ran.stdout


def test_orders_of_a_backtest_are_explained_and_what_is_missing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    data = candle_file(tmp_path, bars=3_000)
    ran = run_here(
        "backtest",
        "--strategy",
        "impulse",
        "--symbol",
        "BTCUSDT",
        "--data",
        data,
        "--journal",
        path,
    )
    assert ran.code == 0, ran.stderr
    ran = run_here("why", first_order(path), "--journal", path)
    assert ran.code == 0
    assert "FILLED" in ran.stdout
    assert "hean live only" in ran.stdout
    assert "hean replay" in ran.stdout


def test_the_process_that_writes_is_not_disturbed(tmp_path: Path) -> None:
    desk = JournalDesk(tmp_path / "journal.db")
    desk.tick(60_000.0)
    desk.signal(ID)
    desk.recorder.commit()
    assert run_here("why", ID, "--journal", desk.path).code == 0
    desk.signal("h1-hand-2")
    desk.recorder.commit()
    assert run_here("why", "h1-hand-2", "--journal", desk.path).code == 0
    desk.stop()
