# SPDX-License-Identifier: Apache-2.0
"""`hean parity` as it is typed: verdict, causes, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sessions import S_NS, START_NS, recorded_session, without
from unit.cli_runs import Ran, run_here

Session = tuple[Path, Path, dict[str, Any]]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Ninety seconds: journal, recording, summary."""
    return recorded_session(tmp_path_factory.mktemp("session"))


def parity(session: Session, *more: object) -> tuple[Ran, dict[str, Any]]:
    ran = run_here("parity", "--journal", session[0], "--json", "-", *more)
    return ran, json.loads(ran.stdout)


def test_the_same_run_is_wholly_identical(session: Session) -> None:
    ran = run_here("parity", "--journal", session[0], "--data", session[1])
    assert ran.code == 0, ran.stderr
    fills = session[2]["fills"]
    assert f"parity: 100 % identical, {fills} of {fills} trades." in ran.stdout
    ran, document = parity(session)
    assert (ran.code, document["identical"], document["identical_fraction"]) == (0, True, 1.0)
    assert document["state_hash"] == document["recorded_state_hash"] == session[2]["state_hash"]
    assert document["trades"]["identical"] == fills


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (["--fees", "maker=0.0002,taker=0.001"], "fee"),
        (["--latency", "90ms"], "latency"),
        (["--cash", "5000"], "account"),
        (["--fraction", "0.1"], "sizing"),
        (["--limit", "order_value_max=10"], "limit"),
    ],
)
def test_what_is_given_to_one_side_is_named(
    session: Session, options: list[str], cause: str
) -> None:
    ran, document = parity(session, "--data", session[1], *options)
    assert ran.code == 1
    assert list(document["causes"]) == [cause]
    assert document["causes"][cause] == sum(document["causes"].values()) > 0
    assert [each["cause"] for each in document["inputs"]] == [cause]
    assert {each["cause"] for each in document["differences"]} == {cause}
    assert f"cause: {cause} (" in ran.stderr
    assert "first differences" in ran.stderr


def test_a_missing_minute_is_named_with_its_ends(session: Session) -> None:
    cut = without(session[1], START_NS + 20 * S_NS, START_NS + 80 * S_NS)
    ran, document = parity(session, "--data", cut)
    assert ran.code == 1
    assert list(document["causes"]) == ["data"]
    (stretch,) = document["data_difference"]["stretches"]
    assert stretch["kind"] == "missing"
    assert stretch["first"].startswith("2023-11-14T22:13:40")
    assert document["data"][0]["gaps"] == 1
    assert "frames missing from 2023-11-14T22:13:40" in ran.stderr


def test_a_change_without_effect_is_said_and_is_no_difference(session: Session) -> None:
    ran = run_here("parity", "--journal", session[0], "--seed", "5", "--slippage", "none")
    assert ran.code == 0
    assert "the other seed, fill model changed no trade" in ran.stdout


def test_a_strategy_whose_file_has_moved_is_named_anew(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text((Path(__file__).parent.parent / "paper_strategies.py").read_text())
    journal, _, _ = recorded_session(tmp_path, 20, strategy=f"{file}:Steady")
    moved = file.rename(tmp_path / "moved.py")
    assert run_here("parity", "--journal", journal).code == 2
    ran = run_here("parity", "--journal", journal, "--strategy", f"{moved}:Steady")
    assert ran.code == 0, ran.stderr


def test_the_recording_of_a_session_is_data_for_a_backtest(session: Session) -> None:
    spec = f"{Path(__file__).parent.parent / 'paper_strategies.py'}:Steady"
    words = ("--strategy", spec, "--symbol", "BTCUSDT", "--data", session[1], "--json", "-")
    ran = run_here("backtest", *words)
    assert ran.code == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert result["state_hash"] == session[2]["state_hash"]
    assert result["fills"] == session[2]["fills"]
    ran = run_here("data", "verify", session[1])
    assert ran.code == 2
    assert "a recorded session" in ran.stderr


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--journal", "none"], "does not exist"),
        (["--data", "none.parquet"], "none.parquet"),
        (["--fees", "lots"], "--fees"),
        (["--latency", "soon"], "--latency"),
        (["--param", "nonsense=1"], "nonsense"),
        (["--limit", "nonsense=1"], "nonsense"),
        (["--cash", "-1"], "--cash"),
        (["--bar", "7x"], "--bar"),
    ],
)
def test_bad_input_is_refused_with_its_place(
    session: Session, options: list[str], text: str
) -> None:
    ran = run_here("parity", "--journal", session[0], *options)
    assert ran.code == 2
    assert text in ran.stderr


def test_a_damaged_journal_is_refused(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "bad.journal"
    data = bytearray(session[0].read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert run_here("parity", "--journal", path).code == 2


def test_an_older_result_is_replaced_and_nothing_else(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "parity.json"
    for _ in range(2):
        ran = run_here("parity", "--journal", session[0], "--json", target, "--quiet")
        assert (ran.code, ran.stdout) == (0, "")
    assert json.loads(target.read_text())["identical"] is True
    target.write_text("precious")
    assert run_here("parity", "--journal", session[0], "--json", target).code == 2
    assert target.read_text() == "precious"
