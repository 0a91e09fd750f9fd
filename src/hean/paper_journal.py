# SPDX-License-Identifier: Apache-2.0
"""`paper_journal.py`: a session on a live feed that can be repeated. The header holds settings and
trading rules; beside the events that may not be lost there is a row for each frame with its moment
and facts, written before the frame is played. `replay_session` plays these rows with the same code,
the simulated venue included, and compares every event byte for byte and every state hash.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from hean import __version__
from hean.backtest.journaling import code_of
from hean.backtest.run import BacktestSettings
from hean.core.journal import STATE_HASH, Journal, Record, open_journal
from hean.core.message import Message, unpack
from hean.core.types import Delivery, Event, EventType, Payload, decode, encode
from hean.data.fingerprint import iso_utc
from hean.errors import InputError, ReplayDiverged
from hean.feeds.arriving import Terms
from hean.feeds.recording import Frame, Opening, SessionRecorder, Sight
from hean.paper import PaperSession

MARKET = "MARKET"  # kind of a frame's row
INPUT = "INPUT"  # kind of the row of a message that another process sent, as it came
END = "END"  # kind of the row that says up to when was played
FINAL = "FINAL_STATE_HASH"
PLAY_ROWS = 1_000  # frames of a replay that are played at once

Facts = list[tuple[EventType, bytes]]
_FACTS = msgspec.msgpack.Decoder(Facts)


class JournalFrames:
    """The frames of a session as its journal keeps them; see `FrameRows`. *journal*: open."""

    holes = 0  # a journal with a row missing is refused when it is opened

    def __init__(self, journal: Journal) -> None:
        header = header_of(journal)
        self.opening = Opening(header.origin, header.terms, header.version)
        self.start_ns = self.end_ns = header.start_ns
        self.frames = 0
        self._journal = journal
        for row in journal.records():
            self.frames += row.kind == MARKET
            if row.kind in (MARKET, END):
                self.end_ns = row.ts_ns + (row.kind == MARKET)

    def __iter__(self) -> Iterator[Frame]:
        number = 0
        for row in self._journal.records():
            if row.kind == MARKET:
                number += 1
                yield number, row.ts_ns, _facts(row)


class Inputs:
    """Messages as frames of a session on *symbols*. *last*: the last number of each source;
    *played*: that of the feed.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.last: dict[str, int] = {}
        self.played = 0
        self.is_over = False
        """Whether nothing will come any more."""
        self._sight = Sight(symbols)

    def facts(self, message: Message) -> tuple[Payload, ...]:
        """What may be known of a message whose turn it is."""
        is_cut = message.prev != self.last.get(message.source, 0)
        self.last[message.source] = message.seq
        self.played = message.seq
        self.is_over = self.is_over or message.is_last
        return self._sight.of(message.payloads(), is_cut=is_cut)


class SessionHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the header of a session's journal holds."""

    settings: BacktestSettings
    terms: list[Terms]
    origin: str
    start_ns: int
    version: str = __version__
    code: str = ""
    """SHA-256 of the file the strategy came from."""
    elsewhere: tuple[str, ...] = ()
    """Models that ran in other processes."""

    def session(self) -> PaperSession:
        """A new session of it. *Raises*: `ParameterInvalid`, `StrategyInvalid`."""
        return PaperSession(
            self.settings, self.terms, start_ns=self.start_ns, origin=self.origin,
            elsewhere=self.elsewhere,
        )  # fmt: skip


def header_of(journal: Journal) -> SessionHeader:
    """The header of a session's journal. *Raises*: `InputError` for another journal."""
    try:
        return msgspec.convert(journal.meta, SessionHeader)
    except msgspec.ValidationError as error:
        raise InputError(f"{journal.place}: not the journal of a session ({error}).") from error


