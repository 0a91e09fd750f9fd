# SPDX-License-Identifier: Apache-2.0
"""`hean symbiont` as a user starts it: bred on a file, watched on a live feed, seen and decided
about over its API, and gone on with where it stopped.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from judged_market import write_planted
from venue_contract.adapters.feed_desk import twin_environment
from venue_contract.twin_process import TwinProcess, wait_until

WAIT_S = 120.0
pytestmark = pytest.mark.timeout(3 * WAIT_S)


class Bot:
    """One life of the command, with its API."""

    def __init__(self, twin: TwinProcess, folder: Path, *more: str) -> None:
        self.folder = folder
        self.words = folder / "words.txt"
        words = ["symbiont", "--exchange", "bybit", "--symbols", "BTCUSDT", "--api", "0", *more]
        with self.words.open("w") as told:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hean", *words],
                cwd=folder,
                env={
                    **os.environ, **twin_environment(twin), "HEAN_DATA_DIR": str(folder / "data")
                },
                stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and document of an answer."""
        address = re.search(r"API on http://\S+:(\d+)", self.words.read_text())
        assert address is not None
        token = (self.folder / "data" / "admin.token").read_text().strip()
        line = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=WAIT_S)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        line.request(method, path, None if body is None else json.dumps(body), headers)
        answer = line.getresponse()
        found = answer.status, json.load(answer)
        line.close()
        return found

    def await_agents(self) -> list[Any]:
        """The agents, once all are born."""

        def born() -> Any:
            if self.process.poll() is not None:
                raise AssertionError(self.words.read_text())
            if "API on http" not in self.words.read_text():
                return None
            status, found = self.ask("GET", "/population")
            is_all = (
                status == 200 and found["agents"] and all(it["since"] for it in found["agents"])
            )
            return found["agents"] if is_all else None

        agents: list[Any] = wait_until(born, "a population", timeout_s=WAIT_S)
        return agents

    def end(self) -> int:
        """Ctrl-C. *Returns*: its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT_S)

    def kill(self) -> None:
        """It is gone, whatever it did."""
        self.process.kill()
        self.process.wait()


@pytest.mark.promise(161)
@pytest.mark.promise(194)
def test_it_is_bred_watched_decided_about_and_goes_on(bybit: TwinProcess, tmp_path: Path) -> None:
    bars = write_planted(tmp_path, 1, days=100)
    bot = Bot(
        bybit, tmp_path, "--data", str(bars), "--agents", "12", "--generations", "2",
        "--bar", "5m", "--journal", "run.journal",
    )  # fmt: skip
    try:
        agents = bot.await_agents()
        agent = next(it for it in agents if it["stage"] == "BORN")
        path = f"/population/{agent['id']}"
        reason = {"reason": "looked at it"}
        status, refused = bot.ask("POST", f"{path}/promote", {"to": "PAPER", **reason})
        assert status == 422 and "BORN to PAPER is no move" in json.dumps(refused)
        assert bot.ask("POST", f"{path}/retire", {"to": "RETIRED", "reason": ""})[0] == 422
        status, retired = bot.ask("POST", f"{path}/retire", {"to": "RETIRED", **reason})
        assert (status, retired["stage"]) == (200, "RETIRED")
        newest = bot.ask("GET", "/population")[1]["events"][0]
        assert (newest["agent"], newest["reason"]) == (agent["id"], "looked at it")
        assert newest["actor"].startswith("admin:")
        assert bot.ask("POST", "/population/nobody/retire", {"to": "RETIRED", **reason})[0] == 404
        assert bot.end() == 0, bot.words.read_text()
    finally:
        bot.kill()
    bot = Bot(bybit, tmp_path)
    try:
        again = {it["id"]: it["stage"] for it in bot.await_agents()}
        assert again == {it["id"]: it["stage"] for it in agents} | {agent["id"]: "RETIRED"}
        other = Bot(bybit, tmp_path)
        assert other.process.wait(WAIT_S) == 3
        assert "is held by process" in other.words.read_text()
    finally:
        bot.kill()
