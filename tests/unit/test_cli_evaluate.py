# SPDX-License-Identifier: Apache-2.0
"""`hean evaluate` from the shell's side, on a small market: verdict, exit code, JSON, report, the
same result for any number of processes, and trials that are kept.
"""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from hean.cli_common import ExitCode
from hean.cli_evaluate import mount
from hean.evaluate.trial_log import NAME
from hean.feeds.history import load_history
from hean.strategies.impulse import ImpulseEngine
from small_market import IMPULSE, play, write_candles, write_funding

BARS = 288 * 30  # days
GIVEN = [f"--param={name}={value}" for name, value in IMPULSE.items() if name != "threshold"]


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market")
    write_candles(folder, 3, BARS)
    write_funding(folder, 3, 30)
    return folder


def run(market, *more: str):
    import typer

    app = typer.Typer()
    mount(app)
    words = ["--strategy", "impulse", "--symbol", "BTCUSDT", "--data", str(market), *GIVEN]
    words += ["--grid", "threshold=0.6,1.2", "--folds", "3", "--embargo", "1", *more]
    return CliRunner().invoke(app, words, env={"HEAN_DATA_DIR": str(market / "log")})


@pytest.fixture(scope="module")
def first(market):
    result = run(market, "--json", str(market / "a.json"), "--report", str(market / "a.html"),
                 "--jobs", "1")  # fmt: skip
    return result, json.loads((market / "a.json").read_text())


def test_noise_does_not_survive(first):
    result, document = first
    assert result.exit_code == ExitCode.BAD_RESULT, result.output
    assert document["verdict"].startswith("Does not survive: ")
    assert document["verdict"] in result.output
    assert document["survives"] is False
    assert document["trials"]["grid"] == document["trials"]["counted"] == 2


def test_the_document_has_every_figure(first):
    _, document = first
    assert 0 <= document["deflated_sharpe_raw"] <= document["deflated_sharpe"] <= 1
    assert document["overfitting"]["probability"] is not None
    assert len(document["walk_forward"]["steps"]) == 2
    assert len(document["cpcv"]["sharpe"]) == 2
    assert [row["factor"] for row in document["stress"]["fees"]] == [0.5, 1, 2]
    results = [row["result"] for row in document["stress"]["fees"]]
    assert results == sorted(results, reverse=True)
    assert document["monte_carlo"]["drawdown"][0] > 0
    assert {row["year"] for row in document["years"]} == {2023}


@pytest.mark.promise(207)
def test_a_trial_is_a_backtest(first, market):
    """There is one path: the best trial ends in the state of a backtest with its parameters."""
    _, document = first
    files = sorted(market.glob("*.parquet"))
    params = {name: document["params"][name] for name in IMPULSE}
    _, _, summary = play(load_history(files, ["BTCUSDT"]), ImpulseEngine, params)
    for name in ("state_hash", "net_pnl", "final_equity"):
        assert document[name] == summary[name]


def test_the_report_is_one_page_with_the_verdict(first, market):
    page = (market / "a.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert first[1]["verdict"] in page
    for name in ("gate", "equity", "trials", "walk", "paths", "overfitting", "spa", "stress",
                 "capacity", "chance", "when", "assumptions", "data"):  # fmt: skip
        assert f'<section id="{name}">' in page
    assert "http" not in page.replace("http-equiv", "")


def test_processes_change_nothing_and_the_log_counts_once(first, market):
    again = run(market, "--json", str(market / "b.json"), "--jobs", "2", "--quiet")
    assert again.exit_code == ExitCode.BAD_RESULT, again.output
    second = json.loads((market / "b.json").read_text())
    one, other = ({**d, "wall_s": 0} for d in (first[1], second))
    assert one == other
    assert len((market / "log" / NAME).read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--grid", "pause=4,4"], "different values"),
        (["--grid", "stop=1,2"], "--param sets it as well"),
        (["--grid", "nothing=1,2"], "unknown parameter"),
        (["--folds", "20", "--embargo", "9"], "fewer folds"),
        (["--fees", "maker=9"], "--fees"),
    ],
)
def test_bad_options_are_refused_before_anything_runs(market, words, said):
    result = run(market, *words)
    assert result.exit_code == ExitCode.INPUT
    assert said in result.output + (result.stderr or "")
