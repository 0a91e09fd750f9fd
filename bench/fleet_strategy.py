# SPDX-License-Identifier: Apache-2.0
"""In and out on trades, for `bench_fleet.py`: it writes down how long after a trade came into the
process that has the market its order is approved here. The clock is the machine's, which both
processes share; no decision hangs on it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from hean.core.module import on
from hean.core.types import Event, EventType, Side
from hean.strategies.base import Strategy

TIMES = "BENCH_FLEET_TIMES"
"""Variable that names the file: a line for each order, ns."""


class Timed(Strategy):
    """Trades on every trade of the market that it may."""

    name = "timed"

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self._came_ns = dict.fromkeys(symbols, 0)
        path = Path(os.environ[TIMES])
        self._lines = path.open("a", buffering=1, encoding="ascii")

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """In if it is out, out if it is in."""
        symbol = event.data.symbol
        if not event.data.volume or self.is_waiting(symbol):
            return
        self._came_ns[symbol] = event.ts_ns
        if self.position[symbol]:
            self.leave(symbol, as_of_seq=event.seq)
        else:
            self.enter(symbol, Side.BUY, as_of_seq=event.seq)

    @on(EventType.ORDER_APPROVED)
    def on_approved(self, event: Event) -> None:
        """Write down how long it took; a session that is played again writes moments long past."""
        came_ns = self._came_ns[event.data.symbol]
        if event.ts_ns == came_ns:
            self._lines.write(f"{time.time_ns() - came_ns}\n")
