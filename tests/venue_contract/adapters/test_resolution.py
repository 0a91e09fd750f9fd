# SPDX-License-Identifier: Apache-2.0
"""Orders whose fate is not known, and orders that are not ours, at the venues. Numbers in the names
are rows of the fault table. How long is looked is shortened by parameters: the rules are the same,
and their full times are kept on virtual time in the unit tests.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from hean.core.module import IdSequence
from hean.core.types import (
    Command,
    Error,
    Health,
    OrderAbsent,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderQuarantined,
    OrderRejected,
    OrderUnknown,
)
from hean.errors import Halted, HeanError
from hean.venues.maintenance import Maintenance
from hean.venues.private import OVERLAP_NS
from hean.venues.search import Patience
from hean.venues.wakeful import Wakeful
from venue_contract.adapters.trading_desk import STALL_NS, SYMBOL, Desk, all_but, only
from venue_contract.twin_process import TwinProcess

FAR = "-0.05"
EPOCHS = itertools.count(time.time_ns() // 100_000_000, 10)  # each desk's is newer than the last
DENSE = (0.1, 0.2, 0.3)
QUICK: dict[str, Any] = {
    "patience": Patience(DENSE, by_id=0, spread_s=0.8, late_ms=-4_000, quarantine_s=3_600),
    "position_problem": lambda symbol, since_ns: "",
}
DOUBTFUL: dict[str, Any] = {
    "patience": Patience(DENSE, by_id=0, spread_s=3_600, quarantine_s=0.5, alarm_s=0.5),
}


@pytest.fixture
async def quick(at: tuple[TwinProcess, str]) -> AsyncIterator[Desk]:
    """Absence is proven in a second."""
    async with Desk(*at, parts=QUICK) as desk:
        yield desk


@pytest.fixture
async def doubtful(at: tuple[TwinProcess, str]) -> AsyncIterator[Desk]:
    """Quarantine comes after half a second, and absence never."""
    async with Desk(*at, parts=DOUBTFUL) as desk:
        yield desk


class EpochDesk(Desk):
    """A desk that judges ids."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.epoch = next(EPOCHS)
        self.ids = IdSequence(self.epoch)
        self.venue.restore([], [], time.time_ns() + OVERLAP_NS, self.epoch)  # from now on

    def made_by(self, epoch: int) -> str:
        """An id that a process of that epoch gives."""
        return IdSequence(epoch, 36**7).next_id("test")

    async def gone(self, order_id: str) -> None:
        """Somebody cancels it."""
        await asyncio.to_thread(self.twin.control.manual, "cancel", order_id=order_id)


@pytest.fixture
async def epochs(at: tuple[TwinProcess, str]) -> AsyncIterator[EpochDesk]:
    """A desk of a certain epoch."""
    async with EpochDesk(*at) as desk:
        yield desk


# ------------------------------------------------------------ what became of it


async def test_30_an_order_that_never_arrived_is_proven_absent(quick: Desk) -> None:
    await quick.fault("timeout_lost", count=1)
    order_id = quick.send(price=await quick.price(FAR))
    absent = await quick.first(OrderAbsent, order_id)
    assert "receive window" in absent.reason
    assert await quick.created(order_id) == 0
    assert quick.of(OrderPlaced, order_id) == quick.of(OrderQuarantined, order_id) == []
    assert quick.venue.tracker.open_orders() == []


async def test_31_an_order_that_comes_after_the_verdict_is_adopted_and_stops_what_is_new(
    quick: Desk,
) -> None:
    """The verdict comes much too soon here, so the venue can break it: an order that was swallowed
    is made by hand, as if it had been on its way until then.
    """
    await quick.fault("timeout_lost", count=1)
    price = await quick.price(FAR)
    order_id = quick.send(price=price)
    await quick.first(OrderAbsent, order_id)
    await quick.place_by_hand(order_id, price=price)
    await quick.first(OrderPlaced, order_id)
    (kill,) = quick.of(Command)
    assert kill.arguments["level"] == "HALT_NEW"
    assert order_id in kill.arguments["reason"]
    await quick.by_hand("fill", order_id)
    await quick.filled(order_id, "0.002")


@pytest.mark.parametrize("existing", ["ours", "none"])
async def test_39_an_id_that_is_said_to_be_used_is_looked_for(quick: Desk, existing: str) -> None:
    await quick.fault("duplicate_id", existing=existing, count=1)
    order_id = quick.send(price=await quick.price(FAR))
    await quick.first(OrderPlaced if existing == "ours" else OrderAbsent, order_id)
    assert quick.of(OrderRejected, order_id) == []
    assert await quick.created(order_id) == int(existing == "ours")


async def test_39_an_id_that_another_order_bears_is_quarantine(quick: Desk) -> None:
    await quick.fault("duplicate_id", existing="foreign", count=1)
    order_id = quick.send(size="0.003", price=await quick.price(FAR))
    quarantined = await quick.first(OrderQuarantined, order_id)
    assert "under this id" in quarantined.reason
    assert quick.of(OrderPlaced, order_id) == quick.of(OrderFilled, order_id) == []
    refused = await quick.first(OrderRejected, quick.send(price=await quick.price(FAR)))
    assert refused.code == Halted.code
    await quick.by_hand("cancel", order_id)
    quick.venue.tracker.get(order_id).is_ended = True  # a person has looked


