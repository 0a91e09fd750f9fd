# SPDX-License-Identifier: Apache-2.0
"""Seeds 1 to 300 in every run of the tests: each keeps every promise, together they try the faults
that matter on orders in every state, one seed is one run wherever it is played, and the run that is
wrong on purpose is noticed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hean.sim.campaign import Totals, campaign
from hean.sim.canary import canary
from hean.sim.coverage import STATES
from hean.sim.recipes import DIALS
from hean.sim.scenario import SAFETY_STEPS
from hean.venues.dispatch import Dispatch

SEEDS = range(1, int(os.environ.get("HEAN_SIM_SEEDS", "300")) + 1)
SAMPLE = range(1, 21)  # played in two processes
OFTEN = [
    ("amnesia", "PARTIAL"),
    ("cancel_fails", "UNKNOWN"),
    ("clock", "WORKING"),
    ("death", "PARTIAL"),
    ("death", "QUARANTINE"),
    ("death", "SENT"),
    ("death", "UNKNOWN"),
    ("death", "WORKING"),
    ("fill_before_ack", "SENT"),
    ("fill_storm", "WORKING"),
    ("frame_duplicate", "SENT"),
    ("frame_duplicate", "WORKING"),
    ("frame_lost", "SENT"),
    ("net_cut", "UNKNOWN"),
    ("net_cut", "WORKING"),
    ("net_slow", "INTENT"),
    ("net_slow", "SENT"),
    ("net_slow", "UNKNOWN"),
    ("net_slow", "WORKING"),
    ("net_slow", "QUARANTINE"),
    ("private_cut", "WORKING"),
    ("public_cut", "WORKING"),
    ("rate_limited", "WORKING"),
    ("stall", "WORKING"),
    ("status_reversed", "SENT"),
]
"""Faults that meet orders in these states many times in so many seeds."""
EMPTY_MAX = 100  # of some three hundred that can occur; in ten thousand seeds none is left
TRACES = """
import sys
from hean.sim.run import Trial
from hean.sim.draws import draw
for seed in map(int, sys.argv[1:]):
    print(seed, Trial(draw(seed)).run().trace)
"""


@pytest.fixture(scope="module")
def totals() -> Totals:
    found = campaign(SEEDS, steps=SAFETY_STEPS, jobs=2)
    print(f"{'':24}", *(f"{state.lower():>10}" for state in (*STATES, "none")))
    for kind, row in found.table():
        print(f"{kind:24}", *(f"{number:10}" for number in row))
    return found


def test_every_seed_keeps_every_promise(totals: Totals) -> None:
    told = [
        f"{name}: {what}\n  again: hean sim --seed {seed} --steps {SAFETY_STEPS}"
        for seed, name, what in sorted(totals.broken)
    ]
    assert totals.seeds == len(SEEDS)
    assert not told, "\n".join(["", *told])


def test_faults_meet_orders_in_every_state(totals: Totals) -> None:
    assert [cell for cell in OFTEN if not totals.cells[cell]] == []
    assert {state for _, state in totals.cells} >= set(STATES)
    assert totals.wrong() == []
    assert len(totals.empty()) < EMPTY_MAX
    assert totals.kinds.keys() >= DIALS.keys()


def test_a_seed_is_the_same_run_in_every_process(root: Path) -> None:
    with ThreadPoolExecutor() as pool:
        one, other = pool.map(_traces, ((root, "0", "UTC"), (root, "12345", "Pacific/Chatham")))
    assert one == other
    assert len(set(one)) == len(one) == len(SAMPLE)


def _traces(place: tuple[Path, str, str]) -> list[str]:
    root, hash_seed, zone = place
    done = subprocess.run(
        [sys.executable, "-c", TRACES, *map(str, SAMPLE)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone},
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_canary_is_noticed_for_what_it_does() -> None:
    broken = canary()
    assert broken is not None
    assert broken.name in ("I-04", "I-05")


def test_another_fault_is_not_taken_for_the_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> bool:
        raise AttributeError("sent")

    monkeypatch.setattr(Dispatch, "sent", raises)
    assert canary() is None
