# SPDX-License-Identifier: Apache-2.0
"""While nobody looks whether the market data is fresh, nothing new leaves: a burst of slow commits
keeps the loop busy for seconds, and the data is as old as that.
"""

from __future__ import annotations

import asyncio

import pytest

from hean.feeds.live import LiveFeed
from hean.sim.run import Trial
from hean.twin.orders import OrderEvent
from sim.bank import busy

BLIND_S = 10.0


def test_nothing_new_leaves_while_nobody_looks_at_the_feed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = LiveFeed._watch

    async def stops(feed: LiveFeed) -> None:
        try:
            async with asyncio.timeout(BLIND_S):
                await watch(feed)
        except TimeoutError:
            return

    monkeypatch.setattr(LiveFeed, "_watch", stops)
    trial = Trial(busy("takers", safety_steps=5_000)(1))
    opened_s: list[float] = []
    trial.exchange.venue.listeners.append(
        lambda event: (
            opened_s.append(trial.world.now_s())
            if isinstance(event, OrderEvent) and event.kind == "new" and not event.order.reduce_only
            else None
        )
    )
    trial.run()
    assert trial.world.now_s() > 2 * BLIND_S
    assert 5.0 < max(opened_s) < BLIND_S + 2.0
