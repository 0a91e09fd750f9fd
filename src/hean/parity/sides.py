# SPDX-License-Identifier: Apache-2.0
"""`sides.py`: what is compared. The recorded run is read from its journal: what it was told to do,
what it filled, and, but for live trading, the very market it saw. The market of the backtest is
what the caller names, or that same one. Nothing is played here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from hean.backtest.assumptions import Assumptions
from hean.backtest.journaling import JournalHeader, history_of
from hean.backtest.run import BacktestSettings, MarketData
from hean.core.journal import Journal, open_journal
from hean.core.parameters import Value
from hean.core.types import EventType, OrderFilled
from hean.errors import InputError
from hean.feeds.arriving import Terms
from hean.feeds.recording import (
    FrameRows,
    RecordedMarket,
    Recording,
    is_session_recording,
    load_market,
)
from hean.paper_journal import FINAL, JournalFrames, header_of
from hean.parity.data import DataDifference, compare_frames, compare_prints
from hean.parity.trades import Trade, of_row
from hean.system import AccountSettings

START = "START"  # kind of the row with which a life of live trading begins
Load = Callable[[], MarketData]
"""The market, ready to be played once more."""


@dataclass(frozen=True, slots=True)
class Told:
    """What any journal tells. *period*: of its rows; *state_hash*: at an orderly end."""

    place: str
    head: str
    trades: list[Trade]
    state_hash: str | None
    period: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as its journal tells it. *load*: its own market, `None` if only the venue had it.
    *rows*: that market's frames where it has some. *code*: SHA-256 of the strategy's file, if kept.
    """

    told: Told
    settings: BacktestSettings
    period: tuple[int, int]
    version: str
    code: str
    load: Load | None
    rows: FrameRows | None


@dataclass(frozen=True, slots=True)
class Given:
    """The market of the backtest. *difference*: to that of the run, `None` if there is none or
    nothing to compare with.
    """

    load: Load
    difference: DataDifference | None


class _Life(msgspec.Struct, frozen=True):
    """What the first START row of live trading says of it, as far as it matters here."""

    version: str
    strategy: str
    given: dict[str, Value]
    account: AccountSettings
    terms: list[Terms]


@contextmanager
def recorded_run(path: Path) -> Iterator[Recorded]:
    """The run of a journal of `hean paper`, `hean backtest` or `hean live`; its market can be
    played inside the context.

    *Raises*: `InputError`, `JournalDamaged`, `DataInvalid`.
    """
    journal = open_journal(path)
    try:
        told = _told(journal)
        if "terms" in journal.meta:
            yield _of_session(journal, told)
        elif "checksums" in journal.meta:
            yield _of_backtest(journal, told)
        else:
            yield _of_live(journal, told)
    finally:
        journal.close()


def given_market(recorded: Recorded, files: Sequence[Path]) -> Given:
    """The market of the backtest: *files*, or without any the recorded run's own.

    *Raises*: `InputError` if the run has none of its own, `DataInvalid`, `UnknownSymbol`.
    """
    if not files:
        if recorded.load is None:
            raise InputError("a journal of live trading holds no market; give --data.")
        return Given(recorded.load, None)
    symbols = recorded.settings.symbols
    if len(files) == 1 and is_session_recording(files[0]):
        recording = Recording(files[0])
        rows = recorded.rows
        difference = None if rows is None else compare_frames(rows, recording)
        return Given(lambda: RecordedMarket(recording, symbols), difference)
    start_ns, end_ns = recorded.period
    market = load_market(files, symbols, start_ns=start_ns, end_ns=end_ns)
    own = [] if recorded.load is None else recorded.load().fingerprints
    compared = compare_prints(own, market.fingerprints) if recorded.load is not None else None
    return Given(lambda: market, compared)


def _told(journal: Journal) -> Told:
    trades, state_hash, first_ns, last_ns = [], None, 0, 0
    for row in journal.records():
        first_ns, last_ns = first_ns or row.ts_ns, max(last_ns, row.ts_ns)
        if row.kind == EventType.ORDER_FILLED:
            fact = row.fact()
            assert isinstance(fact, OrderFilled)
            if not fact.is_kept:
                trades.append(of_row(row.ts_ns, fact))
        elif row.kind == FINAL:
            state_hash = row.payload.decode()
    name = Path(journal.place).name
    return Told(name, journal.head_hash.hex(), trades, state_hash, (first_ns, last_ns))


def _of_session(journal: Journal, told: Told) -> Recorded:
    header, frames = header_of(journal), JournalFrames(journal)
    return Recorded(
        told,
        header.settings,
        (frames.start_ns, frames.end_ns),
        header.version,
        header.code,
        lambda: RecordedMarket(frames, header.settings.symbols),
        frames,
    )


def _of_live(journal: Journal, told: Told) -> Recorded:
    """Delays and fees were the venue's: those of a backtest stand in for them."""
    first = next((row for row in journal.records() if row.kind == START), None)
    try:
        life = msgspec.msgpack.decode(first.payload if first else b"", type=_Life)
    except msgspec.MsgspecError as error:
        raise InputError(f"{told.place}: does not say what ran ({error}).") from error
    settings = BacktestSettings(
        life.strategy,
        tuple(row.symbol for row in life.terms),
        life.given,
        life.account,
        Assumptions(leverage=life.account.leverage),
    )
    return Recorded(told, settings, told.period, life.version, "", None, None)


def _of_backtest(journal: Journal, told: Told) -> Recorded:
    """Its market lies in files, which must still be there and the same."""
    try:
        header = msgspec.convert(journal.meta, JournalHeader)
    except msgspec.ValidationError as error:
        raise InputError(f"{journal.place}: not the journal of a run ({error}).") from error
    files = [Path(file) for file in header.files]
    is_session = len(files) == 1 and is_session_recording(files[0])
    load = (
        (lambda: history_of(header, files))
        if is_session
        else cache(lambda: history_of(header, files))
    )
    return Recorded(
        told,
        header.settings,
        (header.start_ns, header.end_ns),
        header.version,
        header.code,
        load,
        Recording(files[0]) if is_session else None,
    )
