# SPDX-License-Identifier: Apache-2.0
"""What is injected is found in the time that quant/methods 17.5 names; what is not, is not."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.errors import DataInvalid, NumberNotFinite
from hean.evaluate.settling import entry_costs
from hean.quant.drift import LossCusum
from hean.symbiont.vitals import SHIFT, Expected, Monitor, Watch, loss_chart
from immune_desk import COST, COST_DEVIATION, DECLARED, chance, entries, expected

HOUR_NS = 3_600 * 10**9


@pytest.fixture(scope="module")
def judged() -> Expected:
    """Validated for so long that its mean and deviation are known."""
    return expected(chance(1), days=40_000)


def days_until(watch: Watch, days: np.ndarray, monitor: Monitor) -> int:
    for number, day in enumerate(days.tolist(), 1):
        if any(found.monitor is monitor for found in watch.day(day, 6)):
            return number
    return len(days) + 1


# ---------------------------------------------------------------- days


def test_a_loss_of_half_a_deviation_a_day_is_found_after_33_days(judged):
    found = []
    for agent in range(300):
        draws = chance(2, agent)
        watch = Watch(judged)
        days = judged.mean + judged.deviation * draws.normal(size=310)
        assert not any(watch.day(day, 6) for day in days[:10].tolist())
        shifted = days[10:] - SHIFT * judged.deviation
        found.append(days_until(watch, shifted, Monitor.LOSS))
    assert np.mean(found) == pytest.approx(33, rel=0.2)


def run_length(chart: LossCusum, days: np.ndarray) -> int:
    for number, day in enumerate(days.tolist(), 1):
        if chart.update(-day):
            return number
    return len(days)


def test_without_a_cause_the_same_chart_speaks_once_in_1500_days(judged):
    lengths = []
    for agent in range(400):
        days = judged.mean + judged.deviation * chance(3, agent).normal(size=16_000)
        lengths.append(run_length(loss_chart(judged), days))
    assert np.mean(lengths) >= 1_500


@pytest.mark.parametrize("days", [60, 250])
def test_agents_of_a_short_validation_are_called_sick_no_more_often(days):
    """The mean is wrong by chance; the margin pays for it. Whoever was lucky is called so again and
    again.
    """
    agents, year = 800, 365
    sick = 0
    for agent in range(agents):
        draws = chance(18, days, agent)
        known, lived = expected(draws, days=days), draws.normal(size=year)
        while (length := run_length(loss_chart(known), lived)) < len(lived):
            sick, lived = sick + 1, lived[length:]
    design = agents * year / 1_500
    assert sick <= design + 2.33 * math.sqrt(design)


@pytest.mark.parametrize(
    ("shift", "limit", "days"), [(0.31, 13.4, 71), (1.05, 5.4, 11), (2.1, 2.8, 3.4)]
)
def test_the_table_of_shifts_holds_for_this_chart(shift, limit, days):
    lengths = [
        run_length(
            LossCusum(0.0, 1.0, slack=shift / 2, limit=limit), chance(4, at).normal(-shift, 1, 900)
        )
        for at in range(400)
    ]
    assert np.mean(lengths) == pytest.approx(days, rel=0.2)


def test_a_break_of_the_days_is_seen_by_the_changepoint(judged):
    found = []
    for agent in range(40):
        draws = chance(5, agent)
        watch = Watch(judged)
        assert days_until(watch, draws.normal(size=60), Monitor.CHANGE) == 61
        found.append(days_until(watch, draws.normal(-3.0, 1.0, 15), Monitor.CHANGE))
    assert np.median(found) <= 10


def test_days_that_become_better_or_calm_are_no_break(judged):
    """They are another law of days, and nobody is worse off."""
    for agent in range(20):
        draws = chance(22, agent)
        usual = draws.normal(size=60)
        for after in (draws.normal(3.0, 1.0, 60), draws.normal(0.0, 0.1, 60)):
            days = np.concatenate([usual, after])
            assert days_until(Watch(judged), days, Monitor.CHANGE) == 121


def test_fewer_trades_are_told_from_more(judged):
    for trades, monitor in ((1, Monitor.IDLE), (20, Monitor.RATE)):
        watch = Watch(judged)
        for _ in range(14):
            watch.day(0.0, trades)
        (found,) = watch.tests()
        assert found.monitor is monitor and found.p_value < 1e-6


# ---------------------------------------------------------------- fills


def test_two_basis_points_more_are_found_within_300_fills(judged):
    found = []
    for agent in range(200):
        draws = chance(6, agent)
        watch = Watch(judged)
        for cost in draws.normal(COST, COST_DEVIATION, 100).tolist():
            assert watch.fill(cost) == []
        dear = draws.normal(COST + 2.0, COST_DEVIATION, 300).tolist()
        found.append(next((at for at, cost in enumerate(dear, 1) if watch.fill(cost)), 301))
    assert np.quantile(found, 0.99) <= 300
    assert np.mean(found) == pytest.approx(120, rel=0.1)


def test_fills_that_cost_what_was_expected_are_silent(judged):
    watch = Watch(judged)
    costs = chance(7).standard_t(4, 50_000) / math.sqrt(2.0) * COST_DEVIATION + COST
    assert not any(watch.fill(cost) for cost in costs.tolist())
    assert watch.fill(1e6) == [], "one absurd fill is no shift"


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
@pytest.mark.parametrize("bars", ["1m_2025-05-04_2025-06-24", "5m_2024-12-31_2025-10-31"])
def test_on_recorded_bars_two_basis_points_are_found_and_what_entries_cost_is_silent(
    shared, symbol, bars
):
    """Half of the entries where the price has just moved most; answers take half a second."""
    table = pl.read_parquet(shared / f"data/candles/binance_perp_{symbol}_{bars}.parquet")
    columns = {name: table[name].to_numpy() for name in ("open", "close")}
    moved = np.abs(np.diff(np.log(columns["close"]), prepend=0.0))
    draws = chance(21)
    rows = np.concatenate([np.argsort(moved)[-2_000:], draws.integers(1, len(moved), 2_000)])
    signs = draws.choice([-1.0, 1.0], rows.size)
    costs = draws.permutation(entry_costs(columns, rows, signs, 0.0005, 0.00005))
    known = Expected.of(
        daily=draws.normal(size=100), trades=[6] * 100, held=[1, 2], cost_bp=costs[:2_000],
        declared=DECLARED,
    )  # fmt: skip
    late = draws.normal(0.0, 1.0, 2_000)  # bp; recorded trades move by as much on a wild day
    watch = Watch(known)
    assert not any(watch.fill(cost) for cost in (costs[2_000:] + late).tolist())
    dear = [watch.fill(cost) for cost in (costs[2_000:2_300] + late[:300] + 2.0).tolist()]
    assert any(dear)


def test_a_gap_costs_who_goes_with_it():
    columns = {"open": np.array([100.0, 101.0]), "close": np.array([100.0, 101.0])}
    rows, signs = np.array([0, 0, 1]), np.array([1.0, -1.0, 1.0])
    costs = entry_costs(columns, rows, signs, 0.0005, 0.0001)
    assert costs == pytest.approx([106.0, -94.0, 6.0])


# ---------------------------------------------------------------- orders


def test_what_was_not_declared_is_found_at_once(judged):
    watch = Watch(judged)
    assert watch.order(0, "BTCUSDT", 1.9) == []
    (exposed,) = watch.order(0, "BTCUSDT", -2.1)
    assert (exposed.monitor, exposed.value, exposed.limit) == (Monitor.TOXIN, 2.1, 2.0)
    (strange,) = watch.order(0, "XRPUSDT", 0.0)
    assert "XRPUSDT" in strange.words
    with pytest.raises(NumberNotFinite):
        watch.order(0, "BTCUSDT", math.nan)


def test_too_many_orders_in_an_hour_and_too_many_refused(judged):
    watch = Watch(judged)
    answers = [watch.order(at * 10**9, "ETHUSDT", 1.0) for at in range(21)]
    assert [bool(each) for each in answers] == [False] * 20 + [True]
    assert watch.order(HOUR_NS, "ETHUSDT", 1.0) == [], "another hour"
    watch = Watch(judged)
    refused = [watch.order(at * HOUR_NS, "ETHUSDT", 0.0, is_refused=True) for at in range(5)]
    assert [bool(each) for each in refused] == [False] * 4 + [True]


# ---------------------------------------------------------------- plain data


def test_bad_numbers_change_nothing(judged):
    watch = Watch(judged)
    before = msgspec.json.encode(watch)
    for tell in (lambda: watch.day(math.nan, 1), lambda: watch.fill(math.inf)):
        with pytest.raises(NumberNotFinite):
            tell()
    with pytest.raises(NumberNotFinite):
        watch.trip(math.nan)
    with pytest.raises(NumberNotFinite):
        watch.entry([0.5, math.inf])
    with pytest.raises(DataInvalid, match=r"1 markouts for horizons \[1, 30\]"):
        watch.entry([0.5])
    assert msgspec.json.encode(watch) == before
    with pytest.raises(DataInvalid, match="30 days"):
        Expected.of(
            daily=chance(1).normal(size=40),
            trades=[1] * 30,
            held=[1, 2],
            cost_bp=[5.0],
            declared=DECLARED,
        )


def test_numbers_of_numpy_become_plain_data(judged):
    watch = Watch(judged)
    said = [*watch.day(np.float64(-99.0), np.int64(3)), *watch.fill(np.float64(7.0))]
    watch.trip(np.int64(5))
    said += watch.order(0, "BTCUSDT", np.float64(9.0))
    assert len(said) == 2
    assert msgspec.json.decode(msgspec.json.encode(watch), type=Watch) == watch
    assert msgspec.json.encode(said)


SMALL = expected(chance(15), days=60)


def told(watch: Watch, seed: int, first: int, last: int) -> list[object]:
    """What a watch says of days that become worse and worse."""
    found: list[object] = []
    for day in range(first, last):
        draws = chance(seed, day)
        sickness = day / 20
        found += watch.day(float(draws.normal(-sickness)), int(draws.poisson(4 + day)))
        for at in range(5):
            watch.trip(float(draws.geometric(1 / (30 + day))))
            found += watch.fill(float(draws.normal(COST + sickness, COST_DEVIATION)))
            found += watch.order(day, "BTCUSDT", 1.0, is_refused=bool(draws.random() < 0.1 * at))
        for entry in entries(draws, 5, less=sickness).tolist():
            watch.entry(entry)
        if day % 15 == 14:
            found += watch.tests()
    return found


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 60))
def test_saved_and_loaded_in_the_middle_it_finds_the_same(seed, cut):
    whole = Watch(SMALL)
    said = told(whole, seed, 0, 60)
    half = Watch(SMALL)
    before = told(half, seed, 0, cut)
    loaded = msgspec.json.decode(msgspec.json.encode(half), type=Watch)
    assert before + told(loaded, seed, cut, 60) == said
    assert said, "nothing was found, nothing was compared"
    assert loaded == whole
