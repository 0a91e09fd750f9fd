# SPDX-License-Identifier: Apache-2.0
"""`genome.py`: trades a genome, the rules that SYMBIONT breeds, in the event-driven engine. Each
bar goes through the same evaluator that judged the genome natively, one row at a time; the orders
are those of the judge, which a property test holds it to.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hean._core import GenomeWatch
from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Candle, Event, EventType, Funding, Side
from hean.genome.features import COLUMNS, load_all
from hean.genome.text import read, write
from hean.genome.words import row_of
from hean.strategies.base import Strategy

EXAMPLE = "long when rsi(14) < 28 and regime = calm; exit when rsi(14) > 55; stop 3 atr"


class GenomeTrader(Strategy):
    """One genome on all its symbols, a position in each at most."""

    name = "genome"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("genome", EXAMPLE, "the rules, as docs/evolution.md has them"),
        Parameter(
            "features",
            "",
            "path.py:function or hean:name of features that they read, by comma",
            is_code=True,
        ),
    )

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        specs = [each.strip() for each in str(self.p.features).split(",") if each.strip()]
        self._features = load_all(specs)
        names = [feature.name for feature in self._features]
        self.genome = read(str(self.p.genome), names)
        self.settings["genome"] = write(self.genome)
        self._watch = GenomeWatch(row_of(self.genome, symbols, names), len(symbols), len(names))
        self._number = {symbol: number for number, symbol in enumerate(symbols)}
        self._age = dict.fromkeys(symbols, 0)
        bounded = [each.memory for each in self._features if each.memory is not None]
        is_bounded = len(bounded) == len(self._features)
        self._kept = max(bounded, default=0) if is_bounded else None  # bars
        self._past: dict[str, list[tuple[float, ...]]] = {symbol: [] for symbol in symbols}

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """Remember what a settlement cost."""
        funding: Funding = event.data
        number = self._number.get(funding.symbol)
        if number is not None:
            self._watch.funding(number, funding.rate)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Ask the genome at the end of each bar."""
        bar: Candle = event.data
        number = self._number.get(bar.symbol)
        if number is None:
            return
        long, short, leaves, atr = self._watch.bar(
            number, event.ts_ns, bar.open, bar.high, bar.low, bar.close, bar.volume,
            self._extras(bar),
        )  # fmt: skip
        if self.position[bar.symbol]:
            self._age[bar.symbol] += 1
            is_old = 0 < self.genome.hold <= self._age[bar.symbol]
            if (leaves or is_old) and not self.is_waiting(bar.symbol):
                self.leave(bar.symbol, as_of_seq=event.seq)
        elif (long or short) and not self.is_waiting(bar.symbol):
            self._open(bar, Side.BUY if long else Side.SELL, atr, seq=event.seq)

    def _extras(self, bar: Candle) -> list[float]:
        """The features as of this bar, each computed over the bars that it may depend on; the
        user's, of which nobody knows, over all bars so far.
        """
        if not self._features:
            return []
        past = self._past[bar.symbol]
        past.append((bar.open, bar.high, bar.low, bar.close, bar.volume))
        if self._kept is not None and len(past) > 2 * self._kept:
            del past[: -self._kept]
        rows = np.array(past if self._kept is None else past[-self._kept :])
        columns = dict(zip(COLUMNS, np.ascontiguousarray(rows.T), strict=True))
        return [feature.latest(columns) for feature in self._features]

    def _open(self, bar: Candle, side: Side, atr: float, *, seq: int) -> None:
        sign = 1.0 if side is Side.BUY else -1.0
        level = bar.close - sign * self.genome.stop * atr
        if not (level > 0 and atr > 0):
            return
        self._age[bar.symbol] = 0
        self.enter(bar.symbol, side, strength=self.genome.size, stop_loss=level, as_of_seq=seq)
