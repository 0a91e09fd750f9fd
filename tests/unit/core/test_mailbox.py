# SPDX-License-Identifier: Apache-2.0
"""Async handlers as tasks: order, isolation, limits."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from hean.core.bus import EventBus
from hean.core.mailbox import Mailbox
from hean.core.types import Balance, Event, EventType, Regime, StampedEvent, Tick
from hean.errors import QueueFull


def tick(number: int) -> StampedEvent:
    return StampedEvent(EventType.TICK, Tick("A", float(number), 1.0, 1), 0, number)


def regime(symbol: str, name: str) -> StampedEvent:
    return StampedEvent(EventType.REGIME, Regime(symbol, name, 1.0))


async def test_a_waiting_handler_gets_its_events_in_order_and_holds_nobody_up() -> None:
    bus, slow_seen, fast_seen = EventBus(mailboxes=True), [], []

    async def slow(event: Event) -> None:
        await asyncio.sleep(0.001 if event.seq == 1 else 0)
        slow_seen.append(event.seq)

    bus.subscribe(EventType.TICK, slow)
    bus.subscribe(EventType.TICK, lambda event: fast_seen.append(event.seq))
    bus.drain(Tick("A", 1.0, 1.0, 1) for _ in range(3))
    assert (fast_seen, slow_seen) == ([1, 2, 3], [])
    await bus.drain_async()
    assert slow_seen == [1, 2, 3]


async def test_drain_async_delivers_what_a_waiting_handler_emits() -> None:
    bus, seen = EventBus(mailboxes=True), []

    async def handler(event: Event) -> None:
        await asyncio.sleep(0)
        bus.emit(Regime("A", "calm", 1.0))

    bus.subscribe(EventType.TICK, handler)
    bus.subscribe(EventType.REGIME, seen.append)
    bus.emit(Tick("A", 1.0, 1.0, 1))
    await bus.drain_async()
    assert len(seen) == 1


async def test_a_failing_task_goes_on_with_the_next_event() -> None:
    failures: list[Any] = []
    bus, seen = EventBus(mailboxes=True, on_failure=lambda *report: failures.append(report)), []

    async def handler(event: Event) -> None:
        if event.seq == 1:
            raise ValueError("bug")
        seen.append(event.seq)

    errors: list[Event] = []
    bus.subscribe(EventType.TICK, handler)
    bus.subscribe(EventType.ERROR, errors.append)
    bus.drain(Tick("A", 1.0, 1.0, 1) for _ in range(2))
    await bus.drain_async()
    assert (seen, len(failures), len(errors)) == ([2], 1, 1)


async def test_without_a_report_the_next_drain_raises_what_a_task_raised() -> None:
    async def handler(event: Event) -> None:
        raise ValueError("bug")

    bus = EventBus(mailboxes=True)
    bus.subscribe(EventType.TICK, handler)
    bus.emit(Tick("A", 1.0, 1.0, 1))
    with pytest.raises(ValueError, match="bug"):
        await bus.drain_async()
    bus.drain()  # raised once, not for ever


async def handle_nothing(event: Event) -> None:
    await asyncio.sleep(3600)


async def test_class_b_is_conflated_to_the_newest_of_its_key() -> None:
    seen = []

    async def handler(event: Event) -> None:
        seen.append((event.data.symbol, event.data.regime))

    mailbox = Mailbox(handler, lambda *_: None)
    for symbol, name in (("A", "calm"), ("B", "calm"), ("A", "wild")):
        mailbox(regime(symbol, name))
    await mailbox.idle()
    mailbox(regime("A", "calm"))
    await mailbox.idle()
    assert seen == [("A", "wild"), ("B", "calm"), ("A", "calm")]
    assert mailbox.merged == 1


async def test_a_full_mailbox_refuses_ticks_once_aloud_and_counts_them() -> None:
    mailbox = Mailbox(handle_nothing, lambda *_: None, size=2)
    mailbox(tick(1))
    mailbox(tick(2))
    with pytest.raises(QueueFull, match="handle_nothing"):
        mailbox(tick(3))
    mailbox(tick(4))
    assert (mailbox.refused, mailbox.is_lagging) == (2, True)
    await mailbox.close()


async def test_class_a_is_taken_even_by_a_full_mailbox() -> None:
    seen = []

    async def handler(event: Event) -> None:
        seen.append(event.event_type)

    mailbox = Mailbox(handler, lambda *_: None, size=1)
    mailbox(tick(1))
    mailbox(StampedEvent(EventType.BALANCE, Balance("USDT", Decimal(1), Decimal(1))))
    await mailbox.idle()
    assert seen == ["TICK", "BALANCE"]


async def test_closing_ends_a_handler_that_never_returns() -> None:
    mailbox = Mailbox(handle_nothing, lambda *_: None)
    mailbox(tick(1))
    await asyncio.sleep(0)
    await mailbox.close()
    assert not mailbox.is_busy
