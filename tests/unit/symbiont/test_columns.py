# SPDX-License-Identifier: Apache-2.0
"""A column that is frozen, shifted or scaled is found within 100 bars (quant/methods 17.5), on made
and on recorded markets; sound ones are left alone."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hean.core.types import Candle
from hean.errors import DataInvalid, FieldInvalid
from hean.symbiont.columns import FLOORS, REACTION_BARS, SAFETY, Column, Seen, learnt, look
from hean.symbiont.feed import Feed
from hean.symbiont.senses import Senses, columns_of
from immune_desk import chance, remembering

FAULTS = {
    "frozen": lambda value, spread, last: last,
    "gone": lambda value, spread, last: math.nan,
    "shifted up": lambda value, spread, last: value + 4 * spread,
    "shifted down": lambda value, spread, last: value - 4 * spread,
    "scaled by ten": lambda value, spread, last: value * 10,
    "scaled by a tenth": lambda value, spread, last: value / 10,
}
VALIDATION = 20_000
MINUTE_NS = 60 * 10**9
Row = dict[str, float]


def rows_of(columns: dict[str, np.ndarray], first: int, last: int) -> list[Row]:
    part = [values[first:last].tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*part, strict=True)]


def beyond(known: dict[str, Column], seen: dict[str, Seen], row: Row) -> list[str]:
    look(known, seen, row)
    return [name for name, column in known.items() if column.beyond(seen[name])]


def finds(known: dict[str, Column], seen: dict[str, Seen], rows: list[Row]) -> list[str]:
    return [name for row in rows for name in beyond(known, seen, row)]


def bars_until(
    known: dict[str, Column], seen: dict[str, Seen], rows: list[Row], name: str, fault: str
) -> int:
    """Bars of a broken column until it is found; 101 for never."""
    spread, last = known[name].scale.spread, seen[name].last
    heard = copy.deepcopy(seen)
    for bars, row in enumerate(rows[:REACTION_BARS], 1):
        if beyond(known, heard, row | {name: FAULTS[fault](row[name], spread, last)}):
            return bars
    return REACTION_BARS + 1


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_column_is_found_within_100_bars(memory, fault):
    values = remembering(chance(8, int(memory * 10)), VALIDATION, memory)
    known = learnt({"rsi": values})
    assert known["rsi"].hides == ()
    for agent in range(10):
        after = rows_of({"rsi": remembering(chance(10, agent), 600, memory)}, 0, 600)
        seen: dict[str, Seen] = {}
        assert finds(known, seen, after[:500]) == []
        assert bars_until(known, seen, after[500:], "rsi", fault) <= REACTION_BARS


@pytest.mark.parametrize("memory", [0.0, 0.8, 0.95])
def test_a_sound_column_is_left_alone(memory):
    known = learnt({"z": remembering(chance(11), VALIDATION, memory)})
    later = rows_of({"z": remembering(chance(12), 60_000, memory)}, 0, 60_000)
    assert finds(known, {}, later) == []


@pytest.mark.parametrize(
    ("record", "symbols"),
    [
        ("binance_perp_{}_1m_2025-05-04_2025-06-24", ("BTCUSDT", "ETHUSDT")),
        ("binance_perp_{}_5m_2024-12-31_2025-10-31", ("BTCUSDT", "ETHUSDT")),
        ("binance_spot_{}_1m_2025-06-01_2025-07-01", ("BTCUSDT",)),
    ],
)
def test_of_a_recorded_market_every_column_is_found_that_breaks_and_none_that_is_sound(
    shared: Path, record: str, symbols: tuple[str, ...]
) -> None:
    bars = {}
    for symbol in symbols:
        table = pl.read_parquet(shared / f"data/candles/{record.format(symbol)}.parquet")
        bars[symbol] = {name: table[name].to_numpy() for name in table.columns}
    columns = columns_of(bars)
    known = learnt({name: values[:VALIDATION] for name, values in columns.items()})
    assert [column.hides for column in known.values()] == [()] * len(known)
    seen: dict[str, Seen] = {}
    late = [
        (name, fault, bars)
        for first in range(VALIDATION, VALIDATION + 15_000, 3_000)
        if finds(known, seen, rows_of(columns, first, first + 3_000)) == []
        for name in columns
        for fault in FAULTS
        if (
            bars := bars_until(
                known, seen, rows_of(columns, first + 3_000, first + 3_100), name, fault
            )
        )
        > REACTION_BARS
    ]
    assert late == []


def test_news_that_all_columns_have_is_no_fault_and_news_of_one_is():
    """A market whose calm and wild hours its three columns share becomes ten times as wild."""
    draws = chance(21)
    mood = np.exp(remembering(draws, VALIDATION + 700, 0.99) / 7)
    columns = {name: draws.normal(size=len(mood)) * mood for name in ("a", "b", "c")}
    known = learnt({name: values[:VALIDATION] for name, values in columns.items()})
    rows = rows_of(columns, VALIDATION, VALIDATION + 700)
    seen: dict[str, Seen] = {}
    assert finds(known, seen, rows[:600]) == []
    for row in rows[600:]:
        row["a"] *= 10
    single, together = copy.deepcopy(seen), copy.deepcopy(seen)
    assert set(finds(known, single, rows[600:])) == {"a"}
    for row in rows[600:]:
        row["b"] *= 10
        row["c"] *= 10
    assert finds(known, together, rows[600:]) == []


def test_a_level_that_all_columns_have_is_no_fault_and_one_of_its_own_is():
    draws = chance(23)
    level = remembering(draws, VALIDATION + 700, 0.8)
    columns = {name: level + 0.3 * draws.normal(size=level.size) for name in ("a", "b", "c")}
    known = learnt({name: values[:VALIDATION] for name, values in columns.items()})
    rows = rows_of(columns, VALIDATION, VALIDATION + 700)
    seen: dict[str, Seen] = {}
    assert finds(known, seen, rows[:600]) == []
    moved = [{name: value + 6.0 for name, value in row.items()} for row in rows[600:]]
    assert finds(known, copy.deepcopy(seen), moved) == []
    alone = [row | {"a": row["a"] + 6.0} for row in rows[600:]]
    assert "a" in finds(known, copy.deepcopy(seen), alone)


def test_a_fault_is_over_soon_after_it_is_mended():
    """Shifted for 150 bars, of which the first few say so."""
    values = remembering(chance(24), VALIDATION + 900, 0.5)
    values[VALIDATION + 650 : VALIDATION + 800] += 4 * values[:VALIDATION].std()
    known = learnt({"z": values[:VALIDATION]})
    seen: dict[str, Seen] = {}
    rows = rows_of({"z": values}, VALIDATION, VALIDATION + 900)
    assert finds(known, seen, rows[:650]) == [] and finds(known, seen, rows[650:800])
    look(known, seen, rows[800])
    assert seen["z"].charts["high"] > known["z"].limits["high"]
    finds(known, seen, rows[801:860])
    assert seen["z"].charts["high"] <= known["z"].limits["high"]


def test_limits_are_what_the_charts_reached_when_the_same_bars_were_heard_one_by_one():
    values = remembering(chance(16), 3_000, 0.9)
    columns = {"one": values, "other": 0.5 * values + remembering(chance(17), 3_000, 0.5)}
    columns["one"][700:720] = math.nan
    known = learnt(columns)
    seen: dict[str, Seen] = {}
    highest: dict[tuple[str, str], float] = {}
    for row in rows_of(columns, 0, 3_000):
        look(known, seen, row)
        for name, each in seen.items():
            for chart, value in each.charts.items():
                highest[name, chart] = max(highest.get((name, chart), 0.0), value)
    for (name, chart), value in highest.items():
        if chart not in ("high", "low"):
            expected = max(FLOORS[chart], SAFETY * value)
            assert known[name].limits[chart] == pytest.approx(expected, rel=1e-9)
    assert known["one"].limits["still"] == SAFETY * 20


def test_a_column_says_what_it_hides():
    walk = np.cumsum(chance(13).normal(size=5_000))
    assert "shifted by 4 deviations" in learnt({"price": walk})["price"].hides
    flags = np.repeat(chance(14).integers(0, 2, 60), 200).astype(float)
    assert "frozen" in learnt({"flag": flags})["flag"].hides
    gaps = chance(17).normal(size=500)
    gaps[:30] = gaps[100:150] = math.nan
    assert learnt({"gaps": gaps})["gaps"].limits["still"] == SAFETY * 50


def test_a_column_may_warm_up_as_long_as_it_did():
    values = remembering(chance(19), 2_000)
    values[:14] = math.nan
    known = learnt({"rsi": values})
    assert finds(known, {}, rows_of({"rsi": values}, 0, 500)) == []
    silent: dict[str, Seen] = {}
    found = [beyond(known, silent, {"rsi": math.nan}) for _ in range(30)]
    assert next(at for at, each in enumerate(found, 1) if each) == 14 + 10 + 1


def test_columns_that_cannot_be_learnt_are_refused():
    with pytest.raises(DataInvalid, match="flag"):
        learnt({"flag": np.ones(500)})
    with pytest.raises(DataInvalid, match="one 300, other 301"):
        learnt({"one": chance(1).normal(size=300), "other": chance(1).normal(size=301)})
    with pytest.raises(FieldInvalid, match="rsi"):
        look(learnt({"rsi": chance(1).normal(size=300)}), {}, {"ema": 1.0})


def test_a_feed_says_what_it_cannot_promise_to_hear():
    flags = np.repeat(chance(14).integers(0, 2, 60), 200).astype(float)
    sound = remembering(chance(15), flags.size, 0.5)
    feed = Feed.of({"sound": sound, "flag": flags, "flat": np.ones(flags.size)})
    assert feed.deaf == ("flat",)
    one, other = feed.unsure()
    assert one == "feed: flat is not watched: the record says too little of it."
    assert other.startswith("feed: flag may be frozen") and "100 bars" in other
    assert feed.bar({"sound": 0.0, "flag": 1.0}) == [], "what is not watched need not be there"


def test_a_running_market_is_heard_as_a_record_is():
    draws = chance(20)
    times = {"BTCUSDT": np.arange(1, 40), "ETHUSDT": np.array([1, 2, 3, *range(9, 40)])}
    bars = {}
    for symbol, minutes in times.items():
        close = 100 * np.exp(np.cumsum(draws.normal(0, 1e-3, minutes.size)))
        reach = np.abs(draws.normal(0, 1e-3, minutes.size)) * (minutes % 5 > 0)
        volume = np.exp(draws.normal(size=minutes.size))
        bars[symbol] = {
            "ts": minutes * MINUTE_NS, "close": close, "high": close * (1 + reach),
            "low": close, "volume": volume,
        }  # fmt: skip
    candles = [
        Candle(symbol, close, high, low, close, volume, "1m", int(ts))
        for symbol, each in bars.items()
        for ts, close, high, low, volume in zip(
            *(each[name] for name in ("ts", "close", "high", "low", "volume")), strict=True
        )
    ]
    senses = Senses(tuple(bars))
    told = [senses.row(candle) for candle in sorted(candles, key=lambda it: it.timestamp)]
    heard = [row for row in told if row]
    recorded = columns_of(bars)
    for name, values in recorded.items():
        # The first bars say nothing; the last row waits for the bar after it.
        np.testing.assert_allclose([row[name] for row in heard], values[1:-1], rtol=1e-12)
    assert math.isnan(recorded["ETHUSDT change"][5])
    assert math.isnan(recorded["BTCUSDT range"][4])
