# SPDX-License-Identifier: Apache-2.0
"""Bayesian online changepoint detection with 500 run lengths, and the regime filter, beside peers.

Workload: seeded normal values whose mean and deviation change every 400 rows; hazard 1/250, no
pruning, so every step has 501 hypotheses. Peers do the same arithmetic with the same tables: NumPy
over arrays, numba over a scalar loop. HEAN and peer take turns; a ratio is taken per turn. Before
anything is timed, the most probable run lengths of all rows are compared. The regime filter has
three states and rows of two numbers with full covariance; its peer is the same step in NumPy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from scipy.special import gammaln

from hean.filters import BOCPD, HMM, RegimeFilter
from measure import Goal, Result, say

RUN_LENGTHS = 500
LAMBDA = 250.0
PRIOR = {"mean": 0.0, "kappa": 0.1, "alpha": 2.0, "beta": 2.0}
WARM_UP = 600
ROWS = 3_000
NUMPY_ROWS = 1_000
REGIME_ROWS = 100_000
REGIME_NUMPY_ROWS = 2_000

GOALS: dict[str, Goal] = {
    "bocpd us a step": ("<=", 5.0),
    "bocpd numpy / hean": (">=", 6.0),
    "bocpd numba / hean": (">=", 2.0),
    "equal run lengths": (">=", 0.999),
    "regime filter ns a step": ("<=", 48.0),
}
WORKLOAD = "BOCPD, 501 hypotheses, us a step; 3-state 2-d Gaussian HMM filter, ns a step"

Array = np.ndarray[Any, Any]
Timed = Callable[[], float]


def values() -> Array:
    """Segments of other mean and deviation."""
    random = np.random.default_rng(1)
    segments = -(-(WARM_UP + ROWS) // 400)
    level = np.repeat(random.normal(0, 2, segments), 400)
    width = np.repeat(random.uniform(0.5, 2, segments), 400)
    return np.ascontiguousarray((level + width * random.normal(0, 1, len(level)))[: WARM_UP + ROWS])


def tables() -> tuple[Array, Array, Array, Array]:
    """What depends on the run length alone: shape, constant, rate and mean factors."""
    run = np.arange(RUN_LENGTHS + 1)
    kappa, shape = PRIOR["kappa"] + run, PRIOR["alpha"] + 0.5 * run
    constant = gammaln(shape + 0.5) - gammaln(shape)
    constant -= 0.5 * np.log(2 * np.pi * (kappa + 1) / kappa)
    return shape, constant, kappa / (2 * (kappa + 1)), 1 / (kappa + 1)


class NumpyPeer:
    """The recursion over arrays, shortest run first."""

    def __init__(self) -> None:
        self.weight = np.array([1.0])
        self.mean, self.rate = np.array([PRIOR["mean"]]), np.array([PRIOR["beta"]])
        self.tables = tables()

    def run(self, series: Array) -> list[int]:
        """Most probable run length after each value."""
        shape, constant, scale, gain = self.tables
        hazard, modes = 1 / LAMBDA, []
        for value in series:
            n = len(self.weight)
            distance = value - self.mean
            rate = self.rate + scale[:n] * distance**2
            log = constant[:n] + shape[:n] * np.log(self.rate) - (shape[:n] + 0.5) * np.log(rate)
            joint = self.weight * np.exp(log)
            joint *= (1 - hazard) / joint.sum()
            self.weight = np.concatenate(([hazard], joint))[: RUN_LENGTHS + 1]
            self.weight /= self.weight.sum()
            mean = self.mean + gain[:n] * distance
            self.mean = np.concatenate(([PRIOR["mean"]], mean))[: RUN_LENGTHS + 1]
            self.rate = np.concatenate(([PRIOR["beta"]], rate))[: RUN_LENGTHS + 1]
            modes.append(int(np.argmax(self.weight)))
        return modes


@numba.njit(cache=False)  # type: ignore[untyped-decorator]
def numba_run(
    series: Array, state: Array, held: int, shape: Array, constant: Array, scale: Array, gain: Array
) -> tuple[int, Array]:
    """The recursion in a scalar loop. *state*: rows of weight, mean, rate."""
    hazard = 1 / LAMBDA
    modes = np.empty(len(series), np.int64)
    weight, mean, rate = state[0], state[1], state[2]
    for row in range(len(series)):
        total = 0.0
        for r in range(held - 1, -1, -1):
            distance = series[row] - mean[r]
            new = rate[r] + scale[r] * distance * distance
            log = constant[r] + shape[r] * math.log(rate[r]) - (shape[r] + 0.5) * math.log(new)
            joint = weight[r] * math.exp(log)
            total += joint
            weight[r + 1], mean[r + 1], rate[r + 1] = joint, mean[r] + gain[r] * distance, new
        weight[0], mean[0], rate[0] = hazard, 0.0, 2.0
        held = min(held + 1, RUN_LENGTHS + 1)
        kept = hazard
        for r in range(1, held):
            weight[r] *= (1 - hazard) / total
            kept += weight[r]
        best = 0
        for r in range(held):
            weight[r] /= kept
            if weight[r] > weight[best]:
                best = r
        modes[row] = best
    return held, modes


class NumbaPeer:
    """State around `numba_run`."""

    def __init__(self) -> None:
        self.state = np.zeros((3, RUN_LENGTHS + 2))
        self.state[:, 0] = 1.0, PRIOR["mean"], PRIOR["beta"]
        self.held = 1
        self.tables = tables()

    def run(self, series: Array) -> Array:
        """Most probable run length after each value."""
        self.held, modes = numba_run(series, self.state, self.held, *self.tables)
        return modes


def detector() -> BOCPD:
    """HEAN's, with every hypothesis kept."""
    return BOCPD(LAMBDA, **PRIOR, run_length_max=RUN_LENGTHS, prune=0.0)


