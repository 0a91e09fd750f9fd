# SPDX-License-Identifier: Apache-2.0
"""What the reader accepts, proves and reports; the recorded data set is its oracle."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bad_data_files import (
    CANDLES,
    GOOD,
    HOUR_MS,
    START_MS,
    TRADE,
    TRADES,
    candle,
    candles,
    frame,
    rows,
    text,
)
from hean.data.fingerprint import fingerprint, iso_utc
from hean.data.identity import from_path
from hean.data.reader import read_columns
from hean.data.schema import Kind
from hean.errors import DataInvalid

NOW_NS = 1_800_000_000 * 10**9


def test_recorded_files_have_the_gaps_of_their_manifest(shared: Path) -> None:
    """Every Parquet file of a known kind: kind, rows, times, gaps and checksum as recorded."""
    root = shared / "data"
    known = {kind.value for kind in Kind}
    files = json.loads((root / "manifest.json").read_text())["files"]
    files = [f for f in files if f["kind"] in known and f["path"].endswith(".parquet")]
    assert len(files) >= 50
    for facts in files:
        columns = read_columns(root / facts["path"])
        seen = fingerprint(columns)
        holes = facts["id_gaps"] if facts["kind"] == "trades" else facts["gap_count"]
        assert (columns.kind, seen["rows"], seen["gaps"]) == (facts["kind"], facts["rows"], holes)
        assert seen["sha256"] == facts["sha256"]
        assert columns.ts[0] == facts["ts_first"] * 1_000_000
        assert columns.ts[-1] == facts["ts_last"] * 1_000_000
        assert (columns.venue, columns.symbol) == (facts["venue"], facts["symbol"])
        if facts["kind"] != "trades":
            assert columns.gaps.missing == facts["missing_bars"]
            assert columns.timeframe == facts["tf"]


def test_recorded_files_of_other_shapes_are_refused(shared: Path) -> None:
    for path in sorted((shared / "data/basis").glob("*.parquet")):
        with pytest.raises(DataInvalid, match="known kind|unknown column"):
            read_columns(path)


@pytest.mark.parametrize("unit", [(1, 1000, "s"), (1, 1, "ms"), (1000, 1, "us"), (10**6, 1, "ns")])
def test_time_unit_is_proven_by_magnitude(unit: tuple[int, int, str], tmp_path: Path) -> None:
    times, over, name = unit
    lines = [f"{(START_MS + i * HOUR_MS) * times // over},100,110,90,105,7" for i in range(3)]
    columns = read_columns(candles(*lines)(tmp_path))
    assert columns.unit == name
    assert columns.ts[0] == START_MS * 1_000_000


def test_csv_gzip_crlf_bom_and_column_order_do_not_matter(tmp_path: Path) -> None:
    plain = read_columns(text(CANDLES, GOOD)(tmp_path))
    shuffled = pl.read_csv(GOOD).select("volume", "ts", "low", "high", "close", "open")
    for name, body in (
        (CANDLES + ".gz", gzip.compress(GOOD)),
        (CANDLES, GOOD.replace(b"\n", b"\r\n")),
        (CANDLES, b"\xef\xbb\xbf" + GOOD),
        (CANDLES, GOOD.rstrip(b"\n")),
        (CANDLES, shuffled.write_csv().encode()),
    ):
        other = read_columns(text(name, body)(tmp_path))
        assert np.array_equal(other.ts, plain.ts)
        assert all(np.array_equal(other.values[k], plain.values[k]) for k in plain.values)


def test_line_numbers_are_right_across_blocks(tmp_path: Path) -> None:
    lines = rows(300_000)
    lines[250_000] = candle(250_000, "100,110,90,105,x")
    with pytest.raises(DataInvalid) as caught:
        read_columns(candles(*lines, name="binance_perp_BTCUSDT_1h.csv")(tmp_path), now_ns=2**62)
    assert [(p.line, p.row) for p in caught.value.problems] == [(250_002, 250_001)]


def test_exact_duplicates_are_left_out_and_reported(tmp_path: Path) -> None:
    columns = read_columns(candles(candle(0), candle(0), candle(1), candle(1), candle(1))(tmp_path))
    assert (columns.rows, columns.duplicates) == (2, 3)


def test_gaps_are_counted_and_never_filled(tmp_path: Path) -> None:
    columns = read_columns(candles(candle(0), candle(1), candle(4), candle(6))(tmp_path))
    assert (columns.rows, columns.gaps.count, columns.gaps.missing) == (4, 2, 3)
    assert columns.gaps.first[0].missing == 2


def test_missing_trade_ids_are_gaps(tmp_path: Path) -> None:
    lines = [f"{START_MS},1,1,buy,{i}" for i in (1, 2, 5)]
    columns = read_columns(candles(*lines, header=TRADE, name=TRADES)(tmp_path))
    assert (columns.gaps.count, columns.gaps.missing, columns.timeframe) == (1, 2, None)


def test_settlement_jitter_is_moved_onto_the_grid_and_said(tmp_path: Path) -> None:
    lines = [f"{START_MS + i * 8 * HOUR_MS + i * 7},0.0001" for i in range(4)]
    name = "binance_perp_BTCUSDT_8h_2024.csv"
    columns = read_columns(candles(*lines, header="ts,rate", name=name)(tmp_path))
    assert columns.notes == ("3 settlement times moved by up to 21 ms",)
    assert (columns.ts % (8 * HOUR_MS * 1_000_000) == 0).all()


def test_parquet_time_stamps_with_zone_utc_are_read(tmp_path: Path) -> None:
    path = tmp_path / CANDLES.replace("csv", "parquet")
    stamps = pl.col("ts").cast(pl.Datetime("ms", "UTC"))
    frame().with_columns(stamps).write_parquet(path)
    assert read_columns(path).ts[0] == START_MS * 1_000_000


def test_columns_cannot_be_written(tmp_path: Path) -> None:
    columns = read_columns(text(CANDLES, GOOD)(tmp_path))
    with pytest.raises(ValueError, match="read-only"):
        columns.values["open"][0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        columns.ts[0] = 1


def test_any_damage_to_a_csv_file_is_refused_or_harmless(tmp_path: Path) -> None:
    dice = random.Random(11)
    for _ in range(500):
        body = bytearray(GOOD)
        for _ in range(dice.randint(1, 8)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        try:
            read_columns(text(CANDLES, bytes(body))(tmp_path))
        except DataInvalid:
            continue


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("binance_perp_BTCUSDT_5m_2024-12-31_2025-10-31.parquet", ("perp", "BTCUSDT", "5m", None)),
        ("binance_spot_BTCUSDT_15m_flow_2023-01-02.parquet", ("spot", "BTCUSDT", "15m", "flow")),
        ("binance_perp_ETHUSDT_trades_2024-08-08.csv.gz", ("perp", "ETHUSDT", None, "trades")),
        ("binance_perp_BTCUSDT_raw_2024-08-08.txt.gz", ("perp", "BTCUSDT", None, "book")),
        ("catalog/bybit/spot/BTCUSDT/candles_1m.parquet", ("spot", "BTCUSDT", "1m", "candles")),
        ("whatever.csv", (None, None, None, None)),
    ],
)
def test_identity_is_read_from_the_path(name: str, parts: tuple[str | None, ...]) -> None:
    found = from_path(Path(name))
    assert (found.market, found.symbol, found.timeframe, found.kind) == parts


def test_iso_times_are_exact() -> None:
    assert iso_utc(START_MS * 1_000_000) == "2024-01-01T00:00:00Z"
    assert iso_utc(START_MS * 1_000_000 + 5_000_000) == "2024-01-01T00:00:00.005Z"
    assert iso_utc(START_MS * 1_000_000 + 1) == "2024-01-01T00:00:00.000000001Z"


OVERWRITE = """
import random, sys
from pathlib import Path
from hean.data.reader import read_columns
from hean.errors import DataInvalid
path, refused, dice = Path(sys.argv[1]), 0, random.Random(3)
good = path.read_bytes()
for _ in range(3000):
    body = bytearray(good)
    for _ in range(dice.randint(1, 8)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    path.write_bytes(body)
    try:
        read_columns(path)
    except DataInvalid:
        refused += 1
print(refused)
"""


def test_damaged_parquet_is_refused_and_never_ends_the_process(tmp_path: Path) -> None:
    """In a process of its own: the decoder aborts when a page header asks for absurd memory."""
    path = tmp_path / CANDLES.replace("csv", "parquet")
    frame().write_parquet(path)
    command = [sys.executable, "-c", OVERWRITE, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout) > 2000
