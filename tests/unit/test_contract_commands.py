# SPDX-License-Identifier: Apache-2.0
"""What others rely on at the command line: the launcher's targets, every command with its options,
exit codes, and the JSON of a run, as tables that the program is held against. Anything may be
added; what is listed may not be renamed or dropped. `tests/api/test_contract.py` does it for HTTP.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import closing
from decimal import Decimal
from enum import EnumType
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from hean.api.server import listen
from hean.cli import app
from unit.cli_runs import run_apart, run_here, write_market, write_strategies

PLAYED = (
    "--strategy --symbol --data --start --end --cash --param --seed --fees --latency --slippage"
)
SESSION = "--exchange --testnet --strategy --symbols --config --api --no-api --json"
OPTIONS = {
    "demo": "--duration --no-browser --port --seed --json",
    "data list": "--json",
    "data verify": "FILE --kind --symbol --timeframe --on-bad --json",
    "data import": "FILE --kind --symbol --timeframe --on-bad --json",
    "data download": "--kind --symbol --timeframe --json",
    "data record": "--symbol --json",
    "backtest": f"{PLAYED} --report --journal --json",
    "replay": "JOURNAL --json",
    "evaluate": f"{PLAYED} --report --folds --embargo --json",
    "evolve": "--symbol --data --start --end --cash --seed --fees --latency --slippage --report "
    "--population --generations --workers --engine --out --json",
    "parity": "--journal --data --json",
    "twin": "--exchange --port --control-port --data --generate --seed --speed --key --secret "
    "--key2 --secret2 --readonly-key --readonly-secret --ledger --faults --json",
    "paper": SESSION,
    "live": SESSION,
    "run": "--deploy --process --json",
    "serve": "--host --port --json",
    "quant verify": "FILE --json",
    "check-strategy": "STRATEGY --data --json",
    "ml train": "--json", "ml check": "--json", "analytics": "--json",
    "store backup": "--json", "store restore": "FOLDER --json", "store rebuild": "--json",
    "store verify": "--json",
    "doctor": "--json", "topology": "--json", "diagnose execution": "--json", "kill": "--json",
    "why": "ORDER_ID --json", "settings": "--json", "token create": "--role --json",
}  # fmt: skip
CHOICES = {
    ("data import", "kind"): "candles trades funding book",
    ("data import", "on_bad"): "refuse drop",
    ("twin", "exchange"): "bybit binance",
    ("paper", "exchange"): "bybit binance",
    ("live", "exchange"): "bybit binance",
    ("evolve", "engine"): "local dask",
}
DEFAULTS = {
    ("serve", "host"): "127.0.0.1",
    ("backtest", "cash"): "10000", ("backtest", "seed"): 0,
    ("evolve", "population"): 50,
    ("data import", "on_bad"): "refuse",
}  # fmt: skip
TARGETS = "demo test setup check bench dev sim docs topology clean"
MONEY = "fees funding slippage_cost initial_equity final_equity net_pnl"
RATIOS = (
    "wall_s events_per_s peak_rss_mb max_drawdown_fraction sharpe sortino calmar win_rate "
    "profit_factor exposure_fraction turnover buy_and_hold_return"
)
COUNTS = "events orders fills trades"
OTHERS = (
    "strategy symbols params start end seed equity_curve_file trades_file state_hash journal_hash "
    "data assumptions"
)
FILE = "file sha256 rows first_ts last_ts gaps"
ASSUMED = "fee latency fill_model slippage"
MEASURED = {"wall_s", "load_s", "events_per_s", "peak_rss_mb"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
LEFT = {"demo": {"equity_curve_file", "trades_file"}}  # files that it has no option for


def leaves(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its words, those of groups too."""
    if (inner := getattr(command, "commands", None)) is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from leaves(each, f"{path} {name}".strip())


def choices(option: Any) -> set[str]:
    """The words that an option takes."""
    annotation = option.type_descriptor.annotation
    kinds = [each for each in (annotation, *get_args(annotation)) if isinstance(each, EnumType)]
    return {str(each.value) for kind in kinds for each in kind}


