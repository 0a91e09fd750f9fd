# SPDX-License-Identifier: Apache-2.0
"""HEAN's side of the backtest jobs: a plain Python strategy on the event tier, with everything in
between that live trading has: bus, governor, hard limits (wide, but judged), tickets, router,
venue, order records and ledger. No latency, no slippage.
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import numpy as np

import jobs
from hean._core import Instrument
from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.driver import run_simulated
from hean.core.module import on
from hean.core.types import Event, EventType, Side
from hean.strategies.base import Strategy
from hean.system import AccountSettings, TradingSystem
from hean.venues.sim import SimulatedVenue

SYMBOL = "BTCUSDT"
ONE = Decimal(1)
AT_ONCE = LatencyModel("constant", (0.0,))
WIDE = {
    "order_value_max": "100000000",
    "position_value_max": "100000000",
    "gross_value_max": "100000000",
    "leverage_max": "100",
    "open_orders_max": "100000",
    "orders_per_second_max": "100000",
    "duplicate_window_ns": "0",
    "daily_loss_fraction_max": "1",
    "drawdown_fraction_max": "1",
}
FAST_SHARE = 2.0 / (jobs.FAST + 1)
SLOW_SHARE = 2.0 / (jobs.SLOW + 1)


class Cross(Strategy):
    """Long while the fast average is not below the slow one."""

    name = "cross"

    def __init__(self, symbols: tuple[str, ...]) -> None:
        super().__init__(symbols)
        self.fast = self.slow = 0.0
        self.seen = self.fills = 0
        self.is_long = False
        self.entry_fee = Decimal(0)

    def step(self, price: float) -> None:
        """One more price."""
        self.seen += 1
        if self.seen == 1:
            self.fast = self.slow = price
            return
        self.fast = fast = FAST_SHARE * price + (1 - FAST_SHARE) * self.fast
        self.slow = slow = SLOW_SHARE * price + (1 - SLOW_SHARE) * self.slow
        if self.seen < jobs.SLOW:
            return
        if fast >= slow:
            if not self.is_long:
                self.is_long = True
                self.enter(SYMBOL, Side.BUY, size=ONE)
        elif self.is_long:
            self.is_long = False
            self.leave(SYMBOL)

    def on_fill(self, event: Event) -> None:
        """Count, and remember the fee of an entry that may stay open."""
        self.fills += 1
        self.entry_fee = event.data.fee if event.data.side is Side.BUY else Decimal(0)


class BarCross(Cross):
    """On closes."""

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """A finished bar."""
        self.step(event.data.close)


class TickCross(Cross):
    """On the middle of quotes."""

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """A quote."""
        quote = event.data
        self.step((quote.bid + quote.ask) / 2)


def frozen(*columns: Any) -> list[Any]:
    """Contiguous and read-only, as the core wants what it borrows."""
    for column in columns:
        column.setflags(write=False)
    return list(columns)


def feed(core: Any, job: str, rows: int) -> None:
    """Hand the job's data to a venue that lists the symbol."""
    if job == "a":
        ts, *columns = jobs.bars(rows)
        opened_at, *five = frozen(ts - jobs.BAR_NS, *columns)
        core.add_candles(SYMBOL, "1m", jobs.BAR_NS, opened_at, 1, five)
    else:
        ts, bid, ask = jobs.ticks(rows)
        plenty = np.full(rows, 100.0)
        times, *four = frozen(ts, bid, plenty, ask, plenty.copy())
        core.add_quotes(SYMBOL, times, 1, four)


def event_tier(job: str, rows: int) -> dict[str, Any]:
    """Play a job through the whole path; seconds are those of the loop alone."""
    began = time.perf_counter()
    assumptions = Assumptions(entry=AT_ONCE, response=AT_ONCE, half_spread=0.0, impact=0.0)
    instrument = Instrument(SYMBOL, "linear", "0.1", "0.001")
    settings = AccountSettings(cash=Decimal(jobs.CASH), leverage=Decimal(10), limits=WIDE)
    core = assumptions.venue(settings.cash, seed=0)
    core.add_instrument(instrument, "0.0002", str(jobs.FEE), "0.005", "10")
    feed(core, job, rows)
    clock = SimClock(jobs.START_NS)
    venue = SimulatedVenue(core, clock)
    bus = EventBus(clock=clock)
    strategy = (BarCross if job == "a" else TickCross)((SYMBOL,))
    system = TradingSystem(
        strategy,
        {SYMBOL: instrument},
        settings=settings,
        bus=bus,
        venue=venue,
        reference=venue.last_price,
        seed=0,
    )
    prepared = time.perf_counter()
    run_simulated(bus, clock, venue)
    ended = time.perf_counter()
    ledger = system.portfolio.ledger
    ledger.check()
    return {
        "engine_s": ended - prepared,
        "prep_s": prepared - began,
        "fills": strategy.fills,
        "cash_at_exit": float(ledger.cash + strategy.entry_fee),
    }
