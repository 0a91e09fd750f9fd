# SPDX-License-Identifier: Apache-2.0
"""A gap between two looks at the clock is noticed, whichever way it goes."""

from __future__ import annotations

import pytest

from hean.venues.wakeful import Wakeful

S_NS = 1_000_000_000
START_NS = 1_700_000_000 * S_NS


@pytest.mark.parametrize(
    ("steps_s", "gaps_s"),
    [
        ([0.25, 0.25, 0.25], [0, 0, 0]),
        ([5.0], [0]),
        ([5.001], [5.001]),
        ([60, 0.25], [60, 0]),
        ([-3600, 0.25], [-3600, 0]),
        ([0.25, 3600, 3600], [0, 3600, 3600]),
        ([-4.0], [0]),
    ],
)
def test_more_than_five_seconds_either_way_is_a_gap(steps_s, gaps_s):
    wakeful = Wakeful()
    now_ns = START_NS
    assert wakeful.look(now_ns) == 0
    found = []
    for step_s in steps_s:
        now_ns += int(step_s * S_NS)
        found.append(wakeful.look(now_ns) / S_NS)
    assert found == gaps_s
