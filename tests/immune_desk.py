# SPDX-License-Identifier: Apache-2.0
"""Agents that live as they were judged, until a test makes them sick."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hean.symbiont.vitals import Declared, Expected

DECLARED = Declared(20, 2.0, ("BTCUSDT", "ETHUSDT"))
TRADES, HELD, COST, COST_DEVIATION = 6.0, 30.0, 7.0, 5.0
HORIZONS, FORESEEN, DEVIATION = (1, 30), 0.5, 1.15  # as markouts of recorded markets deviate

Draw = np.random.Generator
Values = np.ndarray[Any, np.dtype[np.float64]]


def chance(*key: int) -> Draw:
    """Draws by key, whatever was drawn before."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def remembering(draws: Draw, size: int, memory: float = 0.8) -> Values:
    """A column whose values depend on those before: autoregression with unit shocks."""
    shocks = draws.normal(size=size + 200)
    for at in range(1, len(shocks)):
        shocks[at] += memory * shocks[at - 1]
    return shocks[200:]


def expected(draws: Draw, *, days: int = 1_000) -> Any:
    """An agent after so many days of validation; its days have mean 0 and deviation 1."""
    entered = entries(draws.spawn(1)[0], int(TRADES * days))
    return Expected.of(
        daily=draws.normal(size=days),
        trades=draws.poisson(TRADES, days),
        held=1 + draws.geometric(1 / HELD, 400),
        cost_bp=COST + COST_DEVIATION * draws.normal(size=2_000),
        declared=DECLARED,
        markouts=dict(zip(HORIZONS, entered.T, strict=True)),
    )


def entries(draws: Draw, size: int, less: float = 0.0) -> Values:
    """Markouts of entries at both horizons, shape (size, 2), with the tails of a market; all that
    is foreseen comes with the first bar. *less*: how much of it does not.
    """
    first, last = HORIZONS
    bar = DEVIATION * draws.standard_t(5, size) / math.sqrt(5 / 3) + FORESEEN - less
    rest = DEVIATION * draws.normal(size=size) * math.sqrt(last - first)
    return np.clip(np.stack([bar, (bar + rest) / math.sqrt(last)], axis=1), -4.0, 4.0)
