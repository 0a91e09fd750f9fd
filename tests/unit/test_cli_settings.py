# SPDX-License-Identifier: Apache-2.0
"""`hean settings` and `--config` as a user types them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from unit.cli_runs import Ran, run_apart, run_here

CANARY = "canary-3f81c2d7"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of a command, with a file of settings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hean.toml").write_text("[limits]\nleverage_max = 2\n")
    return tmp_path


def row(ran: Ran, key: str) -> list[str]:
    """The words of a row of the table."""
    return next(line.split() for line in ran.stdout.splitlines() if line.split()[:1] == [key])


def test_each_value_is_shown_with_where_it_came_from(folder: Path, monkeypatch):
    monkeypatch.setenv("SYMBOLS", "BTCUSDT,ETHUSDT")
    (folder / ".env").write_text("EXCHANGE=binance\nGRAFANA_PORT=3002\n")
    ran = run_here("settings", "--config", "hean.toml")
    assert ran.code == 0
    assert row(ran, "symbols") == ["symbols", "BTCUSDT,ETHUSDT", "environment", "SYMBOLS"]
    assert row(ran, "exchange") == ["exchange", "binance", ".env", ".env:1"]
    assert row(ran, "limits.leverage_max")[1:] == ["2", "times", "file", "hean.toml:2"]
    assert row(ran, "limits.gross_value_max")[1] == "off"
    assert row(ran, "dry_run") == ["dry_run", "true", "default"]


def test_the_json_is_whole_and_can_be_written_again(folder: Path):
    for _ in range(2):
        assert run_here("settings", "--config", "hean.toml", "--json", "out.json").code == 0
    found = json.loads((folder / "out.json").read_text())
    assert found["settings"]["limits.leverage_max"] == {
        "value": "2",
        "source": "file",
        "place": "hean.toml:2",
        "variable": "MAX_LEVERAGE",
        "unit": "times",
        "meaning": "R21: most value of all positions over equity; also the leverage of perpetuals.",
    }
    assert found["problems"] == []


def test_secrets_are_masked_told_about_and_gone_from_the_environment(folder: Path, monkeypatch):
    monkeypatch.setenv("BYBIT_API_SECRET", CANARY)
    monkeypatch.setenv("HEAN_ACCOUNT_ID", CANARY)
    ran = run_here("settings")
    assert ran.code == 0
    assert row(ran, "bybit_api_secret")[1:] == ["***", "environment", "BYBIT_API_SECRET"]
    assert row(ran, "account_id")[1] == "***"
    assert "warning: BYBIT_API_SECRET lies open in the environment" in ran.stderr
    assert CANARY not in ran.stdout + ran.stderr
    assert "BYBIT_API_SECRET" not in os.environ


def test_wrong_settings_end_with_code_2_every_place_and_a_json_error(folder: Path):
    (folder / "hean.toml").write_text("depth = 7\n\nbra = '1m'\n")
    ran = run_apart("settings", "--config", "hean.toml", "--json", "-", cwd=folder)
    assert ran.code == 2
    assert "hean.toml:1: depth is 7; allowed: 50, 200, 1000." in ran.stderr
    assert "hean.toml:3: unknown key 'bra'; nearest bar." in ran.stderr
    assert "Traceback" not in ran.stderr
    assert json.loads(ran.stdout)["exit_code"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "strategy.name is not set; give --strategy, or strategy.name in the file"),
        (["--strategy", "impulse"], "symbols is not set; give --symbols, or SYMBOLS"),
        (["--config", "none.toml"], "none.toml: cannot be read: No such file"),
        (["--limit", "leverage_mx=3"], "--limit leverage_mx: unknown setting"),
        (["--limit", "leverage_max=3"], "follows --leverage"),
        (["--limit", "a=1", "--limit", "a=2"], "given twice"),
        (["--symbols", "BTCUSDT,BTC/USDT"], "each symbol once"),
        (["--leverage", "200"], "--leverage '200'; allowed: a number from 1 to 125"),
        (["--fraction", "nan"], "--fraction nan; allowed"),
        (["--config", "fees.toml"], "fees.toml:4: --fees"),
        (["--config", "record.toml"], "record.toml:4: --track-record"),
    ],
)
def test_paper_refuses_what_it_cannot_use_before_it_connects(folder: Path, arguments, said):
    (folder / "fees.toml").write_text(
        'symbols = ["BTCUSDT"]\nstrategy.name = "impulse"\n\nfees = "maker=free"\n'
    )
    (folder / "record.toml").write_text(
        'symbols = ["BTCUSDT"]\nstrategy.name = "impulse"\nsizing = "kelly"\n'
        'track_record = "sharpe=9"\n'
    )
    ran = run_here("paper", *arguments)
    assert ran.code == 2
    assert said in ran.stderr


def test_keys_of_another_program_s_folder_are_not_taken_for_settings(folder: Path):
    (folder / ".env").write_text("DATABASE_URL=x\n")
    ran = run_here("settings")
    assert ran.code == 2
    assert ".env:1: unknown variable 'DATABASE_URL'" in ran.stderr
