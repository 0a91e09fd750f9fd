# SPDX-License-Identifier: Apache-2.0
"""A trading system to try things on: the real modules on one bus, prices set by hand, and a venue
that only writes down what reaches it. Also small generated markets as files.
"""

from __future__ import annotations

import math
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

from hean._core import Instrument
from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.types import (
    Event,
    EventType,
    OrderApproved,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderRequest,
    Payload,
    Side,
)
from hean.processes.factory import ProcessFactory
from hean.risk.sizing import Sizing
from hean.strategies.base import Strategy
from hean.system import AccountSettings, TradingSystem

BTC = "BTCUSDT"
ETH = "ETHUSDT"
SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
START_NS = 1_704_067_200 * SECOND_NS  # 2024-01-01
INSTRUMENTS = {
    BTC: Instrument(BTC, "linear", "0.10", "0.001"),
    ETH: Instrument(ETH, "linear", "0.01", "0.01"),
}


class Notebook:
    """A venue that keeps what it is sent and answers nothing."""

    def __init__(self) -> None:
        self.sent: list[OrderApproved] = []
        self.cancels: list[str] = []
        self.amends: list[tuple[str, Decimal | None, Decimal | None]] = []

    def submit(self, approved: OrderApproved) -> None:
        self.sent.append(approved)

    def cancel(self, order_id: str) -> None:
        self.cancels.append(order_id)

    def amend(
        self, order_id: str, *, price: Decimal | None = None, size: Decimal | None = None
    ) -> None:
        self.amends.append((order_id, price, size))


class Hand(Strategy):
    """A strategy that does what the test says."""

    name = "hand"


class Slicer(Hand):
    """The same, and its orders may be sliced."""

    slices = True


class Desk:
    """Everything of one account. `say` emits and delivers; `of` gives what was emitted so far."""

    def __init__(
        self,
        *,
        prices: dict[str, float] | None = None,
        limits: dict[str, str] | None = None,
        sizing: Sizing | None = None,
        cash: int = 10_000,
        instruments: dict[str, Instrument] = INSTRUMENTS,
        strategy: Strategy | None = None,
        beside: tuple[Strategy, ...] = (),
        factory: ProcessFactory | None = None,
    ) -> None:
        self.prices = {BTC: 60_000.0, ETH: 3_000.0} if prices is None else prices
        self.clock = SimClock(START_NS)
        self.bus = EventBus(clock=self.clock)
        self.events: list[Event] = []
        self.bus.tap(self.events.append)
        self.venue = Notebook()
        self.strategy = strategy or Hand(tuple(instruments))
        settings = AccountSettings(
            cash=Decimal(cash), sizing=sizing or Sizing(), limits={} if limits is None else limits
        )
        self.system = TradingSystem(
            self.strategy,
            instruments,
            settings=settings,
            bus=self.bus,
            venue=self.venue,
            reference=self.prices.get,
            seed=0,
            beside=beside,
            factory=factory,
        )
        self.engine = self.system.engine
        self.ledger = self.system.portfolio.ledger

    def say(self, *facts: Payload) -> None:
        self.bus.drain(facts)
        self.fire(self.clock.now_ns)

    def fire(self, until_ns: int) -> None:
        """Let every timer due by then go off, and move the time there."""
        while (payload := self.clock.pop_due(until_ns)) is not None:
            self.bus.drain((payload,))
        self.clock.now_ns = max(self.clock.now_ns, until_ns)

    def wait(self, seconds: float) -> None:
        self.fire(self.clock.now_ns + int(seconds * SECOND_NS))

    def of(self, event_type: EventType) -> list[Any]:
        return [event.data for event in self.events if event.event_type is event_type]

    def ask(self, size: str = "0.1", side: Side = Side.BUY, **fields: Any) -> str:
        """An order through the door. Returns its id."""
        order_id = fields.pop("order_id", "") or f"h0-test-{len(self.events)}"
        symbol = fields.pop("symbol", BTC)
        fields.setdefault("strategy_id", "test")
        self.say(OrderRequest(symbol, side, Decimal(size), order_id=order_id, **fields))
        return order_id

    def place(self, order_id: str) -> None:
        self.say(OrderPlaced(order_id, f"v-{order_id}", BTC))

    def fill(
        self, order_id: str, qty: str, exec_id: str, *, price: str = "60000", **changes: Any
    ) -> None:
        """The venue's word on a piece of one of our orders."""
        sent = {order.order_id: order for order in self.venue.sent}.get(order_id)
        fields: dict[str, Any] = {
            "symbol": sent.symbol if sent else BTC,
            "side": sent.side if sent else Side.BUY,
            "exec_id": exec_id,
            "strategy_id": sent.strategy_id if sent else "",
        }
        self.say(OrderFilled(order_id, Decimal(price), Decimal(qty), **{**fields, **changes}))

    def cancelled(self, order_id: str) -> None:
        self.say(OrderCancelled(order_id, "by request", BTC))

    def held(self, symbol: str = BTC) -> tuple[Decimal, Decimal]:
        """Position as the engine and as the ledger has it."""
        return self.engine.position(symbol), self.ledger.position(symbol)[0]

    def open_ids(self) -> set[str]:
        return {order["client_order_id"] for order in self.engine.open_orders()}


def candle_file(
    folder: Path, *, symbol: str = BTC, bars: int = 600, seed: int = 1, first: int = 0
) -> Path:
    """A random walk of one-minute bars from 2024-01-01 as CSV; *first*: index of the first bar."""
    rng = random.Random(f"{symbol}{seed}")
    tick, price = (0.1, 60_000.0) if symbol == BTC else (0.01, 3_000.0)
    digits = 1 if symbol == BTC else 2
    lines = ["ts,open,high,low,close,volume"]
    for index in range(first + bars):
        jump = rng.gauss(0, 0.004 if rng.random() < 0.05 else 0.0008)
        close = price * math.exp(jump)
        high = max(price, close) * (1 + abs(rng.gauss(0, 0.0004)))
        low = min(price, close) * (1 - abs(rng.gauss(0, 0.0004)))
        volume = round(20 * math.exp(rng.gauss(0, 0.3)) * (1 + 2_000 * abs(jump)), 3)
        row = [round(round(value / tick) * tick, digits) for value in (price, high, low, close)]
        price = row[3]
        ts_ms = (START_NS + index * MINUTE_NS) // 1_000_000
        if index >= first:
            lines.append(",".join(str(value) for value in (ts_ms, *row, volume)))
    path = folder / f"binance_perp_{symbol}_1m_from{first}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
