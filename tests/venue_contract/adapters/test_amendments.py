# SPDX-License-Identifier: Apache-2.0
"""A strategy changes a resting order, over the bus, at every venue: governor, router, order manager
and gateway as in a trading process. Whatever becomes of the request, engine and venue end with the
same terms, and until then the larger size counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from hean._core import Instrument
from hean.core.types import (
    AmendApproved,
    AmendRejected,
    AmendRequest,
    OrderAmended,
    OrderFilled,
    OrderPlaced,
    OrderRequest,
    OrderType,
    Side,
)
from hean.errors import LimitBreached, OrderNotOpen, OutcomeUnknown
from hean.strategies.base import Strategy
from hean.system import AccountSettings, TradingSystem
from hean.venues.search import Patience
from venue_contract.adapters.trading_desk import SYMBOL, Desk, all_but
from venue_contract.twin_process import TwinProcess

FAR = "-0.05"
D = Decimal
ONLY_SMALLER = ("binance", "spot")
QUICK = {"patience": Patience((0.1, 0.2), spread_s=0.5, late_ms=-4_900)}


class Hand(Strategy):
    """Does what the test says."""

    name = "hand"


class BusDesk(Desk):
    """A desk with the modules of a trading process before its gateway."""

    def __init__(self, twin: TwinProcess, market: str, **more: Any) -> None:
        super().__init__(twin, market, **more)
        self.last = 0.0
        kind = "linear" if market == "linear" else "spot"
        tick, lot = ("0.10", "0.001") if market == "linear" else ("0.01", "0.00001")
        self.strategy = Hand((SYMBOL,))
        limits = {"position_value_max": "2000"}
        self.system = TradingSystem(
            self.strategy,
            {SYMBOL: Instrument(SYMBOL, kind, tick, lot)},
            settings=AccountSettings(cash=D(100_000), limits=limits),
            bus=self.bus,
            venue=self.venue,
            reference=lambda _: self.last,
            seed=1,
        )
        self.engine = self.system.engine

    async def rest(self, size: str = "0.004") -> str:
        """An order far from the market, in the venue's book."""
        self.last = float(await self.price())
        order_id, price = self.ids.next_id("hand"), await self.price(FAR)
        more = {"order_id": order_id, "strategy_id": "hand"}
        self.say(OrderRequest(SYMBOL, Side.BUY, D(size), OrderType.LIMIT, price, **more))
        await self.first(OrderPlaced, order_id)
        return order_id

    def say(self, fact: Any) -> None:
        """Emit and deliver."""
        self.bus.emit(fact)
        self.bus.drain()

    async def at_venue(self, order_id: str) -> tuple[Decimal, Decimal | None]:
        """Size and price as the venue has them."""
        order = self.venue.tracker.get(order_id)
        report = await self.venue.codec.order(self.venue.questions.ask, order)
        return report.quantity, report.price

    async def check(self, order_id: str) -> None:
        """Engine, tracker and venue have the same terms, and nothing is on its way."""
        size, price = await self.at_venue(order_id)
        order, tracked = self.engine.get(order_id), self.venue.tracker.get(order_id)
        assert (order["qty"], order["price"]) == (tracked.size, tracked.price) == (size, price)
        assert (order["amend_pending"], tracked.wanted) == (False, None)
        assert self.reserved() == order["qty"] - order["filled_qty"]

    def reserved(self) -> Decimal:
        """What open buys may still trade, as the limits count it."""
        return self.engine.exposure(SYMBOL)["open_buy"]


@pytest.fixture
async def bus_desk(at: tuple[TwinProcess, str]) -> AsyncIterator[BusDesk]:
    """Ready to trade."""
    async with BusDesk(*at, parts=QUICK) as desk:
        yield desk


async def test_an_order_is_made_smaller_and_keeps_its_name(bus_desk: BusDesk) -> None:
    order_id = await bus_desk.rest()
    bus_desk.strategy.amend(order_id, size=D("0.003"), symbol=SYMBOL)
    bus_desk.bus.drain()
    assert bus_desk.reserved() == D("0.004")
    amended = await bus_desk.first(OrderAmended, order_id)
    assert (amended.size, amended.remaining_qty) == (D("0.003"), D("0.003"))
    await bus_desk.check(order_id)
    await bus_desk.by_hand("fill", order_id)
    await bus_desk.filled(order_id, "0.003")
    assert bus_desk.engine.status(order_id) == "FILLED"


@all_but(ONLY_SMALLER)
async def test_an_order_gets_another_price_and_more_size(bus_desk: BusDesk) -> None:
    order_id, price = await bus_desk.rest(), await bus_desk.price("-0.04")
    bus_desk.say(AmendRequest(order_id, float(price), D("0.006")))
    assert bus_desk.reserved() == D("0.006")
    assert (await bus_desk.first(OrderAmended, order_id)).price == price
    await bus_desk.check(order_id)
    assert len(bus_desk.of(OrderPlaced, order_id)) == 1


