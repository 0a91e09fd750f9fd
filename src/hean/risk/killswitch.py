# SPDX-License-Identifier: Apache-2.0
"""`killswitch.py`: the stop that stays. Whoever wants trading to stop, a person or a module, says
so by `COMMAND`; this module makes of it the fact that is latched, once for each level, and only
ever upwards. From the moment of the decision the last hop before the venue is told no, before the
fact is on any disk. From CANCEL_ALL on, open orders are asked back, but for the stops that protect
a position. Only a person who has looked can release it, with every condition of `refusals` met.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hean._core import Instrument, OrderEngine
from hean.core.module import Module, on
from hean.core.types import (
    CancelRequest,
    Command,
    Error,
    Event,
    EventType,
    KillswitchReleased,
    KillswitchTriggered,
    OrderType,
)
from hean.errors import OrderUnknown
from hean.risk.levels import (
    CANCEL_ALL,
    FLATTEN,
    HALT_NEW,
    LEVELS,
    LOCKED,
    RUN,
    Latched,
    is_phrase,
    rank,
)

COOL_DOWN_S = 60  # nobody releases in the heat of the moment
REASON_LENGTH_MIN = 10  # a reason, not a keystroke
REASON_LENGTH_MAX = 500  # of what is journaled
PROTECTIVE = frozenset({OrderType.STOP.value, OrderType.STOP_LIMIT.value})

_S_NS = 1_000_000_000


class KillSwitch(Module):
    """The latch of one account. *instruments*: trading rules by symbol; *account_id*: part of the
    phrase that releases it.
    """

    name = "killswitch"
    truth = True
    produces = (
        EventType.KILLSWITCH_TRIGGERED,
        EventType.KILLSWITCH_RELEASED,
        EventType.CANCEL_REQUEST,
        EventType.ERROR,
    )

    def __init__(
        self, engine: OrderEngine, instruments: Mapping[str, Instrument], *, account_id: str
    ) -> None:
        self.engine = engine
        self.instruments = instruments
        self.account_id = account_id
        self.latched = Latched()
        """What the journal holds."""
        self._told = RUN  # the highest level emitted, delivered or not
        self._door = RUN  # the level the last hop goes by
        self._why = ""
        self._is_clean = False

    @property
    def level(self) -> str:
        """The level in force."""
        return self.latched.level

    def restore(self, latched: Latched) -> None:
        """Go on with what an earlier process left, before anything is delivered."""
        self.latched = Latched(latched.level, latched.reason, latched.actor, latched.since_ns)
        self._told = latched.level
        self._close(latched.level, latched.reason)
        if latched.level != RUN:
            self.engine.halt(latched.level)

    def resume(self) -> None:
        """Ask orders back again: the process may have died in the middle of it."""
        if rank(self.level) >= rank(CANCEL_ALL):
            self._ask_back()

    # ------------------------------------------------------------ the last hop

    def hold(self, level: str, reason: str) -> None:
        """Let nothing out that this level forbids, from now on; the fact is to follow."""
        self._close(level, reason)

    def objection(self, reduce_only: bool) -> str:
        """Why an order may not leave; empty if it may."""
        door = self._door
        if door == RUN or (reduce_only and door != LOCKED):
            return ""
        return self._why

    def _close(self, level: str, reason: str) -> None:
        if rank(level) > rank(self._door):
            self._door = level if level in LEVELS else LOCKED
            self._why = f"the kill switch is at {self._door}: {reason}"

    # ------------------------------------------------------------ stopping

    @on(EventType.COMMAND)
    def on_command(self, event: Event) -> None:
        """A wish to stop or to go on."""
        command: Command = event.data
        if command.verb == "kill":
            self._kill(command, event.ts_ns)
        elif command.verb == "release":
            self._release(command, event.ts_ns)

    @on(EventType.KILLSWITCH_TRIGGERED)
    def on_triggered(self, event: Event) -> None:
        """It is on the disk: ask orders back, once for each level that does."""
        fact: KillswitchTriggered = event.data
        before = self.level
        self.latched = self.latched.after(fact)
        self._told = max(self._told, self.level, key=rank)
        self._close(fact.level, fact.reason)
        is_raised = rank(self.level) > rank(before)
        if is_raised and rank(self.level) >= rank(CANCEL_ALL):
            self._ask_back()

    @on(EventType.KILLSWITCH_RELEASED)
    def on_released(self, event: Event) -> None:
        """Trading may go on."""
        self.latched = self.latched.after(event.data)
        self._told = self._door = RUN
        self._why = ""

    @on(EventType.RECONCILE)
    def on_reconcile(self, event: Event) -> None:
        """Whether our books were those of the venue when last compared."""
        self._is_clean = event.data.clean

    def _kill(self, command: Command, now_ns: int) -> None:
        arguments: dict[str, Any] = command.arguments
        level = str(arguments.get("level") or HALT_NEW)
        if level not in LEVELS[1:]:
            known = ", ".join(LEVELS[1:])
            self._report(f"{command.actor} asked for level {level[:40]!a}; known: {known}.", now_ns)
            level = HALT_NEW
        is_final = arguments.get("is_final") is True and not self.latched.is_final
        if rank(level) <= rank(self._told) and not is_final:
            return
        reason = str(arguments.get("reason") or "no reason given")[:REASON_LENGTH_MAX]
        self._told = max(self._told, level, key=rank)
        self._close(level, reason)
        self.context.emit(
            KillswitchTriggered(reason, now_ns, level, self.account_id, command.actor, is_final)
        )

    def _ask_back(self) -> None:
        if self.latched.is_final:
            return  # the orders are another process's now
        for order in self.engine.open_orders():
            if not self._keeps(order):
                order_id = order["client_order_id"]
                self.context.emit(CancelRequest(order_id, order["symbol"], "kill switch"))

    # ------------------------------------------------------------ what stays

    def keeps(self, order_id: str) -> bool:
        """Whether this order stays although orders are being asked back: it is a stop that
        protects a position.
        """
        try:
            order = self.engine.get(order_id)
        except OrderUnknown:
            return False
        return self._keeps(order)

    def _keeps(self, order: dict[str, Any]) -> bool:
        return order["type"] in PROTECTIVE and order["reduce_only"] and self._is_needed(order)

    def _is_needed(self, order: dict[str, Any]) -> bool:
        """A stop of a flat symbol protects nothing. While a position is being sold on spot its stop
        is in the way: it binds the very coins.
        """
        symbol = order["symbol"]
        is_in_the_way = self.level == FLATTEN and self.instruments[symbol].kind == "spot"
        return bool(self.engine.position(symbol)) and not is_in_the_way

    # ------------------------------------------------------------ going on

    def refusals(self, phrase: str, reason: str, actor: str, now_ns: int) -> tuple[str, ...]:
        """Everything that stands against a release, in words; never what the phrase should be."""
        latched = self.latched
        if self._door == RUN:
            return ("nothing is latched",)
        found = []
        if latched.is_final:
            found.append("another process has taken this account over; this one must end")
        if self._told != latched.level:
            found.append("a stop is under way")
        expected = f"release {self.account_id}"
        if not self.account_id or not is_phrase(phrase, expected):
            found.append("the phrase is another one")
        if len(reason.strip()) < REASON_LENGTH_MIN:
            found.append(f"the reason is shorter than {REASON_LENGTH_MIN} characters")
        if not actor or actor == latched.actor:
            found.append("somebody else than the one who stopped it has to release it")
        left_s = COOL_DOWN_S - (now_ns - latched.since_ns) // _S_NS
        if left_s > 0:
            found.append(f"it can be released in {left_s} s at the earliest")
        if not self._is_clean:
            found.append("our books and the venue's differ, or were not compared yet")
        return tuple(found)

    def _release(self, command: Command, now_ns: int) -> None:
        phrase, reason = (str(command.arguments.get(name, "")) for name in ("phrase", "reason"))
        if refusals := self.refusals(phrase, reason, command.actor, now_ns):
            self._report(f"not released: {'; '.join(refusals)}.", now_ns)
            return
        reason = reason.strip()[:REASON_LENGTH_MAX]
        self.context.emit(KillswitchReleased(reason, now_ns, command.actor, self.account_id))

    def _report(self, text: str, now_ns: int) -> None:
        self.context.emit(Error(self.name, text, now_ns))