def start_session_journal(path: Path, session: PaperSession, terms: list[Terms]) -> Journal:
    """Open a new journal and record the session into it. *Raises*: `InputError` if it exists."""
    if path.exists():
        raise InputError(f"{path} exists; a journal is never written over. Choose another name.")
    run = session.run
    origin = session.origin
    header = SessionHeader(
        run.settings, terms, origin, session.market.start_ns, code=code_of(*run.system.strategies)
    )
    journal = open_journal(
        path,
        holder=str(os.getpid()),
        meta=msgspec.to_builtins(header),
        state_hash=lambda: run.system.state_hash().encode(),
    )

    def record(event: Event) -> None:
        if event.data.delivery is Delivery.NEVER_DROPPED:
            journal.append_event(event)

    def record_frame(at_ns: int, facts: tuple[Payload, ...]) -> None:
        rows = [(fact.event_type, encode(fact)) for fact in facts]
        journal.append(MARKET, msgspec.msgpack.encode(rows), ts_ns=at_ns)

    run.system.bus.tap(record)
    session.on_frame.append(record_frame)
    session.on_said.append(record_frame)
    return journal


def resume_session(
    path: Path, header: SessionHeader, *,
    begun: Callable[[PaperSession], None] | None = None,
    played: Callable[[int, Message], None] | None = None,
) -> tuple[PaperSession, Journal, Inputs, bool]:  # fmt: skip
    """Go on with the session of a journal, or begin one: its messages are played again, what
    follows from them is compared, and appended where the journal ends before it. *begun*: told the
    session before anything is played; *played*: told row and message of all that is.

    *Returns*: session, open journal, what was taken of each source, and whether the journal has its
    end. *Raises*: `ReplayDiverged`; `InputError` where the journal is another's.
    """
    session = header.session()
    if begun is not None:
        begun(session)
    header = replace(header, code=code_of(*session.run.system.strategies))
    journal = open_journal(
        path,
        holder=str(os.getpid()),
        meta=msgspec.to_builtins(header),
        state_hash=lambda: session.run.system.state_hash().encode(),
    )
    if header_of(journal) != header:
        journal.close()
        raise InputError(
            f"{path}: the journal of another session; settings, strategy and version stay the same "
            "until it has ended. Choose another --data-dir."
        )
    old = journal.head_seq
    comparison = Comparison(_up_to(journal, old), session)

    def record(event: Event) -> None:
        if event.data.delivery is not Delivery.NEVER_DROPPED:
            return
        if comparison.is_over:
            journal.append_event(event)
        else:
            comparison.compare(event)

    session.run.system.bus.tap(record)
    inputs, is_ended = Inputs(header.settings.symbols), False
    for row in _up_to(journal, old):
        if row.kind == INPUT:
            message = unpack(row.payload)
            take_input(session, inputs, message)
            if played is not None:
                played(row.seq, message)
        is_ended = is_ended or row.kind == END
    journal.commit()
    return session, journal, inputs, is_ended


def take_input(session: PaperSession, inputs: Inputs, message: Message) -> None:
    """Play one message of the feed, or hold what a process of models says of one."""
    relay = session.run.system.relay
    if message.as_of:
        inputs.last[message.source] = message.seq
    else:
        facts = inputs.facts(message)
        if facts:
            session.take(message.ts_ns, facts)
    if relay is not None:
        relay.hold(message.derived)
    if not message.as_of:
        session.play(message.ts_ns + (not message.is_last))
    if relay is not None and message.as_of <= inputs.played:
        late = relay.left(message.ts_ns)
        if late:  # it comes to be known now, and is played with what comes next
            session.market.take(session.market.free_ns, late)


def _up_to(journal: Journal, seq: int) -> Iterator[Record]:
    return itertools.takewhile(lambda row: row.seq <= seq, journal.records())


def start_recording(path: Path, session: PaperSession, terms: list[Terms]) -> SessionRecorder:
    """Keep the session's market in a file as well, for backtests. *Raises*: `InputError` if it
    exists."""
    start_ns = session.market.start_ns
    recorder = SessionRecorder(path, Opening(session.origin, terms, __version__), start_ns=start_ns)
    session.on_frame.append(recorder.frame)
    return recorder


def finish_session_journal(journal: Journal, session: PaperSession, ended_ns: int) -> str:
    """Write the end and close. *Returns*: the hash of the chain's head, in hex."""
    end_session_journal(journal, session, ended_ns)
    head = journal.head_hash.hex()
    journal.close()
    return head


