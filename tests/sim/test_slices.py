# SPDX-License-Identifier: Apache-2.0
"""Sliced orders in a world where everything goes wrong: whatever the venue, the network, the disk
and the deaths of the process do, the slices that left are never more than their order.
"""

from __future__ import annotations

from msgspec.structs import replace

from hean.core.types import EventType
from hean.execution.desk import AlgoDesk
from hean.sim.books import JournalBooks
from hean.sim.draws import draw
from hean.sim.run import Trial
from hean.sim.scenario import Kill
from sim.bank import busy

SEEDS = range(1, 9)
STEPS = 1_000


def test_slices_never_exceed_their_order_whatever_goes_wrong():
    changes = {"workload": "slices", "pace": 1.0, "safety_steps": STEPS}
    outcomes = [Trial(replace(draw(seed), **changes)).run() for seed in SEEDS]
    assert [(o.seed, o.broken) for o in outcomes if o.broken] == []
    assert sum(outcome.fills > 0 for outcome in outcomes) > len(outcomes) / 2


def test_in_a_calm_world_parents_are_worked_and_end():
    outcome = Trial(busy("slices")(1)).run()
    assert outcome.broken is None
    assert outcome.fills > 20


def test_a_death_ends_parents_and_their_slices_are_asked_back():
    kills = tuple(Kill(life, 400, False, 2.0) for life in (1, 2, 3))
    outcome = Trial(busy("slices", kills=kills)(2)).run()
    assert outcome.broken is None
    assert outcome.lives == 4
    assert outcome.fills > 10


def test_a_desk_that_counts_wrong_cannot_make_the_engine_send_too_much(monkeypatch):
    """Method: the desk believes that everything is always free; the engine has the last word."""
    view = AlgoDesk._view

    def greedy(self, job, parent):
        seen = view(self, job, parent)
        return replace(seen, free=job.lots)

    monkeypatch.setattr(AlgoDesk, "_view", greedy)
    outcome = Trial(busy("slices", safety_steps=4_000)(3)).run()
    assert outcome.broken is None
    assert outcome.fills > 10


def test_slices_that_are_more_than_their_order_are_caught(monkeypatch):
    """Method: the journal is told of a smaller order than was approved."""
    fact = JournalBooks._fact

    def halves(self, record):
        fact(self, record)
        if record.kind == EventType.ORDER_APPROVED:
            approved = record.fact()
            if approved.algo is not None:
                self.approvals[approved.order_id] = replace(approved, size=approved.size / 2)

    monkeypatch.setattr(JournalBooks, "_fact", halves)
    outcome = Trial(busy("slices")(1)).run()
    assert outcome.broken is not None
    assert "approved" in outcome.broken.what
