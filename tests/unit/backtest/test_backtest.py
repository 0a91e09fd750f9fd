# SPDX-License-Identifier: Apache-2.0
"""What a backtest promises to its user: protection that rests, errors that name their place,
assumptions that are those of the run.
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import pytest

from hean._core import OrderEngine
from hean.core.module import Module, on
from hean.core.types import Event, EventType
from hean.errors import DataInvalid
from hean.feeds.history import load_history
from hean.strategies.base import Strategy
from hean.strategies.impulse import ImpulseEngine
from hean.system import AccountSettings
from small_market import (
    IMPULSE,
    INSTANT,
    SYMBOL,
    BookSwinger,
    CandleSwinger,
    candle_history,
    composed,
    play,
    write_candles,
    write_trades,
)


class Guard(Module):
    """Looks at every bar whether the open position is covered by a resting stop."""

    name = "guard"

    def __init__(self, engine: OrderEngine) -> None:
        self.engine = engine
        self.covered = 0
        self.naked: list[int] = []

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Compare position and stops."""
        held = abs(self.engine.position(SYMBOL))
        if not held:
            return
        stops = [order for order in self.engine.open_orders() if order["type"] == "STOP"]
        if sum(order["qty"] - order["filled_qty"] for order in stops) < held:
            self.naked.append(event.ts_ns)
        else:
            self.covered += 1


@pytest.mark.parametrize("strategy", [ImpulseEngine, CandleSwinger])
def test_a_bracketed_position_always_has_its_stop(tmp_path: Path, strategy: type[Strategy]) -> None:
    given = IMPULSE if strategy is ImpulseEngine else {}
    history = candle_history(tmp_path, 3)
    backtest = composed(strategy, history, given=given, assumptions=INSTANT)
    guard = Guard(backtest.system.engine)
    backtest.system.add(guard)
    backtest.run()
    assert guard.covered > 20
    assert guard.naked == []


def test_a_strategy_that_raises_is_named_with_its_event(tmp_path: Path) -> None:
    class Clumsy(CandleSwinger):
        name = "clumsy"

        @on(EventType.CANDLE)
        def on_candle(self, event: Event) -> None:
            raise ZeroDivisionError("nothing to divide by")

    with pytest.raises(ZeroDivisionError) as caught:
        play(candle_history(tmp_path, 3), Clumsy)
    notes = "".join(caught.value.__notes__)
    assert "Clumsy.on_candle" in notes
    assert "CANDLE" in notes
    assert SYMBOL in notes


def test_the_stated_leverage_is_the_one_that_was_used(tmp_path: Path) -> None:
    account = AccountSettings(leverage=Decimal(7))
    summary, _ = composed(CandleSwinger, candle_history(tmp_path, 3), account=account).run()
    assert summary["assumptions"]["margin"] == "cross margin, leverage 7"


def test_a_run_can_be_repeated_from_the_same_history(tmp_path: Path) -> None:
    history = candle_history(tmp_path, 3)
    first, second = (play(history, ImpulseEngine, IMPULSE)[2] for _ in range(2))
    for name in ("wall_s", "events_per_s", "peak_rss_mb"):
        del first[name], second[name]
    assert first == second


def test_finer_data_that_ends_early_is_refused(tmp_path: Path) -> None:
    """Orders would fill at prices from the end of the tape while the bars go on."""
    history = load_history([write_candles(tmp_path, 4), write_trades(tmp_path, 4, 500)], [SYMBOL])
    with pytest.raises(DataInvalid, match="trades .* end"):
        composed(CandleSwinger, history)
    tape_end = int(history.markets[SYMBOL].columns[1].ts[-1])
    covered = dataclasses.replace(history, end_ns=tape_end)
    composed(CandleSwinger, covered)


def test_a_book_recorded_around_the_period_is_not_traded_outside_of_it(shared: Path) -> None:
    """The book is built from rows before the start; nobody is told of them."""
    files = [shared / "data/l2/binance_perp_BTCUSDT_raw_2023-04-04.txt.gz"]
    whole = load_history(files, [SYMBOL])
    middle = (whole.start_ns + whole.end_ns) // 2
    start_ns, end_ns = middle - 10_000_000_000, middle + 10_000_000_000
    history = load_history(files, [SYMBOL], start_ns=start_ns, end_ns=end_ns)
    backtest, watcher, _ = play(history, BookSwinger)
    assert len(watcher.signals) > 10
    assert watcher.signals[0][0] >= start_ns
    assert watcher.signals[-1][0] <= end_ns
    assert backtest.clock.now_ns <= end_ns + 1_000_000_000
