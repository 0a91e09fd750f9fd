# SPDX-License-Identifier: Apache-2.0
"""`rebalance.py`: the daily rebalance: capital held in coins or contracts by weights, and brought
back to them once a day. Prices carry weights away from where they were meant to be; what has run
too far is sold first, and what was sold pays for what is bought. Weights are never below 0.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from hean.core.parameters import Parameter
from hean.core.types import Event, EventType
from hean.errors import ParameterInvalid
from hean.processes.process import DAY_NS, Process, Step, View, Wish, is_tradable, lots_within
from hean.processes.scan import MarketFacts
from hean.quant.allocation import (
    equal,
    equal_risk_contribution,
    inverse_volatility,
    rebalanced,
)
from hean.quant.capital import whole_lots
from hean.quant.checks import Array
from hean.quant.covariance import ledoit_wolf

DAYS_MIN = 20  # less says too little about how prices move together
RULES = ("equal", "inverse_volatility", "equal_risk")


class Rebalance(Process):
    """Weights by rule, once a day."""

    name = "rebalance"
    factors = ("market",)
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("weights", "equal", "rule of the weights", choices=RULES),
        Parameter("band", 0.1, "a weight is left while it is so near", "part of itself", 0, 0.99),
        Parameter("cash", 0.02, "left aside for fees", "fraction of capital", 0, 0.9),
        Parameter("days", 60, "daily returns that the weights are made of", "days", 20, 1_000),
    )

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        if len(symbols) < 2:
            raise ParameterInvalid(
                f"{self.name}: {len(symbols)} symbols; weights need two or more."
            )
        self._closed_ns = dict.fromkeys(symbols, 0)
        self._close: dict[str, float] = {}
        self._daily: deque[list[float]] = deque(maxlen=self.p.days + 1)
        self._day = 0

    @classmethod
    def candidates(cls, markets: Sequence[MarketFacts]) -> tuple[tuple[str, ...], ...]:
        """All coins together."""
        coins = tuple(market.symbol for market in markets if market.is_spot)
        return (coins,) if len(coins) > 1 else ()

    def learn(self, event: Event) -> None:
        """Remember when each symbol last closed a bar, and at what price."""
        if event.event_type is EventType.CANDLE:
            self._closed_ns[event.data.symbol] = event.ts_ns
            self._close[event.data.symbol] = event.data.close

    def steps(self) -> tuple[Step, ...]:
        """Once a day: sell what is too much, then buy what is too little."""
        return (
            Step("sell", self._is_due, self._sales),
            Step("buy", lambda _: True, self._purchases),
        )

    def _is_due(self, view: View) -> bool:
        """A day has begun, and every symbol has closed a bar in it."""
        day = view.now_ns // DAY_NS
        if day <= self._day or min(self._closed_ns.values()) < day * DAY_NS:
            return False
        self._day = day
        self._daily.append([self._close[symbol] for symbol in self.symbols])
        return self.p.weights == "equal" or len(self._daily) > DAYS_MIN

    def _weights(self) -> Array:
        if self.p.weights == "equal":
            return equal(len(self.symbols))
        covariance = ledoit_wolf(np.diff(np.log(np.array(self._daily)), axis=0)).matrix
        rule = inverse_volatility if self.p.weights == "inverse_volatility" else (
            equal_risk_contribution
        )  # fmt: skip
        return rule(covariance)

    def _values(self, view: View) -> tuple[Array, Array, float]:
        """Held and wished value of each symbol, and all that may be in them."""
        money = max(view.capital(), 0.0) * (1.0 - self.p.cash)
        held = np.array([float(view.held(s)) * self._close[s] for s in self.symbols])
        if not money:
            return held, np.zeros_like(held), money
        wished = rebalanced(held / money, self._weights(), band_fraction=self.p.band) * money
        return held, wished, money

    def _sales(self, view: View) -> list[Wish]:
        held, wished, _ = self._values(view)
        wishes = []
        for symbol, excess in zip(self.symbols, held - wished, strict=True):
            price, rules = self._close[symbol], view.rules[symbol]
            quantity = min(
                lots_within(rules, view.held(symbol)), lots_within(rules, excess / price)
            )
            if quantity > 0 and is_tradable(rules, quantity, price):
                wishes.append(Wish(symbol, -quantity))
        return wishes

    def _purchases(self, view: View) -> list[Wish]:
        """What is missing, as far as what is not held pays for it, in whole lots."""
        held, wished, money = self._values(view)
        missing = np.maximum(wished - held, 0.0)
        cash = max(money - float(held.sum()), 0.0)
        if not missing.any():
            return []
        missing *= min(1.0, cash / float(missing.sum()))
        prices = [self._close[symbol] for symbol in self.symbols]
        rules = [view.rules[symbol] for symbol in self.symbols]
        sizes = [each.lot_size * price for each, price in zip(rules, prices, strict=True)]
        parts = whole_lots(
            missing,
            sizes,
            held=np.zeros_like(missing),
            rows=np.ones((1, missing.size)),
            limits=[cash],
        )
        wishes = [
            Wish(symbol, rule.quantity_decimal(lots))
            for symbol, rule, lots in zip(self.symbols, rules, parts, strict=True)
        ]
        return [
            wish
            for wish, rule, price in zip(wishes, rules, prices, strict=True)
            if wish.quantity and is_tradable(rule, wish.quantity, price)
        ]
