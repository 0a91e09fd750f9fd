# SPDX-License-Identifier: Apache-2.0
"""What it costs to be sure of every order: tick to trade with the intent of each order on the disk,
a start over a long journal, a stop under a storm, the speed of the fault simulator. The trading
process is the real one, in a process of its own, and is measured from outside (`live_tick.py`,
`live_restart.py`, `live_storm.py`); what the disk can do at all is measured beside it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from bench_twin import twin
from live_restart import restart_round, start
from live_storm import NORMAL_FRAMES_PER_S, NORMAL_ORDERS_PER_S, TIMES, storm_round
from live_tick import tick_round
from measure import BENCH, Result, say, worker

DISK = BENCH.parent / ".cache"  # a disk like the journal's, where the usual folder may be memory


class Sizes(NamedTuple):
    """How much of everything in a round."""

    frames: int
    records: int
    stops: int
    seeds: int


FULL, QUICK = Sizes(2_000, 100_000, 100, 20), Sizes(200, 2_000, 3, 2)


def workload(sizes: Sizes) -> str:
    """In words."""
    return (
        f"tick to trade: {sizes.frames} trades 1 ms apart, one under way, an order on every "
        "trade, Binance USD-M; intent: every event that may not be lost, what was seen and "
        "judged, and the SENT row committed (SQLite, WAL, FULL) before a byte of the order "
        f"leaves. Restart: hean live at a twin of Bybit, {sizes.records} rows, file in the "
        f"system's cache. Stop: {sizes.stops} lives, each stopped once by CANCEL_ALL on the "
        f"control socket while {TIMES} x normal arrive, normal being {NORMAL_FRAMES_PER_S} "
        f"frames/s of one symbol and {NORMAL_ORDERS_PER_S} orders/s. Simulator: seeds 1 to "
        f"{sizes.seeds}, one process"
    )


def simulator(sizes: Sizes) -> dict[str, float]:
    """Checked steps a second of one core, by its processor seconds as the command counts them."""
    seen = worker("live_clients:simulate", seeds=sizes.seeds)
    if seen["broken"]:
        say(f"seeds that broke a promise: {seen['broken']}")
    return {
        "simulator, checked steps/s": seen["steps_per_s"],
        "simulator, checked steps/s by the wall clock": seen["steps_per_wall_s"],
        "simulator, broken seeds": len(seen["broken"]),
    }


def one_round(
    number: int, sizes: Sizes, ports: dict[str, int], master: Path, folder: Path
) -> tuple[dict[str, float], dict[str, float]]:
    """Everything once. Returns figures and ratios."""
    places = {name: folder / name for name in ("tick", "restart", "storm")}
    for place in places.values():
        place.mkdir()
    figures, ratios = tick_round(number, sizes.frames, ports["binance"], places["tick"])
    figures |= restart_round(places["restart"], master, ports["bybit"])
    figures |= storm_round(sizes.stops, places["storm"])
    figures |= simulator(sizes)
    return figures, ratios


def run(rounds: int, quick: bool = False) -> Result:
    """One value a round."""
    sizes = QUICK if quick else FULL
    result = Result(workload(sizes))
    DISK.mkdir(exist_ok=True)
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(twin(name, 1.0))["port"] for name in ("binance", "bybit")
        }
        made = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=DISK)))
        like, master = made / "like", made / "master"
        like.mkdir()
        start(like, ports["bybit"])
        worker("live_restart:write", home=str(master), like=str(like), records=sizes.records)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            with tempfile.TemporaryDirectory(dir=DISK) as folder:
                result.add(*one_round(number, sizes, ports, master, Path(folder)))
    result.goals = {
        "hean with intent p50 us": ("<=", 600.0),
        "hean live p50 us": ("<=", 600.0),
        "intent adds / bare commit": ("<=", 1.5),
        "long journal, ready to trade s": ("<=", 5.0),
        "kill to last create, p99 ms": ("<=", 50.0),
        "creates 50 ms after the answer": ("<=", 0.0),
        "simulator, checked steps/s": (">=", 5_000.0),
        "simulator, broken seeds": ("<=", 0.0),
    }
    return result


if __name__ == "__main__":
    seen: dict[str, Any] = vars(run(1, quick="--quick" in sys.argv))
    print(json.dumps(seen, indent=1))
