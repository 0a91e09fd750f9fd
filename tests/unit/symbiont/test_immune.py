# SPDX-License-Identifier: Apache-2.0
"""What becomes of agents: suspicion halves, evidence takes all, and only proof gives it back."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.errors import DataInvalid
from hean.symbiont.feed import Feed
from hean.symbiont.immune import (
    DAY_NS,
    EVIDENCE,
    FAILURES_MAX,
    SCALE,
    Case,
    Failure,
    Health,
    Memory,
    admitted,
    drifted,
    is_round,
    is_self,
    judged,
)
from hean.symbiont.vitals import Comparison, Finding, Monitor, Watch
from immune_desk import COST, COST_DEVIATION, HELD, TRADES, chance, entries, expected, remembering


def found(monitor: Monitor) -> Finding:
    return Finding(monitor, 10.0, 9.4, "days are worse")


def after(*steps: tuple[int, Monitor | None], is_proven: bool = False) -> Case:
    """A case after findings on days."""
    case = admitted(0)
    for day, monitor in steps:
        case = judged(case, [found(monitor)] if monitor else [], day * DAY_NS, is_proven=is_proven)
    return case


def test_suspicion_halves_and_passes():
    case = after((5, Monitor.CHANGE))
    assert (case.health, case.scale) == (Health.WATCH, 0.5)
    assert "days are worse" in case.reason
    assert after((5, Monitor.CHANGE), (34, None)).health is Health.WATCH
    assert after((5, Monitor.CHANGE), (35, None)).health is Health.HEALTHY
    assert after((5, Monitor.CHANGE), (20, Monitor.CHANGE), (35, None)).health is Health.WATCH


def test_suspicion_is_confirmed_by_another_or_by_itself_later():
    assert after((5, Monitor.CHANGE), (6, Monitor.CHANGE)).health is Health.WATCH
    assert after((5, Monitor.CHANGE), (6, Monitor.RATE)).health is Health.QUARANTINE
    assert after((5, Monitor.CHANGE), (25, Monitor.CHANGE)).health is Health.QUARANTINE


def test_trading_less_halves_and_confirms_nothing():
    case = after((5, Monitor.IDLE))
    assert (case.health, case.scale) == (Health.WATCH, 0.5)
    assert after((5, Monitor.IDLE), (30, Monitor.IDLE)).health is Health.WATCH
    assert after((5, Monitor.CHANGE), (30, Monitor.IDLE)).health is Health.WATCH
    # The first who says that something is wrong is the one to be confirmed.
    assert after((5, Monitor.IDLE), (30, Monitor.CHANGE)).health is Health.WATCH
    late = ((5, Monitor.IDLE), (30, Monitor.CHANGE), (51, Monitor.CHANGE))
    assert after(*late).health is Health.QUARANTINE
    assert after((5, Monitor.IDLE), (6, Monitor.LOSS)).health is Health.QUARANTINE


@pytest.mark.parametrize("monitor", sorted(EVIDENCE))
def test_evidence_takes_all_at_once(monitor):
    assert after((5, monitor)).scale == 0.0
    assert after((5, Monitor.RATE), (6, monitor)).health is Health.QUARANTINE


def test_only_proof_ends_a_quarantine_and_time_ends_the_agent():
    sick = ((5, Monitor.LOSS),)
    assert after(*sick, (94, None)).health is Health.QUARANTINE
    assert after(*sick, (95, None)).health is Health.RETIRED
    assert after(*sick, (60, Monitor.LOSS), (95, Monitor.LOSS)).health is Health.RETIRED
    assert after(*sick, (50, Monitor.COST), is_proven=True).health is Health.QUARANTINE
    assert after(*sick, (50, None), is_proven=True).health is Health.REHAB
    cured = after(*sick, (50, None), (80, None), is_proven=True)
    assert (cured.health, cured.scale) == (Health.HEALTHY, 1.0)


def test_sick_again_is_the_end():
    rehab = after((5, Monitor.LOSS), (50, None), is_proven=True)
    assert judged(rehab, [found(Monitor.LOSS)], 60 * DAY_NS).health is Health.RETIRED
    assert judged(rehab, [found(Monitor.RATE)], 60 * DAY_NS).health is Health.QUARANTINE
    retired = after((5, Monitor.LOSS), (95, None))
    for monitor in Monitor:
        assert judged(retired, [found(monitor)], 99 * DAY_NS, is_proven=True) == retired
    assert judged(retired, [], 999 * DAY_NS, is_proven=True) == retired


DAYS = st.lists(
    st.tuples(st.integers(0, 60), st.lists(st.sampled_from(Monitor), max_size=2), st.booleans()),
    max_size=30,
)


@pytest.mark.promise(26)
@settings(max_examples=300, deadline=None)
@given(DAYS)
def test_it_may_only_refuse(days):
    """Whatever is found: never more than all, never anything back without proof."""
    case, now = admitted(0), 0
    for later, monitors, is_proven in days:
        now += later * DAY_NS
        before = case
        case = judged(case, [found(each) for each in monitors], now, is_proven=is_proven)
        assert case.scale in (0.0, 0.5, 1.0)
        if monitors:
            assert case.scale <= before.scale, "a finding never gives"
        if case.scale > before.scale and before.health is Health.QUARANTINE:
            assert is_proven
        if before.health is Health.RETIRED:
            assert case == before
    assert set(SCALE.values()) == {0.0, 0.5, 1.0}
    assert msgspec.json.decode(msgspec.json.encode(case), type=Case) == case


@pytest.mark.promise(26)
def test_real_risk_knows_nothing_of_it(root: Path) -> None:
    """What lets orders pass does not ask the immune system, and this does not reach it."""
    for gate in ("risk", "execution"):
        for path in (root / "src/hean" / gate).rglob("*.py"):
            assert "symbiont" not in path.read_text("utf-8"), path
    for name in ("immune", "vitals", "columns", "feed", "forecast"):
        tree = ast.parse((root / f"src/hean/symbiont/{name}.py").read_text("utf-8"))
        used = {
            node.module.split(".")[1]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hean.")
        }
        assert used <= {"errors", "filters", "indicators", "quant", "symbiont"}


# ---------------------------------------------------------------- the population


def test_a_round_is_read_together():
    def alone(chance_of_it, *, is_large=True):
        return Comparison(Monitor.RATE, chance_of_it, is_large, "3 trades a day; expected 6")

    many = {f"agent {at:02}": [alone(0.02 + at / 60)] for at in range(50)}
    assert drifted(many) == {}, "one in fifty at 2 % is chance"
    many["agent 00"] = [alone(0.0005), alone(0.0001, is_large=False)]
    many["agent 01"] = [alone(0.0004)]
    assert sorted(drifted(many)) == ["agent 00", "agent 01"]
    (one,) = drifted(many)["agent 00"]
    assert one.value <= one.limit == 0.05
    assert drifted({}) == drifted({"agent": []}) == {}


def test_rounds_of_healthy_agents_are_wrong_in_one_of_twenty():
    draws = chance(30)
    judged_so = expected(draws, days=200)
    rounds, wrong = 60, 0
    for _ in range(rounds):
        tests = {}
        for agent in range(20):
            watch = Watch(judged_so)
            for trades in draws.poisson(TRADES, 14).tolist():
                watch.day(0.0, trades)
            for held in (1 + draws.geometric(1 / HELD, 40)).tolist():
                watch.trip(held)
            tests[str(agent)] = watch.tests()
        wrong += bool(drifted(tests))
    assert wrong <= 0.05 * rounds + 3 * np.sqrt(0.05 * 0.95 * rounds)


def test_slow_changes_are_found_by_a_round():
    draws = chance(31)
    watches = {str(at): Watch(expected(draws, days=200)) for at in range(10)}
    feed = Feed.of({name: remembering(draws, 20_000) for name in ("y", "z")})
    kinds = {"0": Monitor.RATE, "1": Monitor.HOLDING, "feed": Monitor.POPULATION}
    for name, watch in watches.items():
        rate = TRADES * (2.0 if name == "0" else 1.0)
        mean = HELD * (2.0 if name == "1" else 1.0)
        for trades in draws.poisson(rate, 14).tolist():
            watch.day(0.0, trades)
        for held in (1 + draws.geometric(1 / mean, 60)).tolist():
            watch.trip(held)
    moved = remembering(draws, 6_000) + np.minimum(np.arange(6_000) / 1_500, 1.5)
    for values in zip(remembering(draws, 6_000).tolist(), moved.tolist(), strict=True):
        assert feed.bar(dict(zip("yz", values, strict=True))) == [], "nothing sudden"
    tests = {name: watch.tests() for name, watch in watches.items()}
    said = drifted(tests | {"feed": feed.tests()})
    (column,) = said["feed"]
    assert column.words.startswith("column z falls elsewhere")
    assert {name: [each.monitor for each in own] for name, own in said.items()} == {
        name: [kind] for name, kind in kinds.items()
    }
    assert all(watch.tests() == [] for watch in watches.values()), "nothing is tested twice"
    assert feed.tests() == []


@pytest.mark.parametrize(("agents", "days"), [(60, 365), (4, 5_000)])
def test_no_more_healthy_agents_are_quarantined_than_designed(agents, days):
    """Every monitor at work, sixty agents for a year or few for long: at most one in 1,500 days of
    an agent.
    """
    draws = chance(32, agents)
    known = expected(draws, days=4_000)
    feed = Feed.of({"z": draws.normal(size=20_000)})
    cases = [admitted(0) for _ in range(agents)]
    watches = [Watch(known) for _ in range(agents)]
    quarantined = 0
    for day in range(1, days + 1):
        for value in draws.normal(size=4).tolist():
            assert feed.bar({"z": value}) == []
        findings = [live(watch, draws) for watch in watches]
        if is_round((day - 1) * DAY_NS, day * DAY_NS):
            rounds = drifted({str(at): watch.tests() for at, watch in enumerate(watches)})
            for at, found_late in rounds.items():
                findings[int(at)] += found_late
        for at, own in enumerate(findings):
            after_it = judged(cases[at], own, day * DAY_NS)
            if after_it.health is Health.QUARANTINE:
                quarantined += 1
                after_it = admitted(day * DAY_NS)
            if after_it.health is not cases[at].health or own:
                watches[at] = Watch(known)
            cases[at] = after_it
    design = agents * days / 1_500
    assert quarantined <= design + 2.33 * np.sqrt(design)  # 99 in 100 if the rate is the design's


def live(watch: Watch, draws: np.random.Generator) -> list[Finding]:
    """A day of a healthy agent."""
    trades = int(draws.poisson(TRADES))
    said = watch.day(float(draws.normal()), trades)
    for cost in draws.normal(COST, COST_DEVIATION, 4).tolist():
        said += watch.fill(cost)
    for held in (1 + draws.geometric(1 / HELD, 4)).tolist():
        watch.trip(float(held))
    for entry in entries(draws, trades).tolist():
        watch.entry(entry)
    return said


def test_who_goes_with_the_incumbent_is_the_same_again():
    draws = chance(33)
    incumbent = draws.normal(size=40)
    assert is_self(incumbent + 0.3 * draws.normal(size=40), incumbent)
    assert not is_self(-incumbent, incumbent)
    assert not is_self(draws.normal(size=40), incumbent)
    assert not is_self(np.zeros(40), incumbent)
    with pytest.raises(DataInvalid):
        is_self(incumbent[:29], incumbent)


def test_what_has_failed_is_not_reborn_for_90_days():
    draws = chance(34)
    lost = dict(enumerate(draws.normal(-1.0, 1.0, 30).tolist(), 20_000))
    memory = Memory()
    memory.keep(Failure("abc", 10 * DAY_NS, lost))
    assert memory.refusal("abc", {}, 99 * DAY_NS) is not None
    assert memory.refusal("abc", {}, 100 * DAY_NS) is None
    twin = {day: value + 0.1 * float(draws.normal()) for day, value in lost.items()}
    assert "abc" in (memory.refusal("def", twin, 20 * DAY_NS) or "")
    other = dict.fromkeys(lost, 0.0) | {20_005: 1.0}
    assert memory.refusal("def", other, 20 * DAY_NS) is None
    few = dict(itertools.islice(twin.items(), 9))
    assert memory.refusal("def", few, 20 * DAY_NS) is None, "nine days say nothing"
    loaded = msgspec.json.decode(msgspec.json.encode(memory), type=Memory)
    assert loaded == memory


def test_memory_has_an_end():
    memory = Memory()
    for number in range(FAILURES_MAX + 10):
        memory.keep(Failure(str(number), number, {}))
    assert len(memory.failures) == FAILURES_MAX
    assert memory.failures[-1].genome == str(FAILURES_MAX + 9)
    memory.keep(Failure("late", 200 * DAY_NS, {}))
    assert [each.genome for each in memory.failures] == ["late"]
