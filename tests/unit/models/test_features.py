# SPDX-License-Identifier: Apache-2.0
"""Features are the same bytes from a recording and from the bus, never look ahead, and say what
their formulas say.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.core.bus import EventBus
from hean.core.module import Context
from hean.core.types import Book, Candle, EventType, Funding, Tick
from hean.errors import BookCrossed, DataInvalid, NumberOutOfRange, ParameterInvalid
from hean.indicators import RSI, ZScore
from hean.models.features import BAR_FEATURES, TICK_FEATURES, Features, FeatureSet

MINUTE = 60_000_000_000
START = 1_735_603_200_000_000_000  # 2024-12-31, a Tuesday
NAMES = ("return_3", "volatility_12", "rsi_14", "volume_z", "funding", "hour_sin", "week_cos")


def bars(count, seed=1):
    draws = np.random.default_rng(seed)
    closes = 100.0 * np.exp(np.cumsum(draws.normal(0, 1e-3, count)))
    facts = []
    for at, close in enumerate(closes.tolist()):
        start = closes[at - 1].item() if at else 100.0
        high, low = max(start, close) * 1.0005, min(start, close) * 0.9995
        volume = float(draws.exponential(10.0))
        facts.append(Candle("BTCUSDT", start, high, low, close, volume, "1m", START + at * MINUTE))
    return facts


def market(count, seed=1):
    """Ticks, books, bars and funding in order of time."""
    draws = np.random.default_rng(seed)
    facts, price = [], 100.0
    for at in range(count):
        ts = START + at * 250_000_000
        price = round(price + float(draws.normal(0, 0.02)), 2)
        sizes = draws.integers(1, 50, 10).astype(float).tolist()
        bids = tuple((round(price - 0.01 * k, 2), sizes[k - 1]) for k in range(1, 6))
        asks = tuple((round(price + 0.01 * k, 2), sizes[-k]) for k in range(1, 6))
        thin = ((bids[0][0], 1.0),), ((asks[0][0], 1.0),)
        facts.append(Book("BTCUSDT", *thin, is_snapshot=True, timestamp=ts))
        facts.append(Book("BTCUSDT", bids, asks, is_snapshot=False, timestamp=ts))
        volume = float(draws.exponential(1.0))
        side = price + float(draws.choice([-0.01, 0.01]))
        facts.append(Tick("BTCUSDT", round(side, 2), volume, ts + 1000))
    return facts


def offline(names, facts):
    """Rows as the training makes them."""
    features = FeatureSet(names, "1m")
    rows = []
    for fact in facts:
        features.update(fact)
        row = np.empty(len(names))
        features.values_into(row)
        rows.append(row)
    return np.array(rows)


def on_the_bus(names, facts, every):
    bus = EventBus()
    found = []
    bus.subscribe(EventType.FEATURES_READY, lambda event: found.append(event.data))
    Features(names, "1m", every=every).attach(bus, Context(bus, bus.clock))
    for fact in facts:
        bus.drain((fact,))
    return found


@pytest.mark.promise(202)
def test_offline_rows_are_the_bytes_that_the_bus_carries():
    facts = [fact for bar in bars(1500) for fact in (Funding("BTCUSDT", 1e-4), bar)]
    rows = offline(NAMES, facts)[1::2]  # after each bar
    told = on_the_bus(NAMES, facts, EventType.CANDLE)
    defined = rows[np.isfinite(rows).all(axis=1)]
    assert len(told) == len(defined) > 50
    live = np.array([[ready.features[name] for name in NAMES] for ready in told])
    assert live.tobytes() == defined.tobytes()
    assert {ready.fingerprint for ready in told} == {FeatureSet(NAMES, "1m").fingerprint}


def test_ticks_and_books_give_the_same_bytes_too():
    facts = market(400)
    names = [name for name in TICK_FEATURES if "600s" not in name and "120s" not in name]
    rows = offline(names, facts)
    ticks = [at for at, fact in enumerate(facts) if isinstance(fact, Tick)]
    defined = [rows[at] for at in ticks if np.isfinite(rows[at]).all()]
    told = on_the_bus(names, facts, EventType.TICK)
    assert len(told) == len(defined) > 50
    live = np.array([[ready.features[name] for name in names] for ready in told])
    assert live.tobytes() == np.array(defined).tobytes()


@pytest.mark.parametrize("cut", [1, 77, 500, 1499])
def test_what_comes_later_changes_nothing_before(cut):
    facts = bars(1500)
    whole = offline(BAR_FEATURES, facts)
    assert offline(BAR_FEATURES, facts[:cut]).tobytes() == whole[:cut].tobytes()


@pytest.mark.parametrize("at", [0, 30, 200])
def test_a_snapshot_goes_on_bit_for_bit(at):
    names = (*BAR_FEATURES[:20], *TICK_FEATURES)
    names = tuple(dict.fromkeys(names))
    facts = [fact for pair in zip(bars(300), market(300), strict=False) for fact in pair]
    first = FeatureSet(names, "1m")
    for fact in facts[:at]:
        first.update(fact)
    second = FeatureSet(names, "1m")
    second.restore(first.snapshot())
    for fact in facts[at:]:
        first.update(fact)
        second.update(fact)
    assert first.snapshot() == second.snapshot()
    with pytest.raises(DataInvalid):
        FeatureSet(names[1:], "1m").restore(first.snapshot())
    with pytest.raises(DataInvalid):
        second.restore(first.snapshot()[:-3])
    assert first.snapshot() == second.snapshot()


def test_features_are_their_formulas():
    facts = bars(1600)
    closes = np.array([bar.close for bar in facts])
    rows = offline(("return_5", "rsi_14", "bollinger_20", "return_1_z"), facts)
    due = np.full(len(closes), np.nan)
    due[5:] = np.log(closes[5:]) - np.log(closes[:-5])
    single = np.float32
    assert np.allclose(rows[:, 0], due.astype(single), rtol=1e-6, atol=1e-12, equal_nan=True)
    assert np.array_equal(rows[:, 1], RSI(14).batch(closes).astype(single), equal_nan=True)
    assert np.array_equal(rows[:, 2], ZScore(20).batch(closes).astype(single), equal_nan=True)
    returns = np.diff(np.log(closes))
    window = returns[1599 - 1440 : 1599]
    middle = np.median(window)
    spread = np.median(np.abs(window - middle)) / 0.6744897501960817
    assert rows[-1, 3] == pytest.approx((returns[-1] - middle) / spread, rel=1e-4)
    assert np.isnan(rows[1439, 3]) and np.isfinite(rows[1440, 3])


def test_book_features_are_their_formulas():
    features = FeatureSet(("micro", "spread", "imbalance_1", "imbalance_2"), "1m")
    features.update(Book("X", ((99.0, 3.0), (98.0, 5.0)), ((101.0, 1.0), (102.0, 1.0)), True, 1))
    found = features.values()
    assert found["imbalance_1"] == pytest.approx(0.5)
    assert found["imbalance_2"] == pytest.approx(0.6)
    assert found["spread"] == pytest.approx(200.0)
    assert found["micro"] == pytest.approx(((99 * 1 + 101 * 3) / 4 / 100 - 1) * 1e4)
    # Levels change and go; the deeper ones come up.
    features.update(Book("X", ((99.0, 0.0),), ((101.0, 4.0),), is_snapshot=False, timestamp=2))
    assert features.values()["imbalance_1"] == pytest.approx(1 / 9)


def test_order_flow_is_that_of_cont_kukanov_and_stoikov():
    features = FeatureSet(("ofi_10s",), "1m")
    second = 1_000_000_000
    features.update(Book("X", ((99.0, 3.0),), ((101.0, 2.0),), is_snapshot=True, timestamp=second))
    at = 21 * second
    features.update(Book("X", ((99.0, 7.0),), (), is_snapshot=False, timestamp=at))  # +4
    assert features.values() == {"ofi_10s": 1.0}
    features.update(Book("X", (), ((101.0, 10.0),), is_snapshot=False, timestamp=at))  # -8
    assert features.values()["ofi_10s"] == pytest.approx((4 - 8) / 12)
    at += 10 * second  # what was is worth half of what is
    features.update(Book("X", ((100.0, 6.0),), (), is_snapshot=False, timestamp=at))  # +6
    assert features.values()["ofi_10s"] == pytest.approx((-2 + 6) / (6 + 6))


def test_bad_facts_are_refused_and_change_nothing():
    features = FeatureSet((*BAR_FEATURES[:3], "drift_1s", "micro"), "1m")
    features.update(bars(1)[0])
    before = features.snapshot()
    bad = [
        Tick("X", -1.0, 1.0, 5),
        Tick("X", 1.0, -1.0, 5),
        Tick("X", math.nan, 1.0, 5),
        Candle("X", 1.0, 1.0, 2.0, 1.0, 1.0, "1m", 5),
        Candle("X", 1.0, math.inf, 1.0, 1.0, 1.0, "1m", 5),
        Funding("X", 2.0),
    ]
    for fact in bad:
        with pytest.raises((NumberOutOfRange, DataInvalid, Exception), match="features|bar"):
            features.update(fact)
    assert features.snapshot() == before
    with pytest.raises(BookCrossed):
        features.update(Book("X", ((10.0, 1.0),), ((9.0, 1.0),), is_snapshot=True))


@pytest.mark.parametrize(
    "names",
    [("rsi",), ("rsi_0",), ("nothing_5",), ("rsi_14", "rsi_14"), (), ("drift_5",), ("hour_sin_z",)],
)
def test_a_name_that_means_nothing_is_refused(names):
    with pytest.raises(ParameterInvalid):
        FeatureSet(names, "1m")


def test_every_feature_says_what_it_is():
    features = FeatureSet((*BAR_FEATURES, *TICK_FEATURES[:-4], "funding"), "5m")
    assert len(BAR_FEATURES) == len(TICK_FEATURES) == 30
    for spec in features.specs:
        assert spec.version == 1 and spec.unit and spec.inputs
        assert spec.lookback_s >= spec.warmup_s >= 0 and spec.half_life_s >= 0
    assert features.fingerprint != FeatureSet(features.names, "1m").fingerprint
    assert features.fingerprint != FeatureSet(features.names[::-1], "5m").fingerprint


def test_a_set_of_bars_asks_for_bars_only():
    bus = EventBus()
    Features(("rsi_14",), "1m").attach(bus, Context(bus, bus.clock))
    assert bus.wanted() == {EventType.CANDLE}


def test_a_late_fact_does_not_turn_time_back():
    features = FeatureSet(("hour_sin",), "1m")
    features.update(bars(2)[1])
    now = features.now_ns
    features.update(Tick("X", 1.0, 1.0, START))
    assert features.now_ns == now == START + 2 * MINUTE
