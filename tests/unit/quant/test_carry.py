# SPDX-License-Identifier: Apache-2.0
"""Funding to come: against sums written out one settlement at a time, and simulated paths."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.quant.carry import (
    SETTLEMENTS_MIN,
    Settled,
    break_even,
    deepest_sum,
    deviation_of_sum,
    expected_sum,
    fit_settled,
)

MODEL = Settled(mean=1.19e-4, persistence=0.8, noise=1.3e-4)


def paths(model, last, settlements, count=40_000):
    rng = np.random.default_rng(7)
    rate, total = np.full(count, last), np.zeros(count)
    for _ in range(settlements):
        noise = rng.normal(0, model.noise, count)
        rate = model.mean + model.persistence * (rate - model.mean) + noise
        total += rate
    return total


@pytest.mark.parametrize("settlements", [1, 3, 26, 90])
@pytest.mark.parametrize("last", [-5e-4, 1.19e-4, 2e-3])
def test_sum_is_that_of_the_recursion(settlements, last):
    rate, total = last, 0.0
    for _ in range(settlements):
        rate = MODEL.mean + MODEL.persistence * (rate - MODEL.mean)
        total += rate
    assert expected_sum(MODEL, last, settlements) == pytest.approx(total, rel=1e-12, abs=1e-18)


@pytest.mark.parametrize("settlements", [1, 5, 40])
def test_deviation_is_that_of_simulated_paths(settlements):
    found = paths(MODEL, 2e-4, settlements)
    assert deviation_of_sum(MODEL, settlements) == pytest.approx(found.std(), rel=0.02)
    assert expected_sum(MODEL, 2e-4, settlements) == pytest.approx(found.mean(), abs=4e-5)


def test_fit_finds_what_made_the_rates():
    rng = np.random.default_rng(3)
    rates = [0.0]
    for _ in range(20_000):
        noise = rng.normal(0, MODEL.noise)
        rates.append(MODEL.mean + MODEL.persistence * (rates[-1] - MODEL.mean) + noise)
    found = fit_settled(rates)
    assert found is not None
    assert found.persistence == pytest.approx(MODEL.persistence, abs=0.02)
    assert found.mean == pytest.approx(MODEL.mean, abs=2e-5)
    assert found.noise == pytest.approx(MODEL.noise, rel=0.02)


@pytest.mark.parametrize("last", [-2e-3, -2e-4, 0.0, 3e-4])
def test_the_deepest_sum_is_that_of_the_recursion(last):
    rate, total, deepest = last, 0.0, 0.0
    for _ in range(90):
        rate = MODEL.mean + MODEL.persistence * (rate - MODEL.mean)
        total += rate
        deepest = min(deepest, total)
    assert deepest_sum(MODEL, last, 90) == pytest.approx(deepest, rel=1e-9, abs=1e-15)


def test_too_few_rates_say_nothing_and_constant_ones_persist_not():
    assert fit_settled([1e-4] * (SETTLEMENTS_MIN - 1)) is None
    found = fit_settled([1e-4] * SETTLEMENTS_MIN)
    assert found is not None
    assert (found.mean, found.persistence) == (pytest.approx(1e-4), 0.0)
    assert found.noise < 1e-18


def test_break_even_of_the_worked_example():
    """quant/methods 9.1: 31 bp at 1.19 bp a settlement are 26 intervals."""
    assert round(break_even(0.0031, 1.19e-4)) == 26
    assert math.isinf(break_even(0.0031, -1e-4))
