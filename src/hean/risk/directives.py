# SPDX-License-Identifier: Apache-2.0
"""`directives.py`: what people change while it runs. A strategy that is switched off opens nothing
more and takes back what it has resting, but its exits and protective stops go on; hard limits take
effect with the next order. Both come as `COMMAND` and so are in the journal. It judges nobody's
right to ask: the door they came through has.
"""

from __future__ import annotations

from typing import Any

from hean.core.module import Module, on
from hean.core.types import CancelRequest, Command, Error, Event, EventType, OrderRequest
from hean.errors import HeanError
from hean.risk.risk_governor import RiskGovernor


class Directives(Module):
    """*limits*: hard limits in force by name, as text; `None` is off."""

    name = "directives"
    truth = True
    produces = (EventType.CANCEL_REQUEST, EventType.ERROR)

    def __init__(self, governor: RiskGovernor, limits: dict[str, Any]) -> None:
        self.limits = dict(limits)
        self.disabled: dict[str, str] = {}
        """Who switched a strategy off, by its name."""
        self._governor = governor
        governor.add_check(self.objection, name=self.name)

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
        strategy = str(command.arguments.get("strategy", ""))
        match command.verb:
            case "enable":
                self.disabled.pop(strategy, None)
            case "disable":
                self._disable(strategy, command.actor)
            case "limits":
                self._change(command.arguments, event.ts_ns)

    def _disable(self, strategy: str, actor: str) -> None:
        self.disabled[strategy] = actor
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
