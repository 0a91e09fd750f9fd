# SPDX-License-Identifier: Apache-2.0
"""Hurst exponents: what series of known memory must give, and what they may not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.errors import DataInvalid, NumberNotFinite, ParameterInvalid
from hean.quant.hurst import dfa, hurst_variants, rescaled_range

WINDOWS = [16, 32, 64, 128, 256]
NOISE = np.random.default_rng(1).normal(size=4096)


def estimates(values: np.ndarray) -> list[float]:
    variants = hurst_variants(values)
    return [
        rescaled_range(values, WINDOWS),
        dfa(values, WINDOWS),
        dfa(values, WINDOWS, order=2, is_overlapping=True),
        variants.simple,
        variants.halved,
        variants.empirical,
        variants.corrected,
    ]


def test_noise_has_no_memory():
    assert estimates(NOISE) == pytest.approx([0.5] * 7, abs=0.1)
    assert hurst_variants(NOISE).corrected == pytest.approx(0.5, abs=0.05)
    # Small-sample bias: the exponent of noise at this length, by theory, beside that of the noise.
    assert hurst_variants(NOISE).theoretical == pytest.approx(
        hurst_variants(NOISE).empirical, abs=0.05
    )


def test_memory_raises_and_reversal_lowers_every_exponent():
    smooth = np.convolve(NOISE, np.ones(64) / 64, mode="valid")
    reversing = np.diff(NOISE)
    for low, middle, high in zip(
        estimates(reversing), estimates(NOISE), estimates(smooth), strict=True
    ):
        assert low < middle < high


def test_a_summed_series_adds_one_to_dfa():
    assert dfa(NOISE.cumsum(), WINDOWS, order=2) == pytest.approx(
        dfa(NOISE, WINDOWS, order=2) + 1.0, abs=0.1
    )


def test_neither_unit_nor_level_matter():
    values = NOISE[:1001]
    assert estimates(1e-6 * values + 5.0) == pytest.approx(estimates(values), rel=1e-6)


def test_a_trend_of_the_order_is_taken_out():
    """A line in the sums, which a constant in the increments is, changes nothing."""
    line = NOISE + 100.0
    assert dfa(line, WINDOWS) == pytest.approx(dfa(NOISE, WINDOWS), rel=1e-9)
    parabola = NOISE + 0.01 * np.arange(len(NOISE))
    assert dfa(parabola, WINDOWS, order=2) == pytest.approx(dfa(NOISE, WINDOWS, order=2), abs=0.01)


def test_blocks_that_stand_still_are_absent():
    still = np.concatenate([np.zeros(512), NOISE[:1024]])
    assert rescaled_range(still, WINDOWS) == pytest.approx(
        rescaled_range(NOISE[:1024], WINDOWS), abs=0.1
    )
    assert math.isnan(dfa(np.r_[1.0, np.zeros(15)], [4, 15], order=2)) is False


def test_bad_input_is_refused():
    for windows in ([16], [16, 16]):
        with pytest.raises(DataInvalid):
            rescaled_range(NOISE, windows)
        with pytest.raises(DataInvalid):
            dfa(NOISE, windows)
    for windows in ([1, 16], [16, 5000], [2.5, 16]):
        with pytest.raises(ParameterInvalid):
            rescaled_range(NOISE, windows)
    with pytest.raises(ParameterInvalid):
        dfa(NOISE, [2, 16])
    with pytest.raises(ParameterInvalid):
        hurst_variants(NOISE, 3000)
    with pytest.raises(DataInvalid):
        hurst_variants(NOISE[:1024], 512)
    with pytest.raises(DataInvalid):
        hurst_variants(np.ones(100))
    with pytest.raises(NumberNotFinite):
        dfa([*NOISE[:50], math.nan], [8, 16])
