# SPDX-License-Identifier: Apache-2.0
"""The market-data service beside web servers and a WebSocket server.

GET of a ticker over 64 connections, one request under way on each; trades told to 100 listeners,
one trade a frame and sixty-four a frame; the age of a trade when a listener has it; memory with ten
symbols whose books move fifty times a second. Rates go by the server's own processor seconds, which
a busy machine disturbs least. The venue is `market_data_venue.py`, the clients are C++.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median

from websockets.sync.client import connect

from bench_twin import cpu_s
from measure import BENCH, Result, percentile, say, turns

SYMBOLS = ["BTC", "ETH", "SOL", "XRP", "BNB", "ADA", "DOGE", "LTC", "DOT", "LINK"]
CONNECTIONS, LISTENERS = 64, 100
SECONDS = 3.0
PACE = {"one": (0.0004, 1), "many": (0.004, 64), "age": (0.001, 1)}
AGES = 2_000
READY_S = 60.0
SUBSCRIBE = '{"action":"subscribe","topic":"trades.BTCUSDT"}'
NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000;
client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
uwsgi_temp_path {folder}; scgi_temp_path {folder};
server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json;
return 200 '{body}'; }} }} }}
"""
BODY = '{"symbol":"BTCUSDT","bid":30000.1,"ask":30000.2,"last":30000.1,"volume":1234.567}'


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nobody listens on {port}")


