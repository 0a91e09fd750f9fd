# SPDX-License-Identifier: Apache-2.0
"""The rules of a symbol fit what was recorded of it."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bad_data_files import candle, candles
from hean.data.instruments import _table, fees_for, instrument_for, on_grid, rules_for, tiers_of
from hean.data.reader import read_columns
from hean.errors import UnknownSymbol


def test_every_recorded_price_lies_on_the_tick_of_its_rules(shared: Path) -> None:
    """Mark prices are excepted: nothing trades there. No file may need derived steps."""
    files = [*(shared / "data/candles").glob("*"), *(shared / "data/trades").glob("*")]
    checked = 0
    for path in sorted(files):
        if "_flow_" in path.name or "_mark_" in path.name:
            continue
        columns = read_columns(path)
        rules = rules_for([columns])
        names = ("price",) if "price" in columns.values else ("open", "high", "low", "close")
        for name in names:
            assert on_grid(columns.values[name], rules.instrument.tick_size), path.name
        assert not any("derived" in text for text in rules.assumptions), path.name
        checked += 1
    assert checked >= 40


def test_every_row_of_the_table_is_a_valid_instrument() -> None:
    for key, row in _table()["instruments"].items():
        venue, market, symbol = key.split(".")
        for tick in (row["tick"], *row.get("ticks_historic", ())):
            assert instrument_for(venue, market, symbol, tick=tick).symbol == symbol


def test_tier_deductions_make_maintenance_margin_continuous() -> None:
    for key in _table()["tiers"]:
        tiers = [tuple(map(Decimal, tier)) for tier in tiers_of(key)]
        assert len(tiers) >= 2
        for (cap, initial, rate, cut), (_, _, next_rate, next_cut) in pairwise(tiers):
            assert cap * rate - cut == cap * next_rate - next_cut
            assert rate < initial


def test_finer_recordings_choose_the_historic_tick_and_say_so(tmp_path: Path) -> None:
    columns = read_columns(candles(candle(0), candle(1, "100.01,110,90,105,7"))(tmp_path))
    rules = rules_for([columns])
    assert rules.tick == "0.01"
    assert "finer than today's 0.1" in rules.assumptions[0]


def test_unknown_symbol_gets_derived_steps_and_says_so(tmp_path: Path) -> None:
    name = "binance_perp_NEWUSDT_1h.csv"
    columns = read_columns(candles(candle(0), candle(1, "1.25,2,1,1.5,0.125"), name=name)(tmp_path))
    rules = rules_for([columns])
    assert (rules.tick, rules.lot) == ("0.01", "0.001")
    assert "derived from the data's decimals" in rules.assumptions[0]


def test_unknown_symbol_without_data_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownSymbol, match="known: .*BTCUSDT.*ETHUSDT"):
        instrument_for("bybit", "perp", "MOONUSDT")


def test_mark_prices_are_not_traded(tmp_path: Path) -> None:
    columns = read_columns(
        candles(candle(0), candle(1), name="binance_mark_BTCUSDT_1h.csv")(tmp_path)
    )
    with pytest.raises(UnknownSymbol, match="not traded"):
        rules_for([columns])


@pytest.mark.parametrize(
    ("venue", "market", "taker", "maker"),
    [
        ("binance", "perp", "0.0005", "0.0002"),
        ("bybit", "perp", "0.00055", "0.0002"),
        ("binance", "spot", "0.001", "0.001"),
        (None, "spot", "0.001", "0.001"),
    ],
)
def test_default_fees(venue: str | None, market: str, taker: str, maker: str) -> None:
    fees = fees_for(venue, market)
    assert (fees.taker, fees.maker) == (Decimal(taker), Decimal(maker))


def test_on_grid_tells_a_cent_from_a_tenth() -> None:
    assert on_grid(np.array([60000.1, 0.3, 1e6]), 0.1)
    assert not on_grid(np.array([60000.1, 60000.15]), 0.1)
