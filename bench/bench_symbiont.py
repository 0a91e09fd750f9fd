# SPDX-License-Identifier: Apache-2.0
"""Judging a population: 50 agents on 525,600 one-minute bars of two symbols, with fees, slippage,
funding, intra-bar stops and drawdown, on one core; beside a fused numba loop of the same rules.

Workload: a seeded market of two perpetuals. `family`: fifty parameter sets of one rule (RSI, EMA,
ATR stop, longest holding), which the numba loop plays too; round trips must agree within one in a
hundred, or the figures mean nothing. `newborn`: fifty random genomes, as the first generation of
`hean evolve`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import symbiont_peer
from hean._core import SymbiontGround
from hean.data.instruments import instrument_for
from hean.genome.text import read
from hean.genome.words import row_of
from hean.risk.sizing import Sizing
from hean.symbiont.breed import INIT, LADDER, born, chance
from measure import Goal, Result, peak_rss_mb, say

BARS, AGENTS = 525_600, 50
SYMBOLS = ("BTCUSDT", "ETHUSDT")
MINUTE_NS, START_NS = 60 * 10**9, 1_700_006_400 * 10**9
FEE, SLIPPAGE, CASH, FRACTION = 0.0005, (0.00005, 0.5), 10_000.0, 0.1
GOALS: dict[str, Goal] = {
    "family s": ("<=", 3.0),
    "newborn s": ("<=", 3.0),
    "numba over judge": (">=", 5.0),
    "memory MB": ("<=", 1024.0),
}


def columns(seed: int, bars: int) -> np.ndarray:
    """Open, high, low, close, volume."""
    draw = np.random.default_rng(seed)
    sigma = np.repeat(np.exp(draw.normal(-7.5, 0.4, bars // 60 + 1)), 60)[:bars]
    steps = draw.normal(0, 1, bars) * sigma - sigma**2 / 2
    close = np.round(30_000 * np.exp(np.cumsum(steps)), 1)
    open_ = np.concatenate([[30_000.0], close[:-1]])
    reach = np.sqrt(np.log(close / open_) ** 2 - 2 * sigma**2 * np.log(draw.random((2, bars))))
    middle = np.sqrt(open_ * close)
    high = np.maximum(np.round(middle * np.exp(reach[0] / 2), 1), np.maximum(open_, close))
    low = np.minimum(np.round(middle * np.exp(-reach[1] / 2), 1), np.minimum(open_, close))
    volume = np.round(np.exp(draw.normal(3, 0.8, bars)), 3) + 0.001
    return np.ascontiguousarray(np.stack([open_, high, low, close, volume]))


def ground(market: list[np.ndarray]) -> SymbiontGround:
    """The market, ready."""
    bars = market[0].shape[1]
    ts = START_NS + MINUTE_NS * np.arange(bars)
    ts.setflags(write=False)
    times = list(range(START_NS, int(ts[-1]), 480 * MINUTE_NS))
    rows: list[tuple[Any, ...]] = []
    for symbol, table in zip(SYMBOLS, market, strict=True):
        five = [np.ascontiguousarray(column) for column in table]
        for column in five:
            column.setflags(write=False)
        rules = instrument_for("binance", "perp", "BTCUSDT", name=symbol)
        fees = ("0.0002", str(FEE))
        rows.append((rules, fees, "3", MINUTE_NS, ts, five, times, [1e-4] * len(times), []))
    sizing = Sizing(fraction=FRACTION)
    return SymbiontGround(
        rows,
        cash=str(CASH),
        latency_ns=(50_000_000, 50_000_000),
        slippage=SLIPPAGE,
        sizing=(sizing.method, sizing.numbers),
        sample_step_ns=3_600 * 10**9,
        start_ns=START_NS,
    )


def family() -> list[tuple[float, ...]]:
    """Fifty parameter sets on the ladder of windows, as evolution draws them."""
    draw = np.random.default_rng(4)
    return [
        (
            float(draw.choice(LADDER[2:9])),
            float(draw.integers(15, 40)),
            float(draw.integers(55, 80)),
            float(draw.choice(LADDER[3:])),
            float(draw.integers(8, 50)) / 10,
            float(draw.choice((30, 60, 120, 240))),
            FRACTION,
        )
        for _ in range(AGENTS)
    ]


def text_of(rule: tuple[float, ...]) -> str:
    """The same rule as a genome."""
    window, low, high, slow, stop, hold, _ = rule
    return (
        f"long when rsi({window:g}) < {low:g} and close > ema({slow:g}); "
        f"exit when rsi({window:g}) > {high:g}; stop {stop:g} atr; hold {hold:g} bars"
    )


def numba_family(market: list[np.ndarray], rules: list[tuple[float, ...]]) -> int:
    """Every agent on every symbol. *Returns*: round trips."""
    funding = np.zeros(market[0].shape[1])
    funding[479::480] = 1e-4
    costs, trips = (FEE, *SLIPPAGE), 0
    for rule in rules:
        for table in market:
            trips += symbiont_peer.run(table, funding, rule, CASH, costs, 0.1, 0.001)[1]
    return trips


def run(rounds: int, quick: bool = False) -> Result:
    """One value a round."""
    bars = 50_000 if quick else BARS
    market = [columns(seed, bars) for seed in (1, 2)]
    rules = family()
    judged = ground(market)
    kin = [row_of(read(text_of(rule)), SYMBOLS) for rule in rules]
    newborn = [row_of(born(chance(1, INIT, 0, at), SYMBOLS), SYMBOLS) for at in range(AGENTS)]
    numba_family([table[:, :2_000].copy() for table in market], rules[:1])  # compiled before timing
    result = Result(f"{AGENTS} agents x {bars:,} bars x {len(SYMBOLS)} symbols, one core")
    result.goals = GOALS
    for turn in range(rounds):
        say(f"round {turn + 1}")
        began = time.process_time()
        verdicts = judged.judge(kin)
        ours = time.process_time() - began
        began = time.process_time()
        theirs_trips = numba_family(market, rules)
        theirs = time.process_time() - began
        trips = sum(len(verdict[8][0]) for verdict in verdicts)
        if abs(trips - theirs_trips) > 0.01 * theirs_trips:
            raise ValueError(f"{trips:,} round trips, numba {theirs_trips:,}: not the same rules")
        began = time.process_time()
        judged.judge(newborn)
        fresh = time.process_time() - began
        figures = {
            "family s": ours,
            "numba family s": theirs,
            "newborn s": fresh,
            "family round trips": float(trips),
            "M agent-bars a second": AGENTS * bars * len(SYMBOLS) / ours / 1e6,
            "memory MB": peak_rss_mb(),
        }
        result.add(figures, {"numba over judge": theirs / ours})
    return result
