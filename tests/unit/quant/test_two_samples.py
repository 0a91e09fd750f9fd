# SPDX-License-Identifier: Apache-2.0
"""Two samples of one population differ as often as their p-values say; scipy answers the same."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import special, stats

from hean.errors import DataInvalid, NumberNotFinite, ParameterInvalid
from hean.quant import two_samples
from hean.quant.drift import cusum_limit, cusum_path, cusum_run_length


@pytest.fixture
def draws() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(17))


def test_anderson_darling_has_the_statistic_and_the_table_of_scipy(draws):
    for shift in (0.3, 0.5, 0.7):
        one, two = draws.normal(size=60), draws.normal(shift, 1.0, 90)
        ours = two_samples.anderson_darling(one, two)
        theirs = stats.anderson_ksamp([one, two], variant="midrank")
        assert ours.statistic == pytest.approx(theirs.statistic)
        if 0.001 < theirs.pvalue < 0.25:
            assert ours.p_value == pytest.approx(theirs.pvalue, rel=0.15)


@pytest.mark.parametrize(
    ("value", "chance"), [(1.933, 0.10), (2.492, 0.05), (3.070, 0.025), (3.857, 0.01)]
)
def test_limit_law_has_the_printed_percentage_points(value, chance):
    # Points of A² for a known distribution: Stephens 1974, the same law.
    assert two_samples.anderson_darling_chance(value) == pytest.approx(chance, rel=0.05)


def test_chance_falls_and_knows_no_floor():
    chances = [two_samples.anderson_darling_chance(value) for value in np.arange(-1.0, 40.0, 0.5)]
    assert chances[0] == 1.0
    assert all(one >= other for one, other in itertools.pairwise(chances))
    assert 0.0 < chances[-1] < 1e-15


@pytest.mark.parametrize("kind", ["continuous", "tied"])
def test_anderson_darling_is_wrong_as_often_as_it_says(draws, kind):
    def sample(size):
        return draws.normal(size=size) if kind == "continuous" else draws.geometric(0.4, size)

    found = np.array(
        [two_samples.anderson_darling(sample(25), sample(300)).p_value for _ in range(600)]
    )
    assert (found < 0.05).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)
    other = two_samples.anderson_darling(draws.geometric(0.2, 60), draws.geometric(0.4, 300))
    assert other.p_value < 1e-3
    assert two_samples.anderson_darling([3.0, 3.0], [3.0] * 5).p_value == 1.0


def test_rates_are_the_exact_conditional_test(draws):
    for events, before in ((3, 100), (14, 200), (40, 200), (0, 60)):
        found = two_samples.rates(events, 14, before, 140)
        share = 14 / 154
        below = special.bdtr(events, events + before, share)
        above = special.bdtrc(events - 1, events + before, share) if events else 1.0
        assert found.p_value == pytest.approx(min(1.0, 2 * min(below, above)))
        assert found.statistic == pytest.approx(events * 10 / before)
    assert two_samples.rates(0, 14, 0, 140).p_value == 1.0
    clustered = two_samples.rates(40, 14, 200, 140, dispersion=4.0)
    assert clustered.p_value > two_samples.rates(40, 14, 200, 140).p_value
    with pytest.raises(ParameterInvalid):
        two_samples.rates(1, 0, 1, 10)
    with pytest.raises(ParameterInvalid):
        two_samples.rates(1, 1, 1, 10, dispersion=0.5)


def test_bins_are_wrong_as_often_as_they_say(draws):
    chances = np.empty(800)
    for at in range(len(chances)):
        one, two = (draws.multinomial(size, [0.1] * 10) for size in (900, 400))
        chances[at] = two_samples.binned(one, two).p_value
    assert (chances < 0.05).mean() == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 800))
    assert two_samples.binned([300.0] * 10, [50.0] * 9 + [200.0]).p_value < 1e-9


def test_a_lower_mean_has_the_chance_that_scipy_gives_it(draws):
    for shift in (-0.4, 0.0, 0.3):
        one, two = draws.normal(shift, 2.0, 35), draws.normal(0.0, 1.0, 90)
        told = [(it.mean(), it.std(ddof=1), len(it)) for it in (one, two)]
        theirs = stats.ttest_ind(one, two, equal_var=False, alternative="less")
        assert two_samples.lower(*told).statistic == pytest.approx(theirs.statistic)
        assert two_samples.lower(*told).p_value == pytest.approx(theirs.pvalue)
    few, many = (two_samples.lower((-0.3, 1.0, size), (0.0, 1.0, 1e4)) for size in (30.5, 300))
    assert many.p_value < 1e-6 < few.p_value
    with pytest.raises(ParameterInvalid, match="two of each"):
        two_samples.lower((0.0, 1.0, 1), (0.0, 1.0, 10))
    with pytest.raises(ParameterInvalid, match="above 0"):
        two_samples.lower((0.0, 1.0, 5), (0.0, 0.0, 10))


def test_memory_is_that_of_an_autoregression(draws):
    shocks = draws.normal(size=60_000)
    values = np.empty_like(shocks)
    values[0] = shocks[0]
    for at in range(1, len(shocks)):
        values[at] = 0.8 * values[at - 1] + shocks[at]
    assert two_samples.memory(values) == pytest.approx(1.8 / 0.2, rel=0.15)
    assert two_samples.memory(shocks) == pytest.approx(1.0, abs=0.1)
    assert two_samples.memory(np.ones(10)) == 1.0


# Simulated one-sided run lengths of quant/methods 4.2 and 17.5.
@pytest.mark.parametrize(
    ("slack", "limit", "shift", "length"),
    [
        (0.25, 8.0, 0.0, 727),
        (0.25, 10.0, 0.0, 2059),
        (0.5, 5.0, 0.0, 914),
        (0.125, 12.0, 0.0, 721),
        (0.25, 8.0, 0.25, 83),
        (0.25, 8.0, 0.5, 29),
        (0.5, 5.0, 1.0, 10.6),
        (0.05, 23.8, 0.1, 311),
        (0.105, 17.0, 0.21, 127),
        (0.155, 13.4, 0.31, 71),
        (0.26, 9.4, 0.52, 33),
        (0.525, 5.4, 1.05, 11),
        (1.05, 2.8, 2.1, 3.4),
    ],
)
def test_run_lengths_are_the_simulated_ones(slack, limit, shift, length):
    assert cusum_run_length(slack, limit, shift) == pytest.approx(length, rel=0.05)


def test_limit_is_the_inverse_and_the_path_is_the_recursion(draws):
    for slack, length in ((0.05, 1826.0), (0.26, 1826.0), (0.5, 1e6), (2.0, 1e8)):
        assert cusum_run_length(slack, cusum_limit(slack, length)) == pytest.approx(length)
    scores = draws.normal(-0.2, 1.0, 500)
    value, path = 0.0, []
    for score in scores:
        value = max(0.0, value + score)
        path.append(value)
    assert cusum_path(scores) == pytest.approx(path, abs=1e-9)
    with pytest.raises(ParameterInvalid):
        cusum_limit(0.0, 100.0)


def test_bad_samples_are_refused():
    with pytest.raises(DataInvalid):
        two_samples.anderson_darling([1.0], [1.0, 2.0])
    with pytest.raises(NumberNotFinite):
        two_samples.anderson_darling([1.0, math.nan], [1.0, 2.0])


def test_distance_is_the_largest_difference_of_the_distributions():
    draws = np.random.default_rng(3)
    one, two = draws.normal(size=80), draws.normal(0.5, 2.0, 50)
    assert two_samples.distance(one, two) == pytest.approx(stats.ks_2samp(one, two).statistic)
    assert two_samples.distance([1, 1, 2], [1, 1, 2]) == 0.0
    assert two_samples.distance([1, 2], [3, 4]) == 1.0
