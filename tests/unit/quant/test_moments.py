# SPDX-License-Identifier: Apache-2.0
"""The textbook variance: right near zero, worthless far away, where the streamed one is right."""

from __future__ import annotations

import numpy as np
import pytest

from hean.errors import DataInvalid
from hean.indicators import Moments
from hean.quant.moments import naive_variance


def test_the_naive_variance_is_right_near_zero_only():
    values = np.random.default_rng(0).normal(size=500)
    assert naive_variance(values) == pytest.approx(values.var(ddof=1), rel=1e-12)
    far = values + 1e9
    moments = Moments()
    moments.batch(far)
    assert moments.deviation**2 == pytest.approx(far.var(ddof=1), rel=1e-6)
    assert naive_variance(far) != pytest.approx(far.var(ddof=1), rel=0.1)
    with pytest.raises(DataInvalid):
        naive_variance([1.0])
