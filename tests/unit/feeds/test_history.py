# SPDX-License-Identifier: Apache-2.0
"""Recorded files as a market: what is kept, cut and refused."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from desk import BTC, ETH, MINUTE_NS, START_NS, candle_file
from hean.backtest.assumptions import Assumptions
from hean.core.types import EventType
from hean.data.fingerprint import sha256_of
from hean.errors import DataInvalid, UnknownSymbol
from hean.feeds.history import History, load_history
from small_market import START_MS, SYMBOL, write_candles, write_funding

ALL = frozenset(EventType)


def played(history: History) -> list[tuple[int, str, int, float]]:
    """(time, symbol, opening time, close) of every bar a venue offers."""
    core = Assumptions().venue(Decimal(10_000), seed=0)
    for market in history.markets.values():
        core.add_instrument(market.rules.instrument, "0", "0", "0", "3")
    history.feed(core)
    core.subscribe(ALL)
    found = []
    while (instant := core.next(None)) is not None:
        ts_ns, facts = instant
        found += [(ts_ns, fact.symbol, fact.timestamp, fact.close) for fact in facts]
    return found


def at(minute: int) -> int:
    return START_NS + minute * MINUTE_NS


def test_every_bar_is_offered_when_it_ends(tmp_path: Path) -> None:
    history = load_history([candle_file(tmp_path, bars=10)], [BTC])
    bars = played(history)
    assert [ts for ts, *_ in bars] == [at(minute) for minute in range(1, 11)]
    assert all(ts == opened + MINUTE_NS for ts, _, opened, _ in bars)
    assert (history.start_ns, history.end_ns) == (at(0), at(10))
    assert history.markets[BTC].timeframe == "1m"


@pytest.mark.parametrize(
    ("start", "end", "opened"),
    [
        (at(3), None, range(3, 10)),
        (None, at(7), range(7)),
        (at(3), at(7), range(3, 7)),
        (at(3) + 1, at(7) - 1, range(4, 6)),
        (at(-50), at(50), range(10)),
    ],
)
def test_a_period_holds_the_bars_that_begin_and_end_in_it(
    tmp_path: Path, start: int | None, end: int | None, opened: range
) -> None:
    path = candle_file(tmp_path, bars=10)
    history = load_history([path], [BTC], start_ns=start, end_ns=end)
    bars = played(history)
    assert [opened_ns for _, _, opened_ns, _ in bars] == [at(minute) for minute in opened]
    ts, closes = history.closes(BTC)
    assert list(ts) == [ts_ns for ts_ns, *_ in bars]
    assert list(closes) == [close for *_, close in bars]


def test_the_chart_never_shows_a_close_after_the_end(tmp_path: Path) -> None:
    history = load_history([candle_file(tmp_path, bars=10)], [BTC], end_ns=at(5))
    assert history.closes(BTC)[0].max() == at(5)


def test_a_market_recorded_in_two_files_is_one_tape(tmp_path: Path) -> None:
    whole = load_history([candle_file(tmp_path, bars=20)], [BTC])
    (tmp_path / "parts").mkdir()
    parts = [
        candle_file(tmp_path / "parts", bars=8, first=12),
        candle_file(tmp_path / "parts", bars=12),
    ]
    history = load_history(parts, [BTC])
    assert played(history) == played(whole)
    for found, expected in zip(history.closes(BTC), whole.closes(BTC), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_two_symbols_are_played_together_in_order_of_time(tmp_path: Path) -> None:
    files = [candle_file(tmp_path, bars=5), candle_file(tmp_path, symbol=ETH, bars=5)]
    bars = played(load_history(files, [BTC, ETH]))
    assert [(ts, symbol) for ts, symbol, *_ in bars] == [
        (at(minute), symbol) for minute in range(1, 6) for symbol in (BTC, ETH)
    ]


def test_two_markets_of_one_pair_are_played_side_by_side(tmp_path: Path) -> None:
    perp = candle_file(tmp_path, bars=3)
    spot = tmp_path / perp.name.replace("_perp_", "_spot_")
    shutil.copy(perp, spot)
    names = [f"{BTC}@perp", f"{BTC}@spot"]
    history = load_history([spot, perp], names)
    kinds = {name: market.rules.instrument.kind for name, market in history.markets.items()}
    assert kinds == {names[0]: "linear", names[1]: "spot"}
    assert [(symbol, ts) for ts, symbol, *_ in played(history)] == [
        (name, at(minute)) for minute in range(1, 4) for name in names
    ]
    with pytest.raises(DataInvalid, match="BTCUSDT of several markets; name it BTCUSDT@perp or"):
        load_history([spot, perp], [BTC])
    with pytest.raises(UnknownSymbol, match="holds BTCUSDT of binance.spot; asked for BTCUSDT@per"):
        load_history([spot], names[:1])
    with pytest.raises(UnknownSymbol, match="fits BTCUSDT and BTCUSDT@spot; name their markets"):
        load_history([spot], [BTC, names[1]])


def test_what_was_read_is_described_by_its_checksum(tmp_path: Path) -> None:
    path = candle_file(tmp_path, bars=5)
    (found,) = load_history([path], [BTC]).fingerprints
    assert found == {
        "file": path.name,
        "sha256": sha256_of(path),
        "rows": 5,
        "first_ts": "2024-01-01T00:00:00Z",
        "last_ts": "2024-01-01T00:04:00Z",
        "gaps": 0,
    }


def test_a_file_of_another_symbol_is_refused_not_ignored(tmp_path: Path) -> None:
    btc, eth = candle_file(tmp_path, bars=5), candle_file(tmp_path, symbol=ETH, bars=5)
    with pytest.raises((UnknownSymbol, DataInvalid), match="ETHUSDT"):
        load_history([btc, eth], [BTC])
    other = candle_file(tmp_path, symbol="SOLUSDT", bars=5)
    with pytest.raises(UnknownSymbol, match="holds SOLUSDT of binance.perp; asked for BTC"):
        load_history([btc, other], [BTC, ETH])


def test_a_symbol_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="no prices of ETHUSDT"):
        load_history([candle_file(tmp_path, bars=5)], [BTC, ETH])


def test_no_files_and_an_empty_period_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="--data"):
        load_history([], [BTC])
    path = candle_file(tmp_path, bars=5)
    for start, end in [(at(5), None), (None, at(0)), (at(4), at(4)), (at(3), at(2))]:
        with pytest.raises(DataInvalid, match="2024-01-01T00:00:00Z to 2024-01-01T00:05:00Z"):
            load_history([path], [BTC], start_ns=start, end_ns=end)


def test_funding_alone_is_no_market(shared: Path) -> None:
    path = shared / "data/funding/binance_perp_BTCUSDT_8h_2020-01-01_2025-10-31.parquet"
    with pytest.raises(DataInvalid, match="no prices of BTCUSDT"):
        load_history([path], [BTC])


def test_a_capture_that_does_not_hold_the_symbol_is_refused(shared: Path) -> None:
    path = shared / "data/l2/binance_spot_NEXOUSDT_raw_2024-07-23.txt.gz"
    with pytest.raises((UnknownSymbol, DataInvalid), match="NEXOUSDT"):
        load_history([path], [BTC])


def test_a_capture_is_cut_to_the_period(shared: Path) -> None:
    path = shared / "data/l2/binance_spot_NEXOUSDT_raw_2024-07-23.txt.gz"
    whole = load_history([path], ["NEXOUSDT"])
    middle = (whole.start_ns + whole.end_ns) // 2
    history = load_history([path], ["NEXOUSDT"], start_ns=middle)
    ts, prices = history.closes("NEXOUSDT")
    assert 0 < len(ts) < len(whole.closes("NEXOUSDT")[0])
    assert ts.min() >= middle
    assert (prices > 0).all()


def test_funding_of_the_last_hours_is_paid(tmp_path: Path) -> None:
    """A settlement is an instant: the period need not go on for another eight hours."""
    files = [write_candles(tmp_path, 5, 8 * 12 + 2), write_funding(tmp_path, 5, 1)]
    history = load_history(files, [SYMBOL])
    core = Assumptions().venue(Decimal(10_000), seed=0)
    core.add_instrument(history.markets[SYMBOL].rules.instrument, "0", "0", "0", "3")
    history.feed(core)
    core.subscribe(ALL)
    paid = []
    while (instant := core.next(None)) is not None:
        paid += [instant[0] for fact in instant[1] if fact.event_type is EventType.FUNDING]
    assert len(paid) == 1  # at eight o'clock; that of midnight is before the first price
    assert paid[0] >= START_MS * 10**6 + 8 * 3_600 * 10**9
