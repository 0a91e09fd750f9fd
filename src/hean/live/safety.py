# SPDX-License-Identifier: Apache-2.0
"""`safety.py`: everything of a trading process that can say no, put together: kill switch with its
triggers and the closing of positions, the live gate, the second copy of the latch. It is asked for
every order at the last hop, and looks around ten times a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hean.core.types import Error, Event, KillswitchReleased, KillswitchTriggered
from hean.live.latch import Latch
from hean.live.settings import LiveSettings
from hean.risk.directives import Directives
from hean.risk.drawdown import Baseline
from hean.risk.flatten import Flatten
from hean.risk.killswitch import KillSwitch
from hean.risk.levels import Latched, stricter
from hean.risk.live_gate import Configured, LiveGate
from hean.risk.protection import Protection
from hean.risk.triggers import Triggers
from hean.system import TradingSystem

LOOK_S = 0.1


class Safety:
    """*largest*: market order the venue takes, by symbol; *settle_asset*: of the margin, empty on
    spot.
    """

    def __init__(
        self,
        system: TradingSystem,
        settings: LiveSettings,
        latch: Latch,
        *,
        account_id: str,
        configured: Configured,
        largest: Mapping[str, Decimal],
        settle_asset: str,
    ) -> None:
        engine, governor = system.engine, system.governor
        self.killswitch = KillSwitch(engine, governor.instruments, account_id=account_id)
        self.triggers = Triggers(
            engine,
            equity=system.portfolio.equity,
            limits=settings.kill_limits,
            settle_asset=settle_asset,
        )
        self.flatten = Flatten(
            engine,
            governor.instruments,
            reference=governor.reference,
            largest=largest,
            owners=system.owners,
        )
        self.protection = Protection(engine, strategy_id=system.strategy.name)
        self.gate = LiveGate(role=settings.role, account_id=account_id)
        self.directives = Directives(governor, settings.account.hard_limits)
        parts = (
            self.killswitch, self.triggers, self.flatten, self.protection, self.gate,
            self.directives,
        )  # fmt: skip
        for module in parts:
            system.add(module)
        self.drawdown = system.drawdown
        self.gate.configure(configured)
        self.latch = latch
        self._system = system

    def restore(self, journaled: Latched, baseline: Baseline | None = None) -> None:
        """Go on at the stricter level of journal and file, and with the losses so far. A level that
        only the file holds is told, so that the journal has it from now on.
        """
        self.triggers.restore(baseline)
        if self.drawdown is not None:
            self.drawdown.baseline = baseline
        latched = stricter(journaled, self.latch.load())
        self.killswitch.restore(latched)
        self.gate.know_level(latched.level)
        if latched.level != journaled.level:
            account_id = self.killswitch.account_id
            self._system.bus.emit(
                KillswitchTriggered(
                    latched.reason, latched.since_ns, latched.level, account_id, latched.actor
                )
            )

    def objection(self, is_reduction: bool) -> str:
        """Why an order may not leave at this moment; empty if it may."""
        why = self.killswitch.objection(is_reduction)
        return why or ("" if is_reduction else self.gate.why)

    def look(self, now_ns: int, ticks_ns: int) -> None:
        """What has taken too long, and what is still to be closed. *ticks_ns*: of the steady
        time.
        """
        self.triggers.look(now_ns)
        if self.drawdown is not None:
            self.drawdown.look(now_ns)
        self.flatten.look(now_ns)
        self.protection.look(ticks_ns)

    def follow(self, event: Event) -> None:
        """A change of level is in the journal: keep it in the file too. That this fails is told;
        the journal alone is enough.
        """
        fact = event.data
        if isinstance(fact, KillswitchTriggered | KillswitchReleased):
            try:
                self.latch.follow(fact)
            except OSError as error:
                text = f"{self.latch.path}: the second copy of the latch was not written: {error}"
                self._system.bus.emit(Error("latch", text, event.ts_ns, event.seq))
