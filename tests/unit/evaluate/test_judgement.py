# SPDX-License-Identifier: Apache-2.0
"""What a choice is judged on never took part in it; the gate passes nothing unknown."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from hean.backtest.assumptions import Assumptions
from hean.backtest.run import BacktestSettings
from hean.errors import ParameterInvalid
from hean.evaluate import chance, judgement, regimes, stress
from hean.evaluate.verdict import IDLE, Gate, gates, sentence


def noise(seed: int, days: int, trials: int = 4):
    return np.random.default_rng(seed).standard_normal((days, trials)) * 0.01


def test_a_block_has_no_say_in_its_own_choice():
    """Whatever happens in a test block, the trial that trades it stays the same."""
    returns = noise(1, 240)
    walked = judgement.walk(returns, folds=6, embargo=4)
    for number, step in enumerate(walked.steps):
        changed = returns.copy()
        changed[step.learned[1] :] = noise(number + 9, 240)[step.learned[1] :]
        assert judgement.walk(changed, folds=6, embargo=4).steps[number].chosen == step.chosen
        assert step.tested[0] - step.learned[1] == 4
    assert walked.returns.size == 240 - walked.start


def test_walk_forward_finds_what_lasts_and_not_what_was():
    returns = noise(2, 600)
    returns[:, 2] += 0.004
    found = judgement.confidence(judgement.walk(returns, folds=6, embargo=5).returns)
    assert found.probability > 0.99
    assert judgement.positive_years(judgement.crossed(returns, folds=6, embargo=5)) == 1.0
    fading = noise(3, 600)
    fading[:300, 1] += 0.004
    fading[300:, 1] -= 0.004
    assert judgement.confidence(judgement.walk(fading, folds=2, embargo=5).returns).ratio < 0


def test_paths_cover_every_day_once():
    returns = np.tile(np.arange(120.0)[:, np.newaxis], (1, 3)) / 1e4
    routes = judgement.crossed(returns, folds=6, embargo=2)
    assert routes.shape == (5, 120)
    assert (routes == returns[:, 0]).all()


def test_confidence_of_nothing_says_nothing():
    flat = judgement.confidence(np.zeros(90), ratios=[0.1, 0.2], clusters=2)
    assert flat == judgement.Confidence(90, None)
    alone = judgement.confidence(noise(4, 300)[:, 0])
    assert alone.deflated is None
    many = judgement.confidence(noise(4, 300)[:, 0], ratios=[0.1, -0.1, 0.05], clusters=2)
    assert many.deflated_raw < many.deflated < alone.probability


def test_overfitting_needs_a_choice_and_days():
    assert judgement.overfitting(noise(1, 100, 1))[0] is None
    assert judgement.overfitting(noise(1, 7, 3))[0] is None
    found, why = judgement.overfitting(np.repeat(noise(1, 100, 1), 4, axis=1))
    assert (found, why[:23]) == (None, "all trials did the same")
    assert judgement.overfitting(noise(1, 40, 3))[0].logits.size == math.comb(10, 5)


def test_holding_as_much_is_no_skill():
    """A strategy that always holds half the market is not better than holding half of it."""
    market = np.random.default_rng(6).standard_normal(300) * 0.02 + 0.004
    returns, exposure = market[:, np.newaxis] / 2, np.full((300, 1), 0.5)
    found = judgement.superiority(returns, exposure, market, draws=500, seed=1)
    assert found.nothing.consistent < 0.05
    assert found.holding.consistent == 1.0


def test_days_that_cannot_be_cut_are_refused():
    with pytest.raises(ParameterInvalid, match="fewer folds"):
        judgement.check_days(30, folds=6, embargo=5)
    judgement.check_days(60, folds=6, embargo=5)


def test_capacity_is_where_the_ratio_halves():
    ladder = [(1e4, 2.0), (4e4, 1.5), (1.6e5, 0.5)]
    assert stress.capacity(2.0, ladder) == pytest.approx(8e4)
    assert stress.capacity(2.0, ladder[:2]) == math.inf
    assert stress.capacity(-1.0, ladder) is None
    assert stress.capacity(2.0, [(1e4, 2.0), (4e4, None)]) == pytest.approx(2e4)


def test_other_luck_is_the_same_for_the_same_seed():
    trades = np.random.default_rng(8).standard_normal(150) * 0.01
    found = chance.monte_carlo(trades, seed=5)
    assert found == chance.monte_carlo(trades, seed=5)
    assert found != chance.monte_carlo(trades, seed=6)
    assert found.drawdown == sorted(found.drawdown)
    assert chance.monte_carlo(trades[:1], seed=5) is None
    equity = np.concatenate(([1.0], np.cumprod(1 + trades)))
    assert found.happened == pytest.approx(1 - (equity / np.maximum.accumulate(equity)).min())
    # The order of the same trades changes the falls and not the end.
    assert found.drawdown_shuffled[0] < found.drawdown_shuffled[-1]


def test_days_belong_to_years_and_regimes():
    returns = np.full(400, 0.001)
    years = regimes.by_year(20_000, returns)  # 2024-10-04
    assert [(row["year"], row["days"]) for row in years] == [(2024, 89), (2025, 311)]
    market = np.random.default_rng(2).standard_normal(400) * np.linspace(0.001, 0.05, 400)
    found = regimes.by_regime(np.arange(400) / 1e6, market)
    assert sum(row["days"] for row in found) == 380
    assert [row["regime"] for row in found] == list(regimes.NAMES)
    assert regimes.by_regime(returns[:30], market[:30]) == []


def test_dearer_fees_are_dearer_for_every_market_and_rebates_stay():
    assumptions = Assumptions(maker_fee=Decimal("-0.0001"), taker_fee=Decimal("0.0005"))
    base = BacktestSettings("impulse", ("BTCUSDT",), assumptions=assumptions)
    found = stress.harder(base, stress.World(fees=2.0, slippage=4.0, latency=10.0, size=4))
    assert found.assumptions.fees(maker=Decimal(9), taker=Decimal(9)) == (
        Decimal("-0.0001"),
        Decimal("0.0010"),
    )
    listed = Assumptions(fee_factor=0.5).fees(maker=Decimal("0.0002"), taker=Decimal("0.001"))
    assert listed == (Decimal("0.0001"), Decimal("0.0005"))
    assert found.assumptions.half_spread == 4 * assumptions.half_spread
    assert found.assumptions.entry.values_ns == (10 * assumptions.entry.values_ns[0],)
    assert found.account.cash == 40_000
    assert len(stress.worlds()) == len(set(stress.worlds()))


def test_who_never_traded_is_told_so_and_nothing_else():
    idle = Gate("trades", 0, "at least 30", passed=False, why=IDLE)
    loses = Gate("net result", 0.0, "above 0", passed=False, why="it loses")
    assert sentence([loses, idle]) == "Does not survive: the best of its trials never traded."
    assert sentence([loses]) == "Does not survive: it loses."


def test_no_line_of_the_gate_says_that_who_never_traded_lost():
    nothing = {"consistent": 1.0}
    document = {
        "best": {"days": 10, "trades": 0, "turnover": 0.0, "min_track_record_days": None},
        "stress": {"dear_result": 0.0, "harsh_result": 0.0},
        "spa": {"nothing": nothing, "holding": nothing},
        "walk_forward": {"sharpe": None},
        "deflated_sharpe": None,
        "overfitting": {"probability": None},
        "cpcv": {"positive_years": 0.0},
        "capacity": {"over_account": None},
        "trials": {"distinct": 1, "problems": []},
    }
    lines = gates(document)
    whys = {line.name: line.why for line in lines if not line.passed}
    assert whys.pop("days") == "too few days"
    assert set(whys.values()) == {IDLE}
    document["best"] |= {"turnover": 3.0, "trades": 2}
    whys = [line.why for line in gates(document)]
    assert "it loses at one and a half times the costs" in whys
