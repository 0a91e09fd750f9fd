# SPDX-License-Identifier: Apache-2.0
"""`online.py`: portfolios that learn from nothing but yesterday's price relatives, with a bound on
how much worse than the best constant mix in hindsight they can be. Weights of a day are decided
before its relatives are known: row t is used on day t and learned from after it.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hean.errors import DataInvalid, ParameterInvalid
from hean.quant import checks
from hean.quant.checks import Array

POINTS_MAX = 200_000  # of a grid; more would take minutes and gigabytes
UNIFORM_SHARE = 0.1  # methods 10.2: of the weights that trade, so that nobody is ever given up


class Online(NamedTuple):
    """*weights*: decided before each day, of shape (days + 1, assets), the last for tomorrow.
    *wealth*: after each day, from 1.
    """

    weights: Array
    wealth: Array


class Universal(NamedTuple):
    """*weights*, *wealth* as in `Online`. *grid*: the constant mixes averaged over, of shape
    (points, assets). *grid_wealth*: what each of them ends with.
    """

    weights: Array
    wealth: Array
    grid: Array
    grid_wealth: Array

    @property
    def best_wealth(self) -> float:
        """What the best constant mix of the grid ends with, known only in hindsight."""
        return float(self.grid_wealth.max())


def exponentiated_gradient(
    relatives: npt.ArrayLike, eta: float, *, uniform_share: float = 0.0
) -> Online:
    """`w_i ~ w_i exp(eta x_i / (w . x))`, from equal weights.

    *relatives*: price today over yesterday, of shape (days, assets). *uniform_share*: what trades
    is that much of equal weights and the rest of the learned ones.
    *Source*: Helmbold, Schapire, Singer, Warmuth 1998. *Raises*: `DataInvalid`.
    """
    days = _relatives(relatives)
    if not eta >= 0.0 or not 0.0 <= uniform_share <= 1.0:
        raise ParameterInvalid(f"eta {eta}, uniform_share {uniform_share}; eta >= 0, share 0 to 1.")
    count = days.shape[1]
    logs = np.zeros(count)
    weights = np.empty((len(days) + 1, count))
    wealth = np.empty(len(days))
    total = 1.0
    for day in range(len(days) + 1):
        # Subtracting the largest first keeps exp in range for any eta.
        shares = np.exp(logs - logs.max())
        learned = shares / shares.sum()
        weights[day] = (1.0 - uniform_share) * learned + uniform_share / count
        if day == len(days):
            break
        gain = float(weights[day] @ days[day])
        total *= gain
        wealth[day] = total
        logs += eta * days[day] / gain
    return Online(weights, wealth)


def universal(relatives: npt.ArrayLike, *, steps: int = 20) -> Universal:
    """Cover's universal portfolio: the wealth of all constant mixes on a grid, averaged. The grid
    has *steps* equal parts an asset, its corners included; two assets in 20 steps are the 21 mixes
    of the paper. *Source*: Cover 1991. *Raises*: `ParameterInvalid` beyond 200,000 mixes.
    """
    days = _relatives(relatives)
    grid = simplex_grid(days.shape[1], steps)
    sums = np.zeros(len(grid))
    weights = np.empty((len(days) + 1, days.shape[1]))
    wealth = np.empty(len(days))
    for day in range(len(days) + 1):
        largest = sums.max()
        shares = np.exp(sums - largest)
        weights[day] = shares @ grid / shares.sum()
        if day > 0:
            wealth[day - 1] = np.exp(largest) * shares.mean()
        if day < len(days):
            sums += np.log(grid @ days[day])
    return Universal(weights, wealth, grid, np.exp(sums))


def constant_mix(relatives: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """What 1 ends as if it is rebalanced to *weights* every day."""
    days = _relatives(relatives)
    return float(np.exp(np.log(days @ np.asarray(weights, dtype=np.float64)).sum()))


def buy_and_hold(relatives: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """What 1 ends as if it is divided once by *weights* and left."""
    days = _relatives(relatives)
    return float(np.exp(np.log(days).sum(axis=0)) @ np.asarray(weights, dtype=np.float64))


def simplex_grid(count: int, steps: int) -> Array:
    """All weights of *count* assets in multiples of `1 / steps` that sum to 1."""
    if count < 1 or steps < 1 or comb(steps + count - 1, count - 1) > POINTS_MAX:
        raise ParameterInvalid(
            f"a grid of {steps} steps over {count} assets; at most {POINTS_MAX:,} points."
        )
    # Dividers between `steps` units: the classical bijection with compositions.
    rows = [
        np.diff((-1, *dividers, steps + count - 1)) - 1
        for dividers in combinations(range(steps + count - 1), count - 1)
    ]
    return np.asarray(rows, dtype=np.float64) / steps


def _relatives(values: npt.ArrayLike) -> Array:
    found = checks.table("price relatives", values)
    if not (found > 0.0).all():
        row = int(np.flatnonzero(~(found > 0.0).all(axis=1))[0])
        raise DataInvalid(f"price relatives, row {row}: {found[row]}; they are above 0.")
    return found
