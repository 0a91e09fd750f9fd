# SPDX-License-Identifier: Apache-2.0
"""Bugs about what must not leave, planted on purpose: the kill switch, the limits, old data, the
venue's wish for silence. Each is one function that patches the product until the patch is undone;
its sentence names the failure that it brings back.
"""

from __future__ import annotations

from decimal import Decimal
from functools import wraps
from typing import Any

import msgspec
import pytest

from hean.core.types import Event, EventType, KillswitchReleased, OrderRequest, OrderType
from hean.feeds.freshness import Topic
from hean.live.latch import Latch
from hean.live.recorder import Recorder
from hean.live.safety import Safety
from hean.net.budget import Budget
from hean.risk import killswitch
from hean.risk.killswitch import KillSwitch
from hean.risk.live_gate import LiveGate
from hean.risk.risk_governor import RiskGovernor
from hean.system import AccountSettings, TradingSystem
from hean.venues.sweep import Sweep

Patch = pytest.MonkeyPatch


# ---------------------------------------------------------------- the kill switch


def kill_is_only_in_memory(patch: Patch) -> None:
    """The level of the kill switch is neither in the journal nor in the file."""
    tap = Recorder.tap

    def without(self: Recorder, event: Event) -> None:
        if event.event_type is not EventType.KILLSWITCH_TRIGGERED:
            tap(self, event)

    patch.setattr(Recorder, "tap", without)
    patch.setattr(Latch, "raise_to", lambda self, latched: None)


def kill_is_lost_at_restart(patch: Patch) -> None:
    """A new process trades although its predecessor was stopped."""
    restore = Safety.restore

    def forgetful(self: Safety, journaled: Any, baseline: Any = None) -> None:
        self.latch.load = lambda: type(journaled)()  # type: ignore[method-assign]
        restore(self, type(journaled)(), baseline)
        self._system.engine.release_halt()

    patch.setattr(Safety, "restore", forgetful)


def kill_ends_by_itself(patch: Patch) -> None:
    """Books that agree let trading go on, without a person."""
    reconcile = KillSwitch.on_reconcile

    @wraps(reconcile)
    def eager(self: KillSwitch, event: Event) -> None:
        reconcile(self, event)
        if event.data.clean and self.level != "RUN":
            self.engine.release_halt()
            self._door, self._why = "RUN", ""

    patch.setattr(KillSwitch, "on_reconcile", eager)


def kill_is_released_by_itself(patch: Patch) -> None:
    """Books that agree release the kill switch, in all form, without a person."""
    reconcile = KillSwitch.on_reconcile

    @wraps(reconcile)
    def eager(self: KillSwitch, event: Event) -> None:
        reconcile(self, event)
        if event.data.clean and self.level != "RUN":
            reason = "the books agree again"
            fact = KillswitchReleased(reason, event.ts_ns, "auto:reconcile", self.account_id)
            self.context.emit(fact)

    patch.setattr(KillSwitch, "on_reconcile", eager)


def any_phrase_releases(patch: Patch) -> None:
    """The kill switch is released by whoever asks."""
    patch.setattr(KillSwitch, "refusals", lambda self, phrase, reason, actor, now_ns: ())


def nobody_cools_down(patch: Patch) -> None:
    """The kill switch can be released in the very second in which it was pulled."""
    patch.setattr(killswitch, "COOL_DOWN_S", 0)


def last_hop_does_not_ask(patch: Patch) -> None:
    """The kill switch is asked at the approval, and no more when the bytes leave."""
    patch.setattr(KillSwitch, "objection", lambda self, reduce_only: "")
    triggered = LiveGate.on_triggered

    @wraps(triggered)
    def deaf(self: LiveGate, event: Event) -> None:
        pass

    patch.setattr(LiveGate, "on_triggered", deaf)


def kill_is_not_heard_by_the_engine(patch: Patch) -> None:
    """The kill switch is on, and whoever approves and sends does not know."""
    patch.setattr(RiskGovernor, "on_kill_switch", lambda self, event: None)
    patch.setattr(KillSwitch, "objection", lambda self, reduce_only: "")


def open_orders_survive_cancel_all(patch: Patch) -> None:
    """CANCEL_ALL latches, and every open order stays where it is."""
    patch.setattr(KillSwitch, "_ask_back", lambda self: None)
    patch.setattr(Sweep, "start", lambda self, **given: None)


def cancel_all_takes_the_stops(patch: Patch) -> None:
    """CANCEL_ALL takes back the stops that protect open positions."""
    patch.setattr(KillSwitch, "_keeps", lambda self, order: False)


# ---------------------------------------------------------------- limits and data


def market_order_has_no_value(patch: Patch) -> None:
    """A market order carries no price, so that no limit of value stops it."""
    approve = RiskGovernor._approve

    def free(self: RiskGovernor, request: OrderRequest, order_id: str) -> int:
        if request.type is not OrderType.MARKET:
            return approve(self, request, order_id)
        reference = self.reference
        self.reference = lambda symbol: (reference(symbol) or 0.0) / 10
        try:
            return approve(self, request, order_id)
        finally:
            self.reference = reference

    patch.setattr(RiskGovernor, "_approve", free)


def limits_are_off(patch: Patch) -> None:
    """The limits of the account are never told to whoever judges."""
    make = TradingSystem.__init__

    def unlimited(self: TradingSystem, *given: Any, settings: AccountSettings, **more: Any) -> None:
        loose = msgspec.structs.replace(settings, limits={}, leverage=Decimal(1_000))
        make(self, *given, settings=loose, **more)

    patch.setattr(TradingSystem, "__init__", unlimited)


def silence_is_not_told(patch: Patch) -> None:
    """A stream that has fallen silent is never called stale."""
    patch.setattr(Topic, "lose", lambda self, reason: None)


def ban_is_ignored(patch: Patch) -> None:
    """Requests go on while the venue wants silence."""
    patch.setattr(Budget, "hold", lambda self, until_ns, is_ban: None)
    patch.setattr(Budget, "silent_ns", lambda self, now_ns, **_: 0)


def rate_limits_are_ignored(patch: Patch) -> None:
    """Nobody counts requests."""
    patch.setattr(Budget, "try_take", lambda self, kind, priority, now_ns, **_: 0)
