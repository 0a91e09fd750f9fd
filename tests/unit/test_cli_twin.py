# SPDX-License-Identifier: Apache-2.0
"""`hean twin` as a user meets it: bad options are refused with words, keys and ports are handled
with care, and Ctrl-C ends it in order with totals.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hean.cli_twin_keys import GivenKey, keys_of
from hean.errors import ParameterInvalid
from hean.twin.build import TwinSettings
from unit.cli_runs import PATIENCE_S, Ran, run_here, start_apart

SECRET = "cafebabecafebabe0123456789abcdef"
NONE = GivenKey(None, None)


def twin(*arguments: object, exchange: str = "bybit") -> Ran:
    """A command that is refused before it serves."""
    return run_here("twin", "--exchange", exchange, *arguments)


OPTIONS = [
    ("--host 0.0.0.0", 2, "only loopback"),
    ("--host example.com", 2, "only loopback"),
    ("--port 70000", 2, "less than or equal to 65535"),
    ("--port -1", 2, "greater than or equal to 0"),
    ("--speed 0", 2, "--speed 0; allowed: above 0"),
    ("--speed nan", 2, "--speed nan"),
    ("--limits-scale 0", 2, "--limits-scale"),
    ("--seed -1", 2, "seed"),
    ("--symbols BTC-USDT", 2, "letters and digits"),
    ("--symbols NOPEUSDT", 2, "the generated market has"),
    ("--symbols BTCUSDT,NOPEUSDT", 2, "got 'NOPEUSDT'; the generated market has"),
    ("--symbols ,", 2, "--symbols: got nothing"),
    ("--data none.csv --generate", 2, "exclude each other"),
    ("--data none.csv --symbols BTCUSDT", 2, "none.csv"),
    ("--faults none.toml", 2, "none.toml"),
    ("--key k", 2, "--secret or HEAN_TWIN_SECRET is missing"),
    ("--secret s", 2, "--key is missing"),
    ("--key2 k --secret2 s", 2, "give --key and --secret"),
    ("--key k --secret s --key2 k --secret2 t", 2, "same key"),
    ("--duration 0", 2, "duration"),
    ("--duration inf", 2, "duration"),
    ("--json .", 2, "a directory"),
    ("--json none/x.json", 3, "no folder"),
    ("--ledger none/x.jsonl --key k --secret s", 3, "none/x.jsonl"),
    ("--exchage bybit", 2, "exchage"),
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEAN_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.parametrize(("options", "code", "words"), OPTIONS)
def test_bad_option_is_refused_with_its_words(options: str, code: int, words: str) -> None:
    ran = twin(*options.split())
    assert ran.code == code
    assert words in ran.stderr.replace("\n", " ")


def test_unknown_exchange_names_the_known_ones() -> None:
    ran = twin(exchange="bybitt")
    assert ran.code == 2
    assert "bybit" in ran.stderr
    assert "binance" in ran.stderr


def test_help_has_an_example_and_the_exit_codes() -> None:
    text = " ".join(run_here("twin", "--help").stdout.split())
    assert "Example: hean twin --exchange bybit" in text
    assert "Exit codes: 0 ended by Ctrl-C" in text


def test_secret_with_blanks_is_refused_and_not_repeated() -> None:
    ran = twin("--key", "k", "--secret", "very secret")
    assert ran.code == 2
    assert "very secret" not in ran.stdout + ran.stderr


def test_fault_file_with_mistakes_names_each(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\ndial = "stall"\npong = 1\n[[fault]]\ndial = "nope"\n')
    ran = twin("--faults", path)
    assert ran.code == 2
    assert "faults.toml:fault[0].pong" in ran.stderr
    assert "nearest: pongs" in ran.stderr
    assert "faults.toml:fault[1].dial" in ran.stderr


def test_foreign_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"mine": 1}')
    assert twin("--json", path).code == 2
    assert path.read_text() == '{"mine": 1}'


# ---------------------------------------------------------------- keys


def keys(environment: dict[str, str], folder: Path, **given: GivenKey) -> Any:
    every = {"main": NONE, "second": NONE, "readonly": NONE, **given}
    return keys_of(every, environment, folder)


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    pairs, path = keys({}, tmp_path / "new")
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(pairs) == {"main", "second", "readonly"}
    assert keys({}, tmp_path / "new") == (pairs, path)


def test_keys_come_from_variables_and_secret_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("file-secret\n")
    environment = {
        "HEAN_TWIN_KEY": "k1",
        "HEAN_TWIN_SECRET_FILE": str(tmp_path / "secret"),
        "HEAN_TWIN_KEY2": "k2",
        "HEAN_TWIN_SECRET2": "s2",
    }
    pairs, path = keys(environment, tmp_path)
    assert (pairs, path) == ({"main": ("k1", "file-secret"), "second": ("k2", "s2")}, None)
    pairs, _ = keys(environment, tmp_path, main=GivenKey("own", "given"))
    assert pairs["main"] == ("own", "given")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_secret_or_a_ledger_that_is_no_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "odd")
    environment = {"HEAN_TWIN_KEY": "k", "HEAN_TWIN_SECRET_FILE": str(tmp_path / "odd")}
    with pytest.raises(ParameterInvalid, match="not a regular file"):
        keys(environment, tmp_path)
    ran = twin("--key", "k", "--secret", "s", "--ledger", tmp_path / "odd")
    assert ran.code == 3
    assert "not a regular file" in ran.stderr


def test_two_places_for_one_secret_are_refused(tmp_path: Path) -> None:
    environment = {"HEAN_TWIN_KEY": "k", "HEAN_TWIN_SECRET": "s", "HEAN_TWIN_SECRET_FILE": "x"}
    with pytest.raises(ParameterInvalid, match="both set"):
        keys(environment, tmp_path)


def test_damaged_key_file_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "twin-keys.json"
    path.write_text("{}")
    with pytest.raises(ParameterInvalid, match="remove it"):
        keys({}, tmp_path)
    assert path.read_text() == "{}"


def test_secret_is_not_in_the_repr_of_a_key() -> None:
    assert SECRET not in repr(GivenKey("k", SECRET))
    assert SECRET not in repr(TwinSettings("bybit", {"main": ("k", SECRET)}))


# ---------------------------------------------------------------- running


def started(tmp_path: Path, *arguments: object) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A running twin and its first line."""
    process = start_apart("twin", *arguments, "--json", "-", cwd=tmp_path)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    """End it with Ctrl-C. *Returns*: exit code, totals, stderr."""
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    return process.returncode, json.loads(stdout), stderr


