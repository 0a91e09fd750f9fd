# SPDX-License-Identifier: Apache-2.0
"""A generation judged by the local engine and by Dask on one machine, as many threads as processes.

Workload: newborn genomes on 525,600 one-minute bars of two symbols by seed, the scores that
breeding goes by included; both engines in turns, and their scores must be equal. `s` is by the
clock, and so is the goal; `cpu s` of this process and all workers says what a busy machine hides.
`start s` is what Dask takes once for a run: files written, processes up, a first batch answered.
"""

from __future__ import annotations

import importlib.util
import os
import time

import numpy as np

from bench_symbiont import BARS, CASH, FEE, MINUTE_NS, SLIPPAGE, START_NS, SYMBOLS
from hean.backtest.material import CANDLES, Facts, Material, Symbol
from hean.data.instruments import Terms
from hean.evaluate.dask_engine import DaskEngine
from hean.evaluate.engines import local
from hean.evaluate.evolving import SAMPLE_NS, Arena, Cut, Part
from hean.genome.tree import Genome
from hean.risk.sizing import Sizing
from hean.symbiont.breed import INIT, born, chance
from hean.symbiont.evolution import Judge
from hean.symbiont.select import Score
from measure import Goal, Result, say, turns
from symbiont_peer import columns

AGENTS = 100
GOALS: dict[str, Goal] = {"dask over local": ("<=", 1.3)}


def arena(bars: int, threads: int) -> Arena:
    """The market of `bench_symbiont`, as `hean evolve` has it."""
    ts = START_NS + MINUTE_NS * np.arange(bars)
    funding = START_NS + 480 * MINUTE_NS * np.arange(bars // 480)
    tables, symbols = [], []
    for seed, symbol in enumerate(SYMBOLS, 1):
        five = dict(zip(CANDLES, map(np.ascontiguousarray, columns(seed, bars)), strict=True))
        rates = np.full(funding.size, 1e-4)
        tables.append({"ts": ts, **five, "funding_ts": funding, "funding_rate": rates})
        terms = Terms(symbol, "linear", "0.1", "0.001")
        symbols.append(Symbol(terms, ("0.0002", str(FEE)), "3", MINUTE_NS))
    sizing = Sizing(fraction=0.1)
    latency = (50_000_000, 50_000_000)
    facts = Facts(tuple(symbols), str(CASH), latency, SLIPPAGE, sizing, SAMPLE_NS, START_NS)
    part = Part(START_NS, START_NS, START_NS + bars * MINUTE_NS)
    return Arena(Material(facts, tuple(tables)), Cut(part, 4, 2), threads=threads)


def spent_s() -> float:
    """Processor time of this process and those that it started."""
    import psutil  # of the extra dask

    this = psutil.Process()
    times = [each.cpu_times() for each in (this, *this.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def timed(judge: Judge, agents: list[Genome]) -> tuple[float, float, list[Score]]:
    """Seconds by the clock and of processors, and what was said."""
    began, before = time.perf_counter(), spent_s()
    scores = judge(agents)
    return time.perf_counter() - began, spent_s() - before, scores


def run(rounds: int, quick: bool = False) -> Result:
    """One value a round."""
    bars, workers = 50_000 if quick else BARS, min(len(os.sched_getaffinity(0)), 4)
    ground = f"{bars:,} bars x {len(SYMBOLS)} symbols"
    result = Result(f"{AGENTS} newborns x {ground}, {workers} threads or processes", goals=GOALS)
    if importlib.util.find_spec("distributed") is None:
        result.missing["distributed"] = "not installed; `./hean setup dask` installs it"
        return result
    market = arena(bars, workers)
    agents = [born(chance(1, INIT, 0, at), SYMBOLS) for at in range(AGENTS)]
    began = time.perf_counter()
    with local(market) as here, DaskEngine(workers)(market) as there:
        there(agents[: 2 * workers])
        started = time.perf_counter() - began
        for turn in range(rounds):
            both = {"local": here, "dask": there}
            told = {name: timed(both[name], agents) for name in turns(list(both), turn)}
            if told["local"][2] != told["dask"][2]:
                raise ValueError("the engines give other scores")
            ratios = {f"dask over local{what}": told["dask"][at] / told["local"][at]
                      for at, what in enumerate(("", ", cpu"))}  # fmt: skip
            figures = {f"{name} s": each[0] for name, each in told.items()}
            figures |= {f"{name} cpu s": each[1] for name, each in told.items()}
            say(f"round {turn + 1}: local {told['local'][0]:.2f} s, dask {told['dask'][0]:.2f} s")
            result.add(figures | {"start s": started}, ratios)
    return result
