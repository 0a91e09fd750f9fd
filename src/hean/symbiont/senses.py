# SPDX-License-Identifier: Apache-2.0
"""`senses.py`: what is heard of the bars that agents read, as columns: of each symbol the change of
its price, its range and its volume. Made of a record at once, or of a running market bar by bar,
they are the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hean.core.types import Candle
from hean.quant.checks import Array

COLUMNS = ("change", "range", "volume")


def columns_of(bars: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """Columns of recorded bars. *bars*: by symbol, each with `ts`, `high`, `low`, `close` and
    `volume`. *Returns*: a row for each time that any symbol has a bar of, nan where one has none.
    """
    times = np.unique(np.concatenate([each["ts"] for each in bars.values()]))
    found: dict[str, Array] = {}
    for symbol, each in bars.items():
        change = np.full(len(each["close"]), np.nan)
        change[1:] = np.log(each["close"][1:] / each["close"][:-1])
        with np.errstate(divide="ignore"):
            ranges = np.log(np.log(each["high"] / each["low"]))
        ranges[~np.isfinite(ranges)] = np.nan
        rows = np.searchsorted(times, each["ts"])
        for name, values in zip(COLUMNS, (change, ranges, np.log1p(each["volume"])), strict=True):
            column = found[f"{symbol} {name}"] = np.full(len(times), np.nan)
            # A first bar has no change, and is not heard at all: as in a running market.
            column[rows[1:]] = values[1:]
    return found


class Senses:
    """The same bar by bar. `close`: the last of each symbol."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.close: dict[str, float] = {}
        self._symbols = tuple(symbols)
        self._opened_ns = 0
        self._row: dict[str, float] = {}

    def row(self, bar: Candle) -> dict[str, float]:
        """Take a bar. *Returns*: the columns of the row before it, once the first bar of the next
        has come, with nan where a symbol had none; else nothing.
        """
        done: dict[str, float] = {}
        if bar.timestamp != self._opened_ns:
            done = {
                name: self._row.get(name, math.nan)
                for symbol in (self._symbols if self._row else ())
                for name in (f"{symbol} {column}" for column in COLUMNS)
            }
            self._opened_ns, self._row = bar.timestamp, {}
        before = self.close.get(bar.symbol)
        if before:
            self._row[f"{bar.symbol} change"] = math.log(bar.close / before)
            if bar.high > bar.low:
                self._row[f"{bar.symbol} range"] = math.log(math.log(bar.high / bar.low))
            self._row[f"{bar.symbol} volume"] = math.log1p(bar.volume)
        self.close[bar.symbol] = bar.close
        return done
