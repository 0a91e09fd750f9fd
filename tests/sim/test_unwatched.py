# SPDX-License-Identifier: Apache-2.0
"""While nobody looks whether the market data is fresh, nothing new leaves: a burst of slow commits
keeps the loop busy for seconds, and the data is as old as that.
"""

from __future__ import annotations

import asyncio

import pytest

from hean.core.types import Event, EventType, Health
from hean.feeds.live import LiveFeed
from hean.sim.run import Trial
from hean.twin.orders import OrderEvent
from hean.venues.dispatch import Flight
from scripted_venue import approved
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


def test_what_waited_for_its_connection_does_not_leave_on_data_that_became_old() -> None:
    trial = Trial(busy("takers", venue="bybit")(1))
    told: list[str] = []

    def look() -> None:
        engine = trial.engine
        for is_old, reduces in ((False, False), (True, False), (True, True)):
            state = "STALE" if is_old else "FRESH"
            health = Health("feed.test", state, 1, {"symbol": "BTCUSDT"})
            engine.system.governor.on_health(Event(EventType.HEALTH, health))
            order = engine.gateway.tracker.open(approved(reduce_only=reduces), 1)
            told.append(engine.gateway.objection(Flight("submit", order, 1)))
        trial.world.loop.stop()

    trial.world.later(5.0, look)
    trial.run()
    assert (told[0], told[2]) == ("", "")
    assert "stale data (feed.test)" in told[1]
