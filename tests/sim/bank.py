# SPDX-License-Identifier: Apache-2.0
"""What a planted bug is, and the scenarios that provoke it. They are made by hand, with much more
traffic than a drawn one has, so that a few seeds are enough; without the bug they keep every
promise, or their verdict would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from hean.sim.run import Outcome, Trial
from hean.sim.scenario import Kill, Order, Scenario

SEEDS = 8  # tried for one bug; nearly all are caught by the first
STEPS = 2_000
LIMITS = {
    "collar_fraction": "0.05",
    "open_orders_max": "200",
    "orders_per_second_max": "10",
    "refuse_self_cross": "true",
    "order_value_max": "5000",
    "position_value_max": "20000",
}


@dataclass(frozen=True)
class Bug:
    """*plant*: patches the product; *promises*: of which it breaks one first; *scenario*: of a
    seed.
    """

    plant: Callable[[pytest.MonkeyPatch], None]
    promises: tuple[str, ...]
    scenario: Callable[[int], Scenario]

    @property
    def name(self) -> str:
        """What is wrong, in few words."""
        return self.plant.__name__

    def run(self, seed: int, *, planted: bool = True) -> Outcome:
        """One seed with the bug, or without it."""
        with pytest.MonkeyPatch.context() as patch:
            if planted:
                self.plant(patch)
            return Trial(self.scenario(seed)).run()


def busy(workload: str, *, venue: str = "", **given: Any) -> Callable[[int], Scenario]:
    """A scenario of much traffic on perpetuals. *venue*: each of them by turns if empty."""

    def scenario(seed: int) -> Scenario:
        where = venue or ("bybit", "binance")[seed % 2]
        settings = {"safety_steps": STEPS, "limits": LIMITS, "shuffles": seed % 3 == 0, **given}
        return Scenario(seed, where, "linear", "busy", workload, 1.0, **settings)

    return scenario


def on_spot(workload: str, *, venue: str = "", **given: Any) -> Callable[[int], Scenario]:
    """The same on spot."""
    make = busy(workload, venue=venue, **given)
    return lambda seed: replace(make(seed), market="spot")


def dials(*documents: dict[str, Any]) -> dict[str, Any]:
    """Fault dials of a scenario."""
    return {"dials": documents}


def deaths(count: int, steps: int, down_s: float) -> dict[str, Any]:
    """The first *count* lives end at this step."""
    return {"kills": tuple(Kill(life, steps, False, down_s) for life in range(1, count + 1))}


def stop(level: str, at_s: float) -> dict[str, Any]:
    """A person stops it."""
    return {"orders": (Order(at_s, "kill", {"level": level, "reason": "an exercise"}),)}
