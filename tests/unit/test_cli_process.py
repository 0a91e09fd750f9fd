# SPDX-License-Identifier: Apache-2.0
"""Processes on the command line: who plays with which symbols and parameters, and one run with its
replay.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import UNSET

from hean.cli_process import Played, played_of
from hean.errors import HeanError
from process_markets import write_bars
from unit.cli_runs import run_here

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def who(played: Played) -> dict[str, tuple[str, ...]]:
    return {it.name: it.symbols for it in played.working.posts}


def test_a_process_takes_the_symbols_that_are_left() -> None:
    assert who(played_of(None, ["rebalance"], [], SYMBOLS)) == {"rebalance": SYMBOLS}
    both = played_of(None, ["rebalance=btc/usdt,SOLUSDT", "rotation"], [], SYMBOLS)
    assert who(both) == {"rebalance": ("BTCUSDT", "SOLUSDT"), "rotation": ("ETHUSDT",)}


def test_a_strategy_alone_has_no_factory() -> None:
    assert played_of("impulse", [], ["window=20"], SYMBOLS) == ({"window": "20"}, UNSET)


def test_parameters_go_to_whom_they_name() -> None:
    params = ["window=20", "rebalance.band=0.2", "processes.reserve=0.1"]
    played = played_of("impulse", ["rebalance=BTCUSDT,SOLUSDT"], params, SYMBOLS)
    assert played.given == {"window": "20"}
    assert played.working.posts[0].given == {"band": "0.2"}
    assert played.working.factory == {"reserve": "0.1"}


@pytest.mark.parametrize(
    ("strategy", "process", "param", "words"),
    [
        (None, [], [], "nobody plays"),
        ("", ["rebalance"], [], "unknown strategy ''"),
        (None, ["rebalance", "rebalance=BTCUSDT"], [], "given twice"),
        (None, ["rebalance", "rotation"], [], "it would take every symbol"),
        ("impulse", ["rebalance"], [], "say which are its own, as rebalance=BTCUSDT,ETHUSDT"),
        (None, ["rebalance="], [], "give NAME, or NAME=SYMBOL,SYMBOL"),
        (None, ["rebalance=DOGEUSDT"], [], "DOGEUSDT is not of the run"),
        (None, ["rebalance=BTCUSDT", "rotation=BTCUSDT"], [], "BTCUSDT is another process's"),
        (None, ["rebalance"], ["band=0.2"], "a parameter of a process is rebalance.NAME=VALUE"),
    ],
)
def test_what_nobody_can_mean_is_refused(
    strategy: str | None, process: list[str], param: list[str], words: str
) -> None:
    with pytest.raises(HeanError, match=words):
        played_of(strategy, process, param, SYMBOLS)


def test_a_run_says_what_became_of_its_processes_and_replays(tmp_path: Path) -> None:
    files = [write_bars(tmp_path, pair, "spot", days=4) for pair in SYMBOLS]
    data = [word for file in files for word in ("--data", file)]
    symbols = [word for symbol in SYMBOLS for word in ("--symbol", symbol)]
    journal, result = tmp_path / "run.journal", tmp_path / "run.json"
    ran = run_here(
        "backtest", "--process", "rebalance", *symbols, *data, "--journal", journal,
        "--json", result, "--report", tmp_path / "report.html", "--param", "rebalance.band=0",
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert "rebalance on BTCUSDT, ETHUSDT, SOLUSDT" in ran.stdout
    assert "LIVE, " in ran.stdout
    summary = json.loads(result.read_text())
    assert summary["strategy"] == "rebalance"
    told = summary["processes"][0]
    assert (told["state"], told["params"]["band"]) == ("LIVE", 0.0)
    assert [it["to"] for it in told["transitions"]] == ["SHADOW", "PROBATION", "LIVE"]
    again = run_here("replay", journal)
    assert again.code == 0, again.stderr
    assert "agrees" in again.stdout


def test_a_wrong_parameter_of_a_process_names_the_nearest(tmp_path: Path) -> None:
    file = write_bars(tmp_path, "BTCUSDT", "spot", days=1)
    ran = run_here(
        "backtest", "--process", "rebalance", "--symbol", "BTCUSDT", "--symbol", "ETHUSDT",
        "--data", file, "--param", "rebalance.bnd=1",
    )  # fmt: skip
    assert ran.code == 2
    assert "unknown parameter 'bnd'; nearest band" in ran.stderr
