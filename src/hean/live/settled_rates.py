# SPDX-License-Identifier: Apache-2.0
"""`settled_rates.py`: rates that were settled, for strategies that judge by them, also while
nothing is held and no payment tells them. The venue's public history is read once for the past,
then again and again; each settlement is one fact without mark price and amount, for it moves no
money. What was paid on a position is told by the account's own stream, and names the same moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from hean.core.types import Funding, Payload
from hean.errors import HeanError

READ_S = 60.0  # venues publish a rate within a minute
PAST_NS = 90 * 86_400_000_000_000  # a strategy's memory: 270 settlements of eight hours

History = Callable[[str, int, int], Awaitable[list[tuple[int, float]]]]
"""Rates of a symbol settled from a moment on, before another: (time in ns, rate), oldest first."""


class SettledRates:
    """*history*: asks the venue; *symbols*: perpetuals; *now*: UTC nanoseconds."""

    def __init__(
        self,
        history: History,
        symbols: Sequence[str],
        *,
        emit: Callable[[Payload], None],
        now: Callable[[], int],
    ) -> None:
        self._history = history
        self._next_ns = dict.fromkeys(symbols, 0)
        self._emit = emit
        self._now = now

    async def keep(self) -> None:
        """Tell them until cancelled."""
        while True:
            for symbol in self._next_ns:
                with suppress(HeanError):  # the next reading asks again
                    await self.read(symbol)
            await asyncio.sleep(READ_S)

    async def read(self, symbol: str) -> None:
        """Tell what was settled since the last reading. *Raises*: as the venue's questions."""
        now_ns = self._now()
        first_ns = self._next_ns[symbol] or now_ns - PAST_NS
        for at_ns, rate in await self._history(symbol, first_ns, now_ns):
            self._next_ns[symbol] = at_ns + 1
            self._emit(Funding(symbol, rate, settled_ns=at_ns))
