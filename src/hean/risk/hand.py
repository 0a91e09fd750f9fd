# SPDX-License-Identifier: Apache-2.0
"""`hand.py`: a person's hand on a session that has no venue of its own to ask: the kill switch, the
closing of positions and the switches of live trading, and the facts that a person's wish is made
of. Whatever is added here acts on events alone, so that a replay does the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from hean._core import Ledger
from hean.core.module import Module, on
from hean.core.types import Command, Event, EventType, Payload, Reconcile, Timer
from hean.risk.directives import Directives
from hean.risk.flatten import Flatten
from hean.risk.killswitch import KillSwitch
from hean.risk.levels import FLATTEN
from hean.risk.risk_governor import RiskGovernor

LOOK_NS = 1_000_000_000  # while positions are being closed
TIMER = "hand.look"


class Hand(Module):
    """*limits*: hard limits in force; *account_id*: part of the phrase that releases the kill
    switch; *owners*: by symbol, who counts the fills when positions are closed.
    """

    name = "hand"
    truth = True

    def __init__(
        self,
        governor: RiskGovernor,
        ledger: Ledger,
        *,
        limits: dict[str, str],
        account_id: str,
        owners: Mapping[str, str],
    ) -> None:
        engine, instruments = governor.engine, governor.instruments
        self.killswitch = KillSwitch(engine, instruments, account_id=account_id)
        self.flatten = Flatten(engine, instruments, reference=governor.reference, owners=owners)
        self.directives = Directives(governor, limits)
        self.modules: tuple[Module, ...] = (self.killswitch, self.flatten, self.directives, self)
        """To be added in this order."""
        self._engine = engine
        self._ledger = ledger
        self._symbols = tuple(instruments)
        self.flatten.look(0)

    def release(self, phrase: str, reason: str, actor: str) -> tuple[Payload, ...]:
        """The facts of a release: how the two books compare, and the wish."""
        wish = Command("release", {"phrase": phrase, "reason": reason}, actor)
        return self.compared(), wish

    def compared(self) -> Reconcile:
        """Whether order engine and ledger hold the same. No venue could disagree with both."""
        differences = []
        for symbol in self._symbols:
            ours, booked = self._engine.position(symbol), self._ledger.position(symbol)[0]
            if ours != booked:
                differences.append(
                    f"{symbol}: the order engine has {ours:f}, the ledger {booked:f}."
                )
        return Reconcile(not differences, tuple(differences), account=self.killswitch.account_id)

    @on(EventType.KILLSWITCH_TRIGGERED)
    def on_triggered(self, event: Event) -> None:
        """What cannot be closed at once is tried again."""
        if event.data.level == FLATTEN:
            self._look_later(event.ts_ns)

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """Try again until nothing is held."""
        if event.data.name == TIMER and self._engine.halt_level == FLATTEN:
            self.flatten.look(event.ts_ns)
            if not self.flatten.is_flat:
                self._look_later(event.ts_ns)

    def _look_later(self, now_ns: int) -> None:
        self.context.clock.call_at(now_ns + LOOK_NS, Timer(TIMER))
