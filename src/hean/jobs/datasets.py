# SPDX-License-Identifier: Apache-2.0
"""`datasets.py`: the recorded markets that a job may play, by name. They are the entries of the
catalog in the data directory, and the made-up one of the demo. A client names one of the list; a
path of this machine is never taken from anybody, and an entry that leads out of the data directory
is not listed.
"""

from __future__ import annotations

from pathlib import Path

from hean.core.listing import listing_of
from hean.data.catalog import Catalog, Entry
from hean.engine.documents import Document

MADE = "demo"
"""Folder in the data directory whose catalog holds made-up markets, apart from recorded ones."""
PRICES = frozenset({"candles", "trades", "book"})


class DataSet(Document):
    """A recorded market. *is_made*: it was made up, and says nothing about any market; *gaps*: how
    many there are.
    """

    id: str
    kind: str
    venue: str
    market: str
    symbol: str
    timeframe: str | None
    first: str
    last: str
    rows: int
    gaps: int
    is_made: bool

    @property
    def has_prices(self) -> bool:
        """Whether orders can be filled by it."""
        return self.kind in PRICES

    def covers(self, symbol: str) -> bool:
        """Whether it is of what is traded under that name. *Raises*: `UnknownSymbol`."""
        return listing_of(symbol).covers(self.symbol, self.market, self.venue)


class DataSets:
    """All of one data directory, as they are now."""

    def __init__(self, data_dir: Path) -> None:
        self._catalogs = ((Catalog(data_dir), False), (Catalog(data_dir / MADE), True))

    def all(self) -> dict[str, tuple[DataSet, Path]]:
        """Each with its file, by id. *Raises*: `DataInvalid` for a damaged catalog."""
        found = {}
        for catalog, is_made in self._catalogs:
            root = catalog.root.resolve()
            for entry in catalog.entries():
                real = entry.path.resolve()
                if real.is_relative_to(root):
                    described = _described(entry, is_made=is_made)
                    found[described.id] = described, real
        return found


def _described(entry: Entry, *, is_made: bool) -> DataSet:
    facts = entry.facts
    place = "/".join((*entry.path.parts[-4:-1], entry.path.name.partition(".")[0]))
    return DataSet(
        id=f"{MADE}/{place}" if is_made else place,
        kind=facts["kind"],
        venue=facts["venue"],
        market=facts["market"],
        symbol=facts["symbol"],
        timeframe=facts.get("timeframe"),
        first=facts["first"],
        last=facts["last"],
        rows=facts["rows"],
        gaps=facts["gaps"]["count"],
        is_made=is_made,
    )
