# SPDX-License-Identifier: Apache-2.0
"""Small recorded markets for tests of whole backtests, strategies that trade on them, and an
accountant who shares no code with the ledger. Prices are random walks on the tick of the BTCUSDT
perpetual, made from a seed; files are written in the project's own format and read back by it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.module import Module, on
from hean.core.types import Event, EventType, Funding, OrderFilled, Side
from hean.feeds.history import History, load_history
from hean.strategies.base import Strategy

START_MS = 1_700_006_400_000  # midnight UTC
BAR_MS = 300_000
SYMBOL = "BTCUSDT"
IMPULSE = {"window": 20, "horizon": 3, "threshold": 0.6, "volume_z": 0.3, "calm_max": 9.0,
           "atr": 5, "stop": 1.5, "target": 2.0, "hold": 12}  # fmt: skip
AT_ONCE = LatencyModel("constant", (0.0,))
INSTANT = Assumptions(entry=AT_ONCE, response=AT_ONCE)


def write_candles(folder: Path, seed: int, bars: int = 600) -> Path:
    """Five-minute bars with bursts of volatility and volume."""
    draw = np.random.default_rng(seed)
    calm = np.repeat(draw.uniform(0.5, 3.0, bars // 30 + 1), 30)[:bars]
    close = 300_000 + np.cumsum(np.rint(draw.normal(0, 400, bars) * calm)).astype(np.int64)
    open_ = np.concatenate([[300_000], close[:-1]]) + draw.integers(-30, 31, bars)
    high = np.maximum(open_, close) + draw.integers(0, 400, bars)
    low = np.minimum(open_, close) - draw.integers(0, 400, bars)
    volume = np.rint(np.exp(draw.normal(3, 0.8, bars)) * calm * 1000) / 1000
    table = {"ts": START_MS + BAR_MS * np.arange(bars)}
    table |= {
        n: c / 10 for n, c in {"open": open_, "high": high, "low": low, "close": close}.items()
    }
    path = folder / "binance_perp_BTCUSDT_5m_made.parquet"
    pl.DataFrame(table | {"volume": volume}).write_parquet(path)
    return path


def write_funding(folder: Path, seed: int, days: int = 2) -> Path:
    """A settlement each eight hours."""
    draw = np.random.default_rng(seed + 1)
    ts = START_MS + 8 * 3_600_000 * np.arange(3 * days + 1)
    path = folder / "binance_perp_BTCUSDT_8h_made.parquet"
    rate = draw.integers(-50, 51, len(ts)) / 1e6
    pl.DataFrame({"ts": ts, "rate": rate}).write_parquet(path)
    return path


def write_trades(folder: Path, seed: int, count: int = 3_000) -> Path:
    """A tape of a few hours."""
    draw = np.random.default_rng(seed + 2)
    price = 300_000 + np.cumsum(draw.integers(-20, 21, count))
    table = {
        "ts": START_MS + np.cumsum(draw.integers(0, 9_000, count)),
        "price": price / 10,
        "qty": draw.integers(1, 900, count) / 1000,
        "side": np.where(draw.integers(0, 2, count), "buy", "sell"),
        "id": np.arange(count) + 1,
    }
    path = folder / "binance_perp_BTCUSDT_trades_made.parquet"
    pl.DataFrame(table).write_parquet(path)
    return path


def candle_history(folder: Path, seed: int) -> History:
    """Bars and funding."""
    return load_history([write_candles(folder, seed), write_funding(folder, seed)], [SYMBOL])


def cut(history: History, end_ns: int) -> History:
    """The same recording, stopped at *end_ns*."""
    markets = {
        symbol: dataclasses.replace(
            market,
            captures=tuple(
                dataclasses.replace(
                    capture,
                    depth={
                        name: column[capture.depth["ts_ns"] <= end_ns]
                        for name, column in capture.depth.items()
                    },
                )
                for capture in market.captures
            ),
        )
        for symbol, market in history.markets.items()
    }
    return dataclasses.replace(history, markets=markets, end_ns=end_ns)


class Watcher(Module):
    """Keeps decisions, fills and settlements, in the order of the bus."""

    name = "watcher"

    def __init__(self) -> None:
        self.signals: list[tuple[int, Any]] = []
        self.money: list[OrderFilled | Funding] = []

    @on(EventType.SIGNAL)
    def on_signal(self, event: Event) -> None:
        """Keep a decision with its time."""
        # The number of the event it was based on counts the recorder's samples as well, whose
        # grid depends on the length of the run.
        self.signals.append((event.ts_ns, msgspec.structs.replace(event.data, as_of_seq=0)))

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """Keep a fill."""
        self.money.append(event.data)

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """Keep a settlement."""
        self.money.append(event.data)

    def until(self, end_ns: int) -> list[tuple[int, Any]]:
        """Decisions made up to a time."""
        return [item for item in self.signals if item[0] <= end_ns]


def composed(strategy: type[Strategy], history: History, **settings: Any) -> Backtest:
    """A backtest of a class that is in no file of its own."""
    built = strategy((SYMBOL,), settings.get("given"))
    return Backtest(BacktestSettings(strategy.name, (SYMBOL,), **settings), history, strategy=built)


def play(
    history: History,
    strategy: type[Strategy],
    given: dict[str, object] | None = None,
    *,
    assumptions: Assumptions | None = None,
    extra: Sequence[Module] = (),
) -> tuple[Backtest, Watcher, dict[str, Any]]:
    """Run a backtest with a watcher."""
    backtest = composed(
        strategy, history, given=given or {}, assumptions=assumptions or Assumptions()
    )
    watcher = Watcher()
    for module in (watcher, *extra):
        backtest.system.add(module)
    summary, _ = backtest.run()
    return backtest, watcher, summary


class Swinger(Strategy):
    """Changes its mind with the last digit of the price; protects itself; uses all it is told."""

    name = "swinger"
    is_protected = True

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.count = 0

    def decide(self, price: float) -> None:
        """Every few events: enter, or leave."""
        self.count += 1
        digit = round(price * 10)
        if (self.count * 7 + digit) % 11:
            return
        if self.position[SYMBOL]:
            self.leave(SYMBOL)
            return
        side, sign = (Side.BUY, 1) if digit % 2 else (Side.SELL, -1)
        if not self.is_protected:
            self.enter(SYMBOL, side)
            return
        self.enter(
            SYMBOL,
            side,
            stop_loss=price * (1 - sign * 0.004),
            take_profit=price * (1 + sign * 0.004),
        )


class CandleSwinger(Swinger):
    """Swings on bars."""

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Decide on the close."""
        self.decide(event.data.close)


