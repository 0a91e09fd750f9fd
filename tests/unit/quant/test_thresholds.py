# SPDX-License-Identifier: Apache-2.0
"""Dynamic thresholds: a table of cases worked out by hand, and the laws they keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.errors import ParameterInvalid
from hean.quant.thresholds import Thresholds, price_level, reference_sigma, thresholds

POSITIVE = st.floats(1e-6, 1e6)


@pytest.mark.promise(199)
@pytest.mark.parametrize(
    ("sigma", "cost", "entry", "is_cost_bound"),
    [
        (0.02, 0.0, 2.0, False),  # as usual
        (0.08, 0.0, 4.0, False),  # four times as wild: the root of it
        (0.0001, 0.0, 1.0, False),  # never below half
        (9.9, 0.0, 6.0, False),  # never above threefold
        (0.02, 0.0011, 2.0, False),  # 11 bp round trip over a move of 20 bp: 0.825
        (0.02, 0.004, 3.0, True),  # 40 bp: the floor
    ],
)
def test_cases(sigma: float, cost: float, entry: float, is_cost_bound: bool) -> None:
    found = thresholds(sigma, 0.02, sigma_horizon=0.002, cost=cost)
    assert found.entry == pytest.approx(entry)
    assert found.exit == pytest.approx(entry / 4)
    assert found.stop == pytest.approx(entry + 2)
    assert found.is_cost_bound is is_cost_bound


def test_a_minute_of_bitcoin_does_not_pay_for_a_taker_round_trip() -> None:
    """11 bp of fees against 5.1 bp a minute: 3.2 deviations only to break even by half."""
    minute = thresholds(1.0, 1.0, sigma_horizon=5.1e-4, cost=11e-4)
    quarter = thresholds(1.0, 1.0, sigma_horizon=5.1e-4 * math.sqrt(15), cost=11e-4)
    assert minute.is_cost_bound and minute.entry == pytest.approx(3.235, abs=1e-3)
    assert not quarter.is_cost_bound


@given(POSITIVE, POSITIVE, POSITIVE, st.floats(0, 1e6), st.floats(1e-3, 1e3))
def test_units_do_not_matter_and_costs_are_always_covered(
    sigma: float, usual: float, horizon: float, cost: float, unit: float
) -> None:
    found = thresholds(sigma, usual, sigma_horizon=horizon, cost=cost)
    other = thresholds(sigma * unit, usual * unit, sigma_horizon=horizon * unit, cost=cost * unit)
    assert found.entry == pytest.approx(other.entry)
    assert price_level(found.entry, horizon) >= 1.5 * cost * (1 - 1e-12)
    assert found.exit < found.entry < found.stop
    assert thresholds(2 * sigma, usual, sigma_horizon=horizon, cost=cost).entry >= found.entry


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["sigma", "sigma_reference", "sigma_horizon"])
def test_no_threshold_without_a_measure_of_movement(name: str, bad: float) -> None:
    given_ = {"sigma": 1.0, "sigma_reference": 1.0, "sigma_horizon": 1.0} | {name: bad}
    with pytest.raises(ParameterInvalid, match=name):
        thresholds(
            given_["sigma"],
            given_["sigma_reference"],
            sigma_horizon=given_["sigma_horizon"],
            cost=0.0,
        )


@pytest.mark.parametrize("cost", [-1e-9, math.nan])
def test_a_cost_is_a_number_from_zero(cost: float) -> None:
    with pytest.raises(ParameterInvalid, match="cost"):
        thresholds(1.0, 1.0, sigma_horizon=1.0, cost=cost)


def test_what_is_usual_is_the_median_of_what_is_known() -> None:
    assert reference_sigma(np.array([math.nan, 1.0, 9.0, 2.0])) == 2.0
    assert math.isnan(reference_sigma(np.array([math.nan])))
    assert isinstance(thresholds(1, 1, sigma_horizon=1, cost=0), Thresholds)
