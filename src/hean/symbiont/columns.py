# SPDX-License-Identifier: Apache-2.0
"""`columns.py`: whether a column that an agent reads is still fed as it was: frozen, shifted and
scaled ones are bugs of data, and an agent that reads them trades on nothing.

| Chart | Adds at each bar | Rises when |
|---|---|---|
| still | 1, from 0 at each change; nan is no change | the column is frozen |
| high, low | the level, in deviations, less 2 | it is shifted |
| wild, tame | size of the last steps against that of the last 100, in doublings, less 1.5 | it is \
scaled |

**Sudden steps only.** Steps are compared with those just before: a month that becomes calm is no
bug. Slow change is a matter of the deciles.

**Limits** are 2.5 times the highest that a chart reached in validation; that of a level is at least
the one which a walk with its memory passes once in 1e8 bars. On made columns (20,000 bars of
validation, memory up to 20 bars) 99 of 100 faults are found within 100 bars: frozen ones after 12,
shifts of 4 deviations after 4 to 40, a tenfold or a tenth after 4 to 30; and nothing is found in a
million sound bars of each. Markets are rougher: of returns and of the logarithm of volume, on
twelve records of candles, 2 of 1.2 million sound bars were taken for faults, and 14 of 0.9 million
in a market whose volatility broke out as never in validation. What a column hides, because it often
stands still, moves slowly or in bursts, is said by `Column.hides`.
"""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from hean.indicators import EWM
from hean.quant import two_samples
from hean.quant.checks import Array, varying
from hean.quant.drift import Bins, cusum_limit, cusum_path, deciles

CLIP = 8.0  # deviations
LEVEL_SLACK, SIZE_SLACK = 2.0, 1.5  # deviations; doublings
FAST, SLOW = 8, 100  # bars that the size of steps is averaged over
SIZE_MAX = 6.0  # doublings of the mean step, either way
SAFETY = 2.5  # times the highest that a chart of a column reached in validation
FLOORS = {"still": 10.0, "high": 8.0, "low": 8.0, "wild": 16.0, "tame": 16.0}
LEVEL_RUN_LENGTH = 1e8
INDEPENDENT_MIN = 100  # values of a column, for its level to be judged at all
REACTION_BARS = 100  # within which a fault of a column is to be noticed
SHIFT = 4.0  # deviations, that are to be noticed then
WORDS = {
    "still": "it does not change any more",
    "high": "it stays higher than it was",
    "low": "it stays lower than it was",
    "wild": "its steps are larger than they were",
    "tame": "its steps are smaller than they were",
}

Numbers = TypeVar("Numbers", float, Array)


