# SPDX-License-Identifier: Apache-2.0
"""Tick to trade with a journal, for `bench_live.py`. The exchange and its clock are those of
`bench_tick.py`; the clients are HEAN without a journal, the same with one, and the whole trading
process. Each has its journal on the disk of the bench's own folder, not in memory.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench_tick import Exchange, play
from measure import BENCH, percentile, turns, worker

CLIENTS = ("hean", "hean with intent", "hean live")
ALIVE_EVERY = 50  # frames between two quotes and mark prices, so that nothing grows stale


class Steady(Exchange):
    """Also says now and then what a process with every watch on wants to hear."""

    def send(self, number: int) -> None:
        """Quote and mark price, at times, before the book change and the trade."""
        if not number % ALIVE_EVERY:
            self.say_again(self.streams)
        super().send(number)


def starter(client: str, twin_port: int, folder: Path) -> Callable[..., subprocess.Popen[str]]:
    """How a client is started, given the ports of feed, order socket, order HTTP."""

    def start(feed: int, orders: int, _http: int) -> subprocess.Popen[str]:
        ports = [str(port) for port in (feed, orders, twin_port)]
        command = {
            "hean": ["tick_clients.py", "hean", *ports],
            "hean with intent": ["tick_clients.py", "hean", *ports, str(folder / "journal.db")],
            "hean live": ["live_clients.py", "tick", *ports, str(folder / "live")],
        }[client]
        return subprocess.Popen(
            [sys.executable, str(BENCH / command[0]), *command[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


def tick_round(
    number: int, frames: int, twin_port: int, folder: Path
) -> tuple[dict[str, float], dict[str, float]]:
    """One round of all clients, the bare disk after each. Returns figures and ratios."""
    import uvloop

    figures: dict[str, float] = {}
    disk: dict[str, list[int]] = {"commit": [], "fdatasync": []}
    for client in turns(CLIENTS, number):
        place = folder / client.replace(" ", "-")
        place.mkdir()
        taken, _ = uvloop.run(play(starter(client, twin_port, place), frames, Steady()))
        figures[f"{client} p50 us"] = percentile(taken, 0.5) / 1e3
        figures[f"{client} p99 us"] = percentile(taken, 0.99) / 1e3
        seen = worker("live_clients:floor", folder=str(place), commits=frames // len(CLIENTS))
        for name, values in disk.items():
            values += seen[name]
    for name, values in disk.items():
        figures[f"bare {name} p50 us"] = percentile(sorted(values), 0.5) / 1e3
        figures[f"bare {name} p99 us"] = percentile(sorted(values), 0.99) / 1e3
    added = figures["hean with intent p50 us"] - figures["hean p50 us"]
    figures["intent adds p50 us"] = added
    figures["intent adds p99 us"] = figures["hean with intent p99 us"] - figures["hean p99 us"]
    ratios = {
        "intent adds / bare commit": added / figures["bare commit p50 us"],
        "hean with intent / without": figures["hean with intent p50 us"] / figures["hean p50 us"],
    }
    return figures, ratios
