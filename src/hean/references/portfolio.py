# SPDX-License-Identifier: Apache-2.0
"""Sizing, covariance, allocation, and intervals of proportions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from hean.errors import DataInvalid
from hean.quant import allocation, covariance, kelly, online, proportions
from hean.references.case import Array, Case

SHARES = {"full": 1.0, "half": 0.5, "third": 1 / 3, "quarter": 0.25, "double": 2.0}
LEVELS = {"halving": 0.5, "quartering": 0.25}
DAYS_A_YEAR = 252  # of the stock exchanges the files are from, where they do not say
NUMBER = r"\s*(-?[\d.]+)"
CLAUSES: tuple[tuple[str, str], ...] = (
    (rf"w\s*>={NUMBER}", "low"),
    (rf"w\s*<={NUMBER}", "high"),
    (rf"sum\(w\)\s*<={NUMBER}", "total_max"),
    (rf"sum\(w\)\s*==?{NUMBER}", "total"),
    (rf"(?:L1 norm of weights|sum\(\|w\|\)|sum\(abs\(w\)\))\s*<={NUMBER}", "gross_max"),
)


def fractions(case: Case) -> None:
    """Kelly's fractions of single bets, of many assets, and exactly under constraints."""
    inputs = case.inputs
    bets = [(bet["p"], bet["b"]) for bet in inputs.get("binary", ())]
    found = [kelly.binary_fraction(p, odds) for p, odds in bets]
    case.answer("binary_f", found, "abs")
    growth = [kelly.binary_growth(p, b, f) for (p, b), f in zip(bets, found, strict=True)]
    case.answer("binary_growth", growth, "abs")
    _continuous(case)
    if "multi" in inputs:
        _multi(case, inputs["multi"])
    for name, share in SHARES.items():
        part = kelly.growth_rate(0.0, 1.0, share) / kelly.growth_rate(0.0, 1.0)
        case.answer(f"{name}_kelly_growth_share", part, "abs")
        for word, level in LEVELS.items():
            chance = kelly.chance_of_ever(level, share)
            case.answer(f"prob_ever_{word}_{name}_kelly", chance, "abs")
    if "scenarios" in inputs:
        _scenarios(case)
    if "historical" in inputs:
        _historical(case, inputs["historical"])


def _continuous(case: Case) -> None:
    found, growth = [], []
    for asset in case.inputs.get("continuous", ()):
        mean, rate, sigma = asset["m"], asset["r"], asset["s"]
        found.append(kelly.continuous_fraction(mean, rate, sigma))
        growth.append(kelly.growth_rate(rate, (mean - rate) / sigma))
    case.answer("continuous_f", found, "abs")
    case.answer("continuous_growth", growth, "abs")
    pairs = [list(pair) for pair in zip(found, growth, strict=True)]
    case.answer("continuous_printed", pairs, "printed_abs")


def _multi(case: Case, given: Mapping[str, Any]) -> None:
    periods, rate = given.get("periods", DAYS_A_YEAR), given["rf_annual"]
    returns = _returns(case, given)
    estimate = covariance.ESTIMATORS[given.get("cov", "sample")](returns)
    excess = periods * returns.mean(axis=0) - rate
    found = kelly.multi_asset(excess, periods * estimate.matrix, rate)
    case.answer("multi_F", found.fractions, "abs")
    case.answer("multi_growth", found.rate, "abs")
    case.answer("multi_sharpe", found.sharpe, "abs")


def _scenarios(case: Case) -> None:
    rate = case.inputs.get("rf", 0.0)
    best = kelly.log_optimal(
        np.asarray(case.inputs["scenarios"], dtype=np.float64) - rate,
        constraints=constraints(case.inputs.get("constraints", "")),
        probabilities=case.inputs.get("probabilities"),
        rate=rate,
    )
    case.answer("w", best.weights, "w_abs")
    case.answer("growth", best.growth, "growth_rel")


def _historical(case: Case, given: Mapping[str, Any]) -> None:
    rate = given.get("rf_daily", 0.0)
    best = kelly.log_optimal(
        _returns(case, given) - rate, constraints=constraints(given["constraint"]), rate=rate
    )
    case.answer("hist_w", best.weights, "w_abs")
    case.answer("hist_growth", best.growth, "growth_rel")
    annual = given.get("periods", DAYS_A_YEAR) * best.growth
    case.answer("hist_growth_annual", annual, "growth_rel")


def constraints(text: str) -> kelly.Constraints:
    """What a file writes as `w>=0, sum(w)<=3`. *Raises*: `DataInvalid` for what is not known."""
    found = kelly.Constraints()
    for clause in (part.strip() for part in text.split(",") if part.strip()):
        if clause == "remainder in cash":
            continue  # always so
        for pattern, name in CLAUSES:
            if match := re.fullmatch(pattern, clause):
                found = msgspec.structs.replace(found, **{name: float(match[1])})
                break
        else:
            raise DataInvalid(f"constraint {clause!r} is none that is known.")
    return found


