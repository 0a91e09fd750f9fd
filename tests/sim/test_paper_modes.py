# SPDX-License-Identifier: Apache-2.0
"""Each strategy in its three lives: on paper on the twin's live feed, as the replay of that
session, and as the backtest of what it recorded. All three decide the same, to the nanosecond.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from hean.backtest.run import BacktestSettings
from hean.core.types import Funding, OrderFilled, Side, Signal
from hean.paper_journal import replay_session
from hean.strategies.legs import SECOND_NS, TwoLegs
from sim.paper_world import (
    NS,
    Course,
    CourseExchange,
    Heard,
    Judged,
    PaperWorld,
    Session,
    backtest,
    write_bars,
)
from unit.cli_runs import run_here

QUIET = f"{Path(__file__).parent.parent / 'paper_strategies.py'}:Quiet"
BTC, ETH = 60_000.0, 3_000.0


def walk(seed: int, seconds: int, step: float) -> list[float]:
    """A random walk of logarithms, a step a second."""
    chance = random.Random(seed)
    return list(accumulate(chance.gauss(0, step) for _ in range(seconds)))


def wandering(seconds: int) -> Course:
    """One coin that goes nowhere in particular."""
    levels = walk(4, seconds, 3e-4)
    return lambda kind, symbol, at_s: BTC * math.exp(levels[int(at_s)])


def funded(seconds: int) -> Course:
    """Coins and a perpetual that stays 3 bp above them."""
    levels = walk(3, seconds, 1e-4)
    return lambda kind, symbol, at_s: (
        BTC * math.exp(levels[int(at_s)] + (0.0003 if kind == "linear" else 0.0))
    )


FUNDING_S = 120


def rate_of(number: int) -> Decimal:
    """Of the payment with this number: good for a while, then bad, in a cycle of twelve."""
    return Decimal(f"{0.0004 + 0.0008 * math.cos(2 * math.pi * (number - 28) / 12):.8f}")


def pays(exchange: CourseExchange) -> None:
    """Funding every two minutes."""
    market = exchange.venue.markets["linear", "BTCUSDT"]
    market.listing.funding_minutes = FUNDING_S // 60
    market.next_funding_ns = exchange.now() + FUNDING_S * NS

    def announce(number: int) -> None:
        market.funding_rate = rate_of(number)
        exchange.world.later(FUNDING_S, lambda: announce(number + 1))

    announce(1)


def stretched(seconds: int) -> Course:
    """Coins and a perpetual whose distance is 3 bp, and for half a minute 40 bp more, twice."""
    levels, chance = walk(5, seconds, 1e-4), random.Random(6)
    away = [0.0003 + chance.gauss(0, 5e-5) for _ in range(seconds)]
    for begin in (80, 160):
        for at in range(begin, begin + 30):
            away[at] += 0.004

    def course(kind: str, symbol: str, at_s: float) -> float:
        at = int(at_s)
        return BTC * math.exp(levels[at] + (away[at] if kind == "linear" else 0.0))

    return course


def sharing(seconds: int) -> Course:
    """Two perpetuals with one trend, and a spread that comes back: half of it in 35 s."""
    trend, chance = walk(2, seconds, 2e-4), random.Random(26)
    spread = list(
        accumulate((chance.gauss(0, 1.5e-4) for _ in range(seconds)), lambda s, e: 0.98 * s + e)
    )

    def course(kind: str, symbol: str, at_s: float) -> float:
        at = int(at_s)
        if symbol == "BTCUSDT":
            return BTC * math.exp(trend[at])
        return ETH * math.exp(0.8 * trend[at] + spread[at])

    return course


@dataclass(frozen=True)
class Case:
    """A strategy, its parameters, and a market in which it has to decide. *trips*: in and out, at
    least. *is_recorded_twice*: an hour with two listeners is too long for a test.
    """

    strategy: str
    symbols: tuple[str, ...]
    given: dict[str, Any]
    bar: str
    course: Callable[[int], Course]
    seconds: int
    trips: int
    prepare: Callable[[CourseExchange], None] | None = None
    beat_s: float = 0.8
    is_recorded_twice: bool = True

    @property
    def settings(self) -> BacktestSettings:
        """Of the run."""
        return BacktestSettings(self.strategy, self.symbols, self.given, bar=self.bar)


LEGS = ("BTCUSDT@spot", "BTCUSDT@perp")
CASES = {
    "impulse": Case(
        "impulse",
        ("BTCUSDT@perp",),
        {"horizon": 3, "window": 20, "threshold": 1.0, "volume_z": -1.0, "calm_min": 0.0}
        | {"calm_max": 100.0, "atr": 5, "stop": 2.0, "target": 4.0, "hold": 10},
        "1s",
        wandering,
        240,
        trips=2,
    ),
    "funding": Case(
        "funding",
        LEGS,
        {"horizon": 3, "memory": 30, "cost": 0.0002},
        "1m",
        funded,
        4_070,
        trips=1,
        prepare=pays,
        beat_s=0.9,
        is_recorded_twice=False,
    ),
    "basis": Case(
        "basis",
        LEGS,
        {"window": 30, "cost": 0.001, "stop": 200.0},
        "1s",
        stretched,
        240,
        trips=2,
    ),
    "pairs": Case(
        "pairs",
        ("ETHUSDT@perp", "BTCUSDT@perp"),
        {"window": 480, "refit": 60, "theta": 1.5, "cost": 0.0, "hold": 120},
        "1s",
        sharing,
        800,
        trips=1,
    ),
}


@dataclass
class Ran:
    """A case that was played. *other*: what somebody else recorded of the same market meanwhile.
    *judged*: the backtest of the session's own recording.
    """

    case: Case
    session: Session
    other: Session | None
    judged: Judged


@pytest.fixture(scope="module", params=CASES)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A session on the twin, and beside it a session that only records."""
    case, folder = CASES[request.param], tmp_path_factory.mktemp(request.param)
    coins = tuple(dict.fromkeys(name.partition("@")[0] for name in case.symbols))
    runs = [(case.settings, folder / "own")]
    if case.is_recorded_twice:
        runs.append((BacktestSettings(QUIET, case.symbols, bar=case.bar), folder / "other"))
    course = case.course(case.seconds + 1)
    with PaperWorld(course, coins, prepare=case.prepare, beat_s=case.beat_s) as world:
        session, *others = world.run(case.seconds, *runs)
    judged = backtest(case.settings, [session.tape])
    return Ran(case, session, others[0] if others else None, judged)


