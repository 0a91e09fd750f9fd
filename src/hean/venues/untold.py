# SPDX-License-Identifier: Apache-2.0
"""`untold.py`: pieces of an order that the venue counts and nobody has told. A report says how much
is filled, or that the order has ended, and the frame of the execution got lost. The executions are
read until they are there, one reading for all orders that miss some. So long the order counts in
full, though the venue has ended it (`Tracked.end`): too much rather than too little. If the venue
does not show them in ten seconds, its symbol takes nothing new and a person is told every minute.
That never gets old: what was filled is a position.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, repeat

from hean.core.types import Error, Payload
from hean.errors import Halted, HeanError, RateLimited
from hean.venues.codec import Codec
from hean.venues.dispatch import Run
from hean.venues.halts import Halts
from hean.venues.naming import Naming
from hean.venues.questions import Questions
from hean.venues.reports import Tracked
from hean.venues.search import SILENT_S, earliest_ns
from hean.venues.tracking import OrderTracker

PAUSES_S = (0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Before each reading, the last for good; the first is for a frame that is only a little later."""
OVERDUE_S = 10.0  # RELIABILITY 2.4: so long a position may stay unexplained
ALARM_S = 60.0  # between two alarms about one order


@dataclass(slots=True)
class _Case:
    """An order that misses pieces. *counted*: filled by the venue's word; *seen_s*: only a reading
    that began later can show them.
    """

    order: Tracked
    counted: Decimal
    since_ns: int
    began_s: float
    seen_s: float
    told_s: float | None = None

    def is_told(self) -> bool:
        order = self.order
        return order.is_ended or order.filled >= self.counted


class Untold:
    """Reads missing executions. *first_ns*: all that was executed before has been read."""

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        tracker: OrderTracker,
        naming: Naming,
        halts: Halts,
        run: Run,
        *,
        first_ns: Callable[[], int],
        emit: Callable[[Payload], None],
    ) -> None:
        self._codec = codec
        self._questions = questions
        self._tracker = tracker
        self._naming = naming
        self._halts = halts
        self._run = run
        self._first_ns = first_ns
        self._emit = emit
        self._cases: dict[str, _Case] = {}
        self._reading = asyncio.Lock()
        self._read_s = 0.0
        self._is_silent = False

    def miss(self, order: Tracked) -> None:
        """More of it is counted than was told: have the rest read."""
        if order.order_id in self._cases:
            return
        now_s = asyncio.get_running_loop().time()
        first_ns = max(self._first_ns(), earliest_ns(order))
        case = _Case(order, order.counted, first_ns, now_s, now_s)
        self._cases[order.order_id] = case
        self._run(self._fetch(case), f"{self._codec.name} misses pieces of {order.order_id}")

    async def _fetch(self, case: _Case) -> None:
        order, pauses_s = case.order, chain(PAUSES_S, repeat(PAUSES_S[-1]))
        try:
            await asyncio.sleep(next(pauses_s))
            while not case.is_told():
                is_silent = await self._read(case)
                if case.is_told():
                    break
                self._tell(case)
                await asyncio.sleep(SILENT_S if is_silent else next(pauses_s))
        finally:
            del self._cases[order.order_id]
        self._halts.lift(_halt(order), order.symbol)
        if order.is_untold:  # more was counted meanwhile
            self.miss(order)

    async def _read(self, case: _Case) -> bool:
        """A reading that may show what this order misses, for all that do. *Returns*: whether
        nobody may be asked.
        """
        async with self._reading:
            if self._read_s <= case.seen_s and not case.is_told():
                self._read_s = asyncio.get_running_loop().time()
                self._is_silent = await self._ask()
            case.seen_s = self._read_s
            return self._is_silent

    async def _ask(self) -> bool:
        cases = [case for case in self._cases.values() if not case.is_told()]
        symbols = tuple(sorted({case.order.symbol for case in cases}))
        first_ns = min(case.since_ns for case in cases)
        try:
            found = await self._codec.executions(self._questions.ask, first_ns, symbols)
            named = await self._naming.name(found.rows)
        except (RateLimited, Halted):
            return True
        except HeanError:
            return False  # the next reading tells more
        self._tracker.merge((), named)
        return False

    def _tell(self, case: _Case) -> None:
        """Open nothing new beside a position that nobody can explain, and say so."""
        order, now_s = case.order, asyncio.get_running_loop().time()
        is_told = case.told_s is not None and now_s - case.told_s < ALARM_S
        if is_told or now_s - case.began_s < OVERDUE_S:
            return
        case.told_s = now_s
        sentence = (
            f"order {order.order_id} ({order.symbol}, {self._codec.name}): the venue counts "
            f"{case.counted:f} as filled and shows executions of {order.filled:f} only; it counts "
            "in full until they are told. Look for them at the venue."
        )
        self._halts.add(_halt(order), sentence, order.symbol)
        self._emit(Error(self._codec.name, sentence, self._questions.now()))


def _halt(order: Tracked) -> str:
    return f"missing executions of {order.order_id}"
