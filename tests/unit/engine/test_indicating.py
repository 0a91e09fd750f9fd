# SPDX-License-Identifier: Apache-2.0
"""Indicators for a chart: those of the core, over the bars that are shown."""

from __future__ import annotations

import math

import pytest

from hean.core.types import Tick
from hean.engine.documents import Bar
from hean.engine.indicating import CHOSEN_MAX, KINDS, chosen_of, lines_of
from hean.engine.market import NS, MarketView
from hean.errors import ParameterInvalid
from hean.indicators import ATR, Bollinger

BARS = [
    Bar(ts=n * NS, open=p, high=p + 1.5, low=p - 1.0, close=p + math.sin(n), volume=1.0)
    for n, p in ((n, 100 + 5 * math.sin(n / 7)) for n in range(80))
]


def test_lines_are_what_a_strategy_would_have_been_told() -> None:
    lines = {line.name: line for line in lines_of(BARS, chosen_of("bollinger,atr:5"))}
    assert list(lines) == [
        "bollinger:20.upper", "bollinger:20.middle", "bollinger:20.lower", "atr:5",
    ]  # fmt: skip
    bands, atr = Bollinger(20), ATR(5)
    for number, bar in enumerate(BARS):
        bands.update(bar.close)
        atr.update(bar.high, bar.low, bar.close)
        for name, value in (("bollinger:20.upper", bands.upper), ("atr:5", atr.value)):
            shown = lines[name].values[number]
            assert shown == (None if math.isnan(value) else value)
    assert {line.pane for line in lines.values()} == {"price", "atr"}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("count", [0, 1, 80])
def test_every_kind_has_a_value_for_every_bar(name: str, count: int) -> None:
    for line in lines_of(BARS[:count], chosen_of(name)):
        assert len(line.values) == count


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("macd", "known: ema"),
        ("ema:1", "from 2 to 500"),
        ("rsi:501", "from 2 to 500"),
        ("", "no indicator"),
        ("ema:٣", "whole number"),
        (",".join(f"ema:{n + 2}" for n in range(CHOSEN_MAX + 1)), "at most"),
    ],
)
def test_what_is_no_indicator_is_refused_in_words(text: str, word: str) -> None:
    with pytest.raises(ParameterInvalid, match=word):
        chosen_of(text)


def test_longer_bars_are_made_of_the_ones_that_are_kept() -> None:
    view = MarketView(["X"])
    for second in range(0, 700, 2):
        price = 100 + 3 * math.sin(second / 50)
        tick = Tick("X", price, 0.5, second * NS, price - 1, price + 1)
        view.see(second * NS, (tick,))
    for seconds in (5, 30, 60, 300, 900):
        bars = view.bars("X", seconds)
        assert [bar.ts for bar in bars] == [n * seconds * NS for n in range(len(bars))]
        assert sum(bar.volume for bar in bars) == 175.0
        assert (bars[0].open, bars[-1].close) == (100.0, view.trades("X")[0].price)
        assert max(bar.high for bar in bars) == max(bar.high for bar in view.bars("X", 5))
