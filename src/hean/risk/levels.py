# SPDX-License-Identifier: Apache-2.0
"""`levels.py`: how far a stop goes, and what is remembered of it. Five levels in one order; what
two copies say is decided by the stricter one; a word that nobody knows is the strictest. Pure: it
reads and writes nothing.
"""

from __future__ import annotations

import hmac

import msgspec

from hean.core import types
from hean.core.types import KillswitchReleased, KillswitchTriggered

RUN, HALT_NEW, CANCEL_ALL, FLATTEN, LOCKED = LEVELS = (
    "RUN",
    "HALT_NEW",
    "CANCEL_ALL",
    "FLATTEN",
    types.LOCKED,
)
"""Trade; nothing new; and open orders go; and positions go; nothing passes but cancels."""


def rank(level: str) -> int:
    """Place in the order, 0 for RUN. A word nobody knows ranks as LOCKED."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS) - 1


class Latched(msgspec.Struct, frozen=True):
    """A level with who asked for it, why and since when (UTC ns). *is_final*: not to be released
    while this process lives; no other process inherits that.
    """

    level: str = RUN
    reason: str = ""
    actor: str = ""
    since_ns: int = 0
    is_final: bool = False

    def after(self, fact: KillswitchTriggered | KillswitchReleased) -> Latched:
        """What is remembered once this has happened. Triggers only ever raise."""
        if isinstance(fact, KillswitchReleased):
            return Latched()
        is_final = self.is_final or fact.is_final
        if rank(fact.level) > rank(self.level):
            return Latched(fact.level, fact.reason, fact.actor, fact.timestamp, is_final)
        return msgspec.structs.replace(self, is_final=is_final)


def stricter(one: Latched, other: Latched) -> Latched:
    """The one with the higher level; of equals the first."""
    return other if rank(other.level) > rank(one.level) else one


def is_phrase(typed: str, expected: str) -> bool:
    """Whether exactly this was typed; takes as long whatever was."""
    return hmac.compare_digest(*(text.encode("utf-8", "replace") for text in (typed, expected)))
