# SPDX-License-Identifier: Apache-2.0
"""`track.py`: what a session's record says of its trading: the share of round trips that made money
after fees, and the Sharpe ratio of its days. Both are for people; nothing is decided by them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from hean.core.types import OrderFilled, Side
from hean.quant.performance import sharpe

ZERO = Decimal(0)
DAYS_MAX = 3_650


@dataclass
class _Trip:
    """What is held of a symbol, and what was paid and got for it since it was flat."""

    qty: Decimal = ZERO
    money: Decimal = ZERO


class TrackRecord:
    """Fed with every fill, and with the equity as it changes."""

    def __init__(self) -> None:
        self.trips = 0
        """Round trips that have ended."""
        self.won = 0
        """Those that made money."""
        self._open: dict[str, _Trip] = {}
        self._opens: OrderedDict[int, float] = OrderedDict()  # of UTC days
        self._equity: float | None = None

    def fill(self, fill: OrderFilled) -> None:
        """One execution. One that goes through zero ends a round trip and begins the next, with
        its share of the fee each.
        """
        if fill.side is None or fill.is_kept or not fill.filled_qty:
            return
        trip = self._open.setdefault(fill.symbol, _Trip())
        signed = fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
        fee = fill.fee if fill.is_fee_in_quote else ZERO
        closed = ZERO
        if trip.qty * signed < 0:
            closed = max(signed, -trip.qty) if signed < 0 else min(signed, -trip.qty)
            self._book(trip, closed, fill.fill_price, fee * closed / signed)
            if not trip.qty:
                self.trips += 1
                self.won += trip.money > 0
                trip.money = ZERO
        if opened := signed - closed:
            self._book(trip, opened, fill.fill_price, fee * opened / signed)

    def equity(self, day: int, equity: float) -> None:
        """What it is worth now, on UTC day number *day*."""
        if day not in self._opens:
            self.opened(day, equity if self._equity is None else self._equity)
        self._equity = equity

    def opened(self, day: int, equity: float) -> None:
        """What it was worth when a UTC day began."""
        self._opens[day] = equity
        if len(self._opens) > DAYS_MAX:
            self._opens.popitem(last=False)

    @property
    def win_ratio(self) -> float | None:
        """Of 1; `None` before a round trip has ended."""
        return self.won / self.trips if self.trips else None

    @property
    def sharpe(self) -> float | None:
        """Annualised from the returns of whole days and the present one, with 365 days and no
        risk-free rate; `None` before there are two with a spread.
        """
        days = sorted(self._opens)
        values = [self._opens[day] for day in days]
        if self._equity is not None:
            values.append(self._equity)
        if len(values) < 3 or min(values) <= 0:  # two returns
            return None
        steps = np.array(values, np.float64)
        return sharpe(steps[1:] / steps[:-1] - 1.0)

    @staticmethod
    def _book(trip: _Trip, signed: Decimal, price: Decimal, fee: Decimal) -> None:
        trip.qty += signed
        trip.money -= signed * price + fee
