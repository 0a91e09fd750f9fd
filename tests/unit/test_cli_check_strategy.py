# SPDX-License-Identifier: Apache-2.0
"""`hean check-strategy` from the shell's side: who cheats gets exit code 1 and a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import cheating_strategies
from hean.cli_check_strategy import mount
from hean.cli_common import ExitCode
from small_market import write_candles

CHEATS = Path(cheating_strategies.__file__)
QUICK = ["--bars", "300", "--paths", "20", "--cuts", "15"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_candles(tmp_path_factory.mktemp("market"), 5, 400)


def run(*words: str):
    app = typer.Typer()
    mount(app)
    return CliRunner().invoke(app, [*words, *QUICK])


def test_a_cheat_is_named(data, tmp_path):
    target = tmp_path / "found.json"
    result = run(f"{CHEATS}:PeeksOneBar", "--data", str(data), "--param", f"file={data}",
                 "--json", str(target))  # fmt: skip
    assert result.exit_code == ExitCode.BAD_RESULT, result.output
    assert "Deceives itself: peeks ahead" in result.output
    document = json.loads(target.read_text())
    assert document["passes"] is False
    verdicts = {each["name"]: each["verdict"] for each in document["findings"]}
    assert verdicts["eyes"] == verdicts["prefix"] == "fails"
    assert verdicts["fills"] == verdicts["replay"] == "passes"


def test_an_honest_one_is_let_go(data):
    result = run(f"{CHEATS}:FollowsTheLast", "--data", str(data))
    assert result.exit_code == ExitCode.DONE, result.output
    assert "No check found that it knows what it cannot know." in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing", "--data", "{data}"], "unknown strategy"),
        ([f"{CHEATS}", "--data", "{data}"], "name the class"),
        ([f"{CHEATS}:PeeksOneBar", "--data", "{data}", "--param", "file=gone.parquet"], "gone"),
        ([f"{CHEATS}:FollowsTheLast", "--data", "{folder}/none.parquet"], "--symbol"),
    ],
)
def test_what_cannot_be_checked_is_refused(data, words, said):
    given = [word.format(data=data, folder=data.parent) for word in words]
    result = run(*given)
    assert result.exit_code == ExitCode.INPUT
    assert said in result.output
