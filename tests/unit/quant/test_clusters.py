# SPDX-License-Identifier: Apache-2.0
"""Trials that rise and fall together are one idea."""

from __future__ import annotations

import numpy as np
import pytest

from hean.quant.clusters import cluster, correlations


def test_correlations_are_over_shared_days_only():
    draw = np.random.default_rng(1)
    base = draw.standard_normal(200)
    series = [(100, base), (150, base[50:150]), (290, draw.standard_normal(60)), (100, 0 * base)]
    found = correlations(series)
    assert found[0, 1] == pytest.approx(1.0)
    assert found[0, 2] == found[1, 2] == 0.0  # ten days in common, none in common
    assert found[3, 0] == 0.0
    assert (np.diag(found) == 1).all()
    assert found == pytest.approx(found.T)


def test_ideas_are_counted_not_variants():
    draw = np.random.default_rng(2)
    ideas = draw.standard_normal((3, 300))
    series = [(0, ideas[n % 3] + 0.2 * draw.standard_normal(300)) for n in range(12)]
    found = cluster(correlations(series))
    assert len(set(found.tolist())) == 3
    assert all(found[n] == found[n % 3] for n in range(12))
    assert cluster(np.eye(1)).tolist() == [0]
    assert len(set(cluster(np.eye(5)).tolist())) == 5
