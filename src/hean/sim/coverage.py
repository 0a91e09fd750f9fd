# SPDX-License-Identifier: Apache-2.0
"""`coverage.py`: which fault met which state of an order. A cell that stays empty over many seeds
is a combination nobody has tried; a few cannot occur, and `NEVER` says why.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hean.sim.recipes import DIALS
from hean.twin.faults.act import Act

if TYPE_CHECKING:
    from hean.sim.run import Trial

STATES = ("INTENT", "SENT", "WORKING", "PARTIAL", "UNKNOWN", "QUARANTINE")
NONE = "none"
OWN = frozenset({"net_slow", "disk_slow", "disk_error", "death"})
"""What happens to the process within one of its steps."""
WORLDLY = OWN | {"net_refused", "net_cut", "net_mute", "clock", "order"}
KINDS = tuple(sorted(DIALS.keys() | WORLDLY))
"""Every fault that is drawn: a row each, whether it ever acted or not."""
NEVER: tuple[tuple[frozenset[str], frozenset[str], str], ...] = (
    (
        frozenset(KINDS) - OWN,
        frozenset({"INTENT"}),
        "an order is approved and sent within a step of the process; so are only these faults",
    ),
)
"""Kinds, states, and why they never meet."""


def why_never(kind: str, state: str) -> str:
    """Why this fault cannot meet an order in this state; empty if it can."""
    return next((why for kinds, states, why in NEVER if kind in kinds and state in states), "")


class Coverage:
    """The table of one run. *cells*: (fault kind, state) to how often."""

    def __init__(self, trial: Trial) -> None:
        self.cells: Counter[tuple[str, str]] = Counter()
        self._trial = trial
        faults = trial.exchange.faults
        note = faults.note

        def noted(act: Act, **facts: Any) -> None:
            note(act, **facts)
            self.met(act.setting.dial.name)

        faults.note = noted  # type: ignore[method-assign]  # the board has no listeners

    def met(self, kind: str) -> None:
        """A fault happens now."""
        for state in self._states():
            self.cells[kind, state] += 1

    def _states(self) -> tuple[str, ...]:
        engine = self._trial.engine
        if engine is None or not engine.is_ready:
            return (NONE,)
        found = {str(order["status"]) for order in engine.system.engine.open_orders()}
        return tuple(sorted(found)) or (NONE,)


def rows_of(cells: Counter[tuple[str, str]]) -> list[tuple[str, list[int]]]:
    """Fault kind by state of an order, how often they met; the last column is no order at all."""
    return [(kind, [cells[kind, state] for state in (*STATES, NONE)]) for kind in KINDS]


def empty_of(cells: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """What can meet and never did."""
    every = [(kind, state) for kind in KINDS for state in STATES]
    return [cell for cell in every if not cells[cell] and not why_never(*cell)]


def wrong_of(cells: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """What met although `NEVER` says that it cannot, or has no row."""
    return sorted(cell for cell in cells if cell[0] not in KINDS or why_never(*cell))
