# SPDX-License-Identifier: Apache-2.0
"""A private stream whose topic of orders is silent while its executions come: a reading shows what
it owes, and it is opened anew.
"""

from __future__ import annotations

from hean.sim.draws import draw
from hean.sim.run import Trial

SEED = 2759  # the connects of five minutes were used up; the last one had that topic silent


def test_orders_that_one_topic_never_ends_do_not_pile_up() -> None:
    scenario = draw(SEED)
    assert "subscription_silent" in scenario.kinds()
    assert Trial(scenario).run().broken is None
