# SPDX-License-Identifier: Apache-2.0
"""Hidden Markov models against hmmlearn over random models, and the live filter's own laws."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hmmlearn import hmm

from hean.errors import DataInvalid, NumberNotFinite, NumberOutOfRange, ParameterInvalid
from hean.filters import HMM, RegimeFilter, switching_autoregression

KINDS = ("diagonal", "full", "poisson", "categorical")
SYMBOLS = 4


def random_model(kind: str, states: int, seed: int) -> tuple[HMM, Any]:
    """The same random parameters as ours and as hmmlearn's."""
    random = np.random.default_rng(seed)
    start = random.dirichlet(np.ones(states))
    transition = random.dirichlet(np.ones(states), states) / 3 + 2 / 3 * np.eye(states)
    if kind == "poisson":
        rates = random.uniform(1, 30, states)
        own, other = HMM.poisson(start, transition, rates), hmm.PoissonHMM(states)
        other.lambdas_ = rates[:, None]
    elif kind == "categorical":
        table = random.dirichlet(np.ones(SYMBOLS), states)
        own, other = HMM.categorical(start, transition, table), hmm.CategoricalHMM(states)
        other.emissionprob_, other.n_features = table, SYMBOLS
    else:
        means = random.normal(0, 2, (states, 2))
        roots = np.tril(random.normal(0, 1, (states, 2, 2))) + np.eye(2)
        covariances = roots @ roots.transpose(0, 2, 1)
        if kind == "diagonal":
            covariances *= np.eye(2)
        own = HMM.gaussian(start, transition, means, covariances)
        other = hmm.GaussianHMM(states, covariance_type="full")
        other.means_, other.covars_ = means, covariances
    other.startprob_, other.transmat_ = start, transition
    return own, other


