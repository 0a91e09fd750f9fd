# SPDX-License-Identifier: Apache-2.0
"""Files of a recording: what is on disk after a flush, a crash, a restart; who may write."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from hean.data.captures import prove_capture
from hean.data.record import BLOCK_BYTES_MAX, CaptureFile, whole_members
from hean.errors import EnvironmentFault, InputError
from hean.feeds.capture import read_capture

NS = 1_700_000_000_000_000_000
NAME = "bybit_perp_BTCUSDT_raw_2023-11-14.jsonl.gz"


def book(number: int) -> bytes:
    """Frame *number* of a book: a snapshot, then deltas."""
    kind = "delta" if number else "snapshot"
    data = {"s": "BTCUSDT", "b": [[f"{100 + number % 5}.0", "1"]], "a": [["120.0", "2"]]}
    return json.dumps(
        {
            "topic": "orderbook.50.BTCUSDT",
            "type": kind,
            "ts": 1_700_000_000_000 + number * 100,
            "data": data | {"u": number + 10, "seq": number},
            "cts": 1_700_000_000_000 + number * 100,
        },
        separators=(",", ":"),
    ).encode()


def part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def test_a_recording_is_read_back_frame_by_frame(tmp_path: Path) -> None:
    path = tmp_path / NAME
    file = CaptureFile(path, may_continue=True)
    file.note("connect", NS, conn="public", addr="wss://stream.bybit.com/v5/public/linear")
    for number in range(50):
        file.frame(NS + number * 100_000_000, book(number))
        if number % 7 == 0:
            file.flush()
    file.note("disconnect", NS, conn="public", why="server closed")
    assert not path.exists()
    file.close()
    assert not part_of(path).exists()
    capture = read_capture(path)
    assert (capture.report.symbol, capture.report.market) == ("BTCUSDT", None)
    assert capture.report.gaps == (1, [(52, "connection lost")])
    assert capture.report.frames == {"depth_snapshot": 1, "depth_delta": 49}
    assert capture.report.receive_unit == "ns"
    proven = prove_capture(path)
    assert (proven.venue, proven.market, proven.rows) == ("bybit", "perp", 52)


@pytest.mark.parametrize("torn", [1, 9, 40])
def test_a_crash_costs_only_what_was_not_flushed(tmp_path: Path, torn: int) -> None:
    """The process dies in the middle of writing a member; the next one goes on."""
    path = tmp_path / NAME
    first = CaptureFile(path, may_continue=True)
    for number in range(10):
        first.frame(NS, book(number))
    first.flush()
    whole = part_of(path).stat().st_size
    first.frame(NS, book(10))
    first.flush()
    first._file.close()  # as the end of the process does
    data = part_of(path).read_bytes()
    part_of(path).write_bytes(data[: len(data) - torn])
    assert whole_members(part_of(path)) == whole
    second = CaptureFile(path, may_continue=True)
    for number in range(10, 20):
        second.frame(NS, book(number))
    second.close()
    report = read_capture(path).report
    assert (report.frames["depth_delta"], report.gaps[0]) == (19, 0)


def test_a_later_recording_of_the_day_goes_on_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / NAME
    for start in (0, 10):
        file = CaptureFile(path, may_continue=True)
        for number in range(start, start + 10):
            file.frame(NS, book(number))
        file.close()
    assert read_capture(path).report.frames["depth_delta"] == 19


def test_a_file_that_exists_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists; choose another name"):
        CaptureFile(path, may_continue=False)
    assert path.read_bytes() == b"mine"


def test_two_recorders_of_one_file_are_not_let_in(tmp_path: Path) -> None:
    file = CaptureFile(tmp_path / NAME, may_continue=True)
    with pytest.raises(EnvironmentFault, match="another process records"):
        CaptureFile(tmp_path / NAME, may_continue=True)
    file.close()


def test_an_empty_recording_leaves_no_file(tmp_path: Path) -> None:
    CaptureFile(tmp_path / NAME, may_continue=True).close()
    assert not list(tmp_path.iterdir())


def test_a_burst_is_written_before_it_fills_memory(tmp_path: Path) -> None:
    file = CaptureFile(tmp_path / NAME, may_continue=True)
    file.frame(NS, b'{"topic":"' + b"x" * BLOCK_BYTES_MAX + b'"}')
    with gzip.open(part_of(tmp_path / NAME)) as stream:
        assert len(stream.read()) > BLOCK_BYTES_MAX
    file.close()


def test_a_folder_that_cannot_be_written_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        CaptureFile(tmp_path / "missing" / NAME, may_continue=True)
