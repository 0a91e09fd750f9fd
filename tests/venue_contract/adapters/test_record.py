# SPDX-License-Identifier: Apache-2.0
"""`hean data record` on the twins: what was heard can be verified, imported and played; cuts, holes
and crashes cost what they must and are told in the file.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hean.cli import app
from hean.cli_download import addresses
from hean.data.catalog import Catalog
from hean.data.record import DAY_NS
from hean.data.record_stream import Recorded, StreamRecording
from hean.errors import DataInvalid
from hean.feeds.capture import CaptureReport, read_capture
from hean.venues.endpoints import endpoints_for
from venue_contract.twin_process import TwinProcess, wait_until

At = tuple[TwinProcess, Any]
runner = CliRunner()
LIMIT_S = 240.0  # of one recording; tests before may have used up a minute of the limits


@pytest.fixture(autouse=True)
def calm_after(bybit: TwinProcess, binance: TwinProcess) -> Iterator[None]:
    """No dial outlives its test, whichever twin the test was given."""
    yield
    for twin in (bybit, binance):
        twin.control.post("calm")


def report_of(path: Path) -> CaptureReport:
    return read_capture(path).report


def reports(out: Path) -> list[CaptureReport]:
    """What the files being written have on disk; none while one of them has nothing readable."""
    folder = out.parent if out.suffix else out
    try:
        return [report_of(path) for path in sorted(folder.glob(".*.part"))]
    except DataInvalid:
        return []


def are_whole(files: list[CaptureReport]) -> bool:
    """A book and what followed, of every symbol. A number of frames would not do: Binance answers
    for the book when it likes, and until then any number may have come.
    """
    return bool(files) and all(one.snapshots and one.frames["depth_delta"] > 9 for one in files)


def record(
    at: At,
    out: Path,
    *symbols: str,
    until: Callable[[], bool] | None = None,
    now: Callable[[], int] = time.time_ns,
) -> Recorded:
    """Record until every book is whole on disk, or whatever else is looked at suffices."""
    twin, market = at
    suffices = until or (lambda: are_whole(reports(out)))

    async def run() -> Recorded:
        ended = asyncio.Event()
        given = addresses(twin.exchange, market, twin.rest_url, None, {})
        recording = StreamRecording(
            endpoints_for(twin.exchange, market, testnet=False, environment=given),
            symbols or ("BTCUSDT",),
            out,
            venue=twin.exchange,
            ended=ended,
            now=now,
            rng=random.Random(0),
            told=lambda _: ended.set() if suffices() else None,
        )
        recorded = await recording.run(LIMIT_S)
        assert ended.is_set(), "waited in vain"
        return recorded

    return asyncio.run(run())


def faults(at: At, dial: str) -> int:
    return int(at[0].control.get("state")["counters"]["faults"].get(dial, 0))


def test_each_symbol_becomes_a_file_whose_book_is_whole(at: At, tmp_path: Path) -> None:
    recorded = record(at, tmp_path, "BTCUSDT", "ETHUSDT")
    market = "perp" if at[1] == "linear" else "spot"
    for symbol, path in zip(("BTCUSDT", "ETHUSDT"), recorded.files, strict=True):
        assert path.name.startswith(f"{at[0].exchange}_{market}_{symbol}_raw_20")
        report = report_of(path)
        assert (report.symbol, report.venue) == (symbol, at[0].exchange)
        assert (report.gaps, report.bad_lines) == ((0, []), (0, []))
        assert report.snapshots == 1
        assert report.unseeded_deltas == 0
        assert report.frames["depth_delta"] > 0  # how many is the market's affair
        assert report.receive_unit == "ns"
    assert (recorded.lost, len(recorded.files)) == (0, 2)


def test_a_recording_is_imported_and_played(at: At, tmp_path: Path) -> None:
    (path,) = record(at, tmp_path / "recorded").files
    home = tmp_path / "home"
    done = runner.invoke(app, ["data", "import", str(path), "--data-dir", str(home)])
    assert done.exit_code == 0, done.output
    (entry,) = Catalog(home).entries()
    assert entry.facts["kind"] == "book"
    assert entry.path.read_bytes() == path.read_bytes()
    for data in (path, entry.path):
        played = runner.invoke(
            app,
            ["backtest", "--strategy", "impulse", "--symbol", "BTCUSDT", "--data", str(data)]
            + ["--data-dir", str(home), "--json", "-"],
        )
        assert played.exit_code == 0, played.output
        assert json.loads(played.stdout)["events"] > 0


def after_fault(at: At, dial: str, out: Path, count: int) -> Callable[[], bool]:
    """Turn the dial once the book is whole, and wait until a book has come after it."""
    is_asked = False

    def until() -> bool:
        nonlocal is_asked
        files = reports(out)
        if not is_asked and are_whole(files):
            at[0].control.fault(dial, count=count)
            is_asked = True
        return bool(faults(at, dial) and files and files[0].snapshots > 1)

    return until


def test_a_cut_is_a_gap_and_the_recording_goes_on(at: At, tmp_path: Path) -> None:
    """After the cut the book is unknown until the next snapshot; nothing else is lost."""
    recorded = record(at, tmp_path, until=after_fault(at, "public_cut", tmp_path, count=2))
    assert recorded.lost >= 1
    report = report_of(recorded.files[0])
    assert report.gaps[0] >= 1
    assert report.bad_lines == (0, [])


def test_a_hole_in_the_book_is_healed_by_a_new_snapshot(at: At, tmp_path: Path) -> None:
    recorded = record(at, tmp_path, until=after_fault(at, "book_gap", tmp_path, count=1))
    report = report_of(recorded.files[0])
    assert (report.gaps[0], report.snapshots) == (1, 2)
    assert recorded.renewals >= 1


def frames_of(path: Path) -> CaptureReport:
    """A file's report without its stamps: readers refuse those of a clock that was moved."""
    with gzip.open(path, "rb") as lines:
        frames = [line.split(b" ", 1)[1] for line in lines if not line.startswith(b"{")]
    bare = path.with_name("bare.jsonl")
    bare.write_bytes(b"".join(frames))
    return report_of(bare)


