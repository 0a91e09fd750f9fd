# SPDX-License-Identifier: Apache-2.0
"""`lifecycle.py`: the states of a process and the moves between them. Capital is put at risk step
by step: watched without money, then with a little, then with what it has earned; and it never
vanishes, it is drained first.
"""

from __future__ import annotations

from enum import StrEnum

from hean.errors import StateError


class State(StrEnum):
    """How far a process is trusted."""

    DRAFT = "DRAFT"  # proposed; does nothing
    SHADOW = "SHADOW"  # works on pretended fills
    PROBATION = "PROBATION"  # shares the small budget of what is on trial
    LIVE = "LIVE"  # has what routing gives it
    DRAINING = "DRAINING"  # closes what it holds and gives its capital back
    CLOSED = "CLOSED"  # has nothing and does nothing


MOVES: dict[State, tuple[State, ...]] = {
    State.DRAFT: (State.SHADOW, State.CLOSED),
    State.SHADOW: (State.PROBATION, State.CLOSED),
    State.PROBATION: (State.LIVE, State.DRAINING),
    State.LIVE: (State.DRAINING,),
    State.DRAINING: (State.CLOSED,),
    State.CLOSED: (),
}
"""Where each state may go."""
LADDER = (State.DRAFT, State.SHADOW, State.PROBATION, State.LIVE)
"""Trust, from none to all of it."""
ROUTED = State.LIVE
"""The state with as much capital as routing finds best."""
AT_WORK = frozenset({State.PROBATION, State.LIVE})
"""States that capital is given to."""
FUNDED = AT_WORK | {State.DRAINING}
"""States with money of the account."""


class MoveRefused(StateError):
    """A process may not go from its state to another. Reaction: leave it where it is, tell."""

    code = 6106


def moved(name: str, before: State, after: str) -> State:
    """The state after a move. *Raises*: `MoveRefused` naming the process, the move, and what is
    allowed.
    """
    allowed = ", ".join(MOVES[before]) or "nothing: it is over"
    if after not in MOVES[before]:
        raise MoveRefused(f"process {name}: {before} to {after} is no move; allowed: {allowed}.")
    return State(after)


def way_to(goal: State) -> tuple[State, ...]:
    """The moves from DRAFT up to *goal*, a state of the `LADDER`, each once."""
    return LADDER[1 : LADDER.index(goal) + 1]
