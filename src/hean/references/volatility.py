# SPDX-License-Identifier: Apache-2.0
"""Volatility: GARCH fits and forecasts, exponential and range estimators.

A model's presample rule is part of what is asked; a file says it in words, and may give the
variance itself for the fit (`mle_backcast`) and for given parameters (`fixed_backcast`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hean.filters import GarchModel, GarchParameters, garch_backcast
from hean.indicators import EwmaVariance, RangeVolatility
from hean.references.case import Array, Case

ESTIMATORS = ("close", "parkinson", "garman_klass", "rogers_satchell", "gk_yz", "yang_zhang")


def garch(case: Case) -> None:
    """Maximum likelihood, standard errors, forecasts; likelihood and variances at parameters."""
    returns = case.series()
    model, fixed_model = _model(case, "mle_backcast"), _model(case, "fixed_backcast")
    case.answer("backcast", garch_backcast(returns, mean=_mean(case)), "backcast_rel")
    _answer_fit(case, model, returns)
    given = case.inputs.get("fixed_params")
    if given is None:
        return
    fixed = _parameters(case, given)
    likelihood = fixed_model.log_likelihood(returns, fixed)
    variances = fixed_model.variances(returns, fixed)
    for place in ("loglik_at_fixed", "loglik_at_fixed_params"):
        case.answer(place, likelihood, "loglik_at_fixed_abs", "loglik_abs")
    for place in ("cond_variance_at_fixed", "cond_variance_at_fixed_params"):
        case.answer(place, variances, "cond_variance_rel")
    case.answer("persistence", fixed.persistence, "cond_variance_rel", "params_rel", "mle_rel")


def _answer_fit(case: Case, model: GarchModel, returns: Array) -> None:
    fit = model.fit(returns)
    found = fit.parameters
    by_name = {name: getattr(found, name) for name in ("gamma", "nu", *_names(case))}
    case.answer("params", by_name, "params_rel", "mle_rel")
    case.answer("params_full_precision", by_name, "params_full_precision_rel")
    case.answer("mle_params", [by_name[name] for name in _names(case)], "mle_rel")
    for place in ("loglik", "mle_loglik"):
        case.answer(place, fit.log_likelihood, "loglik_abs")
    errors = model.standard_errors(returns, found)
    for word, kind in (("hessian", "hessian"), ("opg", "opg"), ("qmle", "sandwich")):
        for place in (f"se_{word}", f"se_{word}_full_precision"):
            case.answer(place, errors[kind], "se_rel")
    variances = model.variances(returns, found)
    case.answer("cond_variance_at_params_full_precision", variances, "cond_variance_rel")
    for place, asked in case.expected.items():
        if place.startswith(("variance_forecast_", "forecast_variance_")):
            case.answer(place, found.forecast(variances[-1], len(asked)), "forecast_rel")
    rules = ("params_full_precision_rel", "params_rel", "mle_rel")
    if "fixed_params" not in case.inputs:
        case.answer("persistence", found.persistence, *rules)
    case.answer("unconditional_variance", found.unconditional_variance, *rules)
    case.answer("halflife_days", found.half_life, *rules)


def _model(case: Case, backcast: str) -> GarchModel:
    """The model a file describes. Files fit without HEAN's own bound on persistence; `arch` has
    the bound of one.
    """
    rule = str(case.inputs.get("presample", ""))
    presample: str | float = "backcast" if "arch" in rule or "0.94" in rule else "mean_square"
    is_arch = presample == "backcast" or "backcast" in rule
    return GarchModel(
        mean=_mean(case),
        asymmetric=_is_asymmetric(case),
        innovations="student" if _is_student(case) else "normal",
        presample=case.inputs.get(backcast, case.inputs.get("backcast", presample)),
        persistence_max=1.0 if is_arch else None,
    )


def _mean(case: Case) -> str:
    return "zero" if "zero" in str(case.inputs.get("mean", "constant")).lower() else "constant"


def _is_student(case: Case) -> bool:
    named = str(case.inputs.get("distribution", "")).lower()
    return "student" in case.method or "student" in named or named == "t"


def _is_asymmetric(case: Case) -> bool:
    return case.method.startswith("gjr")


def _names(case: Case) -> list[str]:
    """Names of a row of parameters, in the order every library gives them."""
    wanted = {
        "mu": _mean(case) == "constant",
        "omega": True,
        "alpha": True,
        "gamma": _is_asymmetric(case),
        "beta": True,
        "nu": _is_student(case),
    }
    return [name for name, is_wanted in wanted.items() if is_wanted]


def _parameters(case: Case, given: Mapping[str, float] | Sequence[float]) -> GarchParameters:
    named = given if isinstance(given, Mapping) else dict(zip(_names(case), given, strict=True))
    return GarchParameters(**named)


def ewma(case: Case) -> None:
    """RiskMetrics' variance; the one of a day was forecast the day before."""
    returns = case.series()
    presample = case.inputs.get("presample")
    first = presample if isinstance(presample, float | int) else garch_backcast(returns)
    variances = EwmaVariance(float(case.inputs["lam"]), initial=first).batch(returns)
    case.answer("first", first, "rel")
    case.answer("variance", np.concatenate([[first], variances[:-1]]), "rel")
    case.answer("forecast_next", variances[-1], "rel")


def range_volatility(case: Case) -> None:
    """Volatility from bars by every estimator."""
    bars = case.table()
    columns = [bars[name] for name in ("open", "high", "low", "close")]
    period, bars_per_year = int(case.inputs["n"]), float(case.inputs["annualisation"])
    for name in ESTIMATORS:
        if case.wants(name):
            estimator = RangeVolatility(name, period, bars_per_year=bars_per_year)
            case.answer(name, estimator.batch(*columns), "rel")


METHODS = {
    "garch11_normal_mle": garch,
    "garch11_student_t": garch,
    "gjr_garch11": garch,
    "ewma_variance": ewma,
    "range_volatility": range_volatility,
}
