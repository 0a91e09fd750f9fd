# SPDX-License-Identifier: Apache-2.0
"""`orchestrator.py`: what is alive. Starts components in the order they were registered, stops
them in reverse, counts their failures and answers how they are. It does not build them, and it
never restarts one by itself: a component that failed is a decision for a person or a breaker.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hean.core.breaker import FAILURE_THRESHOLD, REST_S, BreakerState, CircuitBreaker
from hean.core.bus import EventBus
from hean.core.types import Event
from hean.errors import FatalError, ParameterInvalid, StateError

T = TypeVar("T")


class Component:
    """One registered part and what is known of it."""

    __slots__ = ("breaker", "error_message", "is_running", "last_check_ns", "name", "part")

    def __init__(self, name: str, part: object, breaker: CircuitBreaker | None) -> None:
        self.name = name
        self.part = part
        self.breaker = breaker
        self.is_running = False
        self.error_message = ""
        self.last_check_ns = 0


class TradingOrchestrator:
    """Lifecycle, health and breakers of everything registered.

    A component is anything with an optional `start`, `stop` and `health`, sync or async. *now_ns*
    gives the time; without it the bus's clock does.
    """

    def __init__(self, bus: EventBus, *, now_ns: Callable[[], int] | None = None) -> None:
        self.bus = bus
        self._now_ns = now_ns or (lambda: bus.clock.now_ns)
        self._components: dict[str, Component] = {}
        self._running: list[Component] = []
        self._started_ns = 0
        self._is_running = False

    def register_component(
        self,
        name: str,
        component: object,
        *,
        circuit_breaker: bool = True,
        failure_threshold: int = FAILURE_THRESHOLD,
        timeout: float = REST_S,
    ) -> None:
        """Add a component under a name of its own.

        *failure_threshold*: failures in a row that open its breaker; *timeout*: seconds until the
        breaker lets a trial through. *Raises*: `ParameterInvalid` when the name is taken.
        """
        if name in self._components:
            raise ParameterInvalid(f"component {name!r} is registered already; choose a name.")
        breaker = None
        if circuit_breaker:
            breaker = CircuitBreaker(
                name, self._now_ns, failure_threshold=failure_threshold, timeout_s=timeout
            )
        self._components[name] = Component(name, component, breaker)

    @property
    def components(self) -> tuple[str, ...]:
        """Names in the order of registration."""
        return tuple(self._components)

    @property
    def is_running(self) -> bool:
        """Whether `start` has finished and `stop` has not begun."""
        return self._is_running

    def breaker(self, name: str) -> CircuitBreaker | None:
        """The breaker of a component, if it has one. *Raises*: `ParameterInvalid`."""
        return self._component(name).breaker

    async def start(self) -> None:
        """Start every component in order; if one fails, stop those already started and raise."""
        if self._is_running:
            raise StateError("the orchestrator is running; stop it before it starts again.")
        self._started_ns = self._now_ns()
        for component in self._components.values():
            try:
                await _call(component.part, "start")
            except Exception as error:
                component.error_message = _text(error)
                await self.stop()
                raise
            component.is_running = True
            component.error_message = ""
            self._running.append(component)
        self._is_running = True

    async def stop(self) -> None:
        """Stop in reverse order, every one even if one fails; then raise the first failure."""
        first: Exception | None = None
        self._is_running = False
        while self._running:
            component = self._running.pop()
            component.is_running = False
            try:
                await _call(component.part, "stop")
            except Exception as error:  # noqa: BLE001  # reason: the others must stop as well
                component.error_message = _text(error)
                first = first or error
        if first is not None:
            raise first

    async def execute_with_circuit_breaker(
        self,
        component_name: str,
        func: Callable[..., T | Awaitable[T]],
        *args: Any,
        purpose: str = "",
        **kwargs: Any,
    ) -> T:
        """Call *func*, sync or async, unless the component's breaker is open.

        *purpose*: `cancel`, `reduce_only` and `reconcile` are never refused. *Raises*:
        `CircuitOpen`, or what *func* raises.
        """
        component = self._component(component_name)
        breaker = component.breaker
        if breaker is not None:
            breaker.check(purpose)
        try:
            result = func(*args, **kwargs)
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:
            self._count_failure(component, error)
            raise
        if breaker is not None:
            breaker.succeeded()
        component.last_check_ns = self._now_ns()
        return result

    def on_handler_failure(self, component: str, error: Exception, event: Event) -> None:
        """Count a failed event handler; to be given to the bus as `on_failure`."""
        known = self._components.get(component)
        if known is not None:
            self._count_failure(known, error)

    async def health(self, name: str | None = None) -> dict[str, Any]:
        """How things are, in the shape of the integration guide; of one component with *name*."""
        if name is not None:
            return await self._health_of(self._component(name))
        components = {each.name: await self._health_of(each) for each in self._components.values()}
        states = {each["state"] for each in components.values()}
        worst = next((s for s in ("failed", "degraded", "stopped") if s in states), "healthy")
        uptime_ns = self._now_ns() - self._started_ns if self._is_running else 0
        return {
            "orchestrator": {
                "running": self.is_running,
                "uptime_seconds": uptime_ns // 1_000_000_000,
                "overall_state": worst,
            },
            "components": components,
        }

    def _component(self, name: str) -> Component:
        try:
            return self._components[name]
        except KeyError:
            known = ", ".join(self._components) or "none"
            raise ParameterInvalid(f"no component {name!r}; registered are: {known}.") from None

    def _count_failure(self, component: Component, error: Exception) -> None:
        if isinstance(error, FatalError):
            return  # the process ends; a breaker has no say in it
        component.error_message = _text(error)
        component.last_check_ns = self._now_ns()
        if component.breaker is not None:
            component.breaker.failed()

    async def _health_of(self, component: Component) -> dict[str, Any]:
        breaker = component.breaker
        state = breaker.state if breaker is not None else BreakerState.CLOSED
        failures = breaker.failure_count if breaker is not None else 0
        answer: dict[str, Any] = {
            "state": "stopped" if not component.is_running else "healthy",
            "last_check": component.last_check_ns // 1_000_000_000,
            "failure_count": failures,
            "circuit_breaker": str(state),
        }
        if component.is_running and state is BreakerState.OPEN:
            answer["state"] = "failed"
        elif component.is_running and (failures or state is BreakerState.HALF_OPEN):
            answer["state"] = "degraded"
        if component.error_message:
            answer["error_message"] = component.error_message
        own = await _call(component.part, "health")
        return answer | own if isinstance(own, dict) else answer


async def _call(part: object, method: str) -> Any:
    """Call an optional method, sync or async; `None` when the part has none."""
    function = getattr(part, method, None)
    result = function() if callable(function) else None
    return await result if inspect.isawaitable(result) else result


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
