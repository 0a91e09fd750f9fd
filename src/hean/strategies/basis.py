# SPDX-License-Identifier: Apache-2.0
"""`basis.py`: Basis Arbitrage. Two prices of one coin, such as coins and a perpetual, or perpetuals
of two venues, come back to their usual distance. It sells the dear leg and buys the cheap one when
the distance is unusual and what its return would earn, with the funding paid or received meanwhile,
is more than both legs cost; it leaves when the distance is usual again, has grown to the stop, or
after the longest time. Coins are never sold short. Rules: quant/methods 9.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, Funding
from hean.indicators import RollingMean, RollingStd
from hean.strategies.legs import NAKED_MAX, TwoLegs, is_told

HOUR_NS = 3_600_000_000_000
SETTLEMENT_NS = 8 * HOUR_NS  # until two settlements have told their distance


class BasisArbitrage(TwoLegs):
    """The first symbol against the second, the same coin in both."""

    name = "basis"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        NAKED_MAX,
        Parameter("notional", 4_000.0, "value of one leg", "quote", 10, 100_000_000),
        Parameter("window", 2_016, "bars of the usual distance", "bars", 20, 100_000),
        Parameter("entry", 3.0, "unusual distance", "standard deviations", 0.5, 50),
        Parameter("exit", 0.5, "usual distance", "standard deviations", 0, 20),
        Parameter("stop", 8.0, "distance that says it will not return", "deviations", 1, 200),
        Parameter("hold", 2_016, "longest time in a position", "bars", 1, 1_000_000),
        Parameter("cost", 0.0031, "both legs in and out, spread and fees", "fraction", 0, 0.1),
        Parameter("margin", 1.5, "gain wanted over the cost", "times the cost", 0, 100),
    )

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self._mean = RollingMean(self.p.window)
        self._sigma = RollingStd(self.p.window)
        self._bar_ns = 0
        self._rates = dict.fromkeys(symbols, 0.0)
        self._settled_ns: dict[str, int] = {}
        self._intervals_ns = dict.fromkeys(symbols, SETTLEMENT_NS)
        self._opened_ns = 0

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """Learn the funding of a leg; the last rate is what is expected of the next. A rate that
        stands is a forecast of the venue, and is left alone.
        """
        fact: Funding = event.data
        if fact.symbol in self.position and fact.has_rate:
            at_ns, before_ns = fact.settled_ns or event.ts_ns, self._settled_ns.get(fact.symbol)
            if is_told(fact, before_ns or 0):
                return
            if before_ns is not None and at_ns > before_ns:
                self._intervals_ns[fact.symbol] = at_ns - before_ns
            self._settled_ns[fact.symbol] = at_ns
            self._rates[fact.symbol] = fact.rate

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Measure and decide when both legs have closed a bar of the same moment."""
        closes = self.closes(event.data)
        if closes is None:
            return
        self._bar_ns = event.ts_ns - event.data.timestamp
        first, second = closes
        distance = math.log(second / first)
        # Judged by what was usual before: a jump must not vouch for itself.
        usual, sigma = self._mean.value, self._sigma.value
        if sigma > 0:
            self._decide(distance - usual, sigma, price=max(first, second), event=event)
        self._mean.update(distance)
        self._sigma.update(distance)

    def _decide(self, away: float, sigma: float, *, price: float, event: Event) -> None:
        if self.is_open:
            # The sign of the first leg says from which side the distance came.
            left = away if self.position[self.symbols[0]] > 0 else -away
            is_over = event.ts_ns - self._opened_ns >= self.p.hold * self._bar_ns
            if left < self.p.exit * sigma or left > self.p.stop * sigma or is_over:
                self.close_legs(as_of_seq=event.seq)
        elif self.is_flat and self.p.entry * sigma < abs(away) < self.p.stop * sigma:
            sign = 1 if away > 0 else -1  # the second leg is dear: buy the first, sell the second
            gain = abs(away) - self.p.exit * sigma + sign * self._carry()
            sold = self.symbols[1] if sign > 0 else self.symbols[0]
            if self.instruments[sold].kind == "spot" or gain < self.p.margin * self.p.cost:
                return
            size = sign * self.common_lot(self.p.notional / price)
            self._opened_ns = event.ts_ns
            self.open_legs(size, -size, as_of_seq=event.seq)

    def _carry(self) -> float:
        """Expected funding of long first and short second over half the longest time."""
        first, second = self.symbols
        span_ns: float = self.p.hold * self._bar_ns / 2
        per_leg = {s: self._rates[s] * span_ns / self._intervals_ns[s] for s in self.symbols}
        return per_leg[second] - per_leg[first]
