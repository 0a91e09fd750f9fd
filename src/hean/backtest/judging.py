# SPDX-License-Identifier: Apache-2.0
"""`judging.py`: a recorded market and the settings of a backtest as the ground on which the native
judge plays genomes by the thousand. What the judge cannot play as the backtest would is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from hean._core import SymbiontGround
from hean.backtest.assumptions import LatencyModel
from hean.backtest.recorder import sample_step_ns
from hean.backtest.result import Times, Values
from hean.backtest.run import BacktestSettings
from hean.data.reader import Columns
from hean.data.schema import Kind
from hean.errors import DataInvalid, ParameterInvalid
from hean.feeds.history import History, Market
from hean.genome.features import Feature
from hean.genome.tree import Genome
from hean.genome.words import row_of

CANDLES = ("open", "high", "low", "close", "volume")


class Deal(msgspec.Struct, frozen=True):
    """An execution: when the trader knew of it, what was traded, and whether by the stop."""

    known_ns: int
    symbol: str
    is_buy: bool
    price: Any
    qty: Any
    is_stop: bool


class Verdict(msgspec.Struct, frozen=True):
    """What came of a genome. *samples*: equity at `Ground.sampled`. *symbol*, *decided*, *over*,
    *direction*, *result*, *value*: of each round trip, rows by number; result after fees. Money is
    `Decimal`; *drawdown* a fraction. *ruined_ns*: from when the account was not followed any more.
    """

    orders: int
    rejected: int
    samples: Values
    equity: Any
    fees: Any
    funding: Any
    drawdown: float
    ruined_ns: int | None
    symbol: Any
    decided: Any
    over: Any
    direction: Any
    result: Values
    value: Values
    deals: list[Deal]


class Ground:
    """The market of a backtest, made once for any number of genomes. *features*: of the user's,
    computed over the whole period; whoever gives them has proven that they do not look ahead.

    *rows_ns*: end of each bar by symbol. *sampled*: times of equity samples, ns.
    *Raises*: `ParameterInvalid`, `DataInvalid` for what the judge does not play.
    """

    def __init__(
        self,
        settings: BacktestSettings,
        history: History,
        *,
        step_ns: int | None = None,
        features: Sequence[Feature] = (),
    ) -> None:
        if not isinstance(history, History):
            raise DataInvalid("a recorded session cannot be judged natively; give recorded bars.")
        self.symbols = tuple(history.markets)
        span_ns = history.end_ns - history.start_ns
        self.step_ns = step_ns or sample_step_ns(span_ns)
        period = (history.start_ns, history.end_ns)
        bars = [_bars(market, period) for market in history.markets.values()]
        self.features = tuple(features)
        rows = [
            (*_row(settings, market, bar, _funding(market, period)), self._extras(bar))
            for market, bar in zip(history.markets.values(), bars, strict=True)
        ]
        assumed, account = settings.assumptions, settings.account
        self.core = SymbiontGround(
            rows,
            cash=format(account.cash, "f"),
            latency_ns=(_constant(assumed.entry), _constant(assumed.response)),
            slippage=(assumed.half_spread, assumed.impact),
            sizing=(account.sizing.method, account.sizing.numbers),
            sample_step_ns=self.step_ns,
            start_ns=history.start_ns,
        )
        self.cash = float(account.cash)
        self.start_ns = history.start_ns
        self.rows_ns: list[Times] = [ts + step_ns for ts, _, step_ns in bars]
        self.closes: list[Values] = [columns[3] for _, columns, _ in bars]
        last = max(int(rows[-1]) for rows in self.rows_ns)
        first = (history.start_ns // self.step_ns + 1) * self.step_ns
        self.sampled: Times = np.arange(first, last + 1, self.step_ns)

    def judge(
        self, genomes: Sequence[Genome], *, threads: int = 1, keeps_deals: bool = False
    ) -> list[Verdict]:
        """The verdict on each. *Raises*: `UnknownSymbol` for a symbol that is not here."""
        names = [feature.name for feature in self.features]
        found = self.core.judge(
            [row_of(genome, self.symbols, names) for genome in genomes],
            threads=threads,
            keeps_deals=keeps_deals,
        )
        return [self._verdict(row) for row in found]

    def _extras(self, bars: tuple[Times, list[Values], int]) -> list[Values]:
        named = dict(zip(CANDLES, bars[1], strict=True))
        found = [feature.column(named) for feature in self.features]
        for column in found:
            column.setflags(write=False)
        return found

    def _verdict(self, row: Any) -> Verdict:
        orders, rejected, samples, equity, fees, funding, drawdown, ruined_ns, trips, deals = row
        named = [
            Deal(known_ns, self.symbols[number], is_buy, price, qty, is_stop)
            for known_ns, number, is_buy, price, qty, is_stop in deals
        ]
        symbol, decided, over, direction, result, value = trips
        return Verdict(
            orders, rejected, samples, equity, fees, funding, drawdown, ruined_ns, symbol, decided,
            over, direction, result, value, named,
        )  # fmt: skip


def bars_of(market: Market, period: tuple[int, int]) -> dict[str, Values]:
    """The columns of bars, as features see them. *Raises*: `DataInvalid`."""
    return dict(zip(CANDLES, _bars(market, period)[1], strict=True))


def _row(
    settings: BacktestSettings,
    market: Market,
    bars: tuple[Times, list[Values], int],
    funding: tuple[list[int], list[float]],
) -> tuple[Any, ...]:
    ts, columns, step_ns = bars
    listed = market.rules.fees
    maker, taker = settings.assumptions.fees(maker=listed.maker, taker=listed.taker)
    leverage = format(settings.account.leverage, "f")
    fees = (format(maker, "f"), format(taker, "f"))
    return (market.rules.instrument, fees, leverage, step_ns, ts, columns, *funding)


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


def _funding(market: Market, period: tuple[int, int]) -> tuple[list[int], list[float]]:
    parts = [_cut(each, period, 0) for each in market.columns if each.kind is Kind.FUNDING]
    if not parts:
        return [], []
    ts = np.concatenate([part[0] for part in parts])
    order = np.argsort(ts, kind="stable")
    rates = np.concatenate([part[1]["rate"] for part in parts])[order]
    return ts[order].tolist(), rates.tolist()


def _cut(
    columns: Columns, period: tuple[int, int], step_ns: int
) -> tuple[Times, dict[str, Values]]:
    start_ns, end_ns = period
    low = int(np.searchsorted(columns.ts, start_ns, side="left"))
    high = int(np.searchsorted(columns.ts, end_ns - step_ns, side="right"))
    return columns.ts[low:high], {name: v[low:high] for name, v in columns.values.items()}
