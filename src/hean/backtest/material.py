# SPDX-License-Identifier: Apache-2.0
"""`material.py`: what a ground of genomes is made of: plain facts, and columns that are read only.
Nothing here knows who plays on it, or in which process: facts can be written as text, and columns
be those of files that several processes map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from hean.backtest.assumptions import LatencyModel
from hean.backtest.recorder import sample_step_ns
from hean.backtest.result import Times, Values
from hean.backtest.run import BacktestSettings
from hean.data.instruments import Terms
from hean.data.reader import Columns
from hean.data.schema import Kind
from hean.errors import DataInvalid, ParameterInvalid
from hean.feeds.history import History, Market
from hean.genome.features import Feature
from hean.risk.sizing import Sizing

CANDLES = ("open", "high", "low", "close", "volume")
FUNDING = ("funding_ts", "funding_rate")


class Symbol(msgspec.Struct, frozen=True):
    """*fees*: maker and taker. *bar_ns*: length of a bar."""

    terms: Terms
    fees: tuple[str, str]
    leverage: str
    bar_ns: int


class Facts(msgspec.Struct, frozen=True):
    """Everything but the columns. *step_ns*: between samples of equity. *slippage*: half spread and
    impact. *features*: names of the user's.
    """

    symbols: tuple[Symbol, ...]
    cash: str
    latency_ns: tuple[int, int]
    slippage: tuple[float, float]
    sizing: Sizing
    step_ns: int
    start_ns: int
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """*columns*: of each symbol by name: `ts`, `CANDLES`, `FUNDING`, and those of features by
    `feature_name`. Arrays are one-dimensional, contiguous and frozen.
    """

    facts: Facts
    columns: tuple[Mapping[str, Any], ...]

    def __post_init__(self) -> None:
        for each in self.columns:
            for column in each.values():
                column.setflags(write=False)


def feature_name(number: int) -> str:
    """What the column of a feature is called."""
    return f"feature_{number}"


def material_of(
    settings: BacktestSettings,
    history: History,
    *,
    step_ns: int | None = None,
    features: Sequence[Feature] = (),
) -> Material:
    """The market of a backtest. *features*: of the user's, computed over the whole period; whoever
    gives them has proven that they do not look ahead.

    *Raises*: `ParameterInvalid`, `DataInvalid` for what the judge does not play.
    """
    if not isinstance(history, History):
        raise DataInvalid("a recorded session cannot be judged natively; give recorded bars.")
    period = (history.start_ns, history.end_ns)
    assumed, account = settings.assumptions, settings.account
    symbols, columns = [], []
    for market in history.markets.values():
        ts, bars, bar_ns = _bars(market, period)
        named = dict(zip(CANDLES, bars, strict=True))
        made = {feature_name(at): it.column(named) for at, it in enumerate(features)}
        funding = dict(zip(FUNDING, _funding(market, period), strict=True))
        columns.append({"ts": ts, **named, **funding, **made})
        symbols.append(_symbol(settings, market, bar_ns))
    facts = Facts(
        tuple(symbols),
        format(account.cash, "f"),
        (_constant(assumed.entry), _constant(assumed.response)),
        (assumed.half_spread, assumed.impact),
        account.sizing,
        step_ns or sample_step_ns(history.end_ns - history.start_ns),
        history.start_ns,
        tuple(feature.name for feature in features),
    )
    return Material(facts, tuple(columns))


def bars_of(market: Market, period: tuple[int, int]) -> dict[str, Values]:
    """The columns of bars, as features see them. *Raises*: `DataInvalid`."""
    return dict(zip(CANDLES, _bars(market, period)[1], strict=True))


def _symbol(settings: BacktestSettings, market: Market, bar_ns: int) -> Symbol:
    listed, terms = market.rules.fees, market.rules.terms
    if terms is None:
        raise DataInvalid(f"{market.symbol}: the judge plays recorded bars with listed rules.")
    maker, taker = settings.assumptions.fees(maker=listed.maker, taker=listed.taker)
    leverage = format(settings.account.leverage, "f")
    return Symbol(terms, (format(maker, "f"), format(taker, "f")), leverage, bar_ns)


def _constant(model: LatencyModel) -> int:
    if model.kind != "constant":
        raise ParameterInvalid(
            f"latency {model.words()}: the judge plays constant latency; give --latency 50ms."
        )
    return int(model.values_ns[0])


def _bars(market: Market, period: tuple[int, int]) -> tuple[Times, list[Values], int]:
    """Open times, the five columns, length of a bar."""
    found = [columns for columns in market.columns if columns.kind is Kind.CANDLES]
    finer = [columns for columns in market.columns if columns.kind is Kind.TRADES]
    steps = {columns.step_ns for columns in found}
    if not found or finer or market.captures or len(steps) > 1 or None in steps:
        raise DataInvalid(
            f"{market.symbol}: the judge plays bars of one length, without trades or books."
        )
    step_ns = found[0].step_ns or 0
    parts = [_cut(columns, period, step_ns) for columns in found]
    ts = np.concatenate([part[0] for part in parts])
    order = np.argsort(ts, kind="stable")
    five = [np.concatenate([part[1][name] for part in parts])[order] for name in CANDLES]
    arrays = [np.ascontiguousarray(each, np.float64) for each in five]
    times = np.ascontiguousarray(ts[order], np.int64)
    for each in (times, *arrays):
        each.setflags(write=False)
    return times, arrays, step_ns


def _funding(market: Market, period: tuple[int, int]) -> tuple[Times, Values]:
    parts = [_cut(each, period, 0) for each in market.columns if each.kind is Kind.FUNDING]
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    ts = np.concatenate([part[0] for part in parts])
    order = np.argsort(ts, kind="stable")
    rates = np.concatenate([part[1]["rate"] for part in parts])[order]
    return np.ascontiguousarray(ts[order], np.int64), np.ascontiguousarray(rates, np.float64)


def _cut(
    columns: Columns, period: tuple[int, int], step_ns: int
) -> tuple[Times, dict[str, Values]]:
    start_ns, end_ns = period
    low = int(np.searchsorted(columns.ts, start_ns, side="left"))
    high = int(np.searchsorted(columns.ts, end_ns - step_ns, side="right"))
    return columns.ts[low:high], {name: v[low:high] for name, v in columns.values.items()}
