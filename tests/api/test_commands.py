# SPDX-License-Identifier: Apache-2.0
"""`hean serve` and `hean demo` as a person starts and ends them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hean.demo import SEATS, SYMBOLS

PATIENCE_S = 240.0
pytestmark = pytest.mark.timeout(2 * PATIENCE_S)


@contextmanager
def started(
    *words: str, folder: Path, port: str | None = "0"
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command with an API, and its address."""
    words += (
        ("--data-dir", str(folder)) if port is None else ("--data-dir", str(folder), "--port", port)
    )
    command = [sys.executable, "-m", "hean", *words]
    log = folder / "words.txt"
    folder.mkdir(exist_ok=True)
    with log.open("w") as told:
        process = subprocess.Popen(
            command, stdout=told, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
    try:
        address, until_s = None, time.monotonic() + PATIENCE_S
        while address is None:
            assert process.poll() is None and time.monotonic() < until_s, log.read_text()
            address = re.search(r"API on (http://\S+)", log.read_text())
            time.sleep(0.05)
        yield process, address[1]
    finally:
        process.kill()
        process.wait()


def ask(url: str, token: str, method: str = "GET") -> Any:
    """The document of an answer."""
    request = urllib.request.Request(url, method=method)
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


@pytest.mark.promise(58)
@pytest.mark.promise(59)
@pytest.mark.promise(60)
def test_an_engine_is_served_started_and_ended(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with started("serve", folder=folder) as (process, url):
        admin = folder / "admin.token"
        assert admin.stat().st_mode & 0o077 == 0
        token = admin.read_text().strip()
        assert ask(f"{url}/engine/status", token)["state"] == "STOPPED"
        ask(f"{url}/engine/start", token, "POST")
        until_s = time.monotonic() + PATIENCE_S
        while (status := ask(f"{url}/engine/status", token))["state"] == "STARTING":
            assert time.monotonic() < until_s
            time.sleep(0.05)
        assert (status["state"], status["mode"], status["error"]) == ("RUNNING", "PAPER", None)
        while (health := ask(f"{url}/health", token))["status"] == "degraded":
            assert time.monotonic() < until_s  # the first frames are under way
            time.sleep(0.05)
        assert set(health["services"]) == {"redis", "exchange", "engine"}
        assert (health["status"], health["dry_run"]) == ("healthy", True)
        assert health["orchestrator"]["running"] is True
        assert ask(f"{url}/health/orchestrator", token)["state"] == "healthy"
        assert ask(f"{url}/health/ml_engine", token)["state"] == "disabled"
        part = ask(f"{url}/health/execution", token)
        named = {"state", "last_check", "failure_count", "circuit_breaker", "error_message"}
        assert named < set(part) and part["state"] == "running"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        words = (folder / "words.txt").read_text()
        assert token not in words and str(admin) in words


def test_the_demo_trades_and_ends_with_a_report(tmp_path: Path) -> None:
    folder, summary = tmp_path / "data", tmp_path / "summary.json"
    words = ["demo", "--duration", "3", "--no-browser", "--json", str(summary)]
    with started(*words, folder=folder) as (process, _):
        assert process.wait(PATIENCE_S) == 0
    found = json.loads(summary.read_text())
    assert found["events"] > 100 and found["symbols"] == list(SYMBOLS)
    assert [each["name"] for each in found["strategies"][:-1]] == [seat.name for seat in SEATS]
    assert "<svg" in (folder / "demo-report.html").read_text()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nothing of its group is left


def test_a_taken_port_is_told_with_what_to_do(tmp_path: Path) -> None:
    with started("serve", folder=tmp_path / "data") as (_, url):
        port = url.rsplit(":", 1)[1]
        command = [sys.executable, "-m", "hean", "demo", "--port", port, "--no-browser"]
        command += ["--data-dir", str(tmp_path / "other"), "--duration", "5"]
        second = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert second.returncode == 3
        assert f"{port}: Address already in use; choose another with --port" in second.stderr
