# SPDX-License-Identifier: Apache-2.0
"""A symbol that does not trade when a process starts. Somebody has to be there for what is open in
it, so the process lives, opens nothing new, and goes on by itself when the venue does.
"""

from __future__ import annotations

import pytest

from hean.sim.run import Trial
from hean.twin.orders import OrderEvent
from sim.bank import busy, dials

HALTED_S = 70.0  # past the first time that rules are read anew
HALT = {"dial": "filter_change", "at_s": 0.0, "for_s": HALTED_S, "status": "halted"}


@pytest.mark.parametrize("venue", ["bybit", "binance"])
def test_a_start_while_a_symbol_is_halted_waits_for_it(venue: str) -> None:
    scenario = busy("takers", venue=venue, safety_steps=12_000, **dials(HALT))(1)
    trial = Trial(scenario)
    made_s: list[float] = []
    trial.exchange.venue.listeners.append(
        lambda event: made_s.append(trial.world.now_s()) if isinstance(event, OrderEvent) else None
    )
    outcome = trial.run()
    assert (outcome.broken, outcome.exits, outcome.lives) == (None, [], 1)
    assert made_s
    assert min(made_s) > HALTED_S
