# SPDX-License-Identifier: Apache-2.0
"""Processes of a fleet on real brokers: what a hop costs, how many events a second pass in batches,
and how long it takes from a trade to an order across the processes of `deploy/hft.toml`.

Hop: HEAN's sender in one process, its reader in another; a message of one trade every five
milliseconds, from saying it to having it decoded. Batches: the same, as fast as they go, from the
first said to the last decoded. Peer: redis-py alone, one message after the other by publish and
subscribe, nothing decoded. Fleet: the five processes of the table on Kafka and a live twin; from
the moment a frame is in the process that has the market to the approval of the order in the process
that trades, past which three processes of models had to answer and every message was journaled.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from bench_twin import twin
from fleet_parts import Missing, ended_with, kafka_server, redis_server
from fleet_strategy import TIMES
from measure import BENCH, Result, percentile, say, worker

PROCESSES = ("ingestion", "kalman-filter", "garch-volatility", "risk-manager", "execution")
STRATEGY = f"{BENCH / 'fleet_strategy.py'}:Timed"
START_S = 90.0
EVERY_S = 0.005


class Sizes(NamedTuple):
    """How much of everything in a round."""

    hops: int
    events: int
    peer: int
    orders: int
    orders_s: float


FULL, QUICK = Sizes(1_500, 200_000, 50_000, 100, 60.0), Sizes(150, 10_000, 2_000, 10, 30.0)
GOALS = {
    "redis hop p50 us": ("<=", 300.0),
    "kafka hop p50 us": ("<=", 5_000.0),
    "redis events/s": (">=", 50_000.0),
    "kafka events/s": (">=", 50_000.0),
    "redis_vs_redis-py": (">=", 5.0),
    "hft trade to order p50 us": ("<=", 15_000.0),
}


def both(*tasks: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Workers at the same time, each in a process of its own."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        waiting = [pool.submit(worker, f"fleet_parts:{task}", **words) for task, words in tasks]
        return [each.result() for each in waiting]


def a_second(count: int, told: list[dict[str, Any]]) -> float:
    """From the first said to the last taken."""
    return count / (told[0]["last_ns"] - told[1]["first_ns"]) * 1e9


def hop(kind: str, address: str, sizes: Sizes) -> dict[str, float]:
    """One at a time. Each task has a topic of its own, for readers go on where they were."""
    place = {"kind": kind, "address": address, "topic": "hop.feed"}
    paced = {**place, "count": sizes.hops}
    seen = both(("read", paced), ("send", {**paced, "every_s": EVERY_S}))[0]
    return {f"{kind} hop p50 us": seen["p50_us"], f"{kind} hop p99 us": seen["p99_us"]}


def batches(kind: str, address: str, sizes: Sizes) -> dict[str, float]:
    """Events a second, one in a message; and what each side of the broker works for one."""
    words = {"kind": kind, "address": address, "topic": "batch.feed", "count": sizes.events}
    told = both(("read", words), ("send", {**words, "every_s": 0.0}))
    return {
        f"{kind} events/s": a_second(sizes.events, told),
        f"{kind} reader cpu us an event": told[0]["cpu_s"] / sizes.events * 1e6,
        f"{kind} sender cpu us an event": told[1]["cpu_s"] / sizes.events * 1e6,
    }


def peer(address: str, sizes: Sizes) -> float:
    """Messages a second of redis-py, one after the other."""
    words = {"address": address, "topic": "peer", "count": sizes.peer}
    return a_second(sizes.peer, both(("peer_receive", words), ("peer_send", words)))


def fleet(folder: Path, servers: str, sizes: Sizes) -> dict[str, float]:
    """Trade to order in the five processes. *Raises*: `RuntimeError` if they do not trade."""
    times = folder / "times.txt"
    times.touch()
    table = folder / "hft.toml"
    words = (BENCH.parent / "deploy" / "hft.toml").read_text(encoding="utf-8")
    table.write_text(words.replace('"pairs"', '"strategies"'), encoding="utf-8")
    with ExitStack() as stack:
        place = stack.enter_context(twin("bybit", 1.0))
        public = str(place["ws_urls"]["public"])
        given = {
            "BYBIT_REST_URL": str(place["rest_url"]), "BYBIT_WS_PUBLIC_URL": public,
            "KAFKA_SERVERS": servers, TIMES: str(times),
        }  # fmt: skip
        for name in PROCESSES:
            stack.enter_context(ended_with(started(name, table, folder, given)))
        began = time.monotonic()
        seen: list[int] = []
        while len(seen) < sizes.orders and time.monotonic() - began < START_S + sizes.orders_s:
            time.sleep(0.5)
            seen = [int(line) for line in times.read_text().split("\n")[:-1]]
    taken = sorted(seen[len(seen) // 5 :])
    if len(taken) < sizes.orders // 2:
        told = (folder / "execution.txt").read_text()[-500:]
        raise RuntimeError(f"the fleet made {len(seen)} orders: {told}")
    return {
        "hft trade to order p50 us": percentile(taken, 0.5) / 1e3,
        "hft trade to order p99 us": percentile(taken, 0.99) / 1e3,
        "hft orders": float(len(seen)),
    }


def started(name: str, table: Path, folder: Path, given: dict[str, str]) -> subprocess.Popen[bytes]:
    """One process of the table."""
    command = [sys.executable, "-m", "hean", "run", "--deploy", str(table), "--process", name]
    command += ["--port", "0", "--exchange", "bybit", "--testnet", "--bar", "1s"]
    command += ["--symbols", "ETHUSDT,BTCUSDT", "--set", "kalman.window=20"]
    if name != "ingestion":
        command += ["--data-dir", str(folder / "data")]
    if name == "execution":
        command += ["--strategy", STRATEGY]
    with (folder / f"{name}.txt").open("wb") as told:
        return subprocess.Popen(command, env={**os.environ, **given}, stdout=told, stderr=told)


def run(rounds: int, quick: bool = False) -> Result:
    """One value a round."""
    sizes = QUICK if quick else FULL
    result = Result(
        workload=(
            f"{sizes.hops} messages of one trade, {EVERY_S * 1e3:g} ms apart; {sizes.events} "
            f"events in batches, one a message; redis-py: {sizes.peer} by publish and subscribe; "
            f"the five processes of deploy/hft.toml on Kafka and a twin's market, {sizes.orders} "
            "orders"
        ),
        goals=GOALS,
    )
    for number in range(rounds):
        figures: dict[str, float] = {}
        ratios: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as name:
            try:
                figures |= _redis(Path(name), sizes)
                ratios["redis_vs_redis-py"] = figures["redis events/s"] / figures["redis-py one/s"]
            except Missing as lack:
                result.missing["redis"] = str(lack)
            try:
                figures |= _kafka(Path(name), sizes)
            except Missing as lack:
                result.missing["kafka"] = str(lack)
        result.add(figures, ratios)
        say(f"round {number + 1}: " + ", ".join(f"{k} {v:.0f}" for k, v in figures.items()))
    return result


def _redis(folder: Path, sizes: Sizes) -> dict[str, float]:
    with redis_server(folder) as url:
        figures = hop("redis", url, sizes)
        figures |= batches("redis", url, sizes)
        figures["redis-py one/s"] = peer(url, sizes)
    return figures


def _kafka(folder: Path, sizes: Sizes) -> dict[str, float]:
    with kafka_server(folder) as servers:
        figures = hop("kafka", servers, sizes)
        figures |= batches("kafka", servers, sizes)
        figures |= fleet(folder, servers, sizes)
    return figures
