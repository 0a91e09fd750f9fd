# SPDX-License-Identifier: Apache-2.0
"""How many `async def` handlers work at a time, and how long before others have their turn."""

from __future__ import annotations

import asyncio

import pytest

from hean.core.bus import EventBus
from hean.core.mailbox import Turns
from hean.core.types import Event, EventType, Tick
from hean.errors import QueueFull

pytestmark = pytest.mark.promise(126)


class Handlers:
    """Handlers that are at work for a few turns of the loop, each under its number."""

    def __init__(self, bus: EventBus, count: int) -> None:
        self.seen: list[tuple[int, int]] = []
        self.at_work = self.most = 0
        for number in range(count):
            bus.subscribe(EventType.TICK, self.handler(number))

    def handler(self, number: int):  # type: ignore[no-untyped-def]
        async def handle(event: Event) -> None:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
            await asyncio.sleep(0)
            self.at_work -= 1
            self.seen.append((number, event.seq))

        return handle


@pytest.mark.parametrize("workers", [1, 2, 4])
async def test_no_more_are_at_work_than_allowed_and_each_has_its_events_in_order(
    workers: int,
) -> None:
    bus = EventBus(mailboxes=True, turns=Turns(workers, 3))
    handlers = Handlers(bus, 6)
    bus.drain(Tick("A", 1.0, 1.0, 1) for _ in range(10))
    await bus.drain_async()
    assert handlers.most == workers
    for number in range(6):
        assert [seq for who, seq in handlers.seen if who == number] == list(range(1, 11))


async def test_a_handler_works_off_one_batch_before_the_next_has_its_turn() -> None:
    bus = EventBus(mailboxes=True, turns=Turns(1, 3))
    handlers = Handlers(bus, 2)
    bus.drain(Tick("A", 1.0, 1.0, 1) for _ in range(6))
    await bus.drain_async()
    assert [who for who, _ in handlers.seen] == [0, 0, 0, 1, 1, 1] * 2


async def test_one_that_never_waits_leaves_the_loop_its_turn_after_each_batch() -> None:
    bus = EventBus(mailboxes=True, turns=Turns(4, 10))
    seen: list[int] = []

    async def handle(event: Event) -> None:
        seen.append(event.seq)

    bus.subscribe(EventType.TICK, handle)
    bus.drain(Tick("A", 1.0, 1.0, 1) for _ in range(100))
    while not seen:
        await asyncio.sleep(0)
    assert len(seen) == 10
    await bus.drain_async()
    assert len(seen) == 100


async def test_a_place_is_free_again_after_a_failure() -> None:
    failures: list[str] = []
    bus = EventBus(
        mailboxes=True, turns=Turns(1, 1), on_failure=lambda *told: failures.append(told[0])
    )
    seen: list[int] = []

    async def fails(event: Event) -> None:
        raise ValueError("no")

    async def works(event: Event) -> None:
        seen.append(event.seq)

    bus.subscribe(EventType.TICK, fails)
    bus.subscribe(EventType.TICK, works)
    bus.drain(Tick("A", 1.0, 1.0, 1) for _ in range(3))
    await bus.drain_async()
    assert (len(failures), seen) == (3, [1, 2, 3])


@pytest.mark.promise(119)
def test_the_bound_of_the_queue_can_be_set_and_new_input_is_refused_before_it() -> None:
    bus = EventBus()
    bus.bound(1_000)
    for number in range(800):
        bus.emit(Tick("A", 1.0, 1.0, number))
    with pytest.raises(QueueFull, match="1000 are allowed and new input stops at 800"):
        bus.emit(Tick("A", 1.0, 1.0, 1))
