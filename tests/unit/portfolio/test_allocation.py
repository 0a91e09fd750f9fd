# SPDX-License-Identifier: Apache-2.0
"""How capital is divided between strategies: the rules are those of `hean.quant`, shares sum to
one, and the future has no say.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desk import BTC, ETH, Desk, Hand
from hean.backtest.journaling import finish_journal, replay, start_journal
from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.sharing import Seat, Sharing
from hean.core.timeframe import DAY_NS
from hean.core.types import EventType, Side, Signal
from hean.errors import ParameterInvalid
from hean.feeds.history import load_history
from hean.portfolio.allocation import AllocationSettings, Allocator, Rule, divided
from hean.quant.allocation import equal_risk_contribution, inverse_volatility
from hean.quant.covariance import ledoit_wolf
from hean.risk.sizing import Sizing
from unit.cli_runs import run_here

RETURNS = np.random.default_rng(5).normal(0.0, [0.01, 0.02, 0.005], (60, 3))


class Other(Hand):
    name = "other"


class Divided(Desk):
    """Two strategies whose capital is divided."""

    def __init__(self, settings: AllocationSettings) -> None:
        super().__init__(
            strategy=Hand((BTC,)), beside=(Other((ETH,)),), sizing=Sizing(fraction=0.5)
        )
        books = self.system.sub_books
        assert books is not None
        self.allocator = Allocator(books, settings, reference=self.prices.get, seed=0)
        self.system.add(self.allocator)
        self.system.governor.add_scale(self.allocator.scale)

    def earn(self, name: str, symbol: str) -> None:
        """One of them buys and sells a tenth of a percent higher."""
        quantity, price, higher = {
            BTC: ("0.1", "60000", "60060"),
            ETH: ("1", "3000", "3003"),
        }[symbol]
        bought = self.ask(quantity, symbol=symbol, strategy_id=name)
        self.fill(bought, quantity, f"e{len(self.events)}", price=price)
        sold = self.ask(quantity, Side.SELL, symbol=symbol, strategy_id=name)
        self.fill(sold, quantity, f"e{len(self.events)}", price=higher)


# ---------------------------------------------------------------- the rules


def test_each_rule_is_that_of_quant() -> None:
    assert divided(Rule.EQUAL, RETURNS) == pytest.approx([1 / 3] * 3)
    by_risk = inverse_volatility(np.cov(RETURNS, rowvar=False))
    assert divided(Rule.INVERSE_VOLATILITY, RETURNS) == pytest.approx(by_risk)
    parity = equal_risk_contribution(ledoit_wolf(RETURNS).matrix)
    assert divided(Rule.RISK_PARITY, RETURNS) == pytest.approx(parity)


def test_the_bandit_tries_the_better_one_more_often_and_gives_nobody_up() -> None:
    better = RETURNS + [0.0, 0.01, 0.0]
    drawn = [divided(Rule.BANDIT, better, seed=1, round_number=each) for each in range(200)]
    wins = np.bincount([int(np.argmax(each)) for each in drawn], minlength=3)
    assert wins.argmax() == 1
    assert min(float(each.min()) for each in drawn) == pytest.approx(0.1 / 3)
    again = divided(Rule.BANDIT, better, seed=1, round_number=7)
    assert again.tolist() == drawn[7].tolist()


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("idle", [(), (0,), (0, 2), (0, 1, 2)])
def test_shares_sum_to_one_and_who_did_nothing_keeps_an_equal_one(
    rule: Rule, idle: tuple[int, ...]
) -> None:
    returns = RETURNS.copy()
    returns[:, list(idle)] = 0.0
    shares = divided(rule, returns)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares > 0.0).all()
    assert shares[list(idle)] == pytest.approx([1 / 3] * len(idle))


@pytest.mark.parametrize("bad", [{"every_days": 0}, {"days_min": 1}, {"days_max": 19}])
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ParameterInvalid, match="allocation"):
        AllocationSettings(**bad)


# ---------------------------------------------------------------- on an account


def test_a_size_is_the_share_of_what_it_would_be() -> None:
    desk = Divided(AllocationSettings())
    desk.say(Signal(BTC, Side.BUY, strategy_id="hand"))
    desk.say(Signal(BTC, Side.BUY, Decimal("0.1"), strategy_id="hand"))
    desk.say(Signal(BTC, Side.BUY, Decimal("0.1"), strategy_id="somebody"))
    sizes = [str(order.size) for order in desk.venue.sent]
    assert sizes == ["0.041", "0.05", "0.1"]  # half of 5,000 at 60,000; half; all


def test_shares_change_at_midnight_of_their_day_and_only_then() -> None:
    desk = Divided(AllocationSettings(Rule.INVERSE_VOLATILITY, 3, days_min=4))
    moments = []
    for day in range(10):
        before = desk.allocator.shares
        desk.earn(*(("hand", BTC) if day % 2 else ("other", ETH)))
        assert desk.allocator.shares is before  # whatever is earned by day
        desk.fire((desk.clock.now_ns // DAY_NS + 1) * DAY_NS)
        if desk.allocator.shares is not before:
            moments.append(desk.clock.now_ns // DAY_NS)
    assert moments
    assert all(day % 3 == 0 for day in moments)
    assert desk.allocator.history[-1][1] == desk.allocator.shares
    assert desk.allocator.shares["other"] > desk.allocator.shares["hand"]  # half as much at risk
    told = [each for each in desk.of(EventType.HEALTH) if each.component == "allocation"]
    assert [each.state for each in told] == ["REBALANCED"] * len(moments)


def test_a_divided_backtest_adds_up_and_replays(shared: Path, tmp_path: Path) -> None:
    files = [
        shared / f"data/candles/binance_perp_{symbol}_5m_2024-12-31_2025-10-31.parquet"
        for symbol in (BTC, ETH)
    ]
    seats = (Seat("impulse", "impulse", (BTC,)), Seat("impulse-2", "impulse", (ETH,)))
    sharing = Sharing(seats, AllocationSettings(Rule.RISK_PARITY, 2, days_min=5))
    end_ns = 1_738_195_200 * 10**9  # 2025-01-30
    settings = BacktestSettings("impulse", (BTC, ETH), sharing=sharing)
    backtest = Backtest(settings, load_history(files, (BTC, ETH), end_ns=end_ns))
    journal = start_journal(tmp_path / "j", backtest, files)
    summary, _ = backtest.run()
    finish_journal(journal, backtest)
    rows = summary["strategies"]
    assert sum(Decimal(row["net_pnl"]) for row in rows) == Decimal(summary["net_pnl"])
    assert rows[0]["share"] + rows[1]["share"] == pytest.approx(1.0)
    assert len(summary["divisions"]) > 5
    assert all(each["at"].endswith("T00:00:00Z") for each in summary["divisions"])
    assert replay(tmp_path / "j")["state_hash"] == summary["state_hash"]


def test_the_command_divides_by_a_rule_or_says_why_not(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data/candles"
    data = [
        word
        for symbol in (BTC, ETH)
        for word in ("--data", folder / f"binance_perp_{symbol}_5m_2024-12-31_2025-10-31.parquet")
    ]
    two = ["--strategy", "impulse=BTCUSDT", "--strategy", "impulse=ETHUSDT"]
    one = ["--strategy", "impulse", "--symbol", BTC]
    rule = ["--allocation", "risk_parity", "--rebalance", "3"]
    ran = run_here(
        "backtest", *two, *data, "--end", "2025-01-10", *rule, "--json", tmp_path / "r.json"
    )
    assert ran.code == 0, ran.stderr
    result = json.loads((tmp_path / "r.json").read_text())
    assert "risk_parity, every 3 days at 00:00 UTC" in result["assumptions"]["allocation"]
    assert result["options"] == rule
    for words, said in (
        ([*one, *rule], "there is one"),
        ([*two, "--rebalance", "3"], "give a rule"),
        ([*two, "--allocation", "luck"], "risk_parity"),
    ):
        ran = run_here("backtest", *words, *data)
        assert ran.code == 2
        assert said in ran.stderr
