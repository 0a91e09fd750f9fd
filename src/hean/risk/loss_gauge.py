# SPDX-License-Identifier: Apache-2.0
"""`loss_gauge.py`: tells the order engine what has been lost, for its hard limits R30 and R31,
before each order is judged and after each fill. It judges nothing itself. Live trading has it done
by `triggers.py`, which also stops.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hean._core import Amount, OrderEngine
from hean.core.module import Module, on
from hean.core.types import Event, EventType, OrderRequest
from hean.risk.drawdown import Baseline

LIMITS = frozenset({"daily_loss_fraction_max", "drawdown_fraction_max"})


class LossGauge(Module):
    """*equity*: at the last prices; *deposits*: put in so far, which are no gain."""

    name = "loss_gauge"

    def __init__(
        self,
        engine: OrderEngine,
        *,
        equity: Callable[[], Amount],
        deposits: Callable[[], Decimal],
    ) -> None:
        self.engine = engine
        self.equity = equity
        self.deposits = deposits
        self._baseline: Baseline | None = None
        self._deposited = deposits()

    def measure(self, _request: OrderRequest) -> None:
        """Before an order is judged; it objects to none."""
        self._look(self.context.clock.now_ns)

    @on(EventType.PNL_UPDATE)
    def on_pnl(self, event: Event) -> None:
        """A peak may have been reached."""
        self._look(event.ts_ns)

    def _look(self, now_ns: int) -> None:
        equity, deposited = float(self.equity()), self.deposits()
        base = self._baseline or Baseline(-1, equity, equity)
        if deposited != self._deposited:
            base = base.moved(float(deposited - self._deposited))
            self._deposited = deposited
        self._baseline = base.seen(equity, now_ns)
        self.engine.set_loss(*self._baseline.losses(equity))