async def test_41_an_order_the_venue_forgets_is_in_quarantine_until_it_is_back(
    doubtful: Desk,
) -> None:
    order_id = doubtful.send(price=await doubtful.price(FAR))
    await doubtful.first(OrderPlaced, order_id)
    await doubtful.fault("amnesia", for_s=600)
    doubtful.venue.private.look_soon(0.0)
    await doubtful.first(OrderQuarantined, order_id)
    alarms = len(doubtful.of(Error))
    await doubtful.until(lambda: len(doubtful.of(Error)) > alarms)
    assert doubtful.of(OrderAbsent, order_id) == doubtful.of(OrderCancelled, order_id) == []
    assert (await doubtful.health("HALT_NEW")).extra["reasons"]
    await doubtful.calm()
    await doubtful.health("READY")
    assert [order.order_id for order in doubtful.venue.tracker.open_orders()] == [order_id]


async def test_41_a_cancel_the_venue_does_not_find_its_order_for_is_made_when_it_is_back(
    doubtful: Desk,
) -> None:
    order_id = doubtful.send(price=await doubtful.price(FAR))
    await doubtful.first(OrderPlaced, order_id)
    await doubtful.fault("amnesia", for_s=600)
    doubtful.venue.cancel(order_id)
    await doubtful.first(OrderQuarantined, order_id)
    assert doubtful.of(OrderCancelled, order_id) == []
    await doubtful.calm()
    await doubtful.first(OrderCancelled, order_id)


@pytest.mark.parametrize("by", ["fill", "cancel"])
async def test_43_a_cancel_that_comes_too_late_is_a_question(doubtful: Desk, by: str) -> None:
    order_id = doubtful.send(price=await doubtful.price(FAR))
    await doubtful.first(OrderPlaced, order_id)
    await doubtful.fault("cancel_race", by=by, count=1)
    doubtful.venue.cancel(order_id)
    if by == "fill":
        await doubtful.filled(order_id, "0.002")
        assert doubtful.of(OrderCancelled, order_id) == []
    else:
        await doubtful.first(OrderCancelled, order_id)
    await doubtful.until(lambda: doubtful.venue.tracker.open_orders() == [])


async def test_without_somebody_who_compares_positions_nothing_is_absent(doubtful: Desk) -> None:
    await doubtful.fault("timeout_lost", count=1)
    order_id = doubtful.send(price=await doubtful.price(FAR))
    await doubtful.first(OrderQuarantined, order_id)
    assert doubtful.of(OrderUnknown, order_id)
    assert doubtful.of(OrderAbsent, order_id) == []


# ------------------------------------------------------------ orders that are not ours


async def test_49_somebody_s_own_order_is_told_once_and_left_alone(epochs: EpochDesk) -> None:
    number = await epochs.place_by_hand()
    await epochs.until(lambda: [each for each in epochs.of(Health) if each.state == "EXTERNAL"])
    epochs.venue.private.look_soon(0.0)
    await epochs.filled(epochs.send(), "0.002")
    told = [each for each in epochs.of(Health) if each.state == "EXTERNAL"]
    assert [each.extra["exchange_order_id"] for each in told] == [number]
    assert epochs.of(Command) == []
    await epochs.gone(number)


async def test_67_an_id_of_our_epoch_that_nobody_made_locks(epochs: EpochDesk) -> None:
    number = await epochs.place_by_hand(epochs.made_by(epochs.epoch))
    kill = await epochs.first(Command)
    assert (kill.verb, kill.arguments["level"]) == ("kill", "LOCKED")
    assert not kill.arguments["is_final"]
    await epochs.gone(number)


async def test_14_an_order_of_a_newer_epoch_means_that_we_are_the_zombie(
    epochs: EpochDesk,
) -> None:
    mine = epochs.send(price=await epochs.price(FAR))
    await epochs.first(OrderPlaced, mine)
    number = await epochs.place_by_hand(epochs.made_by(epochs.epoch + 1))
    kill = await epochs.first(Command)
    assert (kill.arguments["level"], kill.arguments["is_final"]) == ("LOCKED", True)
    sequence = await asyncio.to_thread(epochs.twin.control.seq)
    reduction = epochs.send(reduce_only=epochs.market == "linear")
    refused = await epochs.first(OrderRejected, reduction)
    assert "started after this one" in refused.reason
    epochs.venue.cancel(mine)
    epochs.venue.private.look_soon(0.0)
    await asyncio.sleep(0.3)
    records = await asyncio.to_thread(epochs.twin.control.ledger, sequence)
    assert [each for each in records if each.get("client_order_id") in (mine, reduction)] == []
    await epochs.gone(number)
    await epochs.by_hand("cancel", mine)
    await epochs.first(OrderCancelled, mine)


