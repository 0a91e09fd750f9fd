# SPDX-License-Identifier: Apache-2.0
"""`shrink.py`: a scenario that breaks a promise is cut down as long as it breaks the same one:
faults are taken away one by one, the process dies less often, the run gets shorter. What is left is
what it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace

import msgspec

from hean.sim.scenario import Scenario

RUNS_MAX = 200  # a run takes some tenths of a second
STEPS_MIN = 100

Broken = Callable[[Scenario], str | None]
"""Runs a scenario; the name of the promise that broke."""


def shrink(scenario: Scenario, name: str, broken: Broken) -> Scenario:
    """The smallest scenario found that still breaks promise *name*."""
    runs = 0
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for smaller in _smaller(scenario):
            runs += 1
            if runs > RUNS_MAX:
                return scenario
            if broken(smaller) == name:
                scenario, is_smaller = smaller, True
                break
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Every scenario that has one thing less, the cheapest cuts first."""
    if scenario.safety_steps // 2 >= STEPS_MIN:
        yield _with(scenario, safety_steps=scenario.safety_steps // 2)
    for name in ("dials", "kills", "orders", "skews"):
        parts = getattr(scenario, name)
        if len(parts) > 1:
            yield _with(scenario, **{name: ()})
    for name in ("dials", "kills", "orders", "skews"):
        parts = getattr(scenario, name)
        for number in range(len(parts)):
            yield _with(scenario, **{name: parts[:number] + parts[number + 1 :]})
    for place in ("net", "disk"):
        faults = getattr(scenario, place)
        for field in fields(faults):
            if getattr(faults, field.name) and not field.name.endswith("_s"):
                yield _with(scenario, **{place: replace(faults, **{field.name: 0.0})})
    if scenario.net.cut_every_s:
        yield _with(scenario, net=replace(scenario.net, cut_every_s=0.0))
    if scenario.shuffles:
        yield _with(scenario, shuffles=False)


def _with(scenario: Scenario, **changes: object) -> Scenario:
    return msgspec.structs.replace(scenario, **changes)
