# SPDX-License-Identifier: Apache-2.0
"""`limits.py`: how often one may ask: a rolling second for each account and endpoint, a rolling
five seconds for each address. A request over the limit is not counted, so waiting always helps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hean.twin.bybit.errors import Denied
from hean.twin.bybit.words import MS_NS

SECOND_NS = 1_000_000_000
ADDRESS_MAX = 600
ADDRESS_SPAN_NS = 5 * SECOND_NS
SILENCE_NS = 600 * SECOND_NS  # how long an address that asked too often is shut out
ADDRESSES_KEPT = 1_000  # a local twin has few clients; a bound, not a policy


@dataclass(slots=True)
class Budget:
    """What a request was granted. *units*: how many of those asked for; times in ms."""

    limit: int
    left: int
    reset_ms: int
    units: int

    def headers(self) -> dict[str, str]:
        """As they stand on a reply."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.left),
            "X-Bapi-Limit-Reset-Timestamp": str(self.reset_ms),
        }


class Limits:
    """All buckets. *now*: the exchange's clock; *steady*: as of `TwinVenue`; *scale*: multiplies
    every limit; load tests set it high.
    """

    def __init__(self, now: Callable[[], int], steady: Callable[[], int], scale: float) -> None:
        self._now = now
        self._steady = steady
        self._scale = scale
        self._buckets: dict[tuple[int, str], deque[int]] = {}
        self._addresses: dict[str, deque[int]] = {}
        self._shut_out: dict[str, int] = {}

    def take(self, owner: int, bucket: str, per_second: int, units: int = 1) -> Budget:
        """Use up to *units* of an account's bucket; `units` of the answer says how many."""
        steady_ns = self._steady()
        limit = max(1, int(per_second * self._scale))
        used = self._buckets.setdefault((owner, bucket), deque())
        while used and used[0] <= steady_ns - SECOND_NS:
            used.popleft()
        granted = min(units, limit - len(used))
        used.extend([steady_ns] * granted)
        reset_ms = self._now() // MS_NS
        if granted < units:
            reset_ms = (self._now() + used[0] + SECOND_NS - steady_ns) // MS_NS + 1
        return Budget(limit, limit - len(used), reset_ms, granted)

    def check_address(self, address: str) -> None:
        """Count a request of an address. *Raises*: `Denied` with HTTP 403."""
        steady_ns = self._steady()
        if self._shut_out.get(address, 0) > steady_ns:
            raise Denied(10018, "access too frequent", status=403)
        seen = self._addresses.setdefault(address, deque())
        while seen and seen[0] <= steady_ns - ADDRESS_SPAN_NS:
            seen.popleft()
        if len(seen) >= ADDRESS_MAX * self._scale:
            self._shut_out[address] = steady_ns + SILENCE_NS
            raise Denied(10018, "access too frequent", status=403)
        seen.append(steady_ns)
        if len(self._addresses) > ADDRESSES_KEPT:
            del self._addresses[next(iter(self._addresses))]