def equal_risk(case: Case) -> None:
    """Weights of equal, or given, shares of risk."""
    inputs = case.inputs
    if "cov" in inputs:
        matrix = np.asarray(inputs["cov"], dtype=np.float64)
    else:
        deviations = np.asarray(inputs["vols"], dtype=np.float64)
        matrix = np.asarray(inputs["corr"], dtype=np.float64) * np.outer(deviations, deviations)
    weights = allocation.equal_risk_contribution(matrix, inputs.get("budgets"))
    # The shares of risk in the files lie up to 1e-5 from the equal ones they should be, so their
    # weights are as far from the exact ones; what is printed in the paper bounds both.
    case.answer("weights", weights, "weights_abs", "printed_abs")
    case.answer("printed", weights, "printed_abs")
    shares = allocation.risk_contributions(weights, matrix)
    case.answer("risk_contribution_share", shares, "weights_abs", "printed_abs")
    case.answer("vol", allocation.volatility(weights, matrix), "weights_abs")


def shrinkage(case: Case) -> None:
    """Covariance of returns, shrunk and not."""
    returns = _returns(case, case.inputs)
    centred = "demean" in case.inputs.get("returns", "demeaned")
    for prefix, name in (("", "ledoit_wolf"), ("oas_", "oas")):
        found = covariance.ESTIMATORS[name](returns, centred=centred)
        case.answer(f"{prefix}shrinkage", found.shrinkage, "rel")
        case.answer(f"{prefix}cov", found.matrix, "rel")
    for suffix in ("population", "sample"):
        found = covariance.ESTIMATORS[suffix](returns, centred=centred)
        name = "sample_cov_population" if suffix == "population" else "sample_cov"
        case.answer(name, found.matrix, "rel")


def _returns(case: Case, given: Mapping[str, Any]) -> Array:
    """Returns of the price columns, simple unless the file says log."""
    table = case.table(given.get("data", ""))
    prices = np.column_stack([table[name] for name in given.get("columns", table)])
    first, end = given.get("rows", (0, len(prices)))
    growth = prices[first + 1 : end] / prices[first : end - 1]
    return np.log(growth) if "log" in given.get("returns", "simple") else growth - 1.0


def online_portfolio(case: Case) -> None:
    """Portfolios that learn, beside constant mixes and buying once."""
    table = case.table()
    for name, pair in case.expected.get("pairs", {}).items():
        _universal(case, name, pair["columns"], table)
    everything = np.column_stack(list(table.values()))
    count = everything.shape[1]
    uniform = allocation.equal(count)
    for name in case.expected:
        if match := re.fullmatch(rf"eg_(\d)(\d+)_all{count}", name):
            found = online.exponentiated_gradient(everything, float(f"{match[1]}.{match[2]}"))
            case.answer(name, found.wealth[-1], "rel")
            # Printed to two decimals, which is coarser than the files' tolerance.
            case.answer("eg_printed", round(float(found.wealth[-1]), 2), "printed_rel")
    mixed = online.constant_mix(everything, uniform)
    case.answer(f"uniform_crp_all{count}", mixed, "rel")
    held = online.buy_and_hold(everything, uniform)
    case.answer(f"equal_buy_hold_all{count}", held, "rel")


def _universal(case: Case, name: str, columns: list[str], table: Mapping[str, Array]) -> None:
    step = re.search(r"b=0,([\d.]+)", case.inputs.get("grid", ""))
    steps = round(1 / float(step[1])) if step else 20
    found = online.universal(np.column_stack([table[each] for each in columns]), steps=steps)
    points = len(found.grid)
    case.answer(("pairs", name, "columns"), columns, "rel")
    case.answer(("pairs", name, f"universal_{points}_grid"), found.wealth[-1], "rel")
    case.answer(("pairs", name, f"best_crp_{points}_grid"), found.best_wealth, "rel")
    case.answer(("pairs", name, "universal_printed"), found.wealth[-1], "printed_rel")


def intervals(case: Case) -> None:
    """Wilson intervals, and the Beta belief after wins and losses."""
    confidence = case.inputs.get("confidence", 0.95)
    found = [
        list(proportions.wilson(wins, trials, confidence=confidence))
        for wins, trials in case.inputs.get("cases", ())
    ]
    case.answer("wilson", found, "abs")
    case.answer("printed", found, "printed_abs")
    if "beta" not in case.inputs:
        return
    given = case.inputs["beta"]
    belief = proportions.Beta(*given["prior"]).after(given["wins"], given["losses"])
    case.answer("beta_mean", belief.mean, "abs")
    case.answer("beta_variance", belief.variance, "abs")
    case.answer("beta_prob_below_half", belief.chance_below(0.5), "abs")
    case.answer("beta_prob_above_half", 1.0 - belief.chance_below(0.5), "abs")
    for name in case.expected:
        if match := re.fullmatch(r"beta_q(\d+)", name):
            case.answer(name, belief.quantile(float(f"0.{match[1]}")), "abs")


METHODS = {
    "kelly": fractions,
    "equal_risk_contribution": equal_risk,
    "covariance_shrinkage": shrinkage,
    "online_portfolio": online_portfolio,
    "proportion_intervals": intervals,
}
