# SPDX-License-Identifier: Apache-2.0
"""`judging.py`: a recorded market and the settings of a backtest as the ground on which the native
judge plays genomes by the thousand. What the judge cannot play as the backtest would is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from hean._core import SymbiontGround
from hean.backtest.material import CANDLES, FUNDING, Material, Symbol, feature_name
from hean.backtest.result import Times, Values
from hean.genome.tree import Genome
from hean.genome.words import row_of


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
    """A market made once for any number of genomes.

    *rows_ns*: end of each bar by symbol. *sampled*: times of equity samples, ns.
    *Raises*: `ParameterInvalid`, `DataInvalid` for what the judge does not play.
    """

    def __init__(self, material: Material) -> None:
        facts, columns = material.facts, material.columns
        self.facts = facts
        self.symbols = tuple(each.terms.name for each in facts.symbols)
        pairs = list(zip(facts.symbols, columns, strict=True))
        self.core = SymbiontGround(
            [_row(symbol, each, len(facts.features)) for symbol, each in pairs],
            cash=facts.cash,
            latency_ns=facts.latency_ns,
            slippage=facts.slippage,
            sizing=(facts.sizing.method, facts.sizing.numbers),
            sample_step_ns=facts.step_ns,
            start_ns=facts.start_ns,
        )
        self.cash = float(facts.cash)
        self.rows_ns: list[Times] = [each["ts"] + symbol.bar_ns for symbol, each in pairs]
        self.closes: list[Values] = [each["close"] for each in columns]
        last = max(int(rows[-1]) for rows in self.rows_ns)
        first = (facts.start_ns // facts.step_ns + 1) * facts.step_ns
        self.sampled: Times = np.arange(first, last + 1, facts.step_ns)

    def judge(
        self, genomes: Sequence[Genome], *, threads: int = 1, keeps_deals: bool = False
    ) -> list[Verdict]:
        """The verdict on each. *Raises*: `UnknownSymbol` for a symbol that is not here."""
        found = self.core.judge(
            [row_of(genome, self.symbols, self.facts.features) for genome in genomes],
            threads=threads,
            keeps_deals=keeps_deals,
        )
        return [self._verdict(row) for row in found]

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


def _row(symbol: Symbol, columns: Mapping[str, Any], features: int) -> tuple[Any, ...]:
    return (
        symbol.terms.instrument(),
        symbol.fees,
        symbol.leverage,
        symbol.bar_ns,
        columns["ts"],
        [columns[name] for name in CANDLES],
        *(columns[name].tolist() for name in FUNDING),
        [columns[feature_name(number)] for number in range(features)],
    )
