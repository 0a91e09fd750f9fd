# SPDX-License-Identifier: Apache-2.0
"""`columns.py`: whether a column that agents read is still fed as it was: frozen, shifted and
scaled ones are bugs of data, and an agent that reads them trades on nothing.

A market does all of this by itself: it sleeps, and awakes with news. But its news is in all that is
read of it. So of each column two things are watched, its *level* (in deviations) and the *size* of
its steps (in doublings of their mean); of both, how far they are from their average of the last 500
bars; and of that, what is left when the news of all other columns is taken off, by least squares
on the bars of validation.

| Chart | Adds at each bar | Rises when |
|---|---|---|
| still | 1, from 0 at each change; nan is no change | the column is frozen |
| high, low | what is left of the level, less 2 | it is shifted |
| wild | what is left of the size, less half of a tenfold | it is scaled up |
| tame | how much more probable the size is for steps of a tenth, in doublings, if they are \
Laplace's; at least -13 | it is scaled down |

A step of nothing says nothing about sizes. *Sudden changes only*: what drifts over more than 500
bars, or was wrong before the watch began, is a matter of the deciles.

**Limits** are 2.5 times the highest that a chart reached in validation; that of a level is at least
the one that a normal walk with its memory passes once in 1e8 bars. Of all but stillness none is
higher than half of what the fault adds in 100 bars, unless the chart went so high: a quarter above
that. Figures on recorded markets: `docs/adr/0045-what-a-market-says-of-a-feed.md`. What a column
hides, because it often stands still, moves slowly or in bursts, is said by `Column.hides`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from hean.errors import DataInvalid, FieldInvalid
from hean.indicators import EWM
from hean.quant import two_samples
from hean.quant.checks import Array, varying
from hean.quant.drift import Bins, cusum_limit, cusum_path, deciles

LEVEL_MAX, SIZE_MAX = 8.0, 6.0  # deviations, doublings; what is farther is as far
SEED, SLOW = 100, 500  # bars: of the first average; then the newest counts for 1/500
SHIFT = 4.0  # deviations, that are to be noticed
TENFOLD = math.log2(10.0)
# |step| / mean, of a Laplace law whose mean logarithm is known: exp(-gamma) 2**size.
QUIET = 9.0 * math.exp(-np.euler_gamma) / math.log(2.0)
QUIET_MIN = -13.0
REACTION_BARS = 100  # within which a fault is to be noticed
PUSH = {
    "high": SHIFT / 2.0,
    "low": SHIFT / 2.0,
    "wild": TENFOLD / 2.0,
    "tame": TENFOLD - 0.9 / math.log(2.0),
}
"""What a fault adds to its chart at a bar, on average."""
SAFETY, PROVEN = 2.5, 1.25  # times the highest of validation: a limit; and the least of one
FLOORS = {"still": 10.0, "high": 8.0, "low": 8.0, "wild": 12.0, "tame": 12.0}
LEVEL_RUN_LENGTH = 1e8  # bars between false alarms, if a level were normal
INDEPENDENT_MIN = 100  # values of what is left, for a level to be judged at all
WORDS = {
    "still": "it does not change any more",
    "high": "it is higher than it was and than the other columns explain",
    "low": "it is lower than it was and than the other columns explain",
    "wild": "its steps are larger than they were and than the other columns explain",
    "tame": "its steps are smaller than they were and than the other columns explain",
}


class News(NamedTuple):
    """How far level and size of a column are from their average; nan where unknown."""

    level: Any
    size: Any


class Scale(msgspec.Struct, frozen=True):
    """*centre*, *spread*: mean and deviation of a column; *step*: mean change of a bar."""

    centre: float
    spread: float
    step: float

    def level(self, values: Any) -> Any:
        """In deviations."""
        return np.clip((values - self.centre) / self.spread, -LEVEL_MAX, LEVEL_MAX)

    def size(self, steps: Any) -> Any:
        """In doublings of the mean step; of no step it is unknown."""
        sizes = np.abs(steps) / self.step
        known = np.clip(sizes, 2.0**-SIZE_MAX, 2.0**SIZE_MAX)
        return np.log2(np.where(sizes > 0.0, known, np.nan))


class Average(msgspec.Struct):
    """Of the first values, then of the latest; *count*: of values, up to 100."""

    value: float = 0.0
    count: int = 0

    def afar(self, value: float) -> float:
        """How far a new value is from the average of those before, nan while that is not known;
        then it counts.
        """
        if not math.isfinite(value):
            return math.nan
        before, is_seeded = self.value, self.count >= SEED
        self.count = min(self.count + 1, SEED)
        self.value += (value - before) / (SLOW if is_seeded else self.count)
        return value - before if is_seeded else math.nan


class Seen(msgspec.Struct):
    """A column as it is now: last value, averages, where its charts stand, counts by decile."""

    last: float | None = None
    level: Average = msgspec.field(default_factory=Average)
    size: Average = msgspec.field(default_factory=Average)
    charts: dict[str, float] = {}
    counts: list[int] = []


class Beyond(NamedTuple):
    """A chart that is beyond its limit, and what that means."""

    value: float
    limit: float
    words: str


class Column(msgspec.Struct, frozen=True):
    """A column that agents read, as it was in validation. *edges*: deciles. *shares*: of the bins
    between them. *independent*: how many independent values that was; *spell*: bars for one:
    markets are calm or wild for long, and say the same of the deciles all the time.

    *of_level*, *of_size*: by other column, how much of its news, of level and of size, is in the
    news of this one. *warmup*: bars before the first value. *limits*: by chart.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    independent: float
    spell: float
    scale: Scale
    of_level: dict[str, tuple[float, float]]
    of_size: dict[str, tuple[float, float]]
    warmup: int
    limits: dict[str, float]

    @property
    def hides(self) -> tuple[str, ...]:
        """Faults that may take longer than 100 bars to be noticed here."""
        is_slow = {
            chart: self.limits.get(chart, math.inf) > REACTION_BARS * push / 2.0
            for chart, push in PUSH.items()
        }
        is_hidden = {
            "frozen": self.limits["still"] >= REACTION_BARS,
            f"shifted by {SHIFT:g} deviations": is_slow["high"] or is_slow["low"],
            "scaled by 10": is_slow["wild"],
            "scaled by a tenth": is_slow["tame"],
        }
        return tuple(fault for fault, is_so in is_hidden.items() if is_so)

    def beyond(self, seen: Seen) -> list[Beyond]:
        """Charts that are beyond their limit."""
        return [
            Beyond(seen.charts[chart], limit, WORDS[chart])
            for chart, limit in self.limits.items()
            if seen.charts.get(chart, 0.0) > limit
        ]

    def rested(self, seen: Seen | None = None) -> Seen:
        """The column before its first value; of what was *seen*, the counts stay."""
        counts = [0] * len(self.shares) if seen is None else seen.counts
        return Seen(charts={"still": -float(self.warmup)}, counts=counts)