@all_but(ONLY_SMALLER)
async def test_what_limits_forbid_never_leaves(bus_desk: BusDesk) -> None:
    order_id = await bus_desk.rest()
    bus_desk.say(AmendRequest(order_id, size=D("0.4")))
    assert (await bus_desk.first(AmendRejected, order_id)).code == LimitBreached.code
    assert bus_desk.of(AmendApproved) == []
    await bus_desk.check(order_id)


async def test_an_amendment_whose_answer_is_lost_is_seen_in_the_book(bus_desk: BusDesk) -> None:
    order_id = await bus_desk.rest()
    await bus_desk.fault("timeout_accepted", match={"op": "amend"}, count=1)
    bus_desk.say(AmendRequest(order_id, size=D("0.003")))
    await bus_desk.first(OrderAmended, order_id)
    await bus_desk.check(order_id)


async def test_an_amendment_that_never_arrives_counts_until_it_cannot_come_any_more(
    bus_desk: BusDesk,
) -> None:
    order_id = await bus_desk.rest()
    await bus_desk.fault("timeout_lost", match={"op": "amend"}, count=1)
    bus_desk.say(AmendRequest(order_id, size=D("0.003")))
    bus_desk.say(AmendRequest(order_id, size=D("0.002")))
    (second,) = bus_desk.of(AmendRejected, order_id)
    assert second.source == "risk"
    await bus_desk.until(lambda: len(bus_desk.of(AmendRejected, order_id)) == 2)
    refused = bus_desk.of(AmendRejected, order_id)[-1]
    assert (refused.source, refused.code) == ("venue", OutcomeUnknown.code)
    await bus_desk.check(order_id)
    bus_desk.say(AmendRequest(order_id, size=D("0.002")))
    await bus_desk.first(OrderAmended, order_id)
    await bus_desk.check(order_id)


async def test_44_a_fill_races_an_amendment_and_no_more_is_live_than_was_wanted(
    bus_desk: BusDesk,
) -> None:
    order_id = await bus_desk.rest()
    await bus_desk.fault("amend_race", match={"op": "amend"}, count=1, fraction=0.5)
    bus_desk.say(AmendRequest(order_id, size=D("0.003")))
    await bus_desk.first(OrderAmended, order_id)
    await bus_desk.filled(order_id, "0.002")
    await bus_desk.check(order_id)
    assert bus_desk.reserved() == D("0.001")


async def test_44_less_than_has_traded_meanwhile_leaves_nothing_negative(
    bus_desk: BusDesk,
) -> None:
    """A venue refuses it, or ends the order: the engine ends with what the venue has."""
    order_id = await bus_desk.rest()
    await bus_desk.fault("amend_race", match={"op": "amend"}, count=1, fraction=0.75)
    bus_desk.say(AmendRequest(order_id, size=D("0.002")))
    await bus_desk.filled(order_id, "0.003")
    await bus_desk.until(lambda: not bus_desk.engine.get(order_id)["amend_pending"])
    order = bus_desk.engine.get(order_id)
    assert bus_desk.reserved() == (D("0.001") if order["status"] == "PARTIAL" else 0)
    assert len(bus_desk.venue.tracker.open_orders()) == (order["status"] == "PARTIAL")


async def test_an_amendment_of_an_order_that_has_just_filled_is_refused(bus_desk: BusDesk) -> None:
    order_id = await bus_desk.rest()
    await bus_desk.fault("amend_race", match={"op": "amend"}, count=1, fraction=1.0)
    bus_desk.say(AmendRequest(order_id, size=D("0.003")))
    await bus_desk.filled(order_id, "0.004")
    assert (await bus_desk.first(AmendRejected, order_id)).code == OrderNotOpen.code
    assert (bus_desk.engine.status(order_id), bus_desk.reserved()) == ("FILLED", 0)
    assert bus_desk.of(OrderFilled, order_id)[-1].remaining_qty == 0
    assert bus_desk.venue.tracker.open_orders() == []


async def test_what_somebody_changes_by_hand_is_adopted(bus_desk: BusDesk) -> None:
    order_id = await bus_desk.rest()
    order = bus_desk.venue.tracker.get(order_id)
    call = bus_desk.venue.codec.amend_call(order, order.price, D("0.003"))
    await asyncio.shield(bus_desk.venue.questions.ask(call))
    assert (await bus_desk.first(OrderAmended, order_id)).size == D("0.003")
    await bus_desk.check(order_id)
