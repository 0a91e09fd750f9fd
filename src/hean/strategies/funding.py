# SPDX-License-Identifier: Apache-2.0
"""`funding.py`: the Funding Harvester. It holds coins against a short perpetual and collects the
funding that longs pay. It enters when the funding expected over its horizon, less what getting in
and out costs, is more than its own uncertainty; it leaves when waiting for better rates is expected
to cost more than leaving and coming back, or when the perpetual has run away from the coins. Rules:
quant/methods 9.1, but for leaving, which there is at the first three settlements expected to cost:
rates that swing around zero would make it pay the round trip again and again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import ClassVar

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, Funding
from hean.quant.carry import (
    Settled,
    deepest_sum,
    deviation_of_sum,
    expected_sum,
    fit_settled,
)
from hean.strategies.legs import NAKED_MAX, SECOND_NS, TwoLegs, is_told

SETTLEMENT_DOUBT_NS = 30 * SECOND_NS  # who holds at the very moment is uncertain around it


class FundingHarvester(TwoLegs):
    """Coins (first symbol) against a perpetual of the same coin (second symbol)."""

    name = "funding"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        NAKED_MAX,
        Parameter("notional", 4_000.0, "value of one leg", "quote", 10, 100_000_000),
        Parameter(
            "horizon", 90, "settlements a position is meant to last", "settlements", 3, 1_000
        ),
        Parameter("memory", 270, "settled rates that the forecast is made of", "rates", 30, 5_000),
        Parameter("cost", 0.0031, "both legs in and out, spread and fees", "fraction", 0, 0.1),
        Parameter("certainty", 1.0, "gain wanted over the forecast's error", "deviations", 0, 10),
        Parameter("basis_stop", 0.01, "perpetual above coins since entry", "fraction", 0.0005, 1),
    )

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self._rates: deque[float] = deque(maxlen=self.p.memory)
        self._model: Settled | None = None
        self._settled_ns = 0
        self._interval_ns = 0
        self._entry_basis = math.nan

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """Learn a settled rate, once; what it means is decided once the settlement is beyond doubt.
        A rate that stands is a forecast of the venue, and is left alone.
        """
        fact: Funding = event.data
        if fact.symbol == self.symbols[1] and fact.has_rate:
            at_ns = fact.settled_ns or event.ts_ns
            if is_told(fact, self._settled_ns):
                return
            if self._settled_ns:
                self._interval_ns = at_ns - self._settled_ns
            self._settled_ns = at_ns
            self._rates.append(fact.rate)
            self._model = fit_settled(self._rates)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Decide when both legs have closed a bar of the same moment."""
        closes = self.closes(event.data)
        if closes is not None and self._is_settled(event.ts_ns):
            coins, perpetual = closes
            self._decide(coins, perpetual, seq=event.seq)

    def _is_settled(self, now_ns: int) -> bool:
        """Whether no settlement is so near that nobody can say who pays it."""
        after_ns = now_ns - self._settled_ns
        before_ns = self._interval_ns - after_ns
        is_near = abs(before_ns) < SETTLEMENT_DOUBT_NS if self._interval_ns else False
        return after_ns >= SETTLEMENT_DOUBT_NS and not is_near

    def _decide(self, coins: float, perpetual: float, *, seq: int) -> None:
        model = self._model
        if model is None:
            return
        basis = math.log(perpetual / coins)
        if self.is_open:
            if math.isnan(self._entry_basis):
                self._entry_basis = basis  # of a pair that an earlier process opened
            wait = deepest_sum(model, self._rates[-1], self.p.horizon)
            if wait < -self.p.cost or basis - self._entry_basis > self.p.basis_stop:
                self.close_legs(as_of_seq=seq)
        elif self.is_flat and self._is_worth_it(model):
            size = self.common_lot(self.p.notional / max(coins, perpetual))
            self._entry_basis = basis
            self.open_legs(size, -size, as_of_seq=seq)

    def _is_worth_it(self, model: Settled) -> bool:
        gain = expected_sum(model, self._rates[-1], self.p.horizon) - self.p.cost
        return bool(gain > self.p.certainty * deviation_of_sum(model, self.p.horizon))
