# SPDX-License-Identifier: Apache-2.0
"""`hean.filters` from Python, beside oracles: exact Gaussian conditioning written out in NumPy,
statsmodels, and least squares.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from statsmodels.tsa.statespace.structural import UnobservedComponents

from hean import errors, filters
from hean.filters import (
    RLS,
    KalmanHedge,
    LocalLevel,
    LocalTrend,
    QrRLS,
    least_squares,
    pair_positions,
)

OBJECTS: dict[str, Any] = {
    "KalmanHedge": lambda: KalmanHedge(1e-6, 1e-6, 1e-4, window=20),
    "LocalLevel": lambda: LocalLevel(1.0, 0.1),
    "LocalTrend": lambda: LocalTrend(1.0, 0.1, 0.01),
    "RLS": lambda: RLS(2),
    "QrRLS": lambda: QrRLS(2),
}


def pair(rows: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of two prices: y = 0.3 + 1.2 x + a little noise."""
    random = np.random.default_rng(seed)
    x = 11 + np.cumsum(random.normal(0, 1e-2, rows))
    return 0.3 + 1.2 * x + random.normal(0, 1e-2, rows), x


def columns(name: str, rows: int) -> tuple[np.ndarray, ...]:
    y, x = pair(rows)
    if name in ("RLS", "QrRLS"):
        return y, np.ascontiguousarray(np.column_stack([np.ones(rows), x]))
    return (y, x) if name == "KalmanHedge" else (y,)


every_filter = pytest.mark.parametrize("name", OBJECTS)


@every_filter
def test_columns_in_pieces_single_rows_and_a_restored_object_agree_bit_for_bit(name: str) -> None:
    data = columns(name, 300)
    whole, pieces, stream, restored = (OBJECTS[name]() for _ in range(4))
    expected = whole.batch(*data)
    first = pieces.batch(*(column[:100] for column in data))
    restored.restore(pieces.snapshot())
    second = restored.batch(*(column[100:] for column in data))
    assert np.concatenate([first, second], axis=1).tobytes() == expected.tobytes()
    answers = np.array([stream.update(*row) for row in zip(*data, strict=True)])
    assert answers.tobytes() == expected[0].tobytes()
    assert stream.snapshot() == whole.snapshot() == restored.snapshot()
    assert stream.n_seen == 300 and stream.ready()
    out = np.empty_like(expected)
    assert OBJECTS[name]().batch(*data, out=out) is out
    assert out.tobytes() == expected.tobytes()


@every_filter
def test_infinity_is_refused_and_changes_nothing(name: str) -> None:
    data = columns(name, 60)
    model = OBJECTS[name]()
    model.batch(*data)
    before = model.snapshot()
    bad = data[0].copy()
    bad[17] = math.inf
    with pytest.raises(errors.NumberNotFinite, match="at index 17"):
        model.batch(bad, *data[1:])
    with pytest.raises(errors.NumberNotFinite):
        model.update(math.inf, *(column[0] for column in data[1:]))
    with pytest.raises(errors.NumberOutOfRange):
        model.update(1e101, *(column[0] for column in data[1:]))
    assert model.snapshot() == before


@every_filter
def test_a_missing_observation_teaches_nothing(name: str) -> None:
    data = columns(name, 60)
    model = OBJECTS[name]()
    model.batch(*data)
    model.update(math.nan, *(column[0] for column in data[1:]))
    assert model.n_seen == 61
    if name == "KalmanHedge":
        before = model.covariance
        assert math.isnan(model.update(1.0, math.nan)) and model.n_missing == 2
        assert model.covariance[0][0] > before[0][0]


@every_filter
def test_every_class_is_described(name: str) -> None:
    assert f"`{name}`" in (filters.__doc__ or "")


# ---------------------------------------------------------------- hedge ratio


