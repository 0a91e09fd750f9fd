# SPDX-License-Identifier: Apache-2.0
"""`regimes.py`: fits of regime models, asked for now and then. How many regimes, which of the new
ones is which of the old, and Hamilton's (1989) autoregression around a switching mean. What runs
per observation is `hean.filters.RegimeFilter`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from hean.errors import ParameterInvalid
from hean.filters import HMM, switching_autoregression

Array = np.ndarray[Any, np.dtype[np.float64]]

LOGIT_MAX = 30.0  # of a transition: e^-30 is never
GRADIENT_LARGEST = 1e-6  # at the maximum, per parameter


class HmmFit(NamedTuple):
    """An estimated model. *bic*: the smaller the better; *iterations*: of the best start."""

    model: HMM
    log_likelihood: float
    bic: float
    iterations: int
    has_converged: bool


def fit_hmm(observations: Array, kind: str, states: int, **options: Any) -> HmmFit:
    """Estimate a hidden Markov model by EM; *options* as of `HMM.fit`."""
    rows = np.ascontiguousarray(observations, dtype=np.float64)
    return HmmFit(*HMM.fit(rows, kind, states, **options))


def choose_states(
    observations: Array, kind: str, states: Iterable[int] = (2, 3, 4), **options: Any
) -> HmmFit:
    """The model with the smallest BIC over these numbers of states."""
    fits = [fit_hmm(observations, kind, count, **options) for count in states]
    if not fits:
        raise ParameterInvalid("choose_states: no number of states to choose from.")
    return min(fits, key=lambda fit: fit.bic)


def match_states(old: HMM, new: HMM) -> list[int]:
    """Order of *new*'s states in which each is nearest to the *old* one of the same number, for
    `new.reordered`; without it "regime 1" changes its meaning at a refit. The sum of Bhattacharyya
    distances of the emissions is least (Kuhn 1955). *Raises*: `ParameterInvalid`.
    """
    from scipy.optimize import linear_sum_assignment  # reason: slow to load, asked for at refits

    if (old.kind, old.means.shape) != (new.kind, new.means.shape):
        raise ParameterInvalid(
            f"match_states: a {old.kind} model of shape {old.means.shape} and a {new.kind} one of "
            f"{new.means.shape} have no common states."
        )
    distances = np.array(
        [[_bhattacharyya(old, a, new, b) for b in range(new.states)] for a in range(old.states)]
    )
    return [int(state) for state in linear_sum_assignment(distances)[1]]


def _bhattacharyya(old: HMM, a: int, new: HMM, b: int) -> float:
    one, other = old.means[a], new.means[b]
    if old.kind == "poisson":
        return 0.5 * float(np.sqrt(one[0]) - np.sqrt(other[0])) ** 2
    if old.kind == "categorical":
        common = float(np.sum(np.sqrt(one * other)))
        return -math.log(common) if common > 0 else 1e6  # no overlap at all
    first, second = old.covariances[a], new.covariances[b]
    middle = (first + second) / 2
    shift = one - other
    spread = (
        np.linalg.slogdet(middle)[1]
        - (np.linalg.slogdet(first)[1] + np.linalg.slogdet(second)[1]) / 2
    )
    return float(shift @ np.linalg.solve(middle, shift) / 8 + spread / 2)


class SwitchingFit(NamedTuple):
    """An autoregression around a switching mean; regimes in ascending order of their means.

    *transition*: row: from, column: to. *filtered*, *smoothed*: chances of each regime at every
    value after the first *order*, shape (regimes, n - order); the smoothed ones look ahead.
    """

    means: Array
    coefficients: Array
    variances: Array
    transition: Array
    log_likelihood: float
    filtered: Array
    smoothed: Array


def fit_switching_autoregression(
    series: Array, order: int, *, regimes: int = 2, switches_variance: bool = False
) -> SwitchingFit:
    """Maximum likelihood of `y_t - m(s_t) = sum a_i (y_(t-i) - m(s_(t-i))) + e_t` given the first
    *order* values, by quasi-Newton steps from several starts. Source: Hamilton (1989).
    *Raises*: `ParameterInvalid`.
    """
    from scipy.optimize import minimize  # reason: slow to load, fits are rare

    values = np.ascontiguousarray(series, dtype=np.float64)
    if regimes < 2 or order < 0 or len(values) < 10 * regimes + order:
        raise ParameterInvalid(
            f"fit_switching_autoregression: {len(values)} values, {regimes} regimes, order "
            f"{order}; at least 2 regimes and 10 values each are due."
        )
    shape = _Shape(regimes, order, regimes if switches_variance else 1)
    scale = float(np.std(values))
    if not scale > 0:
        raise ParameterInvalid("fit_switching_autoregression: the series does not vary.")
    centre = float(np.mean(values))
    standard = (values - centre) / scale

    def loss(vector: Array) -> float:
        means, coefficients, variances, transition = shape.unpack(vector)
        found = switching_autoregression(
            standard, means.tolist(), coefficients.tolist(), variances.tolist(), transition
        )
        return -found[0] if math.isfinite(found[0]) else 1e10

    options = {"gtol": GRADIENT_LARGEST * len(values), "maxiter": 1000}
    tries = [minimize(loss, start, options=options) for start in _starts(standard, shape)]
    best = min(tries, key=lambda found: float(found.fun))
    means, coefficients, variances, transition = shape.unpack(best.x)
    order_of = np.argsort(means, kind="stable")
    means = means[order_of] * scale + centre
    variances = variances[order_of] * scale**2
    transition = np.ascontiguousarray(transition[np.ix_(order_of, order_of)])
    value, filtered, smoothed = switching_autoregression(
        values, means.tolist(), coefficients.tolist(), variances.tolist(), transition, smoothed=True
    )
    assert smoothed is not None
    return SwitchingFit(means, coefficients, variances, transition, value, filtered, smoothed)


class _Shape(NamedTuple):
    """How the parameters lie in one vector: means, coefficients, log variances, logits."""

    regimes: int
    order: int
    variances: int

    def unpack(self, vector: Array) -> tuple[Array, Array, Array, Array]:
        means, coefficients, logs, logits = np.split(
            vector, np.cumsum((self.regimes, self.order, self.variances))
        )
        variances = np.exp(np.clip(logs, -LOGIT_MAX, LOGIT_MAX))
        variances = np.broadcast_to(variances, (self.regimes,)).copy()
        free = np.clip(logits.reshape(self.regimes, self.regimes - 1), -LOGIT_MAX, LOGIT_MAX)
        # The chance of staying has logit zero, so all others are relative to it.
        weights = np.ones((self.regimes, self.regimes))
        weights[~np.eye(self.regimes, dtype=bool)] = np.exp(free).ravel()
        return means, coefficients, variances, weights / weights.sum(axis=1, keepdims=True)


def _starts(standard: Array, shape: _Shape) -> Iterator[Array]:
    """Means at quantiles, near and far; regimes that last shorter and longer."""
    coefficients = np.zeros(shape.order)
    quantiles: Sequence[Array] = [
        np.quantile(standard, np.linspace(edge, 1 - edge, shape.regimes)) for edge in (0.05, 0.2)
    ]
    for means, stay, spread in itertools.product(quantiles, (0.75, 0.95), (0.5, 1.0)):
        logit = math.log((1 - stay) / (shape.regimes - 1) / stay)
        spreads = np.log(spread * np.geomspace(1.0, 1.5, shape.variances))
        logits = np.full(shape.regimes * (shape.regimes - 1), logit)
        yield np.concatenate((means, coefficients, spreads, logits))
