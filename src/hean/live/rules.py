# SPDX-License-Identifier: Apache-2.0
"""`rules.py`: trading rules that change while we trade. They are read anew once a minute and after
a refusal by a filter; new orders are sized and priced by the newest, what rests stays as it is. A
grid finer than the books count in cannot be used: the symbol opens nothing new until a restart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from hean._core import Instrument
from hean.feeds.listing import Listed
from hean.live.recovery import is_grid_of
from hean.venues.halts import Halts

REASON = "trading rules"


class Rules:
    """*load*: asks the venue; *instruments*: what governor and others size by, changed here;
    *counted*: the rules the books count in.
    """

    def __init__(
        self,
        load: Callable[[Sequence[str]], Awaitable[dict[str, Listed]]],
        instruments: dict[str, Instrument],
        counted: Mapping[str, Instrument],
        halts: Halts,
    ) -> None:
        self._load = load
        self._instruments = instruments
        self._counted = counted
        self._halts = halts

    async def reload(self) -> None:
        """Read them. *Raises*: `HeanError` when the venue does not tell; the old ones hold then."""
        self.learn(await self._load(tuple(self._instruments)))

    def learn(self, listed: Mapping[str, Listed]) -> None:
        """Go by these from now on. What does not trade, or not by our grid, opens nothing new."""
        for symbol, row in listed.items():
            if not row.is_trading:
                why = f"{symbol} is {row.status} at the venue"
            elif not is_grid_of(row.instrument, self._counted[symbol]):
                why = f"{symbol} has a finer grid than the journal counts in; end, then start anew"
            else:
                why = ""
                self._instruments[symbol] = row.instrument
            if why:
                self._halts.add(REASON, why, symbol)
            else:
                self._halts.lift(REASON, symbol)