def fills(decisions: Heard) -> list[OrderFilled]:
    """What traded."""
    return [fact for _, fact in decisions if isinstance(fact, OrderFilled)]


def trips(decisions: Heard, symbol: str) -> int:
    """How often a position of *symbol* was opened and closed again."""
    held = list(
        accumulate(
            fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
            for fill in fills(decisions)
            if fill.symbol == symbol
        )
    )
    return held.count(Decimal(0))


def test_on_paper_it_gets_in_and_out_again(ran: Ran) -> None:
    session = ran.session
    for symbol in ran.case.symbols:
        assert trips(session.decisions, symbol) >= ran.case.trips
    strategy = session.strategy
    if isinstance(strategy, TwoLegs):
        assert strategy.is_flat
        assert strategy.naked_longest_ns < strategy.p.naked_max_s * SECOND_NS


def test_its_replay_is_the_session(ran: Ran) -> None:
    replayed = replay_session(ran.session.journal)
    assert replayed["state_hash"] == ran.session.summary["state_hash"]
    assert replayed["events_compared"] > len(ran.session.decisions)


def test_its_backtest_decides_the_same_at_the_same_moments(ran: Ran) -> None:
    session, summary = ran.session, ran.judged.summary
    assert ran.judged.decisions == session.decisions
    same = ("state_hash", "orders", "fills", "fees", "funding", "net_pnl")
    assert {name: summary[name] for name in same} == {name: session.summary[name] for name in same}


