# SPDX-License-Identifier: Apache-2.0
"""The states of a process: every pair of them, allowed or refused by name."""

from __future__ import annotations

import itertools

import pytest

from hean.processes.lifecycle import LADDER, MOVES, MoveRefused, State, moved, way_to

ALLOWED = {
    "DRAFT SHADOW", "SHADOW PROBATION", "PROBATION LIVE", "LIVE DRAINING", "DRAINING CLOSED",
    "PROBATION DRAINING", "DRAFT CLOSED", "SHADOW CLOSED",
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), [*itertools.product(State, State)])
def test_a_move_is_allowed_or_refused_by_name(before: State, after: State) -> None:
    if f"{before} {after}" in ALLOWED:
        assert moved("carry", before, after.value) is after
        return
    with pytest.raises(MoveRefused, match=f"process carry: {before} to {after} is no move; "):
        moved("carry", before, after.value)


def test_a_word_that_is_no_state_is_refused_too() -> None:
    with pytest.raises(MoveRefused, match="LIVE to RICH is no move; allowed: DRAINING"):
        moved("carry", State.LIVE, "RICH")


def test_money_is_drained_before_a_process_is_over() -> None:
    """No state with money of the account leads straight to the end."""
    assert State.CLOSED not in MOVES[State.LIVE] + MOVES[State.PROBATION]
    assert not MOVES[State.CLOSED]


@pytest.mark.parametrize("goal", LADDER)
def test_the_way_up_is_made_of_moves(goal: State) -> None:
    state = State.DRAFT
    for step in way_to(goal):
        state = moved("carry", state, step)
    assert state is goal
