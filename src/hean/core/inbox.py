# SPDX-License-Identifier: Apache-2.0
"""`inbox.py`: what came over a transport, each message once and in its sender's order. Duplicates
are dropped by (source, seq). What came too early waits for what is missing; if that does not come,
the reader goes on and is told that something is missing.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hean.core.message import Message, unpack
from hean.errors import FieldInvalid

WAIT_NS = 15_000_000_000
"""A sender looks once a second whether the broker lost something, and each of its questions may
take a slow broker seconds before it counts as lost and is asked again."""
WAITING_MAX = 10_000  # messages of one sender that are early; more means that much is lost


class Arrived(msgspec.Struct, frozen=True):
    """A message whose turn it is. *is_cut*: what came before it is not known whole."""

    message: Message
    data: bytes
    is_cut: bool = False


class Inbox:
    """*last*: number of the last message of each source that took effect."""

    def __init__(self, last: Mapping[str, int] | None = None) -> None:
        self.last: dict[str, int] = dict(last or {})
        self.duplicates = self.holes = self.restarts = self.unreadable = 0
        self._waiting: dict[str, dict[int, tuple[Message, bytes]]] = {}
        self._since_ns: dict[str, int] = {}

    def take(self, data: bytes, now_ns: int) -> list[Arrived]:
        """One message off the transport; *now_ns*: of a clock that goes on while the transport is
        listened to. *Returns*: what is to be handled now, in order.
        """
        try:
            message = unpack(data)
        except FieldInvalid:
            self.unreadable += 1
            return []
        source = message.source
        last = self.last.get(source, 0)
        if message.seq <= last:
            self.duplicates += 1
            return self._overdue(source, now_ns)
        if message.prev > last > 0:
            waiting = self._waiting.setdefault(source, {})
            waiting[message.prev] = message, data
            self._since_ns.setdefault(source, now_ns)
            return self._overdue(source, now_ns)
        is_cut = message.prev != last
        self.restarts += is_cut and message.prev == 0
        self.holes += is_cut and last == 0
        return self._from(message, data, now_ns, is_cut=is_cut)

    def overdue(self, now_ns: int) -> list[Arrived]:
        """What has waited too long for what is missing."""
        return [each for source in list(self._waiting) for each in self._overdue(source, now_ns)]

    def _overdue(self, source: str, now_ns: int) -> list[Arrived]:
        waiting = self._waiting.get(source)
        if not waiting:
            return []
        is_patient = now_ns - self._since_ns[source] < WAIT_NS and len(waiting) < WAITING_MAX
        if is_patient:
            return []
        self.holes += 1
        message, data = waiting.pop(min(waiting))
        return self._from(message, data, now_ns, is_cut=True)

    def _from(self, message: Message, data: bytes, now_ns: int, *, is_cut: bool) -> list[Arrived]:
        """This message and those that waited for it."""
        source = message.source
        waiting = self._waiting.get(source, {})
        found = [Arrived(message, data, is_cut)]
        while (after := waiting.pop(message.seq, None)) is not None:
            message, data = after
            found.append(Arrived(message, data))
        self.last[source] = message.seq
        for prev in [prev for prev in waiting if waiting[prev][0].seq <= message.seq]:
            self.duplicates += 1
            del waiting[prev]
        self._since_ns.pop(source, None)
        if waiting:  # for something else, from now on
            self._since_ns[source] = now_ns
        return found
