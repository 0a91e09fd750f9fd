# SPDX-License-Identifier: Apache-2.0
"""The hedge ratio of a pair (two states, Joseph's form) beside statsmodels and NumPy.

Workload: 100,000 pairs of log prices by seed. Batch: all rows against statsmodels' Kalman filter
with a time-varying design and the same start; its gain never settles, because the design moves.
Streaming: one row at a time from Python, against the same step on NumPy matrices. HEAN and peer
take turns; before anything is timed, innovations and variances are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from statsmodels.tsa.statespace.kalman_filter import KalmanFilter

from hean.filters import KalmanHedge
from measure import Goal, Result, say

ROWS = 100_000
NUMPY_ROWS = 10_000
NOISE = 1e-3
DELTA = 1e-4
Q = DELTA / (1 - DELTA)
START = np.eye(2) * 0.1
WORKLOAD = "Kalman hedge ratio of 100,000 log prices; ns a row, batch and one by one from Python"
GOALS: dict[str, Goal] = {
    "kalman_batch_vs_statsmodels": (">=", 30.0),
    "kalman_stream_vs_numpy": (">=", 40.0),
    "kalman stream ns": ("<=", 120.0),
    "kalman largest difference": ("<=", 1e-9),
}

Rows = tuple[np.ndarray, np.ndarray]


def pairs(rows: int) -> Rows:
    """y and x, logarithms of two prices that move together."""
    random = np.random.default_rng(3)
    x = 3 + np.cumsum(random.normal(0, 1e-3, rows))
    return 0.4 + 1.3 * x + random.normal(0, 1e-2, rows), x


def hean() -> KalmanHedge:
    """The filter of the workload."""
    covariance = START.tolist()
    return KalmanHedge(Q, Q, NOISE, start="exact", covariance=covariance, centred=False, gate=None)


def statsmodels(y: np.ndarray, x: np.ndarray) -> KalmanFilter:
    """The same model over all rows."""
    model = KalmanFilter(k_endog=1, k_states=2)
    model.bind(y)
    model["design"] = np.vstack([x, np.ones(len(x))])[None]
    model["obs_cov"] = np.array([[NOISE]])
    model["transition"] = model["selection"] = np.eye(2)
    model["state_cov"] = np.eye(2) * Q
    model.initialize_known(np.zeros(2), START)
    return model


def numpy_steps(y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The textbook on matrices: innovations and their variances."""
    state, covariance, noise = np.zeros(2), START.copy(), np.eye(2) * Q
    innovations, variances = np.empty(len(y)), np.empty(len(y))
    for at, (own, other) in enumerate(zip(y.tolist(), x.tolist(), strict=True)):
        if at:
            covariance = covariance + noise
        row = np.array([other, 1.0])
        spread = row @ covariance @ row + NOISE
        innovation = own - row @ state
        gain = covariance @ row / spread
        state = state + gain * innovation
        rest = np.eye(2) - np.outer(gain, row)
        covariance = rest @ covariance @ rest.T + NOISE * np.outer(gain, gain)
        innovations[at], variances[at] = innovation, spread
    return innovations, variances


def largest_difference(y: np.ndarray, x: np.ndarray) -> float:
    """Largest difference to both peers, relative to the deviation expected of the row."""
    own = hean().batch(y, x)
    theirs = statsmodels(y, x).filter()
    peers = [(theirs.forecasts_error[0], theirs.forecasts_error_cov[0, 0])]
    peers.append(numpy_steps(y[:NUMPY_ROWS], x[:NUMPY_ROWS]))
    largest = 0.0
    for innovations, variances in peers:
        rows = len(innovations)
        apart = np.abs(own[1, :rows] - innovations) / np.sqrt(variances)
        spread = np.abs(own[2, :rows] / variances - 1)
        largest = max(largest, float(apart.max()), float(spread.max()))
    return largest


def each(compute: Callable[[], object], rows: int) -> Callable[[], float]:
    """Nanoseconds a row of one call."""

    def timed() -> float:
        start = time.perf_counter()
        compute()
        return (time.perf_counter() - start) / rows * 1e9

    return timed


def stream(y: list[float], x: list[float]) -> None:
    """One row at a time from Python."""
    update = hean().update
    for own, other in zip(y, x, strict=True):
        update(own, other)


def run(rounds: int, quick: bool = False) -> Result:
    """Both forms against their peers in turns; one unmeasured turn first."""
    rows = ROWS // 10 if quick else ROWS
    y, x = pairs(rows)
    steps = min(rows, NUMPY_ROWS)
    out, ys, xs = np.empty((5, rows)), y.tolist(), x.tolist()
    model = statsmodels(y, x)
    duels = {
        "kalman_batch_vs_statsmodels": (
            each(lambda: hean().batch(y, x, out=out), rows),
            each(model.filter, rows),
        ),
        "kalman_stream_vs_numpy": (
            each(lambda: stream(ys, xs), rows),
            each(lambda: numpy_steps(y[:steps], x[:steps]), steps),
        ),
    }
    result = Result(workload=WORKLOAD, goals=GOALS)
    difference = largest_difference(y, x)
    for own, peer in duels.values():
        own(), peer()
    for turn in range(rounds):
        figures, ratios = {"kalman largest difference": difference}, {}
        for name, (own, peer) in duels.items():
            first, second = own(), peer()
            figures |= {f"{name} hean": first, f"{name} peer": second}
            ratios[name] = second / first
        figures["kalman stream ns"] = figures["kalman_stream_vs_numpy hean"]
        result.add(figures, ratios)
        say(f"round {turn + 1}: " + ", ".join(f"{k} {v:.3g}" for k, v in ratios.items()))
    return result
