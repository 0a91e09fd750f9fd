# SPDX-License-Identifier: Apache-2.0
"""Ticks to bars: never early, never empty, trades before quotes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.driver import run_simulated
from hean.core.module import Context
from hean.core.types import Candle, Event, EventType, Payload, Tick, Timer
from hean.errors import ParameterInvalid
from hean.models.candles import CandleBuilder

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


class Tape:
    """A source that plays given ticks at their times."""

    def __init__(self, ticks: list[tuple[float, Tick]]) -> None:
        self.ticks = [(int(at_s * SECOND), tick) for at_s, tick in ticks]

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Everything is played."""

    def next(self, horizon_ns: int | None) -> tuple[int, tuple[Payload, ...]] | None:
        if not self.ticks:
            return None
        if horizon_ns is not None and horizon_ns <= self.ticks[0][0]:
            return horizon_ns, ()
        ts_ns, tick = self.ticks.pop(0)
        return ts_ns, (tick,)


def trade(price: float, volume: float = 1.0, symbol: str = "BTCUSDT") -> Tick:
    return Tick(symbol, price, volume, 0)


def bars(*ticks: tuple[float, Tick], timeframe: str = "1m") -> list[tuple[float, Candle]]:
    """(seconds at which it was emitted, bar) of everything built."""
    clock = SimClock()
    bus = EventBus(clock=clock)
    found: list[Event] = []
    bus.subscribe(EventType.CANDLE, found.append)
    CandleBuilder(timeframe).attach(bus, Context(bus, clock))
    run_simulated(bus, clock, Tape(list(ticks)))
    return [(event.ts_ns / SECOND, event.data) for event in found]


@pytest.mark.promise(37)
@pytest.mark.promise(38)
def test_a_bar_holds_open_high_low_close_and_volume_of_its_ticks() -> None:
    ticks = [(1, trade(10, 1)), (20, trade(13, 2)), (30, trade(8, 3)), (59, trade(9, 4))]
    ((at_s, bar),) = bars(*ticks, (61, trade(99)))
    assert at_s == 60
    assert bar == Candle("BTCUSDT", 10, 13, 8, 9, 10, "1m", 0)


def test_a_bar_ends_with_its_interval_and_not_with_the_next_tick() -> None:
    found = bars((1, trade(10)), (200, trade(11)), (400, trade(12)))
    assert [(at_s, bar.timestamp // MINUTE) for at_s, bar in found] == [(60, 0), (240, 3)]


def test_a_tick_on_the_boundary_opens_the_next_bar() -> None:
    found = bars((1, trade(10)), (60, trade(20)), (121, trade(30)))
    assert [(bar.open, bar.close) for _, bar in found] == [(10, 10), (20, 20)]


def test_a_time_without_trades_makes_no_bar() -> None:
    found = bars((1, trade(10)), (301, trade(11)), (400, trade(1)))
    assert [bar.timestamp // MINUTE for _, bar in found] == [0, 5]


def test_an_unfinished_bar_is_never_told() -> None:
    assert bars((1, trade(10)), (59, trade(11))) == []


def test_a_symbol_with_quotes_alone_gets_bars_of_their_middle() -> None:
    quotes = [(1, trade(10, 0)), (30, trade(14, 0)), (61, trade(11, 0)), (121, trade(9, 0))]
    found = [bar for _, bar in bars(*quotes)]
    assert [(bar.open, bar.high, bar.volume) for bar in found] == [(10, 14, 0), (11, 11, 0)]


def test_quotes_stop_counting_with_the_first_trade_even_inside_its_bar() -> None:
    ticks = [(1, trade(5, 0)), (61, trade(99, 0)), (70, trade(10)), (80, trade(1, 0))]
    found = [bar for _, bar in bars(*ticks, (90, trade(11)), (121, trade(10)))]
    assert [(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in found] == [
        (5, 5, 5, 5, 0),
        (10, 11, 10, 11, 2),
    ]


def test_symbols_are_built_apart_and_closed_together() -> None:
    ticks = [(1, trade(10)), (2, trade(3, 5, "ETHUSDT")), (70, trade(11))]
    found = bars(*ticks, (130, trade(1)))
    assert [(at_s, bar.symbol, bar.close) for at_s, bar in found] == [
        (60, "BTCUSDT", 10),
        (60, "ETHUSDT", 3),
        (120, "BTCUSDT", 11),
    ]


def test_another_modules_timer_closes_nothing() -> None:
    clock = SimClock()
    bus = EventBus(clock=clock)
    found: list[Event] = []
    bus.subscribe(EventType.CANDLE, found.append)
    CandleBuilder("1m").attach(bus, Context(bus, clock))
    bus.drain((trade(10),))
    clock.now_ns = 2 * MINUTE
    bus.drain((Timer("somebody.else"),))
    assert found == []


def test_a_timer_that_comes_late_closes_no_younger_bar() -> None:
    """Live, a busy loop may handle the next tick before the timer of the bar's end."""
    clock = SimClock()
    bus = EventBus(clock=clock)
    found: list[Event] = []
    bus.subscribe(EventType.CANDLE, found.append)
    CandleBuilder("1m").attach(bus, Context(bus, clock))
    bus.drain((trade(10),))
    clock.now_ns = 61 * SECOND
    bus.drain((trade(11),))
    timer = clock.pop_due(61 * SECOND)
    assert timer is not None
    bus.drain((timer,))
    assert [event.data.timestamp for event in found] == [0]


def test_a_timeframe_that_is_none_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match="15m"):
        CandleBuilder("1 minute")


TICKS = st.lists(
    st.tuples(st.integers(1, 90), st.integers(1, 100), st.integers(1, 9)), min_size=1, max_size=30
)


@given(TICKS, st.sampled_from(["1s", "15s", "1m", "5m"]))
def test_bars_equal_those_computed_from_the_whole_tape(
    steps: list[tuple[int, int, int]], timeframe: str
) -> None:
    """Method: group the ticks by interval afterwards; all but an unfinished last bar must come."""
    at_s, ticks = 0, []
    for wait_s, price, volume in steps:
        at_s += wait_s
        ticks.append((at_s, trade(float(price), float(volume))))
    length_s = CandleBuilder(timeframe).timeframe_ns // SECOND
    groups: dict[int, list[Tick]] = {}
    for at, tick in ticks:
        groups.setdefault(at // length_s, []).append(tick)
    expected = [
        ((index + 1) * length_s, [group[0].price, max(t.price for t in group),
          min(t.price for t in group), group[-1].price, sum(t.volume for t in group)])
        for index, group in groups.items()
        if (index + 1) * length_s <= at_s
    ]  # fmt: skip
    found = bars(*ticks, timeframe=timeframe)
    assert [(at, [b.open, b.high, b.low, b.close, b.volume]) for at, b in found] == expected
