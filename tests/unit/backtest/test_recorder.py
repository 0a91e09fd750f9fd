# SPDX-License-Identifier: Apache-2.0
"""What a run keeps for people: samples at regular times, fills with the price decided at."""

from __future__ import annotations

from decimal import Decimal

import pytest

from desk import BTC, SECOND_NS, START_NS, Desk
from hean.backtest.recorder import SAMPLES_MAX, RunRecorder, sample_step_ns
from hean.core.timeframe import DAY_NS
from hean.core.types import OrderType, Side


def watched(step_s: int = 10) -> tuple[Desk, RunRecorder]:
    desk = Desk()
    recorder = RunRecorder(
        step_s * SECOND_NS,
        value=desk.system.portfolio.value,
        exposure=lambda: desk.system.exposure(desk.prices.get),
        reference=desk.prices.get,
    )
    desk.system.add(recorder)
    return desk, recorder


def test_samples_lie_on_the_step_with_first_and_last_added() -> None:
    desk, recorder = watched()
    desk.clock.now_ns += 3 * SECOND_NS
    recorder.begin(desk.clock.now_ns)
    desk.wait(25)
    recorder.end(desk.clock.now_ns)
    recorder.end(desk.clock.now_ns)
    times = recorder.record({}).sample_ts
    assert [int(ts - START_NS) / SECOND_NS for ts in times] == [3, 10, 20, 28]


def test_equity_and_exposure_are_those_of_the_moment() -> None:
    desk, recorder = watched()
    recorder.begin(desk.clock.now_ns)
    desk.fill(desk.ask("0.1", Side.SELL), "0.1", "e1")
    desk.prices[BTC] = 50_000.0
    desk.wait(10)
    record = recorder.record({})
    assert list(record.equity) == [10_000, 11_000]
    assert list(record.exposure) == [0, pytest.approx(-5_000 / 11_000)]


def test_a_fill_keeps_the_price_its_order_was_decided_at() -> None:
    desk, recorder = watched()
    market = desk.ask("0.1")
    limit = desk.ask("0.1", type=OrderType.LIMIT, price=Decimal(59_000))
    stop = desk.ask("0.1", Side.SELL, type=OrderType.STOP, trigger_price=Decimal(58_000))
    desk.prices[BTC] = 61_000.0
    for number, order_id in enumerate((market, limit, stop)):
        desk.fill(order_id, "0.1", f"e{number}")
    assert [fill.reference for fill in recorder.record({}).fills] == [60_000, 59_000, 58_000]
    assert recorder.orders == 3


def test_a_repeated_execution_is_recorded_once_and_refusals_are_counted() -> None:
    desk, recorder = watched()
    order_id = desk.ask("0.1")
    for _ in range(3):
        desk.fill(order_id, "0.1", "e1")
    desk.ask("99")
    assert len(recorder.record({}).fills) == 1
    assert (recorder.orders, recorder.rejected) == (1, 1)


@pytest.mark.parametrize("duration_ns", [1, DAY_NS, 30 * DAY_NS, 365 * DAY_NS, 6 * 365 * DAY_NS])
def test_the_step_divides_a_day_and_keeps_the_samples_bounded(duration_ns: int) -> None:
    step_ns = sample_step_ns(duration_ns)
    assert DAY_NS % step_ns == 0
    assert duration_ns / step_ns <= SAMPLES_MAX
