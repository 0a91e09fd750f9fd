# SPDX-License-Identifier: Apache-2.0
"""A disk that is slow holds orders back after they were taken from the rate limit: no more of them
leave within the venue's window than it allows.
"""

from __future__ import annotations

from hean.sim.draws import draw
from hean.sim.run import Trial

SEED = 3445  # eleven left within a second in it, where ten are allowed


def test_what_a_slow_disk_held_back_leaves_within_the_rate_limit() -> None:
    scenario = draw(SEED)
    assert scenario.disk.slow_fraction > 0
    assert Trial(scenario).run().broken is None
