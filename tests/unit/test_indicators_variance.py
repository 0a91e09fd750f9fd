# SPDX-License-Identifier: Apache-2.0
"""Variance from returns, step by step, against its formulas written down plainly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean import indicators as ind
from hean.errors import ParameterInvalid
from hean.filters import GarchParameters

RETURNS = st.lists(st.floats(-0.2, 0.2), min_size=10, max_size=80)


@given(RETURNS, st.integers(2, 9))
def test_realised_variance_and_its_part_without_jumps(values: list[float], period: int) -> None:
    column = np.array(values)
    realized, bipower, jumps = ind.RealizedVariance(period).batch(column)
    for at in range(period - 1, len(values)):
        window = np.abs(column[at + 1 - period : at + 1])
        squares, products = window @ window, math.pi / 2 * (window[1:] @ window[:-1])
        assert realized[at] == pytest.approx(squares, abs=1e-15)
        assert bipower[at] == pytest.approx(products, abs=1e-15)
        assert jumps[at] == pytest.approx(max(squares - products, 0.0), abs=1e-15)
    assert np.isnan(realized[: period - 1]).all()


def test_bipower_variation_hardly_sees_a_jump() -> None:
    random = np.random.default_rng(1)
    quiet = 0.001 * random.standard_normal(288)
    jump = quiet.copy()
    jump[100] += 0.05
    (_, before, none), (realized, after, jumps) = (
        ind.RealizedVariance(288).batch(column)[:, -1] for column in (quiet, jump)
    )
    assert realized == pytest.approx(after + jumps) and jumps > 0.8 * 0.05**2
    assert none < 0.2 * before and after < 2 * before


def test_a_window_of_one_return_has_no_neighbours() -> None:
    with pytest.raises(ParameterInvalid):
        ind.RealizedVariance(1)


@given(RETURNS, st.floats(0.1, 1e4))
def test_on_even_time_the_timed_average_is_the_plain_one(values: list[float], tau: float) -> None:
    elapsed = np.full(len(values), 60.0)
    timed = ind.TimedEwmaVariance(tau).batch(np.array(values), elapsed)
    plain = ind.EwmaVariance(min(math.exp(-60.0 / tau), 1 - 1e-16)).batch(np.array(values))
    assert timed == pytest.approx(plain, rel=1e-9, abs=1e-15)


def test_a_pause_makes_the_newest_return_count_for_more() -> None:
    short, long = ind.TimedEwmaVariance(1_800.0), ind.TimedEwmaVariance(1_800.0)
    for average, pause in ((short, 1.0), (long, 3_600.0)):
        average.update(0.01, 0.0)
        average.update(0.03, pause)
    assert short.value == pytest.approx(1e-4, rel=0.01)
    assert long.value == pytest.approx(1e-4 * math.exp(-2) + 9e-4 * (1 - math.exp(-2)))
    before = long.value
    assert long.update(0.5, -5.0) == before  # a clock that ran back


def test_an_exponential_average_is_a_garch_without_a_constant() -> None:
    column = np.random.default_rng(2).normal(0, 0.01, 200)
    parameters = GarchParameters(omega=0.0, alpha=0.06, beta=0.94)
    garch = ind.GarchVariance(parameters, 1e-4)
    assert garch.next_variance == pytest.approx(1e-4)
    average = ind.EwmaVariance(0.94, initial=1e-4).batch(column)
    assert garch.batch(column) == pytest.approx(average, rel=1e-12)


FUNDING = (0, 480, 960)
WEEK = 7 * 1_440


def slot(minute: int, width: int) -> tuple[str, int]:
    if minute % 1_440 in FUNDING:
        return "funding", minute % WEEK
    return "plain", minute % WEEK // width


def plain_factors(minutes: list[int], values: list[float], width: int, weeks: int) -> list[float]:
    """Factors from all earlier rows, gathered anew for each; level as of the day's begin."""
    factors, level, day = [], math.nan, -1
    for at, minute in enumerate(minutes):
        rows: dict[tuple[str, int], list[tuple[int, float]]] = {}
        for then, value in zip(minutes[:at], values[:at], strict=True):
            rows.setdefault(slot(then, width), []).append((then, abs(value)))
        medians = {}
        for name, seen in rows.items():
            newest = [size for then, size in seen if then >= seen[-1][0] - weeks * WEEK]
            if len(newest) > 1:
                medians[name] = float(np.median(newest[-weeks * width :]))
        if minute // 1_440 != day:
            day = minute // 1_440
            level = float(np.mean(list(medians.values()))) if medians else math.nan
        factor = medians.get(slot(minute, width), math.nan) / level if level else math.nan
        factors.append(max(factor, 0.2) if math.isfinite(factor) else 1.0)
    return factors


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([60, 240, 1_440]), st.integers(1, 2))
def test_the_profile_equals_medians_of_what_came_before(seed: int, width: int, weeks: int) -> None:
    random = np.random.default_rng(seed)
    minutes = np.cumsum(random.choice([60, 120, 480], size=150)).tolist()
    values = random.normal(0, 0.01, 150).tolist()
    profile = ind.IntradayProfile(width, weeks=weeks, funding_minutes=FUNDING)
    scaled, factors = profile.batch(np.array(minutes, dtype=float), np.array(values))
    expected = plain_factors(minutes, values, width, weeks)
    assert factors == pytest.approx(expected, rel=1e-12)
    assert scaled == pytest.approx(np.array(values) / expected, rel=1e-12)


def test_coming_factors_are_those_of_the_coming_rows() -> None:
    profile = ind.IntradayProfile(60, funding_minutes=FUNDING)
    minutes = np.arange(0, 2 * WEEK, 30)
    random = np.random.default_rng(3)
    profile.batch(minutes.astype(float), random.normal(0, 0.01, len(minutes)))
    ahead = profile.factors(2 * WEEK, 30, 48)
    assert len(ahead) == 48
    assert profile.update(2.0 * WEEK, 0.01) == pytest.approx(0.01 / profile.factor)
    assert ind.IntradayProfile().factors(-(2**62), 1, 3).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "given_",
    [{"slot_minutes": 0}, {"slot_minutes": 11}, {"weeks": 0}, {"funding_minutes": (1440,)}],
)
def test_impossible_profiles_are_refused(given_: dict[str, int]) -> None:
    with pytest.raises(ParameterInvalid):
        ind.IntradayProfile(**given_)
