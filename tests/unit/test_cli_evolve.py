# SPDX-License-Identifier: Apache-2.0
"""`hean evolve` from the shell's side, on small made markets: champions, exit code, JSON, report, a
checkpoint that goes on, and what is refused.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from hean.cli_common import ExitCode
from hean.cli_evolve import mount
from hean.evaluate.trial_log import NAME
from hean.genome.text import read, write
from judged_market import write_planted

SMALL = ("--population", "24", "--folds", "3", "--min-trades", "40")
CHEAP = ("--fees", "maker=0,taker=0.0001", "--slippage", "none")


def run(folder: Path, *more: str) -> Result:
    app = typer.Typer()
    mount(app)
    data = str(next(folder.glob("*.parquet")))
    words = ["--symbol", "BTCUSDT", "--data", data, *SMALL, *CHEAP, *more]
    return CliRunner().invoke(app, words, env={"HEAN_DATA_DIR": str(folder / "log")})


def test_champions_are_written_with_their_lineage(tmp_path: Path) -> None:
    write_planted(tmp_path, 1, days=150, pull=0.5)
    out, page = tmp_path / "champions.json", tmp_path / "evolution.html"
    result = run(tmp_path, "--generations", "12", "--seed", "1", "--out", str(out),
                 "--report", str(page), "--workers", "2")  # fmt: skip
    assert result.exit_code == ExitCode.DONE, result.output
    document = json.loads(out.read_text())
    assert document["promoted"] >= 1 and document["verdict"] in result.output
    best = document["champions"][0]
    assert write(read(best["genome"])) == best["genome"] == best["lineage"][0]["genome"]
    assert {gate["name"] for gate in best["gates"]} >= {"deflated Sharpe", "overfitting"}
    assert len(document["history"]) == document["generations"] == 12
    assert document["trials"]["counted"] == document["trials"]["run"]
    assert len((tmp_path / "log" / NAME).read_text().splitlines()) == document["trials"]["run"]
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_a_run_goes_on_and_says_the_same(tmp_path: Path) -> None:
    write_planted(tmp_path, 2, is_shuffled=True)
    whole, part = tmp_path / "whole.json", tmp_path / "part.json"
    first = run(tmp_path, "--generations", "5", "--out", str(whole))
    assert first.exit_code == ExitCode.BAD_RESULT, first.output
    assert "Nothing is promoted" in first.output
    run(tmp_path, "--generations", "2", "--out", str(part))
    run(tmp_path, "--generations", "5", "--out", str(part))
    one, other = (json.loads(path.read_text()) for path in (whole, part))
    assert one["champions"] == other["champions"]
    fewer = run(tmp_path, "--generations", "4", "--out", str(part))
    assert fewer.exit_code == ExitCode.INPUT
    assert "has 5 generations, asked for 4" in fewer.output
    refused = run(tmp_path, "--generations", "5", "--out", str(part), "--seed", "7")
    assert refused.exit_code == ExitCode.INPUT and "other seed" in refused.output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--latency", "40s"), "third of a bar"),
        (("--latency", "normal:50ms,10ms"), "constant latency"),
        (("--engine", "cloud"), "engine"),
        (("--holdout", "0.9"), "0.4"),
        (("--start", "2024-01-01"), "whole days"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, more: tuple[str, ...], words: str) -> None:
    write_planted(tmp_path, 1, days=75)
    result = run(tmp_path, "--generations", "1", *more)
    assert result.exit_code == ExitCode.INPUT, result.output
    assert words in result.output


def test_a_feature_that_looks_ahead_is_refused_by_its_exit_code(tmp_path: Path) -> None:
    write_planted(tmp_path, 1, days=75)
    leaky = tmp_path / "leaky.py"
    code = "import numpy as np\ndef ahead(bars):\n    return np.roll(bars['close'], -1)\n"
    leaky.write_text(code)
    result = run(tmp_path, "--generations", "1", "--feature", f"{leaky}:ahead")
    assert result.exit_code == ExitCode.REFUSED, result.output
    assert "feature ahead looks ahead: at bar" in result.output
    result = run(tmp_path, "--generations", "1", "--feature", f"{leaky}:close")
    assert result.exit_code == ExitCode.INPUT and "taken by the grammar" in result.output
