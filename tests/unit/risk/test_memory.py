# SPDX-License-Identifier: Apache-2.0
"""The decision memory on the bus: it counts what trades cost and earn in R, refuses, follows what
it refused, and only ever takes away.
"""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from desk import BTC, START_NS, Desk
from hean.core.types import (
    Changepoint,
    EventType,
    Funding,
    OrderCancelled,
    Regime,
    Side,
    Signal,
    VolForecast,
)
from hean.errors import ParameterInvalid
from hean.risk.cells import BLOCK_NS, BLOCKED, OPEN, PROBATION
from hean.risk.memory import DecisionMemory, MemorySettings

DAY_S = 86_400


class MemoryDesk(Desk):
    """A desk whose governor remembers."""

    def __init__(self, *, is_on: bool = True) -> None:
        super().__init__()
        self.memory = DecisionMemory(
            self.system.governor,
            strategies=("hand",),
            symbols=(BTC,),
            reference=self.prices.get,
            settings=MemorySettings(regimes=("trend",)),
        )
        if not is_on:
            self.system.governor._checks.clear()
            self.system.governor._scales.clear()
        self.system.add(self.memory)
        self.count = 0

    @property
    def cells(self):
        return self.memory.memory["hand"].cells

    @property
    def here(self):
        return self.cells[self.memory.context_of(BTC, self.clock.now_ns)]

    def signal(self, side: Side = Side.BUY, size: str | None = "0.1", **fields) -> str:
        """Returns the order's id."""
        self.count += 1
        order_id = f"h0-hand-{self.count}"
        wished = None if size is None else Decimal(size)
        self.say(Signal(BTC, side, wished, strategy_id="hand", order_id=order_id, **fields))
        return order_id

    def trip(self, out: float, *, fee: str = "0", stop: float = 59_400.0) -> None:
        """In at the price, out at another, with a stop one R below."""
        sent = len(self.venue.sent)
        order_id = self.signal(stop_loss=stop)
        if len(self.venue.sent) == sent:
            return
        size, price = str(self.venue.sent[-1].size), str(self.prices[BTC])
        self.fill(order_id, size, f"{order_id}-x", price=price, fee=Decimal(fee))
        closing = self.signal(Side.SELL, size, reduce_only=True)
        self.fill(closing, size, f"{closing}-x", price=str(out), fee=Decimal(fee))

    def lose(self, times: int = 120) -> None:
        """Lose one R at a time, until it is refused; what is too small for a lot loses on paper."""
        for _ in range(times):
            if self.here.state == BLOCKED:
                return
            self.trip(59_400.0)
            self.wait(2)
            if self.memory._shadows:
                self.prices[BTC] = 59_400.0
                self.wait(61)
                self.prices[BTC] = 60_000.0


def test_a_trip_is_counted_in_units_of_its_risk_net_of_fees_and_funding():
    desk = MemoryDesk()
    order_id = desk.signal(stop_loss=59_400.0)
    size = desk.venue.sent[-1].size
    assert size == Decimal("0.05")  # one half while nothing is known
    desk.fill(order_id, "0.02", "a", price="60000", fee=Decimal("0.3"))
    desk.fill(order_id, "0.03", "b", price="60000", fee=Decimal("0.3"))
    desk.say(Funding(BTC, 0.0001, 0, 60_000.0))
    closing = desk.signal(Side.SELL, "0.05", reduce_only=True)
    desk.fill(closing, "0.05", "c", price="61200", fee=Decimal("0.6"))
    expected = (0.05 * 1200 - 1.2 - 0.05 * 60_000 * 0.0001) / (0.05 * 600)
    assert desk.here.total == pytest.approx(expected)
    assert desk.here.weight == 1.0


def test_without_a_stop_one_r_is_a_day_s_deviation():
    desk = MemoryDesk()
    desk.trip(61_000.0, stop=None)  # no volatility known: nothing to measure by
    assert not any(cell.weight for cell in desk.cells.values())
    desk.say(VolForecast(BTC, 0.025, 86_400))
    desk.trip(61_500.0, stop=None)
    assert desk.here.total == pytest.approx(1500 / (60_000 * 0.025))


def test_the_context_is_regime_volatility_and_session():
    desk = MemoryDesk()
    name = desk.memory.context_of(BTC, START_NS)
    desk.say(Regime(BTC, "trend", 0.9), VolForecast(BTC, 0.05, 86_400))
    other = desk.memory.context_of(BTC, START_NS + 8 * 3600 * 10**9)
    assert name.split("/")[:3] == [BTC, "other", "usual"]
    assert other.split("/")[:3] == [BTC, "trend", "wild"]
    assert name.split("/")[3] != other.split("/")[3]
    desk.say(Regime(BTC, "unheard of", 0.9), VolForecast(BTC, 0.001, 86_400))
    assert desk.memory.context_of(BTC, START_NS).split("/")[1:3] == ["other", "calm"]


