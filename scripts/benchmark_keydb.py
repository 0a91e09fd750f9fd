# SPDX-License-Identifier: Apache-2.0
"""How many SET, GET and pipelined commands a server that speaks the Redis protocol answers in a
second, and how long one takes; beside a second server, how many times as many.

    python scripts/benchmark_keydb.py --host localhost --port 6379 [--against URL]

It measures this machine, these servers and this load: some lines with one command on its way each,
then sixteen, all from one process, which takes a share of the processors. Rounds of two servers
take turns, and the middle one counts. Its keys go when it ends, or by themselves.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from hean.cli_common import DebugOption, JsonOption, run_command, say, write_json
from hean.errors import EnvironmentFault, ParameterInvalid
from keyspace import Answered, Server

KEY = "hean:benchmark:"
KEYS = 1_000
LIFE_S = 300  # of a key that nobody came back to delete
VALUE = b"x" * 100
PIPELINE = 16
WAIT_S = 10.0  # for an answer
PROMISED = (2.0, 5.0)
EXPECTED = {"SET": 50_000, "GET": 60_000, "PIPELINE": 100_000}
"""What the source documents name, per second; printed beside what is."""
EXITS = "Exit codes: 0 done; 2 options or password; 3 a server is away; 130 interrupted."


@dataclass(slots=True)
class Round:
    """*times_us*: of each question, from its first byte to the last of its answer."""

    per_s: float
    times_us: list[float]

    def at(self, part: float) -> float:
        """A percentile, µs."""
        ordered = sorted(self.times_us)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


@dataclass(slots=True)
class Load:
    """*question*: bytes sent at once, *answer*: bytes that come back, *count*: commands in it."""

    question: bytes
    answer: bytes
    count: int


def words(*parts: str | bytes) -> bytes:
    """A command as the protocol has it."""
    encoded = [part if isinstance(part, bytes) else part.encode() for part in parts]
    body = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in encoded)
    return b"*%d\r\n%s" % (len(encoded), body)


def loads(number: int) -> dict[str, Load]:
    """What line *number* says."""
    key = f"{KEY}{number % KEYS}"
    store, fetch = words("SET", key, VALUE, "EX", str(LIFE_S)), words("GET", key)
    ok, found = b"+OK\r\n", b"$%d\r\n%s\r\n" % (len(VALUE), VALUE)
    half = PIPELINE // 2
    return {
        "SET": Load(store, ok, 1),
        "GET": Load(fetch, found, 1),
        "PIPELINE": Load((store + fetch) * half, (ok + found) * half, PIPELINE),
    }


@contextmanager
def lines(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """Open lines to it, allowed in."""
    address, greeting = server.address, server.greeting
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            line = socket.create_connection(address, timeout=WAIT_S)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.append(line)
            if greeting:
                line.sendall(words(*greeting))
                _expect(server, line.recv(1_000), b"+OK\r\n")
        yield opened
    finally:
        for line in opened:
            line.close()


def measured(server: Server, kind: str, clients: int, requests: int) -> Round:
    """One round. *Raises*: `EnvironmentFault` for another answer than the right one."""
    with lines(server, clients) as opened:
        poll = select.epoll()
        asked = {line.fileno(): loads(number)[kind] for number, line in enumerate(opened)}
        by_file = {line.fileno(): line for line in opened}
        heard = dict.fromkeys(by_file, b"")
        since: dict[int, int] = {}
        times: list[float] = []
        questions = max(requests // asked[opened[0].fileno()].count, clients)
        began_ns = time.perf_counter_ns()
        for file, line in by_file.items():
            poll.register(file, select.EPOLLIN)
            since[file] = time.perf_counter_ns()
            line.sendall(asked[file].question)
        left = questions - clients
        while len(times) < questions:
            events = poll.poll(WAIT_S)
            if not events:
                raise EnvironmentFault(f"{server.name}: no answer within {WAIT_S:g} s.")
            for file, _ in events:
                heard[file] += by_file[file].recv(1 << 16)
                if len(heard[file]) < len(asked[file].answer) and heard[file][:1] != b"-":
                    continue
                now_ns = time.perf_counter_ns()
                times.append((now_ns - since[file]) / 1_000)
                _expect(server, heard[file], asked[file].answer)
                heard[file] = b""
                if left > 0:
                    left -= 1
                    since[file] = now_ns
                    by_file[file].sendall(asked[file].question)
        took_s = (time.perf_counter_ns() - began_ns) / 1e9
        poll.close()
        return Round(questions * asked[opened[0].fileno()].count / took_s, times)


def _expect(server: Server, found: bytes, wanted: bytes) -> None:
    if found != wanted:
        raise EnvironmentFault(f"{server.name} answers {found[:80]!r}.")


def threads_of(server: Server) -> str:
    """How many threads it says that it answers with."""
    for name in ("server-threads", "io-threads"):
        try:
            found = server.one(0, "CONFIG", "GET", name)
        except Answered:
            return "unknown"
        if found:
            return str(found[1].decode())
    return "unknown"


def compared(servers: list[Server], clients: int, requests: int, rounds: int) -> dict[str, Any]:
    """The figures of each server by kind of load."""
    found: dict[str, Any] = {server.name: {} for server in servers}
    for kind in EXPECTED:
        done: dict[str, list[Round]] = {server.name: [] for server in servers}
        for _ in range(rounds):
            for server in servers:
                done[server.name].append(measured(server, kind, clients, requests))
        for name, results in done.items():
            middle = sorted(results, key=lambda each: each.per_s)[len(results) // 2]
            found[name][kind] = {
                "per_s": round(middle.per_s),
                "p50_us": round(middle.at(0.5), 1),
                "p99_us": round(middle.at(0.99), 1),
                "worst_us": round(max(middle.times_us), 1),
            }
    return found


@run_command
def benchmark(
    *,
    host: Annotated[str, typer.Option(help="Of the server.")] = "localhost",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 6379,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds the password.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="URL", help="A second server, to be compared with.")
    ] = None,
    requests: Annotated[int, typer.Option(min=100, help="Commands of a round.")] = 50_000,
    clients: Annotated[int, typer.Option(min=1, max=500, help="Lines.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, max=99, help="The middle one counts.")] = 3,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Measure a server, alone or beside another."""
    try:
        password = None if password_file is None else password_file.read_text("utf-8").strip()
    except OSError as error:
        raise ParameterInvalid(f"{password_file}: {error.strerror}.") from None
    servers = [Server(f"redis://{host}:{port}", password)]
    servers += [Server(against)] if against else []
    try:
        found = compared(servers, clients, requests, rounds)
        document = _document(servers, found)
        for server in servers:
            server.one(0, "DEL", *(f"{KEY}{number}" for number in range(KEYS)))
    except Answered as error:
        raise EnvironmentFault(f"{error}.") from None
    finally:
        for server in servers:
            server.close()
    if json_to is not None:
        write_json(document, json_to)
    _say(document, json_to)


