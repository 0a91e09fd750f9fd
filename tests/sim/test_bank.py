# SPDX-License-Identifier: Apache-2.0
"""Is the simulator worth its verdict? Every bug of the bank, planted while a seed is run, must
break one of the promises that stand beside it; the same seed without the bug must break none.
"""

from __future__ import annotations

import pytest

from hean import errors
from hean.sim.run import Outcome
from sim.bank import SEEDS, Bug
from sim.bugs import BANK

BUGS_MIN = 25  # of the issue


@pytest.mark.parametrize("bug", BANK, ids=lambda bug: bug.name)
def test_planted_bug_is_caught_by_its_promise(bug: Bug) -> None:
    for seed in range(1, SEEDS + 1):
        outcome = bug.run(seed)
        broken = outcome.broken
        if broken is not None:
            assert broken.name in bug.promises, f"seed {seed}: {broken}"
            assert not crashes(outcome), "the patch itself fails, which proves nothing"
            assert bug.run(seed, planted=False).broken is None
            return
    pytest.fail(f"{SEEDS} seeds and nobody noticed: {bug.plant.__doc__}")


def crashes(outcome: Outcome) -> list[str]:
    """Ends of a process for no reason that the engine knows."""
    return [why for why in outcome.exits if not hasattr(errors, why.partition(":")[0])]


def test_bank_is_large_and_every_bug_says_what_it_brings_back() -> None:
    assert len({bug.name for bug in BANK}) == len(BANK) >= BUGS_MIN
    assert all(bug.plant.__doc__ for bug in BANK)
