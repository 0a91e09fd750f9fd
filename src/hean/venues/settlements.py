# SPDX-License-Identifier: Apache-2.0
"""`settlements.py`: funding that was settled, each payment told once. A stream tells it, or only
that there was one; every reading of the account asks the venue's own list, because a stream has
holes. What was settled before the account was read for the first time is in the wallet that was
found then. Nothing is computed: a payment is what the venue says it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from hean.errors import HeanError
from hean.venues.codec import Codec
from hean.venues.questions import Questions
from hean.venues.reports import Listing, Settlement
from hean.venues.tracking import OrderTracker

OVERLAP_NS = 3_600_000_000_000  # read from so long before the last reading: lists of income lag
UNPRICED_NS = 60_000_000_000  # so long a payment waits for the venue to publish its rate
MS_NS = 1_000_000


class Settlements:
    """Of one account. *symbols*: what is traded; payments for anything else are not ours."""

    def __init__(
        self, codec: Codec, questions: Questions, tracker: OrderTracker, symbols: Sequence[str]
    ) -> None:
        self._codec = codec
        self._questions = questions
        self._tracker = tracker
        self._symbols = tuple(symbols)
        self._first_ns: int | None = None
        self._read_ns = 0

    def resume(self, read_ns: int, first_ns: int) -> None:
        """Earlier processes read the account, first at *first_ns*, last at *read_ns*."""
        self._first_ns, self._read_ns = first_ns, read_ns

    def found(self, began_ns: int) -> None:
        """The account was read, as it was then. Not before: a first attempt may fail, and what is
        settled until the next one is in the wallet that that one finds.
        """
        if self._first_ns is None:
            self._first_ns = self._read_ns = began_ns

    async def read(self, began_ns: int) -> Listing[Settlement]:
        """What nobody has told yet, as of a reading of the account that began then, oldest first.

        *Raises*: as `Questions.ask`.
        """
        first_ns = began_ns if self._first_ns is None else self._first_ns
        since_ns = max(min(self._read_ns, began_ns) - OVERLAP_NS, first_ns)
        ask, rows = self._questions.ask, []
        found = await self._codec.settlements(ask, since_ns, self._symbols)
        for each in sorted(found.rows, key=lambda row: (row.ts_ns, row.exec_id)):
            if each.ts_ns < first_ns or not self._is_ours(each) or self._tracker.has_seen(each):
                continue
            row = each
            if each.rate is None:
                with suppress(HeanError):  # it has happened all the same
                    row = await self._codec.priced(ask, each)
            age_ns = self._questions.venue_ms() * MS_NS - each.ts_ns
            if row.rate is not None or age_ns > UNPRICED_NS:
                rows.append(row)
        return Listing(tuple(rows), found.is_complete)

    def was_read(self, began_ns: int) -> None:
        """A complete reading that began then is told."""
        self._read_ns = began_ns

    def tell(self, settlement: Settlement) -> None:
        """One payment, from the stream or a list."""
        if self._is_ours(settlement):
            self._tracker.settlement(settlement)

    def _is_ours(self, settlement: Settlement) -> bool:
        return settlement.symbol in self._symbols and settlement.ts_ns >= (self._first_ns or 0)
