# SPDX-License-Identifier: Apache-2.0
"""`hean backtest` and `hean replay` as a friendly user and a script see them: help, table, JSON,
files, and the same bytes whenever the same is run again.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import sys
import time
from pathlib import Path

import pytest

from hean import __version__
from unit.cli_runs import Ran, run_apart, run_here, write_market, write_strategies

CONTRACT = [
    "strategy",
    "symbols",
    "params",
    "start",
    "end",
    "seed",
    "events",
    "wall_s",
    "load_s",
    "events_per_s",
    "peak_rss_mb",
    "orders",
    "fills",
    "trades",
    "fees",
    "funding",
    "slippage_cost",
    "initial_equity",
    "final_equity",
    "net_pnl",
    "max_drawdown_fraction",
    "sharpe",
    "sortino",
    "calmar",
    "win_rate",
    "profit_factor",
    "exposure_fraction",
    "turnover",
    "buy_and_hold_return",
    "equity_curve_file",
    "trades_file",
    "state_hash",
    "journal_hash",
    "data",
    "assumptions",
]
MEASURED = ("wall_s", "load_s", "events_per_s", "peak_rss_mb")


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return write_market(tmp_path)


@pytest.fixture
def habits(tmp_path: Path) -> Path:
    return write_strategies(tmp_path)


def turns(market: Path, *rest: object, symbol: str = "BTCUSDT") -> Ran:
    spec = f"{market.with_name('habits.py')}:Turns"
    ran = run_here("backtest", "--strategy", spec, "--symbol", symbol, "--data", market, *rest)
    assert ran.code == 0, ran.stderr
    return ran


# ---------------------------------------------------------------- help


@pytest.mark.parametrize(
    "command", ["backtest", "replay", "data list", "data verify", "data import"]
)
def test_help_fits_a_terminal_and_has_an_example(command: str) -> None:
    ran = run_here(*command.split(), "--help")
    assert ran.code == 0
    assert f"Example: hean {command}" in " ".join(ran.stdout.split())
    assert max(map(len, ran.stdout.splitlines())) <= 80


def test_version_is_one_line() -> None:
    assert run_here("--version").stdout == f"hean {__version__}\n"


# ---------------------------------------------------------------- results


@pytest.mark.usefixtures("habits")
def test_json_on_stdout_is_one_document_with_every_field(market: Path) -> None:
    ran = turns(market, "--json", "-")
    document = json.loads(ran.stdout)
    assert [name for name in CONTRACT if name not in document] == []
    assert document["load_s"] > 0
    assert document["trades_file"] is document["equity_curve_file"] is None
    assert re.fullmatch(r"-?\d+(\.\d+)?", document["net_pnl"])
    assert {"file", "sha256", "rows", "first_ts", "last_ts", "gaps"} <= set(document["data"][0])
    assert {"fee", "latency", "fill_model", "slippage"} <= set(document["assumptions"])
    assert "net profit" in ran.stderr


def test_words_of_a_strategy_stay_out_of_the_json(market: Path, habits: Path) -> None:
    command = ["--symbol", "BTCUSDT", "--data", market, "--json", "-", "--quiet"]
    ran = run_here("backtest", "--strategy", f"{habits}:Prints", *command)
    json.loads(ran.stdout)
    assert "a word from the strategy" in ran.stderr


@pytest.mark.usefixtures("habits")
def test_error_on_stdout_is_one_document_too(market: Path) -> None:
    ran = run_here(
        "backtest", "--strategy", "no", "--symbol", "BTCUSDT", "--data", market, "--json", "-"
    )
    assert (ran.code, json.loads(ran.stdout)["exit_code"]) == (2, 2)


@pytest.mark.usefixtures("habits")
def test_table_fits_and_names_the_quote_asset(market: Path) -> None:
    ran = turns(market)
    assert "USDT" in ran.stdout
    assert "quote" not in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert ran.stderr == ""  # no progress outside of a terminal


@pytest.mark.usefixtures("habits")
def test_undefined_figures_are_dashes(market: Path) -> None:
    ran = run_here("backtest", "--strategy", "impulse", "--symbol", "BTCUSDT", "--data", market)
    assert re.search(r"trades, win rate +0, –", ran.stdout)


@pytest.mark.usefixtures("habits")
def test_quiet_prints_nothing(market: Path) -> None:
    ran = turns(market, "--quiet")
    assert (ran.stdout, ran.stderr) == ("", "")


@pytest.mark.usefixtures("habits")
def test_files_are_written_and_named_in_the_json(market: Path) -> None:
    folder = market.parent
    out = {name: folder / name for name in ("r.html", "t.csv", "e.csv", "j.json", "run.journal")}
    turns(
        market, "--report", out["r.html"], "--trades", out["t.csv"], "--equity", out["e.csv"],
        "--json", out["j.json"], "--journal", out["run.journal"],
    )  # fmt: skip
    document = json.loads(out["j.json"].read_text())
    assert (document["trades_file"], document["equity_curve_file"]) == ("t.csv", "e.csv")
    assert len(out["t.csv"].read_text().splitlines()) == document["trades"] + 1
    assert out["r.html"].read_text().startswith("<!DOCTYPE html>")
    assert re.fullmatch("[0-9a-f]{64}", document["journal_hash"])
    expected = {*out, market.name, "habits.py"}
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == expected


@pytest.mark.usefixtures("habits")
@pytest.mark.parametrize("symbol", ["btcusdt", "BTC/USDT", "btc/usdt"])
def test_symbol_may_be_spelt_as_people_do(symbol: str, market: Path) -> None:
    assert json.loads(turns(market, "--json", "-", symbol=symbol).stdout)["symbols"] == ["BTCUSDT"]


@pytest.mark.usefixtures("habits")
def test_period_cuts_the_data(market: Path) -> None:
    ran = turns(market, "--start", "2024-01-02", "--end", "2024-01-03T12:00:00Z", "--json", "-")
    document = json.loads(ran.stdout)
    assert (document["start"], document["end"]) == ("2024-01-02T00:00:00Z", "2024-01-03T12:00:00Z")
    assert document["events"] == 36


@pytest.mark.usefixtures("habits")
def test_limit_of_the_engine_refuses_orders(market: Path) -> None:
    ran = turns(market, "--limit", "order_value_max=200", "--json", "-")
    document = json.loads(ran.stdout)
    assert document["fills"] == 0
    assert document["refusals"][0]["error"] == "LimitBreached"
    assert "warning: " in ran.stderr
    assert turns(market, "--limit", "collar_fraction=off").code == 0


@pytest.mark.usefixtures("habits")
def test_without_data_the_catalog_is_played(market: Path) -> None:
    home = market.parent / "home"
    assert run_here("data", "import", market, "--data-dir", home).code == 0
    spec = f"{market.with_name('habits.py')}:Turns"
    command = ["backtest", "--strategy", spec, "--symbol", "BTCUSDT", "--data-dir", home]
    ran = run_here(*command, "--json", "-")
    direct = json.loads(turns(market, "--json", "-").stdout)
    assert json.loads(ran.stdout)["state_hash"] == direct["state_hash"]
    none = run_here(*command[:4], "ETHUSDT", *command[5:])
    assert none.code == 2
    assert "hean data import" in none.stderr


def test_async_handler_waits_in_simulated_time(market: Path, habits: Path) -> None:
    journal = market.parent / "run.journal"
    ran = run_here(
        "backtest", "--strategy", f"{habits}:Waits", "--symbol", "BTCUSDT", "--data", market,
        "--virtual-loop", "--journal", journal, "--json", "-",
    )  # fmt: skip
    assert json.loads(ran.stdout)["fills"] > 0
    assert run_here("replay", journal).code == 0


# ---------------------------------------------------------------- terminals and languages


@pytest.mark.usefixtures("habits")
def test_progress_is_shown_on_a_terminal(market: Path) -> None:
    spec = f"{market.with_name('habits.py')}:Turns"
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(COLUMNS="80", TERM="xterm")
        command = ["-m", "hean", "backtest", "--strategy", spec, "--symbol", "BTCUSDT"]
        os.execv(sys.executable, [sys.executable, *command, "--data", str(market)])
    seen, deadline = b"", time.monotonic() + 120
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            seen += part
    assert os.waitpid(child, 0)[1] == 0
    assert b"backtest" in seen
    assert b"net profit" in seen


def test_wide_names_are_fine_in_any_language(tmp_path: Path) -> None:
    environment = {"LC_ALL": "POSIX", "LANG": "C", "PYTHONIOENCODING": "ascii"}
    folder = tmp_path / "資料 \u00e4 \U0001d518"
    folder.mkdir()
    market, habits = write_market(folder), write_strategies(folder)
    ran = run_apart(
        "backtest", "--strategy", f"{habits}:Turns", "--symbol", "BTCUSDT", "--data", market,
        "--json", folder / "結果.json", "--report", folder / "報告.html", cwd=folder,
        environment=environment, stdin=None,
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert json.loads((folder / "結果.json").read_text())["trades"] > 0


# ---------------------------------------------------------------- the same again


def test_same_bytes_in_another_process_and_replay_agrees(market: Path, habits: Path) -> None:
    results = []
    for name, environment in (
        ("a", {"PYTHONHASHSEED": "1", "TZ": "UTC", "LANG": "C", "LC_ALL": "C"}),
        ("b", {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "LANG": "C.UTF-8", "LC_ALL": ""}),
    ):
        folder = market.parent / name
        folder.mkdir()
        ran = run_apart(
            "backtest", "--strategy", f"{habits}:Turns", "--symbol", "BTCUSDT", "--data", market,
            "--latency", "normal:50ms,10ms", "--seed", "7", "--journal", "run.journal",
            "--json", "run.json", "--report", "run.html", "--trades", "t.csv", "--equity", "e.csv",
            cwd=folder, environment=environment,
        )  # fmt: skip
        assert ran.code == 0, ran.stderr
        results.append({file: (folder / file).read_text() for file in _FILES})
    first, second = results
    for file in ("t.csv", "e.csv", "run.html"):
        assert first[file] == second[file]
    assert _timeless(first["run.json"]) == _timeless(second["run.json"])
    replayed = run_apart("replay", "a/run.journal", "--json", "-", cwd=market.parent)
    assert replayed.code == 0
    document = json.loads(replayed.stdout)
    assert document["state_hash"] == json.loads(first["run.json"])["state_hash"]
    assert sorted(path.name for path in (market.parent / "a").iterdir()) == sorted(
        ["run.journal", *_FILES]
    )
    assert document["journal_hash"] == json.loads(first["run.json"])["journal_hash"]


_FILES = ("run.json", "run.html", "t.csv", "e.csv")


def _timeless(text: str) -> str:
    """The JSON without the four lines that are measured."""
    lines = text.splitlines()
    kept = [
        line for line in lines if not line.strip().startswith(tuple(f'"{m}"' for m in MEASURED))
    ]
    assert len(lines) - len(kept) == len(MEASURED)
    return "\n".join(kept)


def test_trading_is_the_same_however_often_the_watchdog_looks(
    market: Path, habits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ["--strategy", f"{habits}:Turns", "--symbol", "BTCUSDT", "--data", market, "--json", "-"]
    hashes = set()
    for look_s in (0.002, 3_600.0):
        monkeypatch.setattr("hean.watchdog.LOOK_S", look_s)
        told = run_here("backtest", *spec, "--handler-timeout", "60")
        hashes.add(json.loads(told.stdout)["state_hash"])
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "recording",
    [
        "l2/binance_perp_BTCUSDT_raw_2024-08-08.txt.gz",
        "trades/binance_perp_BTCUSDT_trades_2024-08-08.parquet",
    ],
)
def test_the_bundled_strategy_trades_recorded_books_and_trades(
    shared: Path, recording: str
) -> None:
    """The class that trades candles; its bars are made of what was recorded, six minutes of it."""
    quick = {"window": 20, "horizon": 4, "atr": 10, "threshold": 1, "volume_z": -1, "hold": 20}
    options = [part for name, value in quick.items() for part in ("--param", f"{name}={value}")]
    ran = run_here(
        *("backtest", "--strategy", "impulse", "--symbol", "BTCUSDT", "--bar", "1s", *options),
        *("--data", shared / "data" / recording, "--json", "-"),
    )
    assert ran.code == 0, ran.stderr
    summary = json.loads(ran.stdout)
    assert summary["fills"] > 20
    assert summary["trades"] > 10
