# SPDX-License-Identifier: Apache-2.0
"""`stopping.py`: what FLATTEN and LOCKED do in a run without a trading process: the kill switch and
the closing of positions, the very modules of live trading. Nobody releases it here, so a run that
was stopped stays stopped to its end, as an account would whose owner is away.
"""

from __future__ import annotations

from collections.abc import Sequence

from hean.core.module import Module, on
from hean.core.types import Event, EventType, Timer
from hean.risk.flatten import Flatten
from hean.risk.killswitch import KillSwitch
from hean.system import TradingSystem

ACCOUNT = "simulated"
LOOK_NS = 1_000_000_000  # as long as the first refusal of an order holds the closing up
TIMER = "stopping.look"


class Lookout(Module):
    """Has *closers* look around from the first stop on until nothing is held; where there is a
    trading process, it does so.
    """

    name = "lookout"
    truth = True

    def __init__(self, closers: Sequence[Flatten]) -> None:
        self._closers = closers
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
        for each in self._closers:
            each.look(now_ns)
        if not self._is_waiting and not all(each.is_flat for each in self._closers):
            self._is_waiting = True
            self.context.clock.call_at(now_ns + LOOK_NS, Timer(TIMER))


def stop_by_losses(system: TradingSystem) -> None:
    """Let the loss states of *system*, if it has any, stop it. Each strategy's positions are closed
    in its own name, so that it sees the fills.
    """
    if system.drawdown is None:
        return
    engine, rules = system.engine, system.governor.instruments
    closers = [
        Flatten(
            engine,
            {symbol: rules[symbol] for symbol in each.symbols},
            reference=system.governor.reference,
            strategy_id=each.name,
        )
        for each in system.strategies
    ]
    for module in (KillSwitch(engine, rules, account_id=ACCOUNT), *closers, Lookout(closers)):
        system.add(module)
