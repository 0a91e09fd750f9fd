# SPDX-License-Identifier: Apache-2.0
"""`tickets.py`: random words that stand for a person once and for a short time, where a token
cannot or must not be shown: in the address of a WebSocket or of `/docs`, and in the link by which
the first start logs its owner in. They live in memory alone and die with the process.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Bearer = TypeVar("Bearer")
TICKETS_MAX = 1_000
LENGTH_MAX = 64  # of what is looked up; a longer word is none of ours


class Tickets(Generic[Bearer]):
    """Words for bearers. *life_s*: how long one counts; *ticks*: steady seconds."""

    def __init__(self, life_s: float, ticks: Callable[[], float]) -> None:
        self.life_s = life_s
        self._ticks = ticks
        self._open: OrderedDict[str, tuple[float, Bearer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def issue(self, bearer: Bearer) -> str:
        """A new word. Beyond a thousand open ones the oldest is forgotten."""
        word = secrets.token_urlsafe(24)
        self._open[word] = (self._ticks() + self.life_s, bearer)
        if len(self._open) > TICKETS_MAX:
            self._open.popitem(last=False)
        return word

    def redeem(self, word: str) -> Bearer | None:
        """Who it stands for; `None` the second time, after its life, and for any other word."""
        found = self._open.pop(word, None) if len(word) <= LENGTH_MAX else None
        if found is None or self._ticks() >= found[0]:
            return None
        return found[1]
