# SPDX-License-Identifier: Apache-2.0
"""`budget.py`: how many requests a venue still allows, for everybody who asks it from here. One
`Budget` belongs to one account and address; whoever wants to send takes from it first. What is
scarce goes to the urgent: cancels have a share that nobody else may touch, then come reductions,
questions and new orders. It counts itself and believes the venue when that has counted more. It
never sleeps and sends nothing: it answers how long to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

SLOTS = 20  # parts of a window counted apart: an error of 5 % of it, and a bounded memory
CANCEL_SHARE_PERCENT = 30  # of every limit that cancels draw on too


class Priority(IntEnum):
    """Why a request is sent; the value is the percentage of a limit it may fill."""

    CANCEL = 100
    REDUCE = 100 - CANCEL_SHARE_PERCENT
    QUERY = 65
    NEW = 60


_CANCEL = Priority.CANCEL  # Python looks a member up slowly


@dataclass(frozen=True, slots=True)
class Limit:
    """So many units in a window. *has_cancels*: whether cancels use it up as well; a limit of the
    venue for other requests alone needs no share for them."""

    name: str
    count: int
    window_ns: int
    has_cancels: bool = True


class Budget:
    """All limits of one account and address.

    *limits*: what the venue's documents say; headers correct it. *costs*: for each kind of
    request the units it takes of which limits.
    """

    def __init__(self, limits: Iterable[Limit], costs: Mapping[str, Mapping[str, int]]) -> None:
        self._meters = {limit.name: _Meter(limit) for limit in limits}
        self._costs = {
            kind: tuple((self._meters[name], units) for name, units in taken.items() if units)
            for kind, taken in costs.items()
        }
        self._held_until_ns = 0
        self._banned_until_ns = 0
        self._key_until_ns = 0

    def try_take(
        self, kind: str, priority: Priority, now_ns: int, *, is_signed: bool = True
    ) -> int:
        """Take what one request costs. *Returns*: 0 when it may be sent now; otherwise how many
        nanoseconds to wait before asking again, and nothing is taken.
        """
        is_cancel = priority is _CANCEL
        wait_ns = (self._banned_until_ns if is_cancel else self._held_until_ns) - now_ns
        if is_signed and self._key_until_ns - now_ns > wait_ns:
            wait_ns = self._key_until_ns - now_ns
        costs = self._costs[kind]
        for meter, units in costs:
            if meter.units + units > meter.allowed[priority]:
                wait_ns = max(wait_ns, meter.wait_ns(units, priority, now_ns))
        if wait_ns > 0:
            return wait_ns
        for meter, units in costs:
            meter.add(units, now_ns)
        return 0

    def left(self, kind: str, taken_ns: int, now_ns: int) -> None:
        """What was taken then leaves only now, and the venue counts it from now on."""
        for meter, units in self._costs[kind]:
            meter.move(units, taken_ns, now_ns)

    def observe(self, name: str, now_ns: int, *, used: int, count: int | None = None) -> None:
        """The venue's own figures for a limit, from the headers of an answer. The larger use is
        believed: the venue knows of other programs, HEAN of what is still on its way. A name that
        is not budgeted here is ignored.
        """
        meter = self._meters.get(name)
        if meter is None:
            return
        if count is not None and count > 0 and count != meter.count:
            meter.set_count(count)
        missing = used - meter.used(now_ns)
        if missing > 0:
            meter.add(missing, now_ns)

    def hold(self, until_ns: int, *, is_ban: bool) -> None:
        """The venue wants silence until then. Cancels may pass unless it *is_ban*."""
        self._held_until_ns = max(self._held_until_ns, until_ns)
        if is_ban:
            self._banned_until_ns = max(self._banned_until_ns, until_ns)

    def pause_key(self, until_ns: int) -> None:
        """The venue refuses the key: nothing signed is sent until then."""
        self._key_until_ns = max(self._key_until_ns, until_ns)

    def forgive_key(self) -> None:
        """Another key is used from now on."""
        self._key_until_ns = 0

    def silent_ns(self, now_ns: int, *, is_signed: bool = True) -> int:
        """For how long nothing at all may be sent, of what *is_signed* or not; 0 if it may."""
        until_ns = self._banned_until_ns
        if is_signed and self._key_until_ns > until_ns:
            until_ns = self._key_until_ns
        return max(0, until_ns - now_ns)

    def headroom_fraction(self, now_ns: int) -> float:
        """What is left of the scarcest limit: 1 unused, 0 exhausted or held."""
        if now_ns < max(self._held_until_ns, self._key_until_ns):
            return 0.0
        shares = [meter.used(now_ns) / meter.count for meter in self._meters.values()]
        return max(0.0, 1.0 - max(shares, default=0.0))


class _Meter:
    """Units used in a sliding window, in slots. A slot is forgotten only when all of it is out of
    the window, so the count is never too low. *units*: the count as of the last look; *allowed*:
    by priority, how far it may be filled.
    """

    __slots__ = (
        "_end_ns",
        "_has_cancels",
        "_slot",
        "_slot_ns",
        "_slots",
        "_window_ns",
        "allowed",
        "count",
        "units",
    )

    def __init__(self, limit: Limit) -> None:
        self.units = 0
        self._window_ns = limit.window_ns
        self._slot_ns = max(1, limit.window_ns // SLOTS)
        self._has_cancels = limit.has_cancels
        self._slots: deque[list[int]] = deque()  # [first ns after the slot, units]
        self._slot = [0, 0]  # the last of them
        self._end_ns = 0  # of the last
        self.set_count(limit.count)

    def set_count(self, count: int) -> None:
        """So many units in the window from now on."""
        self.count = count
        share = 100 if self._has_cancels else int(Priority.REDUCE)
        self.allowed = [min(100, each * 100 // share) * count // 100 for each in range(101)]

    def used(self, now_ns: int) -> int:
        """Units that still count."""
        slots = self._slots
        while slots and slots[0][0] + self._window_ns <= now_ns:
            self.units -= slots.popleft()[1]
        if not slots:
            self._end_ns = 0  # or a clock that was set back would count in a forgotten slot
        return self.units

    def wait_ns(self, units: int, priority: Priority, now_ns: int) -> int:
        """How long until *units* fit below what the priority may fill; a request larger than that
        waits until nothing else counts.
        """
        excess = self.used(now_ns) + units - max(units, self.allowed[priority])
        if excess <= 0:
            return 0
        for end_ns, freed in self._slots:
            excess -= freed
            if excess <= 0:
                return end_ns + self._window_ns - now_ns
        return self._window_ns

    def move(self, units: int, from_ns: int, now_ns: int) -> None:
        """Count from now on what was counted then, if that has not been forgotten."""
        end_ns = (from_ns // self._slot_ns + 1) * self._slot_ns
        if now_ns < end_ns:
            return  # within one slot
        self.used(now_ns)
        for slot in self._slots:
            if slot[0] == end_ns:
                slot[1] -= units
                self.units -= units
        self.add(units, now_ns)

    def add(self, units: int, now_ns: int) -> None:
        """Count what is sent."""
        if now_ns >= self._end_ns:
            self.used(now_ns)
            self._end_ns = (now_ns // self._slot_ns + 1) * self._slot_ns
            self._slot = [self._end_ns, 0]
            self._slots.append(self._slot)
        self._slot[1] += units
        self.units += units


def busy(wait_ns: int) -> str:
    """What somebody is told who may not send for so long."""
    return f"the venue's rate limit is used up for {wait_ns / 1e9:.2f} s; decide anew then."
