# SPDX-License-Identifier: Apache-2.0
"""The peer of the judge: one fused numba loop an agent, as somebody who knows the rule beforehand
would write it. Everything in floats, one account a symbol, equity looked at each hour.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

HOUR = 60


@numba.njit(cache=False, fastmath=False)  # type: ignore[misc,unused-ignore]
def averages(
    bars: Any,
    at: int,
    window: float,
    slow: float,
    gain: float,
    loss: float,
    ema: float,
    atr: float,
) -> tuple[float, float, float, float]:
    """One bar more: mean gain and loss, exponential average, average true range."""
    high, low, close = bars[1, at], bars[2, at], bars[3, at]
    if at == 0:
        return gain, loss, close, atr
    before = bars[3, at - 1]
    change = close - before
    up, down = max(change, 0.0), max(-change, 0.0)
    span = max(high - low, abs(high - before), abs(low - before))
    if at <= window:
        gain, loss = gain + up / window, loss + down / window
    else:
        gain, loss = gain + (up - gain) / window, loss + (down - loss) / window
    atr = atr + span / 14 if at <= 14 else atr + (span - atr) / 14
    if at < slow:
        return gain, loss, ema + (close - ema) / (at + 1), atr
    return gain, loss, ema + 2.0 / (slow + 1.0) * (close - ema), atr


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
        gain, loss, ema, atr = averages(bars, at, window, slow, gain, loss, ema, atr)
        if at < window or at < 14:
            continue
        rsi = 100.0 * gain / (gain + loss) if gain + loss > 0 else 50.0
        if held > 0:
            age += 1
            wants_out = rsi > high_out or age >= hold
        elif at >= slow - 1 and rsi < low_in and close > ema:
            wants_in, level = True, close - stop * atr
    return cash + held * (bars[3, -1] - entry), trips, deepest
