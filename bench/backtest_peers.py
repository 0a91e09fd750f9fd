# SPDX-License-Identifier: Apache-2.0
"""The peers' side of the backtest jobs, each written as its own documentation would have it, with
what speeds it up (no logging, no analysis, compiled before the clock starts). Imports live inside
the functions, for each runs alone in its process.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

import jobs

SMALL = 2_000  # rows that warm a compiler up


def nautilus_strategy(job: str, bar_type: Any) -> Any:
    """The rule as a strategy of NautilusTrader, with its own indicators."""
    from nautilus_trader.indicators import ExponentialMovingAverage as Average
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.model.objects import Quantity
    from nautilus_trader.trading.strategy import Strategy

    from nautilus_peer import SYMBOL

    class Cross(Strategy):  # type: ignore[misc]
        def on_start(self) -> None:
            self.fast, self.slow = Average(jobs.FAST), Average(jobs.SLOW)
            self.is_long, self.fills, self.one = False, 0, Quantity.from_str("1.000")
            if job == "a":
                self.subscribe_bars(bar_type)
            else:
                self.subscribe_quote_ticks(SYMBOL)

        def send(self, side: OrderSide) -> None:
            self.is_long = not self.is_long
            self.submit_order(self.order_factory.market(SYMBOL, side, self.one))

        def step(self, price: float) -> None:
            self.fast.update_raw(price)
            self.slow.update_raw(price)
            if not self.slow.initialized:
                return
            if self.fast.value >= self.slow.value:
                if not self.is_long:
                    self.send(OrderSide.BUY)
            elif self.is_long:
                self.send(OrderSide.SELL)

        def on_bar(self, bar: Any) -> None:
            self.step(bar.close.as_double())

        def on_quote_tick(self, tick: Any) -> None:
            self.step((tick.bid_price.as_double() + tick.ask_price.as_double()) / 2)

        def on_order_filled(self, event: Any) -> None:
            self.fills += 1

    return Cross()


def nautilus(job: str, rows: int) -> dict[str, Any]:
    """NautilusTrader: event-driven, Python strategy."""
    from nautilus_trader.model.data import Bar, BarType

    from nautilus_peer import SYMBOL, USDT, engine_with_venue, quotes

    bar_type = BarType.from_str(f"{SYMBOL}-1-MINUTE-LAST-EXTERNAL")
    began = time.perf_counter()
    engine = engine_with_venue(jobs.CASH)
    if job == "a":
        ts, *columns = jobs.bars(rows)
        stamps = ts.astype(np.uint64)
        data = Bar.from_raw_arrays_to_list(bar_type, 1, 3, *columns, stamps, stamps)
    else:
        data = quotes(*jobs.ticks(rows), size=100.0)
    engine.add_data(data)
    strategy = nautilus_strategy(job, bar_type)
    engine.add_strategy(strategy)
    prepared = time.perf_counter()
    engine.run()
    ended = time.perf_counter()
    account = engine.portfolio.account(SYMBOL.venue)
    cash = account.balance_total(USDT).as_double()
    for position in engine.cache.positions_open():
        cash += sum(fee.as_double() for fee in position.commissions())
    return {
        "engine_s": ended - prepared,
        "prep_s": prepared - began,
        "fills": strategy.fills,
        "cash_at_exit": cash,
    }


def backtesting_py(job: str, rows: int) -> dict[str, Any]:
    """backtesting.py: Python loop over whole arrays; its time includes its own statistics."""
    warnings.filterwarnings("ignore")
    import backtesting
    import pandas as pd

    backtesting.backtesting._tqdm = lambda steps, **_: steps

    def average(values: Any, span: int) -> Any:
        return pd.Series(values).ewm(span=span, adjust=False).mean().to_numpy()

    class Cross(backtesting.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(average, self.data.Close, jobs.FAST)
            self.slow = self.I(average, self.data.Close, jobs.SLOW)

        def next(self) -> None:
            if len(self.data) < jobs.SLOW:
                return
            if self.fast[-1] >= self.slow[-1]:
                if not self.position:
                    self.buy(size=1)
            elif self.position:
                self.position.close()

    began = time.perf_counter()
    ts, *columns = jobs.bars(rows)
    names = ("Open", "High", "Low", "Close", "Volume")
    frame = pd.DataFrame(dict(zip(names, columns, strict=True)), index=pd.to_datetime(ts))
    test = backtesting.Backtest(
        frame, Cross, cash=jobs.CASH, commission=jobs.FEE, trade_on_close=True
    )
    prepared = time.perf_counter()
    trades = test.run()["_trades"]
    ended = time.perf_counter()
    return {
        "engine_s": ended - prepared,
        "prep_s": prepared - began,
        "fills": 2 * len(trades),
        "cash_at_exit": jobs.CASH + float(trades.PnL.sum()),
    }


def vectorbt(job: str, rows: int) -> dict[str, Any]:
    """vectorbt: averages and signals as whole arrays, a compiled loop over orders."""
    warnings.filterwarnings("ignore")
    import pandas as pd
    import vectorbt as peer

    began = time.perf_counter()
    ts, _, _, _, closed, _ = jobs.bars(rows)
    prices = pd.Series(closed, index=pd.to_datetime(ts))

    def play(close: Any) -> Any:
        fast = close.ewm(span=jobs.FAST, adjust=False).mean()
        slow = close.ewm(span=jobs.SLOW, adjust=False).mean()
        is_above, is_warm = (fast >= slow).to_numpy(), np.arange(len(close)) >= jobs.SLOW - 1
        return peer.Portfolio.from_signals(
            close,
            is_above & is_warm,
            ~is_above & is_warm,
            size=1.0,
            fees=jobs.FEE,
            init_cash=jobs.CASH,
            freq="1min",
        )

    play(prices.iloc[:SMALL]).orders.count()
    prepared = time.perf_counter()
    portfolio = play(prices)
    fills = int(portfolio.orders.count())
    ended = time.perf_counter()
    orders = portfolio.orders.records
    closed_orders = orders.iloc[: len(orders) // 2 * 2]
    sign = np.where(closed_orders["side"] == 0, -1.0, 1.0)
    flow = sign * closed_orders["size"] * closed_orders["price"] - closed_orders["fees"]
    return {
        "engine_s": ended - prepared,
        "prep_s": prepared - began,
        "fills": fills,
        "cash_at_exit": jobs.CASH + float(flow.sum()),
    }


def depth_rows(ts: Any, bid: Any, ask: Any) -> Any:
    """Quotes as the level updates hftbacktest wants: the new level, then the old one's removal,
    first on the side the price moves to, so that the book never crosses."""
    import hftbacktest as peer

    both = peer.EXCH_EVENT | peer.LOCAL_EVENT | peer.DEPTH_EVENT
    was_bid, was_ask = (np.concatenate(([0.0], side[:-1])) for side in (bid, ask))
    is_rise = bid + ask >= was_bid + was_ask
    rows = np.zeros((len(ts), 4), peer.event_dtype)
    rows["exch_ts"] = rows["local_ts"] = ts[:, None]
    keep = np.ones((len(ts), 4), bool)
    for place in range(4):
        is_ask = is_rise if place < 2 else ~is_rise
        is_new = place % 2 == 0
        rows["ev"][:, place] = both | np.where(is_ask, peer.SELL_EVENT, peer.BUY_EVENT)
        levels = (ask, bid) if is_new else (was_ask, was_bid)
        rows["px"][:, place] = np.where(is_ask, *levels)
        rows["qty"][:, place] = 100.0 if is_new else 0.0
        if not is_new:
            keep[:, place] = np.where(is_ask, ask != was_ask, bid != was_bid)
            keep[0, place] = False
    kept = rows[keep]
    start = kept[:2].copy()  # the clock of the peer starts at its first row
    start["exch_ts"] = start["local_ts"] = jobs.START_NS
    return np.concatenate((start, kept))


def hftbacktest(job: str, rows: int) -> dict[str, Any]:
    """hftbacktest: Rust engine, strategy compiled by numba."""
    import hftbacktest as peer
    from numba import njit

    @njit  # type: ignore[untyped-decorator]
    def play(test: Any, fast_share: float, slow_share: float, warm: int) -> Any:
        fast = slow = cash = 0.0
        seen = orders = 0
        while test.elapse(1_000_000) == 0:
            depth = test.depth(0)
            price = (depth.best_bid + depth.best_ask) / 2
            if np.isnan(price):
                continue
            if seen == 0:
                fast = slow = price
            else:
                fast = fast_share * price + (1 - fast_share) * fast
                slow = slow_share * price + (1 - slow_share) * slow
            seen += 1
            if seen < warm:
                continue
            is_long = orders % 2 == 1
            if fast >= slow and not is_long:
                orders += 1
                test.submit_buy_order(0, orders, depth.best_ask, 1.0, peer.GTC, peer.MARKET, True)
                test.clear_inactive_orders(0)
            elif fast < slow and is_long:
                orders += 1
                test.submit_sell_order(0, orders, depth.best_bid, 1.0, peer.GTC, peer.MARKET, True)
                test.clear_inactive_orders(0)
                state = test.state_values(0)
                cash = state.balance - state.fee
        return orders, cash

    def engine(data: Any) -> Any:
        asset = peer.BacktestAsset().data([data]).linear_asset(1.0)
        asset = asset.constant_order_latency(0, 0).risk_adverse_queue_model()
        asset = asset.no_partial_fill_exchange().trading_value_fee_model(0.0002, jobs.FEE)
        asset = asset.tick_size(0.1).lot_size(0.001).last_trades_capacity(0)
        return peer.HashMapMarketDepthBacktest([asset])

    began = time.perf_counter()
    data = depth_rows(*jobs.ticks(rows))
    shares = (2.0 / (jobs.FAST + 1), 2.0 / (jobs.SLOW + 1), jobs.SLOW)
    few = data[: 2 * SMALL].copy()  # the peer keeps a bare pointer: this name keeps it valid
    play(engine(few), *shares)
    test = engine(data)
    prepared = time.perf_counter()
    fills, cash = play(test, *shares)
    ended = time.perf_counter()
    return {
        "engine_s": ended - prepared,
        "prep_s": prepared - began,
        "fills": int(fills),
        "cash_at_exit": jobs.CASH + float(cash),
    }
