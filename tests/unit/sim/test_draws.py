# SPDX-License-Identifier: Apache-2.0
"""What is drawn for a seed: traffic in most, everything now and then, nothing that cannot be."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hean.sim.coverage import KINDS, STATES, why_never
from hean.sim.draws import calm, draw
from hean.sim.focus import focused
from hean.sim.recipes import DIALS
from hean.sim.scenario import Scenario
from hean.sim.world import stream

MANY = range(1, 1_501)
ACTING = [kind for kind in KINDS if not all(why_never(kind, state) for state in STATES)]
WORDS = {"death": {"kill_at_step", "kill_at_touch"}}


@pytest.fixture(scope="module")
def drawn() -> list[Scenario]:
    """Many scenarios."""
    return [draw(seed) for seed in MANY]


@pytest.fixture(scope="module")
def focal() -> list[Scenario]:
    """Many that are about one kind of fault."""
    return [focused(calm(seed), stream(seed, "focus")) for seed in MANY]


def test_every_scenario_can_be_played(drawn: list[Scenario], focal: list[Scenario]) -> None:
    assert [scenario.problems() for scenario in drawn + focal if scenario.problems()] == []


def test_a_seed_is_one_scenario(drawn: list[Scenario]) -> None:
    assert drawn[:50] == [draw(seed) for seed in MANY[:50]]


def test_most_seeds_trade_much_and_the_others_as_they_like(drawn: list[Scenario]) -> None:
    busy = sum(scenario.path == "busy" and scenario.pace == 1.0 for scenario in drawn)
    assert 0.6 < busy / len(drawn) < 0.85
    others = {scenario.path for scenario in drawn if scenario.pace < 1.0}
    assert others == {"quiet", "busy", "trend", "crash", "jumps", "silent"}


def test_every_kind_of_fault_is_drawn(drawn: list[Scenario]) -> None:
    found = {kind for scenario in drawn for kind in scenario.kinds()}
    assert found >= DIALS.keys()
    assert found >= {"clock", "order", "disk_error", "disk_slow", "kill_at_step", "kill_at_touch"}


def test_every_kind_that_can_act_is_the_subject_of_some_seeds(focal: list[Scenario]) -> None:
    found = {kind for scenario in focal for kind in scenario.kinds()}
    assert [kind for kind in ACTING if not found & WORDS.get(kind, {kind})] == []


def test_a_fault_of_a_moment_is_over_before_it_comes_again(focal: list[Scenario]) -> None:
    for scenario in focal:
        first = scenario.dials[0]["dial"] if scenario.dials else ""
        timed = [dial for dial in scenario.dials if dial["dial"] == first and "for_s" in dial]
        for before, after in pairwise(timed):
            assert before["at_s"] + before["for_s"] < after["at_s"]
