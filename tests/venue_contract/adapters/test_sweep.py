# SPDX-License-Identifier: Apache-2.0
"""R-25 and R-27 at the twins: a sweep ends when the venue shows that nothing is left, and takes
only what it is to take. Numbers in the names are rows of the fault table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest

from hean.core.module import base36
from hean.core.types import Health, OrderCancelled, OrderPlaced, OrderRejected, OrderType, Side
from hean.venues.keys import key_facts
from hean.venues.reports import KeyFacts
from hean.venues.sweep import Sweep
from venue_contract.adapters.trading_desk import Desk, only
from venue_contract.twin_process import TwinProcess

FAR = "-0.05"
COUNT = 12


class SweepingDesk(Desk):
    """A desk with a sweep, and a person who places orders by hand."""

    sweep: Sweep
    sent: list[tuple[str, str]]

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.twin.control.manual, "cancel_all")
        await super().__aenter__()
        venue = self.venue
        self.sent = []
        self.sweep = Sweep(
            venue.codec,
            venue.questions,
            venue.tracker,
            venue.run,
            cancel=venue.cancel,
            keeps=self.keeps,
            emit=self.bus.emit,
            epoch=self.ids.epoch,
            sending=lambda verb, orders, *_: self.sent.extend(
                (verb, order.order_id) for order in orders
            ),
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        self.sweep.stop()
        await super().__aexit__(*error)
        await asyncio.to_thread(self.twin.control.manual, "cancel_all")

    def keeps(self, order_id: str) -> bool:
        order = self.venue.tracker.get(order_id)
        return order is not None and order.is_conditional and order.reduce_only

    async def rest(self, count: int = COUNT) -> list[str]:
        """So many resting orders, each known to the venue."""
        price = await self.price(FAR)
        found: list[str] = []
        while len(found) < count:  # the budget takes so many in a second
            sent = [self.send(price=price) for _ in range(count - len(found))]
            await self.until(lambda sent=sent: all(map(self.is_answered, sent)))
            found += [order_id for order_id in sent if self.of(OrderPlaced, order_id)]
        return found

    def is_answered(self, order_id: str) -> bool:
        return bool(self.of(OrderPlaced, order_id) or self.of(OrderRejected, order_id))

    async def protect(self) -> str:
        """A stop far below the market."""
        order_id = self.send(
            Side.SELL,
            type=OrderType.STOP,
            trigger_price=await self.price("-0.2"),
            reduce_only=True,
        )
        await self.first(OrderPlaced, order_id)
        return order_id

    async def swept(self, **options: Any) -> None:
        """Sweep until two lists in a row are empty."""
        self.sweep.start(**options)
        await self.until(lambda: self.sweep.is_empty)


@pytest.fixture
async def desk(at: tuple[TwinProcess, str]) -> AsyncIterator[SweepingDesk]:
    """An adapter that is ready, at an account without orders."""
    async with SweepingDesk(*at) as desk:
        yield desk


def sweeping(desk: SweepingDesk) -> list[str]:
    """What the sweep told of itself."""
    return [fact.state for fact in desk.of(Health) if fact.component.endswith("sweep")]


async def test_everything_of_ours_is_taken_back_and_each_told(desk: SweepingDesk) -> None:
    orders = await desk.rest()
    await desk.swept()
    assert desk.open_at_venue() == []
    for order_id in orders:
        await desk.first(OrderCancelled, order_id)
    first, *_ = sweeping(desk)
    assert first == "SWEEPING"
    await desk.until(lambda: sweeping(desk)[-1] == "EMPTY")  # emitted, perhaps not told yet
    assert {order_id for verb, order_id in desk.sent if verb == "cancel"} <= set(orders)


async def test_a_protective_stop_stays(desk: SweepingDesk) -> None:
    stop = await desk.protect()
    await desk.rest(3)
    await desk.swept()
    assert desk.open_at_venue() == [stop]


async def test_45_an_order_that_survives_the_cancel_all_is_found_and_taken_back(
    desk: SweepingDesk,
) -> None:
    await desk.rest()
    await desk.fault("cancel_all_survivor", survivors=3)
    for order in desk.venue.tracker.open_orders():
        order.is_ended = True  # nobody else cancels: only the sweep knows of them
    await desk.swept()
    assert desk.open_at_venue() == []


async def test_49_an_order_by_hand_stays_and_goes_only_when_all_are_meant(
    desk: SweepingDesk,
) -> None:
    await desk.rest(3)
    await desk.place_by_hand(f"by-hand-{desk.ids.epoch}")
    await desk.place_by_hand()
    await desk.swept()
    assert len(desk.open_at_venue()) == 2
    await desk.swept(takes_all=True)
    assert desk.open_at_venue() == []


async def test_an_order_of_an_earlier_process_is_ours_and_of_a_later_one_is_not(
    desk: SweepingDesk,
) -> None:
    older, newer = (f"h{each}-test-{base36(desk.ids.epoch)}" for each in ("1", "zzzzzzzzzz"))
    await desk.place_by_hand(older)
    await desk.place_by_hand(newer)
    await desk.swept(takes_all=True)
    assert desk.open_at_venue() == [newer]


@pytest.mark.parametrize("op", ["cancel_all", "open_orders"])
async def test_36_a_rate_limit_delays_a_sweep_and_does_not_end_it(
    desk: SweepingDesk, op: str
) -> None:
    await desk.rest(4)
    await desk.fault("rate_limited", retry_after_s=1.0, count=2, match={"op": op})
    await desk.swept()
    assert desk.open_at_venue() == []


@pytest.mark.parametrize("op", ["cancel", "cancel_all", "open_orders"])
async def test_33_answers_that_nobody_understands_do_not_end_a_sweep(
    desk: SweepingDesk, op: str
) -> None:
    await desk.rest(4)
    await desk.fault("server_error", accepted=False, count=3, match={"op": op})
    await desk.swept()
    assert desk.open_at_venue() == []


@only(("bybit", "linear"))
async def test_31_an_order_that_arrives_late_is_taken_back_while_it_watches(
    desk: SweepingDesk,
) -> None:
    await desk.rest(2)
    await desk.fault("timeout_late", delay_s=3.0, held="engine", count=1)
    late = desk.send(price=await desk.price(FAR))
    await desk.swept()
    assert desk.sweep.is_running
    await desk.first(OrderCancelled, late)
    await desk.until(lambda: desk.sweep.is_empty)
    assert desk.open_at_venue() == []


@only(("bybit", "linear"))
async def test_after_a_while_without_late_arrivals_it_ends(desk: SweepingDesk) -> None:
    await desk.rest(2)
    await desk.swept()
    lists = desk.sweep.lists
    await desk.until(lambda: not desk.sweep.is_running)
    assert desk.sweep.lists > lists


async def test_two_hundred_orders_go_although_one_request_in_ten_fails(
    desk: SweepingDesk,
) -> None:
    await desk.rest(200)
    await desk.fault("server_error", accepted=False, probability=0.1, match={"op": "cancel"})
    await desk.swept()
    assert desk.open_at_venue() == []


# ---------------------------------------------------------------- keys


async def test_the_key_tells_what_it_may_do(desk: SweepingDesk) -> None:
    async def facts() -> KeyFacts:
        return await key_facts(desk.venue.codec, desk.venue.questions, lambda base: desk.client)

    manual = desk.twin.control.manual
    assert await facts() == KeyFacts(may_trade=True, may_withdraw=False, is_bound=False)
    await asyncio.to_thread(manual, "key_rights", may_withdraw=True, is_bound=True)
    assert await facts() == KeyFacts(may_trade=True, may_withdraw=True, is_bound=True)
    await asyncio.to_thread(manual, "key_rights")
    await desk.fault("key_refused", reason="revoked")
    assert await facts() == KeyFacts()


async def test_a_key_that_may_only_read_says_so(at: tuple[TwinProcess, str]) -> None:
    desk = Desk(*at, account=at[0].readonly)
    async with desk.client:
        found = await key_facts(desk.venue.codec, desk.venue.questions, lambda base: desk.client)
    assert found.may_trade is False
