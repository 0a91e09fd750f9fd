# SPDX-License-Identifier: Apache-2.0
"""`listing.py`: names of what is traded. `BTCUSDT` is enough where one market of it is traded.
Where several are, each says which, and whose if two venues have it: `BTCUSDT@spot`,
`BTCUSDT@perp`, `BTCUSDT@bybit.perp`. Inside HEAN the name stays as it was given, so that coins and
a perpetual of the same pair are never mixed up; only the rim takes it apart.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hean.errors import UnknownSymbol

MARK = "@"
_NAME = re.compile(
    r"(?P<pair>[A-Z0-9]{2,30})(?:@(?:(?P<venue>[a-z][a-z0-9]*)\.)?(?P<market>spot|perp))?"
)


class Listing(NamedTuple):
    """A pair of coins and, where stated, the market and the venue."""

    pair: str
    market: str | None = None
    venue: str | None = None

    def covers(self, pair: str, market: str | None, venue: str | None) -> bool:
        """Whether what is known of some data fits this name; what the name leaves open fits."""
        return self.pair == pair and self.market in (None, market) and self.venue in (None, venue)


def listing_of(symbol: str) -> Listing:
    """The parts of a name. *Raises*: `UnknownSymbol` for a text that is none."""
    found = _NAME.fullmatch(symbol)
    if found is None:
        raise UnknownSymbol(
            f"{symbol!r} is no symbol; expected such as BTCUSDT, BTCUSDT@spot, BTCUSDT@perp or "
            "BTCUSDT@bybit.perp."
        )
    return Listing(found["pair"], found["market"], found["venue"])


def pair_of(symbol: str) -> str:
    """The name without its market: `BTCUSDT` of `BTCUSDT@spot`."""
    return symbol.partition(MARK)[0]