def test_a_new_day_begins_a_file_with_a_whole_book(at: At, tmp_path: Path) -> None:
    """The recorder's clock is moved by a day while it records."""
    first: list[Path] = []

    def until() -> bool:
        if not first:
            first.extend(tmp_path.glob(".*.part") if are_whole(reports(tmp_path)) else ())
            return False
        (present,) = tmp_path.glob(".*.part")
        return present != first[0] and are_whole([frames_of(present)])

    recorded = record(
        at, tmp_path, until=until, now=lambda: time.time_ns() + (DAY_NS if first else 0)
    )
    assert len(recorded.files) == 2
    for path in recorded.files:
        report = frames_of(path)
        assert (report.gaps, report.bad_lines) == ((0, []), (0, []))
        assert are_whole([report])


def test_a_file_may_be_named_for_one_symbol(at: At, tmp_path: Path) -> None:
    out = tmp_path / "mine.jsonl.gz"
    assert record(at, out).files == (out,)
    market = "perp" if at[1] == "linear" else "spot"
    checked = runner.invoke(app, ["data", "verify", str(out), "--market", market, "--json", "-"])
    assert checked.exit_code == 0, checked.output


def command(at: At, out: Path) -> list[str]:
    twin, market = at
    plain = [sys.executable, "-m", "hean", "data", "record", "--exchange", twin.exchange]
    plain += ["--market", market, "--symbols", "BTCUSDT", "--out", str(out)]
    return [*plain, "--rest-url", twin.rest_url, "--json", "-"]


def started(at: At, out: Path) -> subprocess.Popen[str]:
    """A recorder in a process of its own that has written a book."""
    process = subprocess.Popen(
        command(at, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    before = sum(one.snapshots for one in reports(out))
    wait_until(
        lambda: sum(one.snapshots for one in reports(out)) > before,
        "the recorder has written a book",
        timeout_s=LIMIT_S,
    )
    return process


def test_ctrl_c_ends_it_in_order(at: At, tmp_path: Path) -> None:
    process = started(at, tmp_path)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    document = json.loads(output)
    assert document["problems"]["connections_lost"] == 0
    (file,) = document["files"]
    assert report_of(Path(file["path"])).bad_lines == (0, [])
    assert not list(tmp_path.glob(".*.part"))


def test_a_killed_recorder_is_continued_by_the_next(at: At, tmp_path: Path) -> None:
    process = started(at, tmp_path)
    process.kill()
    process.communicate(timeout=LIMIT_S)
    assert list(tmp_path.glob(".*.part"))
    process = started(at, tmp_path)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    paths = [Path(file["path"]) for file in json.loads(output)["files"]]
    report = report_of(paths[-1])
    assert report.bad_lines == (0, [])
    assert report.snapshots >= 2
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--symbols", "NOPEUSDT"], 2, "nearest"),
        (["--rest-url", "http://example.com"], 2, "unencrypted"),
    ],
)
def test_what_cannot_be_recorded_is_said_before_a_file_begins(
    at: At, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    out = tmp_path / "out"
    done = runner.invoke(app, [*command(at, out)[3:], *arguments])
    assert done.exit_code == code, done.output
    assert said in done.output
    assert not out.exists() or not list(out.iterdir())


def test_a_venue_that_cannot_be_reached_ends_with_3(bybit: TwinProcess, tmp_path: Path) -> None:
    unreached = ["--rest-url", "http://127.0.0.1:9"]
    done = runner.invoke(app, [*command((bybit, "linear"), tmp_path)[3:], *unreached])
    assert done.exit_code == 3, done.output
    assert "Check network" in done.output
