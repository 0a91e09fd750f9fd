# SPDX-License-Identifier: Apache-2.0
"""`recording.py`: the market of one session as a file, and that file as the market of a backtest. A
capture (`hean data record`) keeps what a venue sent; this keeps what the session was told, each
frame's facts with the very moment they got, health of the feed and trading rules included. Only so
can a backtest see what the session saw, no nanosecond earlier or later.

One line each, in the form of captures: moment, blank, JSON. The first says origin and terms, then
come numbered frames, the last says up to when was played. Where a number is missing the books are
unknown until their next snapshot, as after every hole; nothing is filled in.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Protocol

import msgspec

from hean._core import SimVenue
from hean.core.ports import Instant
from hean.core.types import PAYLOADS, Book, EventType, Funding, Payload, Tick
from hean.data.captures import is_capture
from hean.data.fingerprint import Fingerprint, iso_utc, sha256_of
from hean.data.reader import check_file
from hean.data.record import FLUSH_S, CaptureFile
from hean.errors import DataInvalid, EnvironmentFault, UnknownSymbol
from hean.feeds.arriving import ArrivingMarket, ArrivingSource, LookBack, Terms
from hean.feeds.history import History, load_history
from hean.venues.sim import SimulatedVenue

SUFFIX = ".jsonl.gz"
FLUSH_NS = int(FLUSH_S * 1e9)
LINE_BYTES_MAX = 16 << 20  # of one frame; the largest, a whole book, is below a megabyte
BLOCK_FRAMES = 2_000  # handed to the venue at a time: some megabytes, whatever the file's size
MARK = b'{"session":'

Frame = tuple[int, int, tuple[Payload, ...]]
"""Number in the session, from 1; moment in ns; facts."""


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the first line. *version*: of HEAN."""

    origin: str
    terms: list[Terms]
    version: str


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any line: exactly one of *session*, *facts* with *n*, and *end* (the last number)."""

    session: Opening | None = None
    n: int = 0
    facts: list[tuple[EventType, msgspec.Raw]] | None = None
    end: int | None = None


_LINE = msgspec.json.Decoder(_Line)
_FACT = {kind: msgspec.json.Decoder(payload) for kind, payload in PAYLOADS.items()}


class SessionRecorder:
    """Writes the recording of a session as it goes. Errors of the disk are `EnvironmentFault`."""

    def __init__(self, path: Path, opening: Opening, *, start_ns: int) -> None:
        self._file = CaptureFile(path, may_continue=False)
        self._frames = 0
        self._is_closed = False
        self._flushed_ns = start_ns
        self._file.frame(start_ns, MARK + msgspec.json.encode(opening) + b"}")

    def frame(self, at_ns: int, facts: tuple[Payload, ...]) -> None:
        """Keep a frame; it is on disk a second later."""
        self._frames += 1
        rows = [(fact.event_type, fact) for fact in facts]
        self._file.frame(at_ns, msgspec.json.encode({"n": self._frames, "facts": rows}))
        if at_ns - self._flushed_ns >= FLUSH_NS:
            self._flushed_ns = at_ns
            self._file.flush()

    def close(self, ended_ns: int | None) -> None:
        """Finish the file, once. *ended_ns*: up to when was played; `None`: the session failed."""
        if self._is_closed:
            return
        self._is_closed = True
        if ended_ns is not None:
            self._file.frame(ended_ns, msgspec.json.encode({"end": self._frames}))
        self._file.close()


def finish_left(folder: Path) -> None:
    """Give the recordings of sessions that died their names; what is being written stays."""
    for part in sorted(folder.glob(f".*_session_*{SUFFIX}.part")):
        path = part.with_name(part.name[1:].removesuffix(".part"))
        with suppress(EnvironmentFault):  # another process records into it
            CaptureFile(path, may_continue=True).close()


class FrameRows(Protocol):
    """Frames of a session, wherever they lie: a recording, or the journal itself."""

    @property
    def opening(self) -> Opening:
        """Origin and terms."""
        ...

    @property
    def start_ns(self) -> int:
        """Before the first fact."""
        ...

    @property
    def end_ns(self) -> int:
        """Up to when was played."""
        ...

    @property
    def frames(self) -> int:
        """How many there are."""
        ...

    @property
    def holes(self) -> int:
        """Places where frames are missing."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """From the first to the last, as often as asked."""
        ...


class Recording:
    """A recording that was read to its end once, so that nothing is wrong with it in mid-run.

    *Raises*: `DataInvalid` with the line.
    """

    def __init__(self, path: Path) -> None:
        check_file(path)
        self.path = path
        self.frames = self.holes = number = 0
        lines = self._lines()
        _, self.start_ns, first = next(lines, (1, 0, _Line()))
        if first.session is None:
            raise self._bad(1, "no opening; this is not the recording of a session")
        self.opening = first.session
        self.end_ns = self.start_ns
        self.is_ended = False
        """Whether the session ended in order; else its last second may be lost."""
        for place, at_ns, line in lines:
            if at_ns < self.end_ns or self.is_ended:
                raise self._bad(place, f"moment {at_ns} after {self.end_ns}; moments rise")
            if line.end is not None:
                self.is_ended, self.end_ns = True, at_ns
                self.holes += line.end != number
                continue
            if line.n <= number:
                raise self._bad(place, f"frame {line.n} after {number}; numbers rise")
            self._facts(place, line)
            self.holes += line.n != number + 1
            self.frames, number, self.end_ns = self.frames + 1, line.n, at_ns + 1

    def __iter__(self) -> Iterator[Frame]:
        for place, at_ns, line in self._lines():
            if line.facts is not None:
                yield line.n, at_ns, self._facts(place, line)

    def _facts(self, place: int, line: _Line) -> tuple[Payload, ...]:
        if line.facts is None:
            raise self._bad(place, "neither facts nor end")
        try:
            facts = tuple([_FACT[kind].decode(raw) for kind, raw in line.facts])
        except msgspec.DecodeError as error:
            raise self._bad(place, str(error)) from None
        known = {row.symbol for row in self.opening.terms}
        for fact in facts:
            if isinstance(fact, Tick | Book | Funding) and fact.symbol not in known:
                raise self._bad(place, f"a fact of {fact.symbol}, which the opening does not list")
        return facts

    def _lines(self) -> Iterator[tuple[int, int, _Line]]:
        place = 0
        try:
            with _opened(self.path) as file:
                while text := file.readline(LINE_BYTES_MAX):
                    place += 1
                    moment, _, frame = text.partition(b" ")
                    yield place, int(moment), _LINE.decode(frame)
        except (msgspec.DecodeError, ValueError) as error:
            raise self._bad(place, str(error)) from None
        except (OSError, EOFError, zlib.error) as error:
            raise self._bad(place + 1, f"cannot be read ({error})") from None

    def _bad(self, place: int, why: str) -> DataInvalid:
        return DataInvalid(f"{self.path.name}, line {place}: {why}.")


class Sight:
    """What a run may know of a frame: its own symbols, and no change of a book that is unknown
    since something is missing.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self._symbols = tuple(symbols)
        self._blind: set[str] = set()

    def of(self, facts: tuple[Payload, ...], *, is_cut: bool) -> tuple[Payload, ...]:
        """The facts that may be told. *is_cut*: something is missing before them."""
        shown: list[Payload] = []
        if is_cut:
            self._blind = set(self._symbols)
            shown.extend(Book(symbol, (), (), True) for symbol in self._symbols)
        for fact in facts:
            if isinstance(fact, Tick | Book | Funding) and fact.symbol not in self._symbols:
                continue
            if isinstance(fact, Book) and fact.symbol in self._blind:
                if not fact.is_snapshot:
                    continue
                self._blind.discard(fact.symbol)
            shown.append(fact)
        return tuple(shown)


