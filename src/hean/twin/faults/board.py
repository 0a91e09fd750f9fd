# SPDX-License-Identifier: Apache-2.0
"""`board.py`: the dials that are set, and who asks them: the server about requests, frames and
connections, the exchange about orders. Chance comes from the twin's seed, a stream of its own for
each dial, so that the same seed and the same requests meet the same faults. Whatever a dial does is
in the ledger (kind `fault`).
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hean.errors import HeanError, ParameterInvalid
from hean.twin.account import Account, Key
from hean.twin.faults.act import (
    REPLY,
    Act,
    FaultServer,
    FaultSession,
    Frame,
    FrameFault,
    RequestFault,
    family_of,
    kinds_of,
)
from hean.twin.faults.asked import Asked, asked_by_message, asked_by_rest
from hean.twin.faults.settings import Setting
from hean.twin.faults.voices import frame_of, reply_of
from hean.twin.orders import Event, NewOrder, Order, OrderEvent, Refused
from hean.twin.venue import TwinVenue
from hean.twin.wire import Reply, Request

NOTES_EACH = 1_000  # a stalled stream would fill the ledger; beyond, every thousandth is recorded
SET_MAX = 1_000  # dials at a time; each is asked for every request

Result = TypeVar("Result")


class Faults:
    """All dials of a twin. *now_s*: of the host, monotonic. *move_clock*: sets how far the
    exchange's clock is off, in ns.
    """

    def __init__(
        self,
        venue: TwinVenue,
        keys: Mapping[str, Key],
        *,
        seed: int,
        now_s: Callable[[], float],
        move_clock: Callable[[int], None],
    ) -> None:
        self.venue = venue
        self.keys = keys
        self.now_s = now_s
        self.acts: list[Act] = []
        self.counts: Counter[str] = Counter()
        """Acts by dial."""
        self.server: FaultServer | None = None
        self.skew_ns = 0
        self._seed = seed
        self._move_clock = move_clock
        self._number = 0
        self._waiting: list[tuple[float, int, Setting]] = []
        self._in: RequestFault | None = None
        self._look: Callable[[bytes], None] | None = None
        venue.listeners.append(self._on_event)
        quirks = venue.quirks
        quirks.before_place = self._before_place
        quirks.before_amend = lambda order: self._each("before_amend", order)
        quirks.before_cancel = lambda order: self._each("before_cancel", order)
        quirks.spares = self._spares
        self._sort()

    # --- setting and turning back

    def set(self, setting: Setting) -> int:
        """Set a dial, now or after its `at_s`. *Returns*: its number.

        *Raises*: `HeanError`, `Refused` if it cannot be; nothing is set then.
        """
        if len(self.acts) + len(self._waiting) >= SET_MAX:
            raise ParameterInvalid(f"{SET_MAX} dials are set; calm some.")
        self._number += 1
        setting.number = self._number
        setting.rng = random.Random(f"{self._seed}/{setting.dial.name}/{self._number}")
        if setting.at_s:
            due_s = self.now_s() + setting.at_s
            heapq.heappush(self._waiting, (due_s, setting.number, setting))
        else:
            self._begin(setting)
        return setting.number

    def calm(self, name: str | None = None) -> int:
        """Turn all dials back, or those of one name. *Returns*: how many."""
        waiting = [row for row in self._waiting if name not in (None, row[2].dial.name)]
        gone = [act for act in self.acts if name in (None, act.setting.dial.name)]
        count = len(gone) + len(self._waiting) - len(waiting)
        self._waiting = waiting
        heapq.heapify(self._waiting)
        for act in gone:
            self._end(act)
        return count

    def tick(self) -> None:
        """Let time do its work."""
        if not self._waiting and not self.acts:
            return
        now_s = self.now_s()
        for act in list(self.acts):  # what is over undoes what it did before another begins
            is_done = act.setting.is_spent and not act.lasts_when_spent
            if act.setting.until_s <= now_s or is_done:
                self._end(act)
        while self._waiting and self._waiting[0][0] <= now_s:
            setting = heapq.heappop(self._waiting)[2]
            try:
                self._begin(setting)
            except (HeanError, Refused) as error:
                self._record(setting, error=str(error))
        for act in list(self.acts):
            act.tick(now_s)

    def documents(self) -> list[dict[str, Any]]:
        """The dials that are set or will be, for JSON."""
        waiting = [{**row[2].document(), "at_s": row[2].at_s} for row in sorted(self._waiting)]
        return [act.setting.document() for act in self.acts] + waiting

    def _begin(self, setting: Setting) -> None:
        act = setting.dial.act(self, setting)
        if setting.for_s is not None:
            setting.until_s = self.now_s() + setting.for_s
        act.begin()
        self.acts.append(act)
        self._sort()

    def _end(self, act: Act) -> None:
        if act in self.acts:
            self.acts.remove(act)
            self._sort()
            act.end()

    def _sort(self) -> None:
        """Who takes part where."""

        def with_own(name: str) -> list[Act]:
            return [a for a in self.acts if getattr(type(a), name) is not getattr(Act, name)]

        self._requests = with_own("request")
        self._frames = with_own("frame")
        self._connects = with_own("connect")
        self._pings = with_own("answers_ping")
        self._placers = [act for act in with_own("before_place") if act.is_standing]

    # --- what the server asks

    def request(self, request: Request) -> RequestFault | None:
        """What shall happen to this request, `None` for nothing."""
        if not self._requests:
            return None
        return self._ask(asked_by_rest(self.venue.exchange, request, self.keys))

    def message(self, session: FaultSession, text: str) -> RequestFault | None:
        """What shall happen to this message of a client, `None` for nothing."""
        if not self._requests:
            return None
        fault = self._ask(asked_by_message(session.path, text, session.account, self.keys))
        if fault is not None:
            fault.session = session
        return fault

    def watch(self, look: Callable[[bytes], None]) -> None:
        """Show an act the answer of the request it was just asked about, though it does nothing."""
        self._look = look

    def _ask(self, asked: Asked) -> RequestFault | None:
        self._look = None
        for act in self._requests:
            if act.fits(asked) and act.setting.takes():
                fault = act.request(asked)
                if fault is None:
                    act.setting.acted -= 1
                    continue
                fault.act, fault.asked = act, asked
                self.note(act, **asked.facts)
                return fault
        look = self._look
        return None if look is None else RequestFault(mangle=lambda data: look(data) or data)

    def answer(self, fault: RequestFault, call: Callable[[], Reply]) -> Reply | None:
        """Have a REST request done as the dial wants it. *Returns*: the answer that leaves, `None`
        if none does.
        """
        reply = self._inside(fault, call) if fault.is_processed else None
        if fault.trouble is not None:
            now_ms = self.venue.now() // 1_000_000
            reply = reply_of(self.venue.exchange, fault.trouble, now_ms)
        if reply is not None and fault.mangle is not None:
            reply.body = fault.mangle(reply.body)
        return reply

    def hear(self, fault: RequestFault, call: Callable[[], None]) -> None:
        """Have a message of a WebSocket done as the dial wants it."""
        if fault.is_processed:
            self._inside(fault, call)
        session, asked = fault.session, fault.asked
        assert session is not None
        assert asked is not None
        if fault.trouble is not None and fault.ending == "answer":
            now_ms = self.venue.now() // 1_000_000
            frame = frame_of(self.venue.exchange, fault.trouble, asked, now_ms)
            session.put(frame if fault.mangle is None else fault.mangle(frame))
        if fault.ending == "reset":
            session.abort()

    def _inside(self, fault: RequestFault, call: Callable[[], Result]) -> Result:
        self._in = fault
        self._set_clock(self.skew_ns - fault.lag_ns)
        try:
            result = call()
        finally:
            self._in = None
            self._set_clock(self.skew_ns)
        if fault.act is not None:
            fault.act.processed(fault)
        return result

    def frame(
        self, session: FaultSession, topic: str, data: bytes, *, is_private: bool = False
    ) -> FrameFault | None:
        """What shall happen to this frame, `None` for nothing."""
        if self._in is not None:
            if topic == REPLY and self._in.session is session:
                return _changed_reply(self._in, data)
            if self._in.is_muted and is_private:
                return FrameFault()
        if not self._frames:
            return None
        family = family_of(topic, data, is_private=is_private)
        frame = Frame(session, topic, data, is_private, family, kinds_of(session.path))
        for act in self._frames:
            if act.fits_frame(frame) and act.takes(frame):
                fault = act.frame(frame)
                if fault is not None:
                    self.note(act, topic=topic, session=session.number)
                    return fault
                act.setting.acted -= 1
        return None

    def connect(self, path: str) -> Reply | None:
        """A refusal of a new WebSocket, `None` to let it in."""
        for act in self._connects:
            which = act.setting.match.get("which", "all")
            if which != "all" and which not in kinds_of(path):
                continue
            refusal = act.connect(path)
            if refusal is not None:
                act.acted(path=path)
                return refusal
        return None

    def answers_ping(self, session: FaultSession) -> bool:
        """Whether a protocol ping of a client is answered."""
        return all(act.answers_ping(session) for act in self._pings)

    # --- what acts ask

    def sessions(self) -> list[FaultSession]:
        """All open sessions, oldest first."""
        return [] if self.server is None else list(self.server.sessions.values())

    def sessions_of(self, which: str) -> list[FaultSession]:
        """Those that carry public, private or trade frames, or all."""
        return [s for s in self.sessions() if which == "all" or which in kinds_of(s.path)]

    def skew(self, offset_ns: int) -> None:
        """Set how far the exchange's clock is off."""
        self.skew_ns = offset_ns
        self._set_clock(offset_ns)

    def note(self, act: Act, **facts: Any) -> None:
        """Record an act."""
        setting = act.setting
        self.counts[setting.dial.name] += 1
        if setting.acted <= NOTES_EACH or setting.acted % NOTES_EACH == 0:
            self._record(setting, **facts)

    def _set_clock(self, offset_ns: int) -> None:
        self.venue.quirks.clock_off_ns = offset_ns
        self._move_clock(offset_ns)

    def _record(self, setting: Setting, **facts: Any) -> None:
        self.venue.ledger.add(
            "fault",
            self.venue.now(),
            dial=setting.dial.name,
            fault_id=setting.number,
            acted=setting.acted,
            **facts,
        )

    # --- what the exchange asks

    def _on_event(self, event: Event) -> None:
        if self._in is not None and isinstance(event, OrderEvent) and event.kind == "new":
            self._in.orders.append(event.order)

    def _before_place(self, account: Account, new: NewOrder) -> None:
        for act in self._placers:
            act.before_place(account, new)
        self._each("before_place", account, new)

    def _each(self, name: str, *what: object) -> None:
        """Ask the act of the request being processed."""
        if self._in is not None and self._in.act is not None:
            getattr(self._in.act, name)(*what)

    def _spares(self, order: Order) -> bool:
        act = None if self._in is None else self._in.act
        return act is not None and act.spares(order)


def _changed_reply(fault: RequestFault, data: bytes) -> FrameFault:
    """What becomes of the answer on a WebSocket."""
    if fault.ending != "answer" or fault.trouble is not None:
        return FrameFault()
    changed = data if fault.mangle is None else fault.mangle(data)
    return FrameFault([(fault.answer_after_s, changed)])
