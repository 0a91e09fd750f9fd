# SPDX-License-Identifier: Apache-2.0
"""Adjusted p-values against statsmodels, and what they promise on pure noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from hean.errors import DataInvalid, NumberNotFinite, NumberOutOfRange
from hean.quant.multiple_testing import (
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    holm,
)

METHODS = {
    "bonferroni": bonferroni,
    "holm": holm,
    "fdr_bh": benjamini_hochberg,
    "fdr_by": benjamini_yekutieli,
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("seed", range(4))
def test_adjusted_values_equal_statsmodels(name, seed):
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(1 + 13 * seed) ** 3, seed + 1)  # with ties, zeros and ones
    expected = multipletests(p, method=name)[1]
    assert METHODS[name](p) == pytest.approx(expected, abs=1e-12)


def test_none_is_weaker_than_its_stronger_one():
    p = np.random.default_rng(5).random(40) ** 2
    assert (holm(p) <= bonferroni(p)).all()
    assert (benjamini_hochberg(p) <= holm(p)).all()
    assert (benjamini_hochberg(p) <= benjamini_yekutieli(p)).all()
    for method in METHODS.values():
        assert (method(p) >= p).all()
        order = np.argsort(p)
        assert (np.diff(method(p)[order]) >= 0.0).all()


def test_noise_is_rarely_found():
    """Of 400 families without any effect, about one in twenty has a find at 5 %."""
    families = np.random.default_rng(7).random((400, 20))
    for method in (bonferroni, holm, benjamini_hochberg):
        finds = sum(bool((method(family) <= 0.05).any()) for family in families)
        assert finds <= 33  # mean 20, three standard deviations above


def test_bad_probabilities_are_refused():
    for method in METHODS.values():
        for bad in (-0.01, 1.01):
            with pytest.raises(NumberOutOfRange, match="row 1"):
                method([0.5, bad])
        with pytest.raises(NumberNotFinite):
            method([math.nan])
        with pytest.raises(DataInvalid):
            method([])
