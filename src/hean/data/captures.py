# SPDX-License-Identifier: Apache-2.0
"""Raw captures: frames of a venue as they came in. A capture is proven by parsing every frame with
the parsers that live feeds use; the catalog then keeps its bytes as they are.
"""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hean.data.checks import Gaps
from hean.data.fingerprint import iso_utc
from hean.data.identity import CAPTURE_SUFFIXES, Identity, from_path, resolve, suffix_of
from hean.data.problems import Problem, Problems, refuse_file, shown
from hean.data.reader import check_file
from hean.data.schema import Kind


@dataclass(frozen=True, slots=True)
class ProvenCapture:
    """A capture whose frames parse. *rows*: lines. *first_ns*, *last_ns*: venue time, UTC.
    *gaps*: holes in its book, which stays empty from each to the next snapshot.
    """

    path: Path
    venue: str
    market: str | None
    symbol: str
    rows: int
    first_ns: int
    last_ns: int
    gaps: Gaps
    notes: tuple[str, ...]

    @property
    def entry_name(self) -> str:
        """Its name in the catalog: days stand beside each other."""
        return f"{Kind.BOOK.value}_{iso_utc(self.first_ns)[:10]}{suffix_of(self.path)}"

    @property
    def facts(self) -> dict[str, Any]:
        """What this kind of source adds to the sidecar."""
        return {"kind": Kind.BOOK.value, "timeframe": None, "duplicates": 0, "dropped_rows": 0}

    def write(self, target: Path) -> None:
        """Copy the bytes."""
        shutil.copyfile(self.path, target)


def is_capture(path: Path | str) -> bool:
    """Whether a file name is that of a raw capture."""
    return suffix_of(Path(path)) in CAPTURE_SUFFIXES


def open_capture(path: Path | str, *, symbol: str | None = None, market: str | None = None) -> Any:
    """Tables and report of a raw capture, as `hean.feeds.capture.read_capture` gives them."""
    path = Path(path)
    if check_file(path) not in CAPTURE_SUFFIXES:
        refuse_file(path.name, "not a raw capture", expected=", ".join(CAPTURE_SUFFIXES))
    # Loaded on use: columns must stay readable without the feeds.
    feeds = importlib.import_module("hean.feeds.capture")
    if importlib.import_module("hean.feeds.recording").is_session_recording(path):
        played = "hean backtest --data with the file as it is"
        refuse_file(path.name, "a recorded session, not a venue's frames", expected=played)
    kind = "linear" if market == "perp" else market
    return feeds.read_capture(path, symbol, market=kind)


def prove_capture(
    path: Path | str,
    *,
    symbol: str | None = None,
    venue: str | None = None,
    market: str | None = None,
) -> ProvenCapture:
    """Read a whole capture and say what it holds.

    *symbol, venue, market*: what the caller knows; must agree with file name and frames.
    *Raises*: `DataInvalid` as `read_capture` does, and for a contradiction.
    """
    path = Path(path)
    problems = Problems(path.name)
    told = resolve(Identity(venue, market, symbol), from_path(path), problems)
    if problems.fatal:
        problems.refuse()
    capture = open_capture(path, symbol=symbol, market=told.market)
    report = capture.report
    seen = "perp" if report.market == "linear" else report.market
    for part, found in (("venue", report.venue), ("market", seen), ("symbol", report.symbol)):
        stated = getattr(told, part)
        if None not in (stated, found) and stated != found:
            what = f"{part} contradicts the frames"
            problems.add(Problem(what, got=shown(stated), expected=shown(found)), fatal=True)
    if problems.fatal:
        problems.refuse()
    tables = (capture.depth, capture.trades, capture.quotes, capture.marks)
    times = np.concatenate([table["ts_ns"] for table in tables])
    if not times.size:
        refuse_file(path.name, "no frame of the symbol", expected="depth, trades, quotes or marks")
    count = report.gaps[0]
    return ProvenCapture(
        path=path,
        venue=report.venue,
        market=told.market or seen,
        symbol=report.symbol,
        rows=report.lines,
        first_ns=int(times.min()),
        last_ns=int(times.max()),
        gaps=Gaps(count),
        notes=(f"{count:,} gaps in the book",),
    )
