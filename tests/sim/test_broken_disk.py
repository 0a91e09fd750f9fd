# SPDX-License-Identifier: Apache-2.0
"""A disk that fails ends the process, also while a person waits for an answer to a command."""

from __future__ import annotations

from hean.sim.disk import DiskFaults
from hean.sim.run import Trial
from hean.sim.scenario import Order
from sim.bank import busy

SEED = 6  # the disk fails while a stop is on the bus
STOPS = tuple(
    Order(0.5 + 0.05 * number, "kill", {"level": "HALT_NEW", "reason": "an exercise"})
    for number in range(100)
)


def test_who_waits_for_an_answer_does_not_keep_a_process_from_ending() -> None:
    """The journal takes no more rows, so the bus delivers no more, and the stop is not taken."""
    disk = DiskFaults(error_fraction=0.02)
    outcome = Trial(busy("takers", orders=STOPS, disk=disk)(SEED)).run()
    assert outcome.broken is None
    assert outcome.exits
    assert all(why.startswith("JournalWriteFailed") for why in outcome.exits)
