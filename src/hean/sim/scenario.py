# SPDX-License-Identifier: Apache-2.0
"""`scenario.py`: what one seed is about: venue, market path, workload, limits, and what goes wrong.
All of it stands before the first step, so that a scenario can be printed, cut down and run again.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hean.core.listing import pair_of
from hean.sim.disk import DiskFaults
from hean.sim.exchange import START_PRICES, MarketPath
from hean.sim.net import NetFaults
from hean.twin.faults.dials import DIALS as DIAL_TABLE
from hean.twin.faults.settings import read_setting
from hean.venues.endpoints import BOTH

SAFETY_STEPS = 2_500
STEPS_MAX = 50_000

PLACES = (
    ("bybit", "linear", 5),
    ("binance", "linear", 3),
    ("bybit", "spot", 1),
    ("binance", "spot", 1),
    ("bybit", BOTH, 0),  # drawn apart, for coins against a perpetual
)
PATHS = {
    "quiet": MarketPath(0.00005, trades=0.5),
    "busy": MarketPath(0.0003, trades=3.0),
    "trend": MarketPath(0.0003, 0.0002),
    "crash": MarketPath(0.0005, -0.003, trades=3.0),
    "jumps": MarketPath(0.0002, 0.0, 0.02, 0.02),
    "silent": MarketPath(0.0001, trades=0.0),
}
WORKLOADS = ("takers", "maker", "brackets", "desk", "monkey")
"""What is drawn."""
BY_NAME = ("legs", "basis", "funding", "slices")
"""What is asked for by name: two legs need two symbols."""


class Kill(msgspec.Struct, frozen=True):
    """The process of life *life* dies at its step or touch *at*; the next begins *down_s* later."""

    life: int
    at: int
    is_touch: bool
    down_s: float


class Order(msgspec.Struct, frozen=True):
    """A person does something at *at_s*: *verb* of the control socket, with its arguments."""

    at_s: float
    verb: str
    arguments: dict[str, Any]


class Scenario(msgspec.Struct, frozen=True):
    """One run. *is_strict*: the kill switch's own triggers as they come, else hard to touch off;
    *begins_s*: when network, disk and dials begin to fail. *dials*: documents of the twin's fault
    dials. *skews*: (second, seconds off) of the machine's clock.
    """

    seed: int
    venue: str
    market: str
    path: str
    workload: str
    pace: float
    limits: dict[str, str]
    limits_scale: float = 1.0
    is_strict: bool = False
    begins_s: float = 0.0
    symbols: tuple[str, ...] = ("BTCUSDT",)
    safety_steps: int = SAFETY_STEPS
    shuffles: bool = False
    net: NetFaults = msgspec.field(default_factory=NetFaults)
    disk: DiskFaults = msgspec.field(default_factory=DiskFaults)
    dials: tuple[dict[str, Any], ...] = ()
    kills: tuple[Kill, ...] = ()
    orders: tuple[Order, ...] = ()
    skews: tuple[tuple[float, float], ...] = ()

    def problems(self) -> list[str]:
        """What cannot be played, in words."""
        known = {
            "path": (self.path, list(PATHS)),
            "workload": (self.workload, [*WORKLOADS, *BY_NAME]),
            "venue and market": (f"{self.venue} {self.market}", [f"{v} {m}" for v, m, _ in PLACES]),
        }
        found = [
            f"{name} {given!a}; known: {', '.join(names)}"
            for name, (given, names) in known.items()
            if given not in names
        ]
        if not self.symbols or not set(map(pair_of, self.symbols)) <= START_PRICES.keys():
            found.append(f"symbols {self.symbols}; known: {', '.join(START_PRICES)}")
        if not 0 < self.safety_steps <= STEPS_MAX:
            found.append(f"safety_steps {self.safety_steps}; allowed: 1 to {STEPS_MAX}")
        for document in self.dials:
            found += map(str, read_setting(document, DIAL_TABLE, "dials")[1])
        return found

    def kinds(self) -> list[str]:
        """The kinds of fault in it."""
        found = [str(dial["dial"]) for dial in self.dials]
        net, disk = self.net, self.disk
        flags = {
            "net_refused": net.refused,
            "net_slow": net.slow,
            "net_cut": net.cut_every_s and net.mute_fraction < 1,
            "net_mute": net.cut_every_s and net.mute_fraction,
            "disk_error": disk.error_fraction,
            "disk_slow": disk.slow_fraction,
            "kill_at_step": any(not kill.is_touch for kill in self.kills),
            "kill_at_touch": any(kill.is_touch for kill in self.kills),
            "clock": self.skews,
            "order": self.orders,
        }
        return sorted({*found, *(name for name, is_on in flags.items() if is_on)})
