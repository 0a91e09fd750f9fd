# SPDX-License-Identifier: Apache-2.0
"""Real processes are killed, really: `hean live` trades at twins and dies by SIGKILL at random
moments, again and again, and the twins' ledgers say what became of its orders. `HEAN_CRASH_KILLS`
says how often; `make crash` does the same with figures.
"""

from __future__ import annotations

import os

import pytest

from crash.cells import CELLS, Outcome, crash_all, short_folder, total

pytestmark = pytest.mark.server

KILLS = int(os.environ.get("HEAN_CRASH_KILLS", "100"))
SEED = int(os.environ.get("HEAN_CRASH_SEED", "1"))


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    with short_folder() as folder:
        found = crash_all(folder, KILLS, SEED, lambda name, count: None)
    print(total(found))
    return {outcome.name: outcome for outcome in found}


@pytest.mark.parametrize("name", [" ".join(cell) for cell in CELLS])
def test_no_order_and_no_fill_is_lost_or_doubled(outcomes: dict[str, Outcome], name: str) -> None:
    """Each order of the venue's ledger left once, approved once, with the same terms; executions,
    positions and open orders are equal; nothing is unresolved; the kill switch never fell; and two
    starts in which nothing happens have the state that the journal gives, folded twice.
    """
    outcome = outcomes[name]
    assert outcome.problems == []
    assert outcome.figures["orders_created"] > 0


def test_all_deaths_were_real(outcomes: dict[str, Outcome]) -> None:
    figures = total(list(outcomes.values()))
    assert figures["kills"] == KILLS
    assert figures["kills_by_moment"]["recovering"] > 0
    assert figures["fills"] > 0