def _document(servers: list[Server], found: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "cores": os.cpu_count(),
        "servers": [
            {
                "name": server.name,
                "server": server.version,
                "threads": threads_of(server),
                "figures": found[server.name],
            }
            for server in servers
        ],
        "ratios": {},
        "reached": None,
    }
    if len(servers) == 2:
        first, second = (found[server.name] for server in servers)
        ratios = {kind: round(first[kind]["per_s"] / second[kind]["per_s"], 2) for kind in EXPECTED}
        document["ratios"] = ratios
        document["reached"] = median(ratios.values()) >= PROMISED[0]
    return document


def _say(document: dict[str, Any], json_to: str | None) -> None:
    for server in document["servers"]:
        say(
            f"{server['name']}: {server['server']}, {server['threads']} threads; this host has "
            f"{document['cores']} cores",
            json_to=json_to,
        )
        for kind, row in server["figures"].items():
            say(
                f"  {kind}: {row['per_s']:,} ops/s (expected {EXPECTED[kind]:,}), p50 "
                f"{row['p50_us']:g} µs, p99 {row['p99_us']:g} µs, worst {row['worst_us']:g} µs",
                json_to=json_to,
            )
    if document["reached"] is not None:
        words = ", ".join(f"{kind} {ratio:g}x" for kind, ratio in document["ratios"].items())
        reached = "reached" if document["reached"] else "not reached"
        say(f"{words}; 2-5x: {reached} on this host", json_to=json_to)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command(
    epilog="Example: python scripts/benchmark_keydb.py --host localhost --port 6379 --against "
    f"redis://localhost:6380 --json -. {EXITS}"
)(benchmark)

if __name__ == "__main__":
    sys.exit(app())
