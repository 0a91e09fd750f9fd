# SPDX-License-Identifier: Apache-2.0
"""A recorder sorts frames by symbol and day, and what it wrote imports like any capture."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from hean._core import parse_binance, parse_bybit
from hean.data.captures import prove_capture
from hean.data.record import DAY_NS, Recorder, symbol_of
from hean.errors import EnvironmentFault, ParameterInvalid
from hean.feeds.capture import read_capture

DAY = 19_675  # 2023-11-14
NOON = DAY * DAY_NS + DAY_NS // 2


class Clock:
    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


def book(symbol: str, number: int, ts_ms: int, kind: str = "delta") -> bytes:
    data = {"s": symbol, "b": [["100.0", "1"]], "a": [["120.0", "2"]], "u": number, "seq": number}
    topic = f"orderbook.50.{symbol}"
    frame = {"topic": topic, "type": kind, "ts": ts_ms, "data": data, "cts": ts_ms}
    return json.dumps(frame).encode()


def recorder(out: Path, clock: Clock, *symbols: str) -> Recorder:
    return Recorder(out, symbols, venue="bybit", market="perp", now=clock)


def test_frames_go_to_the_file_of_their_symbol(tmp_path: Path) -> None:
    clock = Clock(NOON)
    record = recorder(tmp_path, clock, "BTCUSDT", "ETHUSDT")
    for number in range(1, 11):
        kind = "delta" if number > 1 else "snapshot"
        for symbol in ("BTCUSDT", "ETHUSDT", "XRPUSDT"):
            clock.now_ns += 1_000_000
            record.frame(book(symbol, number, clock.now_ns // 1_000_000, kind))
    record.frame(b'{"success":true,"ret_msg":"pong","op":"ping"}')
    record.close()
    assert [path.name for path in record.finished] == [
        "bybit_perp_BTCUSDT_raw_2023-11-14.jsonl.gz",
        "bybit_perp_ETHUSDT_raw_2023-11-14.jsonl.gz",
    ]
    assert (record.lines, record.strangers) == (20, 10)
    for path in record.finished:
        proven = prove_capture(path)
        assert (proven.market, proven.rows, proven.gaps.count) == ("perp", 10, 0)


def test_a_new_day_begins_new_files_and_says_so(tmp_path: Path) -> None:
    clock = Clock(NOON)
    record = recorder(tmp_path, clock, "BTCUSDT")
    assert not record.frame(book("BTCUSDT", 1, clock.now_ns // 1_000_000, "snapshot"))
    clock.now_ns += DAY_NS
    assert record.frame(book("BTCUSDT", 2, clock.now_ns // 1_000_000))
    assert not record.frame(book("BTCUSDT", 3, clock.now_ns // 1_000_000))
    record.close()
    assert [path.name[-19:-9] for path in record.finished] == ["2023-11-14", "2023-11-15"]


def test_a_file_named_by_its_user_takes_all_days_of_one_symbol(tmp_path: Path) -> None:
    clock = Clock(NOON)
    out = tmp_path / "mine.jsonl.gz"
    record = recorder(out, clock, "BTCUSDT")
    record.frame(book("BTCUSDT", 1, clock.now_ns // 1_000_000, "snapshot"))
    clock.now_ns += DAY_NS
    assert not record.frame(book("BTCUSDT", 2, clock.now_ns // 1_000_000))
    record.close()
    assert record.finished == [out]
    assert read_capture(out).report.lines == 2
    with pytest.raises(ParameterInvalid, match="several symbols need a folder"):
        recorder(tmp_path / "two.jsonl.gz", clock, "BTCUSDT", "ETHUSDT")


def test_a_lost_connection_is_a_gap_of_the_book(tmp_path: Path) -> None:
    clock = Clock(NOON)
    record = recorder(tmp_path, clock, "BTCUSDT")
    record.note("connect", addr="wss://stream.bybit.com/v5/public/linear", conn="public")
    for number, kind in enumerate(["snapshot", "delta", "lost", "snapshot", "delta"], 1):
        if kind == "lost":
            record.note("disconnect", conn="public", why="no frame for 10 s")
            continue
        record.frame(book("BTCUSDT", number, clock.now_ns // 1_000_000, kind))
    record.close()
    report = read_capture(record.finished[0]).report
    assert report.gaps == (1, [(4, "connection lost")])
    assert report.snapshots == 2


def test_what_a_dead_process_left_is_finished_by_the_next(tmp_path: Path) -> None:
    """Yesterday's file gets its name, today's is continued."""
    clock = Clock(NOON)
    for day, number in ((0, 1), (1, 2)):
        clock.now_ns = NOON + day * DAY_NS
        dead = recorder(tmp_path, clock, "BTCUSDT")
        dead.frame(book("BTCUSDT", number, clock.now_ns // 1_000_000, "snapshot"))
        dead.flush()
        for file in dead._open.values():
            file._file.close()  # as the end of the process does
    record = recorder(tmp_path, clock, "BTCUSDT")
    record.frame(book("BTCUSDT", 3, clock.now_ns // 1_000_000))
    record.close()
    files = sorted(tmp_path.glob("*.jsonl.gz"))
    lines = {path.name[-19:-9]: read_capture(path).report.lines for path in files}
    assert lines == {"2023-11-14": 1, "2023-11-15": 2}
    assert not list(tmp_path.glob(".*.part"))


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be made"):
        recorder(tmp_path / "file" / "folder", Clock(NOON), "BTCUSDT")


def test_the_symbol_of_every_recorded_frame_is_the_parsers(shared: Path) -> None:
    """The recorder looks at topic or stream only; the parsers read the whole frame."""
    checked = 0
    with gzip.open(shared / "data/ws/bybit_v5_linear_spot_raw_2026-08-09.jsonl.gz", "rt") as lines:
        for line in lines:
            record = json.loads(line)
            if record["t"] == "recv":
                frame = record["data"].encode()
                fact = parse_bybit(frame)
                if fact is not None and "symbol" in fact:
                    assert symbol_of(frame) == fact["symbol"]
                    checked += 1
    name = "payloads/binance/recorded/hftbacktest/usdm-btcusdt-2024-08-08.txt.gz"
    with gzip.open(shared / name) as lines:
        for line in lines:
            frame = line.split(b" ", 1)[1]
            fact = parse_binance(frame)
            if fact is not None and fact.get("symbol"):
                assert symbol_of(frame) == fact["symbol"]
                checked += 1
    assert checked > 20_000
