# SPDX-License-Identifier: Apache-2.0
"""What came of an agent's entries: the same numbers of a record and of a running market, whatever
the volatility; what they foresee less is found in the time that the table of `vitals` names.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hean.backtest.judging import Ground
from hean.backtest.material import CANDLES, material_of
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.types import Candle
from hean.evaluate.evolve import Evolved, evolve
from hean.evaluate.evolving import Plan
from hean.feeds.history import History, load_history
from hean.genome.text import read
from hean.genome.words import row_of
from hean.symbiont import breed
from hean.symbiont.breed import INIT, born
from hean.symbiont.forecast import FRESH_BARS, forecasts, horizons, markouts
from hean.symbiont.immune import Health, admitted, drifted, is_round, judged
from hean.symbiont.population import Agent, Stage, loaded, written
from hean.symbiont.shadow import Seen, Shadow
from hean.symbiont.vitals import Comparison, Expected, Monitor, Watch
from immune_desk import FORESEEN, chance, entries, expected
from planted_market import CHEAP, EDGE, market, plan_of

DAY_NS = 86_400 * 10**9
Values = np.ndarray[Any, np.dtype[np.float64]]


def bars_of(returns: Values) -> tuple[Values, Values]:
    """Opens and closes of bars without gaps."""
    close = 100.0 * np.exp(np.cumsum(returns))
    return np.concatenate([[100.0], close[:-1]]), close


# ---------------------------------------------------------------- one entry


def test_a_markout_is_the_way_from_the_next_open_in_deviations_of_the_bars_before() -> None:
    draws = chance(40)
    open_, close = bars_of(draws.normal(0.0, 0.001, 300))
    open_ *= np.exp(draws.normal(0.0, 0.0005, 300))  # gaps
    row = 150
    changes = np.diff(np.log(close[row - FRESH_BARS : row + 1]))
    for bars in (1, 30):
        deviation = math.sqrt(float(np.mean(changes**2)) * bars)
        way = math.log(close[row + bars] / open_[row + 1])
        found = markouts(open_, close, [row, row], [1, -1], bars)
        assert found == pytest.approx([way / deviation, -way / deviation])


def test_what_is_not_known_has_no_markout() -> None:
    open_, close = bars_of(chance(41).normal(0.0, 0.001, 300))
    found = markouts(open_, close, [FRESH_BARS - 1, FRESH_BARS, 294, 295], [1] * 4, 5)
    assert np.isnan(found).tolist() == [True, False, False, True]
    still = np.full(300, 100.0)
    assert np.isnan(markouts(still, still, [150], [1], 1)).all()
    jump = close.copy()
    jump[201:] *= 1.5
    assert markouts(open_, jump, [200, 200], [1, -1], 1).tolist() == [4.0, -4.0]


def test_the_deviation_is_what_was_known_at_the_decision() -> None:
    """A market that grows wild later changes nothing but the way itself."""
    returns = chance(42).normal(0.0, 0.001, 300)
    known = markouts(*bars_of(returns), [200], [1], 1)
    returns[202:] *= 50.0
    assert markouts(*bars_of(returns), [200], [1], 1).tolist() == known.tolist()


def test_horizons_are_one_bar_and_the_usual_holding_time() -> None:
    assert horizons([3, 30, 300]) == (1, 30)
    assert horizons([1, 1, 2]) == (1,)


# ---------------------------------------------------------------- what is expected and heard


def compared(watch: Watch) -> list[Comparison]:
    """Comparisons of entries."""
    return [each for each in watch.tests() if each.monitor is Monitor.FORECAST]


def tell(watch: Watch, found: Iterable[list[float]]) -> None:
    for entry in found:
        watch.entry(entry)


def knowing(draws: np.random.Generator, per_day: int, days: int = 60) -> Expected:
    """An agent of so many entries a day, after sixty days of validation."""
    known = entries(draws, per_day * days)
    expectation = forecasts({1: known[:, 0], 30: known[:, 1]}, margin=0.5)
    made: Expected = msgspec.structs.replace(expected(draws, days=days), forecasts=expectation)
    return made


@pytest.mark.parametrize(
    ("less", "per_day", "weeks"), [(0.5, 20, 1), (0.5, 6, 5), (0.3, 20, 3), (0.8, 6, 3)]
)
def test_entries_that_foresee_less_are_suspected_in_the_time_that_is_named(
    less: float, per_day: int, weeks: int
) -> None:
    """Fifty agents, of whom three foresee less; half of them are found by then."""
    found = []
    for population in range(12):
        draws = chance(43, population, per_day)
        watches = [Watch(knowing(draws, per_day)) for _ in range(50)]
        first: dict[str, int] = {}
        for week in range(1, weeks + 1):
            for at, watch in enumerate(watches):
                tell(watch, entries(draws, 7 * per_day, less if at < 3 else 0.0).tolist())
            for name in drifted({str(at): compared(it) for at, it in enumerate(watches)}):
                first.setdefault(name, week)
        found += [str(at) in first for at in range(3)]
    assert np.mean(found) >= 0.5


def test_suspicion_halves_at_once_and_entries_of_later_days_stop_it() -> None:
    """Twenty entries a day of ten agents, one of whom foresees nothing any more after 28 days."""
    draws, per_day = chance(50), 20
    watches = [Watch(knowing(draws, per_day)) for _ in range(10)]
    cases = [admitted(0) for _ in watches]
    moved: list[tuple[int, int, Health]] = []
    for day in range(1, 71):
        for at, watch in enumerate(watches):
            less = FORESEEN if at == 0 and day > 28 else 0.0
            tell(watch, entries(draws, per_day, less).tolist())
        is_due = is_round((day - 1) * DAY_NS, day * DAY_NS)
        read_now = {str(at): compared(it) for at, it in enumerate(watches)} if is_due else {}
        found = drifted(read_now)
        for at, case in enumerate(cases):
            cases[at] = judged(case, found.get(str(at), []), day * DAY_NS)
            if cases[at].health is not case.health:
                moved.append((day, at, cases[at].health))
                watches[at] = Watch(watches[at].expected)
    first, second = [(day, health) for day, at, health in moved if at == 0]
    assert first == (35, Health.WATCH)
    assert second == (56, Health.QUARANTINE)
    assert "entries foresee less" in cases[0].reason
    assert not [it for it in moved if it[2] is Health.QUARANTINE and it[1]]


def test_better_than_expected_is_no_suspicion_and_little_less_does_not_matter() -> None:
    draws = chance(44)
    known = knowing(draws, 400)
    better, little = Watch(known), Watch(known)
    tell(better, entries(draws, 20_000, -0.5).tolist())
    tell(little, entries(draws, 20_000, 0.06).tolist())
    assert all(each.p_value > 0.99 for each in compared(better))
    (at_once, _) = compared(little)
    assert at_once.p_value < 1e-3 and not at_once.is_large
    assert compared(better) == [], "nothing is tested twice"


def test_a_suspicion_says_what_was_foreseen_and_what_was_expected() -> None:
    watch = Watch(knowing(chance(45), 40))
    tell(watch, entries(chance(46), 400, FORESEEN).tolist())
    (first, _) = compared(watch)
    assert first.is_large
    assert re.fullmatch(
        r"entries foresee less: .0\.0\d sd on average 1 bar after 400 decisions; "
        r"expected \+0\.[45]\d",
        first.words,
    )


def test_entries_that_come_in_clusters_count_as_fewer() -> None:
    """Four entries with one outcome are one: wrong as often as they say, not twice as often."""
    draws, wrong, rounds = chance(47), 0, 400
    known = knowing(draws, 4)
    clustered = np.repeat(entries(draws, 4_000), 4, axis=0)
    expectation = forecasts({1: clustered[:, 0], 30: clustered[:, 1]}, margin=0.0)
    assert [each.spell for each in expectation] == pytest.approx([4.0, 4.0], rel=0.2)
    known = msgspec.structs.replace(known, forecasts=expectation)
    for _ in range(rounds):
        watch = Watch(known)
        tell(watch, np.repeat(entries(draws, 80), 4, axis=0).tolist())
        wrong += compared(watch)[0].p_value < 0.05
    assert wrong <= rounds * (0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds))


def test_too_few_entries_promise_nothing() -> None:
    few = entries(chance(48), 25)
    assert forecasts({1: few[:, 0]}, margin=0.5) == forecasts({}, margin=0.5) == ()
    assert forecasts({1: np.ones(100)}, margin=0.5) == ()


def test_a_market_that_turns_calm_or_wild_is_no_loss_of_forecast() -> None:
    """One that foresees a third of each bar, in markets of thrice and of a third of the size."""
    draws, expectation = chance(49), ()
    for size, changes in ((0.001, 0), (0.003, 1), (0.001 / 3, 2)):
        draws = chance(49, changes)
        returns = draws.normal(0.0, size, 30_000)
        rows = np.arange(200, 29_900, 25)
        signs = np.sign(returns[rows + 1] / size + 2.0 * draws.normal(size=rows.size))
        found = markouts(*bars_of(returns), rows, signs, 1)
        if not expectation:
            expectation = forecasts({1: found}, margin=0.5)
            known = msgspec.structs.replace(expected(draws), forecasts=expectation)
            assert 0.3 < expectation[0].mean < 0.4
            continue
        watch = Watch(known)
        tell(watch, found[:, None].tolist())
        (only,) = compared(watch)
        assert only.p_value > 0.05


def test_genomes_of_a_recorded_market_are_called_worse_as_seldom_as_is_said(shared: Path) -> None:
    """Whatever they foresee, in the weeks after their validation it is no less."""
    record = shared / "data/candles/binance_perp_BTCUSDT_5m_2024-12-31_2025-10-31.parquet"
    history = load_history([record], ["BTCUSDT"])
    base = BacktestSettings("genome", ("BTCUSDT",), {}, assumptions=CHEAP)
    material = material_of(base, history, step_ns=DAY_NS)
    open_, close = (material.columns[0][name] for name in ("open", "close"))
    genomes = [born(breed.chance(3, INIT, 0, at), ("BTCUSDT",)) for at in range(30)]
    expectation = expected(chance(9))
    watches, found = [], []
    for verdict in Ground(material).judge(genomes):
        rows = verdict.decided.astype(np.int64)
        (bars, *_) = horizons(verdict.over.astype(np.int64) - rows) if rows.size else (1,)
        values = markouts(open_, close, rows, verdict.direction, bars)
        weeks = rows[np.isfinite(values)] // (7 * 288)
        values = values[np.isfinite(values)]
        if known := forecasts({bars: values[weeks < 9]}, margin=0.5):
            watches.append(Watch(msgspec.structs.replace(expectation, forecasts=known)))
            found.append((weeks, values))
    assert len(watches) > 20
    chances, suspected = [], 0
    for week in range(9, 43):
        for watch, (weeks, values) in zip(watches, found, strict=True):
            tell(watch, values[weeks == week, None].tolist())
        read_now = {str(at): compared(watch) for at, watch in enumerate(watches)}
        chances += [each.p_value for own in read_now.values() for each in own]
        suspected += len(drifted(read_now))
    assert len(chances) > 300
    assert np.mean(np.array(chances) < 0.05) < 0.07
    assert suspected <= 2


# ---------------------------------------------------------------- record and running market


@dataclasses.dataclass
class Bred:
    """A small evolution and what it came from."""

    plan: Plan
    history: History
    found: Evolved


@pytest.fixture(scope="module")
def bred(tmp_path_factory: pytest.TempPathFactory) -> Bred:
    folder = tmp_path_factory.mktemp("bred")
    plan, history = plan_of(folder, 1, generations=3), market(folder, 1, **EDGE)
    return Bred(plan, history, evolve(plan, history))


def shadowed(bred: Bred) -> tuple[Shadow, int]:
    """A shadow that was told the bars of the part that agents were judged on, and since when they
    count.
    """
    part, population = bred.found.parts.judged, bred.found.population
    cut = dataclasses.replace(bred.history, start_ns=part.start_ns, end_ns=part.end_ns)
    material = material_of(bred.plan.base, cut, step_ns=DAY_NS)
    rules = {it.terms.name: it.terms.instrument() for it in material.facts.symbols}
    shadow = Shadow(population, rules)
    for symbol, columns in zip(population.symbols, material.columns, strict=True):
        rows = zip(columns["ts"].tolist(), *(columns[it].tolist() for it in CANDLES), strict=True)
        for ts, *prices in rows:
            shadow.bar(Candle(symbol, *prices, population.bar, ts))
    return shadow, part.counts_ns


def seen_by(shadow: Shadow, agent: Agent) -> Seen:
    """What an agent did there."""
    row = row_of(read(agent.genome, ()), shadow.symbols, ())
    (seen,) = shadow.judged([row])
    return seen


def test_a_running_market_says_what_the_record_said(bred: Bred) -> None:
    """The bars of validation told one by one give every markout again, to the last digit."""
    shadow, counts_ns = shadowed(bred)
    checked = 0
    for agent in bred.found.population.agents:
        known = agent.expected.forecasts
        if agent.expected.days != bred.found.parts.judged.days or len(known) != 2:
            continue
        trips = [it for it in seen_by(shadow, agent).trips if it.decided_ns >= counts_ns]
        trips.sort(key=lambda it: it.decided_ns)
        again = np.array(shadow.markouts(trips, [it.bars for it in known], 0))
        found = forecasts({it.bars: again[:, at] for at, it in enumerate(known)}, margin=0.5)
        assert found == known
        checked += 1
    assert checked >= 3


def test_what_came_of_an_entry_is_told_once(bred: Bred) -> None:
    shadow, _ = shadowed(bred)
    agent = max(bred.found.population.agents, key=lambda it: it.expected.trades)
    trips = seen_by(shadow, agent).trips
    whole = shadow.markouts(trips, (1, 12), 0)
    assert len(whole) > 0.9 * len(trips) > 30
    told = []
    begin = trips[0].decided_ns
    for at in range(begin, trips[-1].over_ns + DAY_NS, DAY_NS):
        later = {tuple(it) for it in shadow.markouts(trips, (1, 12), at)}
        told += [
            it for it in shadow.markouts(trips, (1, 12), at - DAY_NS) if tuple(it) not in later
        ]
    assert sorted(told) == sorted(whole)
    assert shadow.markouts(trips, (), 0) == []


def test_a_colony_tells_an_agent_every_entry_of_its_shadow(
    bred: Bred, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "population.json"
    path.write_bytes(written(bred.found.population))
    population, _ = loaded(path)
    agent = max(population.agents, key=lambda it: it.expected.trades)
    agent.stage, agent.since_ns = Stage.SHADOW, 1
    path.write_bytes(written(population))
    told: list[list[float]] = []
    tell_it = Watch.entry

    def spied(watch: Watch, found: list[float]) -> None:
        if watch.expected == agent.expected:
            told.append(found)
        tell_it(watch, found)

    monkeypatch.setattr(Watch, "entry", spied)
    run = Backtest(
        BacktestSettings("symbiont", ("BTCUSDT",), {"population": str(path)}, assumptions=CHEAP),
        market(tmp_path, 9, days=12, pull=0.5),
    )
    run.run()
    colony = run.system.strategy.colony
    seen = seen_by(colony.shadow, agent)
    after = colony.population.by_id()[agent.id]
    bars = [it.bars for it in agent.expected.forecasts]
    late = colony.shadow.markouts(seen.trips, bars, after.seen_ns)
    whole = colony.shadow.markouts(seen.trips, bars, 0)
    assert len(told) > 30
    assert sorted(told) == sorted(it for it in whole if it not in late)
