# SPDX-License-Identifier: Apache-2.0
"""Drift: nothing for the same market, an alarm for another one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.errors import NumberNotFinite, ParameterInvalid
from hean.quant.drift import Bins, LossCusum, deciles, log_loss, psi


def counts_of(values, edges):
    bins = Bins(edges)
    for value in values.tolist():
        bins.add(value)
    return bins.counts


def test_psi_is_its_formula_and_tells_two_markets_apart():
    assert psi([50, 50], [80, 20]) == pytest.approx(0.3 * math.log(1.6) - 0.3 * math.log(0.4))
    draws = np.random.default_rng(1)
    training = draws.normal(size=5000)
    edges = deciles(training)
    whole = counts_of(training, edges)
    assert max(whole) - min(whole) <= 1
    assert psi(whole, counts_of(draws.normal(size=2000), edges)) < 0.02
    assert psi(whole, counts_of(draws.normal(1.0, 1.0, 2000), edges)) > 0.25
    assert psi(whole, counts_of(np.full(500, 0.1), edges)) > 0.25  # a frozen feature
    with pytest.raises(ParameterInvalid):
        psi([1, 2], [1])


def test_deciles_of_few_values_do_not_repeat():
    assert len(set(deciles(np.repeat([0.0, 1.0], 50)))) == len(deciles(np.repeat([0.0, 1.0], 50)))


def test_cusum_stays_calm_and_then_does_not():
    draws = np.random.default_rng(2)
    chart = LossCusum(0.7, 0.1)
    assert not any(chart.update(float(loss)) for loss in draws.normal(0.7, 0.1, 500))
    late = [chart.update(float(loss)) for loss in draws.normal(0.8, 0.1, 100)]
    assert 5 < late.index(True) < 40  # one deviation: 14 on average
    with pytest.raises(NumberNotFinite):
        chart.update(math.nan)
    with pytest.raises(ParameterInvalid):
        LossCusum(0.7, 0.0)


def test_log_loss_is_surprise():
    assert log_loss(0.25, 1) == pytest.approx(math.log(4))
    assert log_loss(0.25, 0) == pytest.approx(-math.log(0.75))
