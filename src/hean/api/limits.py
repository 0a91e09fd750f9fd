# SPDX-License-Identifier: Apache-2.0
"""`limits.py`: how often somebody may ask. Each token and each address has a bucket for each class
of requests, which fills with time; an empty one refuses and says when to come back. Wrong
credentials lock an address out, each time for twice as long. The kill switch has no bucket.

A right token is let in from a locked address too: 256 random bits are not guessed, and somebody
who guesses behind the same proxy must not keep the owner from his engine. Time is handed in.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from hean.api.permissions import Limit

KEYS_MAX = 10_000  # buckets of one class that are remembered; beyond it the oldest is forgotten
ONE = 1.0 - 1e-6  # who comes back when told to is not refused for a rounding error
JOBS_MAX = 2
"""Jobs of one token that run at the same time."""

RATES = {Limit.READ: 50.0, Limit.ORDER: 10.0, Limit.JOB: 10.0}
"""Requests a second of one token; as many at once."""
ADDRESS_FACTOR = 4.0  # several people, or several tabs, behind one address

FAILURES_A_MINUTE = 5
LOCKED_S = 60.0
LOCKED_S_MAX = 3_600.0
FORGIVEN_S = 3_600.0  # without a failure, after which the next lock is a short one again


class Buckets:
    """Token buckets by key. *rate*: a second, which is also what a full one holds."""

    __slots__ = ("_burst", "_keys_max", "_levels", "_rate", "_ticks")

    def __init__(
        self, rate: float, ticks: Callable[[], float], *, keys_max: int = KEYS_MAX
    ) -> None:
        self._rate = rate
        self._burst = rate
        self._ticks = ticks
        self._keys_max = keys_max
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, key: str) -> float:
        """Take one. *Returns*: 0, or the seconds until there will be one."""
        now = self._ticks()
        level, since = self._levels.get(key, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        wait = 0.0 if level >= ONE else (1.0 - level) / self._rate
        self._levels[key] = (level - 1.0 if not wait else level, now)
        self._levels.move_to_end(key)
        if len(self._levels) > self._keys_max:
            self._levels.popitem(last=False)
        return wait


@dataclass(slots=True)
class _Failures:
    """Of one address."""

    recent: list[float]
    until: float = 0.0
    locks: int = 0
    last: float = 0.0


class Lockout:
    """Wrong credentials by address."""

    def __init__(self, ticks: Callable[[], float], *, keys_max: int = KEYS_MAX) -> None:
        self._ticks = ticks
        self._keys_max = keys_max
        self._found: OrderedDict[str, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def locked_s(self, address: str) -> float:
        """For how long nobody may guess from there; 0 if they may."""
        found = self._found.get(address)
        return 0.0 if found is None else max(0.0, found.until - self._ticks())

    def failed(self, address: str) -> None:
        """Count a wrong credential. The fifth within a minute locks, each time twice as long."""
        now = self._ticks()
        found = self._found.setdefault(address, _Failures([]))
        self._found.move_to_end(address)
        if len(self._found) > self._keys_max:
            self._found.popitem(last=False)
        if now - found.last > FORGIVEN_S:
            found.locks = 0
        found.last = now
        found.recent = [each for each in found.recent if now - each < 60.0] + [now]
        if len(found.recent) >= FAILURES_A_MINUTE:
            found.until = now + min(LOCKED_S_MAX, LOCKED_S * 2.0**found.locks)
            found.locks += 1
            found.recent = []


class Limits:
    """All of them. *ticks*: steady seconds."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self.lockout = Lockout(ticks)
        self._tokens = {limit: Buckets(rate, ticks) for limit, rate in RATES.items()}
        self._addresses = {
            limit: Buckets(rate * ADDRESS_FACTOR, ticks) for limit, rate in RATES.items()
        }

    def wait_s(self, limit: Limit, token: str | None, address: str) -> float:
        """Count one request. *Returns*: 0, or in how many seconds it may be asked again."""
        if limit not in RATES:
            return 0.0
        wait = self._addresses[limit].take(address)
        if not wait and token is not None:
            wait = self._tokens[limit].take(token)
        return wait


def retry_after(wait_s: float) -> dict[str, str]:
    """The header that says when to come back: whole seconds, at least one."""
    return {"Retry-After": str(max(1, math.ceil(wait_s)))}
