# SPDX-License-Identifier: Apache-2.0
"""The simulated exchange behind the whole system: money agrees on both sides, nothing is left."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from desk import BTC, candle_file
from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.backtest.result import RunRecord
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.types import EventType
from hean.feeds.history import load_history
from hean.risk.sizing import Sizing
from hean.system import AccountSettings

STRATEGY = """
from hean.core.module import on
from hean.core.types import EventType, Side
from hean.strategies.base import Strategy


class Steady(Strategy):
    name = "steady"

    @on(EventType.CANDLE)
    def on_candle(self, event):
        bar = event.data
        if not self.position[bar.symbol] and bar.timestamp // 60_000_000_000 % 10 == 0:
            near, far = STOP * bar.close, TARGET * bar.close
            self.enter(bar.symbol, Side.BUY, stop_loss=near, take_profit=far)
"""


def run(
    folder: Path, stop: float, target: float, *, bars: int = 400, fraction: float = 0.5,
    leverage: int = 3, **assumptions: object,
) -> tuple[Backtest, RunRecord]:  # fmt: skip
    text = STRATEGY.replace("STOP", str(stop)).replace("TARGET", str(target))
    path = folder / "steady.py"
    path.write_text(text, encoding="utf-8")
    account = AccountSettings(
        leverage=Decimal(leverage), sizing=Sizing(fraction=fraction, max_leverage=leverage)
    )
    settings = BacktestSettings(
        f"{path}:Steady", (BTC,), account=account,
        assumptions=Assumptions(**assumptions),  # type: ignore[arg-type]
    )  # fmt: skip
    backtest = Backtest(settings, load_history([candle_file(folder, bars=bars)], settings.symbols))
    _, record = backtest.run()
    return backtest, record


@pytest.mark.promise(23)
@pytest.mark.parametrize(("stop", "target"), [(0.998, 1.002), (0.9995, 1.0005), (0.99, 1.001)])
def test_venue_ledger_engine_and_strategy_agree_and_a_flat_account_rests_nothing(
    tmp_path: Path, stop: float, target: float
) -> None:
    """Targets of half a permille are often met in the same bar as the stop."""
    backtest, record = run(tmp_path, stop, target)
    assert len(record.fills) > 20
    system, core = backtest.system, backtest.venue.core
    held = system.portfolio.ledger.position(BTC)[0]
    assert held == system.engine.position(BTC) == system.strategy.position[BTC]
    assert system.portfolio.equity().decimal == core.equity
    assert system.orders.unexplained == 0
    assert core.open_orders == len(system.engine.open_orders()) == (2 if held else 0)


def test_no_stop_or_target_ever_turns_the_position(tmp_path: Path) -> None:
    _, record = run(tmp_path, 0.9995, 1.0005)
    held = Decimal(0)
    for fill in record.fills:
        held += fill.qty if fill.side == "BUY" else -fill.qty
        assert held >= 0


def test_a_liquidation_leaves_all_books_flat_and_the_strategy_able_to_go_on(
    tmp_path: Path,
) -> None:
    backtest, record = run(tmp_path, 0.5, 2.0, bars=3_000, fraction=45, leverage=50)
    system = backtest.system
    forced = [fill for fill in record.fills if fill.order_id.startswith("venue-liquidation-")]
    assert forced
    again = [f for f in record.fills if f.ts_ns > forced[0].ts_ns and f.strategy_id == "steady"]
    held = system.portfolio.ledger.position(BTC)[0]
    assert held == system.engine.position(BTC) == system.strategy.position[BTC]
    assert again or system.strategy.position[BTC] == 0
    assert system.portfolio.equity().decimal == backtest.venue.core.equity
    assert backtest.venue.core.open_orders == (2 if held else 0)


def test_latency_delays_the_answer_by_both_ways(tmp_path: Path) -> None:
    way = LatencyModel("constant", (2e9,))
    _, record = run(tmp_path, 0.99, 1.01, entry=way, response=way)
    entry = record.fills[0]
    assert entry.ts_ns % 60_000_000_000 == 4_000_000_000


def test_only_wanted_kinds_are_offered(tmp_path: Path) -> None:
    backtest, _ = run(tmp_path, 0.99, 1.01, bars=20)
    assert backtest.venue.core.offered == 20
    fresh = Backtest(backtest.settings, backtest.history)
    fresh.venue.subscribe(frozenset({EventType.TICK}))
    assert fresh.venue.next(None) is None
    assert fresh.venue.core.offered == 0


def test_the_next_instant_never_passes_the_horizon(tmp_path: Path) -> None:
    backtest, _ = run(tmp_path, 0.99, 1.01, bars=20)
    venue = Backtest(backtest.settings, backtest.history).venue
    venue.subscribe(frozenset({EventType.CANDLE}))
    start = backtest.history.start_ns
    assert venue.next(start + 5) == (start + 5, ())
    assert venue.last_price(BTC) is None
    instant = venue.next(start + 61_000_000_000)
    assert instant is not None
    assert instant[0] == start + 60_000_000_000
    assert venue.last_price(BTC) == instant[1][0].close
