# SPDX-License-Identifier: Apache-2.0
"""Figures of a run: printed examples from the literature, cases small enough to work by hand, and
the edges at which a figure says nothing and must say so with None.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.backtest import stats
from hean.backtest.result import RunRecord
from hean.quant import performance
from runs import DAY_NS, HOUR_NS, START_NS, fill, long_run, record, trade


def array(*values: float):
    return np.array(values, np.float64)


def test_midnight_closes_the_day_before_it():
    times = START_NS + np.array([0, 12, 24, 30, 48]) * HOUR_NS
    days = stats.daily(times, array(100, 105, 110, 90, 99), initial=100)
    assert days.equity.tolist() == [110, 99]
    assert days.returns == pytest.approx([0.1, -0.1])
    assert days.day.tolist() == [START_NS // DAY_NS, START_NS // DAY_NS + 1]


def test_a_first_sample_at_midnight_that_differs_closes_a_day():
    days = stats.daily(START_NS + np.array([0, 24]) * HOUR_NS, array(110, 99), initial=100)
    assert days.returns == pytest.approx([0.1, -0.1])


def test_partly_covered_days_count_so_returns_compound_to_the_total():
    times = START_NS + np.array([20, 30, 49]) * HOUR_NS
    days = stats.daily(times, array(102, 101, 104), initial=100)
    assert days.returns.size == 3
    assert np.prod(1 + days.returns) == pytest.approx(1.04)


def test_a_day_without_samples_keeps_the_equity():
    times = START_NS + np.array([10, 82]) * HOUR_NS
    assert stats.daily(times, array(100, 110), initial=100).returns == pytest.approx([0, 0, 0, 0.1])


def test_after_ruin_there_are_no_returns():
    run = record([50, -10, 20])
    assert stats.daily(run.sample_ts, run.equity, initial=100).returns == pytest.approx(
        [-0.5, -1.2]
    )
    assert list(stats.monthly(stats.daily(run.sample_ts, run.equity, initial=100), initial=100))
    assert performance.max_drawdown(run.equity) == pytest.approx(1.2)


def test_worst_drawdowns_have_peak_trough_and_recovery():
    equity = array(100, 90, 95, 100, 120, 60, 80)
    times = np.arange(7, dtype=np.int64)
    deepest, second = stats.worst_drawdowns(times, equity)
    assert deepest == stats.Drawdown(4, 5, None, 0.5)
    assert second == stats.Drawdown(0, 1, 3, pytest.approx(0.1))
    assert stats.worst_drawdowns(times, equity, count=1) == [deepest]
    assert performance.longest_underwater(equity) == 2


def test_months_and_years_are_cut_at_utc_midnight():
    run = record([101.0] * 30 + [110, 110, 99])  # samples close 1 January to 2 February
    days = stats.daily(run.sample_ts, run.equity, initial=100)
    found = stats.monthly(days, initial=100)
    assert found == {(2025, 1): pytest.approx(0.1), (2025, 2): pytest.approx(-0.1)}


def test_rolling_figures_equal_those_of_each_window():
    returns = np.sin(np.arange(50.0)) / 100
    ratio, spread = stats.rolling(returns, window=30)
    assert ratio.size == spread.size == 21
    assert ratio[4] == pytest.approx(performance.sharpe(returns[4:34]))
    assert spread[20] == pytest.approx(performance.volatility(returns[20:]))
    assert np.isnan(stats.rolling(np.zeros(30), window=30)[0]).all()


def test_tails_and_moments_of_a_small_sample():
    returns = np.arange(-10.0, 11.0) / 100
    assert performance.value_at_risk(returns) == pytest.approx(0.09)
    assert performance.conditional_value_at_risk(returns) == pytest.approx(0.095)
    assert performance.tail_ratio(returns) == pytest.approx(1)
    assert performance.skewness(returns) == pytest.approx(0, abs=1e-12)
    assert performance.kurtosis(array(-1, 1)) == pytest.approx(1)
    assert performance.skewness(array(0, 0, 3)) == pytest.approx(1 / math.sqrt(2))


def test_trade_figures_of_three_trades():
    trades = [trade("30"), trade("-10"), trade("-10")]
    assert stats.win_rate(trades) == pytest.approx(1 / 3)
    assert stats.profit_factor(trades) == pytest.approx(1.5)
    assert stats.payoff(trades) == pytest.approx(3)
    assert stats.expectancy(trades) == Decimal("3.33333333")


def test_growth_is_compound_over_365_days():
    times = START_NS + np.array([0, 730]) * DAY_NS
    assert stats.growth(times, array(100, 121), initial=100) == pytest.approx(0.1)
    assert stats.growth(times, array(100, -1), initial=100) is None


def test_growth_too_large_for_a_number_is_none():
    times = START_NS + np.array([0, 1], np.int64)
    assert stats.growth(times, array(100, 121), initial=100) is None


NAMES = ("max_drawdown_fraction", "sharpe", "sortino", "calmar", "win_rate", "profit_factor")
NAMES += ("exposure_fraction", "turnover")


def figures(run: RunRecord, initial: float = 100.0) -> dict[str, object]:
    found = stats.summarise(run, initial)
    assert tuple(found)[: len(NAMES)] == NAMES
    json.dumps(found, allow_nan=False)
    return found


def test_a_run_without_samples_has_no_figures():
    found = figures(record([]))
    assert [found[name] for name in NAMES] == [None] * len(NAMES)
    extra = dict(found["extra"])
    assert extra.pop("days") == 0
    assert set(extra.values()) == {None}


def test_one_day_has_a_return_but_no_ratio():
    found = figures(record([110.0]))
    assert found["max_drawdown_fraction"] == 0
    assert found["sharpe"] is found["sortino"] is found["calmar"] is None
    assert found["extra"]["total_return"] == pytest.approx(0.1)
    assert found["extra"]["volatility"] is None


def test_flat_equity_has_no_ratio_and_no_drawdown():
    found = figures(record([100.0] * 40))
    assert found["max_drawdown_fraction"] == 0
    assert found["sharpe"] is found["sortino"] is found["calmar"] is None
    assert found["extra"]["volatility"] == 0
    assert found["extra"]["underwater_fraction"] == 0


def test_steady_growth_has_no_sharpe_ratio_out_of_rounding_noise():
    assert figures(record([100 * 1.01**n for n in range(1, 60)]))["sharpe"] is None


def test_no_trades_have_no_win_rate():
    found = figures(record([101.0, 99.0]))
    assert found["win_rate"] is found["profit_factor"] is found["extra"]["payoff"] is None
    assert found["turnover"] == 0


def test_only_losing_trades_have_a_profit_factor_of_zero():
    found = figures(record([90.0, 80.0], trades=[trade("-10"), trade("-10")]))
    assert (found["win_rate"], found["profit_factor"]) == (0, 0)
    assert found["extra"]["payoff"] is None
    assert found["extra"]["expectancy"] == "-10.00000000"


def test_only_winning_trades_have_no_profit_factor():
    assert figures(record([110.0], trades=[trade("10")]))["profit_factor"] is None


def test_the_first_loss_counts_from_the_initial_equity():
    assert figures(record([80.0, 90.0]))["max_drawdown_fraction"] == pytest.approx(0.2)


def test_exposure_and_turnover_are_shares_of_time_and_of_equity():
    run = record([100.0, 100.0, 100.0, 100.0])
    run.exposure = array(0, 0.5, -0.5, 0)
    run.fills = [fill("+", "2", "50"), fill("-", "2", "75")]
    found = figures(run)
    assert (found["exposure_fraction"], found["turnover"]) == (0.5, 2.5)
    assert found["extra"]["mean_absolute_exposure"] == 0.25


def test_confidence_interval_surrounds_the_sharpe_ratio():
    found = figures(long_run(days=90), 10_000)
    extra = found["extra"]
    assert extra["sharpe_low"] < found["sharpe"] < extra["sharpe_high"]
    assert 0 <= extra["probabilistic_sharpe"] <= 1


@given(st.lists(st.integers(-(10**14), 10**14), max_size=80))
def test_no_figure_is_ever_nan_or_infinite(units):
    figures(record([unit / 1e8 for unit in units], step=8 * HOUR_NS))
