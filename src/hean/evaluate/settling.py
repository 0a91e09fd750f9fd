# SPDX-License-Identifier: Apache-2.0
"""`settling.py`: from an evolution to a population that can be watched on a running market: who is
alive, how far each has come, and what is expected of it by the part that nobody was chosen on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hean.backtest.judging import Verdict, bars_of
from hean.core.timeframe import DAY_NS
from hean.errors import DataInvalid
from hean.evaluate.champions import Champion
from hean.evaluate.evolving import Arena, Part, Parts, Plan, genomes_of
from hean.feeds.history import History
from hean.symbiont.evolution import State, living
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
    for text, watch in _watches(plan, history, parts, texts).items():
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
    return Population(tuple(history.markets), bar, _costs(plan, history), agents, names)


def _stage(champion: Champion | None) -> Stage:
    if champion is None:
        return Stage.BORN
    if champion.promoted:
        return Stage.TESTED
    is_valid = all(gate.passed for gate in champion.gates[:BEFORE_HELD_BACK])
    return Stage.VALIDATED if is_valid else Stage.BORN


def _costs(plan: Plan, history: History) -> Costs:
    base, fees = plan.base, {}
    for symbol, market in history.markets.items():
        listed = market.rules.fees
        maker, taker = base.assumptions.fees(maker=listed.maker, taker=listed.taker)
        fees[symbol] = (format(maker, "f"), format(taker, "f"))
    assumed, account = base.assumptions, base.account
    return Costs(
        format(account.cash, "f"), format(account.leverage, "f"), fees,
        int(assumed.entry.values_ns[0]), int(assumed.response.values_ns[0]),
        assumed.half_spread, assumed.impact, account.sizing.method.value,
        account.sizing.numbers,
    )  # fmt: skip


# ---------------------------------------------------------------- what is expected


def _watches(plan: Plan, history: History, parts: Parts, texts: Sequence[str]) -> dict[str, Watch]:
    """Of each who has traded enough: by the judged part; where that is too short, by the bred."""
    costs, found = _costs(plan, history), dict[str, Watch]()
    for part in (parts.judged, parts.bred):
        left = [text for text in texts if text not in found]
        arena, market = Arena(plan, history, part), _Market(history, part, costs)
        for text, verdict in zip(left, arena.judge(genomes_of(left, plan)), strict=True):
            try:
                found[text] = Watch(_expected(arena, verdict, market))
            except DataInvalid:
                continue  # too few days or trades to expect anything
    return {text: found[text] for text in texts if text in found}


class _Market:
    """The bars of a part, by symbol, and what it costs to trade them."""

    def __init__(self, history: History, part: Part, costs: Costs) -> None:
        self.costs = costs
        period = (part.start_ns, part.end_ns)
        self.bars = [bars_of(market, period) for market in history.markets.values()]
        counted = (part.counts_ns, part.end_ns)
        self.columns = columns_of(
            {symbol: bars_of(market, counted) for symbol, market in history.markets.items()}
        )
        self.takers = [float(costs.fees[symbol][1]) for symbol in history.markets]

    def entry_cost(self, symbol: int, row: int, sign: float) -> float:
        """Against the close it was decided at, in bp: the way to the next open, the taker's fee and
        half the spread.
        """
        opens, close = self.bars[symbol]["open"], self.bars[symbol]["close"][row]
        gap = sign * (opens[min(row + 1, opens.size - 1)] / close - 1)
        return float(1e4 * (gap + self.takers[symbol] + self.costs.half_spread))


def _expected(arena: Arena, verdict: Verdict, market: _Market) -> Expected:
    rows, over = verdict.decided.astype(np.int64), verdict.over.astype(np.int64)
    trips = list(zip(verdict.symbol.tolist(), rows.tolist(), verdict.direction, strict=True))
    ends = np.array([arena.ground.rows_ns[number][row] for number, row, _ in trips], np.int64)
    first = arena.part.counts_ns
    counted = np.flatnonzero(ends >= first)
    trades = np.bincount((ends[counted] - first) // DAY_NS, minlength=arena.day_ns.size)
    costs = [market.entry_cost(*trips[at]) for at in counted]
    most = max(ORDERS_MIN, 2 * int(trades.max(initial=0)))
    leverage = float(market.costs.leverage)
    return Expected.of(
        daily=arena.returns(verdict),
        trades=trades[: arena.day_ns.size],
        held=(over - rows)[counted],
        cost_bp=costs,
        declared=Declared(most, leverage, arena.ground.symbols),
        columns=market.columns,
    )
