# SPDX-License-Identifier: Apache-2.0
"""Hedge ratios on the real bus: when a row is made, what is told about it, and that a restored
module goes on as if nothing had happened.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.driver import run_simulated
from hean.core.module import Context
from hean.core.types import (
    Candle,
    Changepoint,
    Event,
    EventType,
    HedgeRatio,
    Payload,
    Tick,
    decode,
    encode,
)
from hean.errors import DataInvalid, ParameterInvalid
from hean.filters import KalmanHedge
from hean.models.kalman import HedgePair, KalmanPairs

MS = 1_000_000
MINUTE = 60_000 * MS
NOISES = {"q_beta": 1e-7, "q_alpha": 1e-7, "observation": 1e-4}


class Tape:
    """A source that plays payloads at their times."""

    def __init__(self, facts: Iterable[tuple[int, Payload]]) -> None:
        self.facts = list(facts)

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Everything is played."""

    def next(self, horizon_ns: int | None) -> tuple[int, tuple[Payload, ...]] | None:
        if not self.facts:
            return None
        if horizon_ns is not None and horizon_ns <= self.facts[0][0]:
            return horizon_ns, ()
        ts_ns, fact = self.facts.pop(0)
        return ts_ns, (fact,)


def told(module: KalmanPairs, facts: Iterable[tuple[int, Payload]]) -> list[Event]:
    """What the module emits while the facts pass."""
    clock = SimClock()
    bus = EventBus(clock=clock)
    found: list[Event] = []
    for kind in module.produces:
        bus.subscribe(kind, found.append)
    module.attach(bus, Context(bus, clock, name=module.name))
    run_simulated(bus, clock, Tape(facts))
    return found


def quotes(symbol: str, price: float) -> Tick:
    price = float(price)
    return Tick(symbol, price, 0.0, 0, price * 0.999, price * 1.001)


def candle(symbol: str, price: float, bar: int, timeframe: str = "1m") -> Candle:
    price = float(price)
    return Candle(symbol, price, price, price, price, 1.0, timeframe, bar * MINUTE)


