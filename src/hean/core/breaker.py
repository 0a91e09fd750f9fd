# SPDX-License-Identifier: Apache-2.0
"""`breaker.py`: stop calling what keeps failing, and try again after a rest.

CLOSED lets everything through; enough failures in a row make it OPEN, which refuses; after a rest
it is HALF_OPEN and lets trials through, until enough of them succeed or one fails. It is told the
time. It must never stand between the system and a cancel, a reduction or a reconciliation: calls
named in `exempt` always pass, and only their outcome is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from hean.errors import CircuitOpen

FAILURE_THRESHOLD = 5  # consecutive; from the integration guide
SUCCESS_THRESHOLD = 2  # successful trials before it is trusted again; from the same place
REST_S = 60.0  # from the same place
EXEMPT = frozenset({"cancel", "reduce_only", "reconcile"})  # they lower risk; see PROMISES 11


class BreakerState(StrEnum):
    """Spelled as in the health answer."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Counts what happens to one component.

    *now_ns*: gives the time, UTC nanoseconds. *timeout_s*: rest before a trial. *exempt*: purposes
    that are never refused.
    """

    __slots__ = (
        "_now_ns",
        "_opened_ns",
        "_state",
        "exempt",
        "failure_count",
        "failure_threshold",
        "name",
        "success_count",
        "success_threshold",
        "timeout_s",
    )

    def __init__(
        self,
        name: str,
        now_ns: Callable[[], int],
        *,
        failure_threshold: int = FAILURE_THRESHOLD,
        timeout_s: float = REST_S,
        success_threshold: int = SUCCESS_THRESHOLD,
        exempt: frozenset[str] = EXEMPT,
    ) -> None:
        self.name = name
        self.failure_threshold = failure_threshold
        self.timeout_s = timeout_s
        self.success_threshold = success_threshold
        self.exempt = exempt
        self.failure_count = 0
        """Failures in a row."""
        self.success_count = 0
        """Successful trials since the rest."""
        self._now_ns = now_ns
        self._opened_ns = 0
        self._state = BreakerState.CLOSED

    @property
    def state(self) -> BreakerState:
        """The present state; OPEN turns HALF_OPEN by itself when the rest is over."""
        if self._state is BreakerState.OPEN and self._rest_ns() <= 0:
            self._state = BreakerState.HALF_OPEN
            self.success_count = 0
        return self._state

    def check(self, purpose: str = "") -> None:
        """Pass, or refuse. *Raises*: `CircuitOpen` unless *purpose* is exempt."""
        if self.state is BreakerState.OPEN and purpose not in self.exempt:
            raise CircuitOpen(
                f"Circuit breaker is OPEN for {self.name} after {self.failure_count} failures; "
                f"next trial in {self._rest_ns() / 1e9:.1f} s."
            )

    def succeeded(self) -> None:
        """A call went well."""
        if self.state is BreakerState.OPEN:
            return  # an exempt call; the rest goes on
        self.failure_count = 0
        if self._state is BreakerState.HALF_OPEN:
            self.success_count += 1
            if self.success_count >= self.success_threshold:
                self._state = BreakerState.CLOSED

    def failed(self) -> None:
        """A call failed. A failed trial starts another rest."""
        self.failure_count += 1
        is_trial = self.state is BreakerState.HALF_OPEN
        if is_trial or self.failure_count >= self.failure_threshold:
            self._state = BreakerState.OPEN
            self._opened_ns = self._now_ns()

    def _rest_ns(self) -> int:
        return self._opened_ns + int(self.timeout_s * 1e9) - self._now_ns()
