# SPDX-License-Identifier: Apache-2.0
"""Many cancellations in one go: one commit, and no byte of any before it (I-05)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

import pytest

from hean.errors import JournalWriteFailed
from hean.venues.dispatch import ANSWER_S
from hean.venues.reports import Tracked
from scripted_venue import approved
from wired_gateway import MARKETS, Built

COUNT = 40


class Recorded(Built):
    """A gateway that tells what it is about to send. *commits*: verb and ids of each; *left*: how
    many frames had left at each.
    """

    def __init__(self, venue: str, market: str) -> None:
        self.commits: list[tuple[str, list[str]]] = []
        self.left: list[int] = []
        self.is_broken = False
        super().__init__(venue, market, sending=self.sending)

    def sending(
        self, verb: str, orders: Sequence[Tracked], price: Decimal | None, size: Decimal | None
    ) -> None:
        if self.is_broken:
            raise JournalWriteFailed("the disk does not work")
        self.commits.append((verb, [order.order_id for order in orders]))
        self.left.append(len(self.wire.frames))

    def rest(self, count: int = COUNT) -> list[str]:
        """So many orders under way; nothing of it is in the lists any more."""
        ids = [f"h1-test-{number}" for number in range(count)]
        for order_id in ids:
            self.gateway.tracker.open(approved(order_id=order_id), 1)
        return ids


@pytest.fixture(params=MARKETS, ids="-".join)
async def recorded(request: pytest.FixtureRequest) -> Recorded:
    return Recorded(*request.param)


async def test_cancels_asked_for_in_one_go_leave_together_after_one_commit(recorded):
    ids = recorded.rest()
    for order_id in (*ids, *ids):
        recorded.gateway.cancel(order_id)
    assert recorded.wire.frames == []
    await asyncio.sleep(0)
    ((verb, together),) = recorded.commits  # as many as the rate budget takes at once
    assert (verb, together) == ("cancel", ids[: len(together)])
    assert len(together) > 1
    assert recorded.left == [0]
    assert len(recorded.wire.frames) == len(together)


async def test_who_wishes_a_cancel_again_and_again_uses_up_no_request(recorded):
    """A strategy may ask at every tick; what became of the first request is followed up anyway."""
    (order_id,) = recorded.rest(1)
    for _ in range(3):
        recorded.gateway.cancel(order_id)
        await asyncio.sleep(0)
    assert recorded.commits == [("cancel", [order_id])]
    recorded.gateway.tracker.get(order_id).cancelled_ns -= int(ANSWER_S * 1e9)
    recorded.gateway.cancel(order_id)
    await asyncio.sleep(0)
    assert len(recorded.commits) == 2


async def test_the_rest_follows_by_itself_as_the_rate_allows():
    recorded = Recorded("bybit", "linear")
    ids = recorded.rest()
    for order_id in ids:
        recorded.gateway.cancel(order_id)
    async with asyncio.timeout(60):
        while len(recorded.wire.frames) < COUNT:
            await asyncio.sleep(0.05)
    assert sorted(name for _, names in recorded.commits for name in names) == sorted(ids)
    assert len(recorded.commits) < COUNT / 2


async def test_an_order_sent_in_the_same_go_leaves_after_them(recorded):
    """A stop that is replaced: the old one goes first."""
    recorded.rest(2)
    recorded.gateway.cancel("h1-test-0")
    recorded.gateway.submit(approved(order_id="h1-test-new"))
    recorded.gateway.cancel("h1-test-1")
    await asyncio.sleep(0)
    ways = [(verb, *names) for verb, names in recorded.commits]
    assert ways == [("cancel", "h1-test-0"), ("submit", "h1-test-new"), ("cancel", "h1-test-1")]
    assert recorded.left == [0, 1, 2]


async def test_nothing_leaves_when_their_records_cannot_be_made_durable(recorded):
    for order_id in recorded.rest(3):
        recorded.gateway.cancel(order_id)
    recorded.is_broken = True
    with suppress(JournalWriteFailed):
        recorded.gateway.cancels.leave()
    await asyncio.sleep(0)
    assert recorded.wire.frames == []