@contextmanager
def server(*command: str, port: int, **more: str) -> Iterator[int]:
    """A server as a process. Yields its id."""
    process = subprocess.Popen(
        command,
        cwd=BENCH,
        env={**os.environ, **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(READY_S)


def family(pid: int) -> list[int]:
    """A process and its children."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [pid, *map(int, text.split())]


def used_s(pid: int) -> float:
    """Processor seconds of a process and its children."""
    return sum(map(cpu_s, family(pid)))


def built() -> tuple[Path, Path]:
    """The service and the client, as releases."""
    root = BENCH.parent
    cargo = ["cargo", "build", "-q", "--release", "--locked", "-p", "market-data-service"]
    subprocess.run(cargo, cwd=root, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    client = target / "market_data_client"
    source = BENCH / "market_data_client.cpp"
    subprocess.run(["g++", "-O2", "-o", str(client), str(source)], check=True)
    return target / "release" / "market-data-service", client


class Bench:
    """All servers, up for the whole run. *ports*, *pids*: by name."""

    def __init__(self, stack: ExitStack, result: Result) -> None:
        self.ports: dict[str, int] = {}
        self.pids: dict[str, int] = {}
        self.missing = result.missing
        self._stack = stack
        binary, self.client = built()
        venue = free_port()
        script = str(BENCH / "market_data_venue.py")
        stack.enter_context(server(sys.executable, script, str(venue), port=venue))
        self.venue = f"http://127.0.0.1:{venue}"
        port = free_port()
        given = {
            "SYMBOLS": ",".join(f"{coin}USDT" for coin in SYMBOLS),
            "BYBIT_REST_URL": self.venue,
            "BYBIT_WS_PUBLIC_URL": f"ws://127.0.0.1:{venue}",
            "MARKET_DATA_LISTEN": f"127.0.0.1:{port}",
            "RUST_LOG": "error",
        }
        self.start("service", [str(binary)], port, **given)
        self.pace("one")
        self._until_ready()
        self.peers()

    def start(self, name: str, command: list[str], port: int, **more: str) -> None:
        """One server."""
        self.pids[name] = self._stack.enter_context(server(*command, port=port, **more))
        self.ports[name] = port

    def _until_ready(self) -> None:
        url = f"http://127.0.0.1:{self.ports['service']}"
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with suppress(urllib.error.HTTPError):
                for path in ("/health/ready", "/api/v1/ticker/BTCUSDT"):
                    urllib.request.urlopen(url + path, timeout=READY_S).close()
                return
            time.sleep(0.1)
        raise RuntimeError("the service hears nothing")

    def peers(self) -> None:
        """Those that are there."""
        folder = self._stack.enter_context(_folder())
        nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if nginx is None:
            self.missing["nginx"] = "not installed: apt-get install nginx-light"
        else:
            port = free_port()
            text = NGINX.format(folder=folder, port=port, body=BODY)
            (folder / "nginx.conf").write_text(text, encoding="ascii")
            self.start("nginx", [nginx, "-c", str(folder / "nginx.conf")], port)
        python, app = sys.executable, "market_data_peers:app"
        port = free_port()
        quiet = ["--log-level", "error", "--no-access-log"]
        self.start("fastapi", [python, "-m", "uvicorn", app, "--port", str(port), *quiet], port)
        if importlib.util.find_spec("granian") is None:
            self.missing["granian"] = "not installed: pip install granian"
        else:
            port = free_port()
            raw = ["--interface", "rsgi", "--workers", "1", "--loop", "uvloop"]
            command = [python, "-m", "granian", *raw, *quiet, "--port", str(port)]
            self.start("granian", [*command, "market_data_peers:rsgi"], port)
        port = free_port()
        self.start("picows", [python, str(BENCH / "market_data_peers.py"), str(port)], port)

    def get(self, name: str, seconds: float) -> dict[str, float]:
        """Requests of one server."""
        before = used_s(self.pids[name])
        path = "/api/v1/ticker/BTCUSDT"
        done, elapsed, _, p99 = self._client("get", name, CONNECTIONS, seconds, path)
        whole = (seconds + 0.2) / elapsed
        rate = done * whole / max(used_s(self.pids[name]) - before, 0.01)
        return {"a_s": done / elapsed, "a_cpu_s": rate, "p99_us": p99}

    def listen(self, name: str, seconds: float, text: str) -> dict[str, float]:
        """Frames that one server sends to all its listeners."""
        before = used_s(self.pids[name])
        done, elapsed, *_ = self._client("listen", name, LISTENERS, seconds, "/ws", text)
        whole = (seconds + 1.0) / elapsed
        rate = done * whole / max(used_s(self.pids[name]) - before, 0.01)
        return {"a_s": done / elapsed, "a_cpu_s": rate}

    def _client(self, kind: str, name: str, count: int, seconds: float, *rest: str) -> list[float]:
        command = [str(self.client), kind, str(self.ports[name]), str(count), str(seconds), *rest]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [float(word) for word in done.stdout.split()]

    def pace(self, kind: str) -> None:
        """How fast the venue tells trades."""
        every_s, batch = PACE[kind]
        url = f"{self.venue}/set?every_s={every_s}&batch={batch}"
        with urllib.request.urlopen(url, timeout=READY_S) as answer:
            json.load(answer)

    def ages_ns(self, count: int) -> list[int]:
        """How old trades are when a listener has them, sorted."""
        found: list[int] = []
        with connect(f"ws://127.0.0.1:{self.ports['service']}/ws") as line:
            line.send(SUBSCRIBE)
            while len(found) < count:
                row = json.loads(line.recv(READY_S))
                now_ns = time.monotonic_ns() % 1_000_000_000
                left_ns = round(row["data"]["volume"] * 1e9)
                found.append((now_ns - left_ns) % 1_000_000_000)
        return sorted(found)


@contextmanager
def _folder() -> Iterator[Path]:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def resident_mb(pid: int) -> float:
    """The most memory it ever had."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def one_round(bench: Bench, turn: int, seconds: float, ages: int) -> tuple[dict, dict]:
    """Everything once, each server beside the others."""
    figures: dict[str, float] = {}
    names = [name for name in ("service", "nginx", "granian", "fastapi") if name in bench.pids]
    bench.pace("one")
    for name in turns(names, turn):
        for figure, value in bench.get(name, seconds).items():
            figures[f"get_{name}_{figure}"] = value
    for kind in turns(["one", "picows", "many"], turn):
        if kind == "picows":
            found = bench.listen("picows", seconds, "")
        else:
            bench.pace(kind)
            found = bench.listen("service", seconds, SUBSCRIBE)
        for figure, value in found.items():
            figures[f"fan_out_{kind}_{figure}"] = value
    bench.pace("age")
    old = bench.ages_ns(ages)
    figures["age_p50_us"], figures["age_p99_us"] = (percentile(old, x) / 1e3 for x in (0.5, 0.99))
    figures["resident_mb"] = resident_mb(bench.pids["service"])
    ratios = {
        f"get_service_vs_{name}": figures["get_service_a_cpu_s"] / figures[f"get_{name}_a_cpu_s"]
        for name in names[1:]
    }
    for kind in ("one", "many"):
        ratio = figures[f"fan_out_{kind}_a_cpu_s"] / figures["fan_out_picows_a_cpu_s"]
        ratios[f"fan_out_{kind}_vs_picows"] = ratio
    return figures, ratios


def run(rounds: int, quick: bool = False) -> Result:
    """Bench the service."""
    result = Result(
        f"GET of a ticker over {CONNECTIONS} connections, {SECONDS:g} s; trades to {LISTENERS} "
        "listeners, one or sixty-four a frame; ten symbols, books fifty times a second",
        goals={
            "get_service_vs_nginx": (">=", 0.6),
            "get_service_vs_granian": (">=", 2.5),
            "get_service_vs_fastapi": (">=", 15.0),
            "fan_out_one_vs_picows": (">=", 1.0),
            "fan_out_many_vs_picows": (">=", 1.0),
            "age_p99_us": ("<=", 5_000.0),
            "resident_mb": ("<=", 50.0),
        },
    )
    with ExitStack() as stack:
        bench = Bench(stack, result)
        for turn in range(rounds):
            shares = (0.5, 200) if quick else (SECONDS, AGES)
            figures, ratios = one_round(bench, turn, *shares)
            result.add(figures, ratios)
            shown = ", ".join(f"{name} {value:.2f}" for name, value in ratios.items())
            say(f"market_data {turn + 1}/{rounds}: {shown}, age p99 {figures['age_p99_us']:.0f} us")
    result.goals = {
        name: goal for name, goal in result.goals.items()
        if name in result.ratios or name in result.figures
    }  # fmt: skip
    say(f"resident {median(result.figures['resident_mb']):.1f} MB")
    return result
