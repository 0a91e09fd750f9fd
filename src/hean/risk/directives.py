# SPDX-License-Identifier: Apache-2.0
"""`directives.py`: what people change while it runs. A strategy that is switched off opens nothing
more and takes back what it has resting, but its exits and protective stops go on; hard limits take
effect with the next order. Both come as `COMMAND` and so are in the journal. It judges nobody's
right to ask: the door they came through has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hean._core import OrderEngine
from hean.core.module import Module, on
from hean.core.types import CancelRequest, Command, Error, Event, EventType, OrderRequest
from hean.errors import HeanError
from hean.risk.risk_governor import RiskGovernor

ENABLE, DISABLE, LIMITS = VERBS = ("enable", "disable", "limits")
Limits = Mapping[str, str | None]


class Wishes:
    """What people have said so far. *limits*: hard limits by name, as text; `None` is off."""

    def __init__(self) -> None:
        self.limits: dict[str, str | None] = {}
        self.disabled: dict[str, str] = {}
        """Who switched a strategy off, by its name."""

    def hear(self, command: Command) -> None:
        """One more wish; limits that nobody understands are none."""
        strategy = str(command.arguments.get("strategy", ""))
        match command.verb:
            case "enable":
                self.disabled.pop(strategy, None)
            case "disable":
                self.disabled[strategy] = command.actor
            case "limits":
                with suppress(HeanError):
                    check_limits(command.arguments)
                    self.limits.update(command.arguments)

    def tighter(self, limits: Limits) -> dict[str, str | None]:
        """The limits of these that allow less than *limits*."""
        return {
            name: value
            for name, value in self.limits.items()
            if slack(name, value) < slack(name, limits.get(name))
        }


class Directives(Module):
    """*limits*: hard limits in force by name, as text; `None` is off."""

    name = "directives"
    truth = True
    produces = (EventType.CANCEL_REQUEST, EventType.ERROR)

    def __init__(self, governor: RiskGovernor, limits: Limits) -> None:
        self.limits = dict(limits)
        self._wishes = Wishes()
        self._governor = governor
        governor.add_check(self.objection, name=self.name)

    @property
    def disabled(self) -> dict[str, str]:
        """Who switched a strategy off, by its name."""
        return self._wishes.disabled

    def restore(self, wishes: Wishes) -> None:
        """Go on with what people said to an earlier process: a strategy that is off stays off, a
        limit that was lowered stays so. One that was raised is what the settings say again.
        """
        self._wishes.disabled |= wishes.disabled
        kept = wishes.tighter(self.limits)
        if kept:
            self._governor.engine.set_limits(kept)
            self.limits |= kept

    def resume(self) -> None:
        """Take back what strategies that are off have resting: the process may have died in the
        middle of it.
        """
        for strategy in self.disabled:
            self._take_back(strategy)

    def objection(self, request: OrderRequest) -> str | None:
        """Why a request may not pass: its strategy is off, and it would open or add."""
        actor = self.disabled.get(request.strategy_id)
        if actor is None or request.reduce_only:
            return None
        return f"{request.strategy_id} was switched off by {actor}; it may only reduce."

    @on(EventType.COMMAND)
    def on_command(self, event: Event) -> None:
        """Carry out what is ours to carry out."""
        command: Command = event.data
        if command.verb == LIMITS:
            self._change(command.arguments, event.ts_ns)
            return
        self._wishes.hear(command)
        if command.verb == DISABLE:
            self._take_back(str(command.arguments.get("strategy", "")))

    def _take_back(self, strategy: str) -> None:
        for order in self._governor.engine.open_orders():
            if order["strategy_id"] == strategy and not order["reduce_only"]:
                order_id = order["client_order_id"]
                self.context.emit(CancelRequest(order_id, order["symbol"], "strategy switched off"))

    def _change(self, limits: dict[str, Any], now_ns: int) -> None:
        try:
            self._governor.engine.set_limits(limits)
        except HeanError as error:
            self.context.emit(Error(self.name, f"limits not changed: {error.message}", now_ns))
            return
        self.limits.update(limits)


def check_limits(limits: Limits) -> None:
    """*Raises*: `UnknownField` for a name that no limit has, another `HeanError` for a value that
    is none: those who know the names and values are asked.
    """
    OrderEngine([], limits, unlimited=True)


def slack(name: str, value: str | None) -> float:
    """How much a limit lets pass, in its own unit; a limit that is off lets everything pass."""
    if value is None:
        return math.inf
    if name == "refuse_self_cross":
        return 0.0 if value == "true" else 1.0
    return float(value)
