# SPDX-License-Identifier: Apache-2.0
"""Funding payments at the private stream: each is told once, with the amount the venue names,
through whatever it arrives and in whichever process. What the twins' frames become is shown in
`tests/venue_contract`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hean.core.types import AccountRead, Funding
from hean.errors import OutcomeUnknown
from hean.venues.codec import Told
from hean.venues.private import PrivateStream
from hean.venues.reports import Listing, Settlement
from hean.venues.settlements import OVERLAP_NS, UNPRICED_NS
from lost_orders import S_NS, World, on_virtual_time

PAID = Settlement(
    "BTCUSDT", "BTCUSDT-f1", Decimal("-1.23456789"), "USDT", 0, Decimal("0.0001"), Decimal(50_000)
)


async def _nothing(ask: Any) -> Listing[Any]:
    return Listing((), True)


def stream_of(world: World) -> PrivateStream:
    codec: Any = world.venue
    codec.positions = codec.balances = _nothing
    codec.has_positions = lambda symbol: True
    return PrivateStream(
        codec,
        world.questions,
        world.tracker,
        world.resolution.naming,
        world.halts,
        emit=world.facts.append,
        symbols=("BTCUSDT",),
        run=world.run,
        on_missing=lambda order: None,
        on_read=lambda ticks_ns: None,
    )


def settled(world: World, *, after_s: float = 0.0, **more: Any) -> Settlement:
    """A payment of now, or of another moment."""
    return replace(PAID, ts_ns=world.loop.now_ns() + int(after_s * S_NS), **more)


async def in_step(world: World) -> PrivateStream:
    stream = stream_of(world)
    stream.catch_up()
    await asyncio.wait_for(stream.caught_up.wait(), 10)
    return stream


def told_by(stream: PrivateStream, *payments: Settlement, **more: Any) -> None:
    stream._pass_on(Told(settlements=payments, **more))


@on_virtual_time
async def test_a_payment_is_told_as_the_venue_says_it_and_once(world: World) -> None:
    stream = await in_step(world)
    payment = settled(world)
    world.venue.paid = [payment]
    for _ in range(2):
        told_by(stream, payment)
        await stream.look()
    (fact,) = world.of(Funding)
    assert (fact.symbol, fact.exec_id, fact.amount) == ("BTCUSDT", "BTCUSDT-f1", PAID.received)
    assert (fact.rate, fact.mark_price, fact.asset) == (0.0001, 50_000.0, "USDT")
    assert fact.settled_ns == payment.ts_ns
    assert not fact.is_forecast


@on_virtual_time
async def test_a_payment_in_a_hole_of_the_stream_is_found_by_the_next_reading(
    world: World,
) -> None:
    stream = await in_step(world)
    stream.down("cut")
    world.venue.paid = [settled(world, after_s=1)]
    await asyncio.sleep(3_000)
    assert world.of(Funding) == []
    stream.catch_up()
    await asyncio.wait_for(stream.caught_up.wait(), 10)
    assert [fact.exec_id for fact in world.of(Funding)] == ["BTCUSDT-f1"]
    kinds = [type(fact) for fact in world.facts if isinstance(fact, Funding | AccountRead)]
    assert kinds == [AccountRead, Funding, AccountRead]  # the reading shows the wallet after it


@on_virtual_time
async def test_what_was_settled_before_the_first_reading_is_in_the_wallet_it_found(
    world: World,
) -> None:
    before = settled(world, after_s=-1)
    world.venue.paid = [before]
    stream = await in_step(world)
    told_by(stream, before)
    assert world.of(Funding) == []


@on_virtual_time
async def test_the_next_process_tells_what_its_predecessor_missed_and_nothing_twice(
    world: World,
) -> None:
    now_ns = world.loop.now_ns()
    known, late, old = (
        settled(world, after_s=after_s, exec_id=f"BTCUSDT-f{number}")
        for number, after_s in enumerate((-100, -50, -5_000))
    )
    world.venue.paid = [old, known, late]
    world.tracker.restore((), [known.exec_id])
    stream = stream_of(world)
    stream.resume(now_ns - 75 * S_NS, now_ns - 4_000 * S_NS)
    stream.catch_up()
    await asyncio.wait_for(stream.caught_up.wait(), 10)
    assert [fact.exec_id for fact in world.of(Funding)] == [late.exec_id]


@on_virtual_time
async def test_a_list_that_lags_is_read_far_enough_back(world: World) -> None:
    stream = await in_step(world)
    payment = settled(world, after_s=1)
    await asyncio.sleep(OVERLAP_NS / S_NS - 60)
    await stream.look()
    world.venue.paid = [payment]
    await stream.look()
    assert len(world.of(Funding)) == 1


@on_virtual_time
async def test_a_payment_of_a_symbol_that_is_not_traded_is_not_ours(world: World) -> None:
    stream = await in_step(world)
    other = settled(world, symbol="XRPUSDT")
    world.venue.paid = [other]
    told_by(stream, other)
    await stream.look()
    assert world.of(Funding) == []


@on_virtual_time
async def test_a_frame_that_only_says_that_funding_was_settled_has_the_account_read(
    world: World,
) -> None:
    stream = await in_step(world)
    payment = settled(world, rate=None, mark_price=None)
    world.venue.paid = [payment]
    world.venue.rates = {payment.exec_id: replace(payment, rate=PAID.rate, mark_price=Decimal(9))}
    told_by(stream, is_settled=True)
    await asyncio.sleep(5)
    (fact,) = world.of(Funding)
    assert (fact.amount, fact.rate, fact.mark_price) == (PAID.received, 0.0001, 9.0)


@on_virtual_time
async def test_a_payment_waits_a_minute_for_its_rate_and_is_told_without_it_then(
    world: World,
) -> None:
    stream = await in_step(world)
    world.venue.paid = [settled(world, rate=None, mark_price=None)]
    await stream.look()
    assert world.of(Funding) == []
    await asyncio.sleep(UNPRICED_NS / S_NS + 1)
    await stream.look()
    (fact,) = world.of(Funding)
    assert (fact.amount, fact.mark_price, fact.is_forecast) == (PAID.received, None, False)


@on_virtual_time
async def test_what_was_settled_between_a_failed_attempt_and_the_first_reading_is_not_told(
    world: World,
) -> None:
    """It is in the wallet that the reading finds."""
    stream, codec = stream_of(world), world.venue
    is_there = False

    async def positions(ask: Any) -> Listing[Any]:
        if not is_there:
            raise OutcomeUnknown("no answer")
        return Listing((), True)

    codec.positions = positions  # type: ignore[attr-defined]  # the last list that is read
    stream.catch_up()
    await asyncio.sleep(1.0)
    codec.paid = [settled(world)]
    await asyncio.sleep(1.0)
    is_there = True
    await asyncio.wait_for(stream.caught_up.wait(), 60)
    await stream.look()
    assert len(world.of(AccountRead)) == 2
    assert world.of(Funding) == []