def sample(kind: str, seed: int, rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A series for us and the same for hmmlearn."""
    random = np.random.default_rng(1000 + seed)
    if kind in ("diagonal", "full"):
        rows_of_two = random.normal(0, 2, (rows, 2))
        return rows_of_two, rows_of_two
    counts = random.integers(0, SYMBOLS if kind == "categorical" else 30, rows)
    return counts.astype(float), counts[:, None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("states", "seed"), [(1, 0), (2, 1), (3, 2), (5, 3)])
def test_inference_is_that_of_hmmlearn(kind: str, states: int, seed: int) -> None:
    own, other = random_model(kind, states, seed)
    ours, theirs = sample(kind, seed)
    value, smoothed = other.score_samples(theirs)
    assert own.log_likelihood(ours) == pytest.approx(value, abs=1e-9)
    assert own.smoothed(ours).T == pytest.approx(smoothed, abs=1e-10)
    best, path = other.decode(theirs)
    found, log_probability = own.viterbi(ours)
    assert log_probability == pytest.approx(best, abs=1e-9)
    assert np.array_equal(found, path)
    assert RegimeFilter(own).batch(ours) == pytest.approx(own.filtered(ours), abs=1e-10)


def test_filtered_chances_are_smoothed_ones_of_a_series_that_ends_there() -> None:
    """A live decision may use the first only: they differ before the end, and only the filtered
    ones stay when more is seen."""
    own, _ = random_model("full", 3, 7)
    rows, _ = sample("full", 7)
    filtered, smoothed = own.filtered(rows), own.smoothed(rows)
    assert filtered[:, -1] == pytest.approx(smoothed[:, -1], abs=1e-12)
    assert np.abs(filtered - smoothed).max() > 0.1
    for end in (1, 50, 120):
        assert own.smoothed(rows[:end])[:, -1] == pytest.approx(filtered[:, end - 1], abs=1e-12)
        assert np.array_equal(own.filtered(rows[:end]), filtered[:, :end])


def planted(seed: int, rows: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Two regimes of other width that last fifty rows."""
    random = np.random.default_rng(seed)
    state = np.zeros(rows, dtype=int)
    for at in range(1, rows):
        state[at] = state[at - 1] ^ (random.uniform() < 0.02)
    return random.normal(0, 1, rows) * np.where(state, 3.0, 1.0), state


def test_em_reaches_what_hmmlearn_reaches_and_finds_what_was_planted() -> None:
    values, state = planted(1)
    model, value, bic, _, has_converged = HMM.fit(values, "diagonal", 2, starts=5, sticky=0.0)
    peer = hmm.GaussianHMM(2, n_iter=100, tol=1e-4, random_state=0, covars_prior=0, covars_weight=0)
    peer.fit(values[:, None])
    assert has_converged and value >= peer.score(values[:, None]) - 1e-3
    assert np.sqrt(model.covariances[:, 0, 0]) == pytest.approx([1.0, 3.0], rel=0.1)
    assert model.transition[0, 1] == pytest.approx(0.02, abs=0.015)
    assert np.mean(model.viterbi(values)[0] == state) > 0.95
    assert bic == pytest.approx(-2 * value + 7 * math.log(1000), abs=1e-9)
    assert HMM.fit(values, "diagonal", 1)[2] > bic < HMM.fit(values, "diagonal", 3, starts=3)[2]


def test_a_full_covariance_is_found() -> None:
    random = np.random.default_rng(4)
    calm = random.multivariate_normal([0, -1], [[1, 0.8], [0.8, 1]], 150)
    wild = random.multivariate_normal([0, 2], [[9, -2], [-2, 4]], 150)
    rows = np.concatenate((calm, wild, calm + 0.01))
    model, value, *_ = HMM.fit(rows, "full", 2, starts=2, sticky=0.0)
    peer = hmm.GaussianHMM(2, covariance_type="full", n_iter=60, tol=1e-4, random_state=0)
    assert value >= peer.fit(rows).score(rows) - 0.1
    assert model.means == pytest.approx(np.array([[0, -1], [0, 2]]), abs=0.4)
    assert model.covariances[1] == pytest.approx(np.array([[9, -2], [-2, 4]]), abs=1.5)


def test_guards_of_a_fit() -> None:
    values, _ = planted(2, 600)
    values[300] = 1e4  # a regime of its own would have no variance
    model, *_ = HMM.fit(values, "diagonal", 3, starts=5, sticky=0.0)
    assert model.covariances.min() >= 0.01 * values.var() * (1 - 1e-12)
    flicker = np.tile([0.0, 5.0], 50)
    loose = HMM.fit(flicker, "diagonal", 2, starts=3, sticky=0.0)[0]
    sticky = HMM.fit(flicker, "diagonal", 2, starts=3, sticky=50.0)[0]
    assert loose.transition[0, 0] < 0.01
    assert sticky.transition[0, 0] > 0.4
    same = (HMM.fit(values, "diagonal", 3, seed=5)[0] for _ in range(2))
    assert len({one.transition.tobytes() for one in same}) == 1


def live_filter(**options: Any) -> RegimeFilter:
    model = HMM.gaussian(
        np.array([0.5, 0.5]),
        np.array([[0.95, 0.05], [0.05, 0.95]]),
        np.zeros((2, 1)),
        np.array([[[1.0]], [[16.0]]]),
    )
    return RegimeFilter(model, **options)


def test_batch_is_stream_and_a_snapshot_goes_on() -> None:
    values, _ = planted(3, 400)
    whole, stream, later = live_filter(), live_filter(), live_filter()
    found = whole.batch(values)
    regimes = []
    for at, value in enumerate(values):
        if at == 200:
            later.restore(stream.snapshot())
        stream.update(value)
        regimes.append(stream.regime)
        assert stream.probabilities == tuple(found[:, at])
    later.batch(values[200:])
    assert later.snapshot() == stream.snapshot() == whole.snapshot()
    assert stream.regime == later.regime == regimes[-1] and stream.n_seen == 400


def test_the_regime_that_is_acted_upon_changes_by_hysteresis_and_dwell() -> None:
    values, _ = planted(4, 800)
    changes = {}
    for dwell in (0, 40):
        live, last, lasted, changes[dwell] = live_filter(dwell=dwell), None, 0, 0
        for value in values:
            live.update(value)
            chances, lasted = live.probabilities, lasted + 1
            if live.regime != last:
                assert chances[live.regime] >= 0.7
                if last is not None:
                    assert chances[last] <= 0.3 and lasted > dwell
                last, lasted, changes[dwell] = live.regime, 0, changes[dwell] + 1
    assert 2 < changes[40] < changes[0]


def test_bad_input_is_refused_and_changes_nothing() -> None:
    live = live_filter()
    live.batch(planted(5, 60)[0])
    before = live.snapshot()
    for bad, error in ((math.nan, NumberNotFinite), (math.inf, NumberNotFinite),
                       (1e101, NumberOutOfRange)):  # fmt: skip
        with pytest.raises(error):
            live.update(bad)
        with pytest.raises(error, match="row 1"):
            live.batch(np.array([0.0, bad]))
    with pytest.raises(DataInvalid):
        live.update(1.0, 2.0)
    for foreign in (b"", before[:-1], live_filter(dwell=3).snapshot()):
        with pytest.raises(DataInvalid):
            live.restore(foreign)
    assert live.snapshot() == before
    counts = HMM.poisson(np.ones(1), np.ones((1, 1)), np.array([3.0]))
    for bad in (-1.0, 0.5):
        with pytest.raises(NumberOutOfRange):
            counts.filtered(np.array([bad]))


def test_models_without_meaning_are_refused() -> None:
    half, eye = np.array([0.5, 0.5]), np.eye(2)
    for start, transition, rates in (
        (np.array([0.5, 0.6]), eye, half), (half, eye * 0.9, half), (half, eye, np.array([1.0])),
        (half, eye, np.array([1.0, -1.0])), (np.array([1.5, -0.5]), eye, half),
    ):  # fmt: skip
        with pytest.raises(ParameterInvalid):
            HMM.poisson(start, transition, rates)
    with pytest.raises(ParameterInvalid):
        HMM.gaussian(half, eye, np.zeros((2, 2)), np.array([[[1, 2], [2, 1]], eye]))
    for wrong in ({"states": 0}, {"starts": 0}, {"sticky": -1.0}, {"kind": "gamma"}):
        with pytest.raises(ParameterInvalid):
            HMM.fit(np.arange(50.0), **{"kind": "diagonal", "states": 2, **wrong})
    with pytest.raises(ParameterInvalid, match="vary"):
        HMM.fit(np.ones(50), "diagonal", 2)


@pytest.mark.parametrize(("regimes", "order"), [(2, 0), (2, 2), (3, 1)])
def test_the_switching_likelihood_is_the_sum_over_all_paths(regimes: int, order: int) -> None:
    random = np.random.default_rng(regimes + order)
    transition = random.dirichlet(np.ones(regimes) * 2, regimes)
    means, variances = random.normal(0, 2, regimes), random.uniform(0.5, 2, regimes)
    weights, series = random.uniform(-0.4, 0.4, order), random.normal(0, 2, 5 + order)
    values, vectors = np.linalg.eig(transition.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    stationary /= stationary.sum()
    total, present = 0.0, np.zeros((regimes, 5))
    for path in itertools.product(range(regimes), repeat=5 + order):
        chance = stationary[path[0]]
        chance *= math.prod(transition[a, b] for a, b in itertools.pairwise(path))
        for at in range(order, 5 + order):
            error = series[at] - means[path[at]]
            error -= sum(weights[i] * (series[at - 1 - i] - means[path[at - 1 - i]])
                         for i in range(order))  # fmt: skip
            variance = variances[path[at]]
            chance *= math.exp(-(error**2) / 2 / variance) / math.sqrt(2 * math.pi * variance)
        total += chance
        present[list(path[order:]), range(5)] += chance
    value, filtered, smoothed = switching_autoregression(
        series, means.tolist(), weights.tolist(), variances.tolist(), transition, smoothed=True
    )
    assert value == pytest.approx(math.log(total), abs=1e-10)
    assert smoothed == pytest.approx(present / total, abs=1e-10)
    assert filtered[:, -1] == pytest.approx(smoothed[:, -1], abs=1e-12)
