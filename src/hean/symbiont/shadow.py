# SPDX-License-Identifier: Apache-2.0
"""`shadow.py`: what every agent would have earned on the running market. Bars are kept as they come
and judged by the judge of evolution, all agents in one pass; there is no second simulation. A bar
that is missing is missing for all of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from hean._core import GenomeWatch, Instrument, SymbiontGround
from hean.core.timeframe import DAY_NS
from hean.core.types import Candle
from hean.genome.features import BROUGHT, COLUMNS, Feature, load_all
from hean.genome.words import Row
from hean.quant.checks import Array
from hean.symbiont.forecast import markouts
from hean.symbiont.population import Population

BARS_KEPT = 200_000  # of a symbol; then the older half goes, from a midnight on
WARM_BARS = 20_000  # told to whoever begins to watch in the middle
WHOLE = 0.95  # of a day's bars, for a day that counts
RATES_KEPT = 10_000


class Trip(msgspec.Struct, frozen=True):
    """A round trip in the shadow: when it was decided (end of that bar) and over, whether long, and
    its result after costs in quote currency."""

    symbol: str
    decided_ns: int
    over_ns: int
    is_long: bool
    held_bars: int
    result: float


class Seen(msgspec.Struct, frozen=True):
    """Of one agent on the kept bars. *days*: number and net return of each whole day; *today*: net
    return since the last midnight; *trips*: that are over."""

    days: list[tuple[int, float]]
    today: float
    trips: list[Trip]


class _Bars:
    """The bars of one symbol, and what *features* said of each when it closed."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.ts = array("q")
        self.columns = [array("d") for _ in range(5)]
        self.features = features
        self.extras = [array("d") for _ in features]
        self.funding_ts: list[int] = []
        self.rates: list[float] = []

    def add(self, bar: Candle) -> bool:
        if self.ts and bar.timestamp <= self.ts[-1]:
            return False  # told twice, as after a reconnect
        self.ts.append(bar.timestamp)
        values = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        for column, value in zip(self.columns, values, strict=True):
            column.append(value)
        for feature, extra in zip(self.features, self.extras, strict=True):
            last = {
                name: np.array(column[-(feature.memory or 1) :])
                for name, column in zip(COLUMNS, self.columns, strict=True)
            }
            extra.append(feature.latest(last))
        return True

    def drop_before(self, ts_ns: int) -> None:
        cut = int(np.searchsorted(np.frombuffer(self.ts, np.int64), ts_ns))
        self.ts = self.ts[cut:]
        self.columns = [column[cut:] for column in self.columns]
        self.extras = [extra[cut:] for extra in self.extras]

    def arrays(self) -> tuple[Array, list[Array]]:
        return _frozen(self.ts, np.int64), [_frozen(each, np.float64) for each in self.columns]