def posterior(
    y: np.ndarray, x: np.ndarray, noise: float, prior: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (beta, alpha) that stand still, by Bayes' rule over all rows."""
    design = np.column_stack([x, np.ones(len(x))])
    precision = design.T @ design / noise + np.eye(2) / prior
    return np.linalg.solve(precision, design.T @ y / noise), np.linalg.inv(precision)


@pytest.mark.parametrize("centred", [True, False])
def test_coefficients_that_stand_still_are_those_of_least_squares(centred: bool) -> None:
    y, x = pair(400)
    scale = 100.0 if centred else 1e-4  # uncentred, a wide start costs digits: so centre
    model = KalmanHedge(0, 0, 1e-4, start="diffuse", scale=scale, centred=centred, gate=None)
    model.batch(y, x)
    mean, covariance = posterior(y, x - model.anchor, 1e-4, 1e7 * scale)
    assert model.beta == pytest.approx(mean[0], rel=1e-7)
    assert model.alpha == pytest.approx(mean[1], rel=1e-6)
    assert np.asarray(model.covariance) == pytest.approx(covariance, rel=1e-5)


def test_the_start_by_least_squares_is_least_squares() -> None:
    y, x = pair(50)
    model = KalmanHedge(0, 0, 1e-4, window=50, centred=False)
    assert np.isnan(model.batch(y, x)).all() and not model.ready()
    model.update(math.nan, 1.0)
    design = np.column_stack([x, np.ones(50)])
    (beta, alpha), residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    assert (model.beta, model.alpha) == (pytest.approx(beta), pytest.approx(alpha))
    variance = residual[0] / 48 * np.linalg.inv(design.T @ design)
    assert np.asarray(model.covariance) == pytest.approx(variance, rel=1e-6)


def dense(
    y: np.ndarray, x: np.ndarray, dt: np.ndarray, given: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Innovations, their variances and the log likelihood from the joint distribution of all rows,
    without any recursion: the covariance of y, factored.
    """
    q_beta, q_alpha, noise = given
    time = np.cumsum(dt)
    shared = np.minimum.outer(time, time)
    joint = np.outer(x, x) * (0.4 + q_beta * shared) + 0.3 + q_alpha * shared
    joint += noise * np.eye(len(y))
    factor = np.linalg.cholesky(joint)
    z = np.linalg.solve(factor, y - (1.1 * x + 0.2))
    spread = np.diag(factor)
    log_likelihood = -0.5 * np.sum(z**2 + np.log(2 * np.pi * spread**2))
    return z * spread, spread**2, float(log_likelihood)


def test_it_is_the_exact_conditional_distribution() -> None:
    random = np.random.default_rng(3)
    for _ in range(5):
        x, y = random.normal(0, 1, 60), random.normal(0, 1, 60)
        dt = random.uniform(0, 3, 60)
        given = tuple(random.uniform(0.01, 1, 3))
        innovation, variance, log_likelihood = dense(y, x, dt, given)
        model = KalmanHedge(
            *given,
            start="exact",
            state=(1.1, 0.2),
            covariance=((0.4, 0.0), (0.0, 0.3)),
            first_noise=True,
            centred=False,
            gate=None,
        )
        rows = model.batch(y, x, dt)
        assert rows[1] == pytest.approx(innovation, rel=1e-9, abs=1e-12)
        assert rows[2] == pytest.approx(variance, rel=1e-9)
        assert rows[0] == pytest.approx(innovation / variance**0.5, rel=1e-9, abs=1e-12)
        assert model.log_likelihood == pytest.approx(log_likelihood, rel=1e-11)


def test_an_exact_belief_is_told_at_the_first_x_when_centred() -> None:
    """Without noise of the intercept the two forms are the same line."""
    y, x = pair(100)
    belief = {"start": "exact", "state": (1.2, 0.3), "covariance": ((1e-2, 1e-3), (1e-3, 1e-2))}
    plain, centred = (
        KalmanHedge(0, 0, 1e-4, **belief, centred=told, gate=None).batch(y, x)
        for told in (False, True)
    )
    assert centred[:4] == pytest.approx(plain[:4], rel=1e-6, abs=1e-9)


def test_moving_the_anchor_moves_no_prediction() -> None:
    y, x = pair(300)
    stays, moves = (KalmanHedge(1e-6, 0, 1e-4, window=50) for _ in range(2))
    for at in range(300):
        stays.update(y[at], x[at], 0.0)
        moves.update(y[at], x[at], 0.0)
        if at % 40 == 39:
            moves.move_anchor(x[at])
    assert moves.innovation == pytest.approx(stays.innovation, rel=1e-6)
    assert moves.innovation_variance == pytest.approx(stays.innovation_variance, rel=1e-9)


def test_a_missing_leg_is_the_same_as_a_longer_step() -> None:
    y, x = pair(200)
    gaps, steps = (KalmanHedge(1e-5, 1e-6, 1e-4, window=50) for _ in range(2))
    for at in range(200):
        if at > 60 and at % 5 in (1, 2):
            gaps.update(y[at], math.nan)
        else:
            gaps.update(y[at], x[at])
            steps.update(y[at], x[at], 3.0 if at > 60 and at % 5 == 3 else 1.0)
    assert gaps.value == pytest.approx(steps.value, rel=1e-9)
    assert gaps.log_likelihood == pytest.approx(steps.log_likelihood, rel=1e-12)


def test_five_outliers_in_a_row_are_a_change_and_open_the_filter() -> None:
    y, x = pair(700)
    model = KalmanHedge(1e-9, 1e-9, 1e-4, window=100, gate=15.1)
    model.batch(y[:600], x[:600])
    assert model.n_rejected == 0 and model.ready()
    before = model.covariance
    model.update(y[600] + 1.0, x[600])
    assert (model.n_rejected, model.n_changes) == (1, 0)
    assert model.covariance[0][0] == pytest.approx(before[0][0], rel=1e-3)
    model.update(y[601], x[601])
    for at in range(602, 607):
        assert not model.is_change
        assert abs(model.update(y[at] + 1.0, x[at])) > 15.1**0.5
    assert model.is_change and model.n_changes == 1 and model.n_rejected == 6
    assert model.covariance[0][0] > 50 * before[0][0] and not model.ready()
    for at in range(607, 700):
        model.update(y[at] + 1.0, x[at])
    assert not model.is_change
    assert abs(model.value) < 4 and model.alpha == pytest.approx(1.3 + 1.2 * model.anchor, abs=0.05)


def test_health_is_the_mean_squared_z_of_five_hundred_rows() -> None:
    y, x = pair(700)
    model = KalmanHedge(0, 0, 1e-4, window=100, gate=None)
    z = model.batch(y, x)[0]
    assert model.mean_nis == pytest.approx(np.mean(z[-500:] ** 2)) and model.is_healthy
    proud = KalmanHedge(0, 0, 1e-5, window=100, gate=None)
    proud.batch(y[:599], x[:599])
    assert math.isnan(proud.mean_nis) and proud.is_healthy
    proud.batch(y[599:], x[599:])
    assert proud.mean_nis > 5 and not proud.is_healthy


@pytest.mark.parametrize("wrong", [0.01, 100.0])
def test_the_adaptive_noise_finds_the_true_one(wrong: float) -> None:
    y, x = pair(5_000)
    model = KalmanHedge(1e-10, 1e-10, 1e-4 * wrong, adaptation=0.01, gate=None, window=100)
    model.batch(y, x)
    assert model.observation == pytest.approx(1e-4, rel=0.35)
    still = KalmanHedge(1e-10, 1e-10, 1e-4 * wrong, gate=None, window=100)
    still.batch(y, x)
    assert still.observation == 1e-4 * wrong


def test_a_diffuse_start_is_ready_when_it_has_narrowed() -> None:
    y, x = pair(600)
    model = KalmanHedge(1e-5, 1e-7, 1e-4, start="diffuse", gate=None)
    ready = []
    for at in range(600):
        model.update(y[at], x[at])
        ready.append(model.ready())
    assert not any(ready[:3]) and ready[-1]
    assert ready == sorted(ready)


def test_positions_are_money_in_logs_and_units_in_prices() -> None:
    assert pair_positions(0.5, 1_000, price_y=20, price_x=10) == (50, -50)
    assert pair_positions(0.5, 1_000, price_y=20, price_x=10, model="price") == (1_000, -500)
    with pytest.raises(errors.ParameterInvalid, match="log or price"):
        pair_positions(0.5, 1, price_y=1, price_x=1, model="returns")
    with pytest.raises(errors.ParameterInvalid, match="least_squares, diffuse, exact"):
        KalmanHedge(0, 0, 1, start="ols")


# ---------------------------------------------------------------- levels


def states(kind: int, rows: int, variances: tuple[float, ...]) -> np.ndarray:
    """Covariance of all states of all rows, without the start: (rows, kind, rows, kind)."""
    noise = np.diag(variances)
    step = np.array([[1.0, 1.0], [0.0, 1.0]])[:kind, :kind]
    table = np.zeros((rows, kind, rows, kind))
    current = np.zeros((kind, kind))
    for at in range(rows):
        if at:
            current = step @ current @ step.T + noise
        ahead = np.eye(kind)
        for later in range(at, rows):
            table[later, :, at] = ahead @ current
            table[at, :, later] = (ahead @ current).T
            ahead = step @ ahead
    return table


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("is_diffuse", [False, True])
def test_smoothing_is_conditioning_on_everything(kind: int, is_diffuse: bool) -> None:
    """Method: the joint normal distribution of states and observations, conditioned by matrices;
    an unknown start is a regression coefficient estimated by generalised least squares.
    """
    random = np.random.default_rng(kind)
    rows = 14
    y = random.normal(0, 1, rows).cumsum()
    y[[0, 2, 5, 6]] = np.nan
    variances = tuple(random.uniform(0.1, 1, kind))
    seen = ~np.isnan(y)
    start_to_state = np.array(
        [np.linalg.matrix_power(np.array([[1.0, 1], [0, 1]])[:kind, :kind], t) for t in range(rows)]
    ).reshape(rows * kind, kind)
    joint = states(kind, rows, variances).reshape(rows * kind, rows * kind)
    pick = np.zeros((int(seen.sum()), rows * kind))
    pick[np.arange(len(pick)), np.flatnonzero(seen) * kind] = 1.0
    prior, mean = np.diag([0.7, 0.2][:kind]), np.array([0.5, 0.1])[:kind]
    if not is_diffuse:
        joint = joint + start_to_state @ prior @ start_to_state.T
    observed = pick @ joint @ pick.T + 0.8 * np.eye(len(pick))
    gain = joint @ pick.T @ np.linalg.inv(observed)
    covariance = joint - gain @ pick @ joint
    design = pick @ start_to_state
    if is_diffuse:
        spread = np.linalg.inv(design.T @ np.linalg.solve(observed, design))
        mean = spread @ design.T @ np.linalg.solve(observed, y[seen])
        rest = start_to_state - gain @ design
        covariance = covariance + rest @ spread @ rest.T
    expected = start_to_state @ mean + gain @ (y[seen] - design @ mean)
    given: dict[str, Any] = {}
    if not is_diffuse:
        key, value = ("variance", prior[0, 0]) if kind == 1 else ("covariance", prior.tolist())
        given = {"mean": mean[0] if kind == 1 else tuple(mean), key: value}
    model = (LocalLevel, LocalTrend)[kind - 1](0.8, *variances, **given)
    smoothed = model.smooth(y)
    assert smoothed[:kind].T.ravel() == pytest.approx(expected, rel=1e-8, abs=1e-9)
    blocks = covariance.reshape(rows, kind, rows, kind)
    upper = [(i, j) for i in range(kind) for j in range(i, kind)]
    for row, (i, j) in zip(smoothed[kind:], upper, strict=True):
        assert row == pytest.approx([blocks[t, i, t, j] for t in range(rows)], rel=1e-8, abs=1e-9)
    assert model.n_seen == 0


@pytest.mark.parametrize("kind", ["llevel", "lltrend"])
def test_levels_agree_with_statsmodels_from_an_unknown_start(kind: str) -> None:
    y = np.random.default_rng(2).normal(0, 1, 80).cumsum()
    y[20:30] = np.nan
    variances = [0.7, 0.4] + [0.02] * (kind == "lltrend")
    peer = UnobservedComponents(y, kind, use_exact_diffuse=True)
    peer.ssm.tolerance = 0  # no shortcut once the covariance has nearly settled
    theirs = peer.smooth(variances)
    model = (LocalTrend if kind == "lltrend" else LocalLevel)(*variances)
    smoothed = model.smooth(y)
    states = len(variances) - 1
    model.batch(y)
    assert smoothed[:states] == pytest.approx(theirs.smoothed_state, rel=1e-9, abs=1e-10)
    assert smoothed[states] == pytest.approx(theirs.smoothed_state_cov[0, 0], rel=1e-9)
    spent = 0.5 * states * math.log(2 * math.pi)  # they count it for observations without variance
    assert model.log_likelihood == pytest.approx(theirs.llf + spent, rel=1e-10)
    ahead = theirs.get_forecast(5)
    assert model.forecast(5)[0] == pytest.approx(ahead.predicted_mean, rel=1e-9)
    assert model.forecast(5)[1] == pytest.approx(ahead.var_pred_mean, rel=1e-9)


@pytest.mark.parametrize("kind", ["llevel", "lltrend"])
def test_a_kept_gain_is_that_of_statsmodels(kind: str) -> None:
    y = np.random.default_rng(2).normal(0, 1e-2, 300).cumsum()
    y[200:205] = np.nan
    variances = [5e-4, 1e-3] + [1e-5] * (kind == "lltrend")
    states = len(variances) - 1
    peer = UnobservedComponents(y, kind)
    peer.ssm.initialize_known(np.zeros(states), np.eye(states))
    theirs = peer.smooth(variances)
    start = {"variance": 1.0} if states == 1 else {"covariance": np.eye(2).tolist()}
    make = LocalTrend if kind == "lltrend" else LocalLevel
    model, exact = (make(*variances, **start, steady_tolerance=given) for given in (1e-19, 0.0))
    smoothed, rows, truth = model.smooth(y), model.batch(y), exact.batch(y)
    assert rows[:states] == pytest.approx(theirs.filtered_state, rel=1e-9, abs=1e-12)
    assert smoothed[:states] == pytest.approx(theirs.smoothed_state, rel=1e-9, abs=1e-12)
    assert rows[:states] == pytest.approx(truth[:states], abs=1e-5)
    assert (rows[:states] != truth[:states]).any()


@pytest.mark.parametrize("variances", [(1.0, 0.1), (1.0, 1e-6), (1e-9, 3.0), (15099.0, 1469.1)])
def test_the_level_converges_to_its_steady_state(variances: tuple[float, float]) -> None:
    irregular, level = variances
    model = LocalLevel(irregular, level, variance=1.0)
    closed = 0.5 * (level + math.sqrt(level**2 + 4 * level * irregular))
    assert model.steady_variance == pytest.approx(closed, rel=1e-12)
    predicted = model.batch(np.zeros(20_000))[3][-1]
    assert predicted == pytest.approx(closed, rel=1e-9)


@pytest.mark.parametrize("variances", [(1.0, 0.1, 0.01), (0.5, 0.0, 0.1), (2.0, 1e-3, 1e-5)])
def test_the_trend_converges_to_its_steady_state(variances: tuple[float, float, float]) -> None:
    model = LocalTrend(*variances)
    rows = model.batch(np.zeros(5_000))
    (a, b), (_, c) = model.steady_covariance
    assert rows[7:10, -1] == pytest.approx([a, b, c], rel=1e-8)


# ---------------------------------------------------------------- regressions


def test_recursive_regressions_are_least_squares_row_by_row() -> None:
    random = np.random.default_rng(1)
    x = np.column_stack([np.ones(80), random.normal(0, 1, (80, 3))])
    y = x @ [1.0, -2.0, 3.0, 0.5] + random.normal(0, 0.3, 80)
    by_factor = QrRLS(4).batch(y, x)
    by_covariance = RLS(4, forgetting=1.0, initial_variance=1e8).batch(y, x)
    assert np.isnan(by_factor[:, :3]).all() and np.isfinite(by_factor[1:, 3]).all()
    for end in (4, 10, 80):
        expected = np.linalg.lstsq(x[:end], y[:end], rcond=None)[0]
        assert by_factor[1:, end - 1] == pytest.approx(expected, rel=1e-9)
        assert by_covariance[1:, end - 1] == pytest.approx(expected, rel=1e-4)
    assert by_factor[0, 50] == pytest.approx(y[50] - x[50] @ by_factor[1:, 49])


def test_forgetting_weighs_rows_by_age() -> None:
    random = np.random.default_rng(4)
    x = np.column_stack([np.ones(120), random.normal(0, 1, 120)])
    y = x @ [1.0, 2.0] + random.normal(0, 0.3, 120)
    weights = 0.95 ** np.arange(119, -1, -1)
    root = np.sqrt(weights)[:, None]
    expected = np.linalg.lstsq(x * root, y * root[:, 0], rcond=None)[0]
    for model in (QrRLS(2, forgetting=0.95), RLS(2, forgetting=0.95, initial_variance=1e8)):
        model.batch(y, x)
        assert model.coefficients == pytest.approx(expected, rel=1e-6)
    deviation = math.sqrt(np.sum(weights * (y - x @ expected) ** 2) / (weights.sum() - 2))
    factor = QrRLS(2, forgetting=0.95)
    factor.batch(y, x)
    assert factor.residual_deviation == pytest.approx(deviation)


@pytest.mark.parametrize("constant", [True, False])
def test_least_squares_over_all_rows(constant: bool) -> None:
    random = np.random.default_rng(6)
    x = random.normal(5, [1, 100, 1e-3], (40, 3))
    y = 2 + x @ [1.0, -0.01, 50.0] + random.normal(0, 0.1, 40)
    design = np.column_stack([np.ones(40), x]) if constant else x
    expected, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    coefficients, deviation, explained = least_squares(y, x, constant=constant)
    assert coefficients == pytest.approx(expected, rel=1e-7)
    assert deviation == pytest.approx(math.sqrt(residual[0] / (40 - design.shape[1])))
    total = np.sum((y - y.mean()) ** 2) if constant else np.sum(y**2)
    assert explained == pytest.approx(1 - residual[0] / total)


def test_a_row_of_the_wrong_width_is_refused() -> None:
    for model in (RLS(2), QrRLS(2)):
        with pytest.raises(errors.DataInvalid, match="2 regressors"):
            model.update(1.0, [1.0, 2.0, 3.0])
        with pytest.raises(errors.DataInvalid, match="shape"):
            model.batch(np.zeros(4), np.zeros((4, 3)))


def test_a_row_may_be_an_array_or_a_sequence() -> None:
    rows, arrays = QrRLS(2), QrRLS(2)
    for at in range(5):
        rows.update(at * at, (1.0, at))
        arrays.update(at * at, np.array([1.0, at]))
    assert rows.snapshot() == arrays.snapshot()
