# SPDX-License-Identifier: Apache-2.0
"""Reading recorded captures: every file of the shared data set against what its manifest states,
and damaged files of every sort.

The book is rebuilt here by a naive dictionary with two lazy heaps, which shares no code with the
core: after each event the best bid must stand below the best ask.
"""

from __future__ import annotations

import gzip
import heapq
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hean._core import EVENT_END, SNAPSHOT_BEGIN
from hean.errors import DataInvalid, UnknownSymbol
from hean.feeds.capture import Capture, read_capture

MS = 1_000_000

# file(s), market, depth snapshots, trades file, receive unit, median receive offset in ms
CAPTURES = [
    ("binance_perp_BTCUSDT_raw_2023-04-04.txt.gz", "linear", 1, None, "us", -2),
    ("binance_perp_BTCUSDT_raw_2024-08-08.txt.gz", "linear", 1, "same", "ns", -1269),
    ("binance_perp_ETHUSDT_raw_2024-08-08.txt.gz", "linear", 1, "same", "ns", -1269),
    ("binance_spot_BTCUSDT_raw_2023-04-05.txt.gz", "spot", 0, "same", "us", 4),
    ("binance_spot_BTCUSDT_raw_2024-08-08.txt.gz", "spot", 1, "same", "ns", -1271),
    ("binance_spot_ETHUSDT_raw_2024-08-08.txt.gz", "spot", 1, "same", "ns", -1272),
    ("binance_spot_NEXOUSDT_raw_2024-07-23.txt.gz", "spot", 1, None, "us", -23),
]
PAIRS = [
    (
        "binance_perp_BTCUSDT_raw_2023-04-04.txt.gz",
        "binance_perp_BTCUSDT_raw_2023-04-05.txt.gz",
        "binance_perp_BTCUSDT_trades_2023-04-04_05.parquet",
    ),
    (
        "binance_spot_NEXOUSDT_raw_2024-07-23.txt.gz",
        "binance_spot_NEXOUSDT_raw_2024-07-24.txt.gz",
        "binance_spot_NEXOUSDT_trades_2024-07-23_24.parquet",
    ),
]
BYBIT = "ws/bybit_v5_linear_spot_raw_2026-08-09.jsonl.gz"
BYBIT_BOOKS = [
    ("BTCUSDT", "linear"),
    ("ETHUSDT", "linear"),
    ("SOLUSDT", "linear"),
    ("DOGEUSDT", "linear"),
    ("BTCUSDT", "spot"),
    ("ETHUSDT", "spot"),
]


def rebuild(capture: Capture) -> tuple[int, int]:
    """Events replayed and levels at the end; fails where the book crosses."""
    levels: tuple[dict[float, float], dict[float, float]] = ({}, {})
    heaps: tuple[list[float], list[float]] = ([], [])
    events = 0
    columns = ("side", "price", "quantity", "flags")
    rows = zip(*(capture.depth[name].tolist() for name in columns), strict=True)
    for side, price, quantity, flags in rows:
        if flags & SNAPSHOT_BEGIN:
            for part in (*levels, *heaps):
                part.clear()
        if quantity == 0.0:
            levels[side].pop(price, None)
        else:
            if price not in levels[side]:
                heapq.heappush(heaps[side], price if side else -price)
            levels[side][price] = quantity
        if flags & EVENT_END:
            events += 1
            for book, heap, sign in zip(levels, heaps, (-1.0, 1.0), strict=True):
                while heap and sign * heap[0] not in book:
                    heapq.heappop(heap)
            if heaps[0] and heaps[1]:
                assert -heaps[0][0] < heaps[1][0], f"crossed after {events} events"
    return events, len(levels[0]) + len(levels[1])


def assert_equal_trades(capture: Capture, path: Path) -> None:
    expected = pl.read_parquet(path)
    trades = capture.trades
    assert len(trades["price"]) == expected.height
    np.testing.assert_array_equal(trades["ts_ns"], expected["ts"].to_numpy() * MS)
    np.testing.assert_array_equal(trades["price"], expected["price"].to_numpy())
    np.testing.assert_array_equal(trades["quantity"], expected["qty"].to_numpy())
    np.testing.assert_array_equal(trades["side"] == 1, expected["side"].to_numpy() == "sell")
    np.testing.assert_array_equal(trades["id"], expected["id"].to_numpy())


def assert_sound(capture: Capture) -> None:
    report = capture.report
    assert report.bad_lines == (0, [])
    assert report.gaps == (0, [])
    assert sum(report.frames.values()) + sum(report.ignored.values()) <= report.lines
    for table in (capture.depth, capture.trades, capture.quotes, capture.marks):
        assert np.all(np.diff(table["ts_ns"]) >= 0)
        assert np.all(np.diff(table["arrival"]) >= 0)
    quotes = capture.quotes
    assert np.all(quotes["bid"] < quotes["ask"])


@pytest.mark.parametrize(("name", "market", "snapshots", "trades", "unit", "offset_ms"), CAPTURES)
def test_each_binance_capture_reads_as_its_manifest_says(
    shared: Path,
    name: str,
    market: str,
    snapshots: int,
    trades: str | None,
    unit: str,
    offset_ms: int,
) -> None:
    capture = read_capture(shared / "data" / "l2" / name)
    report = capture.report
    assert_sound(capture)
    assert (report.venue, report.market) == ("binance", market)
    assert report.symbol == name.split("_")[2]
    assert report.snapshots == snapshots
    assert report.receive_unit == unit
    assert report.receive_backward == 0
    assert abs(report.receive_offset_ns[2] / MS - offset_ms) < 1.5
    events, levels = rebuild(capture)
    if snapshots:
        assert report.unseeded_deltas == 0
        assert events > 1000
        assert levels > 500
    else:
        assert (events, report.unseeded_deltas) == (0, report.frames["depth_delta"])
    if trades:
        parquet = name.replace("_raw_", "_trades_").replace(".txt.gz", ".parquet")
        assert_equal_trades(capture, shared / "data" / "trades" / parquet)


