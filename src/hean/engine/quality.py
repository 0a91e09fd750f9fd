# SPDX-License-Identifier: Apache-2.0
"""`quality.py`: how well a session trades and what its models say, as numbers for machines: what
fills cost against the price of their decision, how many orders fill, how wide the market is, the
newest forecasts. It listens to facts, decides nothing, and forgets the oldest.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from hean.core.types import Book, Event, EventType, Payload, Tick
from hean.observe.metrics import BPS, Histogram, Labels, Samples

KEPT_ORDERS = 10_000
DAY_S = 86_400.0
BPS_OF_ONE = 1e4


class Quality:
    """*see* is told the facts of each frame, *hear* every event of the bus."""

    def __init__(self) -> None:
        self._price: dict[str, float] = {}
        self._decided: OrderedDict[str, float] = OrderedDict()
        self._slippage: dict[Labels, Histogram] = {}
        self._value: dict[Labels, float] = {}
        self._newest: dict[str, dict[Labels, float]] = {}
        self._counts = dict.fromkeys(
            ("hean_orders_placed_total", "hean_orders_filled_total",
             "hean_killswitch_triggers_total", "hean_reconcile_discrepancies_total"), 0,
        )  # fmt: skip

    def see(self, facts: tuple[Payload, ...]) -> None:
        """Keep what a market costs at this moment."""
        for fact in facts:
            if isinstance(fact, Tick):
                self._price[fact.symbol] = fact.price
                if fact.bid and fact.ask:
                    self._touch(fact.symbol, fact.bid, fact.ask)
            elif isinstance(fact, Book) and fact.is_snapshot and fact.bids and fact.asks:
                bid, ask = fact.bids[0][0], fact.asks[0][0]
                self._price.setdefault(fact.symbol, (bid + ask) / 2)  # until the first trade
                self._touch(fact.symbol, bid, ask)

    def hear(self, event: Event) -> None:
        """Keep what is of interest."""
        hear = _HEARD.get(event.event_type)
        if hear is not None:
            hear(self, event.data)

    def tell(self, samples: Samples) -> None:
        """Put everything among the samples."""
        for name, values in self._newest.items():
            samples.values[name] = dict(values)
        for name, count in self._counts.items():
            samples.put(name, count)
        samples.values["hean_traded_value_total"] = dict(self._value)
        placed = self._counts["hean_orders_placed_total"]
        filled = self._counts["hean_orders_filled_total"]
        samples.put("hean_fill_ratio", filled / placed if placed else math.nan)
        samples.put_histograms("hean_slippage_bps", self._slippage)

    def _touch(self, symbol: str, bid: float, ask: float) -> None:
        spread = (ask - bid) / ((bid + ask) / 2) * BPS_OF_ONE
        self._keep("hean_spread_bps", spread, symbol=symbol)

    def _approved(self, order: Any) -> None:
        price = self._price.get(order.symbol)
        if price:
            self._decided[order.order_id] = price
            if len(self._decided) > KEPT_ORDERS:
                self._decided.popitem(last=False)

    def _placed(self, _order: Any) -> None:
        self._counts["hean_orders_placed_total"] += 1

    def _filled(self, fill: Any) -> None:
        is_whole = not fill.remaining_qty
        value = float(fill.fill_price * fill.filled_qty)
        labels = (("symbol", fill.symbol),)
        self._value[labels] = self._value.get(labels, 0.0) + value
        self._counts["hean_orders_filled_total"] += is_whole
        price = self._decided.get(fill.order_id)
        if price and fill.side is not None:
            sign = 1 if fill.side == "BUY" else -1
            lost = (float(fill.fill_price) - price) / price * BPS_OF_ONE * sign
            self._slippage.setdefault(labels, Histogram(BPS)).observe(lost)
        if is_whole:
            self._decided.pop(fill.order_id, None)

    def _forecast(self, fact: Any) -> None:
        sigma = fact.sigma * math.sqrt(DAY_S / fact.horizon_s)
        self._keep("hean_vol_forecast", sigma, symbol=fact.symbol)

    def _hedge(self, fact: Any) -> None:
        self._keep("hean_hedge_ratio", fact.beta, pair=fact.pair)
        self._keep("hean_spread_z", fact.spread_z, pair=fact.pair)

    def _change(self, fact: Any) -> None:
        self._keep("hean_changepoint_probability", fact.probability, symbol=fact.symbol)

    def _killed(self, _fact: Any) -> None:
        self._counts["hean_killswitch_triggers_total"] += 1

    def _compared(self, fact: Any) -> None:
        self._counts["hean_reconcile_discrepancies_total"] += len(fact.differences)

    def _keep(self, name: str, value: float, **labels: str) -> None:
        self._newest.setdefault(name, {})[tuple(labels.items())] = value


_HEARD: dict[EventType, Callable[[Quality, Any], None]] = {
    EventType.ORDER_APPROVED: Quality._approved,
    EventType.ORDER_PLACED: Quality._placed,
    EventType.ORDER_FILLED: Quality._filled,
    EventType.VOL_FORECAST: Quality._forecast,
    EventType.HEDGE_RATIO: Quality._hedge,
    EventType.CHANGEPOINT: Quality._change,
    EventType.KILLSWITCH_TRIGGERED: Quality._killed,
    EventType.RECONCILE: Quality._compared,
}
