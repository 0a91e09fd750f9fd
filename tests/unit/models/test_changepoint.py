# SPDX-License-Identifier: Apache-2.0
"""The changepoint module: quiet in calm, soon after a change, and only when streams agree."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.core.bus import EventBus
from hean.core.module import Context
from hean.core.types import Candle, Changepoint, EventType, HedgeRatio, Tick
from hean.models.changepoint import ChangepointDetector, ChangepointSettings

CALM = 500


class Desk:
    """The module on a bus of its own."""

    def __init__(self, settings: ChangepointSettings | None = None) -> None:
        self.bus = EventBus()
        self.told: list[Changepoint] = []
        self.bus.subscribe(EventType.CHANGEPOINT, lambda event: self.told.append(event.data))
        ChangepointDetector(settings).attach(self.bus, Context(self.bus, self.bus.clock))

    def bars(self, returns: np.ndarray, symbol: str = "BTCUSDT") -> list[Changepoint]:
        close = 100.0
        for step in returns.tolist():
            close *= math.exp(step)
            self.bus.drain((Candle(symbol, close, close, close, close, 1.0, "1m", 0),))
        return self.told


def returns(seed: int, wild: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate((random.normal(0, 5e-4, CALM), random.normal(0, 8e-3, wild)))


@pytest.mark.promise(200)
def test_a_shock_is_told_within_a_few_bars_and_calm_raises_no_alarm() -> None:
    told = Desk().bars(returns(1, wild=10))
    calm, wild = told[:-10], told[-10:]
    assert len(calm) == CALM - 1 - 20 - 100 - 30  # variance, prior, two young windows
    assert max(fact.probability for fact in calm) < 0.9
    assert max(fact.probability for fact in wild[:6]) > 0.9
    alarm = next(fact for fact in wild if fact.probability > 0.9)
    assert set(alarm.streams.split(",")) >= {"return", "size"} and alarm.run_length < 15
    assert calm[-1].settled > 0.8
    assert alarm.settled < 0.1


def test_one_stream_alone_says_nothing() -> None:
    alone = Desk(ChangepointSettings(streams_min=3)).bars(returns(1, wild=10))
    assert alone == []  # there are only two
    both = Desk().bars(returns(1, wild=10))
    one = Desk(ChangepointSettings(streams_min=1)).bars(returns(1, wild=10))
    assert all(a.probability >= b.probability for a, b in zip(one, both, strict=True))


def test_flow_is_a_stream_of_ticks_by_the_side_in_a_hurry() -> None:
    desk = Desk(ChangepointSettings(streams_min=3))
    random = np.random.default_rng(3)
    for bar in range(300):
        buyers = 0.95 if bar >= 290 else 0.5
        for _ in range(20):
            price = 100.01 if random.uniform() < buyers else 99.99
            desk.bus.drain((Tick("BTCUSDT", price, 1.0, 0, 99.99, 100.01),))
        close = 100 * math.exp(random.normal(0, 1e-3))
        desk.bus.drain((Candle("BTCUSDT", close, close, close, close, 1.0, "1m", 0),))
    assert any("flow" in fact.streams for fact in desk.told[-8:])
    assert not any("flow" in fact.streams for fact in desk.told[:-10])


def test_a_pair_has_its_spread_alone() -> None:
    desk = Desk()
    random = np.random.default_rng(4)
    for z in (*random.normal(0, 1, 400), *random.normal(6, 1, 5), math.nan):
        desk.bus.drain((HedgeRatio("BTCUSDT/ETHUSDT", 1.0, 0.0, float(z)),))
    assert {fact.symbol for fact in desk.told} == {"BTCUSDT/ETHUSDT"}
    assert desk.told[-1].probability > 0.9 > max(fact.probability for fact in desk.told[:-5])
    assert desk.told[-1].streams == "spread"


def test_symbols_do_not_touch_each_other_and_later_bars_no_earlier_word() -> None:
    desk = Desk()
    alone = list(Desk().bars(returns(5, wild=5)))
    desk.bars(returns(5, wild=5))
    desk.bars(returns(6, wild=5), "ETHUSDT")
    assert [fact for fact in desk.told if fact.symbol == "BTCUSDT"] == alone
    shorter = Desk().bars(returns(5, wild=5)[:-3])
    assert alone[: len(shorter)] == shorter


def test_a_market_that_stands_still_says_nothing() -> None:
    assert Desk().bars(np.zeros(400)) == []
