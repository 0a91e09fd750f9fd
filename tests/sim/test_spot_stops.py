# SPDX-License-Identifier: Apache-2.0
"""Coins with a stop and a target while the price falls: the stop sells them. A target that rested
beside it would hold the coins, and the venue would give the stop up as it is triggered.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hean.sim.draws import draw
from hean.sim.run import Trial

SEED = 8002756  # coins, stops, a crash and nothing that goes wrong


@pytest.mark.parametrize("venue", ["bybit", "binance"])
def test_the_stop_of_coins_sells_them(venue: str) -> None:
    scenario = draw(SEED)
    assert (scenario.market, scenario.workload, scenario.path) == ("spot", "brackets", "crash")
    assert not scenario.kinds()
    trial = Trial(replace(scenario, venue=venue))
    assert trial.run().broken is None
    stops = [each for each in trial.checks.venue.orders.values() if each.trigger is not None]
    assert any(stop.filled for stop in stops)
