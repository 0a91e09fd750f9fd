# SPDX-License-Identifier: Apache-2.0
"""A scenario that breaks a promise is cut down to the faults that it takes."""

from __future__ import annotations

import msgspec

from hean.sim.draws import calm
from hean.sim.net import NetFaults
from hean.sim.scenario import Kill, Scenario
from hean.sim.shrink import shrink

DIALS = tuple({"dial": name} for name in ("ack_lost", "poison", "stall", "amnesia", "adl"))


def wild() -> Scenario:
    """With everything in it."""
    return msgspec.structs.replace(
        calm(1),
        dials=DIALS,
        net=NetFaults(refused=0.1, slow=0.1, cut_every_s=5.0),
        kills=tuple(Kill(life, 100, False, 1.0) for life in range(1, 6)),
        skews=((1.0, 2.0),),
        shuffles=True,
    )


def test_what_is_left_is_what_it_takes() -> None:
    def broken(scenario: Scenario) -> str | None:
        names = {dial["dial"] for dial in scenario.dials}
        is_hit = {"poison", "stall"} <= names and any(kill.life == 3 for kill in scenario.kills)
        return "I-22" if is_hit else None

    smaller = shrink(wild(), "I-22", broken)
    assert smaller.kinds() == ["kill_at_step", "poison", "stall"]
    assert [kill.life for kill in smaller.kills] == [3]
    assert smaller.safety_steps < 200
    assert not smaller.shuffles


def test_another_promise_is_another_bug() -> None:
    def broken(scenario: Scenario) -> str | None:
        return "I-22" if len(scenario.dials) == len(DIALS) else "I-05"

    assert len(shrink(wild(), "I-22", broken).dials) == len(DIALS)


def test_a_scenario_that_breaks_whatever_is_in_it_ends_as_a_calm_one() -> None:
    assert shrink(wild(), "I-22", lambda scenario: "I-22").kinds() == []
