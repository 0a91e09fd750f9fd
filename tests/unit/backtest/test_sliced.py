# SPDX-License-Identifier: Apache-2.0
"""Sliced orders on a recorded book: parents of 1, 10 and 100 times the touch complete, and what was
sliced once is sliced again in a replay.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hean.backtest.journaling import finish_journal, replay, start_journal
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.types import Event, EventType, OrderApproved
from hean.errors import ParameterInvalid
from hean.feeds.history import History, load_history
from hean.system import AccountSettings
from small_market import SYMBOL

CAPTURE = "data/l2/binance_perp_BTCUSDT_raw_2023-04-04.txt.gz"
EXAMPLE = f"{Path(__file__).parents[3]}/examples/work_a_large_order.py:WorkALargeOrder"
ACCOUNT = AccountSettings(cash=Decimal(10**9), limits={"orders_per_second_max": "10"})
ALGOS = [
    ("twap:duration=60s,slices=12", 0.0),
    ("twap:duration=60s,slices=12,rest=true", 0.0),
    ("vwap:duration=60s,weights=1|2|3|2|1|1", 0.0),
    ("shortfall:duration=60s,slices=12,urgency=3", 0.0),
    ("pov:share=0.2,interval=5s,duration=60s", 0.0),
    ("iceberg:display=0.1", 100.0),
    ("chaser:away=0.5,pause=1s,duration=60s", 0.0),
]


@pytest.fixture(scope="module")
def history(shared: Path) -> History:
    return load_history([shared / CAPTURE], [SYMBOL])


def settings(
    size: Decimal, algo: str, *, reach: float = 0.0, side: str = "BUY"
) -> BacktestSettings:
    given = {"size": str(size), "algo": algo, "reach": reach, "side": side}
    return BacktestSettings(EXAMPLE, (SYMBOL,), given, ACCOUNT)


@pytest.mark.parametrize(("algo", "reach"), ALGOS)
@pytest.mark.parametrize("times", [1, 10, 100])
def test_a_parent_completes_on_a_recorded_book(
    history: History, algo: str, reach: float, times: int
) -> None:
    quantities = history.markets[SYMBOL].captures[0].quotes["ask_quantity"]
    size = Decimal(str(round(float(np.median(quantities)), 3))) * times
    backtest = Backtest(settings(size, algo, reach=reach), history)
    ends: list[Event] = []
    approved: list[OrderApproved] = []
    backtest.bus.subscribe(EventType.ORDER_CANCELLED, ends.append)
    backtest.bus.subscribe(EventType.ORDER_APPROVED, lambda event: approved.append(event.data))
    summary, record = backtest.run()
    parent = approved[0]
    order = backtest.system.engine.get(parent.order_id)
    assert (order["status"], order["filled_qty"]) == ("FILLED", size)
    assert [e.data.remaining_qty for e in ends if e.data.source == "desk"] == [0]
    assert sum(fill.qty for fill in record.fills) == size
    assert {each.parent_id for each in approved[1:]} == {parent.order_id}
    assert summary["final_equity"]


def test_a_replay_slices_as_the_run_did(shared: Path, tmp_path: Path) -> None:
    files = [shared / CAPTURE]
    backtest = Backtest(
        settings(Decimal(20), "twap:duration=30s,slices=10,rest=true"),
        load_history(files, [SYMBOL]),
    )
    journal = start_journal(tmp_path / "j", backtest, files)
    summary, _ = backtest.run()
    finish_journal(journal, backtest)
    assert summary["fills"] > 5
    assert replay(tmp_path / "j")["state_hash"] == summary["state_hash"]


def test_only_the_event_tier_slices(history: History) -> None:
    given = settings(Decimal(1), "twap")
    for tier in ("wake", "native"):
        wrong = BacktestSettings(given.strategy, given.symbols, given.given, ACCOUNT, tier=tier)
        with pytest.raises(ParameterInvalid, match="run tier event"):
            Backtest(wrong, history)