@pytest.mark.server
@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_twin_says_where_it_is_serves_and_ends_with_totals(tmp_path: Path, exchange: str) -> None:
    process, ready = started(tmp_path, "--exchange", exchange, "--symbols", "BTCUSDT")
    assert ready["exchange"] == exchange
    assert ready["symbols"] == ["BTCUSDT"]
    assert ready["rest_url"] == f"http://127.0.0.1:{ready['port']}"
    assert all(url.startswith("ws://127.0.0.1:") for url in ready["ws_urls"].values())
    path = "/v5/market/time" if exchange == "bybit" else "/api/v3/time"
    with urllib.request.urlopen(ready["rest_url"] + path, timeout=PATIENCE_S) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(ready["control_url"] + "/state", timeout=PATIENCE_S) as answer:
        assert json.loads(answer.read())["exchange"] == exchange
    code, totals, stderr = ended(process)
    assert code == 0
    assert totals == {"orders": 0, "fills": 0, "sessions": 0}
    assert "ended: 0 orders" in stderr
    made = json.loads((tmp_path / "data" / "twin-keys.json").read_text())
    assert "twin-keys.json" in stderr
    assert not any(secret in stderr + json.dumps(ready) for _, secret in made.values())


@pytest.mark.server
def test_secret_is_wiped_from_the_process_title(tmp_path: Path) -> None:
    options = ("--exchange", "bybit", "--symbols", "BTCUSDT", "--key", "k", "--secret", SECRET)
    process, ready = started(tmp_path, *options)
    title = Path(f"/proc/{process.pid}/cmdline")
    told = title.read_bytes() if title.exists() else b""
    code, _, stderr = ended(process)
    assert code == 0
    assert SECRET.encode() not in told
    assert SECRET not in stderr + json.dumps(ready)


@pytest.mark.server
@pytest.mark.parametrize("option", ["--port", "--control-port"])
def test_taken_port_is_named(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ("--exchange", "bybit", "--symbols", "BTCUSDT", option, port)
        process = start_apart("twin", *arguments, cwd=tmp_path)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3
    assert f"port {port} on 127.0.0.1" in stderr
    assert f"{option}, or 0" in stderr


@pytest.mark.server
def test_duration_ends_it_and_the_file_has_addresses_and_totals(tmp_path: Path) -> None:
    path = tmp_path / "twin.json"
    for _ in range(2):  # an older result is replaced
        process = start_apart(
            *("twin", "--exchange", "binance", "--symbols", "BTCUSDT"),
            *("--duration", "0.2", "--json", path),
            cwd=tmp_path,
        )
        stdout, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert "twin at http://127.0.0.1:" in stdout
    document = json.loads(path.read_text())
    assert document["orders"] == 0
    assert document["control_url"]


@pytest.mark.server
def test_dials_of_a_file_are_set_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\ndial = "maintenance"\nlasts_s = 3600\n')
    process, ready = started(
        tmp_path, "--exchange", "bybit", "--symbols", "BTCUSDT", "--faults", path
    )
    with urllib.request.urlopen(
        f"{ready['rest_url']}/v5/market/time", timeout=PATIENCE_S
    ) as answer:
        assert json.loads(answer.read())["retCode"] == 10019
    assert ended(process)[0] == 0


@pytest.mark.server
def test_ledger_of_a_run_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"seq": 0}\n')
    arguments = ("--exchange", "bybit", "--symbols", "BTCUSDT", "--ledger", path)
    process, ready = started(tmp_path, *arguments)
    body = {"action": "place", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.01"}
    request = urllib.request.Request(
        f"{ready['control_url']}/manual", json.dumps(body).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert json.loads(answer.read())["status"] == "FILLED"
    code, totals, _ = ended(process)
    assert (code, totals["orders"]) == (0, 1)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"seq": 0}
    assert [line["kind"] for line in lines[1:3]] == ["new", "trade"]
    assert os.environ.get("HEAN_TWIN_SECRET") is None
