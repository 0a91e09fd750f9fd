# SPDX-License-Identifier: Apache-2.0
"""The catalog keeps what it was given, and a killed or failed import leaves the old entry or the
complete new one, never anything between.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bad_data_files import START_MS, candle, candles, rows, text
from hean.data.catalog import Catalog
from hean.data.fingerprint import sha256_of
from hean.data.reader import read_columns
from hean.errors import DataInvalid, EnvironmentFault

# Runs one import and kills itself with SIGKILL at the n-th call of fsync or rename.
KILLED_IMPORT = """
import os, signal, sys
from pathlib import Path
from hean.data.catalog import Catalog
from hean.data.reader import read_columns
left = int(sys.argv[3])
def deadly(function):
    def call(*args):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)
    return call
columns = read_columns(sys.argv[1])
os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)
Catalog(Path(sys.argv[2])).add(columns, force=True)
"""
IMPORT_STEPS = 6  # fsync, fsync, rename, fsync, rename, fsync


def test_import_then_read_gives_equal_columns(tmp_path: Path) -> None:
    source = read_columns(candles(*rows(3), candle(5), candle(6, "1.1,2.2,0.3,1.7,0"))(tmp_path))
    entry = Catalog(tmp_path).add(source)
    back = read_columns(entry.path)
    assert (back.kind, back.venue, back.market, back.symbol, back.timeframe, back.gaps) == (
        source.kind,
        source.venue,
        source.market,
        source.symbol,
        source.timeframe,
        source.gaps,
    )
    assert np.array_equal(back.ts, source.ts)
    for name, column in source.values.items():
        assert np.array_equal(back.values[name], column), name
    assert entry.facts["sha256"] == sha256_of(entry.path)


def test_trades_keep_side_and_id(tmp_path: Path) -> None:
    body = f"timestamp,id,price,size,side\n{START_MS},1,5,1,buy\n{START_MS},2,5,2,SELL\n"
    source = read_columns(text("binance_spot_BTCUSDT_trades_1.csv", body)(tmp_path))
    back = read_columns(Catalog(tmp_path).add(source).path)
    assert back.values["side"].tolist() == [0, 1]
    assert back.values["id"].tolist() == [1, 2]


def test_an_existing_entry_is_replaced_only_by_force(tmp_path: Path) -> None:
    columns = read_columns(candles(*rows(3))(tmp_path))
    catalog = Catalog(tmp_path)
    catalog.add(columns)
    with pytest.raises(DataInvalid, match="--force"):
        catalog.add(columns)
    catalog.add(read_columns(candles(*rows(4))(tmp_path)), force=True)
    assert [entry.facts["rows"] for entry in catalog.entries()] == [4]
    assert len(catalog.find("candles", "BTCUSDT", timeframe="1h")) == 1
    assert catalog.find("candles", "BTCUSDT", venue="bybit") == []


@pytest.mark.parametrize("step", range(1, IMPORT_STEPS + 2))
@pytest.mark.parametrize("replaces", [False, True])
def test_killed_import_leaves_old_or_new(step: int, replaces: bool, tmp_path: Path) -> None:
    """Kill a real process at every fsync and rename; afterwards each entry matches its sidecar."""
    home, catalog = tmp_path / "home", Catalog(tmp_path / "home")
    if replaces:
        catalog.add(read_columns(candles(*rows(3))(tmp_path)))
    new = candles(*rows(9))(tmp_path)
    command = [sys.executable, "-c", KILLED_IMPORT, str(new), str(home), str(step)]
    done = subprocess.run(command, check=False, env=os.environ)
    assert done.returncode == (0 if step > IMPORT_STEPS else -9)
    committed = step > 3
    expected = [9] if committed else [3] if replaces else []
    entries = catalog.entries()
    assert [read_columns(entry.path).rows for entry in entries] == expected
    assert all(entry.facts["sha256"] == sha256_of(entry.path) for entry in entries)
    assert catalog.add(read_columns(new), force=True).facts["rows"] == 9
    assert not list(home.rglob("*.tmp"))


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failing_disk_leaves_the_old_entry(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(tmp_path)
    entry = catalog.add(read_columns(candles(*rows(3))(tmp_path)))
    before = entry.path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(EnvironmentFault, match="No space left"):
            catalog.add(read_columns(candles(*rows(4))(tmp_path)), force=True)
    assert entry.path.read_bytes() == before
    assert [found.facts["rows"] for found in catalog.entries()] == [3]
    assert not list(tmp_path.rglob("*.tmp"))


def test_damaged_sidecar_is_named(tmp_path: Path) -> None:
    entry = Catalog(tmp_path).add(read_columns(candles(*rows(3))(tmp_path)))
    entry.path.with_suffix(".json").write_text("{")
    with pytest.raises(DataInvalid, match="damaged sidecar"):
        Catalog(tmp_path).entries()


def test_listing_an_absent_catalog_creates_nothing(tmp_path: Path) -> None:
    assert Catalog(tmp_path / "none").entries() == []
    assert not (tmp_path / "none").exists()


def test_source_without_venue_names_the_option(tmp_path: Path) -> None:
    columns = read_columns(candles(*rows(3), name="x.csv")(tmp_path), symbol="BTCUSDT")
    with pytest.raises(DataInvalid, match="--venue"):
        Catalog(tmp_path).add(columns)


def test_catalog_stores_nanoseconds(tmp_path: Path) -> None:
    entry = Catalog(tmp_path).add(read_columns(candles(*rows(3))(tmp_path)))
    assert pl.read_parquet(entry.path)["ts"][0] == START_MS * 1_000_000
