# SPDX-License-Identifier: Apache-2.0
"""`search.py`: looking for an order by its client id, until the venue shows it. That it is not
shown proves nothing: the order stays unknown and counts in full, and the looks go on, half a minute
apart. To prove that an order does not exist is the reconciler's business, not this file's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain, repeat

from hean.errors import HeanError
from hean.venues.codec import Codec
from hean.venues.dispatch import Run
from hean.venues.questions import Questions
from hean.venues.reports import Tracked
from hean.venues.tracking import OrderTracker

PAUSES_S = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # before each look, the first ones dense
PAUSE_MAX_S = 30.0  # then for as long as it takes
EARLIER_NS = 5_000_000_000  # executions are read from before the order left: clocks differ


class Search:
    """Looks for orders, one task each. *on_found*: told when the venue has shown the order."""

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        tracker: OrderTracker,
        run: Run,
        *,
        on_found: Callable[[Tracked], None],
    ) -> None:
        self._codec = codec
        self._questions = questions
        self._tracker = tracker
        self._run = run
        self._on_found = on_found
        self._sought: set[str] = set()

    def look_for(self, order: Tracked) -> None:
        """Begin, unless it is being looked for."""
        if order.order_id not in self._sought:
            self._sought.add(order.order_id)
            self._run(self._look(order), f"{self._codec.name} looks for {order.order_id}")

    async def _look(self, order: Tracked) -> None:
        try:
            for pause_s in chain(PAUSES_S, repeat(PAUSE_MAX_S)):
                await asyncio.sleep(pause_s)
                if order.is_ended or await self._is_shown(order):
                    break
        finally:
            self._sought.discard(order.order_id)
        self._on_found(order)

    async def _is_shown(self, order: Tracked) -> bool:
        """One look; takes over what the venue shows."""
        ask = self._questions.ask
        try:
            report = await self._codec.order(ask, order)
            if report is None:
                return False
            executions = []
            if report.filled > order.filled:
                since_ns = order.opened_ns - EARLIER_NS
                found = await self._codec.executions(ask, since_ns, (order.symbol,))
                executions = list(found.rows)
        except HeanError:
            return False
        self._tracker.merge((report,), executions)
        return True
