# SPDX-License-Identifier: Apache-2.0
"""The venue closes a part of our position by an order of its own, and ours rests nearest to it:
both sides of that trade are ours, bear one number, and both are booked.
"""

from __future__ import annotations

import pytest

from hean.sim import workloads
from hean.sim.run import Trial
from sim.bank import busy, dials

CLOSINGS = [{"dial": "adl", "at_s": float(at_s)} for at_s in range(3, 33)]
STORM = {"dial": "fill_storm", "per_s": 2.0}


@pytest.mark.parametrize("seed", [3, 6])  # in which it happens
def test_a_resting_order_meets_the_venues_closing_order(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workloads, "AWAY_FRACTION", 0.00002)  # at the touch
    given = {"safety_steps": 5_000, **dials(*CLOSINGS, STORM)}
    trial = Trial(busy("maker", venue="binance", **given)(seed))
    assert trial.run().broken is None
    numbers = [piece.trade_number for piece in trial.checks.venue.executions.values()]
    assert len(set(numbers)) < len(numbers)
