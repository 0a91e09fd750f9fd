# SPDX-License-Identifier: Apache-2.0
"""`outbox.py`: what a process has to say to others, kept until every reader has confirmed it. It
sends nothing itself; `bridge.py` does, and asks here again for what a broker has lost.

While readers or the broker lag, the delivery class decides (core/vocabulary.py): of class B the
newest of each key is kept, class D is dropped, in-order data is kept up to the bound and then
forgotten from its old end, which readers see as a hole. Class A is never let go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from hean.core.message import Derived, pack
from hean.core.types import PAYLOADS, Delivery, EventType, Payload

KEPT_MAX = 100_000  # messages: minutes of a busy market, some tens of megabytes
CROWDED_FRACTION = 0.2  # above it only what is asked for in order is added one by one

Said = tuple[int, bytes]
"""Number and bytes of a message."""


class Outbox:
    """*source*: name of this process. *start*: numbers begin above it; give the time in ns, so that
    a later life counts on from higher numbers, or the number of the last message of recorded input.
    *is_resumed*: the first message follows message *start*, instead of beginning anew.
    """

    def __init__(
        self, source: str, start: int, *, is_resumed: bool = False, kept_max: int = KEPT_MAX
    ) -> None:
        self.source = source
        self.kept_max = kept_max
        self.merged = self.dropped = 0
        """Class B facts replaced, and facts of other classes let go, because readers lag."""
        self.last = start
        """Number of the newest message."""
        self._prev = start if is_resumed else 0
        self._kept: deque[tuple[int, bytes, bool]] = deque()
        self._unsent: deque[Said] = deque()
        self._newest: dict[tuple[EventType, str], tuple[int, Payload]] = {}

    def __len__(self) -> int:
        """Messages that somebody has not confirmed."""
        return len(self._kept)

    @property
    def is_crowded(self) -> bool:
        """Whether whoever can wait should."""
        return len(self._kept) >= self.kept_max * CROWDED_FRACTION

    def say(
        self, ts_ns: int, facts: Sequence[Payload], *, is_last: bool = False,
        made: Sequence[Derived] = (),
    ) -> None:  # fmt: skip
        """Number the facts of one moment and keep them. *made*: what was derived of them."""
        if self.is_crowded:
            facts = [fact for fact in facts if not self._put_off(ts_ns, fact)]
            if not (facts or made or is_last):
                return
        elif self._newest:
            newest, self._newest = self._newest, {}
            for at_ns, fact in newest.values():
                self._number(at_ns, [fact])
        self._number(ts_ns, facts, is_last=is_last, made=made)
        if len(self._kept) > self.kept_max:
            self._forget()

    def answer(
        self, seq: int, ts_ns: int, as_of: int, made: Sequence[Derived], *, is_last: bool = False
    ) -> None:
        """Say as message *seq* what was made of the feed's message *as_of*."""
        self._keep(seq, ts_ns, (), is_last=is_last, as_of=as_of, made=made)
        if len(self._kept) > self.kept_max:
            self._forget()

    def pass_over(self, seq: int) -> None:
        """Every reader has message *seq* of an earlier life; the next one follows it."""
        self.last = self._prev = seq

    def unsent(self, limit: int) -> list[Said]:
        """Up to *limit* messages that are to be sent next."""
        count = min(limit, len(self._unsent))
        return [self._unsent[place] for place in range(count)]

    def sent(self, seq: int) -> None:
        """The broker has everything up to *seq*."""
        while self._unsent and self._unsent[0][0] <= seq:
            self._unsent.popleft()

    def confirmed(self, seq: int) -> None:
        """Every reader has handled everything up to *seq*."""
        while self._kept and self._kept[0][0] <= seq:
            self._kept.popleft()
        self.sent(seq)

    def resend_after(self, seq: int) -> None:
        """The broker has nothing of ours after *seq*, or needs nothing before: go on from there."""
        self._unsent = deque([(number, data) for number, data, _ in self._kept if number > seq])

    def _number(self, ts_ns: int, facts: Sequence[Payload], **more: Any) -> None:
        self._keep(self.last + 1, ts_ns, facts, **more)

    def _keep(
        self, seq: int, ts_ns: int, facts: Sequence[Payload], *, is_last: bool = False,
        as_of: int = 0, made: Sequence[Derived] = (),
    ) -> None:  # fmt: skip
        data = pack(
            self.source, seq, self._prev, ts_ns, facts, is_last=is_last, as_of=as_of, made=made
        )
        kinds = [*(each.event_type for each in facts), *(each.fact[0] for each in made)]
        is_kept = any(PAYLOADS[kind].delivery is Delivery.NEVER_DROPPED for kind in kinds)
        may_go = not (is_last or is_kept)
        self._kept.append((seq, data, may_go))
        self._unsent.append((seq, data))
        self.last = self._prev = seq

    def _put_off(self, ts_ns: int, fact: Payload) -> bool:
        """Whether a fact is not to be said now that readers lag."""
        match fact.delivery:
            case Delivery.NEWEST_PER_KEY:
                key = fact.event_type, fact.key_value()
                self.merged += self._newest.pop(key, None) is not None
                self._newest[key] = ts_ns, fact
                return True
            case Delivery.DROPPABLE:
                self.dropped += 1
                return True
        return False

    def _forget(self) -> None:
        """Let the older half go, but what may never be dropped: seldom and at once, so that lasting
        lag costs little and leaves one hole instead of many."""
        half = len(self._kept) // 2
        old = [self._kept.popleft() for _ in range(half)]
        stays = [each for each in old if not each[2]]
        self.dropped += half - len(stays)
        gone = {seq for seq, _, may_go in old if may_go}
        self._kept.extendleft(reversed(stays))
        self._unsent = deque([each for each in self._unsent if each[0] not in gone])
