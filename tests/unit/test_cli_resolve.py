# SPDX-License-Identifier: Apache-2.0
"""`hean resolve` beside a process that answers, one that does not know, and none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hean import cli_places, cli_resolve
from hean.cli import app
from hean.errors import EnvironmentFault, Halted, ParameterInvalid

NAME = "bybit-linear-mainnet"
REASON = "the support says so, ticket 4711"
HELD = {
    "order_id": "h1-mean-3",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "size": "0.010",
    "filled": "0",
    "exchange_order_id": "",
    "why": "nobody can tell",
}


class Process:
    """The answer that comes over the socket, and what was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {"ok": True, "done": "it is decided"}

    def ask(self, path: Path, document: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        assert path.parent.name == NAME
        self.asked.append(document)
        return self.answer

    def run(self, *args: str, typed: str = "resolve 7\n") -> Result:
        command = ["resolve", *args, "--data-dir", str(self.folder)]
        return CliRunner().invoke(app, command, input=typed)


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Process:
    place = tmp_path / "live" / NAME
    place.mkdir(parents=True)
    (place / cli_places.JOURNAL).touch()
    process = Process(tmp_path)
    monkeypatch.setattr(cli_places, "ask", process.ask)
    return process


def test_a_claim_is_sent_with_phrase_reason_and_name(process: Process) -> None:
    ran = process.run("h1-mean-3", "never-made", "--reason", REASON, "--json", "-")
    assert ran.exit_code == 0, ran.output
    (asked,) = process.asked
    assert (asked["verb"], asked["claim"], asked["phrase"]) == (
        "resolve",
        "never-made",
        "resolve 7",
    )
    assert (asked["order_id"], asked["reason"]) == ("h1-mean-3", REASON)
    assert asked["by"]
    assert json.loads(ran.stdout)["done"] == "it is decided"


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ({"missing": ["the phrase is another one"]}, 4, "nothing was changed: the phrase"),
        ({"error": "no order x", "code": ParameterInvalid.code}, 2, "no order x"),
        ({"error": "not in quarantine", "code": Halted.code}, 4, "not in quarantine"),
        ({"error": "no answer", "code": EnvironmentFault.code}, 3, "no answer"),
        ({"error": "still starting"}, 4, "still starting"),
    ],
)
def test_a_refusal_says_why_and_ends_with_its_code(
    process: Process, answer: dict[str, Any], code: int, words: str
) -> None:
    process.answer = {"ok": False, **answer}
    ran = process.run("h1-mean-3", "ended", "--reason", REASON)
    assert ran.exit_code == code
    assert f"{NAME}: " in ran.stderr
    assert words in ran.stderr


def test_without_an_order_those_that_wait_are_listed(process: Process) -> None:
    process.answer = {"ok": True, "orders": [HELD]}
    ran = process.run()
    assert ran.stdout == (f"{NAME}: h1-mean-3 (BUY 0.010 BTCUSDT, 0 filled): nobody can tell\n")
    process.answer = {"ok": True, "orders": []}
    assert "no order is in quarantine" in process.run().stdout


def test_an_order_without_a_claim_is_a_question_back(process: Process) -> None:
    ran = process.run("h1-mean-3")
    assert ran.exit_code == 2
    assert "say what became of h1-mean-3: never-made or ended" in ran.stderr
    assert process.asked == []


def test_without_a_process_nobody_could_ask_the_venue(tmp_path: Path) -> None:
    place = tmp_path / "live" / NAME
    place.mkdir(parents=True)
    (place / cli_places.JOURNAL).touch()
    command = ["resolve", "h1-mean-3", "ended", "--phrase", "x", "--data-dir", str(tmp_path)]
    ran = CliRunner().invoke(app, command)
    assert ran.exit_code == 3
    assert "no process runs there; start it with hean live" in ran.stderr


def test_a_person_waits_longer_than_the_process_takes() -> None:
    assert cli_resolve.ANSWER_S > cli_resolve.LOOK_S + cli_resolve.SETTLE_S