class Column(msgspec.Struct, frozen=True):
    """A column that the agent reads, as it was in validation. *edges*: deciles. *shares*: of the
    bins between them. *independent*: how many independent values that was; *spell*: bars for one:
    markets are calm or wild for long, and say the same of the deciles all the time.
    *centre*, *spread*: mean and deviation; *step*: mean change of a bar; *usual*: mean size of
    steps, in doublings of it. *warmup*: bars before the first value. *limits*: by chart.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    independent: float
    spell: float
    centre: float
    spread: float
    step: float
    usual: float
    warmup: int
    limits: dict[str, float]

    @classmethod
    def of(cls, name: str, values: ArrayLike) -> Column:
        """From the bars of validation; a bar with nan has no new value.

        *Raises*: `DataInvalid` for fewer than 200 values or a column that never moves.
        """
        bars = np.asarray(values, dtype=np.float64)
        known = np.flatnonzero(np.isfinite(bars))
        column = varying(name, bars[known], 200)
        edges = deciles(column)
        places = np.searchsorted(edges, column, side="right")
        shares = np.bincount(places, minlength=len(edges) + 1) / len(column)
        memory = two_samples.memory(places.astype(np.float64))
        apart = np.abs(places - places.mean())  # from the middle: how wild it is
        spell = max(memory, two_samples.memory(apart))
        steps, centre = np.abs(np.diff(column)), float(column.mean())
        step = float(steps.mean())
        sizes = np.log2(np.clip(steps / step, 2.0**-SIZE_MAX, 2.0**SIZE_MAX))
        usual = float(sizes.mean())
        spread = float(column.std())
        level = np.clip((column[1:] - centre) / spread, -CLIP, CLIP)
        scores = _scores(level, _averaged(sizes, usual, FAST) - _averaged(sizes, usual, SLOW))
        limits = {chart: _limit(chart, score, memory) for chart, score in scores.items()}
        moved = known[np.flatnonzero(steps) + 1]
        still = np.diff(np.concatenate([known[:1], moved, [len(bars)]])).max() - 1
        limits["still"] = max(FLOORS["still"], SAFETY * float(still))
        if len(column) / memory < INDEPENDENT_MIN:
            del limits["high"], limits["low"]
        return cls(
            edges=edges,
            shares=tuple(shares.tolist()),
            independent=len(column) / spell,
            spell=spell,
            centre=centre,
            spread=spread,
            step=step,
            usual=usual,
            warmup=int(known[0]),
            limits=limits,
        )

    @property
    def hides(self) -> tuple[str, ...]:
        """Faults that may take longer than 100 bars to be noticed here."""
        level = max(self.limits.get("high", math.inf), self.limits.get("low", math.inf))
        # The average of the last bars follows a tenfold step; half of what is left is for chance.
        left = math.log2(10) * (1 - 1 / SLOW) ** np.arange(REACTION_BARS) - SIZE_SLACK
        size = float(np.maximum(left, 0.0).sum()) / 2
        is_hidden = {
            "frozen": self.limits["still"] >= REACTION_BARS,
            f"shifted by {SHIFT:g} deviations": level / (SHIFT - LEVEL_SLACK) > REACTION_BARS,
            "scaled by 10": self.limits["wild"] > size,
            "scaled by a tenth": self.limits["tame"] > size,
        }
        return tuple(fault for fault, is_so in is_hidden.items() if is_so)


def _averaged(sizes: Array, usual: float, bars: int) -> Array:
    """Exponential average with weight 1/bars of the newest, begun with what is usual."""
    period = 2 * bars - 1
    known = np.concatenate([np.full(period, usual), sizes])
    return np.asarray(EWM(period).batch(known)[period:])


def _scores(level: Numbers, size: Numbers) -> dict[str, Numbers]:
    """What each chart adds. *level*: in deviations. *size* of the latest steps against those
    before, in doublings.
    """
    return {
        "high": level - LEVEL_SLACK,
        "low": -level - LEVEL_SLACK,
        "wild": size - SIZE_SLACK,
        "tame": -size - SIZE_SLACK,
    }


def _limit(chart: str, scores: Array, memory: float) -> float:
    """Above what the chart reached, and what it would reach if values were normal; a level with
    memory is a walk of so much more variance.
    """
    least = max(FLOORS[chart], SAFETY * float(cusum_path(scores).max()))
    if chart not in ("high", "low"):
        return least
    root = math.sqrt(memory)
    return max(least, root * cusum_limit(LEVEL_SLACK / root, LEVEL_RUN_LENGTH))


# ---------------------------------------------------------------- what is heard


class Seen(msgspec.Struct):
    """A column as it is now: last value, averages of the size of its steps, where its charts stand,
    and counts by decile.
    """

    last: float | None = None
    fast: float = 0.0
    slow: float = 0.0
    charts: dict[str, float] = {}
    counts: list[int] = []


def begun(column: Column) -> Seen:
    """A column before its first value."""
    charts = {"still": -float(column.warmup)}
    return Seen(None, column.usual, column.usual, charts, [0] * len(column.shares))


def look(column: Column, seen: Seen, value: float) -> list[tuple[float, float, str]]:
    """Take a bar's value. *Returns*: of each chart beyond its limit where it stands, the limit, and
    what that means.
    """
    charts, before, value = seen.charts, seen.last, float(value)
    is_known = math.isfinite(value)
    is_new = is_known and value != before
    charts["still"] = 0.0 if is_new else charts["still"] + 1.0
    if is_known:
        seen.last = value
        counted = Bins(column.edges)
        counted.counts = seen.counts
        counted.add(value)
    if is_known and before is not None:
        step = abs(value - before) / column.step
        size = math.log2(min(max(step, 2.0**-SIZE_MAX), 2.0**SIZE_MAX))
        seen.fast += (size - seen.fast) / FAST
        seen.slow += (size - seen.slow) / SLOW
        level = min(max((value - column.centre) / column.spread, -CLIP), CLIP)
        for chart, score in _scores(level, seen.fast - seen.slow).items():
            charts[chart] = max(0.0, charts.get(chart, 0.0) + score)
    limits = column.limits
    return [
        (charts[chart], limits[chart], words)
        for chart, words in WORDS.items()
        if chart in limits and charts.get(chart, 0.0) > limits[chart]
    ]
