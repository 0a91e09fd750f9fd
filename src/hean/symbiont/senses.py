# SPDX-License-Identifier: Apache-2.0
"""`senses.py`: what agents read of the bars, as columns: of each symbol the change of its price and
its volume. Made of a record at once, or of a running market bar by bar, they are the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hean.core.types import Candle
from hean.quant.checks import Array


def columns_of(bars: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """Columns of recorded bars. *bars*: by symbol, each with `close` and `volume`."""
    found: dict[str, Array] = {}
    for symbol, each in bars.items():
        found[f"{symbol} change"] = np.diff(np.log(each["close"]), prepend=np.nan)
        found[f"{symbol} volume"] = np.log1p(each["volume"])
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
                for name in (f"{symbol} change", f"{symbol} volume")
            }
            self._opened_ns, self._row = bar.timestamp, {}
        before = self.close.get(bar.symbol)
        if before:
            self._row[f"{bar.symbol} change"] = math.log(bar.close / before)
            self._row[f"{bar.symbol} volume"] = math.log1p(bar.volume)
        self.close[bar.symbol] = bar.close
        return done
