# SPDX-License-Identifier: Apache-2.0
"""Hard limits on losses hold in a backtest as they do with money, and let reductions pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hean.backtest.run import Backtest, BacktestSettings
from hean.core.types import Event, EventType, OrderRejected
from hean.feeds.history import load_history
from hean.system import LIMITS, AccountSettings
from small_market import IMPULSE, INSTANT, SYMBOL, write_candles


def played(folder: Path, **limits: str) -> tuple[dict[str, Any], list[OrderRejected]]:
    """Summary and refusals of a strategy that trades often and loses its fees."""
    history = load_history([write_candles(folder, 3, bars=1_500)], (SYMBOL,))
    account = AccountSettings(limits={**LIMITS, **limits})
    run = Backtest(BacktestSettings("impulse", (SYMBOL,), IMPULSE, account, INSTANT), history)
    refused: list[OrderRejected] = []

    def tap(event: Event) -> None:
        if event.event_type is EventType.ORDER_REJECTED:
            refused.append(event.data)

    run.bus.tap(tap)
    summary, _ = run.run()
    return summary, refused


@pytest.mark.parametrize(
    ("limit", "rule"),
    [("daily_loss_fraction_max", "R30 daily loss"), ("drawdown_fraction_max", "R31 drawdown")],
)
def test_beyond_the_limit_nothing_opens_and_everything_closes(
    limit: str, rule: str, tmp_path: Path
) -> None:
    free, none = played(tmp_path)
    held, refused = played(tmp_path, **{limit: "0.02"})
    assert not none and float(free["net_pnl"]) < -400
    assert held["fills"] < free["fills"] and float(held["net_pnl"]) < -100
    assert refused and all(rule in each.reason for each in refused)
    wide, refused = played(tmp_path, **{limit: "0.9"})
    assert not refused
    assert (wide["fills"], wide["net_pnl"]) == (free["fills"], free["net_pnl"])
