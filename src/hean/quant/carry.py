# SPDX-License-Identifier: Apache-2.0
"""`carry.py`: what holding a hedged position earns: funding to come, and what getting in and out
costs. Rates are fractions of the position's value per settlement, positive when longs pay.
Source: quant/methods 9.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SETTLEMENTS_MIN = 30  # ten days of eight-hour settlements: less says nothing about persistence
ROUNDING = 1e-12  # of a rate
PERSISTENCE_MAX = 0.999  # a unit root would make every forecast the last rate for ever


class Settled(NamedTuple):
    """Settled rates as a first-order autoregression: *mean*, *persistence* (the rate's share that
    is left one settlement later) and *noise*, the standard deviation of what is new in each.
    """

    mean: float
    persistence: float
    noise: float


def fit_settled(rates: Sequence[float]) -> Settled | None:
    """Least squares of each rate on the one before. *rates*: oldest first, equally spaced.

    *Returns*: `None` for fewer than `SETTLEMENTS_MIN` rates.
    """
    if len(rates) < SETTLEMENTS_MIN:
        return None
    values = np.asarray(rates, dtype=np.float64)
    before, after = values[:-1], values[1:]
    spread = float(((before - before.mean()) ** 2).sum())
    shared = float(((before - before.mean()) * (after - after.mean())).sum())
    # Rates that differ by rounding alone have no persistence that could be measured.
    is_constant = spread <= before.size * (ROUNDING * abs(float(before.mean()))) ** 2
    slope = 0.0 if is_constant else shared / spread
    persistence = min(max(slope, 0.0), PERSISTENCE_MAX)
    mean = float(values.mean())
    rest = (after - mean) - persistence * (before - mean)
    return Settled(mean, persistence, float(np.sqrt((rest**2).mean())))


def expected_sum(model: Settled, last: float, settlements: int) -> float:
    """Expected sum of the next *settlements* rates after *last*: each is `m + phi^k (f - m)`."""
    phi = model.persistence
    left = phi * (1 - phi**settlements) / (1 - phi)
    return settlements * model.mean + left * (last - model.mean)


def deepest_sum(model: Settled, last: float, settlements: int) -> float:
    """The lowest that the expected sum gets on its way through the next *settlements* rates, at
    most 0: what it costs to wait for better ones.
    """
    phi, steps = model.persistence, np.arange(1, settlements + 1)
    sums = steps * model.mean + phi * (1 - phi**steps) / (1 - phi) * (last - model.mean)
    return min(0.0, float(sums.min()))


def deviation_of_sum(model: Settled, settlements: int) -> float:
    """Standard deviation of that sum: the noise of settlement j counts in every later one."""
    phi = model.persistence
    weights = (1 - phi ** np.arange(1, settlements + 1)) / (1 - phi)
    return model.noise * math.sqrt(float((weights**2).sum()))


def break_even(cost: float, rate: float) -> float:
    """Settlements until *rate* has repaid *cost*; infinite for a rate that is not positive."""
    return cost / rate if rate > 0 else math.inf
