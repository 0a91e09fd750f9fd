# SPDX-License-Identifier: Apache-2.0
"""`engine.py`: the engine as it trades, put into the simulated world: the same class with the same
strategy base, adapters and codecs, and every port of `LiveParts` taken from the world. Nothing of
the engine is replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hean.core.parameters import Value
from hean.live.engine import LiveEngine
from hean.live.parts import LiveParts
from hean.live.settings import LiveSettings
from hean.net.http import HttpClient
from hean.risk.live_gate import Configured
from hean.risk.triggers import KillLimits
from hean.secret import Secret
from hean.sim.exchange import CASH, KEY, SECRET
from hean.sim.process import Process
from hean.sim.workloads import WORKLOADS
from hean.system import AccountSettings
from hean.venues.endpoints import Markets, endpoints_for
from hean.venues.signing import Signer

if TYPE_CHECKING:
    from hean.sim.run import Trial

FOLDER = Path("/sim")
BAR = "1s"  # as many decisions as a run has seconds
NAMELESS = "sim"  # Binance's futures do not say whose account it is
LENIENT = KillLimits(
    rejects=None,
    unknown=None,
    rate_refusals=None,
    repeats=None,
    stale_s=None,
    position_s=None,
    watchdog_s=None,
    margin_fraction=None,
    fee_fraction=None,
)
"""What the kill switch triggers on by itself in most runs, so that they go on trading."""
Main = Callable[[], Coroutine[Any, Any, None]]


def engine_of(trial: Trial, process: Process) -> tuple[LiveEngine, Main]:
    """An engine for one life, and its life."""
    scenario = trial.scenario
    given: dict[str, Value] = {"pace": scenario.pace, "spot": scenario.market != "linear"}
    symbols = tuple(map(trial.exchange.name, trial.exchange.markets))
    settings = LiveSettings(
        scenario.venue,
        cast(Markets, scenario.market),
        "testnet",
        symbols,
        scenario.workload,
        FOLDER,
        account_id="" if (scenario.venue, scenario.market) != ("binance", "linear") else NAMELESS,
        given=given,
        account=AccountSettings(cash=CASH, limits=scenario.limits),
        seed=scenario.seed,
        bar=BAR,
        kill_limits=KillLimits() if scenario.is_strict else LENIENT,
    )
    engine = LiveEngine(
        settings,
        WORKLOADS[scenario.workload](symbols, given),
        endpoints=endpoints_for(settings.venue, settings.market, testnet=True, environment={}),
        signer=Signer(Secret(KEY), Secret(SECRET), "sim"),
        parts=parts_of(trial, process),
        configured=Configured(True, True, True, True),
    )
    return engine, lambda: engine.run(asyncio.Event())


def parts_of(trial: Trial, process: Process) -> LiveParts:
    """The world as one process has it."""
    world, disk, net = trial.world, trial.disk, trial.net

    def http(base: str) -> HttpClient:
        return HttpClient(base, now=world.machine_now, transport=net.transport(process))

    return LiveParts(
        now=world.machine_now,
        rng=world.rng(f"engine {process.number}"),
        open_disk=partial(disk.open, process),
        lock=partial(disk.lock, process),
        read_file=partial(disk.read_file, process),
        write_file=partial(disk.write_file, process),
        http=http,
        dial=net.dial(process),
        free_bytes=lambda _: disk.free_bytes(),
        serves=False,
        holder=str(process.number),
    )