async def test_28_an_order_of_an_older_epoch_that_nobody_remembers_stops_what_is_new(
    epochs: EpochDesk,
) -> None:
    number = await epochs.place_by_hand(epochs.made_by(epochs.epoch - 1))
    kill = await epochs.first(Command)
    assert kill.arguments["level"] == "HALT_NEW"
    assert "cancel it at the venue" in kill.arguments["reason"]
    await epochs.gone(number)


async def test_28_one_that_the_journal_remembers_is_no_stranger(
    at: tuple[TwinProcess, str],
) -> None:
    """A frame of an order that ended in an earlier life comes again."""
    async with EpochDesk(*at, parts={"remembers": lambda order_id: True}) as desk:
        number = await desk.place_by_hand(desk.made_by(desk.epoch - 1))
        await desk.filled(desk.send(), "0.002")
        assert desk.of(Command) == []
        await desk.gone(number)


# ------------------------------------------------------------ the world around


async def test_10_a_process_that_stood_still_reads_the_account_before_anything_new(
    desk: Desk,
) -> None:
    price = await desk.price(FAR)
    desk.venue.upkeep.wakeful = Wakeful()
    desk.venue.upkeep.look(time.time_ns())
    desk.venue.upkeep.look(time.time_ns() + 60_000_000_000)
    desk.venue.upkeep.wakeful = Wakeful(gap_ns=STALL_NS)  # the clock here was never moved
    refused = await desk.first(OrderRejected, desk.send(price=price))
    assert "stood still" in refused.reason
    await desk.health("READY")
    await desk.filled(desk.send(), "0.002")


async def test_37_nothing_leaves_during_a_ban_not_even_cancels(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.fault("ip_banned", for_s=600)
    desk.venue.private.look_soon(0.0)
    await desk.until(lambda: desk.venue._budget.silent_ns(desk.venue.questions.ticks_ns()))
    asked = desk.client.requests
    sequence = await asyncio.to_thread(desk.twin.control.seq)
    desk.venue.cancel(order_id)
    refused = await desk.first(OrderRejected, desk.send(price=await desk.price(FAR)))
    assert "rate limit" in refused.reason
    desk.venue.private.look_soon(0.0)
    await asyncio.sleep(0.5)
    acts = await asyncio.to_thread(desk.twin.control.ledger, sequence)
    assert [each for each in acts if each["kind"] == "fault"] == []
    assert desk.client.requests == asked
    await desk.calm()
    await desk.by_hand("cancel", order_id)
    await desk.first(OrderCancelled, order_id)


async def test_46_a_venue_that_closes_is_believed_open_only_after_a_while_in_order(
    desk: Desk,
) -> None:
    desk.venue.upkeep.maintenance = Maintenance(clean_ns=500_000_000)
    await desk.fault("maintenance", lasts_s=600)
    for _ in range(3):
        with suppress(HeanError):
            await desk.venue.measure_clock()
    assert desk.venue.halts.has("maintenance")
    refused = desk.send(price=await desk.price(FAR))
    assert (await desk.first(OrderRejected, refused)).code == Halted.code
    await desk.calm()

    def is_open_again() -> bool:
        desk.venue.private.look_soon(0.0)
        return not desk.venue.halts.has("maintenance")

    await desk.until(is_open_again)
    assert desk.venue.private.caught_up.is_set()


@only(("bybit", "linear"), ("bybit", "spot"))
async def test_46_an_announced_maintenance_stops_what_is_new_before_it_begins(desk: Desk) -> None:
    await desk.fault("maintenance", announced_s=60.0, lasts_s=1.0)
    await desk.venue.upkeep.read_announcements()
    refused = await desk.first(OrderRejected, desk.send(price=await desk.price(FAR)))
    assert "maintenance" in refused.reason


async def _test_mode(desk: Desk, action: str, mode: str, back: str) -> None:
    control = desk.twin.control
    where = {"symbol": SYMBOL, "market": desk.market}
    await asyncio.to_thread(control.manual, "close", **where)
    await asyncio.to_thread(control.manual, action, mode=mode, **where)
    await desk.venue.upkeep.check_modes()
    refused = await desk.first(OrderRejected, desk.send(price=await desk.price(FAR)))
    assert "expected" in refused.reason
    assert "found" in refused.reason
    await asyncio.to_thread(control.manual, action, mode=back, **where)
    await desk.venue.upkeep.check_modes()
    assert not desk.venue.halts.has("modes")


@all_but(("bybit", "spot"), ("binance", "spot"))
async def test_48_a_position_mode_that_somebody_changed_stops_what_is_new(desk: Desk) -> None:
    await _test_mode(desk, "position_mode", "hedge", "one_way")


@only(("binance", "linear"))  # Bybit's margin mode is the account's, without a hand for it here
async def test_48_a_margin_mode_that_somebody_changed_stops_what_is_new(desk: Desk) -> None:
    await _test_mode(desk, "margin_mode", "isolated", "cross")