def learnt(columns: Mapping[str, ArrayLike]) -> dict[str, Column]:
    """Columns from the bars of validation, all of the same bars, shape (bars,); nan is no new
    value.

    *Raises*: `DataInvalid` for a column of fewer than 200 values, one that never moves, or columns
    of different lengths.
    """
    bars = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    if len({len(values) for values in bars.values()}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in bars.items())
        raise DataInvalid(f"columns of the same bars are due; got {lengths}.")
    scales = {name: scale_of(name, values) for name, values in bars.items()}
    news = {name: _news(scales[name], values) for name, values in bars.items()}
    table = np.nan_to_num(np.array([each for of in news.values() for each in of]))
    products = table @ table.T
    found = {}
    for place, (name, values) in enumerate(bars.items()):
        others = [other for other in bars if other != name]
        rows = np.delete(np.arange(len(table)), [2 * place, 2 * place + 1])
        parts, left = [], []
        for own, heard in zip((2 * place, 2 * place + 1), news[name], strict=True):
            # Of columns that are one another's copy each gets its part: the smallest solution.
            part = np.linalg.lstsq(products[np.ix_(rows, rows)], products[rows, own])[0]
            parts.append(dict(zip(others, map(tuple, part.reshape(-1, 2).tolist()), strict=True)))
            left.append(heard - part @ table[rows])
        found[name] = _column(values, scales[name], parts, News(*left))
    return found


def scale_of(name: str, bars: Array) -> Scale:
    """*Raises*: `DataInvalid` for fewer than 200 values or one that never moves."""
    values = varying(name, bars[np.isfinite(bars)], 200)
    step = np.abs(np.diff(values)).mean()
    return Scale(float(values.mean()), float(values.std()), float(step))


def _news(scale: Scale, bars: Array) -> News:
    known = np.flatnonzero(np.isfinite(bars))
    size = np.full(len(bars), np.nan)
    size[known[1:]] = scale.size(np.diff(bars[known]))
    return News(_afar(scale.level(bars)), _afar(size))


def _afar(values: Array) -> Array:
    """From the average of those before; the first 100 make one."""
    known = np.flatnonzero(np.isfinite(values))
    found, seed, rest = np.full(len(values), np.nan), known[:SEED], known[SEED:]
    if len(rest):
        before = EWM(2 * SLOW - 1).batch(np.append(values[seed].mean(), values[rest[:-1]]))
        found[rest] = values[rest] - before
    return found


