# SPDX-License-Identifier: Apache-2.0
"""The face: reads of the API beside FastAPI on uvicorn, the live stream beside picows, orders of a
trading process while its API is read, and the page in a browser. Servers are processes of their
own (`face_clients.py`), asked from outside by a client that takes little of the machine
(`face_load.cpp`); what is compared is work by processor second of the server. HEAN is whole:
shield, gate, token, role, buckets (whose rates alone are raised), metrics; the peers have nothing
but the answer.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import face_page
from bench_live import DISK
from bench_twin import twin
from face_parts import (
    ALLOWED_PER_S,
    CLIENTS,
    CONNECTIONS,
    FRAMES_PER_S,
    HARD_PER_S,
    PATHS,
    STUCK,
    Server,
    Sizes,
    compile_load,
    orders_round,
    reads_round,
    stream_round,
)
from measure import Result, say

FULL, QUICK = Sizes(2.0, 2_000, 10.0), Sizes(1.0, 200, 4.0)


def workload(sizes: Sizes) -> str:
    """In words."""
    return (
        f"reads: {CONNECTIONS} keep-alive connections, {sizes.seconds:g} s a path, a paper session "
        "with a position and 21 orders; the peer answers the same fields from a model that is "
        f"there. Stream: {CLIENTS} clients, frames of 100 bytes, {HARD_PER_S:g} times a second, of "
        "one topic, and of the three that a change of profit tells; what the engine takes by "
        f"itself is left out. Then {FRAMES_PER_S:g} frames a second to each while {STUCK} clients "
        "ask for 1.3 MB/s and read nothing. Orders: tick to trade of hean live with its API beside "
        f"it, {sizes.frames} trades 1 ms apart, {ALLOWED_PER_S:g} reads a second, which is what "
        "the limits let through. Page: Chromium on the demo at 10x, "
        f"{face_page.UPDATES_PER_S:g} updates a second, {sizes.page_s:g} s"
    )


def run(rounds: int, quick: bool = False) -> Result:
    """One value a round."""
    sizes = QUICK if quick else FULL
    result = Result(workload(sizes))
    if missing := face_page.why_not():
        result.missing["page"] = missing
    DISK.mkdir(exist_ok=True)
    with ExitStack() as stack:
        made = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=DISK)))
        load = compile_load(str(made))
        ports = {
            name: stack.enter_context(twin(name, 1.0))["port"] for name in ("bybit", "binance")
        }
        hean = Server("hean", str(ports["bybit"]), str(made / "data"))
        stack.callback(hean.end)
        answers = json.dumps({path: hean.get(path) for path in PATHS})
        peers = {"fastapi": Server("fastapi", says=answers), "picows": Server("picows")}
        for peer in peers.values():
            stack.callback(peer.end)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            with tempfile.TemporaryDirectory(dir=DISK) as folder:
                for seen in (
                    reads_round(number, sizes, load, hean, peers["fastapi"]),
                    stream_round(number, sizes, load, hean, peers["picows"]),
                    orders_round(number, sizes, load, ports["binance"], Path(folder)),
                    ({} if missing else face_page.page_round(sizes.page_s), {}),
                ):
                    result.add(*seen)
    result.goals = {
        **{f"{path}, hean vs fastapi": (">=", 3.0) for path in PATHS},
        "order path p99, read vs idle": ("<=", 1.1),
        "one topic, hean vs picows": (">=", 1.0),
        "a change of profit, hean vs picows": (">=", 1.0),
        "healthy clients beside stuck ones, p99 ms": ("<=", 100.0),
        "event to screen p50 ms": ("<=", 100.0),
        "event to screen p99 ms": ("<=", 300.0),
        "first paint ms": ("<=", 1_500.0),
        "bundle kB gzip": ("<=", 500.0),
        "frames/s": (">=", 59.0),
        "heap, end by beginning": ("<=", 1.1),
    }
    return result


if __name__ == "__main__":
    seen: dict[str, Any] = vars(run(1, quick="--quick" in sys.argv))
    print(json.dumps(seen, indent=1))