def parity(session: Session, *more: str) -> tuple[int, dict[str, Any]]:
    """The command. *Returns*: exit code and document."""
    words = ("parity", "--journal", session.journal, "--data", session.tape, "--json", "-")
    done = run_here(*words, *more)
    return done.code, json.loads(done.stdout)


def test_parity_finds_no_difference(ran: Ran) -> None:
    session = ran.session
    code, found = parity(session)
    assert code == 0
    assert (found["identical_fraction"], found["causes"], found["state_cause"]) == (1.0, {}, None)
    assert found["trades"]["identical"] == session.summary["fills"]


@pytest.mark.parametrize("ran", ["impulse", "basis"], indirect=True)
def test_parity_names_the_cause_where_one_side_is_another(ran: Ran) -> None:
    code, found = parity(ran.session, "--latency", "200ms")
    assert (code, list(found["causes"])) == (1, ["latency"])


@pytest.mark.parametrize("ran", ["impulse", "basis", "pairs"], indirect=True)
def test_what_another_connection_recorded_leads_to_the_same_decisions(ran: Ran) -> None:
    """Its frames came at other nanoseconds, so its events are others; what was decided is not."""
    assert ran.other is not None
    assert ran.other.tape.read_bytes() != ran.session.tape.read_bytes()
    assert fills(ran.other.decisions) == []
    decisions = backtest(ran.case.settings, [ran.other.tape]).decisions
    assert wanted(decisions) == wanted(ran.session.decisions)
    assert [fill.fill_price for fill in fills(decisions)] == [
        fill.fill_price for fill in fills(ran.session.decisions)
    ]


@pytest.mark.parametrize("ran", ["basis", "pairs"], indirect=True)
def test_the_same_market_as_candles_leads_to_the_same_decisions(ran: Ran, tmp_path: Path) -> None:
    """What decides at the close of bars alone. Prices differ, because a bar has no touch; and so
    does a stop within a bar, which the bar's volume may fill in part: not for `impulse`.
    """
    files = [write_bars(symbol, bars, tmp_path) for symbol, bars in ran.judged.bars.items()]
    decisions = backtest(ran.case.settings, files).decisions
    assert wanted(decisions) == wanted(ran.session.decisions)
    assert entries(decisions) == entries(ran.session.decisions)


def entries(decisions: Heard) -> list[tuple[int, str]]:
    """When something was to be opened, and of what."""
    return [
        (at_ns, fact.symbol)
        for at_ns, fact in decisions
        if isinstance(fact, Signal) and not fact.reduce_only
    ]


def wanted(decisions: Heard) -> list[tuple[Any, ...]]:
    """What the strategy asked for."""
    return [
        (fact.symbol, fact.side, fact.size, fact.type, fact.reduce_only)
        for _, fact in decisions
        if isinstance(fact, Signal)
    ]


@pytest.mark.parametrize("ran", ["funding"], indirect=True)
def test_each_payment_is_told_once_and_what_is_held_meanwhile_earns_it(ran: Ran) -> None:
    decisions = ran.session.decisions
    rates = [Decimal(f"{fact.rate:.8f}") for _, fact in decisions if isinstance(fact, Funding)]
    assert rates == [rate_of(number) for number in range(1, ran.case.seconds // FUNDING_S + 1)]
    kinds = [type(fact) for _, fact in decisions]
    held = [kind for kind in kinds[kinds.index(OrderFilled) :] if kind in (OrderFilled, Funding)]
    assert held == [OrderFilled] * 2 + [Funding] * 3 + [OrderFilled] * 2
    assert Decimal(ran.session.summary["funding"]) < 0  # paid, as fees are
