# SPDX-License-Identifier: Apache-2.0
"""`scan.py`: looking around for work: from what was recorded of markets to processes that could
work there. A pure function on a schedule; what it finds is a proposal, and begins as a DRAFT.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hean.core.listing import listing_of

if TYPE_CHECKING:
    from hean.processes.process import Process


class MarketFacts(NamedTuple):
    """What was recorded of one market. *kind*: as of the instrument; *price*: last one, 0 before;
    *settlements*: funding payments so far, *funding*: their mean rate.
    """

    symbol: str
    kind: str
    price: float = 0.0
    settlements: int = 0
    funding: float = 0.0

    @property
    def pair(self) -> str:
        """The coins, without the market."""
        return listing_of(self.symbol).pair

    @property
    def is_spot(self) -> bool:
        """Coins rather than a contract on them."""
        return self.kind == "spot"


class Candidate(NamedTuple):
    """A process that could work: the *name* of its kind and its *symbols*."""

    name: str
    symbols: tuple[str, ...]


def scan(markets: Sequence[MarketFacts], kinds: Iterable[type[Process]]) -> tuple[Candidate, ...]:
    """The candidates of all *kinds* on *markets* that nobody trades, in the order of the kinds; a
    market goes to the first that wants it.
    """
    free = {market.symbol: market for market in markets}
    found = []
    for kind in kinds:
        for symbols in kind.candidates(tuple(free.values())):
            if symbols and all(symbol in free for symbol in symbols):
                found.append(Candidate(kind.name, symbols))
                free = {name: facts for name, facts in free.items() if name not in symbols}
    return tuple(found)
