# SPDX-License-Identifier: Apache-2.0
"""Lifecycle, breakers and health of registered components."""

from __future__ import annotations

from typing import Any

import pytest

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.orchestrator import TradingOrchestrator
from hean.core.types import EventType, Tick
from hean.errors import CircuitOpen, JournalWriteFailed, ParameterInvalid, StateError

S = 1_000_000_000


class Part:
    """A component that keeps a diary; sync or async, and failing where told."""

    def __init__(self, name: str, diary: list[str], fails_at: str = "") -> None:
        self.name, self._diary, self._fails_at = name, diary, fails_at

    def _write(self, verb: str) -> None:
        if verb == self._fails_at:
            raise ValueError(f"{self.name} cannot {verb}")
        self._diary.append(f"{verb} {self.name}")

    async def start(self) -> None:
        self._write("start")

    def stop(self) -> None:
        self._write("stop")


def lab(*parts: object) -> tuple[TradingOrchestrator, SimClock]:
    clock = SimClock(100 * S)
    orchestrator = TradingOrchestrator(bus=EventBus(clock=clock))
    for part in parts:
        orchestrator.register_component(name=getattr(part, "name", "plain"), component=part)
    return orchestrator, clock


@pytest.mark.promise(9)
async def test_components_start_in_order_and_stop_in_reverse() -> None:
    diary: list[str] = []
    orchestrator, _ = lab(Part("a", diary), Part("b", diary), object())
    await orchestrator.start()
    assert orchestrator.is_running
    await orchestrator.stop()
    assert diary == ["start a", "start b", "stop b", "stop a"]
    assert not orchestrator.is_running


async def test_a_failing_start_stops_what_was_started() -> None:
    diary: list[str] = []
    orchestrator, _ = lab(Part("a", diary), Part("b", diary, fails_at="start"), Part("c", diary))
    with pytest.raises(ValueError, match="b cannot start"):
        await orchestrator.start()
    assert diary == ["start a", "stop a"]
    assert (await orchestrator.health("b"))["error_message"] == "ValueError: b cannot start"


async def test_a_failing_stop_does_not_keep_the_others_running() -> None:
    diary: list[str] = []
    orchestrator, _ = lab(Part("a", diary), Part("b", diary, fails_at="stop"))
    await orchestrator.start()
    with pytest.raises(ValueError, match="b cannot stop"):
        await orchestrator.stop()
    assert diary[-1] == "stop a"


async def test_starting_twice_is_refused() -> None:
    orchestrator, _ = lab()
    await orchestrator.start()
    with pytest.raises(StateError):
        await orchestrator.start()


def test_a_name_is_given_once_and_an_unknown_one_is_refused_naming_the_known() -> None:
    orchestrator, _ = lab(Part("a", []))
    with pytest.raises(ParameterInvalid):
        orchestrator.register_component("a", object())
    with pytest.raises(ParameterInvalid, match="registered are: a"):
        orchestrator.breaker("b")


@pytest.mark.promise(10)
async def test_sync_and_async_functions_run_behind_the_breaker() -> None:
    orchestrator, _ = lab(Part("ml", []))

    async def later(x: int) -> int:
        return x + 1

    call = orchestrator.execute_with_circuit_breaker
    assert await call(component_name="ml", func=lambda x: x, x=1) == 1
    assert await call(component_name="ml", func=later, x=1) == 2


@pytest.mark.promise(11)
async def test_an_open_breaker_refuses_calls_but_not_cancels() -> None:
    orchestrator, clock = lab(Part("venue", []))

    def submit() -> None:
        raise ConnectionError("gone")

    call = orchestrator.execute_with_circuit_breaker
    for _ in range(5):
        with pytest.raises(ConnectionError):
            await call("venue", submit)
    with pytest.raises(CircuitOpen):
        await call("venue", submit)
    assert await call("venue", lambda: "cancelled", purpose="cancel") == "cancelled"
    clock.now_ns += 60 * S
    assert await call("venue", lambda: "sent") == "sent"


@pytest.mark.promise(60)
async def test_health_has_the_promised_shape() -> None:
    orchestrator, clock = lab(Part("ml", []), Part("execution_router", []))
    await orchestrator.start()
    breaker = orchestrator.breaker("ml")
    assert breaker is not None
    clock.now_ns += 3600 * S

    def bad() -> None:
        raise ValueError("API timeout")

    with pytest.raises(ValueError, match="API"):
        await orchestrator.execute_with_circuit_breaker("ml", bad)
    health = await orchestrator.health()
    assert health["orchestrator"] == {
        "running": True,
        "uptime_seconds": 3600,
        "overall_state": "degraded",
    }
    assert health["components"]["ml"] == {
        "state": "degraded",
        "last_check": 3700,
        "failure_count": 1,
        "circuit_breaker": "closed",
        "error_message": "ValueError: API timeout",
    }
    assert health["components"]["execution_router"]["state"] == "healthy"


async def test_a_component_adds_its_own_health() -> None:
    class Feed:
        name = "feed"

        async def health(self) -> dict[str, Any]:
            return {"watermark": 7}

    orchestrator, _ = lab(Feed())
    assert (await orchestrator.health("feed"))["watermark"] == 7


def test_a_failing_handler_is_counted_by_the_breaker_of_its_component() -> None:
    class Bad(Part):
        def on_tick(self, event: object) -> None:
            raise ValueError("bug")

    part = Bad("ml", [])
    orchestrator, _ = lab(part)
    bus = orchestrator.bus
    bus.on_failure = orchestrator.on_handler_failure
    bus.subscribe(EventType.TICK, part.on_tick)
    bus.drain(Tick("A", 1.0, 1.0, 1) for _ in range(5))
    breaker = orchestrator.breaker("ml")
    assert breaker is not None
    with pytest.raises(CircuitOpen):
        breaker.check()


async def test_a_fatal_error_is_not_a_matter_for_a_breaker() -> None:
    orchestrator, _ = lab(Part("journal", []))

    def bad() -> None:
        raise JournalWriteFailed("disk")

    with pytest.raises(JournalWriteFailed):
        await orchestrator.execute_with_circuit_breaker("journal", bad)
    breaker = orchestrator.breaker("journal")
    assert breaker is not None and breaker.failure_count == 0
