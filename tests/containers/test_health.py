# SPDX-License-Identifier: Apache-2.0
"""The health check of a container, as a program, beside servers that say what the test wants."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import container_health
from container_health import Unhealthy, judge

SCRIPT = Path(container_health.__file__)
STALE_S = 60.0


class Told:
    """What the next questions are answered with."""

    def __init__(self) -> None:
        self.status = 200
        self.document: dict[str, object] = {}


@pytest.fixture
def server() -> Iterator[tuple[Told, str]]:
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(told.document).encode()
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield told, f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


def check(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    seen = ["--seen", str(folder / "seen")]
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words, *seen], env={"HEAN_DATA_DIR": str(folder)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.promise(177)
@pytest.mark.control("C-40")
def test_what_stands_still_is_unhealthy_and_what_moves_is_not(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    judge({"heard": 1}, STALE_S, seen, 0.0)
    judge({"heard": 1}, STALE_S, seen, 60.0)
    with pytest.raises(Unhealthy, match="no progress for 61 s"):
        judge({"heard": 1}, STALE_S, seen, 61.0)
    with pytest.raises(Unhealthy, match="no progress for 90 s"):
        judge({"heard": 1}, STALE_S, seen, 90.0)
    judge({"heard": 2}, STALE_S, seen, 91.0)


def test_what_need_not_move_may_stand_still(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    for now_s in (0.0, 100.0, 200.0):
        judge(None, STALE_S, seen, now_s)
    judge(["7"], STALE_S, seen, 201.0)
    judge(["7"], STALE_S, seen, 250.0)
    seen.write_text("not what it wrote")
    judge(["7"], STALE_S, seen, 900.0)


def test_a_process_is_asked_and_its_broker_may_be_away(server, tmp_path: Path) -> None:
    told, url = server
    told.document = {"status": "healthy", "progress": {"said": 1}}
    words = ("process", "--url", f"{url}/health", "--stale", "-1")
    assert check(*words, folder=tmp_path).returncode == 1
    told.document = {"status": "degraded", "progress": {"said": 1}}
    assert check("process", "--url", f"{url}/health", folder=tmp_path).returncode == 0
    told.status = 503
    result = check("process", "--url", f"{url}/health", folder=tmp_path)
    assert result.returncode == 1 and "503" in result.stdout


def test_nobody_there_is_unhealthy_in_one_line(tmp_path: Path) -> None:
    result = check("process", "--url", "http://127.0.0.1:9/health", folder=tmp_path)
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 1 and not result.stderr


def test_an_engine_that_runs_has_to_move(server, tmp_path: Path) -> None:
    told, url = server
    told.document = {"orchestrator": {"running": True}, "components": {"a": {"progress": "5"}}}
    assert check("api", "--url", url, folder=tmp_path).returncode == 0
    (tmp_path / "admin.token").write_text("hean_token\n")
    assert check("api", "--url", url, folder=tmp_path).returncode == 0
    result = check("api", "--url", url, "--stale", "-1", folder=tmp_path)
    assert result.returncode == 1 and "no progress" in result.stdout
    told.document = {"orchestrator": {"running": False}}
    assert check("api", "--url", url, folder=tmp_path).returncode == 0