def prices(rows: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = np.cumsum(random.normal(0, 1e-2, rows))
    return 50 * np.exp(1.2 * x + random.normal(0, 1e-2, rows)), 20 * np.exp(x)


def minute_pair(**given: object) -> HedgePair:
    settings = {**NOISES, "bar": "1m", "from_candles": True, "window": 20, **given}
    return HedgePair(**{"y": "ETHUSDT", "x": "BTCUSDT", **settings})


def minutes(y: np.ndarray, x: np.ndarray, first: int = 0) -> list[tuple[int, Payload]]:
    """Both legs' candles, in an order that changes."""
    facts: list[tuple[int, Payload]] = []
    for bar, both in enumerate(zip(y, x, strict=True), start=first):
        legs = [candle("ETHUSDT", both[0], bar), candle("BTCUSDT", both[1], bar)]
        facts += [((bar + 1) * MINUTE, leg) for leg in (legs if bar % 3 else legs[::-1])]
    return facts


def test_rows_of_candles_are_those_of_the_filter_over_columns() -> None:
    y, x = prices(200)
    found = told(KalmanPairs([minute_pair()]), minutes(y, x))
    model = KalmanHedge(**NOISES, window=20)
    z, innovation, variance, beta, alpha = model.batch(np.log(y), np.log(x))
    assert len(found) == 180
    for at, event in enumerate(found, start=20):
        fact: HedgeRatio = event.data
        assert event.ts_ns == (at + 1) * MINUTE
        assert (fact.pair, fact.spread_z, fact.spread) == ("ETHUSDT/BTCUSDT", z[at], innovation[at])
        assert (fact.variance, fact.alpha) == (variance[at], alpha[at])
        assert fact.beta == beta[at - 1] or at == 20
        assert fact.ready and fact.healthy
        assert decode(EventType.HEDGE_RATIO, encode(fact)) == fact


def test_a_missing_bar_of_one_leg_only_widens() -> None:
    y, x = prices(60)
    facts = [
        (ts_ns, fact)
        for ts_ns, fact in minutes(y, x)
        if not (fact.symbol == "BTCUSDT" and fact.timestamp // MINUTE in (40, 41))
    ]
    found = told(KalmanPairs([minute_pair()]), facts)
    model = KalmanHedge(**NOISES, window=20)
    for at in range(60):
        is_there = at not in (40, 41)
        z = model.update(math.log(y[at]), math.log(x[at]) if is_there else math.nan)
        if at == 42:
            fact = next(event.data for event in found if event.ts_ns == 43 * MINUTE)
            assert fact.spread_z == pytest.approx(z, rel=1e-12)
    assert len(found) == 38


def test_candles_of_another_length_or_symbol_or_twice_are_no_rows() -> None:
    y, x = prices(40)
    facts = minutes(y, x)
    noise = [(ts, candle("SOLUSDT", 1.0, bar)) for bar, (ts, _) in enumerate(facts[:40])]
    other = [(ts, candle("ETHUSDT", 9.0, bar, "5m")) for bar, (ts, _) in enumerate(facts[:40])]
    mixed = sorted([*facts, *noise, *other, *facts], key=lambda fact: fact[0])
    expected = [event.data for event in told(KalmanPairs([minute_pair()]), facts)]
    assert [event.data for event in told(KalmanPairs([minute_pair()]), mixed)] == expected


def quote_pair(**given: object) -> HedgePair:
    return HedgePair(**{"y": "ETHUSDT", "x": "BTCUSDT", **NOISES, "window": 3, **given})


def seconds_of_quotes(ages_ms: list[int]) -> list[tuple[int, Payload]]:
    """One row a second: BTC quotes first, ETH so many milliseconds later."""
    y, x = prices(len(ages_ms))
    facts: list[tuple[int, Payload]] = []
    for at, age_ms in enumerate(ages_ms):
        facts.append((at * 1_000 * MS, quotes("BTCUSDT", x[at])))
        facts.append(((at * 1_000 + age_ms) * MS, quotes("ETHUSDT", y[at])))
    return facts


def test_a_row_needs_both_quotes_fresh() -> None:
    ages = [10, 10, 10, 10, 250, 251, 10, 900, 10]
    found = told(KalmanPairs([quote_pair()]), seconds_of_quotes(ages))
    at_s = [event.ts_ns // (1_000 * MS) for event in found]
    # A late quote is stale for its own second, but 100 ms later fresh for the next one's first.
    assert at_s == [3, 4, 6, 8]


def test_quotes_make_one_row_a_bar_and_its_time_is_that_since_the_last_row() -> None:
    y, x = prices(50)
    facts: list[tuple[int, Payload]] = []
    for at in range(50):
        facts.append((at * 300 * MS, quotes("BTCUSDT", x[at])))
        facts.append(((at * 300 + 1) * MS, quotes("ETHUSDT", y[at])))
    found = told(KalmanPairs([quote_pair(window=5)]), facts)
    gaps = {b.ts_ns - a.ts_ns for a, b in pairwise(found)}
    assert gaps == {1_200 * MS}
    model = KalmanHedge(**NOISES, window=5)
    rows = range(0, 50, 4)
    middle = [0.5 * (p * 0.999 + p * 1.001) for p in (y[0], x[0])]
    assert middle == pytest.approx([y[0], x[0]])
    z = [model.update(math.log(y[at]), math.log(x[at]), 1.2 if at else 1.0) for at in rows]
    assert [event.data.spread_z for event in found] == pytest.approx(z[5:], rel=1e-6)


def test_a_trade_without_a_quote_is_not_used() -> None:
    facts = [(ts, Tick(q.symbol, q.price, 1.0, 0)) for ts, q in seconds_of_quotes([10] * 20)]
    assert told(KalmanPairs([quote_pair()]), facts) == []


def test_five_rows_beyond_the_gate_are_a_changepoint() -> None:
    y, x = prices(100)
    y[80:] *= math.e
    found = told(KalmanPairs([minute_pair()]), minutes(y, x))
    changes = [event for event in found if isinstance(event.data, Changepoint)]
    # A jump of a hundred deviations takes three tenfold widenings.
    assert [event.ts_ns // MINUTE for event in changes] == [85, 90, 95]
    assert changes[0].data.symbol == "ETHUSDT/BTCUSDT"
    after = [event.data for event in found if event.ts_ns == 85 * MINUTE]
    assert not after[0].ready


def test_a_restored_module_goes_on_bit_for_bit() -> None:
    y, x = prices(120)
    whole = told(KalmanPairs([minute_pair(), minute_pair(y="BTCUSDT", x="ETHUSDT")]), minutes(y, x))
    before, after = (
        KalmanPairs([minute_pair(), minute_pair(y="BTCUSDT", x="ETHUSDT")]) for _ in range(2)
    )
    first = told(before, minutes(y[:50], x[:50]))
    after.restore(before.snapshot())
    rest = told(after, minutes(y[50:], x[50:], first=50))
    assert [e.data for e in (*first, *rest)] == [e.data for e in whole]
    assert after.warmup_events >= 2 * 21


def test_a_foreign_snapshot_is_refused_whole() -> None:
    y, x = prices(30)
    module = KalmanPairs([minute_pair()])
    told(module, minutes(y, x))
    before = module.snapshot()
    with pytest.raises(DataInvalid):
        module.restore(KalmanPairs([minute_pair(window=21)]).snapshot())
    with pytest.raises(ParameterInvalid):
        module.restore(KalmanPairs([quote_pair(y="SOLUSDT")]).snapshot())
    assert module.snapshot() == before


def test_pairs_that_make_no_sense_are_refused() -> None:
    for pairs in (
        [minute_pair(x="ETHUSDT")],
        [minute_pair(), minute_pair()],
        [minute_pair(max_age_ms=0)],
        [minute_pair(observation=-1.0)],
        [minute_pair(bar="1x")],
    ):
        with pytest.raises(ParameterInvalid):
            KalmanPairs(pairs)
