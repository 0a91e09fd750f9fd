# SPDX-License-Identifier: Apache-2.0
"""I-14, on virtual time: the venue says that an order is filled or has ended, and the frame of its
execution is lost. The order counts until the execution was read."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal

import pytest

from hean.core.types import Error, OrderCancelled, OrderFilled
from hean.errors import RateLimited
from hean.venues.reports import Execution, Status
from lost_orders import ID, PIECE, SHOWN, World, on_virtual_time

FILLED = dataclasses.replace(SHOWN, status=Status.FILLED, filled=Decimal("0.010"))
CANCELLED = dataclasses.replace(SHOWN, status=Status.CANCELLED, filled=PIECE.quantity)
WHOLE = dataclasses.replace(PIECE, quantity=Decimal("0.010"))


@pytest.mark.parametrize(("end", "piece"), [(FILLED, WHOLE), (CANCELLED, PIECE)])
def test_what_the_stream_left_out_is_read_at_once_and_the_order_ends_then(end, piece):
    @on_virtual_time
    async def run(world: World) -> None:
        world.venue.traded = [piece]
        world.tracker.report(end)
        assert world.tracker.open_orders() == [world.order]
        at_s = await world.until(OrderFilled)
        assert at_s <= 0.4
        assert world.tracker.open_orders() == []
        is_cut = end is CANCELLED
        assert world.orders() == ["OrderPlaced", "OrderFilled"] + ["OrderCancelled"] * is_cut
        await asyncio.sleep(100)
        assert world.venue.readings == 1

    run()


@on_virtual_time
async def test_a_frame_that_comes_a_little_later_spares_the_reading(world):
    world.tracker.report(CANCELLED)
    await asyncio.sleep(0.1)
    world.tracker.execution(PIECE)
    assert world.orders() == ["OrderPlaced", "OrderFilled", "OrderCancelled"]
    await asyncio.sleep(100)
    assert world.venue.readings == 0


@on_virtual_time
async def test_an_open_order_that_traded_unseen_is_read_too_and_stays_open(world):
    world.venue.traded = [PIECE]
    world.tracker.report(dataclasses.replace(SHOWN, filled=PIECE.quantity))
    await world.until(OrderFilled)
    assert world.tracker.open_orders() == [world.order]
    assert not world.order.is_over


@on_virtual_time
async def test_what_is_counted_during_the_reading_is_read_next(world):
    world.venue.traded = [PIECE]
    world.tracker.report(dataclasses.replace(SHOWN, filled=PIECE.quantity))
    await asyncio.sleep(0.1)
    world.tracker.report(FILLED)
    await asyncio.sleep(0.15)
    assert len(world.of(OrderFilled)) == 1
    rest = dataclasses.replace(PIECE, exec_id="BTCUSDT-x2", quantity=Decimal("0.006"))
    world.venue.traded = [PIECE, rest]
    await asyncio.sleep(0.5)
    assert world.order.is_ended


@on_virtual_time
async def test_many_orders_that_miss_pieces_share_one_reading(world):
    for number in range(40):
        order_id = f"hz-test-a{number}"
        world.sent(order_id)
        world.venue.traded.append(_of(order_id, number))
        shown = {"client_order_id": order_id, "exchange_order_id": f"a{number}"}
        world.tracker.report(dataclasses.replace(CANCELLED, **shown))
        await asyncio.sleep(0.001)
    while len(world.of(OrderCancelled)) < 40:
        await asyncio.sleep(0.01)
    assert world.venue.readings == 1


@on_virtual_time
async def test_pieces_that_the_venue_does_not_show_stop_the_symbol_and_are_told_every_minute(world):
    world.tracker.report(CANCELLED)
    await asyncio.sleep(9.9)
    assert world.halts.why("BTCUSDT") == ""
    await world.until(Error)
    assert world.loop.time() < 20
    assert "0.004" in world.halts.why("BTCUSDT")
    assert world.halts.why("ETHUSDT") == ""
    await asyncio.sleep(3_600)
    assert 45 <= len(world.of(Error)) <= 61
    assert world.tracker.open_orders() == [world.order]
    world.venue.traded = [PIECE]
    await asyncio.sleep(16)
    assert world.halts.why("BTCUSDT") == ""
    assert world.orders() == ["OrderPlaced", "OrderFilled", "OrderCancelled"]


@on_virtual_time
async def test_a_venue_that_wants_silence_is_asked_when_it_is_over(world):
    world.venue.silence = RateLimited("wait")
    world.venue.traded = [PIECE]
    world.tracker.report(CANCELLED)
    await asyncio.sleep(600)
    assert world.order.is_untold
    world.venue.silence = None
    await asyncio.sleep(5.1)
    assert world.order.is_ended


@on_virtual_time
async def test_an_order_that_the_venue_has_ended_is_neither_looked_for_nor_cancelled_again(world):
    world.tracker.report(CANCELLED)
    world.order.is_cancel_wanted = True
    world.resolution.not_found(world.order)
    await asyncio.sleep(60)
    assert world.venue.looks_s == []
    assert world.cancels == []


@on_virtual_time
async def test_a_look_that_finds_it_ended_before_its_executions_are_listed_is_the_last(world):
    world.lost()
    world.order.is_cancel_wanted = True
    world.venue.by_id = [CANCELLED]
    await asyncio.sleep(3)
    assert len(world.venue.looks_s) == 1
    assert world.order.is_over
    world.venue.traded = [PIECE]
    await world.until(OrderCancelled)
    assert world.cancels == []


def _of(order_id: str, number: int) -> Execution:
    assert order_id != ID
    names = {"client_order_id": order_id, "exchange_order_id": f"a{number}"}
    return dataclasses.replace(PIECE, exec_id=f"BTCUSDT-a{number}", **names)
