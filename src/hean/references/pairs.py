# SPDX-License-Identifier: Apache-2.0
"""Pairs, stationarity, mean reversion, Hurst exponents."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from hean.quant.checks import Array
from hean.quant.cointegration import (
    EngleGranger,
    Johansen,
    engle_granger,
    johansen,
    regressor_of,
    return_correlation,
)
from hean.quant.hurst import dfa, hurst_variants, rescaled_range
from hean.quant.mean_reversion import (
    ar1,
    cycle_time,
    half_life_exact,
    half_life_linear,
    optimal_band,
    ornstein_uhlenbeck,
)
from hean.quant.unit_roots import UnitRoot, adf, kpss, phillips_perron, variance_ratio
from hean.references.case import Case

TIME_COLUMNS = {"date", "time", "timestamp", "open_time"}
PRACMA_SHORTEST = 50  # its own default, where the file names no other

JOHANSEN = re.compile(r"johansen(\d*)_(trace|maxeig|eigenvalues|first_vector_.*)")
JOHANSEN_RULES = {"trace": "trace_abs", "maxeig": "trace_abs", "eigenvalues": "eig_rel"}
ADF = re.compile(r"adf_(n|c|ct|ctt)(?:_(\d+)lags?)?")
PHILLIPS_PERRON = re.compile(r"phillips_perron(?:_(n|c|ct))?_(\d+)")
KPSS = re.compile(r"kpss_(c|ct)_(\d+)")


def cointegration(case: Case) -> None:
    """Engle-Granger of one pair (direction by rule where the file names none), Johansen of all."""
    first, end = case.inputs.get("rows", (0, case.inputs.get("n")))
    prices = {
        name: column[first:end] for name, column in case.table().items() if name not in TIME_COLUMNS
    }
    y, x = _legs(case, prices)
    spread = _answer_johansen(case, prices, (y, *x))
    if case.wants("return_correlation"):
        correlation = return_correlation(prices[y], prices[x[0]])
        case.answer("return_correlation", correlation, "corr_abs")
    if any(name.startswith(("eg_", "coint_")) for name in case.expected):
        stages = case.inputs.get("engle_granger", {})
        regressors = np.column_stack([prices[name] for name in x])
        trend = _trend(stages.get("first_stage", ""))
        lags = stages.get("adf_lags")
        fit = engle_granger(prices[y], regressors, trend=trend, lags=lags)
        _answer_engle_granger(case, fit)
        spread = fit.residuals if spread is None else spread
    if spread is not None:
        _answer_half_life(case, spread)


def _legs(case: Case, prices: dict[str, Array]) -> tuple[str, list[str]]:
    given = case.inputs.get("engle_granger", case.inputs)
    if "y" in given:
        x = given["x"]
        return given["y"], [x] if isinstance(x, str) else list(x)
    first, second = list(prices)[:2]
    at = regressor_of(prices[first], prices[second])
    return (first, second)[1 - at], [(first, second)[at]]


def _trend(text: str) -> str:
    if "no constant" in text or "without constant" in text:
        return "n"
    return "ct" if "trend" in text else "c"


def _answer_engle_granger(case: Case, fit: EngleGranger) -> None:
    slopes = float(fit.slopes[0]) if len(fit.slopes) == 1 else fit.slopes
    case.answer("eg_intercept", fit.intercept, "ols_rel")
    case.answer("eg_slope", slopes, "ols_rel")
    for name in ("eg_t", "coint_t"):
        case.answer(name, fit.statistic, "t_abs")
    for name in ("eg_pvalue_mackinnon", "coint_p"):
        case.answer(name, fit.p_value, "pvalue_abs", "t_abs")
    case.answer("eg_crit_1_5_10", fit.critical, "t_abs")
    for percent, critical in zip((1, 5, 10), fit.critical, strict=True):
        is_rejected = fit.statistic < critical
        case.answer(f"reject_at_{percent}pct", is_rejected, "exact", "t_abs")
    if case.wants("adf_regression_t_on_rounded_free_residuals"):
        second = adf(fit.residuals, trend="n", lags=fit.lags)
        case.answer("adf_regression_t_on_rounded_free_residuals", second.statistic, "t_abs")


def _answer_johansen(case: Case, prices: dict[str, Array], pair: tuple[str, ...]) -> Array | None:
    """Answer by every number of series the file names; the spread of the most, if any."""
    options = case.inputs.get("johansen", {})
    found: dict[int, tuple[Array, Johansen]] = {}
    for name in case.expected:
        if (match := JOHANSEN.fullmatch(name)) is None:
            continue
        size, what = int(match[1] or len(prices)), match[2]
        if size not in found:
            # In the file's order; of fewer series than it has, those of the pair come first.
            names = sorted(prices, key=lambda column: column not in pair)[:size]
            levels = np.column_stack([prices[column] for column in prices if column in names])
            order, lags = options.get("det_order", 0), options.get("k_ar_diff", 1)
            found[size] = levels, johansen(levels, trend_order=order, lags=lags)
        test = found[size][1]
        answers = {"trace": test.trace, "maxeig": test.max_eigen, "eigenvalues": test.eigenvalues}
        case.answer(name, answers.get(what, test.vector()), JOHANSEN_RULES.get(what, "vector_rel"))
    if not found:
        return None
    levels, test = found[max(found)]
    case.answer("johansen_trace_crit_90_95_99", test.trace_critical, "trace_abs")
    case.answer("johansen_maxeig_crit_90_95_99", test.max_eigen_critical, "trace_abs")
    spread: Array = levels @ test.vector()
    return spread


def _answer_half_life(case: Case, spread: Array) -> None:
    rule = str(case.expected.get("half_life_rule", "slope"))
    is_linear = "slope" in rule
    if is_linear or "phi" in rule:
        case.answer("half_life_rule", rule, "half_life_rel")
        half_life = half_life_linear(spread) if is_linear else half_life_exact(ar1(spread).phi)
        for name in case.expected:
            if name.startswith("half_life_") and name != "half_life_rule":
                case.answer(name, half_life, "half_life_rel")


def stationarity(case: Case) -> None:
    """Unit-root tests, variance ratios of logs, and the process behind an AR(1)."""
    values = case.series()
    for name in case.expected:
        if match := ADF.fullmatch(name):
            lags = None if match[2] is None else int(match[2])
            test = adf(values, trend=match[1], lags=lags)
            _answer_test(case, name, "adf_p", test)
        elif match := PHILLIPS_PERRON.fullmatch(name):
            test = phillips_perron(values, trend=match[1] or "c", lags=int(match[2]))
            _answer_test(case, name, "phillips_perron_p", test)
        elif match := KPSS.fullmatch(name):
            _answer_test(case, name, "kpss_p", kpss(values, trend=match[1], lags=int(match[2])))
    if case.wants("variance_ratio"):
        case.answer("variance_ratio", _ratios(case, np.log(values)), "rel")
    _answer_process(case, values)


def _answer_test(case: Case, name: str, p_name: str, test: UnitRoot) -> None:
    case.answer(name, test.statistic, "t_rel", "t_abs")
    case.answer(p_name, test.p_value, "pvalue_rel", "pvalue_abs")


def _ratios(case: Case, logs: Array) -> dict[str, dict[str, float]]:
    ratios = {steps: variance_ratio(logs, int(steps)) for steps in case.expected["variance_ratio"]}
    return {
        steps: {"vr": found.ratio, "z": found.z, "p": found.p_value}
        for steps, found in ratios.items()
    }


def _answer_process(case: Case, values: Array) -> None:
    fit = ar1(values)
    answers = {
        "ar1_phi": fit.phi,
        "ar1_const": fit.constant,
        "half_life_exact": half_life_exact(fit.phi),
        "half_life_linear": half_life_linear(values),
    }
    if any(name.startswith("ou_") for name in case.expected):
        process = ornstein_uhlenbeck(fit)
        answers |= {
            "ou_theta_per_bar": process.theta,
            "ou_mean": process.mean,
            "ou_sigma": process.sigma,
        }
    for name, answer in answers.items():
        case.answer(name, answer, "rel", "abs")


def hurst_rs(case: Case) -> None:
    """Plain rescaled range, beside the exponent the series was made with."""
    found = rescaled_range(case.series(), case.inputs["window_sizes"])
    case.answer("hurst_rs", found, "abs")
    case.answer("true_h", found, "true_h_abs")


def hurst_others(case: Case) -> None:
    """The estimators of R's pracma, and detrended fluctuation analysis."""
    values = case.series()
    if case.wants("pracma"):
        named = re.search(r"hurstexp\([^)]*\bd\s*=\s*(\d+)", case.source)
        default = int(named[1]) if named else PRACMA_SHORTEST
        found = hurst_variants(values, case.inputs.get("pracma", {}).get("d", default))
        letters = {
            "Hs": found.simple,
            "Hrs": found.halved,
            "He": found.empirical,
            "Hal": found.corrected,
            "Ht": found.theoretical,
        }
        for letter, value in letters.items():
            case.answer(("pracma", letter), value, "abs")
    if case.wants("dfa"):
        options = case.inputs["dfa"]
        exponent = dfa(
            values,
            options["nvals"],
            order=options.get("order", 1),
            is_overlapping=options.get("overlap", False),
        )
        case.answer("dfa", exponent, "abs")


def ou_band(case: Case) -> None:
    """Optimal symmetric bands, and the cycle time of a band that may be lopsided."""
    answers: list[dict[str, Any]] = []
    for given in case.inputs.get("cases", []):
        band = optimal_band(given["alpha"], given["eta"], given["cost"])
        answers.append(
            {
                **given,
                "optimal_band": band.width,
                "profit_rate": band.profit_rate,
                "expected_cycle": band.cycle,
                "band_in_stationary_sd": band.deviations,
            }
        )
    case.answer("cases", answers, "rel")
    if check := case.inputs.get("cycle_check"):
        cycle = cycle_time(check["alpha"], check["eta"], check["a"], check["m"])
        case.answer("cycle_time", cycle, "rel")


METHODS = {
    "engle_granger+johansen+half_life": cointegration,
    "engle_granger": cointegration,
    "johansen": cointegration,
    "adf+ou+variance_ratio": stationarity,
    "rescaled_range_hurst": hurst_rs,
    "hurst_variants": hurst_others,
    "ou_optimal_thresholds": ou_band,
}