def equal_share(series: Array) -> float:
    """Share of rows on which all three name the same run length."""
    own = detector().batch(series)[1].astype(int)
    others = (NumpyPeer().run(series), NumbaPeer().run(series))
    return min(float(np.mean(own == np.asarray(other))) for other in others)


def per_row(run: Callable[[Array], Any], series: Array) -> Timed:
    """Microseconds a row."""

    def timed() -> float:
        start = time.perf_counter()
        run(series)
        return (time.perf_counter() - start) / len(series) * 1e6

    return timed


def regime_model() -> HMM:
    """Three regimes that last twenty rows."""
    transition = np.full((3, 3), 0.025) + 0.925 * np.eye(3)
    spread = np.array([[[scale, 0.3], [0.3, 1.0]] for scale in (0.5, 1.0, 4.0)])
    return HMM.gaussian(np.full(3, 1 / 3), transition, np.zeros((3, 2)), spread)


def regime_numpy(model: HMM) -> Callable[[Array], Any]:
    """The filter step in NumPy, with what can be prepared prepared."""
    inverse = np.linalg.inv(np.linalg.cholesky(model.covariances))
    norm = np.log(inverse[:, 0, 0] * inverse[:, 1, 1]) - math.log(2 * math.pi)
    transition, means = model.transition, model.means

    def run(rows: Array) -> Array:
        chances = model.start
        for row in rows:
            white = np.einsum("kij,kj->ki", inverse, row - means)
            log = norm - 0.5 * (white**2).sum(axis=1)
            chances = (chances @ transition) * np.exp(log - log.max())
            chances = chances / chances.sum()
        return chances

    return run


def streamed(series: list[float]) -> Timed:
    """Microseconds an update from Python, one value at a time."""

    def timed() -> float:
        own = detector()
        own.batch(np.asarray(series[:WARM_UP]))
        update, rest = own.update, series[WARM_UP:]
        start = time.perf_counter()
        for value in rest:
            update(value)
        return (time.perf_counter() - start) / len(rest) * 1e6

    return timed


def run(rounds: int, quick: bool = False) -> Result:
    """Each against its peers in turns; one unmeasured turn first."""
    series = values()
    share = equal_share(series)
    own, plain, compiled = detector(), NumpyPeer(), NumbaPeer()
    for warm in (own.batch, plain.run, compiled.run):
        warm(series[:WARM_UP])
    rest = series[WARM_UP : WARM_UP + (300 if quick else ROWS)]
    pairs = np.random.default_rng(2).normal(0, 1, (REGIME_ROWS // (10 if quick else 1), 2))
    model = regime_model()
    timed = {
        "bocpd us a step": per_row(own.batch, rest),
        "bocpd numpy us": per_row(plain.run, rest[:NUMPY_ROWS]),
        "bocpd numba us": per_row(compiled.run, rest),
        "bocpd streamed us": streamed(series[: WARM_UP + len(rest)].tolist()),
        "regime us": per_row(RegimeFilter(model).batch, pairs),
        "regime numpy us": per_row(regime_numpy(model), pairs[:REGIME_NUMPY_ROWS]),
    }
    result = Result(workload=WORKLOAD, goals=GOALS)
    for each in timed.values():
        each()
    for turn in range(rounds):
        seen = {name: each() for name, each in timed.items()}
        figures = {**seen, "equal run lengths": share}
        figures["regime filter ns a step"] = 1000 * seen["regime us"]
        ratios = {
            "bocpd numpy / hean": seen["bocpd numpy us"] / seen["bocpd us a step"],
            "bocpd numba / hean": seen["bocpd numba us"] / seen["bocpd us a step"],
            "regime numpy / hean": seen["regime numpy us"] / seen["regime us"],
        }
        result.add(figures, ratios)
        say(
            f"round {turn + 1}: " + ", ".join(f"{k} {v:.3g}" for k, v in {**seen, **ratios}.items())
        )
    return result
