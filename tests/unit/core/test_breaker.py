# SPDX-License-Identifier: Apache-2.0
"""The three states of a breaker, on a clock that the test moves."""

from __future__ import annotations

import pytest

from hean.core.breaker import BreakerState, CircuitBreaker
from hean.core.clock import SimClock
from hean.errors import CircuitOpen

S = 1_000_000_000


@pytest.fixture
def clock() -> SimClock:
    return SimClock()


@pytest.fixture
def breaker(clock: SimClock) -> CircuitBreaker:
    return CircuitBreaker("ml", lambda: clock.now_ns)


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.failed()


@pytest.mark.promise(11)
def test_the_promised_life_of_a_breaker(clock: SimClock, breaker: CircuitBreaker) -> None:
    """Five failures open it, sixty seconds later it tries, two successes close it."""
    fail(breaker, 4)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, 1)
    assert breaker.state is BreakerState.OPEN
    clock.now_ns += 60 * S - 1
    with pytest.raises(CircuitOpen, match="Circuit breaker is OPEN for ml"):
        breaker.check()
    clock.now_ns += 1
    breaker.check()
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.succeeded()
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_only_failures_in_a_row_count(breaker: CircuitBreaker) -> None:
    fail(breaker, 4)
    breaker.succeeded()
    fail(breaker, 4)
    assert breaker.state is BreakerState.CLOSED


def test_a_failed_trial_starts_another_rest(clock: SimClock, breaker: CircuitBreaker) -> None:
    fail(breaker, 5)
    clock.now_ns += 60 * S
    breaker.check()
    breaker.succeeded()
    fail(breaker, 1)
    assert breaker.state is BreakerState.OPEN
    clock.now_ns += 60 * S
    breaker.succeeded()
    assert breaker.state is BreakerState.HALF_OPEN  # the first trial's success is forgotten


@pytest.mark.promise(11)
@pytest.mark.parametrize("purpose", ["cancel", "reduce_only", "reconcile"])
def test_what_lowers_risk_is_never_refused(breaker: CircuitBreaker, purpose: str) -> None:
    fail(breaker, 5)
    breaker.check(purpose)
    breaker.succeeded()
    assert (breaker.state, breaker.failure_count) == (BreakerState.OPEN, 5)
    with pytest.raises(CircuitOpen):
        breaker.check("submit")
