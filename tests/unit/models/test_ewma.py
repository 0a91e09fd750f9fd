# SPDX-License-Identifier: Apache-2.0
"""The volatility forecast against its formula, written down once more in the plainest way."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.bus import EventBus
from hean.core.module import Context
from hean.core.types import Candle, EventType, VolForecast
from hean.models.ewma import EwmaVolatility


def forecasts(closes: list[float], timeframe: str = "1h") -> list[VolForecast]:
    return [told for told in told_by([("BTCUSDT", close) for close in closes], timeframe)]


def told_by(bars: list[tuple[str, float]], timeframe: str = "1h") -> list[VolForecast]:
    bus = EventBus()
    found: list[VolForecast] = []
    bus.subscribe(EventType.VOL_FORECAST, lambda event: found.append(event.data))
    EwmaVolatility().attach(bus, Context(bus, bus.clock))
    for symbol, close in bars:
        bus.drain((Candle(symbol, close, close, close, close, 1.0, timeframe, 0),))
    return found


def formula(closes: list[float], bars_per_day: float) -> float:
    """Variance of the latest return backwards: 0.94 for the past, a plain mean while young."""
    squares = [math.log(b / a) ** 2 for a, b in pairwise(closes)]
    young = squares[:16]  # 1/16 is the last weight above 0.06
    variance = sum(young) / len(young)
    for square in squares[16:]:
        variance = 0.94 * variance + 0.06 * square
    return math.sqrt(variance * bars_per_day)


CLOSES = st.lists(st.floats(50, 200), min_size=21, max_size=80)


@given(CLOSES)
def test_every_forecast_equals_the_formula_on_the_bars_so_far(closes: list[float]) -> None:
    found = forecasts(closes)
    assert len(found) == len(closes) - 20
    for index, told in enumerate(found):
        assert told.sigma == pytest.approx(formula(closes[: 21 + index], 24.0), abs=1e-12)


def test_nothing_is_told_before_twenty_returns() -> None:
    assert forecasts([100.0 + i % 2 for i in range(20)]) == []


@given(CLOSES, st.floats(1, 1_000))
def test_a_later_bar_changes_no_earlier_forecast(closes: list[float], later: float) -> None:
    assert forecasts([*closes, later])[: len(closes) - 20] == forecasts(closes)


def test_the_forecast_is_per_day_whatever_the_bar() -> None:
    closes = [100.0 * 1.01 ** (i % 2) for i in range(40)]
    hourly, daily = (forecasts(closes, timeframe)[-1] for timeframe in ("1h", "1d"))
    assert hourly.sigma == pytest.approx(daily.sigma * math.sqrt(24))
    assert hourly.horizon_s == daily.horizon_s == 86_400
    assert daily.sigma == pytest.approx(math.log(1.01))


def test_symbols_do_not_mix() -> None:
    quiet = [("BTCUSDT", 100.0 * 1.001 ** (i % 2)) for i in range(30)]
    wild = [("ETHUSDT", 100.0 * 1.1 ** (i % 2)) for i in range(30)]
    mixed = told_by([bar for pair in zip(quiet, wild, strict=True) for bar in pair])
    assert [told for told in mixed if told.symbol == "BTCUSDT"] == told_by(quiet)
