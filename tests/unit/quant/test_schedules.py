# SPDX-License-Identifier: Apache-2.0
"""Schedules: slices sum to the order in lots, and published and limiting cases hold."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest

from hean.errors import ParameterInvalid
from hean.quant.schedules import (
    DAY_MINUTES,
    MINUTE_NS,
    WEEK_MINUTES,
    almgren_chriss,
    blended_share,
    cumulative_lots,
    curve_weights,
    efficient_frontier,
    iceberg_lots,
    minute_of_week,
    pov_lots,
    shares_left,
    twap_lots,
    volume_curve,
    volume_shares,
)

MONDAY_NS = 1_704_067_200 * 10**9  # 2024-01-01, a Monday
MARKET = {"sigma": 0.95, "eta": 2.5e-6, "gamma": 2.5e-7, "epsilon": 0.0625}


def test_slices_of_any_shares_sum_to_the_order() -> None:
    rng = random.Random(1)
    for _ in range(300):
        lots, count = rng.randrange(10**6), rng.randint(1, 50)
        shares = volume_shares([rng.choice((0.0, rng.random())) for _ in range(count)])
        slices = cumulative_lots(lots, shares)
        assert (sum(slices), len(slices), min(slices) >= 0) == (lots, count, True)
        done = np.cumsum(slices[:-1])
        assert (np.abs(done - lots * shares[:-1]) <= 1).all()


def test_equal_slices_differ_by_at_most_one_lot() -> None:
    for lots, count in ((3000, 60), (7, 3), (2, 5), (0, 4)):
        slices = twap_lots(lots, count)
        assert sum(slices) == lots
        assert max(slices) - min(slices) <= 1
    assert twap_lots(7, 3) == cumulative_lots(7, [1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("shares", [[0.5, 0.4, 1.0], [0.5, 0.9], [0.5, 1.2], [], [math.nan, 1.0]])
def test_shares_that_do_not_rise_to_one_are_refused(shares: list[float]) -> None:
    with pytest.raises(ParameterInvalid):
        cumulative_lots(10, shares)


def test_without_risk_aversion_the_trajectory_is_a_straight_line() -> None:
    for risk in (0.0, 1e-30, -1e-30):
        flat = almgren_chriss(1e6, 5.0, 8, risk_aversion=risk, **MARKET)
        assert flat.holdings == pytest.approx(np.linspace(1e6, 0, 9), rel=1e-9, abs=1e-6)


def test_more_risk_aversion_trades_earlier_costs_more_and_varies_less() -> None:
    curves = efficient_frontier(
        1e6, 5.0, 20, risk_aversions=[-1e-7, 0.0, 1e-7, 1e-6, 1e-5, 1e-3], **MARKET
    )
    for calm, hasty in itertools.pairwise(curves):
        assert (hasty.holdings <= calm.holdings + 1e-6).all()
        assert hasty.std < calm.std
    costs = [curve.expected_cost for curve in curves[1:]]
    assert costs == sorted(costs)
    assert min(curve.expected_cost for curve in curves) == costs[0]  # lambda 0 is the cheapest


def test_a_trajectory_that_overflows_hyperbolic_sines_is_finite() -> None:
    steep = almgren_chriss(1e6, 5_000.0, 50_000, risk_aversion=1e3, **MARKET)
    assert steep.kappa * 5_000 > 700
    assert np.isfinite(steep.holdings).all()
    assert steep.trades.sum() == pytest.approx(1e6)


def test_the_closed_form_is_the_best_of_its_neighbours() -> None:
    """Method: move some of one trade into another; cost + lambda variance must not fall."""
    risk = 2e-6
    best = almgren_chriss(1e6, 5.0, 5, risk_aversion=risk, **MARKET)
    rng = random.Random(2)

    def utility(trades: np.ndarray) -> float:
        left = 1e6 - np.cumsum(trades)
        eta_tilde = MARKET["eta"] - MARKET["gamma"] / 2
        cost = MARKET["epsilon"] * trades.sum() + eta_tilde * (trades**2).sum()
        return float(cost + risk * MARKET["sigma"] ** 2 * (left**2).sum())

    for _ in range(200):
        trades = best.trades.copy()
        source, target = rng.sample(range(5), 2)
        step = rng.uniform(0.001, 0.5) * trades[source]
        trades[source] -= step
        trades[target] += step
        assert utility(trades) > utility(best.trades)


@pytest.mark.parametrize("risk", [-1e-4, -5e-7])
def test_too_much_love_of_risk_has_no_best_schedule(risk: float) -> None:
    with pytest.raises(ParameterInvalid):
        almgren_chriss(1e6, 50.0, 50, risk_aversion=risk, **MARKET)
    with pytest.raises(ParameterInvalid):
        almgren_chriss(1e6, 5.0, 1, risk_aversion=1e-6, sigma=1.0, eta=1e-7, gamma=1e-6)


def test_shares_left_meet_the_hyperbolic_sine() -> None:
    for urgency in (1e-9, 1e-7, 0.1, 3.0, 50.0):
        exact = [math.sinh(urgency * (1 - k / 7)) / math.sinh(urgency) for k in range(8)]
        assert shares_left(urgency, 7) == pytest.approx(exact, rel=1e-12, abs=1e-15)


def test_a_curve_of_repeated_weeks_is_the_week_itself() -> None:
    rng = np.random.default_rng(3)
    week = rng.random(WEEK_MINUTES) + 0.1
    ts = MONDAY_NS + np.arange(4 * WEEK_MINUTES) * MINUTE_NS
    curve = volume_curve(ts, np.tile(week, 4) * np.repeat([1, 5, 2, 9], WEEK_MINUTES))
    by_day = week.reshape(7, DAY_MINUTES)
    assert curve == pytest.approx((by_day / by_day.sum(1, keepdims=True)).ravel())
    assert minute_of_week(MONDAY_NS) == 0
    weights = curve_weights(curve, MONDAY_NS + 90 * MINUTE_NS, duration_ns=60 * MINUTE_NS, parts=60)
    assert weights == pytest.approx(week[90:150] / week[90:150].sum())
    halves = curve_weights(curve, MONDAY_NS + MINUTE_NS // 2, duration_ns=MINUTE_NS, parts=2)
    assert halves == pytest.approx(curve[:2] / curve[:2].sum())
    with pytest.raises(ParameterInvalid):
        volume_curve(ts[:1000], np.ones(1000))


def test_the_days_own_volume_moves_the_curve() -> None:
    hours = {"expected": 100.0, "minutes": 600.0}
    assert blended_share(0.4, 40.0, **hours) == pytest.approx(0.4)
    early = blended_share(0.4, 80.0, **hours)
    assert 0.4 < early < 80 / (80 + 60)  # more is done, but more is to come as well
    # Without a prior the day is believed at once: twice as much all day long.
    assert blended_share(0.4, 80.0, pseudo_minutes=0.0, **hours) == pytest.approx(0.4)
    assert blended_share(1.0, 0.0, **hours) == 1.0
    assert blended_share(0.1, 7.0, expected=0.0, minutes=1.0) == pytest.approx(0.1)


def test_participation_counts_what_others_trade() -> None:
    assert pov_lots(0.05, 1_900.0, 0) == 100
    assert pov_lots(0.05, 1_900.0, 60) == 40
    assert pov_lots(0.05, 1_900.0, 160) == 0
    with pytest.raises(ParameterInvalid):
        pov_lots(1.0, 5.0, 0)


def test_an_iceberg_shows_about_its_display_and_never_more_than_is_left() -> None:
    shown = [iceberg_lots(100, 10_000, chance / 100) for chance in range(101)]
    assert (min(shown), max(shown)) == (80, 120)
    assert iceberg_lots(100, 30, 0.9) == 30
    assert iceberg_lots(1, 5, 0.0) == 1
