# SPDX-License-Identifier: Apache-2.0
"""A strategy that changes its resting orders, as a user would write it: at the simulated venue the
answers say the same as at an exchange, the books of both sides agree, and the run repeats itself.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from desk import BTC, candle_file
from hean.backtest.journaling import finish_journal, replay, start_journal
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.journal import open_journal
from hean.core.types import EventType
from hean.feeds.history import load_history
from hean.system import AccountSettings

QUOTER = """
from decimal import Decimal

from hean.core.module import on
from hean.core.types import EventType, OrderType, Side, Signal
from hean.strategies.base import Strategy


class Quoter(Strategy):
    name = "quoter"

    def __init__(self, symbols, given=None):
        super().__init__(symbols, given)
        self.quotes = {}  # side: [order id, price, size, filled]

    @on(EventType.CANDLE)
    def on_candle(self, event):
        bar = event.data
        for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
            price = bar.close * (1 + sign * 0.0004)
            quote = self.quotes.get(side)
            if quote is None:
                order_id = self.context.next_id(self.name)
                size = Decimal(4)
                self.quotes[side] = [order_id, price, size, Decimal(0)]
                self.context.emit(Signal(bar.symbol, side, size, strategy_id=self.name,
                    type=OrderType.LIMIT, price=price, order_id=order_id))
            else:
                size = quote[3] + Decimal(event.seq % 5)
                self.amend(quote[0], price=price if event.seq % 3 else None, size=size)

    @on(EventType.ORDER_AMENDED)
    def on_amended(self, event):
        for side, quote in list(self.quotes.items()):
            if quote[0] == event.data.order_id:
                quote[2] = event.data.size
                assert event.data.remaining_qty == quote[2] - quote[3]

    @on(EventType.ORDER_CANCELLED, EventType.ORDER_REJECTED)
    def on_end(self, event):
        self.quotes = {side: quote for side, quote in self.quotes.items()
            if quote[0] != event.data.order_id}

    def on_fill(self, event):
        fill = event.data
        quote = self.quotes[fill.side]
        quote[3] += fill.filled_qty
        assert fill.remaining_qty == quote[2] - quote[3]
        if not fill.remaining_qty:
            del self.quotes[fill.side]
"""


def journaled(folder: Path) -> tuple[Backtest, dict[str, Any], str, Counter[str]]:
    strategy = folder / "quoter.py"
    strategy.write_text(QUOTER, encoding="utf-8")
    files = [candle_file(folder, bars=300)]
    account = AccountSettings(cash=Decimal(10_000_000))
    settings = BacktestSettings(f"{strategy}:Quoter", (BTC,), account=account, seed=3)
    backtest = Backtest(settings, load_history(files, settings.symbols))
    journal = start_journal(folder / "run.journal", backtest, files)
    summary, _ = backtest.run()
    head = finish_journal(journal, backtest)
    opened = open_journal(folder / "run.journal")
    kinds = Counter(record.kind for record in opened.records())
    opened.close()
    return backtest, summary, head, kinds


def test_books_of_venue_and_engine_agree_and_the_run_repeats_itself(tmp_path: Path) -> None:
    backtest, summary, head, kinds = journaled(tmp_path)
    assert kinds["ORDER_AMENDED"] > 20
    assert kinds["AMEND_REJECTED"] > 5
    assert kinds["AMEND_REQUEST"] == kinds["ORDER_AMENDED"] + kinds["AMEND_REJECTED"]
    assert kinds["ORDER_FILLED"] > 20
    assert kinds["ERROR"] == 0
    system = backtest.system
    assert system.orders.unexplained == 0
    assert system.engine.position(BTC) == system.portfolio.ledger.position(BTC)[0]
    resting = [order["qty"] - order["filled_qty"] for order in system.engine.open_orders()]
    assert all(left > 0 for left in resting)
    assert backtest.venue.core.open_orders == len(resting)
    result = replay(tmp_path / "run.journal")
    assert (result["state_hash"], result["journal_hash"]) == (summary["state_hash"], head)


def test_amendments_are_answered_by_the_venue_and_never_by_a_second_placement(
    tmp_path: Path,
) -> None:
    journaled(tmp_path)
    opened = open_journal(tmp_path / "run.journal")
    placed = Counter(
        getattr(record.fact(), "order_id")  # noqa: B009  # every payload of the kind has it
        for record in opened.records()
        if record.kind == EventType.ORDER_PLACED
    )
    opened.close()
    assert set(placed.values()) == {1}
    assert Decimal(len(placed)) > 2
