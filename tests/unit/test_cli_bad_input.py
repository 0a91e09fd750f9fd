# SPDX-License-Identifier: Apache-2.0
"""The command line as a careless or hostile user meets it: every refusal has its exit code and its
words, comes fast, shows no traceback and leaves every file as it was.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bad_data_files import CASES, Case
from hean.cli import app
from unit.cli_runs import (
    PATIENCE_S,
    Ran,
    run_apart,
    run_here,
    start_apart,
    write_market,
    write_strategies,
)
from venue_contract.twin_process import wait_until

NO_RESULT = "StrategyFailed 6105"


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return write_market(tmp_path)


@pytest.fixture
def habits(tmp_path: Path) -> Path:
    return write_strategies(tmp_path)


def backtest(market: Path, *rest: object, strategy: object = "impulse") -> Ran:
    return run_here(
        "backtest", "--strategy", strategy, "--symbol", "BTCUSDT", "--data", market, *rest
    )


# ---------------------------------------------------------------- options


OPTIONS = [
    ("--param horizn=3", "unknown parameter 'horizn'; nearest horizon"),
    ("--param horizon=x", "horizon is 'x'; allowed: a whole number"),
    ("--param horizon=0", "allowed: 1 to 1000 bars; nearest 1"),
    ("--param threshold=nan", "finite"),
    ("--param horizon", "give name=value"),
    ("--param horizon=3 --param horizon=4", "given twice"),
    ("--symbol BTCUSDT", "given twice"),
    ("--start 2024-01-05 --end 2024-01-02", "not before --end"),
    ("--start 2024-02-31", "day is out of range"),
    ("--start yesterday", "ISO 8601"),
    ("--start 0001-01-01", "allowed: 2009 to 2200"),
    ("--end 9999-12-31", "allowed: 2009 to 2200"),
    ("--start 2030-01-01", "the files hold 2024-01-01T00:00:00Z to 2024-01-13T12:00:00Z"),
    ("--end 2010-01-01", "the files hold"),
    ("--cash -1", "--cash '-1'; allowed"),
    ("--cash 0", "allowed: 0.00000001 to"),
    ("--cash 1e-30", "allowed: 0.00000001 to"),
    ("--cash 1e400", "allowed"),
    ("--cash NaN", "allowed"),
    ("--cash 1_000", "plain digits"),
    ("--cash abc", "decimal number"),
    (f"--cash {'1' * 100_000}", "allowed"),
    ("--leverage 0", "--leverage"),
    ("--leverage 1000", "--leverage"),
    ("--fraction nan", "--fraction nan; allowed"),
    ("--fraction -1", "--fraction -1; allowed"),
    ("--track-record sharpe=1", "--track-record is for --sizing kelly; this is fixed_fraction"),
    ("--sizing kelly --track-record sharpe=1", "--track-record .*volatility, years missing"),
    ("--fees maker=0.0002", "--fees .*taker missing"),
    ("--fees maker=1,taker=5", "0.05 % is 0.0005"),
    ("--fees maker=nan,taker=0", "--fees .*maker is 'nan'"),
    ("--latency fast", "--latency .*ns, us, ms or s"),
    ("--latency -5ms", "--latency"),
    ("--latency 99999999999999999999s", "at most one hour"),
    ("--latency normal:5ms", "normal:50ms,10ms"),
    ("--slippage -1", "--slippage"),
    ("--slippage half_spread=-0.1,impact=0", "half_spread is -0.1; allowed: 0"),
    ("--queue fifo", "--queue"),
    ("--bar 7x", "--bar '7x'"),
    ("--seed -1", "--seed"),
    ("--handler-timeout 0", "--handler-timeout 0; allowed"),
    ("--limit open_order_max=3", 'no limit "open_order_max"; nearest known: "open_orders_max"'),
    ("--limit nope=off", 'no limit "nope"'),
    ("--limit order_value_max=-1", "from 0 up"),
    ("--limit refuse_self_cross=maybe", "true or false"),
    ("--limit leverage_max=5", "--leverage"),
    ("--strategi impulse", "No such option: --strategi .*--strategy"),
    ("--cash", "--cash '--quiet'"),
    ("surplus", "surplus"),
    ("--report --json", r"\./--json"),
]


@pytest.mark.parametrize(("line", "words"), OPTIONS, ids=lambda value: value[:40])
def test_bad_option_is_refused_with_its_reason(line: str, words: str, market: Path) -> None:
    ran = backtest(market, *line.split(), "--quiet")
    assert (ran.code, ran.stdout) == (2, "")
    assert re.search(words, ran.stderr), ran.stderr


@pytest.mark.parametrize("name", ["BTC-USDT", "", "\uff22\uff34\uff23", "\u0131BTC", "B" * 21])
def test_symbol_that_is_none_is_refused(name: str, market: Path) -> None:
    ran = run_here("backtest", "--strategy", "impulse", "--symbol", name, "--data", market)
    assert ran.code == 2
    assert "UnknownSymbol" in ran.stderr
    assert ran.stderr.isascii()


def test_symbol_that_the_data_has_not_is_refused(market: Path) -> None:
    ran = run_here("backtest", "--strategy", "impulse", "--symbol", "ETHUSDT", "--data", market)
    assert ran.code == 2
    assert "'ETHUSDT', expected 'BTCUSDT'" in ran.stderr


# ---------------------------------------------------------------- data


SAID = "nobody says the symbol"  # here --symbol does


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if not case.options and case.name != SAID],
    ids=lambda case: case.name,
)
def test_bad_data_file_is_refused(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    result = tmp_path / "out.json"
    ran = backtest(path, "--json", result)
    assert (ran.code, ran.stdout) == (2, ""), ran.stdout
    assert ran.stderr
    assert json.loads(result.read_text())["exit_code"] == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.csv", "No such file"),
        ("pipe.csv", "not a regular file"),
        ("folder", "without data files"),
        ("x" * 1_000_000, "name too long"),
        ("/dev/zero", "not a regular file"),
    ],
    ids=["missing", "pipe", "empty folder", "long name", "device"],
)
def test_path_that_is_no_data_is_refused(name: str, words: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder").mkdir()
    ran = backtest(tmp_path / name)
    assert ran.code == 2
    assert words in ran.stderr
    assert len(ran.stderr) < 2_000


def test_same_file_twice_is_refused(market: Path) -> None:
    assert "given twice" in backtest(market, "--data", market.parent).stderr


# ---------------------------------------------------------------- strategies


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("impulze", "unknown strategy 'impulze'; nearest impulse"),
        ("", "unknown strategy"),
        ("none.py:X", "no such file"),
        ("{}/habits.py", "name the class as well"),
        ("{}/habits.py:Nope", "no strategy class 'Nope'; it has Every, Turns"),
        ("{}/syntax.py:X", "line 2: SyntaxError"),
        ("{}/boom.py:X", "line 1: RuntimeError: boom"),
        ("{}/leaves.py:X", r"leaves.py: line 1: SystemExit: 0"),
        ("{}/habits.py:InitRaises", r"habits.py:\d+: ValueError: no"),
        ("{}/habits.py:InitSkips", "super"),
        ("{}:X", "no such file"),
    ],
)
def test_strategy_that_cannot_start_is_refused(
    spec: str, words: str, market: Path, habits: Path
) -> None:
    folder = habits.parent
    (folder / "syntax.py").write_text("x = 1\ndef broken(:\n")
    (folder / "boom.py").write_text("raise RuntimeError('boom')\n")
    (folder / "leaves.py").write_text("raise SystemExit(0)\n")
    ran = backtest(market, strategy=spec.format(folder))
    assert ran.code == 2
    assert re.search(words, ran.stderr), ran.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Raises", "ZeroDivisionError: division by zero"),
        ("Exits", r"it called sys.exit\(0\)"),
        ("Dict", "a dict was emitted; emit a payload"),
        ("BadSide", "Invalid enum value 'up'"),
        ("Forges", "may not emit ORDER_FILLED"),
    ],
)
def test_failing_handler_is_named_with_line_and_event(
    name: str, words: str, market: Path, habits: Path
) -> None:
    result = habits.parent / "out.json"
    ran = backtest(market, "--json", result, strategy=f"{habits}:{name}")
    assert (ran.code, ran.stdout) == (1, "")
    place = r"habits.py:\d+: Every.on_candle, event \d+ \(CANDLE BTCUSDT\) at 2024-01-01T10:00:00Z"
    assert re.search(f"{NO_RESULT}: strategy {name.lower()} failed: {place}: ", ran.stderr)
    assert re.search(words, ran.stderr), ran.stderr
    assert json.loads(result.read_text())["exit_code"] == 1


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("NanPrice", "NumberNotFinite"),
        ("NegativeSize", "ParameterInvalid"),
        ("UnknownSymbol", "UnknownSymbol"),
        ("OffLot", "QuantityNotOnLot"),
        ("NanStop", "NumberNotFinite"),
    ],
)
def test_senseless_order_is_refused_counted_and_shown(
    name: str, error: str, market: Path, habits: Path
) -> None:
    ran = backtest(market, "--json", "-", strategy=f"{habits}:{name}")
    assert ran.code == 0
    refusals = json.loads(ran.stdout)["refusals"]
    assert error in [row["error"] for row in refusals]
    assert f"refused by risk, {error}" in ran.stderr


@pytest.mark.parametrize("name", ["FloatSize", "CancelsNothing"])
def test_harmless_habit_runs_through(name: str, market: Path, habits: Path) -> None:
    assert backtest(market, "--quiet", strategy=f"{habits}:{name}").code == 0


@pytest.mark.parametrize("name", ["Forever", "Sleeps", "Storms", "InitForever"])
def test_strategy_that_never_returns_is_stopped(name: str, market: Path, habits: Path) -> None:
    journal = habits.parent / "run.journal"
    ran = backtest(
        market, "--handler-timeout", "0.3", "--journal", journal, strategy=f"{habits}:{name}"
    )
    assert ran.code == 1
    assert NO_RESULT in ran.stderr
    assert name == "InitForever" or re.search(r"event \d+ \(.* at 2024-01-01T10", ran.stderr)
    assert not list(habits.parent.glob("*journal*")) + list(habits.parent.glob(".*"))


def test_strategy_that_swallows_its_stop_is_ended(market: Path, habits: Path) -> None:
    ran = run_apart(
        "backtest", "--strategy", f"{habits}:Swallows", "--symbol", "BTCUSDT", "--data", market,
        "--handler-timeout", "0.3", "--journal", "run.journal", cwd=habits.parent,
    )  # fmt: skip
    assert ran.code == 1
    assert "Swallows.act" in ran.stderr or "swallows every exception" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list(habits.parent.glob("*journal*")) + list(habits.parent.glob(".*"))


def test_waiting_handler_is_told_of_the_virtual_loop(market: Path, habits: Path) -> None:
    ran = backtest(market, strategy=f"{habits}:Waits")
    assert ran.code == 1
    assert "Use --virtual-loop" in ran.stderr
    failed = backtest(market, "--virtual-loop", strategy=f"{habits}:WaitsAndRaises")
    assert failed.code == 1
    assert "WaitsAndRaises.on_candle, event" in failed.stderr


def test_debug_shows_the_traceback(market: Path, habits: Path) -> None:
    command = ["--strategy", f"{habits}:Raises", "--symbol", "BTCUSDT", "--data", str(market)]
    result = CliRunner().invoke(app, ["backtest", *command, "--debug"])
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


# ---------------------------------------------------------------- outputs


@pytest.mark.parametrize("option", ["--json", "--report", "--trades", "--equity", "--journal"])
def test_foreign_file_is_never_written_over(option: str, market: Path) -> None:
    precious = market.parent / "precious.txt"
    precious.write_text("precious")
    ran = backtest(market, option, precious)
    assert ran.code == 2
    assert option in ran.stderr
    assert "exists" in ran.stderr
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("option", ["--json", "--trades", "--equity"])
def test_older_result_is_replaced_only_by_a_result(option: str, market: Path, habits: Path) -> None:
    target = market.parent / "out"
    assert backtest(market, option, target).code == 0
    before = target.read_bytes()
    assert backtest(market, option, target, strategy=f"{habits}:Raises").code == 1
    assert target.read_bytes() == before
    target.with_name("log").write_text("")
    assert backtest(market, option, target).code == 0


def test_data_commands_write_over_nothing_foreign(market: Path) -> None:
    other = market.parent / "package.json"
    other.write_text('{"name": "precious"}')
    for command in (["list", "--data-dir", market.parent], ["verify", market]):
        ran = run_here("data", *command, "--json", other)
        assert ran.code == 2
        assert "no older result" in ran.stderr
    assert other.read_text() == '{"name": "precious"}'
    fresh = market.parent / "list.json"
    for _ in range(2):
        assert run_here("data", "list", "--data-dir", market.parent, "--json", fresh).code == 0


def test_force_replaces_a_foreign_file_but_no_input(market: Path) -> None:
    other = market.parent / "other"
    other.write_text("old")
    assert backtest(market, "--json", other, "--force").code == 0
    assert backtest(market, "--json", market, "--force").code == 2


@pytest.mark.parametrize(
    ("target", "code", "words"),
    [
        (".", 2, "a directory"),
        ("none/out", 3, "no folder"),
        ("x" * 300, 3, "name too long"),
        ("pipe", 3, "cannot be written"),
    ],
    ids=["folder", "no folder", "long name", "pipe without reader"],
)
def test_target_that_cannot_be_written(target: str, code: int, words: str, market: Path) -> None:
    os.mkfifo(market.parent / "pipe")
    ran = backtest(market, "--json", market.parent / target)
    assert ran.code == code
    assert words in ran.stderr


def test_two_results_in_one_file_are_refused(market: Path) -> None:
    out = market.parent / "out"
    assert "--json writes there as well" in backtest(market, "--json", out, "--trades", out).stderr


def test_device_is_written_to_and_not_replaced(market: Path) -> None:
    assert backtest(market, "--json", "/dev/null", "--trades", "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("option", "size"), [("--equity", "16k"), ("--journal", "16k"), ("--journal", "128k")]
)
def test_full_disk_leaves_no_part(option: str, size: str, market: Path, habits: Path) -> None:
    folder = market.parent / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        ran = backtest(market, option, folder / "out", strategy=f"{habits}:Turns")
        assert ran.code == 3, ran.stderr
        assert os.strerror(errno.ENOSPC) in ran.stderr or "full" in ran.stderr
        assert not list(folder.iterdir())
    finally:
        subprocess.run(["umount", str(folder)], check=False)


# ---------------------------------------------------------------- journals


@pytest.mark.parametrize("name", ["none", "precious.txt", ".", "binance_perp_BTCUSDT_1h_2024.csv"])
def test_file_that_is_no_journal_is_refused(name: str, market: Path) -> None:
    (market.parent / "precious.txt").write_text("precious")
    ran = run_here("replay", market.parent / name)
    assert ran.code == 2
    assert "JournalDamaged" in ran.stderr


def test_journal_without_its_data_says_how_to_name_it(market: Path, habits: Path) -> None:
    journal = market.parent / "run.journal"
    assert backtest(market, "--journal", journal, strategy=f"{habits}:Turns").code == 0
    moved = market.rename(market.with_name("moved_" + market.name))
    ran = run_here("replay", journal)
    assert ran.code == 2
    assert "--data" in ran.stderr
    moved.write_text(moved.read_text().replace("40000,", "40001,", 1))
    assert "checksum" in run_here("replay", journal, "--data", moved).stderr


# ---------------------------------------------------------------- processes


@pytest.mark.parametrize(("name", "times"), [("Sleeps", 1), ("Swallows", 2)])
def test_interrupt_ends_with_130_and_leaves_nothing(
    name: str, times: int, market: Path, habits: Path
) -> None:
    folder = habits.parent
    process = start_apart(
        "backtest", "--strategy", f"{habits}:{name}", "--symbol", "BTCUSDT", "--data", market,
        "--journal", "run.journal", "--json", "out.json", cwd=folder,
    )  # fmt: skip
    asleep = habits.with_name("habits.py.asleep")
    for number in range(times):
        wait_until(lambda n=number: asleep.exists() and len(asleep.read_text()) > n, "its sleep")
        process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    left = {path.name for path in folder.iterdir()} - {"__pycache__", asleep.name}
    assert left == {market.name, habits.name}


def test_broken_pipe_is_no_error(market: Path, habits: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = run_apart(
        "backtest", "--strategy", f"{habits}:Turns", "--symbol", "BTCUSDT", "--data", market,
        "--json", "-", cwd=market.parent, stdout=writer,
    )  # fmt: skip
    os.close(writer)
    assert ran.code == 0
    assert "Traceback" not in ran.stderr
    assert "BrokenPipe" not in ran.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_stream_shows_no_traceback(closed: str, market: Path, habits: Path) -> None:
    options = "--strategy habits.py:Turns --symbol BTCUSDT --data"
    line = f'exec "$0" -m hean backtest {options} "$1" {closed}'
    ran = subprocess.run(
        ["sh", "-c", line, sys.executable, market.name],
        cwd=market.parent, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
