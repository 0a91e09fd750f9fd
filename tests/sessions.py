# SPDX-License-Identifier: Apache-2.0
"""A session on a feed made by hand, with journal and recording beside it, and what a recording
looks like after a stretch of it is cut out.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hean.backtest.run import BacktestSettings
from hean.core.types import Book, Health, Payload, Tick
from hean.feeds.arriving import Terms
from hean.paper import PaperSession
from hean.paper_journal import finish_session_journal, start_recording, start_session_journal

HERE = Path(__file__).parent
STRATEGY = f"{HERE / 'paper_strategies.py'}:Steady"
S_NS = 1_000_000_000
START_NS = 1_700_000_000 * S_NS
TERMS = [
    Terms("BTCUSDT", "linear", "0.1", "0.001", "0.001", "", "5", (), "0.0002", "0.00055", 28_800)
]


def frames(seconds: int) -> Iterator[tuple[int, tuple[Payload, ...]]]:
    """A book that moves and a trade ten times a second, a whole book every ten seconds."""
    for number in range(seconds * 10):
        at_ns = START_NS + number * S_NS // 10 + 1
        middle = round(1_000 + 5 * math.sin(number / 30), 1)
        bids, asks = ((middle - 0.1, 5.0),), ((middle + 0.1, 5.0),)
        if number % 100 == 0:
            yield at_ns, (Health("feed.book.BTCUSDT", "FRESH", number, {"symbol": "BTCUSDT"}),)
        yield at_ns + 1, (Book("BTCUSDT", bids, asks, True),)
        yield at_ns + 2, (Tick("BTCUSDT", middle, 0.5, 0, middle - 0.1, middle + 0.1),)


def recorded_session(
    folder: Path, seconds: int = 90, *, strategy: str = STRATEGY, **more: Any
) -> tuple[Path, Path, dict[str, Any]]:
    """Play a session. *Returns*: its journal, its recording and its summary."""
    journal_file, recording = folder / "run.journal", folder / "tape.jsonl.gz"
    settings = BacktestSettings(strategy, ("BTCUSDT",), **more)
    session = PaperSession(settings, TERMS, start_ns=START_NS, origin="a test")
    journal = start_session_journal(journal_file, session, TERMS)
    recorder = start_recording(recording, session, TERMS)
    for number, (at_ns, facts) in enumerate(frames(seconds)):
        session.take(at_ns, facts)
        if number % 3 == 0:
            session.play(at_ns + 1)
    end_ns = START_NS + seconds * S_NS
    session.play(end_ns)
    summary, _ = session.finish()
    finish_session_journal(journal, session, end_ns)
    recorder.close(end_ns)
    return journal_file, recording, summary


def rewritten(recording: Path, name: str, keep: Callable[[int, bytes], bytes | None]) -> Path:
    """The recording with each line as *keep* wants it, by moment; `None` leaves it out."""
    lines = gzip.decompress(recording.read_bytes()).splitlines()
    kept = [keep(int(line.split(b" ", 1)[0]), line) for line in lines]
    path = recording.with_name(name)
    path.write_bytes(gzip.compress(b"\n".join(line for line in kept if line is not None) + b"\n"))
    return path


def without(recording: Path, first_ns: int, last_ns: int) -> Path:
    """The recording without the frames from *first_ns* to *last_ns*."""
    return rewritten(
        recording, "cut.jsonl.gz", lambda at, line: None if first_ns <= at <= last_ns else line
    )
