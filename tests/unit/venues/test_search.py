# SPDX-License-Identifier: Apache-2.0
"""Orders whose answer is missing, on virtual time: found, proven absent, or in quarantine; when,
and from what."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from hean.core.types import (
    Error,
    OrderAbsent,
    OrderFilled,
    OrderPlaced,
    OrderQuarantined,
)
from hean.errors import Halted, RateLimited
from hean.venues.search import SILENT_S, Patience, Proof, age_s, missing_proof
from lost_orders import ID, PIECE, SHOWN, World, on_virtual_time
from scripted_venue import tracked

WHOLE = Proof(rounds=3, spread_s=60.0, late_ms=5_000, is_watched=True, position="")


@pytest.mark.parametrize(
    ("change", "order", "missing"),
    [
        ({}, {}, ""),
        ({"rounds": 2}, {}, "2 of 3 complete looks"),
        ({"spread_s": 59.9}, {}, "of 60 s"),
        ({"late_ms": 4_999}, {}, "may still be accepted"),
        ({"is_watched": False}, {}, "a hole"),
        ({"position": "the position differs"}, {}, "the position differs"),
        ({}, {"is_disputed": True}, "another order"),
    ],
)
def test_a_proof_of_absence_needs_every_part(change, order, missing):
    found = missing_proof(dataclasses.replace(WHOLE, **change), tracked(**order), Patience())
    assert (found == "") == (missing == "")
    assert missing in found


@pytest.mark.parametrize(
    ("stamp_ms", "venue_ms", "expected_s"),
    [(0, 61_000, 61.0), (100_000, 0, -100.0), (3_600_000, 0, 30.0)],
)
def test_a_request_is_as_old_as_the_venue_finds_it(stamp_ms, venue_ms, expected_s):
    """Of orders and amendments. The last one waited 30 s, and is refused for an hour to come."""
    assert age_s(stamp_ms, venue_ms, waited_s=30.0) == expected_s


@on_virtual_time
async def test_30_an_order_that_never_arrived_is_absent_after_a_minute_and_within_90_s(world):
    world.lost()
    at_s = await world.until(OrderAbsent)
    assert 60 <= at_s <= 90
    assert world.orders() == ["OrderUnknown", "OrderAbsent"]
    proof = world.of(OrderAbsent)[0].reason
    assert "complete looks" in proof
    assert "position" in proof
    assert world.tracker.open_orders() == []


@on_virtual_time
async def test_31_no_verdict_while_the_venue_s_clock_would_still_let_it_in(world):
    world.venue.behind_s = 100.0
    world.lost()
    await asyncio.sleep(105)
    assert world.of(OrderAbsent) == []
    at_s = await world.until(OrderAbsent)
    assert at_s >= 110  # receive window and five seconds by the slow clock


@on_virtual_time
async def test_31_one_stamped_by_a_clock_an_hour_ahead_is_refused_whenever_it_comes(world):
    """No connection lives until the venue would take it; the order had been in doubt for an hour
    (seed 12005909)."""
    world.venue.behind_s = 3_600.0
    world.lost()
    assert 60 <= await world.until(OrderAbsent) <= 90


@on_virtual_time
async def test_31_a_late_one_is_adopted_by_its_frame(world):
    world.lost()
    await asyncio.sleep(8)
    world.tracker.report(SHOWN)
    await asyncio.sleep(100)
    assert world.orders() == ["OrderUnknown", "OrderPlaced"]


@on_virtual_time
async def test_a_hole_in_the_stream_begins_the_proof_anew(world):
    world.lost()
    await asyncio.sleep(40)
    world.unbroken = -1
    await asyncio.sleep(20)
    world.unbroken = 1
    back_s = world.loop.time()
    at_s = await world.until(OrderAbsent)
    assert at_s >= back_s + 60


@on_virtual_time
async def test_the_proof_begins_when_the_stream_is_in_step_and_not_a_pause_later(world):
    world.unbroken = -1
    world.lost()
    await asyncio.sleep(101)
    world.unbroken = 1
    back_s = world.loop.time()
    at_s = await world.until(OrderAbsent)
    assert back_s + 60 <= at_s <= back_s + 60 + SILENT_S


@on_virtual_time
async def test_a_short_hole_between_two_looks_is_noticed_too(world):
    world.lost()
    await asyncio.sleep(40)
    world.unbroken = 1
    at_s = await world.until(OrderAbsent)
    assert at_s >= 100


@on_virtual_time
async def test_54_a_position_that_disagrees_is_quarantine_not_absence(world):
    world.position = "the position differs"
    world.lost()
    at_s = await world.until(OrderQuarantined)
    assert 300 <= at_s <= 330
    assert world.of(OrderAbsent) == []
    assert "the position differs" in world.of(OrderQuarantined)[0].reason
    assert world.halts.why("BTCUSDT") != ""
    assert world.halts.why("ETHUSDT") == ""
    assert world.tracker.open_orders() == [world.order]


@on_virtual_time
async def test_quarantine_is_told_every_minute_and_never_gets_old(world):
    world.venue.is_complete = False
    world.lost()
    await world.until(OrderQuarantined)
    alarms = len(world.of(Error))
    await asyncio.sleep(3_600)
    assert 45 <= len(world.of(Error)) - alarms <= 60
    assert len(world.of(OrderQuarantined)) == 1
    assert world.tracker.open_orders() == [world.order]


@on_virtual_time
async def test_53_incomplete_lists_are_never_absence(world):
    world.venue.is_complete = False
    world.lost()
    await asyncio.sleep(1_000)
    assert world.of(OrderAbsent) == []
    world.venue.is_complete = True
    await world.until(OrderAbsent)
    assert world.halts.why("BTCUSDT") == ""


@on_virtual_time
async def test_a_venue_that_does_not_answer_proves_nothing(world):
    world.venue.is_down = True
    world.lost()
    await asyncio.sleep(400)
    assert world.orders() == ["OrderUnknown", "OrderQuarantined"]
    world.venue.is_down = False
    world.venue.by_id = [SHOWN]
    await world.until(OrderPlaced)
    await asyncio.sleep(1)
    assert world.halts.why("BTCUSDT") == ""


@pytest.mark.parametrize(
    ("trouble", "begin", "end", "earliest_s"),
    [("silence", RateLimited("wait"), None, 60), ("is_down", True, False, 90)],
)
def test_a_look_that_was_not_allowed_says_nothing_and_one_that_failed_spoils_the_proof(
    trouble, begin, end, earliest_s
):
    @on_virtual_time
    async def run(world: World) -> None:
        world.lost()
        await asyncio.sleep(25)
        setattr(world.venue, trouble, begin)
        await asyncio.sleep(10)
        setattr(world.venue, trouble, end)
        at_s = await world.until(OrderAbsent)
        assert earliest_s <= at_s < earliest_s + 30

    run()


@on_virtual_time
async def test_the_first_looks_ask_for_the_order_alone(world):
    world.lost()
    await asyncio.sleep(5)
    assert world.venue.listings == 0
    await asyncio.sleep(5)
    assert world.venue.listings == 1


@on_virtual_time
async def test_46_the_list_of_open_orders_alone_shows_it(world):
    world.venue.open = [SHOWN]
    world.lost()
    await world.until(OrderPlaced)
    assert world.orders() == ["OrderUnknown", "OrderPlaced"]


@pytest.mark.parametrize("name", [ID, ""])
def test_46_an_execution_alone_shows_it(name):
    """Where the venue's executions do not tell the client id, their order is asked."""

    @on_virtual_time
    async def run(world: World) -> None:
        world.venue.traded = [dataclasses.replace(PIECE, client_order_id=name)]
        world.venue.names = {"777": ID}
        world.lost()
        await world.until(OrderFilled)
        assert world.orders() == ["OrderUnknown", "OrderPlaced", "OrderFilled"]
        assert world.of(OrderFilled)[0].order_id == ID

    run()


