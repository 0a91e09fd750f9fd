# SPDX-License-Identifier: Apache-2.0
"""`ewma.py`: the always-on volatility forecast, RiskMetrics (1996): variance is an exponentially
weighted mean of squared log returns of bars. The forecast after a bar uses that bar and none
later. It is stated per day, so that bars of any length give comparable numbers.
"""

from __future__ import annotations

import math

from hean.core.module import Module, on
from hean.core.timeframe import DAY_NS, timeframe_ns
from hean.core.types import Candle, Event, EventType, VolForecast

DECAY = 0.94  # RiskMetrics' lambda
WARM_UP = 20  # bars before the first forecast: fewer say more about the first bar than the market


class EwmaVolatility(Module):
    """Emits `VOL_FORECAST` (sigma per day) after each bar."""

    name = "ewma"
    produces = (EventType.VOL_FORECAST,)

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._variance: dict[str, float] = {}
        self._seen: dict[str, int] = {}

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Update with one bar."""
        candle: Candle = event.data
        symbol, close = candle.symbol, candle.close
        last = self._last.get(symbol)
        self._last[symbol] = close
        if last is None:
            return
        squared = math.log(close / last) ** 2
        seen = self._seen[symbol] = self._seen.get(symbol, 0) + 1
        # While young, a plain mean: an exponential one would remember its first value too long.
        weight = max(1.0 - DECAY, 1.0 / seen)
        variance = self._variance.get(symbol, 0.0)
        variance = self._variance[symbol] = variance + weight * (squared - variance)
        if seen >= WARM_UP:
            per_day = DAY_NS / timeframe_ns(candle.timeframe)
            sigma = math.sqrt(variance * per_day)
            self.context.emit(VolForecast(symbol, sigma, DAY_NS / 1e9))
