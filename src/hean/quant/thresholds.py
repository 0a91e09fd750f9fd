# SPDX-License-Identifier: Apache-2.0
"""`thresholds.py`: how far a signal must be from its mean before it is worth a trade, in standard
deviations. Entries wait for more when the market is wilder than usual, and never for less than the
trade costs. A signal in prices is compared with `price_level`; one that is a z-score already is
compared with the threshold itself, or volatility would count twice.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from hean.errors import ParameterInvalid

THETA = 2.0  # standard deviations, in a market as wild as usual
KAPPA = 0.5  # how much of a change in volatility the threshold follows
SCALE_MIN, SCALE_MAX = 0.5, 3.0  # of the threshold, however calm or wild
COST_COVER = 1.5  # an entry expects this many times its costs
EXIT_SHARE = 0.25  # of the entry: most of the way back
STOP_BEYOND = 2.0  # standard deviations past the entry


class Thresholds(msgspec.Struct, frozen=True):
    """Where to enter, to leave with a profit, and to give up; in standard deviations, from zero.
    *is_cost_bound*: whether costs and not volatility decided.
    """

    entry: float
    exit: float
    stop: float
    is_cost_bound: bool


def thresholds(
    sigma: float,
    sigma_reference: float,
    *,
    sigma_horizon: float,
    cost: float,
    theta: float = THETA,
    kappa: float = KAPPA,
) -> Thresholds:
    """Thresholds for the volatility of now.

    *sigma*, *sigma_reference*: forecast and what is usual (`reference_sigma`), in any one unit.
    *sigma_horizon*: standard deviation of the signal over the time a trade is held, and *cost*:
    fees of both sides, slippage and borrowing, in one unit, such as fractions of the price.
    *Raises*: `ParameterInvalid` for what is not finite, for a volatility not above 0 or a negative
    cost: without a measure of movement there is no trade.
    """
    _positive("sigma", sigma)
    _positive("sigma_reference", sigma_reference)
    _positive("sigma_horizon", sigma_horizon)
    _positive("theta", theta)
    for name, value in (("cost", cost), ("kappa", kappa)):
        if not (math.isfinite(value) and value >= 0.0):
            raise ParameterInvalid(f"thresholds: {name} is {value}; a number from 0 is due.")
    scale = min(max((sigma / sigma_reference) ** kappa, SCALE_MIN), SCALE_MAX)
    wanted, floor = theta * scale, cost / sigma_horizon * COST_COVER
    entry = max(wanted, floor)
    return Thresholds(entry, EXIT_SHARE * entry, entry + STOP_BEYOND, floor > wanted)


def price_level(threshold: float, sigma_horizon: float) -> float:
    """A threshold for a signal in prices: so many times what prices move over the horizon."""
    _positive("sigma_horizon", sigma_horizon)
    return threshold * sigma_horizon


def reference_sigma(history: NDArray[np.float64]) -> float:
    """What volatility is usual: the median of past forecasts, of 30 days by custom; nan of none.
    A nan in it is no forecast and does not count.
    """
    known = history[~np.isnan(history)]
    return float(np.median(known)) if known.size else math.nan


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise ParameterInvalid(f"thresholds: {name} is {value}; a number above 0 is due.")