@on_virtual_time
async def test_somebody_else_s_executions_do_not_stand_for_it(world):
    world.venue.traded = [dataclasses.replace(PIECE, client_order_id="")]
    world.venue.names = {"777": "web_1"}
    world.lost()
    await world.until(OrderAbsent)
    assert world.of(OrderFilled) == []


@pytest.mark.parametrize("silence", [RateLimited("wait"), Halted("the venue wants silence")])
def test_a_silence_of_the_venue_uses_up_no_dense_look(silence):
    """After ten minutes in which nobody may be asked the looks are as dense as at first."""

    @on_virtual_time
    async def run(world: World) -> None:
        world.venue.silence = silence
        world.lost()
        await asyncio.sleep(600)
        world.venue.silence = None
        world.venue.looks_s.clear()
        await asyncio.sleep(5 + 8)
        assert len(world.venue.looks_s) >= 5
        at_s = await world.until(OrderAbsent)
        assert 660 <= at_s <= 675

    run()


@on_virtual_time
async def test_looks_that_fail_become_rare(world):
    """A venue that does not answer is asked, and asking it costs something."""
    world.venue.is_down = True
    world.lost()
    await asyncio.sleep(600)
    assert len(world.venue.looks_s) < 40


@on_virtual_time
async def test_after_looks_that_failed_the_proof_begins_with_the_first_that_does_not(world):
    """Lists are spared while looks are dense; rare ones read them, or four would prove nothing."""
    world.venue.is_down = True
    world.lost()
    await asyncio.sleep(40)
    world.venue.is_down = False
    assert await world.until(OrderAbsent) <= 40 + 20 + 60 + 1
