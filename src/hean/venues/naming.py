# SPDX-License-Identifier: Apache-2.0
"""`naming.py`: whose order traded, where the list of executions does not say it. While an order of
ours has no answer, an execution of its symbol and side under an id of the venue that nobody here
knows may be its own: the venue is asked for that order's client id, once. It may also be of an
order that a stop of ours became when it was triggered, a moment ago: the stop is asked for. Without
this the piece would be told as somebody else's, and the order would wait for it for ever. A venue
that shows a piece and denies its order has said nothing yet: nobody takes the piece until it has.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from hean.errors import VenueError
from hean.venues.codec import Codec
from hean.venues.questions import Questions
from hean.venues.reports import Execution
from hean.venues.tracking import OrderTracker

NAMES_MAX = 10_000  # answers remembered; one for each order of somebody else in the lists read
DENIED_S = 600.0  # by then a venue's books agree; what it still denies is somebody else's
S_MS = 1_000
MS_NS = 1_000_000


class Naming:
    """Names executions."""

    def __init__(self, codec: Codec, questions: Questions, tracker: OrderTracker) -> None:
        self._codec = codec
        self._questions = questions
        self._tracker = tracker
        self._names: OrderedDict[str, str] = OrderedDict()

    async def name(self, executions: Iterable[Execution]) -> list[Execution]:
        """The same, with the client id where it matters. *Raises*: as `Questions.ask`, and
        `VenueError` while the venue denies the order of a new piece.
        """
        named = []
        for each in executions:
            if not each.client_order_id:
                await self._ask_for_triggered(each)
                if self._tracker.may_be_of_lost(each):
                    each = replace(each, client_order_id=await self._owner(each))
            named.append(each)
        return named

    async def _ask_for_triggered(self, execution: Execution) -> None:
        for order in self._tracker.may_have_become(execution):
            report = await self._codec.order(self._questions.ask, order)
            if report is not None:
                self._tracker.learn_child(order, report)
            elif order.is_placed and self._is_recent(execution):
                raise VenueError(
                    f"{self._codec.name} shows execution {execution.exec_id}, which may be of stop "
                    f"{order.order_id}, and denies that stop; it will be asked again."
                )

    async def _owner(self, execution: Execution) -> str:
        exchange_id = execution.exchange_order_id
        if exchange_id not in self._names:
            owner = await self._codec.client_id_of(self._questions.ask, execution)
            if owner is None:
                return self._denied(execution)
            self._names[exchange_id] = owner
            if len(self._names) > NAMES_MAX:
                self._names.popitem(last=False)
        return self._names[exchange_id]

    def _is_recent(self, execution: Execution) -> bool:
        return self._questions.venue_ms() - execution.ts_ns // MS_NS < DENIED_S * S_MS

    def _denied(self, execution: Execution) -> str:
        if self._is_recent(execution):
            raise VenueError(
                f"{self._codec.name} shows execution {execution.exec_id} and denies its order "
                f"{execution.exchange_order_id}; whose it is will be asked again."
            )
        return ""
