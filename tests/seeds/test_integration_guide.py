# SPDX-License-Identifier: Apache-2.0
"""The samples of the integration guide, run as they are printed.

`samples/*.txt` are the guide's code blocks, byte for byte. Each is executed with the names that
it uses but does not define (`asyncio`, `EventBus`, …); methods that a sample calls on itself and
leaves to the reader (`load_model`, `is_too_risky`, …) come from a subclass.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hean.core.bus import EventBus
from hean.core.orchestrator import TradingOrchestrator
from hean.core.simloop import SimLoop
from hean.core.types import Event, EventType, FeaturesReady, OrderRequest, Side, Tick
from hean.errors import CircuitOpen

HERE = Path(__file__).parent
TICK = Tick("BTCUSDT", 60_000.0, 0.5, 1)
ORDER = OrderRequest("BTCUSDT", Side.BUY, Decimal("0.1"), order_id="h1-test-1")


async def run_sample(name: str, **given: Any) -> dict[str, Any]:
    """Execute a sample, `await` at top level included. Returns the names it defined."""
    text = (HERE / "samples" / f"{name}.txt").read_text(encoding="utf-8")
    names: dict[str, Any] = {"asyncio": asyncio, "EventBus": EventBus, "Event": Event}
    names |= {"EventType": EventType, **given}
    code = compile(text, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    coroutine = eval(code, names)
    if coroutine is not None:
        await coroutine
    return names


def seen_by(bus: EventBus, event_type: EventType) -> list[Event]:
    seen: list[Event] = []
    bus.subscribe(event_type, seen.append)
    return seen


def exists(module: str) -> bool:
    package = module.rpartition(".")[0]
    return bool(importlib.util.find_spec(package) and importlib.util.find_spec(module))


def test_the_samples_are_those_of_the_guide() -> None:
    shared = Path(os.environ.get("HEAN_SHARED", HERE.parents[1].parent / "shared"))
    guide = shared / "seeds" / "3-hean-integration-guide.md"
    if not guide.exists():
        pytest.skip(f"needs the source documents in {shared}")
    text = guide.read_text(encoding="utf-8")
    for sample in sorted((HERE / "samples").glob("*.txt")):
        assert f"```python\n{sample.read_text(encoding='utf-8')}```" in text, sample.name


@pytest.mark.promise(1)
@pytest.mark.promise(2)
@pytest.mark.promise(3)
@pytest.mark.promise(5)
async def test_sample_1_a_module_turns_ticks_into_signals() -> None:
    names = await run_sample("1_bus")
    bus = names["EventBus"]()
    signals = seen_by(bus, EventType.SIGNAL)
    await names["MyModule"](bus).start()
    await bus.publish(Event(event_type=EventType.TICK, data=TICK))
    bus.drain()
    (signal,) = signals
    assert (signal.data["symbol"], signal.data.side) == ("BTCUSDT", Side.BUY)
    assert (signal.data.size, signal.data.signal_strength) == (None, 1.0)


@pytest.mark.promise(6)
@pytest.mark.promise(7)
@pytest.mark.promise(8)
@pytest.mark.promise(9)
async def test_sample_2_the_orchestrator_starts_a_registered_module() -> None:
    bus = EventBus()
    my_module = (await run_sample("1_bus"))["MyModule"](bus)
    names = await run_sample("2_orchestrator", event_bus=bus, my_module=my_module)
    assert bus.wanted() == {EventType.TICK}
    breaker = names["orchestrator"].breaker("my_module")
    assert (breaker.failure_threshold, breaker.timeout_s) == (5, 60.0)


@pytest.mark.promise(12)
@pytest.mark.promise(40)
def test_sample_3_a_model_answers_within_its_timeout_in_virtual_time() -> None:
    loop = SimLoop()
    bus = EventBus(clock=loop.clock, mailboxes=True, loop=loop)
    predictions = seen_by(bus, EventType.ML_PREDICTION)

    class Model:
        def predict(self, features: dict[str, float]) -> float:
            return features["rsi"] / 100

    async def main() -> None:
        names = await run_sample("3_ml_model")

        class Loaded(names["MyMLModel"]):  # type: ignore[misc]  # made by the sample
            def load_model(self) -> Model:
                return Model()

        await Loaded(bus).start()
        bus.emit(FeaturesReady("BTCUSDT", {"rsi": 30}))
        await bus.drain_async()

    loop.run_until_complete(main())
    loop.close()
    assert [event.data["prediction"] for event in predictions] == [0.3]


@pytest.mark.promise(12)
def test_sample_3_a_slow_model_times_out_after_a_virtual_tenth_of_a_second() -> None:
    loop = SimLoop()
    failures: list[tuple[str, str]] = []

    def on_failure(component: str, error: Exception, event: Event) -> None:
        failures.append((component, type(error).__name__))

    bus = EventBus(clock=loop.clock, mailboxes=True, loop=loop, on_failure=on_failure)

    async def main() -> None:
        names = await run_sample("3_ml_model")

        class Slow(names["MyMLModel"]):  # type: ignore[misc]  # made by the sample
            def load_model(self) -> None:
                """The model is not asked."""

            async def predict(self, features: dict[str, float]) -> float:
                await asyncio.sleep(60)
                return 0.0

        await Slow(bus).start()
        bus.emit(FeaturesReady("BTCUSDT", {}))
        await bus.drain_async()

    loop.run_until_complete(main())
    assert failures == [("Slow", "TimeoutError")]
    assert loop.time() == pytest.approx(0.1, abs=1e-6)
    loop.close()


@pytest.mark.promise(10)
@pytest.mark.promise(11)
async def test_sample_6_a_call_is_protected_by_the_breaker() -> None:
    class Engine:
        async def predict(self, features: str) -> str:
            return f"seen {features}"

    orchestrator = TradingOrchestrator(bus=EventBus())
    orchestrator.register_component("ml_engine", Engine(), failure_threshold=1)
    given = {"orchestrator": orchestrator, "ml_engine": Engine(), "features": "x"}
    names = await run_sample("6_circuit_breaker", **given)
    assert names["result"] == "seen x"
    breaker = orchestrator.breaker("ml_engine")
    assert breaker is not None
    breaker.failed()
    with pytest.raises(CircuitOpen, match="Circuit breaker is OPEN"):
        await run_sample("6_circuit_breaker", **given)


if exists("hean.risk.risk_governor"):

    @pytest.mark.promise(4)
    @pytest.mark.promise(13)
    @pytest.mark.promise(14)
    @pytest.mark.parametrize("is_risky", [False, True])
    async def test_sample_4_a_custom_check_approves_or_rejects(is_risky: bool) -> None:
        names = await run_sample("4_risk_check")

        class Check(names["CustomRiskCheck"]):  # type: ignore[misc]  # made by the sample
            def is_too_risky(self, order: OrderRequest) -> bool:
                return is_risky

        bus = EventBus()
        approved = seen_by(bus, EventType.ORDER_APPROVED)
        rejected = seen_by(bus, EventType.ORDER_REJECTED)
        await Check(bus).start()
        bus.emit(ORDER)
        bus.drain()
        assert [event.data.order_id for event in approved] == ([] if is_risky else [ORDER.id])
        assert [event.data["id"] for event in rejected] == ([ORDER.id] if is_risky else [])
        for event in approved:
            assert (event.data.size, event.data.ticket) == (Decimal("0.1"), None)
        for event in rejected:
            assert event.data.reason == "Risk limit exceeded"


if exists("hean.execution.router"):

    @pytest.mark.promise(15)
    @pytest.mark.promise(16)
    async def test_sample_5_a_custom_execution_reports_a_fill() -> None:
        names = await run_sample("5_execution")

        class Execution(names["CustomExecutionStrategy"]):  # type: ignore[misc]  # by the sample
            async def execute_with_strategy(self, order: Any) -> dict[str, Any]:
                return {
                    "order_id": order["id"],
                    "fill_price": self.exchange["price"],
                    "filled_qty": order["size"],
                }

        bus = EventBus()
        fills = seen_by(bus, EventType.ORDER_FILLED)
        await Execution(bus, {"price": 60000.1}).start()
        bus.emit(Event(EventType.ORDER_APPROVED, ORDER))
        bus.drain()
        (fill,) = fills
        assert (fill.data.fill_price, fill.data.filled_qty) == (Decimal("60000.1"), Decimal("0.1"))
