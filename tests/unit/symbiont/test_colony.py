# SPDX-License-Identifier: Apache-2.0
"""A population in a running market: watched first, paid by what it shows, and stopped when it is no
longer who it was. One market with an edge that later turns is played once for most of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from hean.backtest.journaling import finish_journal, replay, start_journal
from hean.backtest.judging import Ground
from hean.backtest.material import material_of
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.types import Command, Event, EventType, OrderFilled
from hean.errors import InputError, ParameterInvalid
from hean.evaluate.evolve import evolve
from hean.feeds.history import History, load_history
from hean.genome.features import load_all
from hean.genome.text import read
from hean.strategies.symbiont import Symbiont
from hean.symbiont import immune
from hean.symbiont.colony import FEED, HEALTH, SEAT, STAGE
from hean.symbiont.immune import Health, admitted
from hean.symbiont.population import LADDER, Holding, Population, Stage, id_of, loaded, written
from hean.symbiont.senses import COLUMNS
from judged_market import write_planted
from planted_market import CHEAP, EDGE, market, plan_of

DAY_NS = 86_400 * 10**9
SHADOW_DAYS = 14
"""Also where the seat must not be taken before."""
TURN_DAY = 40
BARS_A_DAY = 288


@dataclass
class Played:
    """What came of a run."""

    strategy: Symbiont
    commands: list[tuple[int, Command]]
    fills: list[tuple[int, OrderFilled]]
    start_ns: int
    errors: list[str]

    @property
    def population(self) -> Population:
        """At its end."""
        return self.strategy.population


@pytest.fixture(scope="module")
def bred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a population, one of which has passed every gate of evolution."""
    folder = tmp_path_factory.mktemp("bred")
    found = evolve(plan_of(folder, 1, generations=12), market(folder, 1, **EDGE))
    path = folder / "population.json"
    path.write_bytes(written(found.population))
    return path


def played(path: Path, history: History, **params: object) -> Played:
    """The population of a file in a market."""
    given: dict[str, Any] = {"population": str(path), "shadow_trips": 10, **params}
    run = Backtest(BacktestSettings("symbiont", ("BTCUSDT",), given, assumptions=CHEAP), history)
    assert isinstance(run.system.strategy, Symbiont)
    found = Played(run.system.strategy, [], [], history.start_ns, [])

    def see(event: Event) -> None:
        match event.event_type:
            case EventType.COMMAND:
                found.commands.append((event.ts_ns, event.data))
            case EventType.ORDER_FILLED:
                found.fills.append((event.ts_ns, event.data))
            case EventType.ERROR:
                found.errors.append(event.data.error)

    run.bus.tap(see)
    run.run()
    return found


