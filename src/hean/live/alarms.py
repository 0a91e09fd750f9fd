# SPDX-License-Identifier: Apache-2.0
"""`alarms.py`: what a person at the terminal has to know at once: the kill switch was raised or
released, an order nobody can decide, a part that failed. The journal has it all; this only says it.
It never waits: a terminal that does not take a line does not get it.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from contextlib import suppress

from hean.core.bus import EventBus
from hean.core.one_line import one_line
from hean.core.types import Error, Event, EventType, KillswitchReleased, KillswitchTriggered
from hean.data.fingerprint import iso_utc

AGAIN_NS = 60_000_000_000  # until the same sentence is said again
SENTENCES_MAX = 100  # remembered as said
LINE_BYTES_MAX = 1_000  # a pipe that is ready takes four times as much at once
TOLD = (EventType.KILLSWITCH_TRIGGERED, EventType.KILLSWITCH_RELEASED, EventType.ERROR)


class Alarms:
    """Says them. *say*: takes a line, at once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said_ns: dict[str, int] = {}

    def listen(self, bus: EventBus) -> None:
        """From now on."""
        for kind in TOLD:
            bus.subscribe(kind, self.hear)

    def hear(self, event: Event) -> None:
        """One fact."""
        text = sentence_of(event.data)
        if not text or event.ts_ns - self._said_ns.get(text, -AGAIN_NS) < AGAIN_NS:
            return
        if len(self._said_ns) >= SENTENCES_MAX:
            self._said_ns.clear()
        self._said_ns[text] = event.ts_ns
        self._say(f"{iso_utc(event.ts_ns)[:19]}Z {text}")


def sentence_of(fact: object) -> str:
    """What is said about a fact; empty for nothing."""
    match fact:
        case KillswitchTriggered():
            return f"ALARM {fact.level} by {fact.actor or 'unknown'}: {fact.reason}"
        case KillswitchReleased():
            return f"released by {fact.actor or 'unknown'}: {fact.reason}"
        case Error():
            return f"ALARM {fact.component}: {fact.error}"
    return ""


def say_on(descriptor: int, line: str) -> None:
    """Write a line, if that can be done without waiting."""
    content = one_line(line, LINE_BYTES_MAX).encode("ascii", "backslashreplace")[:LINE_BYTES_MAX]
    with suppress(OSError, ValueError):
        _, ready, _ = select.select([], [descriptor], [], 0)
        if ready:
            os.write(descriptor, content + b"\n")
