# SPDX-License-Identifier: Apache-2.0
"""`manners.py`: what a venue may expect of us, counted by what really left: silence while it has
asked for silence, no more orders in a second than it allows, no more connects in five minutes than
we allow ourselves, and nothing at all from a process that has seen that another one is in charge.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from hean.sim.books import epoch_of
from hean.sim.process import Process
from hean.twin.faults.asked import Asked

Require = Callable[[str, bool, Callable[[], str]], None]

ORDERS_MAX = {
    ("bybit", "linear"): (10, 1.0),
    ("bybit", "spot"): (20, 1.0),
    ("bybit", "spot+linear"): (30, 1.0),
    ("binance", "linear"): (300, 10.0),
    ("binance", "spot"): (100, 10.0),
}
"""New orders in so many seconds, by the venues' documents."""
CONNECTS_MAX, CONNECTS_S = 20, 300.0  # RELIABILITY 2.4, far below what venues allow
BYBIT_BAN_S = 600.0
ROUNDING_S = 1e-9  # processes reckon in whole nanoseconds, the world in floats
BINANCE_BAN_S, BINANCE_MINUTE_S = 120.0, 60.0  # where it does not say: a ban, too many


class Manners:
    """Of all processes of one run. *require*: checks a promise; *scale*: of the venue's limits."""

    def __init__(
        self,
        venue: str,
        market: str,
        *,
        scale: float,
        time_s: Callable[[], float],
        require: Require,
    ) -> None:
        self._venue = venue
        count, self._span_s = ORDERS_MAX[venue, market]
        self._count = int(count * scale)
        self._time_s = time_s
        self._require = require
        self._silent_until_s: dict[int, float] = {}
        self._orders: dict[int, deque[float]] = {}
        self._connects: dict[int, deque[float]] = {}
        self._successor = b""
        self._superseded: dict[int, float] = {}

    def successor(self, client_id: str) -> None:
        """An order of a later epoch than ours is at the venue."""
        self._successor = client_id.encode()

    def heard(self, process: Process, payload: bytes) -> None:
        """Bytes reached a process."""
        if self._successor and self._successor in payload:
            self._superseded.setdefault(process.number, self._time_s())

    def answered(self, process: Process, status: int, headers: Mapping[str, str]) -> None:
        """The status of an answer reached a process."""
        silence_s = 0.0
        if self._venue == "bybit" and status == 403:
            silence_s = BYBIT_BAN_S
        elif self._venue == "binance" and status in (418, 429):
            told = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
            untold_s = BINANCE_BAN_S if status == 418 else BINANCE_MINUTE_S
            silence_s = float(told) if told.isdigit() else untold_s
        if silence_s:
            until_s = self._time_s() + silence_s
            before_s = self._silent_until_s.get(process.number, 0.0)
            self._silent_until_s[process.number] = max(before_s, until_s)

    def connects(self, process: Process) -> None:
        """A WebSocket is about to be opened."""
        times = self._connects.setdefault(process.number, deque())
        times.append(self._time_s())
        count = self._recent(times)
        self._require(
            "I-16",
            count <= CONNECTS_MAX,
            lambda: f"{count} connects in {CONNECTS_S:g} s, {CONNECTS_MAX} are allowed",
        )

    def must_wait(self, process: Process) -> bool:
        """Whether it has used up its connects for now."""
        times = self._connects.get(process.number)
        return times is not None and self._recent(times) >= CONNECTS_MAX

    def _recent(self, times: deque[float]) -> int:
        """How many of these count still."""
        first_s = self._time_s() - CONNECTS_S + ROUNDING_S
        while times and times[0] <= first_s:
            times.popleft()
        return len(times)

    def leaves(self, process: Process, asked: Asked) -> None:
        """A request is about to leave."""
        now_s, number = self._time_s(), process.number
        until_s = self._silent_until_s.get(number, 0.0)
        self._require(
            "I-16",
            asked.channel != "rest" or now_s >= until_s - ROUNDING_S,
            lambda: f"{asked.path} left {until_s - now_s:.1f} s before the end of a ban",
        )
        if asked.op not in ("create", "stop"):
            return
        orders = self._orders.setdefault(number, deque())
        orders.append(now_s)
        while orders[0] <= now_s - self._span_s:
            orders.popleft()
        self._require(
            "I-16",
            len(orders) <= self._count,
            lambda: f"{len(orders)} new orders in {self._span_s:g} s, {self._count} are allowed",
        )
        seen_s = self._superseded.get(number)
        if seen_s is not None and now_s > seen_s and asked.client_ids:
            own = epoch_of(asked.client_ids[0])
            self._require(
                "I-17",
                own >= epoch_of(self._successor.decode()),
                lambda: f"{asked.client_ids[0]} left after {self._successor.decode()} was seen",
            )
