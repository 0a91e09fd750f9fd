# SPDX-License-Identifier: Apache-2.0
"""`amending.py`: what became of an amendment. That the venue has taken it on shows nothing, nor
does the lack of an answer: the order is looked at until a look shows the terms that were wanted, or
still the old ones so long after the request left that it cannot come any more. Until then both
count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain, repeat

from hean.errors import HeanError, OrderNotOpen, OutcomeUnknown
from hean.venues.codec import Codec
from hean.venues.dispatch import Flight, Run
from hean.venues.questions import Questions
from hean.venues.reports import Status, Tracked, Wanted
from hean.venues.search import RECEIVE_WINDOW_MS, Patience, age_s
from hean.venues.tracking import OrderTracker

PAUSES_S = (1.0, 4.0, 15.0, 30.0)  # the stream tells it in the first second, nearly always


class Amendments:
    """Looks at orders whose amendment is not settled, one task each. *look_for*: takes an order
    that is not open where it should be; *patience*: as of the search for lost orders.
    """

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        tracker: OrderTracker,
        run: Run,
        *,
        look_for: Callable[[Tracked], None],
        patience: Patience,
    ) -> None:
        self._codec = codec
        self._questions = questions
        self._tracker = tracker
        self._run = run
        self._look_for = look_for
        self._late_s = max(patience.spread_s, (RECEIVE_WINDOW_MS + patience.late_ms) / 1e3)
        self._watched: dict[str, Wanted] = {}

    def watch(self, order: Tracked) -> None:
        """See to it that the amendment under way is settled."""
        wanted = order.wanted
        if wanted is None or order.is_over or self._watched.get(order.order_id) is wanted:
            return
        self._watched[order.order_id] = wanted
        self._run(self._watch(order, wanted), f"{self._codec.name} settles an amendment")

    def refused(self, flight: Flight, error: type[HeanError], why: str) -> None:
        """The venue said no, or it never left."""
        order = flight.order
        if order.wanted is not flight.wanted:
            return  # a look has settled it
        self._tracker.amend_refused(order, error, why)
        if error is OrderNotOpen:
            self._look_for(order)

    async def _watch(self, order: Tracked, wanted: Wanted) -> None:
        began_s = asyncio.get_running_loop().time()
        try:
            for pause_s in chain(PAUSES_S, repeat(PAUSES_S[-1])):
                await asyncio.sleep(pause_s)
                if order.is_over or order.wanted is not wanted:
                    break
                await self._look(order, wanted, began_s)
        finally:
            if self._watched.get(order.order_id) is wanted:
                del self._watched[order.order_id]

    async def _look(self, order: Tracked, wanted: Wanted, began_s: float) -> None:
        waited_s = asyncio.get_running_loop().time() - began_s
        left_s = age_s(wanted.left_ms, self._questions.venue_ms(), waited_s=waited_s)
        try:
            report = await self._codec.order(self._questions.ask, order)
        except HeanError:
            return  # the next look may be answered
        if report is None or report.status is not Status.OPEN:
            self._look_for(order)  # it has ended, or is not shown; what it traded is read first
            return
        self._tracker.report(report)
        if order.wanted is wanted and left_s >= self._late_s:
            self._tracker.amend_refused(
                order,
                OutcomeUnknown,
                f"{left_s:.0f} s after it left the venue still shows the old terms",
            )
