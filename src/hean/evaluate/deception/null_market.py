# SPDX-License-Identifier: Apache-2.0
"""`null_market.py`: where there is nothing to know, nothing can be earned. The strategy trades many
markets made of chance; before costs its results must scatter around zero. What earns there was told
the answer, or fills orders at prices that nobody offered.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hean.data.reader import Columns
from hean.data.schema import Kind
from hean.evaluate.deception.findings import Bench, Finding, Verdict
from hean.evaluate.deception.plays import Play
from hean.evaluate.deception.staging import Array, Change, bars_of, on_tick
from hean.quant.bootstrap import generator

STEPS = 32  # moves within a bar: its extremes are then close to those of a smooth path
ALPHA, BETA = 0.08, 0.9  # of the volatility's recursion, as of hourly and daily crypto returns
LIMIT = 3.0  # standard errors
PATHS_MIN = 10  # with trades
PATHS_MAX = 1_000_000  # streams set aside for each kind
WALK, SHUFFLE = 301, 302  # streams of the generator


def noise(bench: Bench, seed: int, paths: int) -> Finding:
    """Random walks with volatility that clusters."""
    asks = "does it earn on random walks?"
    return _on_chance(bench, "noise", asks, [_walk(seed, path) for path in range(paths)])


def shuffled(bench: Bench, seed: int, paths: int) -> Finding:
    """The market's own returns in random order."""
    asks = "does it earn when the returns come in random order?"
    return _on_chance(bench, "shuffle", asks, [_shuffle(seed, path) for path in range(paths)])


def _on_chance(bench: Bench, name: str, asks: str, changes: list[Change]) -> Finding:
    if bench.stage.captures or any(len(files) > 1 for files in bench.stage.bars.values()):
        reason = "only one file of candles or trades a symbol can be made of chance"
        return Finding(name, asks, Verdict.SKIPPED, reason)
    earned: list[float] = []
    for change in changes:
        play = bench.play(bench.stage.changed(bench.fresh(), change))
        if play.failure:
            return Finding(name, asks, Verdict.FAILS, f"fails on a made market: {play.failure}")
        if play.summary["fills"]:  # an open position counts: who keeps losers open is told of them
            earned.append(gross(play))
    if len(earned) < PATHS_MIN:
        pays = any(c.kind is Kind.FUNDING for c in bench.stage.columns.values())
        reason = (
            f"it trades in {len(earned)} of {len(changes)} made markets"
            f"{', which pay no funding' if pays else ''}: too few to tell"
        )
        return Finding(name, asks, Verdict.SKIPPED, reason)
    mean, spread = float(np.mean(earned)), float(np.std(earned, ddof=1))
    score = mean / (spread / math.sqrt(len(earned))) if spread else math.copysign(math.inf, mean)
    said = (
        f"{mean:+.4%} of the account before costs, {score:+.1f} standard errors from zero, in "
        f"{len(earned)} markets"
    )
    if score > LIMIT:
        looks_up = f"; {bench.looks_up}" if bench.looks_up else ""
        reason = f"earns where nothing can be known: {said}{looks_up}"
        return Finding(name, asks, Verdict.FAILS, reason)
    if score < -LIMIT:
        reason = f"loses more than costs where nothing can be known: {said}"
        return Finding(name, asks, Verdict.NOTE, reason)
    return Finding(name, asks, Verdict.PASSES, said)


def gross(play: Play) -> float:
    """Result before fees, slippage and funding, over the account."""
    of = play.summary
    costs = sum(float(of[name]) for name in ("fees", "slippage_cost", "funding"))
    return (float(of["net_pnl"]) + costs) / float(of["initial_equity"])


def _walk(seed: int, path: int) -> Change:
    def steps(returns: Array, shape: tuple[int, int], draw: np.random.Generator) -> Array:
        usual, within = float(np.var(returns)), shape[1]
        moves, variance = draw.standard_normal(shape), usual
        for bar in moves:
            bar *= math.sqrt(variance / within)
            moved = float(bar.sum())
            bar -= variance / within / 2  # so that the price is not expected to move
            variance = usual * (1 - ALPHA - BETA) + ALPHA * moved**2 + BETA * variance
        return moves

    return _made(steps, generator(seed, WALK * PATHS_MAX + path))


def _shuffle(seed: int, path: int) -> Change:
    def steps(returns: Array, shape: tuple[int, int], draw: np.random.Generator) -> Array:
        pool = returns / math.sqrt(shape[1])
        pool = pool - math.log(float(np.mean(np.exp(pool))))  # as above
        return np.asarray(pool[draw.integers(0, pool.size, shape)])

    return _made(steps, generator(seed, SHUFFLE * PATHS_MAX + path))


def _made(
    steps: Callable[[Array, tuple[int, int], np.random.Generator], Array],
    draw: np.random.Generator,
) -> Change:
    """A market with the volumes and the volatility of the real one. *steps*: log moves, rows x
    moves within a row, from real returns."""

    def put(columns: Columns, values: dict[str, Array]) -> dict[str, Array]:
        match columns.kind:
            case Kind.CANDLES:
                like = values["close"]
                moves = steps(np.diff(np.log(like)), (like.size, STEPS), draw)
                return values | bars_of(moves, float(like[0]), like)
            case Kind.TRADES:
                like = values["price"]
                moves = steps(np.diff(np.log(like)), (like.size, 1), draw)
                path = like[0] * np.exp(np.cumsum(moves))
                return values | {"price": on_tick(path, like)}
            case Kind.FUNDING:
                return values | {"rate": np.zeros(values["rate"].size)}
        return values

    return put
