# SPDX-License-Identifier: Apache-2.0
"""What follows from orders that do not go the plain way, on virtual time: forgotten, late,
disputed, strange, and those that somebody wants cancelled meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal

import pytest

from hean.core.types import (
    Command,
    Error,
    Health,
    OrderAbsent,
    OrderQuarantined,
    OrderUnknown,
    Side,
)
from hean.venues.reports import Status
from lost_orders import ID, PIECE, SHOWN, World, on_virtual_time
from scripted_venue import tracked


@on_virtual_time
async def test_41_an_order_the_venue_forgot_is_in_quarantine_and_adopted_when_it_is_back(world):
    world.tracker.placed(world.order, "777")
    world.resolution.look_for(world.order)
    at_s = await world.until(OrderQuarantined)
    assert at_s >= 300
    await asyncio.sleep(1_500)
    assert world.of(OrderAbsent) == []
    assert world.tracker.open_orders() == [world.order]
    world.venue.by_id = [SHOWN]
    await asyncio.sleep(30)
    assert not world.order.is_quarantined
    assert world.halts.why("BTCUSDT") == ""
    assert world.orders() == ["OrderPlaced", "OrderQuarantined"]


@on_virtual_time
async def test_an_absent_order_that_turns_up_is_ours_again_and_stops_what_is_new(world):
    world.lost()
    await world.until(OrderAbsent)
    world.tracker.execution(dataclasses.replace(PIECE, ts_ns=world.loop.now_ns()))
    assert world.orders() == ["OrderUnknown", "OrderAbsent", "OrderPlaced", "OrderFilled"]
    (kill,) = world.of(Command)
    assert (kill.verb, kill.arguments["level"]) == ("kill", "HALT_NEW")
    assert "ms after it was sent" in kill.arguments["reason"]


@pytest.mark.parametrize(
    "other",
    [{"side": Side.SELL}, {"quantity": Decimal(1)}, {"symbol": "ETHUSDT"}],
    ids=["side", "size", "symbol"],
)
def test_39_a_stranger_under_our_id_is_quarantine_for_good(other):
    @on_virtual_time
    async def run(world: World) -> None:
        world.venue.by_id = [dataclasses.replace(SHOWN, **other)]
        world.lost()
        at_s = await world.until(OrderQuarantined)
        assert at_s < 1
        await asyncio.sleep(500)
        assert world.orders() == ["OrderUnknown", "OrderQuarantined"]
        assert "under this id" in world.of(OrderQuarantined)[0].reason
        world.venue.by_id = []
        await asyncio.sleep(500)
        assert world.of(OrderAbsent) == []

    run()


@on_virtual_time
async def test_a_status_nobody_knows_is_quarantine_until_it_is_one_we_know(world):
    world.tracker.placed(world.order, "777")
    strange = dataclasses.replace(SHOWN, status=Status.STRANGE, word="Simmering")
    world.venue.by_id = [strange]
    world.tracker.report(strange)
    assert world.orders() == ["OrderPlaced", "OrderQuarantined"]
    assert "Simmering" in world.halts.why("BTCUSDT")
    assert world.halts.why("ETHUSDT") == ""
    await asyncio.sleep(100)
    assert len(world.of(Error)) == 2
    world.venue.by_id = [SHOWN]
    await asyncio.sleep(30)
    assert not world.order.is_quarantined


@on_virtual_time
async def test_a_cancel_that_was_wanted_is_sent_when_the_order_is_found(world):
    world.lost()
    world.order.is_cancel_wanted = True
    await asyncio.sleep(20)
    assert world.cancels == []
    world.venue.by_id = [SHOWN]
    await asyncio.sleep(16)
    assert world.cancels == [ID]


@on_virtual_time
async def test_43_a_cancel_that_finds_nothing_is_asked_again_ever_more_slowly(world):
    """The venue shows the order as open and does not find it for a cancel, again and again."""
    world.tracker.placed(world.order, "777")
    world.venue.by_id = [SHOWN]
    world.order.is_cancel_wanted = True
    for _ in range(60):
        before = len(world.cancels)
        world.resolution.not_found(world.order)
        while len(world.cancels) == before:
            await asyncio.sleep(0.1)
    assert 1_500 < world.loop.time() < 2_000


@on_virtual_time
async def test_a_cancel_refused_for_no_fault_of_the_order_is_asked_again_ever_more_slowly(world):
    world.tracker.placed(world.order, "777")
    world.order.is_cancel_wanted = True
    for _ in range(60):
        before = len(world.cancels)
        world.resolution.cancel_refused(world.order)
        while len(world.cancels) == before:
            await asyncio.sleep(0.1)
    assert 1_500 < world.loop.time() < 2_000
    assert world.orders() == ["OrderPlaced"]


@on_virtual_time
async def test_43_an_order_that_was_filled_when_its_cancel_came_is_not_cancelled_again(world):
    world.tracker.placed(world.order, "777")
    world.order.is_cancel_wanted = True
    filled = dataclasses.replace(SHOWN, status=Status.FILLED, filled=Decimal("0.010"))
    world.venue.by_id = [filled]
    world.venue.traded = [dataclasses.replace(PIECE, quantity=Decimal("0.010"))]
    world.resolution.not_found(world.order)
    await asyncio.sleep(60)
    assert world.orders() == ["OrderPlaced", "OrderFilled"]
    assert world.cancels == []


@on_virtual_time
async def test_many_orders_are_looked_for_with_the_lists_of_one(world):
    for number in range(40):
        world.lost(world.sent(f"hz-test-a{number}"))
    world.lost()
    while len(world.of(OrderAbsent)) < 41:
        await asyncio.sleep(1)
    assert world.venue.listings <= 12


@on_virtual_time
async def test_an_order_left_in_quarantine_by_an_earlier_run_stops_its_symbol_at_once(world):
    order = tracked(order_id="hy-test-9", is_unknown=True, is_quarantined=True)
    world.tracker.restore([order], [])
    world.resolution.look_for(order)
    assert world.halts.why("BTCUSDT") != ""
    assert world.of(OrderUnknown) == []


@on_virtual_time
async def test_health_names_the_orders_that_nobody_knows_about(world):
    world.venue.is_complete = False
    world.lost()
    await world.until(OrderQuarantined)
    reasons = world.of(Health)[-1].extra["reasons"]
    assert any(ID in name for name in reasons)
