# SPDX-License-Identifier: Apache-2.0
"""`stop.py`: a stop outlives the session that it stopped. Sessions on paper come and go with
`/engine/start` and `/engine/stop`; what was latched stays latched until a person releases it, also
while nothing runs, and, where there is a file for it, over the end of the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from hean.core.types import Event, KillswitchReleased, KillswitchTriggered
from hean.engine.port import SeenBus
from hean.errors import EnvironmentFault
from hean.risk.levels import RUN, Latched, rank

log = logging.getLogger("hean.engine")


class Keeps(Protocol):
    """Where a level is kept. Writing *raises* `OSError`."""

    def load(self) -> Latched:
        """The level; RUN if none was ever kept."""
        ...

    def raise_to(self, latched: Latched) -> None:
        """Keep this level unless there is one as strict."""
        ...

    def follow(self, fact: KillswitchTriggered | KillswitchReleased) -> None:
        """Keep what has happened."""
        ...


class InMemory:
    """Keeps a level as long as the process lives."""

    def __init__(self) -> None:
        self._latched = Latched()

    def load(self) -> Latched:
        """As of `Keeps`."""
        return self._latched

    def raise_to(self, latched: Latched) -> None:
        """As of `Keeps`."""
        if rank(latched.level) > rank(self._latched.level):
            self._latched = latched

    def follow(self, fact: KillswitchTriggered | KillswitchReleased) -> None:
        """As of `Keeps`."""
        self._latched = self._latched.after(fact)


class Stop:
    """*place*: where the level is kept."""

    def __init__(self, place: Keeps) -> None:
        self._place = place
        self._memory = InMemory()
        """For a disk that takes nothing: what was said here counts until the process ends."""
        self._end: Callable[[], None] | None = None

    @property
    def latched(self) -> Latched:
        """The level that a session has to begin with."""
        found, here = self._place.load(), self._memory.load()
        return here if rank(here.level) > rank(found.level) else found

    def keep(self, latched: Latched) -> None:
        """Raise the level, durably. *Raises*: `EnvironmentFault` when no disk took it."""
        self._memory.raise_to(latched)
        try:
            self._place.raise_to(latched)
        except OSError as error:
            raise EnvironmentFault(
                "stopped until this process ends, but not beyond it: the kill switch could not be "
                f"written ({error.strerror or error})."
            ) from None

    def listen(self, bus: SeenBus) -> None:
        """Follow a session, whoever stops it, and no other any more."""
        if self._end is not None:
            self._end()
        self._end = bus.tap(self._hear)

    def _hear(self, event: Event) -> None:
        fact = event.data
        if isinstance(fact, KillswitchTriggered | KillswitchReleased):
            self._memory.follow(fact)
            try:
                self._place.follow(fact)
            except OSError as error:  # the fact counts, and has to reach those who act on it
                log.error("the kill switch could not be written: %s", error)


def again(latched: Latched, account: str) -> KillswitchTriggered | None:
    """The fact by which a session begins stopped; nothing if it need not."""
    if latched.level == RUN:
        return None
    return KillswitchTriggered(
        latched.reason, latched.since_ns, latched.level, account, latched.actor
    )
