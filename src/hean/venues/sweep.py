# SPDX-License-Identifier: Apache-2.0
"""`sweep.py`: taking back every open order until the venue itself shows that there is none left.
What an answer says is not believed; only complete lists are, two in a row, and then a while without
late arrivals. Where nothing has to stay the venue's own cancel-all is used, everything else goes
one by one. Protective stops stay, and so do other people's orders unless they are meant as well. A
refusal, a rate limit or a lost answer only makes it look again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from hean.core.types import Health, Payload
from hean.errors import HeanError
from hean.net.budget import Priority
from hean.net.http import CONNECTIONS_MAX
from hean.venues.codec import Codec
from hean.venues.dispatch import S_NS, Run, Sending
from hean.venues.questions import Questions
from hean.venues.reports import Call, OrderReport, Tracked
from hean.venues.signing import BYBIT_WINDOW_MS
from hean.venues.strangers import Kind, kind_of
from hean.venues.tracking import OrderTracker

EMPTY_LISTS = 2  # one may have been made before the last order arrived
WATCH_S = 2 * BYBIT_WINDOW_MS / 1_000  # as long as an order that left may still be accepted, twice
PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 4.0)  # between two lists; Binance counts a list as 80
# requests of 2,400 a minute, and the cancels need some of them
PATIENCE_S = 2.0  # for a cancel that is under way, before another one is sent
COMPONENT = "sweep"


class Sweep:
    """Sweeps one account. *cancel*: asks for the cancellation of one of our orders; *keeps*:
    whether an order of ours protects a position and stays; *epoch*: of this process, an older one's
    orders are ours as well; *sending*: as of `Gateway`; *emit*: is told of every change.
    """

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        tracker: OrderTracker,
        run: Run,
        *,
        cancel: Callable[[str], None],
        keeps: Callable[[str], bool],
        emit: Callable[[Payload], None],
        epoch: int | None = None,
        sending: Sending | None = None,
    ) -> None:
        self._codec = codec
        self._questions = questions
        self._tracker = tracker
        self._run = run
        self._cancel = cancel
        self._keeps = keeps
        self._emit = emit
        self._epoch = epoch
        self._sending = sending
        self._task: asyncio.Task[None] | None = None
        self._takes_all = False
        self._is_whole_asked = False
        self._asked_s: dict[str, float] = {}
        self.lists = 0
        """Complete lists read since the last start."""
        self.is_empty = False
        """Whether two complete lists in a row have shown nothing that is to go."""

    @property
    def is_running(self) -> bool:
        """Whether it looks for late arrivals, at least."""
        return self._task is not None and not self._task.done()

    def start(self, *, takes_all: bool = False) -> None:
        """Begin, or begin anew. *takes_all*: other people's orders as well."""
        self.stop()
        self._takes_all, self._is_whole_asked = takes_all, False
        self._asked_s.clear()
        self._say(is_empty=False, left=0)
        self.lists = 0
        self._task = self._run(self._sweep(), f"{self._codec.name} sweeps")

    def stop(self) -> None:
        """Leave everything as it is."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    # ------------------------------------------------------------ inside

    async def _sweep(self) -> None:
        for order in self._tracker.open_orders():  # also those the venue does not show yet
            if not order.is_cancel_wanted and not self._keeps(order.order_id):
                self._cancel(order.order_id)
        loop = asyncio.get_running_loop()
        empty, quiet_since_s, pauses_s = 0, loop.time(), chain(PAUSES_S, repeat(PAUSES_S[-1]))
        while empty < EMPTY_LISTS or loop.time() - quiet_since_s < WATCH_S:
            listed = await self._list()
            if listed is None:
                empty = 0
            elif doomed := [report for report in listed if self._is_to_go(report)]:
                empty = 0
                self._say(is_empty=False, left=len(doomed))
                await self._take_back(doomed, nothing_stays=len(doomed) == len(listed))
            else:
                empty += 1
                quiet_since_s = loop.time() if empty == 1 else quiet_since_s
                if empty == EMPTY_LISTS:
                    self._say(is_empty=True, left=0)
            await asyncio.sleep(next(pauses_s))

    async def _list(self) -> tuple[OrderReport, ...] | None:
        """All open orders; `None` unless the list is complete."""
        try:
            listing = await self._codec.open_orders(self._ask)
        except HeanError:
            return None
        if not listing.is_complete:
            return None
        self.lists += 1
        return listing.rows

    def _is_to_go(self, report: OrderReport) -> bool:
        client_id = report.client_order_id
        is_ours = self._tracker.get(client_id) is not None or kind_of(client_id, self._epoch) in (
            Kind.OWN,
            Kind.OLDER,
        )
        if is_ours:
            return not self._keeps(client_id)
        is_anothers = kind_of(client_id, self._epoch) is Kind.NEWER
        return self._takes_all and not is_anothers

    async def _take_back(self, doomed: list[OrderReport], *, nothing_stays: bool) -> None:
        """Ask the venue, once whole if it may be, then one by one. What is under way already is
        given its time.
        """
        kept = [each for each in self._tracker.open_orders() if self._keeps(each.order_id)]
        if nothing_stays and not kept and len(doomed) > 1 and not self._is_whole_asked:
            self._is_whole_asked = True
            self._tell_sending(doomed)
            symbols = sorted({report.symbol for report in doomed})
            for call in self._codec.cancel_all(symbols):
                await self._ask_quietly(call)
            self._asked_s.update(dict.fromkeys((r.exchange_order_id for r in doomed), 0.0))
            return
        due = [report for report in doomed if self._is_due(report)]
        for first in range(0, len(due), CONNECTIONS_MAX):
            part = due[first : first + CONNECTIONS_MAX]
            self._tell_sending(part)
            calls = [self._codec.cancel_listed(report) for report in part]
            await asyncio.gather(*map(self._ask_quietly, calls))

    def _is_due(self, report: OrderReport) -> bool:
        """Whether to cancel it from here, now; asked again after a while."""
        now_s = asyncio.get_running_loop().time()
        asked_s = self._asked_s.get(report.exchange_order_id)
        order = self._tracker.get(report.client_order_id)
        if asked_s is None and order is not None and order.is_cancel_wanted:
            asked_s = order.cancelled_ns / S_NS
        if asked_s is not None and now_s - asked_s < PATIENCE_S:
            return False
        self._asked_s[report.exchange_order_id] = now_s
        return True

    def _tell_sending(self, reports: list[OrderReport]) -> None:
        if self._sending is not None and reports:
            self._sending("cancel", [self._order_of(report) for report in reports], None, None)

    def _order_of(self, report: OrderReport) -> Tracked:
        return self._tracker.get(report.client_order_id) or Tracked(
            report.client_order_id or f"venue-{report.exchange_order_id}",
            report.symbol,
            report.side,  # type: ignore[arg-type]  # a stranger's; nobody reads it
            report.quantity,
            None,
            "",
            report.is_conditional,
            False,
            0,
        )

    async def _ask(self, call: Call) -> Any:
        return await self._questions.ask(replace(call, priority=Priority.CANCEL))

    async def _ask_quietly(self, call: Call) -> None:
        """Whatever the answer says, the next list tells more."""
        try:
            await self._ask(call)
        except HeanError:
            return

    def _say(self, *, is_empty: bool, left: int) -> None:
        self.is_empty = is_empty
        state = "EMPTY" if is_empty else "SWEEPING"
        self._emit(Health(f"{self._codec.name} {COMPONENT}", state, self.lists, {"left": left}))