def _scores(level: Any, size: Any) -> dict[str, Any]:
    """What each chart adds, of what is left of the news of *level* and of *size*."""
    return {
        "high": level - SHIFT / 2.0,
        "low": -level - SHIFT / 2.0,
        "wild": size - TENFOLD / 2.0,
        "tame": np.maximum(TENFOLD - QUIET * np.exp2(size), QUIET_MIN),
    }


def _column(
    bars: Array, scale: Scale, parts: list[dict[str, tuple[float, float]]], left: News
) -> Column:
    known = np.flatnonzero(np.isfinite(bars))
    values = bars[known]
    edges = deciles(values)
    places = np.searchsorted(edges, values, side="right")
    apart = np.abs(places - places.mean())  # from the middle: how wild it is
    spell = max(two_samples.memory(each) for each in (places.astype(np.float64), apart))
    moved = known[np.flatnonzero(np.diff(values)) + 1]
    still = np.diff(np.concatenate([known[:1], moved, [len(bars)]])).max() - 1
    limits = {"still": max(FLOORS["still"], SAFETY * float(still))}
    walk = _walk(left.level[np.isfinite(left.level)])
    for chart, score in _scores(*left).items():
        is_level = chart in ("high", "low")
        if walk is not None or not is_level:
            highest = float(cusum_path(score[np.isfinite(score)]).max(initial=0.0))
            limits[chart] = _limit(chart, highest, walk if is_level and walk else 0.0)
    return Column(
        edges=edges,
        shares=tuple((np.bincount(places, minlength=len(edges) + 1) / len(values)).tolist()),
        independent=len(values) / spell,
        spell=spell,
        scale=scale,
        of_level=parts[0],
        of_size=parts[1],
        warmup=int(known[0]),
        limits=limits,
    )


def _walk(level: Array) -> float | None:
    """The limit for normal values that are remembered: a walk of so much more variance. None where
    too few say anything of their own.
    """
    memory = two_samples.memory(level)
    if len(level) / memory < INDEPENDENT_MIN:
        return None
    unit = float(level.std()) * math.sqrt(memory)
    return unit * cusum_limit(SHIFT / 2.0 / unit, LEVEL_RUN_LENGTH)


def _limit(chart: str, highest: float, least: float) -> float:
    bound = max(PROVEN * highest, REACTION_BARS * PUSH[chart] / 2.0)
    return min(max(SAFETY * highest, least, FLOORS[chart]), bound)


# ---------------------------------------------------------------- what is heard


def look(columns: Mapping[str, Column], seen: dict[str, Seen], values: Mapping[str, float]) -> None:
    """Take a bar's *values*; nan is no new one. *seen*: goes on.

    *Raises*: `FieldInvalid` for a column that is expected and not there.
    """
    news = {}
    for name, column in columns.items():
        if name not in values:
            raise FieldInvalid(f"bar: no column {name}; got {', '.join(values) or 'none'}.")
        if name not in seen:
            seen[name] = column.rested()
        news[name] = _heard(column, seen[name], float(values[name]))
    for name, column in columns.items():
        charts = seen[name].charts
        level = news[name].level - _explained(column.of_level, news)
        size = news[name].size - _explained(column.of_size, news)
        for chart, score in _scores(level, size).items():
            if chart in column.limits and math.isfinite(score):
                raised = max(0.0, charts.get(chart, 0.0) + float(score))
                # Twice its limit is enough to say so; from there it is over as soon as it can be.
                charts[chart] = min(raised, 2.0 * column.limits[chart])


def _heard(column: Column, seen: Seen, value: float) -> News:
    """Of a column by itself."""
    before, is_known = seen.last, math.isfinite(value)
    is_new = is_known and value != before
    seen.charts["still"] = 0.0 if is_new else seen.charts["still"] + 1.0
    if not is_known:
        return News(math.nan, math.nan)
    seen.last = value
    counted = Bins(column.edges)
    counted.counts = seen.counts
    counted.add(value)
    size = math.nan if before is None else float(column.scale.size(value - before))
    return News(seen.level.afar(float(column.scale.level(value))), seen.size.afar(size))


def _explained(parts: Mapping[str, tuple[float, float]], news: Mapping[str, News]) -> float:
    """What the news of the others, as far as known, says of this one's."""
    heard = (
        share * float(each)
        for name, shares in parts.items()
        for share, each in zip(shares, news[name], strict=True)
    )
    return sum(each for each in heard if math.isfinite(each))
