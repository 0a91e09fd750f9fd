# SPDX-License-Identifier: Apache-2.0
"""`cancels.py`: cancellations on their way out. Those asked for in one go, such as forty by the
kill switch, leave together right after it: all their records are made durable by one commit, then
the first byte of the first one leaves. What has no room in the rate budget is asked for again when
it has. An order or amendment that is sent in the same go waits for them: a stop that replaces
another one must not come first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from hean.errors import FatalError
from hean.net.budget import Budget, Priority
from hean.venues.codec import Codec
from hean.venues.dispatch import S_NS, Dispatch, Flight, Sending
from hean.venues.questions import Questions
from hean.venues.reports import Call, Tracked


class Cancels:
    """Of one gateway. *sending*: as of `Gateway`; *later*: has an order asked for again after so
    many seconds; *is_superseded*: whether nothing may leave at all.
    """

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        budget: Budget,
        dispatch: Dispatch,
        *,
        sending: Sending | None,
        later: Callable[[Tracked, float], None],
        is_superseded: Callable[[], bool],
    ) -> None:
        self._codec = codec
        self._questions = questions
        self._budget = budget
        self._dispatch = dispatch
        self._sending = sending
        self._later = later
        self._is_superseded = is_superseded
        self._asked: dict[str, Tracked] = {}

    def ask(self, order: Tracked) -> None:
        """Have its cancellation leave with all the others of this go."""
        if not self._asked:
            asyncio.get_running_loop().call_soon(self._end_of_go)
        self._asked[order.order_id] = order

    def leave(self) -> None:
        """Send what has been asked for so far. *Raises*: as of *sending*; none has left then."""
        asked, self._asked = self._asked, {}
        if not asked or self._is_superseded():
            return
        leaving: list[tuple[Tracked, Call]] = []
        for order in asked.values():
            call = self._codec.cancel_call(order)
            wait_ns = self._budget.try_take(call.kind, Priority.CANCEL, self._questions.ticks_ns())
            if wait_ns:
                self._later(order, wait_ns / S_NS)
            else:
                leaving.append((order, call))
        if leaving and self._sending is not None:
            self._sending("cancel", [order for order, _ in leaving], None, None)
        for order, call in leaving:
            self._send(order, call)

    def forget(self) -> None:
        """What has not left stays."""
        self._asked.clear()

    def _end_of_go(self) -> None:
        with suppress(FatalError):  # nothing has left, and who keeps the records ends the process
            self.leave()

    def _send(self, order: Tracked, call: Call) -> None:
        frame = None
        request_id = self._dispatch.next_id()
        if request_id:
            frame = self._codec.cancel_frame(order, request_id, self._questions.venue_ms())
        flight = Flight("cancel", order, self._questions.now())
        if frame is None or not self._dispatch.sent(flight, request_id, frame):
            self._dispatch.send_by_rest(flight, call)