class Shadow:
    """Bars of the *population*'s symbols by *rules*, under the costs it was bred with."""

    def __init__(self, population: Population, rules: Mapping[str, Instrument]) -> None:
        self.symbols, self.rules = population.symbols, rules
        self.costs, self.bar_ns = population.costs, population.bar_ns
        features = load_all([f"{BROUGHT}:{name}" for name in population.features])
        self.number = {symbol: row for row, symbol in enumerate(self.symbols)}
        self.cash = float(self.costs.cash)
        self._bars = [_Bars(features) for _ in self.symbols]

    def bar(self, bar: Candle) -> bool:
        """Keep a bar that has closed. *Returns*: whether it is a new one."""
        kept = self._bars[self.number[bar.symbol]]
        if not kept.add(bar):
            return False
        if len(kept.ts) > BARS_KEPT:
            middle = kept.ts[len(kept.ts) // 2] // DAY_NS * DAY_NS
            for each in self._bars:
                each.drop_before(middle)
        return True

    def funding(self, symbol: str, ts_ns: int, rate: float) -> None:
        """Keep a settlement."""
        kept = self._bars[self.number[symbol]]
        kept.funding_ts.append(ts_ns)
        kept.rates.append(rate)
        del kept.funding_ts[:-RATES_KEPT], kept.rates[:-RATES_KEPT]

    def whole_days(self) -> set[int]:
        """Numbers of the days of which nearly every bar of every symbol was seen."""
        wanted = WHOLE * DAY_NS / self.bar_ns
        found: set[int] | None = None
        for bars in self._bars:
            days, counts = np.unique(np.frombuffer(bars.ts, np.int64) // DAY_NS, return_counts=True)
            whole = {int(day) for day, count in zip(days, counts, strict=True) if count >= wanted}
            found = whole if found is None else found & whole
        return found or set()

    def judged(self, rows: Sequence[Row], *, threads: int = 1) -> list[Seen]:
        """What each genome has done on the kept bars; empty while there are too few."""
        if min(len(bars.ts) for bars in self._bars) < 2:
            return [Seen([], 0.0, []) for _ in rows]
        costs, start_ns = self.costs, min(bars.ts[0] for bars in self._bars)
        ground = SymbiontGround(
            [
                self._row(symbol, bars)
                for symbol, bars in zip(self.symbols, self._bars, strict=True)
            ],
            cash=costs.cash,
            latency_ns=(costs.entry_ns, costs.response_ns),
            slippage=(costs.half_spread, costs.impact),
            sizing=(costs.sizing, costs.numbers),
            sample_step_ns=DAY_NS,
            start_ns=start_ns,
        )
        whole, first = self.whole_days(), start_ns // DAY_NS + 1
        return [
            self._seen(found, whole, first) for found in ground.judge(list(rows), threads=threads)
        ]

    def _row(self, symbol: str, bars: _Bars) -> tuple[Any, ...]:
        costs = self.costs
        ts, columns = bars.arrays()
        return (
            self.rules[symbol], costs.fees[symbol], costs.leverage, self.bar_ns, ts, columns,
            bars.funding_ts, bars.rates, [_frozen(each, np.float64) for each in bars.extras],
        )  # fmt: skip

    def latest(self, symbol: str) -> list[float]:
        """What the features say of the last bar."""
        return [column[-1] for column in self._bars[self.number[symbol]].extras]

    def _seen(self, found: tuple[Any, ...], whole: set[int], first: int) -> Seen:
        samples, equity, columns = found[2], float(found[3]), found[8]
        # The first sample is taken at the end of the first, begun, day.
        returns = samples[1:] / np.maximum(samples[:-1], 1e-9) - 1
        days = [
            (first + row, float(earned))
            for row, earned in enumerate(returns)
            if first + row in whole
        ]
        symbol, decided, over, direction, result, _ = columns
        trips = [
            Trip(
                self.symbols[number], self._end(number, int(decided[row])),
                self._end(number, int(over[row])), bool(direction[row] > 0),
                int(over[row]) - int(decided[row]), float(result[row]),
            )
            for row, number in enumerate(symbol.tolist())
        ]  # fmt: skip
        before = float(samples[-1]) if len(samples) else self.cash
        return Seen(days, equity / max(before, 1e-9) - 1, trips)

    def markouts(
        self, trips: Sequence[Trip], horizons: Sequence[int], after_ns: int
    ) -> list[list[float]]:
        """Of entries of *trips* what came of them at each horizon [bars], once the trip and the
        last horizon are over; of those only that were not yet so at *after_ns*.
        """
        found: list[list[float]] = []
        for symbol, bars in zip(self.symbols, self._bars, strict=True):
            own = [trip for trip in trips if trip.symbol == symbol]
            if not own or not horizons:
                continue
            ts = np.frombuffer(bars.ts, np.int64)
            open_, close = (np.frombuffer(bars.columns[at]) for at in (0, 3))
            rows = np.searchsorted(ts, np.array([trip.decided_ns - self.bar_ns for trip in own]))
            last = rows + max(horizons)
            end_ns = ts[np.minimum(last, ts.size - 1)] + self.bar_ns
            known_ns = np.maximum(end_ns, [trip.over_ns for trip in own])
            new = (last < ts.size) & (known_ns > after_ns)
            signs = np.where([trip.is_long for trip in own], 1.0, -1.0)[new]
            values = [markouts(open_, close, rows[new], signs, each) for each in horizons]
            entries = np.stack(values, axis=1)
            found += entries[np.isfinite(entries).all(axis=1)].tolist()
        return found

    def _end(self, number: int, row: int) -> int:
        return int(self._bars[number].ts[row]) + self.bar_ns

    def watch(self, row: Row) -> GenomeWatch:
        """A genome's eyes, warm: it was told the last bars there are."""
        watch = GenomeWatch(row, len(self.symbols), len(self._bars[0].extras))
        told = [
            (bars.ts[at] + self.bar_ns, number, at)
            for number, bars in enumerate(self._bars)
            for at in range(max(len(bars.ts) - WARM_BARS, 0), len(bars.ts))
        ]
        for end_ns, number, at in sorted(told):
            bars = self._bars[number]
            open_, high, low, close, volume = (column[at] for column in bars.columns)
            extras = [column[at] for column in bars.extras]
            watch.bar(number, end_ns, open_, high, low, close, volume, extras)
        return watch


def _frozen(values: Any, kind: Any) -> Array:
    found = np.array(values, dtype=kind)
    found.setflags(write=False)
    return found
