# SPDX-License-Identifier: Apache-2.0
"""The simulator finds every planted bug: one patch, a few seeds, and the promise it breaks."""

from __future__ import annotations

import pytest

from hean.sim.run import Trial
from sim.bugs import BUGS, Bug

SEEDS = 40  # within these every bug must show


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    for seed in range(1, SEEDS + 1):
        broken = Trial(bug.scene(seed)).run().broken
        if broken is not None:
            assert broken.name in bug.promises, broken
            return
    raise AssertionError(f"{bug.name}: not noticed in {SEEDS} seeds")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_without_the_bug_its_scene_is_clean(bug: Bug) -> None:
    outcome = Trial(bug.scene(1)).run()
    assert outcome.broken is None, outcome.broken


def test_the_bank_is_large_enough() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 25
