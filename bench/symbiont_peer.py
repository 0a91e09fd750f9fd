# SPDX-License-Identifier: Apache-2.0
"""The peers of the judge, for a Python without HEAN. One fused numba loop an agent, as somebody who
knows the rule beforehand would write it: everything in floats, one account a symbol, equity looked
at each hour. And vectorbt, all agents at once as columns: indicators once for each window, entries
and exits a bar later at its open, a stop a fraction away; without the longest holding, funding and
impact, which its signals do not have.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numba
import numpy as np

HOUR, FOURTEENTH = 60, 1.0 / 14.0


def columns(seed: int, bars: int) -> np.ndarray:
    """Open, high, low, close, volume."""
    draw = np.random.default_rng(seed)
    sigma = np.repeat(np.exp(draw.normal(-7.5, 0.4, bars // 60 + 1)), 60)[:bars]
    steps = draw.normal(0, 1, bars) * sigma - sigma**2 / 2
    close = np.round(30_000 * np.exp(np.cumsum(steps)), 1)
    open_ = np.concatenate([[30_000.0], close[:-1]])
    reach = np.sqrt(np.log(close / open_) ** 2 - 2 * sigma**2 * np.log(draw.random((2, bars))))
    middle = np.sqrt(open_ * close)
    high = np.maximum(np.round(middle * np.exp(reach[0] / 2), 1), np.maximum(open_, close))
    low = np.minimum(np.round(middle * np.exp(-reach[1] / 2), 1), np.minimum(open_, close))
    volume = np.round(np.exp(draw.normal(3, 0.8, bars)), 3) + 0.001
    return np.ascontiguousarray(np.stack([open_, high, low, close, volume]))


def vectorbt(
    rules: list[list[float]], bars: int, cash: float, fee: float, slippage: float
) -> dict[str, Any]:
    """Every rule on two symbols. *Returns*: processor seconds, and round trips that are over."""
    warnings.filterwarnings("ignore")
    tables = [columns(seed, bars) for seed in (1, 2)]
    costs = {"fees": fee, "slippage": slippage, "init_cash": cash}
    _vectorbt(tables[0][:, :2_000], rules, costs)  # compiled before timing
    began = time.process_time()
    trips = sum(_vectorbt(table, rules, costs) for table in tables)
    return {"cpu_s": time.process_time() - began, "trips": trips}


def _vectorbt(table: Any, rules: list[list[float]], costs: dict[str, float]) -> int:
    import pandas as pd
    import vectorbt as peer

    open_, high, low, close = (pd.Series(table[row]) for row in range(4))
    change = close.diff()
    up, down = change.clip(lower=0), -change.clip(upper=0)
    before = close.shift()
    span = pd.concat([high - low, (high - before).abs(), (low - before).abs()], axis=1).max(axis=1)
    atr = span.ewm(alpha=1 / 14, adjust=False).mean()

    def rsi(window: float) -> Any:
        gain, loss = (each.ewm(alpha=1 / window, adjust=False).mean() for each in (up, down))
        return (100 * gain / (gain + loss)).to_numpy()

    windows = {window: rsi(window) for window in {rule[0] for rule in rules}}
    averages_of = {
        slow: close.ewm(span=slow, adjust=False).mean().to_numpy()
        for slow in {rule[3] for rule in rules}
    }
    entries = np.empty((len(close), len(rules)), bool)
    exits, stops = np.empty_like(entries), np.empty(entries.shape)
    for at, (window, low_in, high_out, slow, stop, _, _) in enumerate(rules):
        is_warm = np.arange(len(close)) >= max(window, slow, 14)
        is_in = (windows[window] < low_in) & (close.to_numpy() > averages_of[slow]) & is_warm
        entries[:, at] = np.concatenate([[False], is_in[:-1]])
        exits[:, at] = np.concatenate([[False], (windows[window] > high_out)[:-1]])
        stops[1:, at] = (stop * atr / close).to_numpy()[:-1]
    stops[0] = np.nan
    names = [str(at) for at in range(len(rules))]
    portfolio = peer.Portfolio.from_signals(
        close,
        pd.DataFrame(entries, columns=names),
        pd.DataFrame(exits, columns=names),
        price=open_,
        open=open_,
        high=high,
        low=low,
        sl_stop=pd.DataFrame(stops, columns=names),
        stop_entry_price="fillprice",
        stop_exit_price="stoplimit",
        size=rules[0][6] * costs["init_cash"],
        size_type="value",
        freq="1min",
        **costs,
    )
    return int(portfolio.trades.closed.count().sum())


@numba.njit(cache=False, fastmath=False)  # type: ignore[misc,unused-ignore]
def averages(
    bars: Any,
    at: int,
    window: float,
    slow: float,
    parts: tuple[float, float],
    gain: float,
    loss: float,
    ema: float,
    atr: float,
) -> tuple[float, float, float, float]:
    """One bar more: mean gain and loss, exponential average, average true range. *parts*: weights
    of the newest in the first and in the third; a product is faster than a quotient.
    """
    high, low, close = bars[1, at], bars[2, at], bars[3, at]
    if at == 0:
        return gain, loss, close, atr
    before = bars[3, at - 1]
    change = close - before
    up, down = max(change, 0.0), max(-change, 0.0)
    span = max(high - low, abs(high - before), abs(low - before))
    part = parts[0]
    if at <= window:
        gain, loss = gain + up * part, loss + down * part
    else:
        gain, loss = gain + (up - gain) * part, loss + (down - loss) * part
    atr = atr + span * FOURTEENTH if at <= 14 else atr + (span - atr) * FOURTEENTH
    if at < slow:
        return gain, loss, ema + (close - ema) / (at + 1), atr
    return gain, loss, ema + parts[1] * (close - ema), atr


@numba.njit(cache=False, fastmath=False)  # type: ignore[misc,unused-ignore]
def run(
    bars: Any, funding: Any, rule: Any, cash: float, costs: Any, tick: float, lot: float
) -> tuple[float, int, float]:
    """Final equity, round trips, largest drawdown of one agent on one symbol. *rule*: rsi window,
    bounds in and out, ema window, stop, hold, fraction. *costs*: fee, half spread, impact.
    """
    window, low_in, high_out, slow, stop, hold, fraction = rule
    fee, half_spread, impact = costs
    gain = loss = ema = atr = 0.0
    parts = (1.0 / window, 2.0 / (slow + 1.0))
    held, age, entry, trigger = 0.0, 0, 0.0, 0.0
    peak, deepest, trips = cash, 0.0, 0
    wants_in = wants_out = False
    level = 0.0
    for at in range(bars.shape[1]):
        open_, low, close = bars[0, at], bars[2, at], bars[3, at]
        if at > 0:
            before = at - 1
            wide = (bars[1, before] - bars[2, before]) / bars[3, before]
            traded = bars[4, before]
        if wants_in:
            size = np.floor(cash * fraction / bars[3, at - 1] / lot) * lot
            if size > 0:
                worse = half_spread + impact * wide * np.sqrt(size / traded)
                entry = np.ceil(open_ * (1 + worse) / tick) * tick
                cash -= entry * size * fee
                held, age, trigger = size, 0, np.round(level / tick) * tick
            wants_in = False
        elif wants_out:
            worse = half_spread + impact * wide * np.sqrt(held / traded)
            price = np.floor(min(open_, max(open_, trigger)) * (1 - worse) / tick) * tick
            cash += (price - entry) * held - price * held * fee
            held, wants_out, trips = 0.0, False, trips + 1
        if held > 0 and low <= trigger:
            worse = half_spread + impact * wide * np.sqrt(held / traded)
            price = np.floor(min(open_, trigger) * (1 - worse) / tick) * tick
            cash += (price - entry) * held - price * held * fee
            held, trips = 0.0, trips + 1
        if funding[at] != 0.0 and held > 0:
            cash -= funding[at] * held * close
        if at % HOUR == 0:
            equity = cash + held * (close - entry)
            peak = max(peak, equity)
            deepest = max(deepest, (peak - equity) / peak)
        gain, loss, ema, atr = averages(bars, at, window, slow, parts, gain, loss, ema, atr)
        if at < window or at < 14:
            continue
        rsi = 100.0 * gain / (gain + loss) if gain + loss > 0 else 50.0
        if held > 0:
            age += 1
            wants_out = rsi > high_out or age >= hold
        elif at >= slow - 1 and rsi < low_in and close > ema:
            wants_in, level = True, close - stop * atr
    return cash + held * (bars[3, -1] - entry), trips, deepest
