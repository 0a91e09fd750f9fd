# SPDX-License-Identifier: Apache-2.0
"""`hean analytics`: answers without a page, the page on a port, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from free_port import free_port
from sessions import recorded_session


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded_session(tmp_path_factory.mktemp("session"), 30)[0]


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "hean", "analytics", *map(str, words)]


def run(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=folder, env={**os.environ, "HEAN_DATA_DIR": str(folder)},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_all_reports_as_json(tmp_path: Path, journal: Path):
    found = run("--journal", journal, "--json", "-", folder=tmp_path)
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert told["journal"]["kind"] == "paper" and told["by_strategy"][0]["strategy"] == "steady"
    assert {each["stage"] for each in told["latency"]} == {"decision", "ack", "fill"}


def test_a_question(tmp_path: Path, journal: Path):
    found = run("--journal", journal, "--query", "SELECT count(*) AS n FROM fills", folder=tmp_path)
    assert found.returncode == 0 and "n" in found.stdout
    sql = "SELECT side, qty FROM fills LIMIT 1"
    told = json.loads(
        run("--journal", journal, "--query", sql, "--json", "-", folder=tmp_path).stdout
    )
    assert told["rows"][0]["side"] in ("BUY", "SELL") and told["is_cut"] is False
    refused = run("--journal", journal, "--query", "DROP TABLE fills", folder=tmp_path)
    assert refused.returncode == 2 and "may only read" in refused.stderr


def test_the_newest_journal_of_live_trading_is_taken(tmp_path: Path, journal: Path):
    nothing = run("--json", "-", folder=tmp_path)
    assert nothing.returncode == 2 and "--journal" in nothing.stderr
    place = tmp_path / "live" / "bybit-linear-testnet"
    place.mkdir(parents=True)
    shutil.copy(journal, place / "journal.db")
    assert run("--json", "-", folder=tmp_path).returncode == 0


def test_what_is_refused(tmp_path: Path, journal: Path):
    gone = run("--journal", tmp_path / "gone", folder=tmp_path)
    assert gone.returncode == 2 and "does not exist" in gone.stderr
    address = run("--journal", journal, "--prometheus", "file:///etc/passwd", folder=tmp_path)
    assert address.returncode == 2 and "http://" in address.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = run("--journal", journal, "--port", port, folder=tmp_path)
    assert found.returncode == 3 and f"port {port}" in found.stderr
    code = (
        "import sys, importlib.util as u; u.find_spec = lambda name: None\n"
        f"sys.argv = ['hean', 'analytics', '--journal', {str(journal)!r}]\n"
        "from hean.cli import main; main()"
    )
    missing = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert missing.returncode == 3 and "./hean setup analytics" in missing.stderr


@pytest.mark.promise(128)
def test_the_page_is_there_on_loopback_and_ends_with_ctrl_c(tmp_path: Path, journal: Path):
    port = free_port()
    process = subprocess.Popen(
        command("--journal", journal, "--port", port), cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "HEAN_DATA_DIR": str(tmp_path), "BYBIT_API_SECRET": "canary-88",
             "PROMETHEUS_PORT": "9444"},
    )  # fmt: skip
    try:
        end_s = time.monotonic() + 240
        while not _is_well(f"http://127.0.0.1:{port}/_stcore/health"):
            assert process.poll() is None and time.monotonic() < end_s, "it never answered"
            time.sleep(0.1)
        here = Path(f"/proc/{process.pid}")
        assert b"canary-88" not in (here / "environ").read_bytes()
        assert b"http://127.0.0.1:9444" in (here / "cmdline").read_bytes().split(b"\0")
        listening = {
            line.split()[1] for line in (here / "net" / "tcp").read_text().splitlines()[1:]
            if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
        }  # fmt: skip
        assert listening == {f"0100007F:{port:04X}"}
        process.send_signal(signal.SIGINT)
        assert process.wait(120) in (0, 130)
    finally:
        process.kill()
        process.communicate()


def _is_well(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read() == b"ok"
    except (urllib.error.URLError, OSError):
        return False
