# SPDX-License-Identifier: Apache-2.0
"""`alert_rules.py`: what a person is called for. `RULES` is the one table: name, severity, how long
it has to last. What of the bus leads to which is said in `lookout.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from hean.core.one_line import one_line

TEXT_LENGTH_MAX = 1_000  # an alert is read on a phone
KEY_LENGTH_MAX = 200
_S_NS = 1_000_000_000


class Severity(StrEnum):
    """How much it matters, in this order."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info."""
        return tuple(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """*lasting_s*: how long it has to hold before anybody is told."""

    severity: Severity
    meaning: str
    lasting_s: float = 0.0


_INFO, _WARNING, _CRITICAL = Severity
RULES = {
    "kill_switch": Rule(_CRITICAL, "The kill switch was raised."),
    "loss_limit": Rule(_CRITICAL, "A loss limit raised the kill switch."),
    "released": Rule(_WARNING, "A person released the kill switch."),
    "order_unknown": Rule(_CRITICAL, "Nobody knows what became of an order.", 10.0),
    "order_quarantined": Rule(_CRITICAL, "Nobody could tell in time what became of an order."),
    "reconcile": Rule(_CRITICAL, "Our books and the venue's differ, and nothing explains it."),
    "stale_data": Rule(_CRITICAL, "The data of a symbol is old.", 10.0),
    "connection": Rule(_WARNING, "A stream is down.", 15.0),
    "drawdown": Rule(_WARNING, "Losses took a part of trading away."),
    "strategy_failed": Rule(_CRITICAL, "A strategy raised or hung and is heard no more."),
    "strategy_off": Rule(_WARNING, "A strategy was switched off."),
    "clock": Rule(_CRITICAL, "The clocks of this machine and of the venue differ too much."),
    "journal": Rule(_CRITICAL, "The disk takes too long for the journal."),
    "disk": Rule(_CRITICAL, "The disk of the data directory is nearly full."),
    "breaker": Rule(_WARNING, "The market has changed; a breaker opened."),
    "error": Rule(_WARNING, "A part of the engine failed at something."),
    "engine_failed": Rule(_CRITICAL, "The engine ended with an error."),
    "died": Rule(_CRITICAL, "The process ended without a word."),
    "silent": Rule(_CRITICAL, "The process runs and says nothing, for silent_s."),
    "started": Rule(_INFO, "An engine began."),
    "ended": Rule(_INFO, "An engine ended in order."),
    "over": Rule(_INFO, "What an earlier alert told is over."),
}  # fmt: skip
"""Every alert there is."""


class Alert(msgspec.Struct, frozen=True):
    """*rule*: of `RULES`. *key*: what it is about; the same rule and key is the same matter."""

    ts_ns: int
    rule: str
    severity: Severity
    text: str
    key: str = ""

    @classmethod
    def of(cls, rule: str, text: str, ts_ns: int, key: str = "") -> Alert:
        """By its rule's severity, in one line of bounded length."""
        words = one_line(text, TEXT_LENGTH_MAX)
        return cls(ts_ns, rule, RULES[rule].severity, words, (key or words)[:KEY_LENGTH_MAX])

    @property
    def time(self) -> str:
        """When, to the second, in UTC."""
        return f"{datetime.fromtimestamp(self.ts_ns // _S_NS, UTC):%Y-%m-%dT%H:%M:%SZ}"
