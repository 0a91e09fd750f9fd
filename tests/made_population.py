# SPDX-License-Identifier: Apache-2.0
"""A population that nobody bred: agents at three stages, with days in the shadow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hean.symbiont.population import Agent, Costs, Population, Stage, id_of, written
from hean.symbiont.vitals import Declared, Expected, Watch

SYMBOLS = ("BTCUSDT", "ETHUSDT")
TEXTS = {
    "long when rsi(14) < 28; exit when rsi(14) > 55; stop 2 atr": Stage.TESTED,
    "short when rsi(14) > 72; exit when rsi(14) < 45; stop 2 atr": Stage.SHADOW,
    "long when close < ema(34); exit when close > ema(34); stop 3 atr": Stage.BORN,
}
SINCE_NS = 1_760_000_000_000_000_000
DAY = SINCE_NS // (86_400 * 10**9) + 1


def modest(draw: np.random.Generator, declared: Declared) -> Expected:
    """Of an agent that little is expected of."""
    return Expected.of(
        daily=draw.normal(0.001, 0.01, 60),
        trades=draw.poisson(6, 60),
        held=1 + draw.geometric(0.1, 300),
        cost_bp=draw.normal(6, 2, 300),
        declared=declared,
    )


def write_population(folder: Path) -> Path:
    """Its file; the second agent has been in the shadow for a while."""
    draw = np.random.default_rng(5)
    costs = Costs(
        "10000", "3", dict.fromkeys(SYMBOLS, ("0.0002", "0.00055")), 50_000_000, 50_000_000,
        0.00005, 0.5, "fixed_fraction", (0.5, 0.01, 2.0, 3.0, (None, 0.25, 0.05)),
    )  # fmt: skip
    agents = []
    for text, stage in TEXTS.items():
        expected = modest(draw, Declared(100, 3.0, SYMBOLS))
        agent = Agent(id_of(text), text, stage, Watch(expected), generation=3)
        if stage is Stage.SHADOW:
            agent.since_ns = agent.seen_ns = SINCE_NS
            results = draw.normal(0.001, 0.01, 20).tolist()
            agent.days, agent.trips = [(DAY + at, it) for at, it in enumerate(results)], 17
        agents.append(agent)
    path = folder / "population.json"
    path.write_bytes(written(Population(SYMBOLS, "1m", costs, agents)))
    return path
