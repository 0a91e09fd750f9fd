# SPDX-License-Identifier: Apache-2.0
"""`resolution.py`: what follows from orders that do not go the plain way: whose answer is missing,
that the venue shows in a word nobody knows, that it does not find for a cancel, that turn up after
all, that nobody here has sent. Nothing is concluded from silence: it is looked for (`search.py`),
and what cannot be decided stops new orders in its symbol until it is. A cancel that was wanted is
sent as soon as its order is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hean.core.types import Command, Payload
from hean.venues.amending import Amendments
from hean.venues.codec import Codec
from hean.venues.dispatch import Run
from hean.venues.halts import Halts
from hean.venues.naming import Naming
from hean.venues.questions import Questions
from hean.venues.reports import Execution, OrderReport, Tracked
from hean.venues.search import Patience, PositionProblem, Search
from hean.venues.strangers import Strangers
from hean.venues.tracking import OrderTracker
from hean.venues.untold import Untold

CANCEL_AGAIN_S = 0.5  # after a cancel that did not leave, or that did not find its order
CANCEL_AGAIN_MAX_S = 30.0  # it doubles up to that
MS_NS = 1_000_000


class Resolution:
    """Owns the table of orders and watches it (`Watch`). *cancel*: asks for a cancellation; *emit*:
    takes facts and what is asked of the kill switch; *first_ns*: as of `Untold`; the rest as of
    `Gateway`.
    """

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        halts: Halts,
        run: Run,
        *,
        symbols: tuple[str, ...],
        emit: Callable[[Payload], None],
        cancel: Callable[[Tracked], None],
        unbroken: Callable[[], int],
        first_ns: Callable[[], int],
        remembers: Callable[[str], bool],
        position_problem: PositionProblem | None,
        patience: Patience,
    ) -> None:
        self.strangers = Strangers(codec.name, remembers=remembers, emit=emit)
        self.tracker = OrderTracker(emit, self)
        self.naming = Naming(codec, questions, self.tracker)
        self._search = Search(
            codec,
            questions,
            self.tracker,
            self.naming,
            run,
            symbols=symbols,
            unbroken=unbroken,
            emit=emit,
            on_over=self._over,
            on_quarantine=self._quarantined,
            position_problem=position_problem,
            patience=patience,
        )
        self._untold = Untold(
            codec, questions, self.tracker, self.naming, halts, run, first_ns=first_ns, emit=emit
        )
        self.amendments = Amendments(
            codec, questions, self.tracker, run, look_for=self.look_for, patience=patience
        )
        self._name = codec.name
        self._questions = questions
        self._halts = halts
        self._run = run
        self._emit = emit
        self._cancel = cancel
        self._cancels_due: set[str] = set()

    # ------------------------------------------------------------ asked by the gateway

    def look_for(self, order: Tracked) -> None:
        """Find out what became of it."""
        self._search.look_for(order)

    def not_found(self, order: Tracked) -> None:
        """A cancel did not find it: filled, cancelled, not there yet, or forgotten.
        That is a question, not an answer.
        """
        order.cancels_missed += 1
        self._search.look_for(order)

    def cancel_later(self, order: Tracked, delay_s: float = CANCEL_AGAIN_S) -> None:
        """Ask for its cancellation again in a moment."""

        async def again() -> None:
            await asyncio.sleep(delay_s)
            self._cancels_due.discard(order.order_id)
            if not order.is_over:
                self._cancel(order)

        if order.order_id not in self._cancels_due:
            self._cancels_due.add(order.order_id)
            self._run(again(), f"{self._name} cancels again")

    def cancel_refused(self, order: Tracked) -> None:
        """The venue refused a cancel for a reason that is not the order's, such as its clock: it is
        still wanted, and asked for again, ever more slowly.
        """
        order.cancels_missed += 1
        self.cancel_later(order, _pause_s(order))

    def why_held(self, order: Tracked) -> str:
        """Why nobody knows what became of it; empty when it is not in quarantine."""
        return self._halts.sentence(_quarantine(order), order.symbol)

    def decided(self, order: Tracked) -> None:
        """A person has said what became of it: nothing is stopped because of it any more."""
        self._halts.lift(_quarantine(order), order.symbol)

    # ------------------------------------------------------------ told by the table (`Watch`)

    def strange(self, report: OrderReport) -> None:
        """The venue uses a word nobody here knows: a person has to look."""
        sentence = (
            f"{report.symbol}: order {report.client_order_id or report.exchange_order_id} has the "
            f"unknown status {report.word!r}; look at the venue, then update HEAN."
        )
        self._halts.add("unknown word", sentence, report.symbol)
        order = self.tracker.get(report.client_order_id)
        if order is not None:
            self._search.quarantine(order, f"the venue calls it {report.word!r}")

    def stranger(self, seen: OrderReport | Execution) -> None:
        """Something that is not under way here."""
        self.strangers.met(seen)

    def disputed(self, order: Tracked, why: str) -> None:
        """Another order bears its id. Ours cannot be told from it; a restart makes other ids."""
        self._search.quarantine(order, f"{why}; start HEAN anew, its ids are then others")

    def turned_up(self, order: Tracked, ts_ns: int) -> None:
        """Limits were open to it while it did not count: somebody has to look why."""
        if order.closed_ns:
            self._still_there(order)
            return
        now_ms, sent_ms = self._questions.venue_ms(), order.left_ms or order.opened_ns // MS_NS
        reason = (
            f"order {order.order_id} ({order.symbol}, {self._name}) was declared absent and turned "
            f"up {now_ms - sent_ms} ms after it was sent (venue's time of it: "
            f"{ts_ns // MS_NS - sent_ms} ms after): the venue breaks what is assumed of it. It is "
            "adopted; look why before the halt is released."
        )
        self._emit(Command("kill", {"level": "HALT_NEW", "reason": reason}, self._name))

    def untold(self, order: Tracked) -> None:
        """Pieces of it are missing that the venue counts."""
        self._untold.miss(order)

    def _still_there(self, order: Tracked) -> None:
        """A person had said that it had ended. It cannot be counted again, so it is made true."""
        reason = (
            f"order {order.order_id} ({order.symbol}, {self._name}) had ended, as a person said, "
            "and is at the venue after all. It is cancelled, what it trades is counted; look at "
            "the account before the halt is released."
        )
        self._emit(Command("kill", {"level": "HALT_NEW", "reason": reason}, self._name))
        order.is_cancel_wanted = True
        self.cancel_later(order)

    # ------------------------------------------------------------ told by the search

    def _quarantined(self, order: Tracked, sentence: str) -> None:
        self._halts.add(_quarantine(order), sentence, order.symbol)

    def _over(self, order: Tracked) -> None:
        """Found, ended or absent."""
        self._halts.lift(_quarantine(order), order.symbol)
        if order.is_cancel_wanted and not order.is_over:
            if order.cancels_missed:
                self.cancel_later(order, _pause_s(order))
            else:
                self._cancel(order)


def _quarantine(order: Tracked) -> str:
    return f"quarantine of {order.order_id}"


def _pause_s(order: Tracked) -> float:
    return min(CANCEL_AGAIN_S * 2.0 ** min(order.cancels_missed, 10), CANCEL_AGAIN_MAX_S)
