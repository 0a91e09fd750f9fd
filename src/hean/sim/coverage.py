# SPDX-License-Identifier: Apache-2.0
"""`coverage.py`: which fault met which state of an order. A cell that stays empty over many seeds
is a combination nobody has tried.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hean.twin.faults.act import Act

if TYPE_CHECKING:
    from hean.sim.run import Trial

STATES = ("INTENT", "SENT", "WORKING", "PARTIAL", "UNKNOWN", "QUARANTINE")
NONE = "none"


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
