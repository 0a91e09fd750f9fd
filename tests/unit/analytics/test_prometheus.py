# SPDX-License-Identifier: Apache-2.0
"""Questions to Prometheus: its answers, its refusals, and what is no Prometheus. Where the real one
is installed it is asked too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from free_port import free_port
from hean.analytics import prometheus
from hean.analytics.prometheus import ask_prometheus
from hean.errors import EnvironmentFault, ParameterInvalid

SERIES = [
    {
        "metric": {"__name__": "up", "job": "hean-api", "instance": "x", "stage": "ack"},
        "values": [[1_700_000_000, "1"], [1_700_000_060.5, "0.25"]],
    },
    {"metric": {}, "values": [[1_700_000_000, "NaN"]]},
]


class Server:
    """Answers as it is told. *asked*: the last form."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, b"", {}
        self.location = ""
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                desk.asked = parse_qs(content.decode())
                self.send_response(desk.status)
                if desk.location:
                    self.send_header("Location", desk.location)
                self.send_header("Content-Length", str(len(desk.body)))
                self.end_headers()
                self.wfile.write(desk.body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, code: int = 200, /, **body: object) -> None:
        self.status, self.body = code, json.dumps(body).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def ask(base: str, query: str = "up") -> list[prometheus.Row]:
    return ask_prometheus(base, query, seconds=600, until_s=1_700_000_600.0)


def test_an_answer(server: Server):
    server.answer(status="success", data={"resultType": "matrix", "result": SERIES})
    found = ask(f"{server.base}/")
    assert found[:2] == [
        ("2023-11-14 22:13:20", "up{stage=ack}", 1.0),
        ("2023-11-14 22:14:20", "up{stage=ack}", 0.25),
    ]
    assert found[2][1] == "{}" and found[2][2] != found[2][2]
    assert server.asked["query"] == ["up"] and server.asked["start"] == ["1700000000.0"]
    assert server.asked["step"] == ["2.0"]


def test_its_refusal_is_told(server: Server):
    server.answer(400, status="error", errorType="bad_data", error="parse error: unexpected end")
    with pytest.raises(ParameterInvalid, match="Prometheus: parse error"):
        ask(server.base, "rate(")


def test_what_is_no_prometheus(server: Server, monkeypatch: pytest.MonkeyPatch):
    for status, body in ((200, b"<html>"), (404, b"not here"), (200, b'{"status": 7}')):
        server.status, server.body = status, body
        with pytest.raises(EnvironmentFault, match=r"is no Prometheus|is that a Prometheus"):
            ask(server.base)
    with pytest.raises(EnvironmentFault, match="no Prometheus at"):
        ask("http://127.0.0.1:1")
    server.answer(302)
    server.location = "http://127.0.0.1:1/elsewhere"
    with pytest.raises(EnvironmentFault, match="answers 302"):
        ask(server.base)
    server.location = ""
    server.answer(status="success", data={"result": SERIES})
    monkeypatch.setattr(prometheus, "ANSWER_BYTES_MAX", 100)
    with pytest.raises(ParameterInvalid, match="too long"):
        ask(server.base)


@pytest.mark.parametrize("query", ["", "  ", "x" * 5_001])
def test_a_query_has_some_length(query: str):
    with pytest.raises(ParameterInvalid):
        ask("http://127.0.0.1:1", query)


@pytest.mark.server
def test_the_real_one(tmp_path: Path):
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed: apt-get install prometheus")
    port = free_port()
    (tmp_path / "p.yml").write_text(
        "scrape_configs:\n  - job_name: itself\n    scrape_interval: 1s\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    )
    command = [program, f"--config.file={tmp_path / 'p.yml'}", f"--storage.tsdb.path={tmp_path}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    base, end_s = f"http://127.0.0.1:{port}", time.monotonic() + 120
    with subprocess.Popen(command) as process:
        try:
            found: list[prometheus.Row] = []
            while not found or not found[-1][2]:
                assert time.monotonic() < end_s
                time.sleep(0.2)
                try:
                    found = ask_prometheus(base, "up", seconds=60, until_s=time.time())
                except EnvironmentFault:
                    continue
            assert found[-1][1:] == ("up", 1.0)
            with pytest.raises(ParameterInvalid, match="parse error"):
                ask_prometheus(base, "rate(", seconds=60, until_s=time.time())
        finally:
            process.terminate()