@pytest.fixture(scope="module")
def life(bred: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Forty days with the edge, then as many where following it loses."""
    folder = tmp_path_factory.mktemp("life")
    return played(bred, market(folder, 9, days=80, pull=0.5, turns=TURN_DAY))


def test_nobody_trades_before_it_was_watched_and_then_who_passed_does(life: Played) -> None:
    (agent,) = [it for it in life.population.agents if "result, held back" in it.gates]
    first = min(at for at, _ in life.fills)
    assert first >= life.start_ns + SHADOW_DAYS * DAY_NS
    moves = [(command.arguments["to"], command.actor) for _, command in life.commands
             if command.verb == STAGE and command.arguments["agent"] == agent.id]  # fmt: skip
    assert moves[:2] == [("SHADOW", "auto:symbiont"), ("PAPER", "auto:symbiont")]
    seated = {command.arguments["agent"] for _, command in life.commands if command.verb == SEAT}
    assert seated - {""} == {agent.id}, "who has not passed evolution has no seat"
    assert life.errors == []


def test_every_birth_and_move_is_a_command_with_a_reason(life: Played) -> None:
    agents = {agent.id for agent in life.population.agents}
    born = {command.arguments["agent"] for _, command in life.commands if command.verb == STAGE}
    assert born == agents
    assert all(command.arguments["reason"] for _, command in life.commands)
    told = [(it.ts_ns, it.agent, it.after) for it in life.population.events if it.what == "stage"]
    said = [(at, it.arguments["agent"], it.arguments["to"]) for at, it in life.commands
            if it.verb == STAGE]  # fmt: skip
    assert told == said


def test_one_whose_edge_has_turned_is_quarantined_and_trades_no_more(life: Played) -> None:
    turn_ns = life.start_ns + TURN_DAY * DAY_NS
    told = [(at, it) for at, it in life.commands if it.verb == HEALTH]
    assert told[0][1].arguments["to"] == "WATCH"
    assert turn_ns < told[0][0] < turn_ns + 25 * DAY_NS
    sick = [each for each in told if each[1].arguments["to"] == "QUARANTINE"]
    assert sick and sick[0][0] < turn_ns + 40 * DAY_NS
    assert sick[0][1].arguments["reason"]
    bar_ns = life.population.bar_ns
    assert max(at for at, _ in life.fills) <= sick[0][0] + 2 * bar_ns
    (agent,) = [it for it in life.population.agents if "result, held back" in it.gates]
    assert agent.health is Health.QUARANTINE and agent.stage is Stage.SHADOW
    assert not life.strategy.position["BTCUSDT"]


def test_who_trades_on_a_feed_that_breaks_is_quarantined_and_nobody_gets_the_seat(
    bred: Path, tmp_path: Path
) -> None:
    """For a day the feed says the same volume again and again; two agents may have money."""
    first, last = 22 * BARS_A_DAY + 60, 23 * BARS_A_DAY + 60
    path = write_planted(tmp_path, 9, days=26, pull=0.5)
    frame = pl.read_parquet(path).with_row_index("row")
    is_frozen = pl.col("row").is_between(first, last)
    frozen = pl.when(is_frozen).then(20.0).otherwise(pl.col("volume")).alias("volume")
    frame.with_columns(frozen).drop("row").write_parquet(path)
    population, _ = loaded(bred)
    assert sorted(population.feed.columns) == [f"BTCUSDT {it}" for it in COLUMNS]
    (best,) = [it for it in population.agents if "result, held back" in it.gates]
    other = next(it for it in population.agents if it.id != best.id)
    other.stage = best.stage
    two = tmp_path / "two.json"
    two.write_bytes(written(population))
    found = played(two, load_history([path], ["BTCUSDT"]))
    begins_ns = found.start_ns + first * found.population.bar_ns
    ends_ns = found.start_ns + last * found.population.bar_ns
    (at, told), *more = [each for each in found.commands if each[1].verb == HEALTH]
    assert not more and told.arguments["to"] == "QUARANTINE"
    assert begins_ns < at <= begins_ns + 20 * found.population.bar_ns
    assert "column BTCUSDT volume: it does not change any more" in told.arguments["reason"]
    seats = [(ts, it.arguments) for ts, it in found.commands if it.verb == SEAT]
    assert seats[0][0] < begins_ns
    assert not [it for ts, it in seats if begins_ns <= ts < ends_ns and it["agent"]]
    assert not [ts for ts, _ in found.fills if at + 2 * found.population.bar_ns < ts < ends_ns]
    assert not found.population.feed.broken(), "it is over when the feed is sound again"


def test_a_person_signs_what_is_shown_and_nothing_else(life: Played) -> None:
    colony = life.strategy.colony
    (agent,) = [it for it in life.population.agents if "result, held back" in it.gates]
    with pytest.raises(ParameterInvalid, match="SHADOW to LIVE is no move"):
        colony.refuse_leap(agent, Stage.LIVE, "risk:ann")
    with pytest.raises(ParameterInvalid, match="is not promoted to PAPER: .*needed"):
        colony.refuse_leap(agent, Stage.PAPER, "risk:ann")
    colony.refuse_leap(agent, Stage.RETIRED, "operator:ann")
    born = next(it for it in life.population.agents if it.stage is Stage.BORN)
    with pytest.raises(ParameterInvalid, match="BORN to SHADOW is no move"):
        colony.refuse_leap(born, Stage.SHADOW, "risk:ann")


def test_it_does_with_money_what_its_shadow_does_and_only_a_person_leads_further(
    bred: Path, tmp_path: Path
) -> None:
    """With gates that everybody passes, the colony itself stays on paper."""
    found = played(bred, market(tmp_path, 1, days=45, pull=0.5), paper_days=1, paper_trips=1)
    (agent,) = [it for it in found.population.agents if "result, held back" in it.gates]
    assert agent.stage is Stage.PAPER and agent.traded > 100
    assert agent.matched >= 0.99 * agent.traded
    colony = found.strategy.colony
    with pytest.raises(ParameterInvalid, match="only a person"):
        colony.refuse_leap(agent, Stage.LIVE_MIN, "auto:symbiont")
    colony.refuse_leap(agent, Stage.LIVE_MIN, "risk:ann")
    found.strategy.is_real = True
    assert not colony.may_trade(agent.id), "paper is no money"


def test_it_goes_on_from_its_file(bred: Path, tmp_path: Path) -> None:
    """Stopped after twenty days and gone on with, it is as far as without the stop; the day of the
    stop does not count.
    """
    first = played(bred, market(tmp_path, 9, days=20, pull=0.5))
    kept = tmp_path / "kept.json"
    kept.write_bytes(written(first.population))
    again = played(kept, market(tmp_path, 9, days=20, pull=0.5))
    (agent,) = [it for it in first.population.agents if "result, held back" in it.gates]
    assert agent.stage is Stage.PAPER
    after = again.population.by_id()[agent.id]
    assert after.stage is Stage.PAPER and not [c for _, c in again.commands if c.verb == STAGE]
    assert min(at for at, _ in again.fills) < again.start_ns + SHADOW_DAYS * DAY_NS


def test_comparisons_are_read_once_a_week_however_often_it_looks(
    bred: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_together = []

    def spied(tests: Any) -> Any:
        read_together.append(sorted(set(tests) - {FEED}))
        return drifted(tests)

    drifted = immune.drifted
    monkeypatch.setattr(immune, "drifted", spied)
    found = played(bred, market(tmp_path, 9, days=10, pull=0.5), look_minutes=240)
    trusted = [it.id for it in found.population.agents if it.stage in LADDER]
    assert len(read_together) > 50
    first, *weekly = [agents for agents in read_together if agents]
    assert first == trusted, "the first look begins"
    days = [at for at in range(1, 11) if (found.start_ns // DAY_NS + at) % 7 == 0]
    assert weekly == [trusted] * len(days)


def test_a_journal_of_it_replays(bred: Path, tmp_path: Path) -> None:
    path = write_planted(tmp_path, 9, days=25, pull=0.5)
    assert path.exists()
    history = market(tmp_path, 9, days=25, pull=0.5)
    given = {"population": str(bred), "shadow_trips": 10}
    settings = BacktestSettings("symbiont", ("BTCUSDT",), given, assumptions=CHEAP)
    run = Backtest(settings, history)
    journal = start_journal(tmp_path / "run.journal", run, [path])
    summary, _ = run.run()
    finish_journal(journal, run)
    assert summary["orders"] > 10
    assert replay(tmp_path / "run.journal")["events_compared"] > summary["orders"]
    bred_now, _ = loaded(bred)
    with pytest.raises(InputError, match="this run began with"):
        loaded(bred, digest="0" * 64)
    assert bred_now.agents


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 9}, "version 9; this HEAN reads 2: breed it anew"),
        ({"agents": []}, "0 agents"),
        ({"symbols": ["ETHUSDT"]}, "no fees of ETHUSDT"),
    ],
)
def test_a_file_that_is_no_population_of_this_run_is_refused(
    bred: Path, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    document = msgspec.json.decode(bred.read_bytes())
    document["population"] |= change
    path = tmp_path / "other.json"
    path.write_bytes(msgspec.json.encode(document))
    with pytest.raises((InputError, ParameterInvalid), match=words):
        Symbiont(("BTCUSDT",), {"population": str(path)})


def test_who_is_in_quarantine_trades_nothing_whatever_its_stage(bred: Path) -> None:
    colony = Symbiont(("BTCUSDT",), {"population": str(bred)}).colony
    agent = colony.population.agents[0]
    agent.stage, agent.case = Stage.LIVE, admitted(1)
    assert colony.may_trade(agent.id) and colony.scale(agent.id) == 1.0
    for health, scale in ((Health.WATCH, 0.5), (Health.QUARANTINE, 0.0)):
        agent.case = msgspec.structs.replace(admitted(1), health=health)
        assert (colony.may_trade(agent.id), colony.scale(agent.id)) == (scale > 0, scale)


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Symbiont(("BTCUSDT",), {"population": str(tmp_path / "nosuch.json")})


def test_an_agent_under_another_name_is_refused(bred: Path, tmp_path: Path) -> None:
    document = msgspec.json.decode(bred.read_bytes())
    document["population"]["agents"][0]["id"] = id_of("other")
    path = tmp_path / "other.json"
    path.write_bytes(msgspec.json.encode(document))
    with pytest.raises(InputError, match="is not the one of its genome"):
        Symbiont(("BTCUSDT",), {"population": str(path)})


def test_agents_that_read_shapes_and_motifs_are_watched_as_they_were_bred(tmp_path: Path) -> None:
    """Told bar by bar, features are what they were over the whole record; a function of a file is
    nothing that a population can rely on.
    """
    features = load_all(["hean:hammer", "hean:motif_distance"])
    plan = plan_of(tmp_path, 1, generations=2, features=features)
    history = market(tmp_path, 1, days=60)
    population = evolve(plan, history).population
    names = population.features
    text = "long when hammer > 0.5 or motif_distance < 1; exit when rsi(8) > 60; stop 3 atr"
    agent = msgspec.structs.replace(
        population.agents[0], genome=text, id=id_of(text), stage=Stage.SHADOW
    )
    population.agents = [agent]
    path = tmp_path / "population.json"
    path.write_bytes(written(population))
    found = played(path, history)
    ground = Ground(material_of(plan.base, history, features=features, step_ns=DAY_NS))
    (whole,) = ground.judge([read(text, names)])
    results = dict(
        zip((ground.sampled[1:] // DAY_NS - 1).tolist(), np.diff(whole.samples), strict=True)
    )
    seen = found.population.by_id()[agent.id].days
    before = dict(zip((ground.sampled // DAY_NS).tolist(), whole.samples, strict=True))
    assert len(seen) > 50
    for day, earned in seen:
        assert earned == pytest.approx(results[day] / before[day], abs=1e-9)
    population.features = (*names, "stretch")
    path.write_bytes(written(population))
    with pytest.raises(InputError, match="stretch, functions of a file"):
        Symbiont(("BTCUSDT",), {"population": str(path)})


def test_with_money_at_stake_who_is_live_min_trades_the_least_there_is(
    bred: Path, tmp_path: Path
) -> None:
    """And what an earlier process held is its holder's; of nobody's it is closed."""
    population, _ = loaded(bred)
    (agent,) = [it for it in population.agents if "result, held back" in it.gates]
    agent.stage, agent.since_ns = Stage.LIVE_MIN, 1
    path = tmp_path / "population.json"
    path.write_bytes(written(population))
    given: dict[str, Any] = {"population": str(path)}
    history = market(tmp_path, 1, days=45, pull=0.5)
    run = Backtest(BacktestSettings("symbiont", ("BTCUSDT",), given, assumptions=CHEAP), history)
    strategy = run.system.strategy
    assert isinstance(strategy, Symbiont)
    strategy.is_real = True
    fills: list[OrderFilled] = []
    run.bus.tap(
        lambda event: (
            fills.append(event.data) if event.event_type is EventType.ORDER_FILLED else None
        )
    )
    run.run()
    rules = history.markets["BTCUSDT"].rules.instrument
    assert len(fills) > 20
    most = max(1.1 * rules.notional_min, 1.1 * rules.lot_size * float(fills[0].fill_price))
    assert all(float(it.filled_qty * it.fill_price) <= 2 * most for it in fills)

    again = Symbiont(("BTCUSDT",), given)
    again.instruments = {"BTCUSDT": rules}
    again.population.holdings = {"BTCUSDT": Holding(agent.id, 0.05, 1, True)}
    again.resume({"BTCUSDT": fills[0].filled_qty}, [], {})
    assert again.position["BTCUSDT"] == fills[0].filled_qty
    assert again.colony.may_trade(agent.id)