@pytest.mark.promise(24)
def test_a_losing_context_is_refused_followed_on_paper_and_tried_again():
    desk = MemoryDesk()
    desk.lose()
    assert desk.here.state == BLOCKED
    sent, results = len(desk.venue.sent), desk.here.count
    order_id = desk.signal(stop_loss=59_400.0, take_profit=61_000.0)
    assert len(desk.venue.sent) == sent
    refusal = desk.of(EventType.ORDER_REJECTED)[-1]
    assert refusal.order_id == order_id
    assert "has lost for too long" in refusal.reason
    desk.prices[BTC] = 61_100.0
    desk.wait(61)
    assert desk.here.count == results + 1
    assert desk.here.tested > 0  # the refused one would have won
    desk.prices[BTC] = 60_000.0
    desk.wait(30 * DAY_S)
    assert desk.memory.memory["hand"].scale(
        desk.memory.context_of(BTC, desk.clock.now_ns), desk.clock.now_ns
    ) == pytest.approx(0.1)
    assert desk.here.state == PROBATION
    desk.signal(stop_loss=59_400.0)
    assert desk.venue.sent[-1].size == Decimal("0.010")


def test_what_is_too_small_for_a_lot_is_followed_as_well():
    desk = MemoryDesk()
    desk.trip(60_600.0)
    order_id = desk.signal(size="0.001", stop_loss=59_400.0)
    assert order_id not in [order.order_id for order in desk.venue.sent]
    assert "less than one lot" in desk.of(EventType.ORDER_REJECTED)[-1].reason
    before = desk.here.count
    desk.wait(61)
    assert desk.here.count == before + 1


def test_what_reduces_always_passes():
    desk = MemoryDesk()
    order_id = desk.signal(stop_loss=59_400.0)
    desk.fill(order_id, str(desk.venue.sent[-1].size), "open", price="60000")
    for _ in range(120):
        desk.memory.memory["hand"].add(
            desk.memory.context_of(BTC, desk.clock.now_ns), -1.0, desk.clock.now_ns
        )
    assert desk.here.state == BLOCKED
    held = desk.engine.position(BTC)
    desk.signal(Side.SELL, str(held), reduce_only=True)
    assert desk.venue.sent[-1].size == held


def test_a_changepoint_resets_the_contexts_of_its_symbol():
    desk = MemoryDesk()
    desk.lose()
    desk.say(Changepoint(BTC, 0.89, 5))
    assert desk.here.state == BLOCKED
    desk.say(Changepoint(BTC, 0.95, 5))
    assert desk.here.state == OPEN
    assert not any(cell.weight for cell in desk.cells.values())


def test_turned_on_it_only_takes_away():
    """The same wishes with and without: every order there is smaller or missing."""
    sent = {}
    for is_on in (True, False):
        desk, draw = MemoryDesk(is_on=is_on), random.Random(3)
        for _ in range(120):
            desk.trip(60_000.0 + draw.choice([-600, -600, 500]), fee="0.1")
            desk.wait(2)
        sent[is_on] = {
            order.order_id: order.size for order in desk.venue.sent if not order.reduce_only
        }
    assert set(sent[True]) <= {f"h0-hand-{number}" for number in range(1, 241)}
    assert len(sent[True]) < len(sent[False])
    assert max(sent[True].values()) <= min(sent[False].values())


def test_an_order_that_never_filled_decides_nothing():
    desk = MemoryDesk()
    order_id = desk.signal(stop_loss=59_400.0)
    desk.say(OrderCancelled(order_id, "by request", BTC))
    assert not desk.memory._asked
    assert not any(cell.weight for cell in desk.cells.values())


def test_a_flip_ends_one_trip_and_begins_another():
    desk = MemoryDesk()
    first = desk.signal(stop_loss=59_400.0)
    desk.fill(first, "0.05", "a", price="60000")
    flip = desk.signal(Side.SELL, "0.2", stop_loss=60_600.0)
    desk.fill(flip, "0.1", "b", price="60600")
    assert desk.here.total == pytest.approx(1.0)
    closing = desk.signal(Side.BUY, "0.05", reduce_only=True)
    desk.fill(closing, "0.05", "c", price="61200", strategy_id="hand")
    assert desk.here.total == pytest.approx(1.0 - 1.0)


def test_it_goes_on_after_a_restart():
    desk = MemoryDesk()
    desk.lose()
    again = MemoryDesk()
    again.memory.restore(desk.memory.snapshot())
    assert again.memory.snapshot() == desk.memory.snapshot()
    again.signal(stop_loss=59_400.0)
    assert again.venue.sent == []
    again.memory.restore(desk.memory.snapshot().replace(b'"version":1', b'"version":99'))
    with pytest.raises(ParameterInvalid, match="snapshot"):
        again.memory.restore(b"junk")


def test_too_many_contexts_are_refused():
    with pytest.raises(ParameterInvalid, match="at most 200"):
        DecisionMemory(
            Desk().system.governor,
            strategies=("a", "b", "c"),
            symbols=("X", "Y", "Z"),
            reference=lambda _: None,
            settings=MemorySettings(regimes=("up", "down", "flat")),
        )


def test_blocks_last_thirty_days():
    assert BLOCK_NS == 30 * DAY_S * 10**9
