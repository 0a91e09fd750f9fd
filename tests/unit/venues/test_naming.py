# SPDX-License-Identifier: Apache-2.0
"""Whose order traded, where the list of executions does not say it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hean.core.types import Health, OrderFilled, Side
from hean.errors import VenueError
from hean.venues.naming import DENIED_S
from hean.venues.reports import Execution
from lost_orders import ID, PIECE, SHOWN, World, on_virtual_time

BECAME = "9001"
TRADED = replace(PIECE, client_order_id="", exchange_order_id=BECAME)
STOP = replace(SHOWN, is_conditional=True)


def resting(world: World) -> None:
    """A stop of ours that the venue has."""
    world.order.is_conditional = True
    world.tracker.report(STOP)


async def told(world: World, execution: Execution) -> OrderFilled:
    """Read in a list, and told."""
    named = await world.resolution.naming.name([execution])
    world.tracker.merge((), named)
    (fill,) = world.of(OrderFilled)
    return fill


@on_virtual_time
async def test_what_a_stop_traded_after_its_trigger_is_its_own(world: World) -> None:
    """The reading asked for open orders before the trigger and for executions after it."""
    resting(world)
    world.venue.by_id = [replace(STOP, child_order_id=BECAME)]
    assert (await told(world, TRADED)).order_id == ID


@on_virtual_time
async def test_what_somebody_else_traded_meanwhile_is_not(world: World) -> None:
    resting(world)
    world.venue.by_id = [STOP]
    assert (await told(world, TRADED)).order_id != ID


@on_virtual_time
async def test_a_trade_on_the_other_side_asks_nobody(world: World) -> None:
    resting(world)
    await told(world, replace(TRADED, side=Side.SELL))
    assert world.venue.looks_s == []


@on_virtual_time
async def test_a_piece_whose_order_the_venue_denies_is_nobodys_yet(world: World) -> None:
    """Told as somebody else's, it would never come to the order that turns up a second later."""
    naming, now_ns = world.resolution.naming, world.loop.now_ns()
    piece = replace(TRADED, ts_ns=now_ns)
    world.venue.names[BECAME] = None
    with pytest.raises(VenueError, match=BECAME):
        await naming.name([piece])
    world.venue.names[BECAME] = ID
    assert (await told(world, piece)).order_id == ID


@on_virtual_time
async def test_a_piece_of_a_stop_that_the_venue_denies_is_nobodys_yet(world: World) -> None:
    """It had confirmed the stop, and cannot find it: told as somebody else's, the piece would be
    missing for ever when the stop is shown again as filled.
    """
    resting(world)
    naming, piece = world.resolution.naming, replace(TRADED, ts_ns=world.loop.now_ns())
    with pytest.raises(VenueError, match=ID):
        await naming.name([piece])
    world.venue.by_id = [replace(STOP, child_order_id=BECAME)]
    assert (await told(world, piece)).order_id == ID


@on_virtual_time
async def test_what_is_denied_for_long_is_somebody_elses(world: World) -> None:
    """An order of long ago is not kept by every venue."""
    world.venue.names[BECAME] = None
    await asyncio.sleep(DENIED_S + 1)
    assert (await told(world, TRADED)).order_id != ID


@on_virtual_time
async def test_what_others_traded_before_the_first_reading_is_known_and_not_told(
    world: World,
) -> None:
    """The reading has found it, wherever it is heard of again; of ours every piece is told."""
    first_ns = PIECE.ts_ns + 1
    theirs = replace(TRADED, exec_id="x2", exchange_order_id="55")
    after = replace(theirs, exec_id="x3", ts_ns=first_ns)
    heard = replace(theirs, exec_id="x4")
    world.tracker.merge((), [PIECE, theirs, after], first_ns)
    world.tracker.execution(heard, first_ns)
    world.tracker.execution(theirs)
    world.tracker.execution(heard)
    world.tracker.merge((), [PIECE, theirs, after])
    assert [fill.exec_id for fill in world.of(OrderFilled)] == [PIECE.exec_id, "x3"]
    assert "venue external order 55" in [note.component for note in world.of(Health)]
