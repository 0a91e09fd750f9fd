# SPDX-License-Identifier: Apache-2.0
"""Change points, control charts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from hean.errors import DataInvalid
from hean.filters import BOCPD, CUSUM, BOCPDKnownVariance, EwmaChart
from hean.quant.segmentation import (
    break_interval,
    changes_of_runs,
    covering,
    detection_scores,
    mean_breaks,
)
from hean.references.case import Case
from hean.references.transform import evaluate

Array = np.ndarray[Any, np.dtype[np.float64]]

SHORT, MAP, PREDICTED, EVIDENCE, HYPOTHESES = range(5)  # rows of a detector's batch
LEAD_ROWS = 120  # how long before an event an alarm still belongs to it
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)

Detector = Callable[..., BOCPD | BOCPDKnownVariance]


def bocpd_nig(case: Case) -> None:
    """Mean and variance unknown: Student-t forecasts."""
    prior = case.inputs["prior"]

    def detector(**setting: Any) -> BOCPD:
        return BOCPD(
            case.inputs["hazard_lambda"],
            mean=prior["mu0"],
            kappa=prior["kappa0"],
            alpha=prior["alpha0"],
            beta=prior["beta0"],
            **setting,
        )

    _detect(case, _observations(case), detector)


def bocpd_known_variance(case: Case) -> None:
    """Mean unknown: Gaussian forecasts."""
    inputs = case.inputs

    def detector(**setting: Any) -> BOCPDKnownVariance:
        return BOCPDKnownVariance(
            inputs["hazard_lambda"],
            mean=inputs["mean0"],
            variance=inputs["var0"],
            noise=inputs["varx"],
            **setting,
        )

    _detect(case, _observations(case), detector)


def _observations(case: Case) -> Array:
    if "y" in case.inputs:
        return np.asarray(case.inputs["y"], dtype=np.float64)
    return case.series()


def _detect(case: Case, series: Array, make: Detector) -> None:
    """Answer what is expected of a detector over *series*."""
    rows = len(series)
    full = {
        "run_length_max": int(case.inputs.get("run_length_max", rows)),
        "prune": float(case.inputs.get("prune_eps", 0.0)),
        "window": 1,
    }
    if "run_length_posterior_by_t" in case.expected:
        _posteriors(case, series, make(**full))
    detector = make(**full)
    found = detector.batch(series)
    posterior = detector.run_length_posterior()
    runs = found[MAP]
    for name in case.expected:
        if name.startswith("map_run_length"):
            case.answer(name, runs.astype(int), "map_exact", "prob_abs")
        elif re.fullmatch(r"(run_length_posterior_last|final)_top\d*", name):
            case.answer(name, posterior, "prob_abs")
        elif match := re.fullmatch(r"prob_run_shorter_than_(\d+)(_by_t)?", name):
            short = make(**{**full, "window": int(match[1])}).batch(series)[SHORT]
            case.answer(name, short, "prob_abs")
        elif match := re.fullmatch(r"log_evidence_first_(\d+)_exact", name):
            exact = make(**{**full, "prune": 0.0}).batch(series[: int(match[1])])
            case.answer(name, exact[EVIDENCE, -1], "log_evidence_exact_abs")
    case.answer("n", rows, "exact", "alarm_rows_abs")
    case.answer("log_evidence", found[EVIDENCE, -1], "log_evidence_abs")
    case.answer("log_evidence_total", found[EVIDENCE, -1], "log_evidence_abs")
    case.answer("log_evidence_by_t", found[EVIDENCE], "log_evidence_abs")
    case.answer("predictive_mean", found[PREDICTED], "prob_abs")
    _cheaper(case, series, make, full)
    _segments(case, runs, series)
    if "alarm" in case.inputs:
        _alarms(case, series, make, full)


def _posteriors(case: Case, series: Array, detector: BOCPD | BOCPDKnownVariance) -> None:
    """The whole belief after each row, counted from one."""
    found = {}
    for row, value in enumerate(series.tolist(), 1):
        detector.update(value)
        found[str(row)] = detector.run_length_posterior()
    case.answer("run_length_posterior_by_t", found, "prob_abs")


def _cheaper(case: Case, series: Array, make: Detector, full: dict[str, Any]) -> None:
    """Truncated and pruned forms."""
    for name in case.expected:
        if match := re.fullmatch(r"truncated_K(\d+)_log_evidence", name):
            short = make(**{**full, "run_length_max": int(match[1])}).batch(series)
            case.answer(name, short[EVIDENCE, -1], "truncated_log_evidence_abs")
        elif match := re.fullmatch(r"pruned_eps1e-?(\d+)_log_evidence", name):
            pruned = make(**{**full, "prune": 10.0 ** -int(match[1])}).batch(series)
            case.answer(name, pruned[EVIDENCE, -1], "pruned_log_evidence_abs")
            kept = pruned[HYPOTHESES]
            # Counts of what is above the threshold: the files name no tolerance of their own.
            case.answer(
                "pruned_mean_hypotheses", kept.mean(), "hypotheses_abs", "f1_abs", "prob_abs"
            )
            case.answer("pruned_max_hypotheses", kept.max(), "hypotheses_abs", "f1_abs", "prob_abs")


def _segments(case: Case, runs: Array, series: Array) -> None:
    """Where the series changed in hindsight, and how well others agree."""
    changes = changes_of_runs(runs)
    case.answer("map_segmentation", changes, "map_exact")
    last = int(len(runs) - runs[-1])
    case.answer("change_index_from_final_map", last, "change_index_abs")
    case.answer("published_change_index", last, "change_index_abs")
    if case.wants("strucchange"):
        breaks = mean_breaks(series)
        case.answer(("strucchange", "bp"), breaks, "change_index_abs")
        lower, upper = break_interval(series, breaks)
        case.answer(("strucchange", "ci"), [lower, breaks[0], upper], "change_index_abs")
    annotations = list(case.inputs.get("annotations", {}).values())
    for name in case.expected if annotations else ():
        if match := re.fullmatch(r"f1_margin(\d+)", name):
            f1, precision, recall = detection_scores(annotations, changes, int(match[1]))
            case.answer(name, f1, "f1_abs")
            case.answer("precision", precision, "f1_abs")
            case.answer("recall", recall, "f1_abs")
    if annotations:
        case.answer("covering", covering(annotations, changes, len(runs)), "f1_abs")


def _alarms(case: Case, series: Array, make: Detector, full: dict[str, Any]) -> None:
    """When the alarm `P(r_t<w)>threshold for t>=first` rang, and how long before an event."""
    rule = re.fullmatch(
        r"P\(r_t<(\d+)\)>([\d.]+)(?: for t>=(\d+))?", case.inputs["alarm"].replace("_t <", "_t<")
    )
    if rule is None:
        raise DataInvalid(f"alarm {case.inputs['alarm']!r} is not 'P(r_t<w)>threshold for t>=n'.")
    window, threshold, first = int(rule[1]), float(rule[2]), int(rule[3] or 2 * int(rule[1]))
    short = make(**{**full, "window": window}).batch(series)[SHORT]
    rows = np.flatnonzero(short > threshold)
    rows = rows[rows >= first]
    case.answer("prob_short", short, "prob_abs")
    case.answer("alarm_minutes_total", len(rows), "alarm_rows_abs")
    for name in case.expected:
        if match := re.fullmatch(r"alarm_minutes_(\d+)_([a-z]+)", name):
            day = f"{MONTHS.index(match[2]) + 1:02}-{int(match[1]):02}"
            dates = case.words(0)
            count = sum(dates[row][5:10] == day for row in rows)
            case.answer(name, count, "alarm_rows_abs")
        elif match := re.fullmatch(r"first_row_ratio_below_(\d+)_(\d+)", name):
            event = _first_below(case, float(f"{match[1]}.{match[2]}"))
            case.answer(name, event, "alarm_rows_abs")
            _lead(case, rows, event)


def _first_below(case: Case, bound: float) -> int:
    """First row at which the ratio within the transform's logarithm is below *bound*."""
    inner = re.search(r"(?:ln|log)\((.*)\)", case.inputs["transform"])
    if inner is None:
        raise DataInvalid(f"transform {case.inputs['transform']!r} holds no ratio.")
    return int(np.flatnonzero(evaluate(inner[1], case.table()) < bound)[0])


