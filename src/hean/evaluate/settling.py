# SPDX-License-Identifier: Apache-2.0
"""`settling.py`: from an evolution to a population that can be watched on a running market: who is
alive, how far each has come, and what is expected of it by the part that nobody was chosen on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hean.backtest.judging import Verdict
from hean.backtest.material import Facts
from hean.backtest.result import Times, Values
from hean.core.timeframe import DAY_NS
from hean.errors import DataInvalid
from hean.evaluate.champions import Champion
from hean.evaluate.evolving import Arena, Parts, Plan, arena_of, genomes_of
from hean.feeds.history import History
from hean.symbiont.evolution import State, living
from hean.symbiont.feed import Feed
from hean.symbiont.forecast import horizons, markouts
from hean.symbiont.population import Agent, Costs, Population, Stage, id_of
from hean.symbiont.senses import columns_of
from hean.symbiont.vitals import Declared, Expected, Watch

BEFORE_HELD_BACK = 2  # gates of `champions` that ask the bred part only
ORDERS_MIN = 20  # in an hour, that nobody is called sick for


def population_of(
    plan: Plan, history: History, parts: Parts, state: State, found: Sequence[Champion]
) -> Population:
    """All that live at the end of *state* and have traded enough to expect something of them; the
    champions *found* further than the others.
    """
    texts = list(dict.fromkeys([*(each.genome for each in found), *living(state)]))
    champions = {each.genome: each for each in found}
    births = {birth.genome: birth for birth in state.births}
    agents = []
    arenas = [arena_of(plan, history, part) for part in (parts.judged, parts.bred)]
    for text, watch in _watches(plan, arenas, texts).items():
        birth, champion = births[text], champions.get(text)
        agents.append(
            Agent(
                id_of(text), text, _stage(champion), watch,
                tuple(id_of(parent) for parent in birth.parents), birth.how, birth.generation,
                [gate.name for gate in champion.gates if gate.passed] if champion else [],
            )
        )  # fmt: skip
    bar = next(it.timeframe for it in history.markets.values() if it.timeframe)
    names = tuple(feature.name for feature in plan.features)
    costs = _costs(arenas[0].material.facts)
    feed = _feed(arenas[1])  # the longest part: nobody was chosen by what a column is
    return Population(tuple(history.markets), bar, costs, agents, names, feed)


def _stage(champion: Champion | None) -> Stage:
    if champion is None:
        return Stage.BORN
    if champion.promoted:
        return Stage.TESTED
    is_valid = all(gate.passed for gate in champion.gates[:BEFORE_HELD_BACK])
    return Stage.VALIDATED if is_valid else Stage.BORN


def _costs(facts: Facts) -> Costs:
    fees = {each.terms.name: each.fees for each in facts.symbols}
    sizing = facts.sizing
    return Costs(
        facts.cash, facts.symbols[0].leverage, fees, *facts.latency_ns, *facts.slippage,
        sizing.method.value, sizing.numbers,
    )  # fmt: skip


# ---------------------------------------------------------------- what is expected


def _watches(plan: Plan, arenas: Sequence[Arena], texts: Sequence[str]) -> dict[str, Watch]:
    """Of each who has traded enough: by the first arena; where that is too short, by the next."""
    found: dict[str, Watch] = {}
    for arena in arenas:
        left = [text for text in texts if text not in found]
        for text, verdict in zip(left, arena.judge(genomes_of(left, plan)), strict=True):
            try:
                found[text] = Watch(_expected(arena, verdict))
            except DataInvalid:
                continue  # too few days or trades to expect anything
    return {text: found[text] for text in texts if text in found}


def _feed(arena: Arena) -> Feed:
    """What agents read of the days that count."""
    bars = {}
    for symbol, columns in zip(arena.ground.symbols, arena.material.columns, strict=True):
        first = int(np.searchsorted(columns["ts"], arena.part.counts_ns))
        bars[symbol] = {name: column[first:] for name, column in columns.items()}
    return Feed.of(columns_of(bars))


def entry_costs(
    columns: Mapping[str, Values], rows: Values, signs: Values, fee: float, half_spread: float
) -> Values:
    """Of entries at the next open, against the close they were decided at, in bp. *columns*: with
    `open` and `close`. *rows*: that decided; *signs*: 1 to buy, -1 to sell; *fee*: the taker's.
    """
    opens, closes = columns["open"], columns["close"]
    gaps = opens[np.minimum(rows + 1, opens.size - 1)] / closes[rows] - 1
    return np.asarray(1e4 * (signs * gaps + fee + half_spread))


def _expected(arena: Arena, verdict: Verdict) -> Expected:
    rows, over = verdict.decided.astype(np.int64), verdict.over.astype(np.int64)
    decided = zip(verdict.symbol.tolist(), rows.tolist(), strict=True)
    ends = np.array([arena.ground.rows_ns[number][row] for number, row in decided], np.int64)
    first, facts = arena.part.counts_ns, arena.material.facts
    counted = np.flatnonzero(ends >= first)
    trades = np.bincount((ends[counted] - first) // DAY_NS, minlength=arena.day_ns.size)
    costs = np.empty(counted.size)
    for number, columns in enumerate(arena.material.columns):
        own = verdict.symbol[counted] == number
        bought = verdict.direction[counted][own].astype(np.float64)
        fee = float(facts.symbols[number].fees[1])
        costs[own] = entry_costs(columns, rows[counted][own], bought, fee, facts.slippage[0])
    most = max(ORDERS_MIN, 2 * int(trades.max(initial=0)))
    leverage = float(facts.symbols[0].leverage)
    return Expected.of(
        daily=arena.returns(verdict),
        trades=trades[: arena.day_ns.size],
        held=(over - rows)[counted],
        cost_bp=costs,
        declared=Declared(most, leverage, arena.ground.symbols),
        markouts=_markouts(arena, verdict, counted[np.argsort(ends[counted], kind="stable")]),
    )


def _markouts(arena: Arena, verdict: Verdict, trips: Times) -> dict[int, Values]:
    """What came of the entries of *trips*, numbers in the order of time, by horizon."""
    symbols, rows = verdict.symbol[trips], verdict.decided[trips].astype(np.int64)
    found: dict[int, Values] = {}
    for bars in horizons(verdict.over[trips].astype(np.int64) - rows) if trips.size else ():
        found[bars] = np.full(trips.size, np.nan)
        for number, columns in enumerate(arena.material.columns):
            own, signs = symbols == number, verdict.direction[trips]
            found[bars][own] = markouts(
                columns["open"], columns["close"], rows[own], signs[own], bars
            )
    return found
