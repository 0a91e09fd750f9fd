# SPDX-License-Identifier: Apache-2.0
"""`journaling.py`: a run that can be repeated. The journal's header holds the settings and the data
files with their checksums; its rows hold every event that may not be lost, and the state hash
every thousand rows. `replay` builds the same system from the header, takes the venue's answers from
the rows, and compares everything else byte for byte, up to the first difference.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hean import __version__
from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.tiers import Tier
from hean.core.journal import STATE_HASH, STATE_HASH_EVERY, Journal, Record, open_journal
from hean.core.types import Delivery, Event, encode
from hean.data.fingerprint import iso_utc, sha256_of
from hean.errors import DataInvalid, InputError, ReplayDiverged
from hean.feeds.history import History
from hean.feeds.recording import RecordedMarket, load_market
from hean.strategies.base import Strategy

FINAL = "FINAL_STATE_HASH"


class JournalHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the header of a run's journal holds."""

    settings: BacktestSettings
    files: list[str]
    checksums: list[str]
    start_ns: int
    end_ns: int
    version: str = __version__
    code: str = ""
    """SHA-256 of the file the strategy came from."""


def start_journal(path: Path, backtest: Backtest, files: Sequence[Path]) -> Journal:
    """Open a new journal for *backtest* and record into it from the first event on.

    *Raises*: `InputError` if the file exists.
    """
    if backtest.settings.tier is Tier.NATIVE:
        raise InputError("the native tier emits no events to journal; run tier event or wake.")
    if path.exists():
        raise InputError(f"{path} exists; a journal is never written over. Choose another name.")
    history = backtest.history
    header = JournalHeader(
        backtest.settings,
        [str(file) for file in files],
        [sha256_of(file) for file in files],
        history.start_ns,
        history.end_ns,
        code=code_of(*backtest.system.strategies),
    )
    system = backtest.system
    journal = open_journal(
        path,
        holder=str(os.getpid()),
        meta=msgspec.to_builtins(header),
        state_hash=lambda: system.state_hash().encode(),
    )

    def record(event: Event) -> None:
        if event.data.delivery is Delivery.NEVER_DROPPED:
            journal.append_event(event)

    system.bus.tap(record)
    return journal


def finish_journal(journal: Journal, backtest: Backtest) -> str:
    """Write the last state hash and close. *Returns*: the hash of the chain's head, in hex."""
    state = backtest.system.state_hash().encode()
    journal.append(FINAL, state, ts_ns=backtest.clock.now_ns, event_seq=backtest.system.bus.seq)
    journal.commit()
    head = journal.head_hash.hex()
    journal.close()
    return head


def replay(path: Path, *, data: Sequence[Path] = ()) -> dict[str, Any]:
    """Run a journal again and compare. *data*: where the files are now, in the recorded order.

    *Returns*: counts of what was compared. *Raises*: `ReplayDiverged` at the first difference.
    """
    journal = open_journal(path)
    try:
        header = msgspec.convert(journal.meta, JournalHeader)
        records = list(journal.records())
        head = journal.head_hash.hex()
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: not the journal of a run ({error}).") from error
    finally:
        journal.close()
    history = history_of(header, list(data) or [Path(file) for file in header.files])
    backtest = Backtest(header.settings, history, answers=records)
    comparison = _Comparison(records, backtest)
    backtest.system.bus.tap(comparison.compare)
    backtest.recorder.begin(backtest.clock.now_ns)
    backtest.play()
    backtest.recorder.end(backtest.clock.now_ns)  # it values the account, which the last hash shows
    comparison.finish()
    return {
        "journal": path.name,
        "journal_hash": head,
        "records": len(records),
        "events_compared": comparison.events,
        "state_hashes_compared": comparison.hashes,
        "state_hash": backtest.system.state_hash(),
        "strategy": header.settings.strategy or " + ".join(backtest.system.traders),
        "start": iso_utc(header.start_ns),
        "end": iso_utc(header.end_ns),
    }


def code_of(*strategies: Strategy) -> str:
    """SHA-256 of the file a strategy came from, in hex, of several with a comma between; empty
    where there is none.
    """
    return ",".join(map(_code_of, strategies))


def _code_of(strategy: Strategy) -> str:
    try:
        file = inspect.getsourcefile(type(strategy))
        return sha256_of(Path(file)) if file else ""
    except (OSError, TypeError):
        return ""


def history_of(header: JournalHeader, files: list[Path]) -> History | RecordedMarket:
    """The market of a journal. *Raises*: `DataInvalid` if its files are gone or others."""
    if len(files) != len(header.checksums):
        raise DataInvalid(
            f"{len(files)} files given, the journal was made from {len(header.checksums)}: "
            f"{', '.join(header.files)}."
        )
    for file, expected in zip(files, header.checksums, strict=True):
        if not file.is_file():
            raise DataInvalid(f"{file}: the journal's data is not there; say where with --data.")
        if sha256_of(file) != expected:
            raise DataInvalid(f"{file}: not the data of the journal (checksum differs).")
    return load_market(
        files, header.settings.symbols, start_ns=header.start_ns, end_ns=header.end_ns
    )


class _Comparison:
    """Holds what is emitted now against what was journaled."""

    def __init__(self, records: list[Record], backtest: Backtest) -> None:
        self._records: Iterator[Record] = iter(records)
        self._backtest = backtest
        self.events = 0
        self.hashes = 0

    def compare(self, event: Event) -> None:
        """A tap: every event that may not be lost must be the next of the journal."""
        if event.data.delivery is not Delivery.NEVER_DROPPED:
            return
        record = next(self._records, None)
        now = (event.event_type.value, event.ts_ns, event.seq, encode(event.data))
        then = record and (record.kind, record.ts_ns, record.event_seq, record.payload)
        if record is None or now != then:
            found = f"{then[0]} at {then[1]}" if then else "the end of the journal"
            where = record.event_seq if record else event.seq
            raise ReplayDiverged(
                f"event {where}: the journal has {found}, the replay emits {event.event_type} "
                f"at {event.ts_ns}: {event.data}."
            )
        self.events += 1
        # The state hash after a thousandth row was taken before that row was handled, as now.
        if record.seq % STATE_HASH_EVERY == 0:
            self._compare_state(next(self._records, None), STATE_HASH)

    def finish(self) -> None:
        """Nothing may be left but the last state hash, and that must agree."""
        record = next(self._records, None)
        self._compare_state(record, FINAL)
        extra = next(self._records, None)
        if extra is not None:
            raise ReplayDiverged(f"event {extra.event_seq}: the replay ended before {extra.kind}.")

    def _compare_state(self, record: Record | None, kind: str) -> None:
        state = self._backtest.system.state_hash().encode()
        if record is None or record.kind != kind:
            found = f"{record.kind} at event {record.event_seq}" if record else "nothing"
            raise ReplayDiverged(f"expected {kind}, the journal has {found}.")
        if record.payload != state:
            raise ReplayDiverged(
                f"event {record.event_seq}: state hash {state.decode()[:16]}, the journal has "
                f"{record.payload.decode()[:16]}."
            )
        self.hashes += 1
