# SPDX-License-Identifier: Apache-2.0
"""State-space models: hedge ratio, local level and trend, recursive least squares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from hean.filters import KalmanHedge, LocalLevel, LocalTrend, QrRLS, least_squares
from hean.quant.bands import band_backtest
from hean.quant.state_space import fit_local_level
from hean.references.case import Array, Case
from hean.references.transform import evaluate

# statsmodels, which the answers for levels are from, keeps its gain once a step changes the
# covariance by less than this. For variances near 1e-4 that costs it the sixth digit.
STEADY_TOLERANCE = 1e-19
TRADING_DAYS = 252  # of a stock exchange; a file may name another number
BAND_RULE = (
    "long spread when e<-sqrt(Q), exit e>0; short when e>sqrt(Q), exit e<0; "
    "dollar positions [-slope*x, y]*units; today position earns tomorrow return; "
    "return = pnl/gross; NaN (flat) days dropped for Sharpe, zero for compounding"
)


def local_level(case: Case) -> None:
    """A local level: filtered, smoothed, its variances estimated."""
    y = _observed(case)
    given = case.inputs
    irregular, level = float(given["sigma2_eps"]), float(given["sigma2_eta"])
    model = LocalLevel(
        irregular,
        level,
        mean=float(given.get("a1", 0)),
        variance=given.get("P1"),
        steady_tolerance=STEADY_TOLERANCE,
    )
    smoothed = model.smooth(y)
    filtered, variance, predicted, predicted_variance, innovation, spread = model.batch(y)
    case.answer("predicted_state", predicted, "state_rel")
    case.answer("predicted_var", predicted_variance, "var_rel")
    case.answer("innovation", innovation, "state_rel")
    case.answer("innovation_var", spread, "var_rel")
    case.answer("filtered_state", filtered, "state_rel")
    case.answer("filtered_var", variance, "var_rel")
    case.answer("smoothed_state", smoothed[0], "smoothed_rel", "state_rel")
    case.answer("smoothed_var", smoothed[1], "smoothed_rel", "var_rel")
    case.answer("steady_state_predicted_var", model.steady_variance, "var_rel")
    _answer_forecasts(case, model)
    _answer_likelihoods(case, model.log_likelihood)
    if case.wants("mle") or case.wants("mle_published") or case.wants("diffuse_loglik_at_mle"):
        fit = fit_local_level(y)
        variances = {"sigma2_eps": fit.irregular, "sigma2_eta": fit.level}
        for name, value in variances.items():
            case.answer(("mle", name), value, "mle_rel")
            case.answer(("mle_published", name), value, "mle_published_rel")
        case.answer("diffuse_loglik_at_mle", fit.log_likelihood, "loglik_abs")


def local_linear_trend(case: Case) -> None:
    """A level with a slope."""
    y = _observed(case)
    given = case.inputs
    names = ("sigma2_irregular", "sigma2_level", "sigma2_trend")
    model = LocalTrend(
        *(float(given[name]) for name in names),
        mean=given.get("a1", (0, 0)),
        covariance=given.get("P1"),
        steady_tolerance=STEADY_TOLERANCE,
    )
    smoothed, rows = model.smooth(y), model.batch(y)
    for kind, states in (("filtered", rows[:5]), ("predicted", rows[5:10]), ("smoothed", smoothed)):
        level, trend, of_level, cross, of_trend = states
        case.answer(f"{kind}_level", level, "rel")
        case.answer(f"{kind}_trend", trend, "rel")
        last = [[of_level[-1], cross[-1]], [cross[-1], of_trend[-1]]]
        case.answer(f"{kind}_cov_last", last, "rel")
        case.answer(f"{kind}_var", of_level, "rel")
    case.answer("innovation", rows[10], "rel")
    case.answer("innovation_var", rows[11], "rel")
    _answer_forecasts(case, model)
    _answer_likelihoods(case, model.log_likelihood)


def dynamic_regression(case: Case) -> None:
    """A random-walk hedge ratio from an exact start, and the band rule on its innovation."""
    given = case.inputs
    y, x = case.series(given["y"]), case.series(given["x"])
    noise, start = _state_noise(given), str(given.get("init", ""))
    belief = float(_named(start, "P", "0"))
    model = KalmanHedge(
        noise[0],
        noise[1],
        float(given["Ve"]),
        start="exact",
        state=[float(_named(start, name, "0")) for name in ("beta", "alpha")],
        covariance=[[belief, 0.0], [0.0, belief]],
        first_noise="no Vw" not in start,
        centred=False,
        gate=None,
    )
    _, innovation, variance, slope, intercept = model.batch(y, x)
    case.answer("slope", slope, "state_rel", "state_abs")
    case.answer("intercept", intercept, "state_rel", "state_abs")
    case.answer("innovation", innovation, "state_rel", "state_abs")
    case.answer("innovation_var", variance, "var_rel")
    case.answer("P_last", model.covariance, "var_rel")
    case.answer("loglik_gaussian", model.log_likelihood, "loglik_rel")
    if case.wants("backtest"):
        per_year = float(given.get("periods_per_year", TRADING_DAYS))
        result = band_backtest(
            (y, x), slope, innovation=innovation, band=np.sqrt(variance), per_year=per_year
        )
        share = float(np.mean(result.units != 0))
        days = int(np.count_nonzero(~np.isnan(result.returns)))
        case.answer(("backtest", "rule"), BAND_RULE, "apr_abs")
        case.answer(("backtest", "units_nonzero_share"), share, "apr_abs")
        case.answer(("backtest", "apr"), result.growth_per_year, "apr_abs")
        case.answer(("backtest", "sharpe"), result.sharpe, "sharpe_abs")
        case.answer(("backtest", "n_return_days"), days, "apr_abs")


def recursive_least_squares(case: Case) -> None:
    """Coefficients row by row and all at once; both must agree with the certified ones."""
    given = case.inputs
    y = np.asarray(given["endog"], dtype=np.float64)
    x = np.ascontiguousarray(given["exog"], dtype=np.float64).reshape(len(y), -1)
    has_constant = "constant" in given
    coefficients, deviation, explained = least_squares(y, x, constant=has_constant)
    if has_constant:
        x = np.column_stack([np.ones(len(y)), x])
    recursive = QrRLS(x.shape[1], forgetting=float(given.get("forgetting", 1.0)))
    recursive.batch(y, np.ascontiguousarray(x))
    # One expected answer, two ways to it: the second is judged where the first holds.
    is_near = case.answer("coefficients", recursive.coefficients, "recursive_rel")
    if is_near or "recursive_rel" not in case.tolerance:
        case.answer("coefficients", coefficients, "batch_rel")
    case.answer("residual_sd", deviation, "batch_rel")
    case.answer("r_squared", explained, "batch_rel")


def _observed(case: Case) -> Array:
    """The series, with nan where the inputs say that it is missing."""
    series = np.array(case.series())
    for first, end in case.inputs.get("missing_zero_based", ()):
        series[first:end] = np.nan
    return series


def _answer_forecasts(case: Case, model: LocalLevel | LocalTrend) -> None:
    """Names as `forecast_mean` and `forecast_var_h1_to_h3`."""
    for name, expected in case.expected.items():
        if name.startswith("forecast_"):
            row = 0 if name.startswith("forecast_mean") else 1
            steps = len(expected) if isinstance(expected, list) else 1
            values = model.forecast(steps)[row]
            rule = ("state_rel", "var_rel")[row]
            case.answer(name, values if isinstance(expected, list) else values[0], rule)


def _answer_likelihoods(case: Case, value: float) -> None:
    """Names as `loglik` and `loglik_with_P1_1e7`, all of the given start."""
    for name in case.expected:
        if name.startswith("loglik"):
            case.answer(name, value, "loglik_abs", "loglik_rel")


def _state_noise(given: Mapping[str, Any]) -> tuple[float, float]:
    """Variances of the steps of slope and intercept: a number, two, a matrix, or a formula."""
    noise = given.get("Vw", "delta/(1-delta)*I")
    if isinstance(noise, str):
        noise = evaluate(noise, {"delta": float(given["delta"]), "I": 1.0})
    values = np.asarray(noise, dtype=np.float64)
    if values.ndim == 2:
        values = np.diag(values)
    first, second = np.broadcast_to(values, 2)
    return float(first), float(second)


def _named(text: str, name: str, default: str) -> str:
    """The number after `name=` in a sentence such as `beta=0, P=0; ...`."""
    found = re.search(rf"\b{name}\s*=\s*([-+.\deE]+)", text)
    return found[1] if found else default


METHODS = {
    "local_level": local_level,
    "local_linear_trend": local_linear_trend,
    "kalman_dynamic_regression": dynamic_regression,
    "recursive_least_squares": recursive_least_squares,
}