class TickSwinger(Swinger):
    """Swings on trades and quotes, too fast for protection."""

    is_protected = False

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Decide on the price."""
        self.decide(event.data.price)


class BookSwinger(Swinger):
    """Swings on the best bid, too fast for protection."""

    is_protected = False

    @on(EventType.BOOK)
    def on_book(self, event: Event) -> None:
        """Decide on the best bid, if there is one."""
        if event.data.bids:
            self.decide(event.data.bids[0][0])


def on_tick(price: float) -> Fraction:
    """A float price as the exact price it stands for; the tick is 0.1."""
    return Fraction(round(price * 10), 10)


def account(cash: int, money: Sequence[OrderFilled | Funding], last: float) -> dict[str, Fraction]:
    """Equity and its parts from fills and settlements, as exact fractions: cash is what was paid
    and received, a position is worth its last price, and a settlement is rounded down to 1e-12.
    """
    paid = fees = funding = held = Fraction(0)
    unit = Fraction(1, 10**12)
    for item in money:
        if isinstance(item, OrderFilled):
            signed = Fraction(item.filled_qty) * (1 if item.side is Side.BUY else -1)
            held += signed
            paid += signed * Fraction(item.fill_price)
            fees += Fraction(item.fee)
        elif item.mark_price is not None:
            due = -held * on_tick(item.mark_price) * Fraction(repr(item.rate))
            funding += due // unit * unit
    equity = cash - paid + held * on_tick(last) - fees + funding
    return {"equity": equity, "fees": fees, "funding": funding, "held": held}
