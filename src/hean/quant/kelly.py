# SPDX-License-Identifier: Apache-2.0
"""`kelly.py`: the fraction of wealth that lets it grow fastest, and how much less to bet because
nobody knows the odds. The formulas give what is best if the inputs were true; `shrunk_share` says
which share of it is left when they are estimates. Never send a raw fraction: the caps are those of
`hean.risk`. Fractions above 1 are borrowed money, below 0 the other side.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from hean import _core
from hean.errors import DataInvalid, NumberNotFinite, ParameterInvalid
from hean.quant import checks
from hean.quant.checks import Array

SHARE_MAX = 0.25  # methods 10.1: no more than a quarter of what the estimates ask for
GAP_MAX = 1e-9  # of log growth a period, between what was found and what could be
PATH_STEP = 20.0  # by which the weight of growth over the barrier rises; 10 to 100 do equally well
NEWTON_STEPS_MAX = 60  # at one weight; ten are usual
CONVERGED = 1e-10  # of the Newton decrement
LENGTH_MIN = 2.0**-60


class Growth(NamedTuple):
    """*fractions*: of wealth in each asset. *rate*: expected growth of log wealth a unit of time.
    *sharpe*: of the portfolio, in the same unit of time.
    """

    fractions: Array
    rate: float
    sharpe: float


class Optimum(NamedTuple):
    """*weights*: of wealth. *growth*: of log wealth a period. *gap*: no allowed weights within a
    distance of one grow faster by more than this.
    """

    weights: Array
    growth: float
    gap: float


class Constraints(msgspec.Struct, frozen=True):
    """What weights are allowed; `None` is no bound.

    *low*, *high*: of each weight. *total_max*: of their sum; *total*: their sum. *gross_max*: of
    the sum of their absolute values.
    """

    low: float | None = None
    high: float | None = None
    total_max: float | None = None
    total: float | None = None
    gross_max: float | None = None


def binary_fraction(p: float, odds: float) -> float:
    """Share of wealth for a bet won with probability *p* that pays *odds* to one: `(b p - q) / b`.
    Negative where there is no edge. *Source*: Kelly 1956. *Raises*: `ParameterInvalid`.
    """
    _require_bet(p, odds)
    return (odds * p - (1.0 - p)) / odds


def binary_growth(p: float, odds: float, fraction: float) -> float:
    """Expected log growth of one such bet; -inf where a loss can take everything."""
    _require_bet(p, odds)
    won, lost = 1.0 + odds * fraction, 1.0 - fraction
    return _times_log(p, won) + _times_log(1.0 - p, lost)


def continuous_fraction(mean: float, rate: float, sigma: float) -> float:
    """`(m - r) / s^2` of a lognormal asset with drift *mean* and deviation *sigma* in the unit of
    time of the riskless *rate*. *Source*: Thorp 2006, section 7. *Raises*: `ParameterInvalid`.
    """
    _require_positive("sigma", sigma)
    return (mean - rate) / sigma**2


def growth_rate(rate: float, sharpe: float, share: float = 1.0) -> float:
    """Log growth with *share* of the full Kelly fraction: `r + c (2 - c) S^2 / 2`."""
    return rate + share * (2.0 - share) * sharpe**2 / 2.0


def chance_of_ever(level: float, share: float) -> float:
    """Probability that wealth ever falls to *level* (0 to 1) of its start with *share* of the full
    fraction: `x^(2/c - 1)`; certain from twice Kelly on. *Source*: Thorp 2006, section 7.
    """
    if not 0.0 < level <= 1.0 or not share > 0.0:
        raise ParameterInvalid(f"level {level}, share {share}; level in (0, 1], share above 0.")
    return float(level ** max(2.0 / share - 1.0, 0.0))


def multi_asset(mean_excess: npt.ArrayLike, covariance: npt.ArrayLike, rate: float = 0.0) -> Growth:
    """`F = C^-1 M` of many lognormal assets, in one unit of time; growth `r + S^2 / 2`.
    *Source*: Thorp 2006; Chan 2008, chapter 6. *Raises*: `DataInvalid` for a covariance that has
    no inverse.
    """
    mean = np.asarray(mean_excess, dtype=np.float64)
    matrix = np.asarray(covariance, dtype=np.float64)
    if mean.ndim != 1 or matrix.shape != (len(mean), len(mean)):
        raise DataInvalid(f"means of shape {mean.shape}, covariance of shape {matrix.shape}.")
    try:
        fractions: Array = np.asarray(np.linalg.solve(matrix, mean), dtype=np.float64)
    except np.linalg.LinAlgError as error:
        raise DataInvalid("the covariance has no inverse; shrink it or drop a series.") from error
    squared = float(mean @ fractions)
    if not math.isfinite(squared) or squared < 0.0:
        raise DataInvalid("the covariance is not positive definite; shrink it.")
    return Growth(fractions, growth_rate(rate, math.sqrt(squared)), math.sqrt(squared))


def shrunk_share(
    sharpe: float, years: float, strategies: int = 1, *, share_max: float = SHARE_MAX
) -> float:
    """Share of the full fraction that estimates deserve: `min(c_max, max(0, 1 - K / (T S^2)))`.

    *sharpe*: of all together, a year, out of sample and net of cost, over *years*; *strategies*:
    how many means were estimated. Nothing is left where `K / (2 T)`, what the estimates lose,
    exceeds what they promise. *Source*: quant/methods 10.1.
    """
    if not years > 0.0 or strategies < 1 or not 0.0 <= share_max <= 1.0:
        raise ParameterInvalid(
            f"years {years}, strategies {strategies}, share_max {share_max}; "
            "years above 0, at least one strategy, share_max 0 to 1."
        )
    return _core.kelly_share(sharpe, years, float(strategies), share_max)


def shrunk_means(means: npt.ArrayLike, towards_mean: float) -> Array:
    """Each mean moved by the share *towards_mean* (0 to 1) to the mean of all."""
    if not 0.0 <= towards_mean <= 1.0:
        raise ParameterInvalid(f"towards_mean {towards_mean}; 0 to 1.")
    found = np.asarray(means, dtype=np.float64)
    return np.asarray((1.0 - towards_mean) * found + towards_mean * found.mean())


def log_optimal(
    excess: npt.ArrayLike,
    *,
    constraints: Constraints,
    probabilities: npt.ArrayLike | None = None,
    rate: float = 0.0,
) -> Optimum:
    """Weights with the highest `E ln(1 + r + w . x)`, exactly: no normal returns assumed.

    *excess*: returns above the riskless *rate* of a period, one row for each scenario or past
    period; *probabilities*: of the rows, equal ones by default. What is not in assets earns the
    rate. Deterministic; the answer is checked, not believed: *gap* bounds what is missing.
    *Raises*: `DataInvalid` where growth has no finite optimum or the search fails.
    """
    outcomes = checks.table("excess returns", excess)
    chances = _chances(probabilities, len(outcomes))
    return _Problem(outcomes, chances, rate, constraints).optimum()


class _Problem:
    """Growth over variables z with `rows z <= limits` and perhaps one equality. The weights are z,
    or `u - v` of its halves where absolute values are bounded, so that every constraint is linear.
    """

    def __init__(self, outcomes: Array, chances: Array, rate: float, limits: Constraints) -> None:
        identity = np.eye(outcomes.shape[1])
        is_split = limits.gross_max is not None
        self._to_weights = np.hstack([identity, -identity]) if is_split else identity
        self._outcomes = outcomes @ self._to_weights
        self._chances = chances
        self._base = 1.0 + rate
        self._rows, self._limits = self._inequalities(limits)
        self._total = limits.total
        sums = self._to_weights.sum(axis=0, keepdims=True)
        self._equal = sums if limits.total is not None else sums[:0]

    def _inequalities(self, limits: Constraints) -> tuple[Array, Array]:
        of_weight, of_sum = self._to_weights, self._to_weights.sum(axis=0, keepdims=True)
        count = of_weight.shape[1]
        found = [(np.empty((0, count)), 0.0)]
        if limits.gross_max is not None:
            found += [(-np.eye(count), 0.0), (np.ones((1, count)), limits.gross_max)]
        if limits.low is not None:
            found.append((-of_weight, -limits.low))
        if limits.high is not None:
            found.append((of_weight, limits.high))
        if limits.total_max is not None:
            found.append((of_sum, limits.total_max))
        rows = np.vstack([rows for rows, _ in found])
        return rows, np.concatenate([np.full(len(part), limit) for part, limit in found])

    def optimum(self) -> Optimum:
        """Interior points along the central path, each from the last, until the gap is closed."""
        point = self._start()
        count = max(len(self._rows), 1)
        weight = 1.0
        while count / weight > GAP_MAX / PATH_STEP:
            weight *= PATH_STEP
            point = self._centred(point, weight)
        growth, slope, _ = self._growth(point)
        gap = max(0.0, self._missing(point, slope))
        if not gap <= GAP_MAX:
            raise DataInvalid(
                f"no optimum within {GAP_MAX:g} of log growth was found (gap {gap:g}); "
                "growth may be unbounded: constrain the weights."
            )
        return Optimum(np.asarray(self._to_weights @ point), growth, gap)

    def _growth(self, point: Array) -> tuple[float, Array, Array]:
        """Log growth, its slope and its curvature; -inf where a scenario leaves nothing."""
        wealth = self._base + self._outcomes @ point
        if not wealth.min() > 0.0:
            return -math.inf, point, point
        parts = self._outcomes / wealth[:, None]
        growth = float(self._chances @ np.log(wealth))
        return growth, self._chances @ parts, -(parts * self._chances[:, None]).T @ parts

    def _barrier(self, point: Array, weight: float) -> float:
        room = self._limits - self._rows @ point
        if len(room) and not room.min() > 0.0:
            return math.inf
        return -weight * self._growth(point)[0] - float(np.log(room).sum())

    def _centred(self, point: Array, weight: float) -> Array:
        """Newton's method on `-weight growth - sum ln room`, steps halved until it falls."""
        decrease = math.inf
        for _ in range(NEWTON_STEPS_MAX):
            _, slope, curvature = self._growth(point)
            inverse = 1.0 / (self._limits - self._rows @ point)
            slope = self._rows.T @ inverse - weight * slope
            bends = (self._rows * inverse[:, None] ** 2).T @ self._rows - weight * curvature
            step = self._newton(point, bends, slope)
            before, decrease = decrease, -float(slope @ step)
            if decrease < CONVERGED or (decrease < 1.0 and not decrease < before / 2.0):
                return point  # centred, or as near as rounding lets it
            length, value = 1.0, self._barrier(point, weight)
            while self._barrier(point + length * step, weight) > value and length > LENGTH_MIN:
                length /= 2.0
            point = point + length * step
        return point

    def _newton(self, point: Array, curvature: Array, slope: Array) -> Array:
        """The step to the minimum of the parabola, onto the equality. Each variable is measured by
        its own curvature: near a bound it is larger by many digits.
        """
        unit = np.sqrt(np.maximum(np.diag(curvature), np.finfo(np.float64).tiny))
        sides = np.column_stack([slope, self._equal.T]) / unit[:, None]
        # Least squares: two assets that are the same leave a direction that does not matter.
        solved = np.linalg.lstsq(curvature / np.outer(unit, unit), sides, rcond=1e-15)[0]
        step, along = -solved[:, 0] / unit, solved[:, 1:] / unit[:, None]
        if self._total is not None:
            missing = self._total - self._equal @ (point + step)
            step = step + along @ (missing / (self._equal @ along)[0])
        return np.asarray(step)

    def _start(self) -> Array:
        """Allowed variables with as much room to every bound and to ruin as there is."""
        rows = np.vstack([self._rows, -self._outcomes])
        rows = np.hstack([rows, np.ones((len(rows), 1))])
        limits = np.append(self._limits, np.full(len(self._outcomes), self._base))
        count = rows.shape[1]
        equal = np.hstack([self._equal, np.zeros((len(self._equal), 1))])
        aim, bounds = np.append(np.zeros(count - 1), -1.0), [(None, None)] * (count - 1)
        answer = self._linear(aim, rows, limits, equal, [*bounds, (None, self._base / 2.0)])
        if answer is None or not answer[-1] > 0.0:
            raise DataInvalid("no allowed weights leave wealth in every scenario, with some room.")
        return answer[:-1]

    def _missing(self, point: Array, slope: Array) -> float:
        """The most that growth, being concave, can be higher at allowed variables within one of
        *point*.
        """
        bounds = [(at - 1.0, at + 1.0) for at in point]
        best = self._linear(-slope, self._rows, self._limits, self._equal, bounds)
        return math.inf if best is None else float(slope @ (best - point))

    def _linear(
        self, aim: Array, rows: Array, limits: Array, equal: Array, bounds: list[Any]
    ) -> Array | None:
        # reason: scipy.optimize takes a quarter of a second to load, and few commands need it
        from scipy import optimize

        total = [self._total] * len(equal)
        answer = optimize.linprog(
            aim, A_ub=rows, b_ub=limits, A_eq=equal, b_eq=total, bounds=bounds
        )  # fmt: skip
        return np.asarray(answer.x) if answer.status == 0 else None


def _chances(probabilities: npt.ArrayLike | None, rows: int) -> Array:
    if probabilities is None:
        return np.full(rows, 1.0 / rows)
    found = np.asarray(probabilities, dtype=np.float64)
    if found.shape != (rows,) or not (found >= 0.0).all() or abs(found.sum() - 1.0) > 1e-9:
        raise DataInvalid(f"{rows} probabilities that sum to 1 are due, none negative.")
    return found


def _require_bet(p: float, odds: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ParameterInvalid(f"p {p}; a probability is 0 to 1.")
    _require_positive("odds", odds)


def _require_positive(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise NumberNotFinite(f"{name} is {value}; give a number.")
    if value <= 0.0:
        raise ParameterInvalid(f"{name} {value}; must be above 0.")


def _times_log(chance: float, wealth: float) -> float:
    if chance == 0.0:
        return 0.0
    return chance * math.log(wealth) if wealth > 0.0 else -math.inf
