# SPDX-License-Identifier: Apache-2.0
"""`upkeep.py`: what a gateway does by the clock: measures the venue's, winds what runs out, reads
account and rules anew, and looks whether what was agreed at the start still holds: the modes of the
account, that the venue is open, that this process has not stood still. What no longer holds stops
new orders until it does; nothing here sends or cancels one. A try that fails is made again by the
next round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from hean.errors import HeanError
from hean.net.offset import EVERY_S, ClockOffset
from hean.venues.codec import Codec
from hean.venues.dispatch import S_NS, Dispatch, Run
from hean.venues.halts import Halts
from hean.venues.maintenance import Maintenance
from hean.venues.private import PrivateStream
from hean.venues.questions import Questions
from hean.venues.wakeful import Wakeful

SWEEP_S = 0.25  # how exactly the time for an answer is kept
RELOAD_S = 60.0  # trading rules are never older; announcements are read as often
READ_S = 30.0  # the account is read anew this often: RELIABILITY 2.4, whatever the stream said
LATE_S = 4 * READ_S  # without a complete reading nothing new is opened
KEEP_S = 1_500.0  # a private address lives an hour; it is prolonged before half of that is over
DEAD_MAN_PARTS = 3  # the switch is wound again after a third of its time
CLOCK_CODES = (-1021, 10002)  # a request whose time the venue does not accept
MS_NS = 1_000_000


class Upkeep:
    """Of one gateway; *reload*: reads the trading rules anew; the rest are the gateway's parts."""

    def __init__(
        self,
        codec: Codec,
        questions: Questions,
        offset: ClockOffset,
        halts: Halts,
        dispatch: Dispatch,
        private: PrivateStream,
        run: Run,
        *,
        symbols: tuple[str, ...],
        reload: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self.maintenance = Maintenance()
        self.wakeful = Wakeful()
        self._codec = codec
        self._questions = questions
        self._offset = offset
        self._halts = halts
        self._dispatch = dispatch
        self._private = private
        self._run = run
        self._symbols = symbols
        self._reload = reload
        self._modes = ""
        self._read_ns = 0
        self._once: dict[str, asyncio.Task[None]] = {}

    def start(self, dead_man_s: int | None) -> None:
        """Begin all rounds."""
        rounds: list[tuple[str, float, Callable[[], Awaitable[None]]]] = [
            ("sweep", SWEEP_S, self._sweep),
            ("clock", EVERY_S, self.measure_clock),
            ("address", KEEP_S, lambda: self._codec.keep_private(self._questions.ask)),
            ("reads the account", READ_S, self._private.look),
            ("modes", READ_S, self.check_modes),
            ("announcements", RELOAD_S, self.read_announcements),
        ]
        if self._reload is not None:
            rounds.append(("rules", RELOAD_S, self._reload))
        if dead_man_s:
            seconds = dead_man_s
            rounds.append(("dead-man", seconds / DEAD_MAN_PARTS, lambda: self._wind(seconds)))
        for name, seconds_between, step in rounds:
            self._run(self._every(seconds_between, step), f"{self._codec.name} {name}")

    async def measure_clock(self) -> None:
        """One estimate of the venue's clock. *Raises*: as `Questions.ask`."""
        await self._questions.measure_clock()
        if self._offset.halts():
            self._halts.add("clock", self._offset.warning())
        else:
            self._halts.lift("clock")

    async def arm(self, seconds: int) -> bool:
        """Set the dead-man's switch. *Returns*: whether it must be wound again and again; what
        cannot be wound runs out, as it was meant to. *Raises*: as `Questions.ask`.
        """
        return await self._codec.arm(self._questions.ask, seconds, self._symbols)

    async def check_modes(self) -> None:
        """Position and margin modes are what they were at the start. *Raises*: as `ask`."""
        found = await self._codec.modes(self._questions.ask, self._symbols)
        self._modes = self._modes or found
        if found == self._modes:
            self._halts.lift("modes")
            return
        self._halts.add(
            "modes",
            f"the modes of the account were changed: expected {self._modes}; found {found}. Change "
            "them back at the venue, or start HEAN anew.",
        )

    async def read_announcements(self) -> None:
        """When does the venue close? *Raises*: as `Questions.ask`."""
        begin_ns = await self._codec.closes_ns(self._questions.ask)
        if begin_ns:
            ahead_ns = begin_ns - self._questions.venue_ms() * MS_NS
            self.maintenance.announced(ahead_ns, self._questions.ticks_ns())
        self._show_maintenance()

    # ------------------------------------------------------------ told by the gateway's parts

    def now(self, what: str) -> None:
        """Do this round's step at once, because an answer gave reason to: `clock`, `modes` or
        `rules`; one at a time of each.
        """
        step = {"clock": self.measure_clock, "modes": self.check_modes, "rules": self._reload}[what]
        running = self._once.get(what)
        if step is not None and (running is None or running.done()):
            self._once[what] = self._run(self._attempt(step), f"{self._codec.name} {what}")

    def look(self, now_ns: int) -> None:
        """Has this process stood still? Asked several times a second, and before each order."""
        gap_ns = self.wakeful.look(now_ns)
        if gap_ns:
            reason = f"this process stood still or its clock was set, by {gap_ns / S_NS:.0f} s"
            self._halts.add("woken", f"{reason}: the account is read before anything new")
            self._private.distrust(reason)
            self._run(self._wake(), f"{self._codec.name} wakes")

    def answered(self, code: int | None) -> None:
        """The venue's code of an answer."""
        if code in CLOCK_CODES:
            self.now("clock")
        self.maintenance.answered(code, self._questions.ticks_ns())
        self._show_maintenance()

    def read(self, began_ns: int) -> None:
        """The whole account was read, from that moment of the steady time on."""
        self._read_ns = self._questions.ticks_ns()
        self._halts.lift("reading")
        self._halts.lift("key")  # it reads; whether it may trade is told by the next order
        self.maintenance.read(began_ns, self._read_ns)
        self._show_maintenance()

    # ------------------------------------------------------------ inside

    async def _sweep(self) -> None:
        self.look(self._questions.now())
        self._dispatch.sweep()
        if self._questions.ticks_ns() - self._read_ns > LATE_S * S_NS:
            why = f"the account could not be read as a whole for {LATE_S:g} s"
            self._halts.add("reading", why)

    async def _wind(self, seconds: int) -> None:
        await self.arm(seconds)

    async def _wake(self) -> None:
        await self._attempt(self.measure_clock)
        await self._private.caught_up.wait()
        self._halts.lift("woken")

    def _show_maintenance(self) -> None:
        if self.maintenance.is_closed:
            self._halts.add(
                "maintenance",
                f"{self._codec.name} closes or is closed for maintenance; nothing new until it has "
                "been in order for a while and the account was read",
            )
        else:
            self._halts.lift("maintenance")

    async def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._attempt(step)

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        """One try; the next comes by itself."""
        with suppress(HeanError):
            await step()
