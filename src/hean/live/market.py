# SPDX-License-Identifier: Apache-2.0
"""`market.py`: the market as a live strategy may look at it: the last price, the last rows, and
whether a condition holds. It is told each fact before the strategy is and keeps nothing older than
its limit; prices here are for opinions and for the valuation of orders, never for the books.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from hean._core import Conditions
from hean.core.bus import EventBus
from hean.core.types import Event, EventType
from hean.errors import ParameterInvalid
from hean.feeds.arriving import KEPT_ROWS
from hean.program import Change
from hean.strategies.base import Strategy

_TICK = ("price", "qty", "bid", "ask")
_CANDLE = ("open", "high", "low", "close", "volume")


class LiveMarket:
    """The port `Market` on facts of a bus; attach it before the strategy.

    *strategy*: whose conditions are evaluated, on bars where it handles bars, else on trades.
    """

    def __init__(self, bus: EventBus, symbols: Sequence[str], strategy: Strategy) -> None:
        columns = _TICK + _CANDLE
        self._rows: dict[str, dict[str, deque[float]]] = {
            symbol: {name: deque(maxlen=KEPT_ROWS) for name in columns} for symbol in symbols
        }
        self._last: dict[str, float] = {}
        watched = {wake.when: None for wake in strategy.wakes() if isinstance(wake, Change)}
        self._numbers: dict[Hashable, int] = {when: at for at, when in enumerate(watched)}
        words = [list(when.words) for when in watched]
        self._conditions = {symbol: Conditions(words) for symbol in symbols if words}
        self._on_bars = strategy.feed() is EventType.CANDLE
        bus.subscribe(EventType.TICK, self._tick)
        if EventType.CANDLE in strategy.consumed():
            bus.subscribe(EventType.CANDLE, self._candle)

    def last_price(self, symbol: str) -> float | None:
        """Of the last trade, or the middle of the last quote; `None` before the first."""
        return self._last.get(symbol)

    def window(self, symbol: str, rows: int, column: str = "close") -> Any:
        """The last *rows* values, oldest first. *Raises*: `ParameterInvalid`."""
        kept = self._rows[symbol].get(column)
        if kept is None:
            known = ", ".join(_TICK + _CANDLE)
            raise ParameterInvalid(f"{symbol} has no column {column!r} here; it has {known}.")
        values = np.array(list(islice(kept, max(0, len(kept) - rows), None)), np.float64)
        values.setflags(write=False)
        return values

    def holds(self, symbol: str, condition: Hashable) -> bool:
        """Whether a condition named in `wakes` holds. *Raises*: `ParameterInvalid`."""
        number = self._numbers.get(condition)
        if number is None:
            known = ", ".join(map(str, self._numbers)) or "nothing"
            raise ParameterInvalid(f"nobody watches {condition}; wakes() names: {known}.")
        return self._conditions[symbol].holds(number)

    def wake(self, symbol: str) -> None:
        """Every fact is delivered; there is nobody to wake."""

    def _tick(self, event: Event) -> None:
        tick = event.data
        rows, price, volume = self._rows[tick.symbol], tick.price, tick.volume
        if volume:
            rows["price"].append(price)
            rows["qty"].append(volume)
            self._last[tick.symbol] = price
            if self._conditions and not self._on_bars:
                self._conditions[tick.symbol].step(price, price, price, price, volume)
            return
        rows["bid"].append(tick.bid or 0.0)
        rows["ask"].append(tick.ask or 0.0)
        if tick.bid and tick.ask:
            self._last[tick.symbol] = (tick.bid + tick.ask) / 2

    def _candle(self, event: Event) -> None:
        bar = event.data
        values = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        for name, value in zip(_CANDLE, values, strict=True):
            self._rows[bar.symbol][name].append(value)
        if self._conditions and self._on_bars:
            self._conditions[bar.symbol].step(*values)
