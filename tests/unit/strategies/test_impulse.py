# SPDX-License-Identifier: Apache-2.0
"""The Impulse Engine: when it enters, what protects it, when it leaves, when it waits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hean.core.bus import EventBus
from hean.core.module import Context
from hean.core.types import Candle, EventType, Liquidity, OrderFilled, Side, Signal
from hean.errors import ParameterInvalid
from hean.indicators import ATR
from hean.strategies.impulse import ImpulseEngine

SMALL = {"threshold": 2.0, "horizon": 2, "window": 20, "atr": 5, "hold": 4, "pause": 3}


class Trader:
    """The strategy alone on a bus; signals are kept, fills are made by hand."""

    def __init__(self, **given: Any) -> None:
        self.strategy = ImpulseEngine(("BTCUSDT",), {**SMALL, **given})
        self.bus = EventBus()
        self.signals: list[Signal] = []
        self.atr = ATR(5)
        self.fills = 0
        self.bus.subscribe(EventType.SIGNAL, lambda event: self.signals.append(event.data))
        self.strategy.attach(self.bus, Context(self.bus, self.bus.clock))

    def bar(self, close: float, volume: float = 10.0, symbol: str = "BTCUSDT") -> None:
        high, low = close * 1.001, close * 0.999
        if symbol == "BTCUSDT":
            self.atr.update(high, low, close)
        self.bus.drain((Candle(symbol, close, high, low, close, volume, "1m", 0),))

    def calm(self, bars: int = 110) -> None:
        """Small moves up and down with volumes that differ a little."""
        for index in range(bars):
            self.bar(100.0 + 0.1 * (index % 2), 10.0 + index % 3)

    def jump(self, to: float = 102.0, volume: float = 100.0) -> None:
        self.bar(to, volume)

    def fill(self, side: Side, liquidity: Liquidity = Liquidity.TAKER) -> None:
        self.fills += 1
        self.bus.drain(
            (
                OrderFilled(
                    "h0-impu-1", Decimal(100), Decimal(1), "BTCUSDT", side,
                    exec_id=f"e{self.fills}", liquidity=liquidity, strategy_id="impulse",
                ),
            )
        )  # fmt: skip

    def entries(self) -> list[Signal]:
        return [signal for signal in self.signals if not signal.reduce_only]


@pytest.mark.parametrize(("to", "side", "sign"), [(102.0, Side.BUY, 1), (98.0, Side.SELL, -1)])
def test_it_follows_a_large_move_with_volume_and_says_where_it_is_wrong(
    to: float, side: Side, sign: int
) -> None:
    trader = Trader(calm_max=100)
    trader.calm()
    assert trader.signals == []
    trader.jump(to)
    (signal,) = trader.signals
    assert (signal.side, signal.size, signal.strategy_id) == (side, None, "impulse")
    assert signal.stop_loss == pytest.approx(to - sign * 4 * trader.atr.value)
    assert signal.take_profit == pytest.approx(to + sign * 8 * trader.atr.value)
    assert signal.as_of_seq == 111  # the bar it was decided on


@pytest.mark.parametrize(
    ("given", "volume"),
    [
        ({"calm_max": 100}, 10.0),  # no volume behind it
        ({"calm_max": 100, "threshold": 20}, 100.0),  # not large enough
        ({"calm_max": 1.0}, 100.0),  # volatility has exploded
    ],
)
def test_it_does_not_enter_when_one_condition_fails(given: dict[str, Any], volume: float) -> None:
    trader = Trader(**given)
    trader.calm()
    trader.jump(volume=volume)
    assert trader.signals == []


def test_it_does_not_enter_before_its_windows_are_full() -> None:
    trader = Trader(calm_max=100)
    trader.calm(97)  # 20 bars make a deviation, 80 deviations their mean
    trader.jump()
    assert trader.signals == []


def test_bars_of_other_symbols_are_not_its_business() -> None:
    trader = Trader(calm_max=100)
    trader.calm()
    trader.bar(500.0, 1_000.0, "ETHUSDT")
    assert trader.signals == []


def test_it_leaves_when_time_is_up_and_insists_until_it_is_out() -> None:
    trader = Trader(calm_max=100)
    trader.calm()
    trader.jump()
    trader.fill(Side.BUY)
    for _ in range(3):
        trader.bar(102.0)
    assert not [signal for signal in trader.signals if signal.reduce_only]
    trader.bar(102.0)
    trader.bar(102.0)  # the first attempt came to nothing
    leaving = [signal for signal in trader.signals if signal.reduce_only]
    assert [(signal.side, signal.size) for signal in leaving] == [(Side.SELL, 1)] * 2
    trader.fill(Side.SELL)
    trader.bar(102.0)
    assert len([signal for signal in trader.signals if signal.reduce_only]) == 2


def test_it_enters_no_second_time_while_it_holds() -> None:
    trader = Trader(calm_max=100, hold=1_000)
    trader.calm()
    trader.jump()
    trader.fill(Side.BUY)
    trader.jump(110.0, 1_000.0)
    assert len(trader.entries()) == 1


@pytest.mark.parametrize(("liquidity", "entries"), [(Liquidity.TAKER, 1), (Liquidity.MAKER, 2)])
def test_it_waits_after_a_stop_and_not_after_a_target(liquidity: Liquidity, entries: int) -> None:
    trader = Trader(calm_max=100)
    trader.calm()
    trader.jump()
    trader.fill(Side.BUY)
    trader.fill(Side.SELL, liquidity)
    trader.jump(108.0, 1_000.0)
    assert len(trader.entries()) == entries


def test_the_same_bars_give_the_same_signals_to_the_last_digit() -> None:
    runs = []
    for _ in range(2):
        trader = Trader(calm_max=100)
        trader.calm()
        trader.jump()
        runs.append(trader.signals)
    assert runs[0] == runs[1] != []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"horizn": 3}, "nearest horizon"),
        ({"window": 5}, "nearest 20"),
        ({"stop": "far"}, "a float"),
        ({"hold": 0}, "nearest 1"),
    ],
)
def test_a_bad_parameter_refuses_to_start(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterInvalid, match=words):
        ImpulseEngine(("BTCUSDT",), given)
