# SPDX-License-Identifier: Apache-2.0
"""What a person says of orders in quarantine, at the venues: checked against their own lists, and
overruled by them. Numbers in the names are rows of the fault table.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hean.core.types import Command, OrderCancelled, OrderFilled, OrderPlaced, OrderQuarantined
from hean.errors import Halted
from hean.live.claims import Claim, Claims, Word
from hean.venues.search import Patience
from venue_contract.adapters.trading_desk import Desk
from venue_contract.twin_process import TwinProcess

FAR = "-0.05"
REASON = "the venue's support says so"
PARTS: dict[str, Any] = {
    "patience": Patience((0.1, 0.2, 0.3), by_id=0, spread_s=3_600, quarantine_s=0.5, alarm_s=0.5),
}


@pytest.fixture
async def desk(at: tuple[TwinProcess, str]) -> AsyncIterator[Desk]:
    """Quarantine comes after half a second, and absence never."""
    async with Desk(*at, parts=PARTS) as desk:
        yield desk


async def say(desk: Desk, order_id: str, word: Word) -> str:
    """A person says it."""

    async def settle() -> None:
        await asyncio.sleep(0)  # the bus is drained in the loop's next turn

    claims = Claims(
        desk.venue,
        account_id="7",
        emit=desk.bus.emit,
        settle=settle,
        position_problem=lambda symbol, since_ns: "",
    )
    return await claims.hear(Claim(order_id, word, REASON, "risk:ann"))


async def test_41_a_forgotten_order_that_is_said_to_have_ended_and_is_back_is_cancelled(
    desk: Desk,
) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    with pytest.raises(Halted, match="is at the venue as"):
        await say(desk, order_id, Word.ENDED)
    await desk.fault("amnesia", for_s=600)
    desk.venue.private.look_soon(0.0)
    await desk.first(OrderQuarantined, order_id)
    with pytest.raises(Halted, match="was made"):
        await say(desk, order_id, Word.NEVER_MADE)
    assert "count no more" in await say(desk, order_id, Word.ENDED)
    ended = await desk.first(OrderCancelled, order_id)
    assert "risk:ann" in ended.reason
    assert desk.venue.tracker.open_orders() == []
    await desk.calm()
    desk.venue.private.look_soon(0.0)
    await desk.until(lambda: any(each.verb == "kill" for each in desk.of(Command)))
    await desk.until(lambda: len(desk.of(OrderCancelled, order_id)) > 1)
    assert desk.venue.tracker.open_orders() == []


async def test_41_what_trades_of_it_after_that_is_counted(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.fault("amnesia", for_s=600)
    desk.venue.private.look_soon(0.0)
    await desk.first(OrderQuarantined, order_id)
    await say(desk, order_id, Word.ENDED)
    await desk.calm()
    await desk.by_hand("fill", order_id)
    await desk.until(lambda: desk.of(OrderFilled))
    assert all(fill.is_forced for fill in desk.of(OrderFilled))
    await desk.until(lambda: any(each.verb == "kill" for each in desk.of(Command)))


async def test_39_an_id_that_another_order_bears_is_free_once_that_order_is_gone(
    desk: Desk,
) -> None:
    await desk.fault("duplicate_id", existing="foreign", count=1)
    order_id = desk.send(size="0.003", price=await desk.price(FAR))
    await desk.first(OrderQuarantined, order_id)
    with pytest.raises(Halted, match="Cancel it there first"):
        await say(desk, order_id, Word.NEVER_MADE)
    await desk.by_hand("cancel", order_id)
    assert "count no more" in await say(desk, order_id, Word.NEVER_MADE)
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
