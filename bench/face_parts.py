# SPDX-License-Identifier: Apache-2.0
"""Parts of `bench_face.py`: its servers, its load, and the rounds of reads, of the live stream, and
of orders while somebody reads.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from bench_tick import play
from live_tick import Steady
from live_tick import starter as live_starter
from measure import BENCH, percentile, turns

PATHS = ("/portfolio/summary", "/positions", "/orders", "/health")
CONNECTIONS = 64
CLIENTS, STUCK = 200, 5  # as many as the server lets in
FRAMES_PER_S = 20.0
HARD_PER_S = 300.0  # rounds of frames, where processor seconds are compared
PNL = ("positions", "pnl", "strategies")
"""What one change of the profit tells a page."""
ALLOWED_PER_S = 200.0  # reads of one address, by the limits of the API
END_S = 20
IDLE_S = 2.0
STUCK_TIMES = 3


class Sizes(NamedTuple):
    """Seconds of each measurement, frames of a tick to trade, seconds of the page."""

    seconds: float
    frames: int
    page_s: float


class Server:
    """A server of `face_clients.py`, and what it said of itself."""

    def __init__(self, *words: str, says: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(BENCH / "face_clients.py"), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts = self._ask(says) if says else self._hear()
        self.port: int = self.facts["port"]

    def order(self, words: str) -> Any:
        """Give an order. Returns what came of it."""
        return self._ask(words)["done"]

    def get(self, path: str) -> Any:
        """A document."""
        headers = {"Authorization": f"Bearer {self.facts['tokens'][0]}"}
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        with urllib.request.urlopen(asked) as answer:
            return json.load(answer)

    def request(self, path: str) -> str:
        """The bytes of a request."""
        tokens = self.facts.get("tokens")
        shown = f"Authorization: Bearer {tokens[0]}\r\n" if tokens else ""
        return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{shown}\r\n"

    def cpu_s(self) -> float:
        """Processor seconds it has used, to the nanosecond."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in threads) / 1e9

    def idle_cpu(self) -> float:
        """Processor seconds a second that it takes while nobody asks."""
        before_s = self.cpu_s()
        time.sleep(IDLE_S)
        return (self.cpu_s() - before_s) / IDLE_S

    def end(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, words: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a server ended with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found


def compile_load(folder: str) -> str:
    """The clients."""
    target = f"{folder}/face_load"
    command = ["g++", "-O2", "-o", target, str(BENCH / "face_load.cpp")]
    subprocess.run(command, check=True)
    return target


def loaded(
    command: list[str], says: str, server: Server, when_ready: Callable[[], Any] = lambda: None
) -> tuple[dict[str, Any], float]:
    """Run the load. Returns what it saw, and processor seconds of the server meanwhile."""
    load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert load.stdin is not None and load.stdout is not None
    load.stdin.write(says)
    load.stdin.close()
    words = load.stdout.readline().strip()
    if words != "ready":
        raise RuntimeError(f"{command[1]}: not connected, exit code {load.wait()}")
    when_ready()
    load.stdout.readline()
    before_s = server.cpu_s()
    found: dict[str, Any] = json.loads(load.stdout.readline())
    spent_s = server.cpu_s() - before_s
    load.wait()
    return found, spent_s


def reads_round(
    number: int, sizes: Sizes, load: str, hean: Server, fastapi: Server
) -> tuple[dict[str, float], dict[str, float]]:
    """Each path of each server. Returns figures and ratios."""
    servers = {"hean": hean, "fastapi": fastapi}
    figures, ratios = {}, {}
    for path in PATHS:
        rates = {}
        for name in turns(list(servers), number):
            server = servers[name]
            command = [load, "http", str(server.port), str(CONNECTIONS), str(sizes.seconds), "0"]
            seen, spent_s = loaded(command, server.request(path), server)
            if seen["bad"]:
                raise RuntimeError(f"{name} {path}: {seen['bad']} answers were not 200")
            rates[name] = seen["requests"] / spent_s
            figures[f"{name} {path}, requests per server cpu s"] = rates[name]
            figures[f"{name} {path}, p99 ms"] = seen["p99_us"] / 1e3
        ratios[f"{path}, hean vs fastapi"] = rates["hean"] / rates["fastapi"]
    return figures, ratios


def listeners(server: Server, topics: tuple[str, ...], stuck: int = 0) -> str:
    """What each client says; the first *stuck* ask for large frames too."""
    tokens = server.facts.get("tokens")
    if not tokens:
        return "\n" * CLIENTS
    lines = []
    for each in range(CLIENTS):
        wanted = (*topics, "market") if each < stuck else topics
        said = [{"action": "auth", "token": tokens[each // 5]}]
        said += [{"action": "subscribe", "topic": topic} for topic in wanted]
        lines.append("\t".join(map(json.dumps, said)))
    return "\n".join(lines) + "\n"


def stream_round(
    number: int, sizes: Sizes, load: str, hean: Server, picows: Server
) -> tuple[dict[str, float], dict[str, float]]:
    """The same frames from each server, then the rate of a busy desk. Returns figures, ratios."""
    servers = {"hean": hean, "picows": picows}
    figures, ratios = {}, {}
    for word, topics in (("one topic", PNL[:1]), ("a change of profit", PNL)):
        rates = {}
        for name in turns(list(servers), number):
            server, idle = servers[name], servers[name].idle_cpu()
            order = f"pace {HARD_PER_S} {' '.join(topics)}"
            seen, spent_s = hear(server, sizes, load, order, topics)
            rates[name] = seen["frames"] / (spent_s - idle * seen["seconds"])
            figures[f"{name} {word}, frames per server cpu s"] = rates[name]
            figures[f"{name} {word}, frames/s"] = seen["frames"] / seen["seconds"]
        ratios[f"{word}, hean vs picows"] = rates["hean"] / rates["picows"]
    order = f"pace {FRAMES_PER_S} pnl market"
    long = sizes._replace(seconds=STUCK_TIMES * sizes.seconds)  # until the stuck are
    seen, _ = hear(hean, long, load, order, ("pnl",), STUCK)
    figures["healthy clients beside stuck ones, p50 ms"] = seen["p50_us"] / 1e3
    figures["healthy clients beside stuck ones, p99 ms"] = seen["p99_us"] / 1e3
    figures["healthy clients beside stuck ones, fewest frames/s"] = seen["fewest"] / seen["seconds"]
    figures["healthy clients cut"] = seen["closed"]
    return figures, ratios


def hear(
    server: Server, sizes: Sizes, load: str, order: str, topics: tuple[str, ...], stuck: int = 0
) -> tuple[dict[str, Any], float]:
    """Have all clients listen while the server tells."""
    path = "/ws" if "tokens" in server.facts else "/"
    command = [load, "ws", str(server.port), str(sizes.seconds), str(stuck), path]
    found = loaded(command, listeners(server, topics, stuck), server, lambda: server.order(order))
    server.order("rest")
    time.sleep(0.5)  # until those who left are gone
    return found


def orders_round(
    number: int, sizes: Sizes, load: str, twin_port: int, folder: Path
) -> tuple[dict[str, float], dict[str, float]]:
    """Tick to trade of a trading process with its API beside it: while nobody reads, and while
    somebody reads as much as the API allows. Returns figures and ratios.
    """
    figures: dict[str, float] = {}
    for name in turns(("idle", "read"), number):
        place = folder / name
        place.mkdir()
        taken = _played(sizes.frames, load if name == "read" else "", twin_port, place)
        figures[f"order path, {name}, p50 us"] = percentile(taken, 0.5) / 1e3
        figures[f"order path, {name}, p99 us"] = percentile(taken, 0.99) / 1e3
    return figures, {
        f"order path {word}, read vs idle": figures[f"order path, read, {word} us"]
        / figures[f"order path, idle, {word} us"]
        for word in ("p50", "p99")
    }


def _played(frames: int, load: str, twin_port: int, place: Path) -> list[int]:
    """Latencies of one life, sorted; *load*: reads meanwhile."""
    import uvloop

    face = Server("follow", str(twin_port), str(place / "face"), str(place / "live"))
    begin, reading = live_starter("hean live", twin_port, place), ExitStack()

    def start(*ports: int) -> subprocess.Popen[str]:
        client = begin(*ports)
        if load:
            reader = _reader(load, face)
            reading.callback(reader.wait)
            reading.callback(reader.kill)
        return client

    try:
        with reading:
            taken: list[int] = uvloop.run(play(start, frames, Steady()))[0]
    finally:
        face.end()
    return taken


def _reader(load: str, face: Server) -> subprocess.Popen[bytes]:
    """Reads the account at the pace that the limits let through, until it is killed."""
    command = [load, "http", str(face.port), "8", "3600", str(ALLOWED_PER_S)]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert reader.stdin is not None
    reader.stdin.write(face.request("/portfolio/summary").encode())
    reader.stdin.close()
    return reader