class RecordedMarket(ArrivingMarket):
    """A session's market once more, for *symbols* of it. It is played once."""

    def __init__(self, rows: FrameRows, symbols: Sequence[str]) -> None:
        terms = {row.symbol: row for row in rows.opening.terms}
        if missing := [symbol for symbol in symbols if symbol not in terms]:
            raise UnknownSymbol(f"the session had {', '.join(terms)}, not {', '.join(missing)}.")
        wanted = [terms[symbol] for symbol in symbols]
        super().__init__(wanted, start_ns=rows.start_ns, origin=rows.opening.origin)
        self.end_ns = max(rows.end_ns, rows.start_ns + 1)
        self.notes = [f"a session on {rows.opening.origin}, as it was told"]
        if rows.holes:
            self.notes.append(f"{rows.holes:,} holes; books unknown until their next snapshot")
        if isinstance(rows, Recording):
            self.fingerprints = [_print(rows)]
        self._left = iter(rows)
        self._last = 0
        self._sight = Sight(symbols)

    def source(self, venue: SimulatedVenue, look_back: LookBack) -> ArrivingSource:
        """Brings the frames block by block."""
        return _RecordedSource(venue, self, look_back)

    def more(self, core: SimVenue) -> bool:
        """Hand over the next block. *Returns*: whether there is anything left to play."""
        if self.free_ns >= self.end_ns:
            return False
        until_ns = self.end_ns
        for count, (number, at_ns, facts) in enumerate(self._left, 1):
            is_cut, self._last = number != self._last + 1, number
            self.take(at_ns, self._sight.of(facts, is_cut=is_cut))
            if count == BLOCK_FRAMES:
                until_ns = self.free_ns
                break
        self.hand_over(core, until_ns)
        return True