@pytest.mark.parametrize(("first", "second", "trades"), PAIRS)
def test_a_continuation_carries_the_book_on_without_a_gap(
    shared: Path, first: str, second: str, trades: str
) -> None:
    folder = shared / "data" / "l2"
    alone = read_capture(folder / second)
    assert len(alone.depth["price"]) == 0
    assert alone.report.unseeded_deltas == alone.report.frames["depth_delta"]
    both = read_capture([folder / first, folder / second])
    assert_sound(both)
    assert both.report.unseeded_deltas == 0
    events, _ = rebuild(both)
    assert events > alone.report.unseeded_deltas
    assert_equal_trades(both, shared / "data" / "trades" / trades)


@pytest.mark.parametrize(("symbol", "market"), BYBIT_BOOKS)
def test_each_bybit_book_rebuilds_with_all_its_levels(
    shared: Path, symbol: str, market: str
) -> None:
    capture = read_capture(shared / "data" / BYBIT, symbol, market=market)  # type: ignore[arg-type]
    assert_sound(capture)
    assert (capture.report.venue, capture.report.market) == ("bybit", market)
    events, levels = rebuild(capture)
    assert events > 200
    assert levels == 400, "orderbook.200 holds 200 levels a side after every delta"
    assert 100 < capture.report.receive_offset_ns[2] / MS < 125
    assert len(capture.trades["price"]) > 5
    ids = capture.trades["id"]
    assert ids.dtype.kind == ("U" if market == "linear" else "i")


def test_the_official_bybit_download_reads_from_its_zip(shared: Path) -> None:
    capture = read_capture(shared / "data" / "ws" / "bybit_v5_ob500_XRPUSDT_2024-12-01.zip")
    assert_sound(capture)
    assert (capture.report.symbol, capture.report.market) == ("XRPUSDT", None)
    assert rebuild(capture) == (50, 1000)


def test_a_file_with_several_symbols_asks_for_one(shared: Path) -> None:
    with pytest.raises(DataInvalid, match=r"BTCUSDT linear, .*choose by symbol and market"):
        read_capture(shared / "data" / BYBIT)
    with pytest.raises(DataInvalid, match="BTCUSDT spot"):
        read_capture(shared / "data" / BYBIT, "BTCUSDT")
    with pytest.raises(UnknownSymbol, match="no XBTUSD in the capture; it has BTCUSDT"):
        read_capture(shared / "data" / BYBIT, "XBTUSD")


def test_a_prefix_of_a_capture_gives_a_prefix_of_its_rows(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "l2" / "binance_spot_ETHUSDT_raw_2024-08-08.txt.gz"
    whole = read_capture(source)
    with gzip.open(source, "rb") as stream:
        head = [stream.readline() for _ in range(5000)]
    (tmp_path / "head.txt").write_bytes(b"".join(head))
    part = read_capture(tmp_path / "head.txt")
    for name in ("depth", "trades", "quotes"):
        for column, values in getattr(part, name).items():
            np.testing.assert_array_equal(values, getattr(whole, name)[column][: len(values)])
        assert len(getattr(part, name)["ts_ns"]) > 100


TRADE = (
    b'1700000000001000 {"stream":"xusdt@trade","data":{"e":"trade","E":1700000000000,'
    b'"s":"XUSDT","t":1,"p":"10","q":"1","T":1700000000000,"m":true}}\n'
)


@pytest.mark.parametrize("suffix", ["txt", "gz", "zip"])
def test_packing_is_known_by_content_not_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "capture.dat"
    if suffix == "gz":
        path.write_bytes(gzip.compress(TRADE))
    elif suffix == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", TRADE)
    else:
        path.write_bytes(TRADE)
    assert read_capture(path).trades["price"].tolist() == [10.0]


def test_damaged_files_are_refused_with_their_name_and_reason(tmp_path: Path) -> None:
    packed = gzip.compress(TRADE * 50_000)
    broken = bytearray(packed)
    broken[len(broken) // 2] ^= 0xFF
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a", TRADE)
        archive.writestr("b", TRADE)
    cases = {
        "empty.txt": (b"", "is empty"),
        "cut.gz": (packed[:-20], "ends early"),
        "broken.gz": (bytes(broken), r"damaged|ends early"),
        "fake.zip": (b"PK\x03\x04 not a zip", "damaged"),
        "binary.bin": (bytes(range(256)) * 100, "no frame understood; line 1"),
        "candles.csv": (b"ts,open,high\n1,2,3\n", "no frame understood; line 1"),
        "halfline.txt": (TRADE + TRADE[:90], "1 bad lines, allowed 0; line 2: "),
        "two.zip": (None, "2 files in the archive"),
    }
    for name, (content, why) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DataInvalid, match=why) as caught:
            read_capture(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(DataInvalid, match="cannot be read"):
        read_capture(tmp_path / "missing.gz")
    with pytest.raises(DataInvalid, match="cannot be read"):
        read_capture(tmp_path)


def test_bad_lines_may_be_allowed_and_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TRADE + b"garbage\n" + TRADE)
    report = read_capture(path, bad_lines_max=1).report
    assert report.bad_lines[0] == 1
    assert report.bad_lines[1][0][0] == 2
    assert report.frames == {"trades": 2}