COMMANDS = dict(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("name", OPTIONS)
def test_a_command_has_its_options(name: str) -> None:
    known = [word for each in COMMANDS[name].params for word in (*each.opts, *each.secondary_opts)]
    arguments = [each for each in COMMANDS[name].params if each.param_type_name == "argument"]
    wanted = OPTIONS[name].split()
    assert [each for each in wanted if each.startswith("-") and each not in known] == []
    assert len(arguments) >= len([each for each in wanted if not each.startswith("-")])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_writes_json_and_shows_an_example(name: str) -> None:
    known = [word for each in COMMANDS[name].params for word in each.opts]
    shown = run_here(*name.split(), "--help")
    assert shown.code == 0 and "Example: " in shown.stdout
    assert "--json" in known


@pytest.mark.parametrize("name", sorted({each.rpartition(" ")[0] for each in COMMANDS}))
def test_every_group_of_commands_shows_an_example(name: str) -> None:
    shown = run_here(*name.split(), "--help")
    assert shown.code == 0 and "Example: " in shown.stdout


@pytest.mark.parametrize(("name", "option"), {**CHOICES, **DEFAULTS})
def test_an_option_has_its_values_and_its_default(name: str, option: str) -> None:
    (found,) = [each for each in COMMANDS[name].params if each.name == option]
    assert set(CHOICES.get((name, option), "").split()) <= choices(found)
    if (name, option) in DEFAULTS:
        assert found.default == DEFAULTS[name, option]


def test_the_makefile_has_its_targets_each_with_a_sentence(root: Path) -> None:
    told = subprocess.run(["make"], cwd=root, capture_output=True, text=True, check=True).stdout
    shown = dict(re.findall(r"^ *make (\w+)\s+(\S.*)$", told, re.MULTILINE))
    assert [name for name in TARGETS.split() if name not in shown] == []
    rule = "make -n sim SEEDS=7; make -n sim; make -n topology; make -n docs"
    done = subprocess.run(rule, shell=True, cwd=root, capture_output=True, text=True, check=True)
    assert "--seeds 7\n./hean sim --seeds 300\n./hean topology" in done.stdout


def test_python_runs_it_too(tmp_path: Path) -> None:
    assert run_apart("--version", cwd=tmp_path).stdout.startswith("hean ")


# ---- exit codes; of a gate (4): test_cli_kill, of an interruption (130): test_cli_bad_input


def test_a_finished_command_and_a_wrong_one(tmp_path: Path) -> None:
    assert run_here("settings").code == 0
    unknown = tmp_path / "reference.json"
    unknown.write_text('{"id": "x", "method": "astrology", "inputs": {}, "expected": {}}')
    assert run_here("quant", "verify", unknown).code == 1
    assert run_here("backtest", "--strategy", "nosuch", "--symbol", "BTCUSDT").code == 2
    assert run_here("backtest", "--nosuch").code == 2
    with closing(listen("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run_here("serve", "--port", port, "--data-dir", tmp_path / "data").code == 3


# ---------------------------------------------------------------- the JSON of a run


def wrong(document: dict[str, Any], left: Collection[str] = ()) -> list[str]:
    """What is missing, or has another form."""
    named = [*MONEY.split(), *RATIOS.split(), *COUNTS.split(), *OTHERS.split()]
    found = [f"no {name}" for name in named if name not in document and name not in left]
    found += [each for each in MONEY.split() if not isinstance(document[each], str)]
    found += [each for each in MONEY.split() if not Decimal(document[each]).is_finite()]
    numbers = (int, float, type(None))  # None: a ratio of nothing
    found += [each for each in RATIOS.split() if not isinstance(document[each], numbers)]
    found += [each for each in COUNTS.split() if not isinstance(document[each], int)]
    found += [each for each in ("start", "end") if not MOMENT.fullmatch(document[each])]
    return found + [each for each in ASSUMED.split() if not document["assumptions"][each]]


def test_a_backtest_says_all_of_it_and_the_same_twice(tmp_path: Path) -> None:
    market, habits = write_market(tmp_path), write_strategies(tmp_path)
    words = ("backtest", "--strategy", f"{habits}:Turns", "--symbol", "BTCUSDT", "--data", market)
    told = [json.loads(run_here(*words, "--json", "-").stdout) for _ in range(2)]
    assert wrong(told[0]) == [] and "load_s" in told[0]
    (data,) = told[0]["data"]
    assert set(FILE.split()) <= set(data)
    assert MOMENT.fullmatch(data["first_ts"]) and MOMENT.fullmatch(data["last_ts"])
    first, again = ({k: v for k, v in each.items() if k not in MEASURED} for each in told)
    assert json.dumps(first) == json.dumps(again)


def test_the_demo_says_what_makes_sense_of_it(tmp_path: Path) -> None:
    words = ("demo", "--duration", "1", "--no-browser", "--port", "0", "--seed", "7")
    done = subprocess.run(
        [sys.executable, "-m", "hean", *words, "--json", "-", "--data-dir", str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert wrong(json.loads(done.stdout), LEFT["demo"]) == []
