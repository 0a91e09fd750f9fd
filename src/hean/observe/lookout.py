# SPDX-License-Identifier: Apache-2.0
"""`lookout.py`: listens on a bus and tells the alerts that follow from it. It decides nothing,
emits nothing and never raises into the bus. How an alert reaches somebody is the business of
another process (`alert_post.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hean.core.types import Command, Error, Event, EventType, Health, KillswitchTriggered, Reconcile
from hean.feeds.freshness import FRESH, STALE
from hean.observe.alert_rules import RULES, Alert

WAITING_MAX = 1_000  # matters that may be watched at a time
DIFFERENCES_SHOWN = 3
# Names and words of modules, which the rim does not import.
DRAWDOWN, NORMAL = "drawdown", "NORMAL"
BREAKER, OPEN = "changepoint_breaker", "OPEN"
JOURNAL, READY = "journal", "READY"
UP, DOWN = "UP", "DOWN"

LOSSES = ("auto:daily_loss", "auto:drawdown")
OF_ACTOR = {**dict.fromkeys(LOSSES, "loss_limit"), "auto:clock": "clock", "auto:disk": "disk"}
"""Who raised the kill switch for a reason that has a rule of its own."""
DISABLED = " is disabled: "
"""In what `live/mishaps.py` says of a strategy."""


class Telling(Protocol):
    """A bus, or what follows one of another process."""

    def tap(self, tap: Callable[[Event], None], /) -> Callable[[], None]:
        """Have every event told from now on. *Returns*: ends it."""
        ...


class Lookout:
    """*tell*: takes an alert at once; *ticks*: steady seconds."""

    def __init__(self, tell: Callable[[Alert], None], ticks: Callable[[], float]) -> None:
        self._tell = tell
        self._ticks = ticks
        self._waiting: dict[tuple[str, str], tuple[float, Alert]] = {}
        self._told: dict[tuple[str, str], None] = {}

    def listen(self, bus: Telling) -> None:
        """From now on."""
        bus.tap(self.hear)

    def hear(self, event: Event) -> None:
        """One fact."""
        rule = _HEARD.get(event.event_type)
        if rule is None:
            return
        try:
            rule(self, event)
        except Exception as error:  # noqa: BLE001  # reason: no alert is worth a failed handler
            what = f"an alert about {event.event_type} failed: {type(error).__name__}"
            self._tell(Alert.of("error", what, event.ts_ns))

    def look(self) -> None:
        """Tell what has lasted long enough. To be called once a second."""
        if not self._waiting:
            return
        now_s = self._ticks()
        due = [matter for matter, (at_s, _) in self._waiting.items() if at_s <= now_s]
        for matter in due:
            self._say(matter, self._waiting.pop(matter)[1])

    # ------------------------------------------------------------ raising and ending

    def _raise(self, rule: str, text: str, event: Event, key: str = "") -> None:
        alert = Alert.of(rule, text, event.ts_ns, key)
        matter = (rule, alert.key)
        lasting_s = RULES[rule].lasting_s
        if not lasting_s:
            self._say(matter, alert)
        elif matter not in self._waiting and matter not in self._told:
            if len(self._waiting) >= WAITING_MAX:
                self._waiting.pop(next(iter(self._waiting)))
            self._waiting[matter] = (self._ticks() + lasting_s, alert)

    def _say(self, matter: tuple[str, str], alert: Alert) -> None:
        self._told[matter] = None
        if len(self._told) > WAITING_MAX:
            self._told.pop(next(iter(self._told)))
        self._tell(alert)

    def _end(self, rule: str, key: str, text: str, event: Event) -> None:
        self._waiting.pop((rule, key), None)
        if (rule, key) in self._told:
            del self._told[rule, key]
            self._tell(Alert.of("over", text, event.ts_ns, f"{rule} {key}"))

    # ------------------------------------------------------------ the facts

    def _triggered(self, event: Event) -> None:
        fact: KillswitchTriggered = event.data
        actor = fact.actor or "unknown"
        text = f"{fact.level} by {actor}: {fact.reason}"
        self._raise(OF_ACTOR.get(actor, "kill_switch"), text, event, f"{fact.level} {actor}")

    def _released(self, event: Event) -> None:
        self._raise("released", f"by {event.data.actor}: {event.data.reason}", event)

    def _unknown(self, event: Event) -> None:
        order_id, symbol = event.data.order_id, event.data.symbol
        text = f"{symbol} {order_id}: nobody knows whether the venue has it; it counts in full"
        self._raise("order_unknown", text, event, order_id)

    def _quarantined(self, event: Event) -> None:
        fact = event.data
        self._waiting.pop(("order_unknown", fact.order_id), None)
        text = f"{fact.symbol} {fact.order_id}: {fact.reason} (hean resolve)"
        self._raise("order_quarantined", text, event, fact.order_id)

    def _known(self, event: Event) -> None:
        if not self._told and not self._waiting:
            return  # nearly always, and fills come in bursts
        order_id = event.data.order_id
        text = f"{order_id} is known again: {event.event_type}"
        for rule in ("order_unknown", "order_quarantined"):
            self._end(rule, order_id, text, event)

    def _reconciled(self, event: Event) -> None:
        fact: Reconcile = event.data
        if fact.clean:
            self._end("reconcile", fact.account or "account", "the books agree again", event)
            return
        more = len(fact.differences) - DIFFERENCES_SHOWN
        parts = [*fact.differences[:DIFFERENCES_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        self._raise("reconcile", "; ".join(parts), event, fact.account or "account")

    def _healthy(self, event: Event) -> None:
        fact: Health = event.data
        extra = fact.extra or {}
        reason = str(extra.get("reason", ""))
        name = fact.component
        match fact.state:
            case _ if name == DRAWDOWN:
                self._change("drawdown", name, fact.state, fact.state != NORMAL, reason, event)
            case _ if name.startswith(f"{BREAKER}."):
                is_open = fact.state == OPEN
                self._change("breaker", name, fact.state, is_open, reason, event)
            case _ if name == JOURNAL:
                self._change("journal", name, fact.state, fact.state != READY, reason, event)
            case _ if "reasons" in extra:
                clock = str(extra["reasons"].get("clock", ""))
                self._change("clock", name, fact.state, bool(clock), clock, event)
            case state if state in (STALE, FRESH):
                self._change("stale_data", name, fact.state, fact.state == STALE, reason, event)
            case state if state in (UP, DOWN):
                self._change("connection", name, fact.state, fact.state == DOWN, reason, event)

    def _change(
        self, rule: str, name: str, state: str, is_bad: bool, reason: str, event: Event
    ) -> None:
        if is_bad:
            self._raise(rule, f"{name} is {state}{': ' if reason else ''}{reason}", event, name)
        else:
            self._end(rule, name, f"{name} is {state}", event)

    def _commanded(self, event: Event) -> None:
        command: Command = event.data
        name = str(command.arguments.get("strategy", ""))
        if command.verb == "disable":
            self._raise("strategy_off", f"{name} was switched off by {command.actor}", event, name)
        elif command.verb == "enable":
            self._end("strategy_off", name, f"{name} was switched on by {command.actor}", event)

    def _failed(self, event: Event) -> None:
        fact: Error = event.data
        rule = "strategy_failed" if DISABLED in fact.error else "error"
        self._raise(rule, f"{fact.component}: {fact.error}", event)


_HEARD: dict[EventType, Callable[[Lookout, Event], None]] = {
    EventType.KILLSWITCH_TRIGGERED: Lookout._triggered,
    EventType.KILLSWITCH_RELEASED: Lookout._released,
    EventType.ORDER_UNKNOWN: Lookout._unknown,
    EventType.ORDER_QUARANTINED: Lookout._quarantined,
    EventType.RECONCILE: Lookout._reconciled,
    EventType.HEALTH: Lookout._healthy,
    EventType.COMMAND: Lookout._commanded,
    EventType.ERROR: Lookout._failed,
    **dict.fromkeys(
        (
            EventType.ORDER_PLACED,
            EventType.ORDER_FILLED,
            EventType.ORDER_CANCELLED,
            EventType.ORDER_ABSENT,
            EventType.ORDER_REJECTED,
        ),
        Lookout._known,
    ),
}