def end_session_journal(journal: Journal, session: PaperSession, ended_ns: int) -> None:
    """Write the end."""
    seq = session.run.bus.seq
    journal.append(END, b"", ts_ns=ended_ns, event_seq=seq)
    state = session.run.system.state_hash().encode()
    journal.append(FINAL, state, ts_ns=session.run.clock.now_ns, event_seq=seq)
    journal.commit()


def is_session(path: Path) -> bool:
    """Whether a journal is that of a session on a live feed."""
    journal = open_journal(path)
    journal.close()
    return "terms" in journal.meta


def replay_session(path: Path) -> dict[str, Any]:
    """Play a session's journal again and compare.

    *Returns*: counts of what was compared. *Raises*: `ReplayDiverged` at the first difference.
    """
    journal = open_journal(path)
    try:
        header = header_of(journal)
        session = header.session()
        comparison = Comparison(journal.records(), session)
        inputs = Inputs(header.settings.symbols)
        session.run.system.bus.tap(comparison.compare)
        for number, record in enumerate(journal.records()):
            if record.kind == INPUT:
                take_input(session, inputs, unpack(record.payload))
            elif record.kind == MARKET:
                session.take(record.ts_ns, _facts(record))
                if number % PLAY_ROWS == 0:
                    session.play(record.ts_ns)
            elif record.kind == END:
                session.play(record.ts_ns)
        session.finish()
        comparison.finish()
        records, head = journal.head_seq, journal.head_hash.hex()
    finally:
        journal.close()
    return {
        "journal": path.name,
        "journal_hash": head,
        "records": records,
        "events_compared": comparison.events,
        "state_hashes_compared": comparison.hashes,
        "state_hash": session.run.system.state_hash(),
        "strategy": header.settings.strategy,
        "start": iso_utc(header.start_ns),
        "end": iso_utc(session.market.end_ns),
    }


def _facts(record: Record) -> tuple[Payload, ...]:
    return tuple([decode(kind, data) for kind, data in _FACTS.decode(record.payload)])


class Comparison:
    """Holds what happens now against the rows that are no frames."""

    def __init__(self, records: Iterator[Record], session: PaperSession) -> None:
        self._rows = (row for row in records if row.kind not in (MARKET, INPUT, END))
        self._session = session
        self._next: Record | None = next(self._rows, None)
        self.events = 0
        self.hashes = 0

    def compare(self, event: Event) -> None:
        """A tap: every event that may not be lost must be the next of the journal."""
        if event.data.delivery is not Delivery.NEVER_DROPPED:
            return
        self._compare_states()
        record = self._take()
        now = (event.event_type.value, event.ts_ns, event.seq, encode(event.data))
        then = record and (record.kind, record.ts_ns, record.event_seq, record.payload)
        if now != then:
            found = f"{then[0]} at {then[1]}" if then else "the end of the journal"
            raise ReplayDiverged(
                f"event {record.event_seq if record else event.seq}: the journal has {found}, the "
                f"replay emits {event.event_type} at {event.ts_ns}: {event.data}."
            )
        self.events += 1
        # A hash in the very next row was taken before the event was handled, as now.
        if record is not None and self._next is not None and self._next.seq == record.seq + 1:
            self._compare_states()

    @property
    def is_over(self) -> bool:
        """Whether the journal has been followed to the end of what happened."""
        self._compare_states()
        return self._next is None or self._next.kind == FINAL

    def finish(self) -> None:
        """Nothing may be left but state hashes, and the last must be the final one."""
        self._compare_states()
        final = self._take()
        if final is None or final.kind != FINAL:
            found = final.kind if final else "no final state"
            raise ReplayDiverged(f"the replay ended before {found}.")
        self._compare_state(final)

    def _take(self) -> Record | None:
        record, self._next = self._next, next(self._rows, None)
        return record

    def _compare_states(self) -> None:
        while self._next is not None and self._next.kind == STATE_HASH:
            self._compare_state(self._next)
            self._take()

    def _compare_state(self, record: Record) -> None:
        state = self._session.run.system.state_hash().encode()
        if record.payload != state:
            raise ReplayDiverged(
                f"event {record.event_seq}: state hash {state.decode()[:16]}, the journal has "
                f"{record.payload.decode()[:16]}."
            )
        self.hashes += 1
