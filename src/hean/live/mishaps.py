# SPDX-License-Identifier: Apache-2.0
"""`mishaps.py`: what goes wrong inside a trading process, and what follows. A strategy that raises
or does not return is heard no more; its protective orders stay. A part that keeps the truth and
raises, a loop that stood still and a disk that fills up stop everything new. Nothing here is
repaired.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hean.core.handling import Handling
from hean.core.types import CancelRequest, Command, Error, Event, Payload
from hean.live.stall import ACTOR, HALT_S
from hean.risk.killswitch import KillSwitch
from hean.system import TradingSystem

FREE_BYTES_MIN = 1 << 30  # RELIABILITY 2.5; below it cancels and stops must still be written
COMPONENT = "live"


class Mishaps:
    """*now*: UTC nanoseconds, of the bus; *free_bytes*: of the disk that *folder* is on."""

    def __init__(
        self,
        system: TradingSystem,
        killswitch: KillSwitch,
        *,
        now: Callable[[], int],
        free_bytes: Callable[[Path], int],
        folder: Path,
    ) -> None:
        self.is_disabled = False
        """Whether the strategy is heard no more."""
        self._system = system
        self._killswitch = killswitch
        self._emit: Callable[[Payload], None] = system.bus.emit
        self._now = now
        self._free_bytes = free_bytes
        self._folder = folder
        self._is_full = False

    def handler_failed(self, component: str, error: Exception, event: Event) -> None:
        """A handler raised; the bus goes on and tells it as an ERROR."""
        if component == self._system.strategy.name:
            self.disable(f"it raised {type(error).__name__} at event {event.seq}")

    def truth_failed(self, component: str, error: Exception, event: Event) -> None:
        """Nothing new until somebody has looked."""
        reason = f"{component} failed at event {event.seq}: {type(error).__name__}: {error}"
        self._stop(reason, "auto:failure")

    def stalled(self, seconds: float, at_work: Handling | None) -> None:
        """The loop stood still and turns again."""
        name = at_work.name if at_work else "something outside the handlers"
        text = f"SLOW: the event loop stood still for {seconds:.1f} s in {name}"
        self._emit(Error(COMPONENT, text, self._now()))
        if seconds >= HALT_S:
            self._stop(text, ACTOR)
            if at_work is not None and at_work.owner is self._system.strategy:
                self.disable(text)

    def disable(self, why: str) -> None:
        """Hear the strategy no more, and take back what it has open but for its protection."""
        if self.is_disabled:
            return
        self.is_disabled = True
        strategy = self._system.strategy
        self._system.remove(strategy)
        for order in self._system.engine.open_orders():
            order_id = order["client_order_id"]
            if order["strategy_id"] == strategy.name and not self._killswitch.keeps(order_id):
                self._emit(CancelRequest(order_id, order["symbol"], "its strategy was disabled"))
        text = f"strategy {strategy.name} is disabled: {why}; protective orders stay"
        self._emit(Error(COMPONENT, text, self._now()))

    def look_at_disk(self) -> None:
        """Stop before the disk is full: a person has to make room, then to release. Likewise where
        the folder has vanished: a journal that nobody finds again is none.
        """
        try:
            free = self._free_bytes(self._folder)
            room = f"has {free >> 20} MiB left, {FREE_BYTES_MIN >> 20} are needed; make room"
            why = f"{self._folder} {room}, then release"
        except OSError as error:
            free, gone = 0, f"cannot be looked at ({error.strerror or error})"
            why = f"{self._folder} {gone}; end this process and find out where its journal is"
        is_full = free < FREE_BYTES_MIN
        if is_full and not self._is_full:
            self._emit(Error(COMPONENT, why, self._now()))  # also where it is stopped already
            self._stop(why, "auto:disk")
        self._is_full = is_full

    def _stop(self, reason: str, actor: str) -> None:
        self._emit(Command("kill", {"level": "HALT_NEW", "reason": reason}, actor))
