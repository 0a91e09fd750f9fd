# SPDX-License-Identifier: Apache-2.0
"""`recorder.py`: a module that watches a run and keeps what people ask for afterwards: equity at
regular times, every fill with the price its order was decided at. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hean.backtest.result import FillRow, RunRecord, Times, Values, round_trips
from hean.core.module import Module, on
from hean.core.timeframe import DAY_NS
from hean.core.types import Event, EventType, OrderApproved, OrderFilled, Side, Timer

TIMER = "recorder.sample"
SAMPLES_MAX = 10_000  # finer than a screen has pixels, and every divisor below is whole in a day
_STEPS_S = (1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400)


def sample_step_ns(duration_ns: int) -> int:
    """The finest regular step that keeps a run of this length below `SAMPLES_MAX` samples."""
    for step_s in _STEPS_S:
        if duration_ns / (step_s * 1_000_000_000) <= SAMPLES_MAX:
            return step_s * 1_000_000_000
    return DAY_NS


class RunRecorder(Module):
    """Keeps samples and fills.

    *value*: equity now. *exposure*: signed position value now, quote currency. *reference*: last
    price of a symbol.
    """

    name = "recorder"

    def __init__(
        self,
        step_ns: int,
        *,
        value: Callable[[], float],
        exposure: Callable[[], float],
        reference: Callable[[str], float | None],
    ) -> None:
        self.step_ns = step_ns
        self.value = value
        self.exposure = exposure
        self.reference = reference
        self.orders = 0
        self.rejected = 0
        self._samples: list[tuple[int, float, float]] = []
        self._fills: list[FillRow] = []
        self._decided: dict[str, float] = {}

    def begin(self, now_ns: int) -> None:
        """Take the first sample and ask for the rest."""
        self._sample(now_ns)
        self._again(now_ns)

    def end(self, now_ns: int) -> None:
        """Take the last sample, after everything that happened: a sample of the same moment was
        taken before its facts and is replaced."""
        if self._samples and self._samples[-1][0] >= now_ns:
            self._samples.pop()
        self._sample(now_ns)

    def take_over(
        self,
        samples: list[tuple[int, float, float]],
        fills: list[FillRow],
        *,
        orders: int,
        rejected: int,
    ) -> None:
        """Keep what a native run has measured; a sample is (ts_ns, equity, value held)."""
        self._samples.extend((ts, equity, _share(held, equity)) for ts, equity, held in samples)
        self._fills.extend(fills)
        self.orders += orders
        self.rejected += rejected

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """Sample."""
        if event.data.name == TIMER:
            self._sample(event.ts_ns)
            self._again(event.ts_ns)

    @on(EventType.ORDER_APPROVED)
    def on_approved(self, event: Event) -> None:
        """Remember the price the decision asked for: its trigger or limit, else the market's."""
        approved: OrderApproved = event.data
        self.orders += 1
        asked = approved.trigger_price or approved.price
        reference = self.reference(approved.symbol) if asked is None else float(asked)
        self._decided[approved.order_id] = reference or 0.0

    @on(EventType.ORDER_REJECTED)
    def on_rejected(self, event: Event) -> None:
        """Count refusals, whoever made them."""
        self.rejected += 1

    @on(EventType.ORDER_CANCELLED)
    def on_cancelled(self, event: Event) -> None:
        """Nothing more comes of it."""
        self._decided.pop(event.data.order_id, None)

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """Keep the fill."""
        fill: OrderFilled = event.data
        reference = self._decided.get(fill.order_id, 0.0)
        if not fill.remaining_qty:
            self._decided.pop(fill.order_id, None)
        self._fills.append(
            FillRow(
                event.ts_ns,
                fill.order_id,
                fill.symbol,
                fill.side or Side.BUY,
                fill.fill_price,
                fill.filled_qty,
                fill.fee,
                fill.liquidity,
                fill.strategy_id,
                reference,
            )
        )

    def last_fills(self, count: int) -> list[FillRow]:
        """The newest fills, newest first."""
        return self._fills[: -count - 1 : -1]

    def record(self, prices: dict[str, tuple[Times, Values]]) -> RunRecord:
        """Everything kept, as arrays and lists."""
        samples = self._samples
        return RunRecord(
            np.array([s[0] for s in samples], np.int64),
            np.array([s[1] for s in samples], np.float64),
            np.array([s[2] for s in samples], np.float64),
            self._fills,
            round_trips(self._fills),
            prices,
        )

    def _sample(self, now_ns: int) -> None:
        equity = self.value()
        held = self.exposure()
        self._samples.append((now_ns, equity, _share(held, equity)))

    def _again(self, now_ns: int) -> None:
        due_ns = (now_ns // self.step_ns + 1) * self.step_ns
        self.context.clock.call_at(due_ns, Timer(TIMER))


def _share(held: float, equity: float) -> float:
    return held / equity if equity > 0 else 0.0
