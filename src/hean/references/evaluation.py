# SPDX-License-Identifier: Apache-2.0
"""Statistics of evaluation: Sharpe ratios, overfitting, superiority, splits, performance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hean.errors import DataInvalid
from hean.quant import performance
from hean.quant.bootstrap import optimal_block
from hean.quant.cross_validation import combinatorial_splits, path_count, walk_forward
from hean.quant.overfitting import backtest_overfitting, superior_predictive_ability
from hean.quant.sharpe import (
    CONFIDENCE,
    deflated_sharpe,
    expected_maximum,
    expected_maximum_sharpe,
    min_track_record,
    probabilistic_sharpe,
)
from hean.references.case import Array, Case

MONTHLY = 12
CALENDARS = (MONTHLY, 52, 250, 252, 365)  # periods of a year: months, weeks, days three ways


def sharpe_confidence(case: Case) -> None:
    """Probabilistic Sharpe ratio and minimum track record of each row."""
    probable = [
        probabilistic_sharpe(float(row["sr"]), int(row["T"]), **_shape(row))
        for row in case.inputs.get("psr", ())
    ]
    needed = [
        min_track_record(
            float(row["sr"]), **_shape(row), probability=float(row.get("prob", CONFIDENCE))
        )
        for row in case.inputs.get("min_trl_periods", ())
    ]
    case.answer("psr", probable, "abs", "psr_rel")
    case.answer("psr_printed", probable, "printed_abs")
    case.answer("min_trl_periods", needed, "abs", "min_trl_rel")
    rows = case.inputs.get("min_trl_periods", ())
    years = [_years(periods, row, case) for periods, row in zip(needed, rows, strict=True)]
    case.answer("min_trl_years_printed", years, "printed_abs")


def _shape(row: Any) -> dict[str, float]:
    return {
        "skew": float(row.get("skew", 0.0)),
        "kurt": float(row.get("kurt", 3.0)),
        "benchmark": float(row.get("benchmark", 0.0)),
    }


def _years(periods: float | None, row: Any, case: Case) -> float | None:
    """Periods as years. How many make a year is what the row or the file states; where neither
    does, the ratios tell: annual ones are given as round figures, so it is the calendar by which
    ratio and benchmark are. A row whose ratio was measured is monthly, as Bailey and Lopez de Prado
    take hedge fund indices; *Source*: The Sharpe Ratio Efficient Frontier, 2012, section 5.
    """
    if periods is None:
        return None
    stated = row.get("periods_per_year", case.inputs.get("periods_per_year"))
    if stated is not None:
        return periods / float(stated)
    given = [float(row["sr"]), float(row.get("benchmark", 0.0))]
    fits = [year for year in CALENDARS if all(_is_round(x * math.sqrt(year)) for x in given)]
    return periods / (fits[0] if fits else MONTHLY)


def _is_round(ratio: float) -> bool:
    """Whether it was written down with one decimal at most."""
    return math.isclose(ratio, round(ratio, 1), rel_tol=0, abs_tol=1e-9)


def deflated(case: Case) -> None:
    """Deflated Sharpe ratio for each number of trials."""
    given = case.inputs
    year = float(given.get("periods_per_year", 1))
    ratio = float(given["sr_annual"]) / math.sqrt(year)
    variance = float(given["var_sr_annual"]) / year
    count, shape = int(given["T"]), {"skew": float(given["skew"]), "kurt": float(given["kurt"])}
    trials = [float(n) for n in np.atleast_1d(given["N"])]
    chances = [deflated_sharpe(ratio, count, variance=variance, trials=n, **shape) for n in trials]
    case.answer("sr0_daily", [expected_maximum_sharpe(variance, n) for n in trials], "abs")
    case.answer("dsr", chances, "abs")
    case.answer("dsr_printed", chances, "printed_abs")
    case.answer("psr_vs_zero", probabilistic_sharpe(ratio, count, **shape), "abs")
    for name in case.expected:
        words = name.split("_")
        if name.startswith("expected_max_of_") and len(words) > 3 and words[3].isdigit():
            case.answer(name, expected_maximum(float(words[3])), "abs")


def overfitting(case: Case) -> None:
    """CSCV over the columns of the data."""
    metric = str(case.inputs.get("metric", "sharpe"))
    returns = _returns(case)
    first, end = case.inputs.get("rows", (0, len(returns)))
    found = backtest_overfitting(
        returns[first:end],
        blocks=int(case.inputs["S"]),
        metric="sharpe" if "sd" in metric or "sharpe" in metric else "mean",
    )
    case.answer("pbo", found.probability, "pbo_abs")
    case.answer("prob_oos_loss", found.loss_probability, "pbo_abs")
    case.answer("n_combinations", found.logits.size, "pbo_abs")
    case.answer("degradation_slope", found.slope, "slope_rel")
    case.answer("degradation_intercept", found.intercept, "slope_rel")
    logits = found.logits
    case.answer("logit_mean", float(logits.mean()), "logit_abs")
    case.answer("logit_median", float(np.median(logits)), "logit_abs")
    case.answer("logit_min", float(logits.min()), "logit_abs")
    case.answer("logit_max", float(logits.max()), "logit_abs")
    case.answer("logits", found.logits, "logit_abs")
    for name in case.expected:
        count = name.removeprefix("first").removesuffix("_logits")
        if name.startswith("first") and count.isdigit():
            case.answer(name, found.logits[: int(count)], "logit_abs")


def superiority(case: Case) -> None:
    """Reality check and SPA of models against a benchmark, studentised and not. The optimal block
    is that of the model which is best over the whole file, whatever rows are tested.
    """
    models = np.log1p(_returns(case))
    differentials = models - np.log(np.exp(models).mean(axis=1))[:, np.newaxis]
    first, end = case.inputs.get("rows", (0, len(models)))
    leader = int(differentials.mean(axis=0).argmax())
    differentials = differentials[first:end]
    case.answer("optimal_block_stationary", optimal_block(differentials[:, leader]), "block_rel")
    block, draws = float(case.inputs["block_size"]), int(case.inputs.get("reps", 10_000))
    for name, is_studentised in (("unstudentised", False), ("studentised", True)):
        found = superior_predictive_ability(
            differentials, is_studentised=is_studentised, block=block, draws=draws
        )
        values = {"lower": found.lower, "consistent": found.consistent, "upper": found.upper}
        case.answer(f"pvalues_{name}", values, "pvalue_abs")
        for kind, value in values.items():
            case.answer((f"pvalues_{name}", kind), value, "pvalue_abs")
        if is_studentised:
            case.answer("studentised_statistic", found.statistic, "statistic_rel")
        else:
            case.answer("argmax", found.best, "statistic_rel")
            case.answer("rc_statistic", found.statistic, "statistic_rel")
            case.answer("max_mean_differential", found.mean, "statistic_rel")


def _returns(case: Case) -> Array:
    """All rows and columns of the data as simple returns."""
    table = np.column_stack(list(case.table().values()))
    kind = str(case.inputs.get("returns", "relative-1"))
    return table if kind in ("as is", "returns", "simple") else table - 1.0


def splits(case: Case) -> None:
    """Combinatorial purged cross-validation, its paths, and walk-forward."""
    made = [
        [
            {"train": split.train.tolist(), "test": [block.tolist() for block in split.test]}
            for split in combinatorial_splits(
                int(given["n"]),
                int(given["folds"]),
                int(given["test_folds"]),
                purge=int(given.get("purge", 0)),
                embargo=int(given.get("embargo", 0)),
            )
        ]
        for given in case.inputs.get("cases", ())
    ]
    case.answer("splits", made, "exact")
    counts = [
        path_count(int(c["folds"]), int(c["test_folds"])) for c in case.inputs.get("cases", ())
    ]
    case.answer("paths", counts, "exact")
    if "walk_forward" in case.inputs:
        given = case.inputs["walk_forward"]
        steps = walk_forward(
            int(given["n"]),
            train=int(given["train"]),
            test=int(given["test"]),
            purge=int(given.get("purge", 0)),
            is_growing=bool(given.get("expanding", False)),
        )
        walked = [{"train": s.train.tolist(), "test": s.test[0].tolist()} for s in steps]
        case.answer("walk_forward", walked, "exact")
    case.answer("formula", "splits=C(N,k), paths=C(N,k)*k/N", "exact")


def performance_figures(case: Case) -> None:
    """Sharpe, drawdown, Sortino and Omega of Chan's pair and of printed lists."""
    given = case.inputs
    if "data" in given:
        _pair(case)
    if "sortino_returns" in given:
        values = np.asarray(given["sortino_returns"], dtype=np.float64)
        target = float(given.get("sortino_target", 0.0))
        case.answer("sortino", performance.sortino(values, periods=1, target=target), "abs")
    if "omega_returns" in given:
        values = np.asarray(given["omega_returns"], dtype=np.float64)
        threshold = float(given.get("omega_threshold", 0.0))
        case.answer("omega", performance.omega(values, threshold=threshold), "abs")


