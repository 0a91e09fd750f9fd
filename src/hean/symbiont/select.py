# SPDX-License-Identifier: Apache-2.0
"""`select.py`: who lives. Objectives are compared by fronts, never weighed; within a front room
counts, and with it novelty and youth, so that one good idea does not fill the island with its
copies. What breaks a constraint comes after everything that does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from hean.quant import pareto

Values = npt.NDArray[np.float64]
NEIGHBOURS = 5
AGE_WEIGHT = 0.03  # of a generation of age, against a crowding of 1
TOURNAMENT = 3
FALL_MAX = 0.5  # drawdown beyond which an agent is no candidate


class Score(msgspec.Struct, frozen=True):
    """What an agent showed where it was bred, net of all costs.

    *robust*: Sharpe per day, the middle of the folds less one error, and of the weaker symbol.
    *growth*: log growth per day. *drawdown*: fraction. *turnover*: value traded a day over the
    account. *behaviour*: what it does, each about 0 to 1. *returns*: daily, base 64 of 32-bit
    floats. *sharpe*: per day over all folds. *folds*: Sharpe per day of each.
    """

    robust: float
    growth: float
    drawdown: float
    turnover: float
    trips: int
    is_ruined: bool
    size: int
    sharpe: float
    folds: tuple[float, ...]
    behaviour: tuple[float, ...]
    returns: str

    @property
    def objectives(self) -> tuple[float, float, float, float]:
        """All minimised: robustness over folds and symbols, return, drawdown, turnover."""
        return -self.robust, -self.growth, self.drawdown, self.turnover


def violation(score: Score, trips_min: int) -> float:
    """How far an agent is from being a candidate at all; 0 for one that is."""
    missing = max(trips_min - score.trips, 0) / max(trips_min, 1)
    deep = max(score.drawdown - FALL_MAX, 0.0)
    return missing + deep + (2.0 if score.is_ruined else 0.0)


def novelty(behaviours: Values) -> Values:
    """Mean distance of each row to its nearest others."""
    if len(behaviours) < 2:
        return np.ones(len(behaviours))
    apart = np.linalg.norm(behaviours[:, None] - behaviours[None, :], axis=2)
    nearest = np.sort(apart, axis=1)[:, 1 : NEIGHBOURS + 1]
    return np.asarray(nearest.mean(axis=1))


def order(scores: Sequence[Score], ages: Sequence[int], trips_min: int) -> list[int]:
    """Row numbers, best first: constraints, then fronts, then room, novelty and youth."""
    bad = np.array([violation(score, trips_min) for score in scores])
    room = novelty(np.array([score.behaviour for score in scores])) - AGE_WEIGHT * np.array(ages)
    front = np.full(len(scores), len(scores))
    fit = np.flatnonzero(bad == 0)
    if fit.size:
        values = np.array([scores[int(at)].objectives for at in fit])
        for number, rows in enumerate(pareto.fronts(values)):
            front[fit[rows]] = number
            room[fit[rows]] += np.minimum(pareto.crowding(values[rows]), 2.0)
    keys = [(float(bad[at]), int(front[at]), -float(room[at]), at) for at in range(len(scores))]
    return [at for *_, at in sorted(keys)]


def fronts_of(scores: Sequence[Score], trips_min: int) -> list[list[int]]:
    """Rows by front, candidates only."""
    fit = [at for at, score in enumerate(scores) if violation(score, trips_min) == 0]
    if not fit:
        return []
    values = np.array([scores[at].objectives for at in fit])
    return [[fit[row] for row in rows] for rows in pareto.fronts(values)]


def tournament(ranked: Sequence[int], draw: Any) -> int:
    """One parent: the best placed of a few drawn."""
    return ranked[int(draw.integers(0, len(ranked), TOURNAMENT).min())]
