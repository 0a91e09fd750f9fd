# SPDX-License-Identifier: Apache-2.0
"""A live strategy that handles funding hears every rate that is settled, the past first, whether it
holds anything or not; and what it is told that way moves no money.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hean.core.module import on
from hean.core.types import Event, EventType, Funding
from hean.live.settled_rates import READ_S
from hean.sim.run import Trial
from hean.sim.workloads import WORKLOADS, Legs
from hean.venues.endpoints import BOTH
from sim.bank import busy

COINS, PERP = "BTCUSDT@spot", "BTCUSDT@perp"
MS_NS = 1_000_000


@pytest.mark.parametrize("venue", ["bybit", "binance"])
def test_every_settled_rate_is_heard_once_from_the_history(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Funding] = []

    class Idle(Legs):
        def act(self, symbol: str, price: float, seq: int) -> None:
            """Nothing is held, so nothing is paid."""

        @on(EventType.FUNDING)
        def on_funding(self, event: Event) -> None:
            if event.data.has_rate:
                heard.append(event.data)

    monkeypatch.setitem(WORKLOADS, "legs", Idle)
    scenario = replace(busy("legs", venue=venue)(1), safety_steps=11_000)
    symbols = ("BTCUSDT", "ETHUSDT")
    if venue == "bybit":
        scenario, symbols = replace(scenario, market=BOTH), (COINS, PERP)
    trial = Trial(replace(scenario, symbols=symbols))
    outcome = trial.run()
    assert outcome.broken is None
    assert outcome.virtual_s > READ_S + 10
    for market in trial.exchange.markets:
        name = trial.exchange.name(market)
        known = [fact for fact in heard if fact.symbol == name]
        if market.listing.market == "spot":
            assert known == []
            continue
        until_ns = trial.world.clock.now_ns - int(READ_S * 1e9)
        due = [row for row in market.settlements if row.ts_ns < until_ns]
        assert due
        rates = {row.ts_ns // MS_NS: float(row.rate) for row in due}
        assert rates.items() <= {f.settled_ns // MS_NS: f.rate for f in known}.items()
        times = [fact.settled_ns for fact in known]
        assert times == sorted(set(times))
    assert all(fact.amount is None and fact.mark_price is None for fact in heard)
    assert trial.checks.journal.payments == {}
