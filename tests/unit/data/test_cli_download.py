# SPDX-License-Identifier: Apache-2.0
"""`hean data download` as a person and a script see it: words, JSON, exit codes, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hean.cli import app
from hean.cli_download import rest_url_of
from hean.data.catalog import Catalog
from hean.data.staging import STAGING_DIRECTORY
from hean.errors import ParameterInvalid
from rest_server import Trouble, serving

runner = CliRunner()
MONTH = ["--start", "2024-01-01", "--end", "2024-01-04"]


def options(url: str, home: Path, *more: str, exchange: str = "binance") -> list[str]:
    plain = ["data", "download", "--exchange", exchange, "--symbol", "BTCUSDT"]
    return [*plain, "--rest-url", url, "--data-dir", str(home), *more]


def run(*arguments: str, env: dict[str, str] | None = None) -> Any:
    return runner.invoke(app, list(arguments), env=env)


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_a_download_ends_in_the_catalog_and_says_so(tmp_path: Path, exchange: str) -> None:
    with serving() as venues:
        done = run(
            *options(venues.url, tmp_path, "--timeframe", "1h", *MONTH, exchange=exchange),
            "--json",
            "-",
        )
    assert done.exit_code == 0, done.output
    (document,) = json.loads(done.stdout)
    assert (document["rows"], document["rows_new"], document["gaps"]["count"]) == (72, 72, 0)
    assert document["asked"]["end"] == "2024-01-04T00:00:00Z"
    assert "72 new rows" in done.stderr
    (entry,) = Catalog(tmp_path).entries()
    assert document["sha256"] == entry.facts["sha256"]
    checked = run("data", "verify", str(entry.path), "--json", "-")
    assert json.loads(checked.stdout)[0]["sha256"] == document["sha256"]


def test_several_symbols_are_several_entries(tmp_path: Path) -> None:
    with serving() as venues:
        done = run(
            *options(venues.url, tmp_path, "--symbols", "ETHUSDT", "--timeframe", "1h", *MONTH)
        )
    assert done.exit_code == 0, done.output
    assert [entry.facts["symbol"] for entry in Catalog(tmp_path).entries()] == [
        "BTCUSDT",
        "ETHUSDT",
    ]


def test_the_test_network_is_kept_apart(tmp_path: Path) -> None:
    with serving() as venues:
        for more in ([], ["--testnet"]):
            done = run(*options(venues.url, tmp_path, "--timeframe", "1h", *MONTH, *more))
            assert done.exit_code == 0, done.output
    venues_found = [entry.facts["venue"] for entry in Catalog(tmp_path).entries()]
    assert venues_found == ["binance", "binancetestnet"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--kind candles needs --timeframe"),
        (["--timeframe", "7m", "--start", "2024-01-01"], "no candles of 7m; known: 1s, 1m"),
        (["--timeframe", "1m"], "--start is needed"),
        (["--kind", "trades", "--timeframe", "1m"], "only candles have one"),
        (["--kind", "funding", "--market", "spot"], "spot has none"),
        (["--timeframe", "1h", "--start", "2024-01-02", "--end", "2024-01-01"], "is not before"),
        (["--timeframe", "1h", "--start", "2024-03-01"], "nothing of BTCUSDT is finished"),
        (["--timeframe", "1h", *MONTH, "--symbol", "NOPEUSDT"], "nearest: ETHUSDT"),
        (["--timeframe", "1h", *MONTH, "--symbol", "btc-usdt"], "give letters and digits"),
    ],
)
def test_bad_options_end_with_2_and_a_way_out(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    with serving() as venues:
        done = run(*options(venues.url, tmp_path, *arguments))
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize("url", ["http://api.bybit.com", "ftp://127.0.0.1", "nonsense"])
def test_an_address_that_cannot_be_is_refused(tmp_path: Path, url: str) -> None:
    done = run(*options(url, tmp_path, "--timeframe", "1h", *MONTH))
    assert done.exit_code == 2
    assert "--rest-url" in done.output


def test_a_venue_that_asks_for_silence_ends_with_1(tmp_path: Path) -> None:
    trouble = Trouble("ban", 418, {"Retry-After": "3600"})
    with serving(lambda venues: venues.troubles.append(trouble)) as venues:
        done = run(*options(venues.url, tmp_path, "--timeframe", "1h", *MONTH))
    assert done.exit_code == 1
    assert "it wants no question for 3600 s" in done.output


def test_the_address_comes_from_option_environment_then_venue() -> None:
    environment = {"BINANCE_FUTURES_REST_URL": "http://127.0.0.1:7001/"}
    assert rest_url_of("binance", "linear", False, "https://a.b", environment) == "https://a.b"
    assert rest_url_of("binance", "linear", False, None, environment) == "http://127.0.0.1:7001"
    assert rest_url_of("binance", "spot", False, None, environment) == "https://api.binance.com"
    assert rest_url_of("bybit", "linear", True, None, {}) == "https://api-testnet.bybit.com"
    with pytest.raises(ParameterInvalid, match="BYBIT_REST_URL"):
        rest_url_of("bybit", "spot", False, None, {"BYBIT_REST_URL": "http://example.com"})


def test_ctrl_c_keeps_the_pages_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """A real process is interrupted while the venue keeps the third page back."""
    arguments = ["--timeframe", "1m", "--start", "2024-01-01", "--end", "2024-01-04"]
    with serving() as venues:
        command = options(venues.url, tmp_path, *arguments)
        venues.hold_after = 3
        process = subprocess.Popen(
            [sys.executable, "-m", "hean", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"COLUMNS": "100"},
        )
        assert venues.held.wait(60)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "the same command goes on from there" in errors
        assert not Catalog(tmp_path).entries()
        assert len(list((tmp_path / STAGING_DIRECTORY).glob("*/page-*"))) == 2
        venues.hold_after = None
        done = run(*command, "--json", "-")
    assert done.exit_code == 0, done.output
    (document,) = json.loads(done.stdout)
    assert (document["pages_kept"], document["rows"]) == (2, 3 * 24 * 60)