def _pair(case: Case) -> None:
    """The first price column alone, financed, and hedged with half of it in the second one."""
    year = float(case.inputs.get("periods_per_year", 252))
    rate = float(case.inputs.get("risk_free_annual", 0.04)) / year
    columns = case.table()
    if len(columns) < 2:
        raise DataInvalid(f"{case.name}: two price columns are needed.")
    names = list(columns)[:2]
    long, short = (np.diff(columns[name]) / columns[name][:-1] for name in names)
    net = (long - short) / 2
    ratios: dict[str, float | None] = {}
    for words, ddof in (("sample", 1), ("population", 0)):
        single = performance.sharpe(long, periods=year, risk_free=rate, ddof=ddof)
        hedged = performance.sharpe(net, periods=year, ddof=ddof)
        ratios |= {f"{names[0].lower()}_{words}": single, f"net_{words}": hedged}
        case.answer(f"sharpe_{names[0].lower()}_{words}_sd", single, "abs")
        case.answer(f"sharpe_net_{words}_sd", hedged, "abs")
    printed = [ratios[f"{names[0].lower()}_sample"], ratios["net_sample"]]
    case.answer("printed", printed, "printed_abs")
    equity = np.asarray(np.cumprod(1.0 + net), dtype=np.float64)
    deepest = performance.max_drawdown(equity)
    case.answer("max_drawdown", None if deepest is None else -deepest, "abs")
    case.answer("max_drawdown_duration", performance.longest_underwater(equity), "abs")


METHODS = {
    "psr+min_track_record": sharpe_confidence,
    "deflated_sharpe": deflated,
    "cscv_pbo": overfitting,
    "hansen_spa+white_rc": superiority,
    "combinatorial_purged_cv": splits,
    "performance_metrics": performance_figures,
}