class _RecordedSource(ArrivingSource):
    """Goes on with the next block where the last one ends."""

    def __init__(self, venue: SimulatedVenue, market: RecordedMarket, look_back: LookBack) -> None:
        super().__init__(venue, market, look_back)
        self._recorded = market
        self._core = venue.core

    def next(self, horizon_ns: int | None) -> Instant | None:
        """The next instant of the session."""
        while True:
            instant = super().next(horizon_ns)
            if instant is not None or not self._recorded.more(self._core):
                return instant


def load_market(
    files: Sequence[Path],
    symbols: Sequence[str],
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> History | RecordedMarket:
    """The market of a backtest: recorded files, or one recorded session.

    *Raises*: as `load_history`; `DataInvalid` for a session beside other files, and for a part of
    one: what it did hangs on its beginning.
    """
    sessions = [path for path in files if is_session_recording(path)]
    if not sessions:
        return load_history(files, symbols, start_ns=start_ns, end_ns=end_ns)
    if len(files) > 1:
        raise DataInvalid(f"{sessions[0].name}: a recorded session is played alone.")
    market = RecordedMarket(Recording(sessions[0]), symbols)
    if start_ns not in (None, market.start_ns) or end_ns not in (None, market.end_ns):
        raise DataInvalid(f"{sessions[0].name}: a recorded session is played whole, without a cut.")
    return market


def is_session_recording(path: Path) -> bool:
    """Whether a file begins as one; what cannot be read is none."""
    if not is_capture(path) or path.suffix == ".zip" or not path.is_file():
        return False
    try:
        with _opened(path) as file:
            return file.readline(LINE_BYTES_MAX).partition(b" ")[2].startswith(MARK)
    except (OSError, EOFError, zlib.error):
        return False


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _print(recording: Recording) -> Fingerprint:
    return Fingerprint(
        file=recording.path.name,
        sha256=sha256_of(recording.path),
        rows=recording.frames,
        first_ts=iso_utc(recording.start_ns),
        last_ts=iso_utc(recording.end_ns),
        gaps=recording.holes,
    )
