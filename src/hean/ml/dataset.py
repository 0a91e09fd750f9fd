# SPDX-License-Identifier: Apache-2.0
"""`dataset.py`: from recorded bars to rows a library can learn from. The bars go through the same
`FeatureSet` as in trading, one fact after the other; labels look ahead and are kept apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean.core.types import Candle, Funding, Payload
from hean.data.reader import Columns, read_columns
from hean.data.schema import Kind
from hean.errors import DataInvalid
from hean.indicators import EwmaVariance
from hean.models.features import FeatureSet
from hean.quant.labels import Barriers, triple_barrier, uniqueness

Array = np.ndarray[Any, np.dtype[np.float64]]
Indices = np.ndarray[Any, np.dtype[np.int64]]

SIGMA_DECAY = 0.99  # of the variance that sets the barriers: half of it is 69 bars old
ROWS_MIN = 2000  # fewer teach nothing that a later year would confirm


class Dataset(msgspec.Struct):
    """Rows in order of time, without those whose features or outcome are not known.

    *bar*: index of the bar at whose close the row is known; *end*: of the bar where its label ends;
    *ts*: close of that first bar in ns.
    """

    features: FeatureSet
    bars: Columns
    ts: Indices
    bar: Indices
    end: Indices
    rows: Array
    win: Array
    net: Array
    weight: Array


def read_bars(paths: Sequence[Path], symbol: str) -> tuple[Columns, Columns | None]:
    """Candles, and funding if one of the files holds it. *Raises*: `DataInvalid`."""
    found: dict[Kind, Columns] = {}
    for path in paths:
        columns = read_columns(path, symbol=symbol)
        if columns.kind in found or columns.kind not in (Kind.CANDLES, Kind.FUNDING):
            raise DataInvalid(
                f"{path.name}: {columns.kind.value}; one file of candles and at most one of "
                "funding is due."
            )
        found[columns.kind] = columns
    if Kind.CANDLES not in found:
        raise DataInvalid("no candles among the files; bars are what a row is made at.")
    return found[Kind.CANDLES], found.get(Kind.FUNDING)


def facts_of(bars: Columns, funding: Columns | None) -> Iterator[Payload]:
    """The recorded facts in order: a funding payment before the bar that ends with it."""
    timeframe, step_ns = bars.timeframe, bars.step_ns
    if timeframe is None or step_ns is None:
        raise DataInvalid(f"{bars.path.name}: a length of bar that HEAN does not know.")
    names = ("open", "high", "low", "close", "volume")
    columns = [bars.values[name].tolist() for name in names]
    paid = iter(
        [] if funding is None else zip(funding.ts.tolist(), funding.values["rate"].tolist())
    )
    due = next(paid, None)
    for start_ns, open_, high, low, close, volume in zip(bars.ts.tolist(), *columns, strict=True):
        while due is not None and due[0] <= start_ns + step_ns:
            yield Funding(bars.symbol, due[1])
            due = next(paid, None)
        yield Candle(bars.symbol, open_, high, low, close, volume, timeframe, start_ns)


def feature_rows(
    features: FeatureSet, facts: Iterator[Payload], count: int, advance: Callable[[int], None]
) -> Array:
    """A row after each bar, nan where undefined. *advance*: told about every thousandth bar."""
    rows = np.full((count, len(features.specs)), np.nan)
    at = 0
    for fact in facts:
        features.update(fact)
        if fact.__class__ is Candle:
            features.values_into(rows[at])
            at += 1
            if at % 1000 == 0:
                advance(1)
    return rows


def sigma_of(closes: Array) -> Array:
    """Deviation of one bar's log return as known at each close; nan before there is one."""
    returns = np.diff(np.log(closes))
    return np.concatenate([[np.nan], np.sqrt(EwmaVariance(SIGMA_DECAY).batch(returns))])


def build(
    bars: Columns,
    funding: Columns | None,
    names: Sequence[str],
    barriers: Barriers,
    advance: Callable[[int], None],
) -> Dataset:
    """Features, labels and weights of every bar whose features and outcome are known.

    *Raises*: `DataInvalid` if too few are left.
    """
    features = FeatureSet(names, bars.timeframe or "")
    rows = feature_rows(features, facts_of(bars, funding), bars.rows, advance)
    prices = [np.ascontiguousarray(bars.values[name]) for name in ("open", "high", "low", "close")]
    sigma = sigma_of(prices[3])
    labels = triple_barrier((prices[0], prices[1], prices[2], prices[3]), sigma, barriers)
    complete = np.all(np.isfinite(rows), axis=1)
    end = np.where(complete, labels.end, -1)
    kept = np.flatnonzero(end >= 0)
    if len(kept) < ROWS_MIN:
        lacking = [name for name, row in zip(names, rows.T, strict=True) if np.isnan(row).all()]
        why = f"; never defined: {', '.join(lacking)}" if lacking else ""
        raise DataInvalid(f"{len(kept)} rows to learn from; {ROWS_MIN} are due{why}.")
    return Dataset(
        features=features,
        bars=bars,
        ts=bars.ts[kept] + (bars.step_ns or 0),
        bar=kept,
        end=end[kept],
        rows=np.ascontiguousarray(rows[kept]),
        win=labels.win[kept],
        net=labels.net[kept],
        weight=uniqueness(end)[kept],
    )
