# SPDX-License-Identifier: Apache-2.0
"""Change detectors against exact enumeration, a plain NumPy form, and their own laws."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import norm

from hean.errors import DataInvalid, NumberNotFinite, NumberOutOfRange, ParameterInvalid
from hean.filters import BOCPD, CUSUM, BOCPDKnownVariance, EwmaChart

PRIOR = {"mean": 0.3, "kappa": 0.5, "alpha": 1.5, "beta": 0.7}
MAKERS: dict[str, Any] = {
    "bocpd": lambda: BOCPD(30.0, **PRIOR),
    "bocpd short": lambda: BOCPD(30.0, **PRIOR, run_length_max=20, window=5, prune=1e-4),
    "known": lambda: BOCPDKnownVariance(30.0, variance=2.0, noise=0.5),
    "cusum": lambda: CUSUM(0.1, slack=0.4, limit=3.0),
    "ewma": lambda: EwmaChart(0.3, target=0.1),
}


def series(seed: int, rows: int) -> np.ndarray:
    """Segments of other mean and width."""
    random = np.random.default_rng(seed)
    level = np.repeat(random.normal(0, 3, rows // 25 + 1), 25)[:rows]
    return level + random.normal(0, 1, rows) * random.uniform(0.3, 2)


def marginal(values: np.ndarray) -> float:
    """Log probability of one whole segment with unknown mean and variance."""
    mean, kappa, alpha, beta = PRIOR.values()
    n = len(values)
    if not n:
        return 0.0
    centre = values.mean()
    kappa_n, alpha_n = kappa + n, alpha + n / 2
    beta_n = beta + 0.5 * ((values - centre) ** 2).sum()
    beta_n += kappa * n * (centre - mean) ** 2 / (2 * kappa_n)
    return float(
        gammaln(alpha_n) - gammaln(alpha) + alpha * math.log(beta) - alpha_n * math.log(beta_n)
        + 0.5 * math.log(kappa / kappa_n) - n / 2 * math.log(2 * math.pi)
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_every_run_length_has_the_probability_that_enumeration_gives(seed: int) -> None:
    values, hazard = series(seed, 9), 1 / 7
    detector = BOCPD(7.0, **PRIOR, prune=0.0)
    detector.batch(values)
    weights = np.zeros(len(values) + 1)
    for ends in itertools.product((False, True), repeat=len(values)):
        edges = [0, *(at + 1 for at, is_end in enumerate(ends) if is_end), len(values)]
        log = sum(marginal(values[a:b]) for a, b in itertools.pairwise(edges))
        log += sum(math.log(hazard if is_end else 1 - hazard) for is_end in ends)
        weights[len(values) - edges[-2]] += math.exp(log)
    assert detector.log_evidence == pytest.approx(math.log(weights.sum()), abs=1e-11)
    assert detector.run_length_posterior() == pytest.approx(weights / weights.sum(), abs=1e-12)


def plain(values: np.ndarray, lam: float, longest: int) -> tuple[np.ndarray, float]:
    """The recursion in NumPy: most probable run lengths and log evidence."""
    mean, kappa, alpha, beta = (np.array([value]) for value in PRIOR.values())
    first = tuple(PRIOR.values())
    weight, evidence, modes = np.array([1.0]), 0.0, []
    for value in values:
        spread = 2 * beta * (kappa + 1) / kappa
        log = gammaln(alpha + 0.5) - gammaln(alpha) - 0.5 * np.log(np.pi * spread)
        joint = weight * np.exp(log - (alpha + 0.5) * np.log1p((value - mean) ** 2 / spread))
        total = joint.sum()
        evidence += math.log(total)
        weight = np.concatenate(([1 / lam], joint / total * (1 - 1 / lam)))[: longest + 1]
        weight /= weight.sum()
        beta = beta + kappa * (value - mean) ** 2 / (2 * (kappa + 1))
        mean = (kappa * mean + value) / (kappa + 1)
        mean, kappa = np.r_[first[0], mean][: longest + 1], np.r_[first[1], kappa + 1]
        alpha, beta = np.r_[first[2], alpha + 0.5], np.r_[first[3], beta][: longest + 1]
        kappa, alpha = kappa[: longest + 1], alpha[: longest + 1]
        modes.append(int(np.argmax(weight)))
    return np.array(modes), evidence


@pytest.mark.parametrize(("longest", "lam"), [(500, 100.0), (40, 30.0), (7, 4.0)])
def test_run_lengths_and_evidence_are_those_of_the_plain_recursion(longest, lam) -> None:
    values = series(11, 600)
    detector = BOCPD(lam, **PRIOR, prune=0.0, run_length_max=longest, window=5)
    found = detector.batch(values)
    modes, evidence = plain(values, lam, longest)
    assert np.mean(found[1] == modes) >= 0.999
    assert found[3, -1] == pytest.approx(evidence, abs=1e-8)


def test_known_variance_forecasts_as_a_normal_mean_does() -> None:
    detector = BOCPDKnownVariance(1e12, mean=1.0, variance=4.0, noise=0.5)
    values = np.random.default_rng(3).normal(1.5, 0.7, 40)  # one segment
    precision, mean, evidence = 1 / 4, 1.0, 0.0
    for value in values:
        assert detector.predictive_mean == pytest.approx(mean, abs=1e-9)
        evidence += norm.logpdf(value, mean, math.sqrt(1 / precision + 0.5))
        mean = (precision * mean + value / 0.5) / (precision + 1 / 0.5)
        precision += 1 / 0.5
        detector.update(value)
    assert detector.log_evidence == pytest.approx(evidence, abs=1e-6)


def test_a_run_that_ended_has_the_hazard_whatever_was_observed() -> None:
    detector = BOCPD(50.0, **PRIOR, prune=0.0)
    for value in (*series(1, 30), 1e6, -1e6):
        detector.update(value)
        assert detector.run_length_posterior()[0] == pytest.approx(1 / 50, abs=1e-15)


def test_densities_beyond_the_range_of_floats_are_taken_in_logarithms() -> None:
    detector = BOCPDKnownVariance(20.0, variance=1.0, noise=1.0, prune=0.0)
    for value in (0.0, 0.1, 1e4, 1e4 + 1, -1e90):
        detector.update(value)
        assert np.isfinite(detector.log_evidence)
        assert detector.run_length_posterior().sum() == pytest.approx(1.0, abs=1e-12)
    tiny = BOCPD(20.0, alpha=2.0, beta=1e-90, kappa=1.0, prune=0.0)
    tiny.batch(np.zeros(400))
    assert np.isfinite(tiny.log_evidence) and tiny.map_run_length == 400


@pytest.mark.promise(200)
def test_a_change_is_told_soon_and_calm_is_not() -> None:
    random = np.random.default_rng(2)
    values = random.normal(0, 1, 600)
    values[400:] += 4
    detector = BOCPD(250.0, kappa=0.1, alpha=2.0, beta=2.0)
    short = detector.batch(values)[0]
    assert short[31:400].max() < 0.9
    assert short[400:408].max() > 0.9
    assert detector.map_run_length == pytest.approx(200, abs=2)


@pytest.mark.parametrize("scale", [1e-6, 0.5, 1e7])
def test_units_do_not_matter(scale: float) -> None:
    values = series(5, 200)
    one = BOCPD(60.0, **PRIOR).batch(values)
    prior = {**PRIOR, "mean": PRIOR["mean"] * scale, "beta": PRIOR["beta"] * scale**2}
    other = BOCPD(60.0, **prior).batch(values * scale)
    assert other[:2] == pytest.approx(one[:2], abs=1e-9)
    assert other[2] == pytest.approx(one[2] * scale, rel=1e-9)
    assert other[3, -1] == pytest.approx(one[3, -1] - 200 * math.log(scale), abs=1e-6)


def test_what_is_pruned_is_reported_and_changes_little() -> None:
    values = series(6, 500)
    full = BOCPD(60.0, **PRIOR, prune=0.0)
    cheap = BOCPD(60.0, **PRIOR, prune=1e-6)
    exact, found = full.batch(values), cheap.batch(values)
    assert full.dropped == 0 < cheap.dropped < 0.01
    assert cheap.hypotheses < full.hypotheses == 501
    assert found[0] == pytest.approx(exact[0], abs=0.01)


@pytest.mark.parametrize("name", MAKERS)
def test_batch_is_stream_bit_for_bit_and_a_snapshot_goes_on(name: str) -> None:
    values = series(7, 300)
    whole, stream, later = (MAKERS[name]() for _ in range(3))
    found = whole.batch(values)
    for at, value in enumerate(values):
        if at == 150:
            later.restore(stream.snapshot())
        assert stream.update(value) == found[0, at]
    assert np.array_equal(later.batch(values[150:]), found[:, 150:])
    assert later.snapshot() == stream.snapshot() == whole.snapshot()
    assert stream.n_seen == 300


@pytest.mark.parametrize("name", MAKERS)
def test_bad_input_is_refused_and_changes_nothing(name: str) -> None:
    detector = MAKERS[name]()
    detector.batch(series(8, 50))
    before = detector.snapshot()
    for bad, error in ((math.nan, NumberNotFinite), (math.inf, NumberNotFinite),
                       (1e101, NumberOutOfRange)):  # fmt: skip
        with pytest.raises(error):
            detector.update(bad)
        with pytest.raises(error, match="index 2"):
            detector.batch(np.array([0.0, 1.0, bad]))
    other = "known" if name != "known" else "bocpd"
    for foreign in (b"", before[:-1], before + b"x", MAKERS[other]().snapshot()):
        with pytest.raises(DataInvalid):
            detector.restore(foreign)
    assert detector.snapshot() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"hazard_lambda": 1.0}, {"hazard_lambda": math.nan}, {"kappa": 0.0}, {"alpha": -1.0},
        {"beta": math.inf}, {"mean": math.nan}, {"window": 0}, {"window": 501},
        {"run_length_max": 0}, {"prune": -1e-9}, {"prune": 0.5},
    ],
)  # fmt: skip
def test_parameters_without_meaning_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterInvalid):
        BOCPD(**wrong)


def test_young_detectors_are_not_ready() -> None:
    detector = BOCPD(100.0, window=10)
    ready = []
    for value in series(9, 30):
        detector.update(value)
        ready.append(detector.ready())
    assert ready == [False] * 20 + [True] * 10  # the first two windows are not listened to


def test_cusum_and_chart_are_their_formulas() -> None:
    values = series(10, 200)
    cusum, chart = CUSUM(0.2, slack=0.3, limit=4.0), EwmaChart(0.25, target=0.2, deviation=1.5)
    upper = lower = 0.0
    smoothed = 0.2
    for value in values.tolist():
        upper, lower = max(0.0, upper + value - 0.2 - 0.3), max(0.0, lower + 0.2 - value - 0.3)
        smoothed = 0.25 * value + 0.75 * smoothed
        cusum.update(value)
        chart.update(value)
        assert (cusum.upper, cusum.lower) == pytest.approx((upper, lower), rel=1e-12)
        assert cusum.alarm == (upper > 4.0) - (lower > 4.0)
        assert chart.value == pytest.approx(smoothed, abs=1e-12)
        low, high = chart.limits
        assert chart.alarm == (smoothed > high) - (smoothed < low)
    half = 3 * 1.5 * math.sqrt(0.25 / 1.75)
    assert chart.limits == pytest.approx((0.2 - half, 0.2 + half), abs=1e-12)
