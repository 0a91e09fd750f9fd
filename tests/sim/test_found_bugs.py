# SPDX-License-Identifier: Apache-2.0
"""What the simulator has found once it finds again."""

from __future__ import annotations

import pytest

from sim.bank import Bug
from sim.found_bugs import FOUND

SEEDS = 8  # as of the bank


@pytest.mark.parametrize("bug", FOUND, ids=lambda bug: bug.name)
def test_a_bug_that_was_found_is_found_again(bug: Bug) -> None:
    for seed in range(1, SEEDS + 1):
        broken = bug.run(seed).broken
        if broken is not None:
            assert broken.name in bug.promises, f"seed {seed}: {broken}"
            assert bug.run(seed, planted=False).broken is None
            return
    pytest.fail(f"{SEEDS} seeds and nobody noticed: {bug.plant.__doc__}")
