# SPDX-License-Identifier: Apache-2.0
"""The processes that `bench_live.py` measures: the whole trading engine at the bench's exchange,
with a twin behind it that answers everything but ticks and orders, and small tasks of
`measure.worker`: what the disk alone costs, and the fault simulator.

    python live_clients.py tick FEED_PORT ORDER_PORT TWIN_PORT FOLDER
    python live_clients.py storm FEED_PORT ORDER_PORT TWIN_PORT FOLDER

`tick` trades on every trade until its input ends. `storm` lives one life after the other, each in a
folder of its own that it names when it may trade; a line on its input ends the life.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from tick_clients import KEY, SECRET, SYMBOL, averages, endpoints_at

ORDERS_PER_S = 200  # twenty times HEAN's own limit, which is the documented rate of a venue
SPARE = 0.95  # of the allowed rate, so that no order is refused for it
OPEN_MAX = 1_000_000
ACCOUNT = "bench"
SCALE = 1_000_000  # nothing waits for a venue's budget
ROW = b"x" * 256
REST_S = 0.001  # between two commits, as between two ticks


def pacer() -> Any:
    """A strategy that asks for a resting order on a trade, as often as the limits allow."""
    from hean.core.module import on
    from hean.core.types import Event, EventType, OrderType, Side, Signal
    from hean.strategies.base import Strategy

    every_ns = int(1e9 / (ORDERS_PER_S * SPARE))

    class Pacer(Strategy):
        name = "pacer"

        def __init__(self, symbols: tuple[str, ...]) -> None:
            super().__init__(symbols)
            self.next_ns = 0
            self.size = Decimal("0.010")

        @on(EventType.TICK)
        def on_tick(self, event: Event) -> None:
            """Far below the market, so that it rests."""
            tick = event.data
            if not tick.volume or event.ts_ns < self.next_ns:
                return
            self.next_ns = event.ts_ns + every_ns
            price = round(tick.price * 0.97, 1)
            self.context.emit(
                Signal(
                    tick.symbol,
                    Side.BUY,
                    size=self.size,
                    strategy_id=self.name,
                    type=OrderType.LIMIT,
                    price=price,
                )
            )

    return Pacer((SYMBOL,))


def engine(strategy: Any, folder: Path, ports: tuple[int, int, int], orders_per_s: int) -> Any:
    """A trading process as `hean live` makes it. Its orders never fill at the bench's exchange, so
    the triggers that look at the account's margin are off; everything else is as always.
    """
    from hean.live.engine import LiveEngine
    from hean.live.parts import real_parts
    from hean.live.settings import LiveSettings
    from hean.risk.live_gate import Configured, phrase_of
    from hean.risk.triggers import KillLimits
    from hean.secret import Secret
    from hean.system import AccountSettings
    from hean.venues.signing import Signer

    feed, orders, twin = ports
    folder.mkdir(mode=0o700)
    limits = {
        "collar_fraction": "0.05",
        "open_orders_max": str(OPEN_MAX),
        "orders_per_second_max": str(orders_per_s),
    }
    settings = LiveSettings(
        "binance",
        "linear",
        "testnet",
        (SYMBOL,),
        strategy.name,
        folder,
        account_id=ACCOUNT,
        account=AccountSettings(cash=Decimal(10**9), limits=limits),
        keeps_orders=True,
        kill_limits=KillLimits(margin_fraction=None, watchdog_s=None),
    )
    made = LiveEngine(
        settings,
        strategy,
        endpoints=replace(
            endpoints_at(twin),
            public=f"ws://127.0.0.1:{feed}",
            trade=f"ws://127.0.0.1:{orders}/ws-fapi/v1",
        ),
        signer=Signer(Secret(KEY), Secret(SECRET), "bench"),
        parts=real_parts(budget_scale=SCALE),
        configured=Configured(True, True, True, True),
    )

    def confirm() -> None:
        made.safety.gate.confirm(phrase_of(made.account_id, "testnet"))

    made.on_ready = confirm
    return made


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def tick(ports: tuple[int, int, int], folder: Path) -> None:
    """One life, until the input ends."""
    stop, lines = asyncio.Event(), await _lines()
    made = engine(averages(), folder, ports, OPEN_MAX)

    async def ended() -> None:
        await lines.read()
        stop.set()

    waiting = asyncio.ensure_future(ended())
    await made.run(stop)
    waiting.cancel()


async def storm(ports: tuple[int, int, int], folder: Path) -> None:
    """Lives, until the input ends."""
    lines, number, is_over = await _lines(), 0, False
    while not is_over:
        number += 1
        stop = asyncio.Event()
        made = engine(pacer(), folder / str(number), ports, ORDERS_PER_S)
        confirm = made.on_ready

        def ready(made: Any = made, confirm: Any = confirm) -> None:
            confirm()
            print(made.settings.control, flush=True)

        made.on_ready = ready
        living = asyncio.ensure_future(made.run(stop))
        asked = asyncio.ensure_future(lines.readline())
        await asyncio.wait((living, asked), return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await living  # raises what ended it
        is_over = not await asked


def floor(folder: str, commits: int) -> dict[str, Any]:
    """What a bare commit of one row (SQLite, WAL, FULL) and `fdatasync` after 256 bytes take, in
    turn, in a folder, in ns.
    """
    from hean.live.parts import private_disk

    disk = private_disk(Path(folder) / "floor.db")
    disk.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, payload BLOB)")
    file = os.open(Path(folder) / "floor.bin", os.O_WRONLY | os.O_CREAT, 0o600)
    taken: dict[str, list[int]] = {"commit": [], "fdatasync": []}
    for number in range(commits):
        began_ns = time.perf_counter_ns()
        disk.insert_many("INSERT INTO row VALUES (?, ?)", [(number, ROW)])
        disk.commit()
        taken["commit"].append(time.perf_counter_ns() - began_ns)
        time.sleep(REST_S)
        began_ns = time.perf_counter_ns()
        os.write(file, ROW)
        os.fdatasync(file)
        taken["fdatasync"].append(time.perf_counter_ns() - began_ns)
        time.sleep(REST_S)
    os.close(file)
    disk.close()
    return {**taken}


def simulate(seeds: int) -> dict[str, Any]:
    """The fault simulator on one core: steps in which every promise was checked."""
    from hean.sim.campaign import campaign
    from hean.sim.scenario import SAFETY_STEPS

    began_s = time.perf_counter()
    totals = campaign(range(1, seeds + 1), steps=SAFETY_STEPS, jobs=1)
    return {
        "steps_per_wall_s": totals.steps / (time.perf_counter() - began_s),
        "steps_per_s": totals.steps_per_s,
        "steps": totals.steps,
        "checks": totals.checks,
        "broken": [[seed, name] for seed, name, _ in totals.broken],
    }


if __name__ == "__main__":
    from hean.net.loop import run

    numbers = [int(word) for word in sys.argv[2:5]]
    work = {"tick": tick, "storm": storm}[sys.argv[1]]
    run(work((numbers[0], numbers[1], numbers[2]), Path(sys.argv[5])))
