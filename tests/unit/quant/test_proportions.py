# SPDX-License-Identifier: Apache-2.0
"""Intervals of proportions against statsmodels and SciPy, and at their ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from hean.errors import ParameterInvalid
from hean.quant.proportions import Beta, wilson


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_is_that_of_statsmodels(trials, share, confidence):
    wins = round(share * trials)
    found = wilson(wins, trials, confidence=confidence)
    expected = proportion_confint(wins, trials, alpha=1 - confidence, method="wilson")
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert 0 <= found.low <= wins / trials <= found.high <= 1


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 300), st.floats(0.5, 300), st.floats(0.01, 0.99))
def test_a_belief_is_that_of_scipy(wins, losses, level):
    belief, oracle = Beta(1.0, 1.0).after(wins, losses), stats.beta(1 + wins, 1 + losses)
    assert belief.mean == pytest.approx(oracle.mean())
    assert belief.variance == pytest.approx(oracle.var())
    assert belief.chance_below(level) == pytest.approx(oracle.cdf(level), rel=1e-8, abs=1e-14)
    assert belief.chance_below(belief.quantile(level)) == pytest.approx(level, rel=1e-8)


@pytest.mark.parametrize(("wins", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(wins, trials):
    with pytest.raises(ParameterInvalid):
        wilson(wins, trials)
    with pytest.raises(ParameterInvalid):
        Beta(1, 1).after(-1, 0)
