# SPDX-License-Identifier: Apache-2.0
"""`hean paper` with page and API. What a person does over them is in its journal, stopping the
engine ends the command with its result, and what cannot work ends it as without.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine_desk import IDLE
from hean.api.server import listen
from hean.cli_paper import IF_TAKEN
from hean.paper_journal import replay_session
from venue_contract.adapters.test_paper import twin_environment
from venue_contract.twin_process import TwinProcess, wait_until

WAIT_S = 120.0
AGAIN_S = 0.5
pytestmark = pytest.mark.timeout(3 * WAIT_S)


def started(
    twin: TwinProcess, folder: Path, *more: str, at: int | None = None
) -> subprocess.Popen[str]:
    """The command, what it says in a file. *at*: the port of its environment."""
    words = ["paper", "--exchange", "bybit", "--strategy", IDLE, "--symbols", "BTCUSDT"]
    words += more if at is not None else ("--api", "0", *more)
    face = {"HEAN_DATA_DIR": str(folder / "data"), "HEAN_API_PORT": str(at or 8000)}
    with (folder / "words.txt").open("w") as told:
        return subprocess.Popen(
            [sys.executable, "-m", "hean", *words],
            cwd=folder,
            env={**os.environ, **twin_environment(twin), **face},
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            text=True,
        )


def test_a_session_is_seen_commanded_and_ended_over_its_api(
    bybit: TwinProcess, tmp_path: Path
) -> None:
    files = ("--journal", "run.journal", "--json", "out.json")
    process = started(bybit, tmp_path, *files)
    try:
        words = tmp_path / "words.txt"
        found = wait_until(
            lambda: re.search(r"API on http://\S+:(\d+)", words.read_text()), "its address",
            timeout_s=WAIT_S,
        )  # fmt: skip
        token = (tmp_path / "data" / "admin.token").read_text().strip()

        keys = itertools.count()

        def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            line = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=WAIT_S)
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"k{next(keys)}"}
            headers |= {} if body is None else {"Content-Type": "application/json"}
            line.request(method, path, None if body is None else json.dumps(body), headers)
            answer = line.getresponse()
            status, document = answer.status, json.load(answer)
            line.close()
            return status, document

        def is_fresh() -> bool:
            return ask("GET", "/health/ready")[0] == 200

        wait_until(is_fresh, "a market", timeout_s=WAIT_S)
        assert ask("GET", "/engine/status")[1]["mode"] == "PAPER"
        buy = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": "0.01"}

        def taken() -> Any:
            """An order; ready is an engine before its first price, which refuses one."""
            status, order = ask("POST", "/orders", buy)
            assert status == 202, order
            if order["status"] != "REJECTED":
                return order
            time.sleep(AGAIN_S)
            return None

        path = f"/orders/{wait_until(taken, 'a price', timeout_s=WAIT_S)['client_order_id']}"
        wait_until(lambda: ask("GET", path)[1]["status"] == "FILLED", "a fill", timeout_s=WAIT_S)
        assert ask("POST", "/engine/stop")[1]["state"] == "STOPPED"
        assert process.wait(WAIT_S) == 0, words.read_text()
    finally:
        process.kill()
        process.wait()
    result = json.loads((tmp_path / "out.json").read_text())
    assert "#pair=" not in words.read_text(), "what logs in is no word for a log"
    assert (result["fills"], result["symbols"]) == (1, ["BTCUSDT"])
    assert replay_session(tmp_path / "run.journal")["state_hash"] == result["state_hash"]


def test_what_cannot_work_ends_it_as_without_a_face(bybit: TwinProcess, tmp_path: Path) -> None:
    process = started(bybit, tmp_path, "--symbols", "NOSUCHUSDT")
    try:
        assert process.wait(WAIT_S) == 2
    finally:
        process.kill()
    said = (tmp_path / "words.txt").read_text()
    assert "does not list 'NOSUCHUSDT'" in said and "Traceback" not in said


def test_a_port_that_is_another_s_ends_it_before_it_trades(
    bybit: TwinProcess, tmp_path: Path
) -> None:
    """Two pages on one address: nobody could tell whose red button they press."""
    with closing(listen("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        process = started(bybit, tmp_path, "--duration", "60", at=taken)
        try:
            assert process.wait(WAIT_S) == 3
        finally:
            process.kill()
    said = (tmp_path / "words.txt").read_text()
    assert f"127.0.0.1:{taken}: Address already in use; {IF_TAKEN}" in said


def test_only_one_of_both_can_be_asked_for(bybit: TwinProcess, tmp_path: Path) -> None:
    process = started(bybit, tmp_path, "--no-api")
    try:
        assert process.wait(WAIT_S) == 2
    finally:
        process.kill()
    assert "--api 0 and --no-api exclude each other" in (tmp_path / "words.txt").read_text()


@pytest.mark.parametrize("face", [("--no-api",), ("--api", "0")])
def test_ctrl_c_ends_it_before_a_silent_venue_has_answered(
    tmp_path: Path, face: tuple[str, ...]
) -> None:
    with closing(listen("127.0.0.1", 0)) as venue:
        venue.settimeout(WAIT_S)
        at = f"127.0.0.1:{venue.getsockname()[1]}"
        addresses = {"BYBIT_REST_URL": f"http://{at}", "BYBIT_WS_PUBLIC_URL": f"ws://{at}"}
        words = ["paper", "--exchange", "bybit", "--strategy", IDLE, "--symbols", "BTCUSDT", *face]
        process = subprocess.Popen(
            [sys.executable, "-m", "hean", *words],
            cwd=tmp_path,
            env={**os.environ, **addresses, "HEAN_DATA_DIR": str(tmp_path / "data")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            asked, _ = venue.accept()
            with asked:
                assert asked.recv(1), "a question that nobody answers"
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert (process.returncode, said) == (130, "interrupted; no result was written\n")
