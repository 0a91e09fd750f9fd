# SPDX-License-Identifier: Apache-2.0
"""`alert_ways.py`: how alerts go to one destination: what matters enough for it, how often, what is
put together, what is tried again and when it is given up. Pure: moments come in, messages go out,
and somebody else sends them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec

from hean.observe.alert_rules import Alert, Severity

RETRY_S = (5.0, 30.0, 120.0, 600.0)
"""Waits after a failure; one more failure and an alert is given up."""
OVERFLOW_S = 60.0  # what came too fast is told together a minute later
WAITING_MAX = 500  # alerts of a destination; of more the oldest are given up
SHOWN_MAX = 20  # lines of a message


class Way(msgspec.Struct, frozen=True):
    """A destination. *name*: for people; *url*: Apprise's, a secret; *least*: severity."""

    name: str
    url: str
    least: Severity

    def __repr__(self) -> str:
        return f"Way({self.name}, {self.least})"


class Pace(msgspec.Struct, frozen=True):
    """*per_minute*: messages; *digest_s*: how long what is not urgent is gathered; *again_s*: until
    the same matter is told again; *silent_s*: until silence of the engine is one.
    """

    per_minute: int = 10
    digest_s: float = 900.0
    again_s: float = 300.0
    silent_s: float = 60.0


@dataclass(slots=True)
class Message:
    """What is sent at once. *alerts*: number and alert, the oldest first."""

    alerts: list[tuple[int, Alert]]
    tries: int = 0
    due_s: float = 0.0

    @property
    def severity(self) -> Severity:
        """The highest of it."""
        return max((alert.severity for _, alert in self.alerts), key=lambda each: each.rank)

    def title(self) -> str:
        """In one line."""
        if len(self.alerts) == 1:
            return f"HEAN {self.severity}: {self.alerts[0][1].rule}"
        return f"HEAN {self.severity}: {len(self.alerts)} alerts"

    def body(self, who: str) -> str:
        """All of it in words, the newest first where not all can be shown."""
        lines = [
            f"{alert.time} {alert.severity} {alert.rule}: {alert.text}"
            for _, alert in self.alerts[-SHOWN_MAX:]
        ]
        more = len(self.alerts) - len(lines)
        return "\n".join(
            [*lines, *([f"and {more} earlier ones: hean alerts"] if more else []), who]
        )


@dataclass(slots=True)
class Schedule:
    """What one destination is still to be told. Seconds are steady ones. *given_up*: numbers and
    reasons, for whoever keeps the books; it is emptied there.
    """

    way: Way
    pace: Pace
    given_up: list[tuple[int, int, str]] = field(default_factory=list)
    _urgent: deque[Message] = field(default_factory=deque)
    _digest: list[tuple[int, Alert]] = field(default_factory=list)
    _digest_due_s: float = 0.0
    _sent_s: deque[float] = field(default_factory=deque)

    def takes(self, alert: Alert) -> bool:
        """Whether it matters enough."""
        return alert.severity.rank >= self.way.least.rank

    def offer(self, number: int, alert: Alert, now_s: float) -> None:
        """One more that it takes."""
        while self._sent_s and now_s - self._sent_s[0] >= 60.0:
            self._sent_s.popleft()
        is_urgent = alert.severity is not Severity.INFO
        if is_urgent and len(self._sent_s) < self.pace.per_minute:
            self._sent_s.append(now_s)
            self._urgent.append(Message([(number, alert)], due_s=now_s))
        else:
            wait_s = min(OVERFLOW_S, self.pace.digest_s) if is_urgent else self.pace.digest_s
            due_s = now_s + wait_s
            self._digest_due_s = min(self._digest_due_s, due_s) if self._digest else due_s
            self._digest.append((number, alert))
        self._bound()

    def due(self, now_s: float, *, is_last: bool = False) -> Message | None:
        """What is to be sent now, taken out. *is_last*: there is no later."""
        ready = [each for each in self._urgent if is_last or each.due_s <= now_s]
        if ready:
            message = max(ready, key=lambda each: each.severity.rank)
            self._urgent.remove(message)
            return message
        if self._digest and (is_last or self._digest_due_s <= now_s):
            alerts, self._digest = self._digest, []
            return Message(alerts)
        return None

    def failed(self, message: Message, reason: str, now_s: float) -> float | None:
        """It was not taken. *Returns*: seconds until the next try, `None` if it is given up."""
        message.tries += 1
        if message.tries > len(RETRY_S):
            self.given_up += [(number, message.tries, reason) for number, _ in message.alerts]
            return None
        wait_s = RETRY_S[message.tries - 1]
        message.due_s = now_s + wait_s
        self._urgent.append(message)
        self._bound()
        return wait_s

    @property
    def waiting(self) -> int:
        """Alerts that are still to be sent."""
        return len(self._digest) + sum(len(each.alerts) for each in self._urgent)

    def _bound(self) -> None:
        while self.waiting > WAITING_MAX:
            from_digest = self._digest and (
                not self._urgent or self._digest[0][0] < self._urgent[0].alerts[0][0]
            )
            alerts = [self._digest.pop(0)] if from_digest else self._urgent.popleft().alerts
            self.given_up += [(number, 0, "too many wait") for number, _ in alerts]
