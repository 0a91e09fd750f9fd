# SPDX-License-Identifier: Apache-2.0
"""`stopping.py`: what FLATTEN and LOCKED do in a run without a trading process: the kill switch and
the closing of positions, the very modules of live trading. Nobody releases it here, so a run that
was stopped stays stopped to its end, as an account would whose owner is away.
"""

from __future__ import annotations

from hean.core.module import Module, on
from hean.core.types import Event, EventType, Timer
from hean.risk.flatten import Flatten
from hean.risk.killswitch import KillSwitch
from hean.system import TradingSystem

ACCOUNT = "simulated"
LOOK_NS = 1_000_000_000  # as long as the first refusal of an order holds the closing up
TIMER = "stopping.look"


class Lookout(Module):
    """Has *closer* look around from the first stop on until nothing is held; where there is a
    trading process, it does so.
    """

    name = "lookout"
    truth = True

    def __init__(self, closer: Flatten) -> None:
        self._closer = closer
        self._is_waiting = False

    @on(EventType.KILLSWITCH_TRIGGERED)
    def on_triggered(self, event: Event) -> None:
        """Begin."""
        self._look(event.ts_ns)

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """Go on."""
        if event.data.name == TIMER:
            self._is_waiting = False
            self._look(event.ts_ns)

    def _look(self, now_ns: int) -> None:
        self._closer.look(now_ns)
        if not self._is_waiting and not self._closer.is_flat:
            self._is_waiting = True
            self.context.clock.call_at(now_ns + LOOK_NS, Timer(TIMER))


def stop_by_losses(system: TradingSystem) -> None:
    """Let the loss states of *system*, if it has any, stop it. Positions are closed in the name of
    whose they are, who so sees the fills.
    """
    if system.drawdown is None:
        return
    engine, rules = system.engine, system.governor.instruments
    reference = system.governor.reference
    closer = Flatten(engine, rules, reference=reference, owners=system.owners)
    for module in (KillSwitch(engine, rules, account_id=ACCOUNT), closer, Lookout(closer)):
        system.add(module)