def _lead(case: Case, rows: np.ndarray[Any, np.dtype[np.int64]], event: int) -> None:
    """The first alarm that belongs to the event."""
    for name in case.expected:
        match = re.fullmatch(r"first_alarm_row_within_(\d+)_rows_before", name)
        reach = int(match[1]) if match else LEAD_ROWS
        if match or name == "alarm_lead_rows":
            near = rows[(rows >= event - reach) & (rows <= event)]
            alarm = int(near[0]) if len(near) else -1
            case.answer(name, alarm if match else event - alarm, "alarm_rows_abs")


def tabular_cusum(case: Case) -> None:
    """Montgomery's two-sided CUSUM."""
    inputs = case.inputs
    chart = CUSUM(inputs["mu0"], slack=inputs["K"], limit=inputs["H"])
    found = chart.batch(np.asarray(inputs["x"], dtype=np.float64))
    for row, name in enumerate(("c_plus", "c_minus", "n_plus", "n_minus")):
        case.answer(name, found[row], "abs")
    alarms = np.flatnonzero(found[4])
    first = int(alarms[0]) + 1 if len(alarms) else None
    case.answer("first_alarm_one_based", first, "abs")


def ewma_chart(case: Case) -> None:
    """NIST's chart; the series begins with the target."""
    inputs = case.inputs
    chart = EwmaChart(
        inputs["lam"], target=inputs["target"], deviation=inputs["s"], width=inputs["L"]
    )
    smoothed = chart.batch(np.asarray(inputs["x"], dtype=np.float64))[0]
    series = np.concatenate(([inputs["target"]], smoothed))
    case.answer("ewma", series, "abs")
    case.answer("printed", series, "printed_abs")
    lower, upper = chart.limits
    case.answer("lcl", lower, "abs")
    case.answer("ucl", upper, "abs")
    beyond = np.flatnonzero((smoothed < lower) | (smoothed > upper))
    case.answer("first_alarm_one_based", int(beyond[0]) + 1 if len(beyond) else None, "abs")


METHODS = {
    "bocpd_nig_constant_hazard": bocpd_nig,
    "bocpd_gaussian_known_variance": bocpd_known_variance,
    "tabular_cusum": tabular_cusum,
    "ewma_chart": ewma_chart,
}
