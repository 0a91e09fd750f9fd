# SPDX-License-Identifier: Apache-2.0
"""The venue of a replay: answers in their place, commands to nowhere."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from desk import BTC, START_NS, candle_file
from hean.backtest.assumptions import Assumptions
from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.journal import Record
from hean.core.types import (
    AmendRejected,
    EventType,
    OrderAmended,
    OrderApproved,
    OrderPlaced,
    OrderRejected,
    Payload,
    Side,
    Signal,
    Timer,
    encode,
)
from hean.feeds.history import load_history
from hean.venues.echo import EchoVenue, is_answer
from hean.venues.sim import SimulatedVenue

PLACED = OrderPlaced("h0-t-1", "v1", BTC)


def record(payload: Payload, event_seq: int = 1, ts_ns: int = START_NS) -> Record:
    return Record(1, ts_ns, payload.event_type.value, event_seq, encode(payload), b"")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (PLACED, True),
        (OrderRejected("a", "no", source="venue"), True),
        (OrderRejected("a", "no", source="venue-request"), True),
        (OrderAmended("a", None, Decimal(1), Decimal(1)), True),
        (AmendRejected("a", "no", source="venue"), True),
        (AmendRejected("a", "no", source="router"), False),
        (AmendRejected("a", "no"), False),
        (OrderRejected("a", "no", source="risk"), False),
        (OrderRejected("a", "no", source="router"), False),
        (Timer("x"), False),
        (Signal(BTC, Side.BUY), False),
    ],
)
def test_only_what_the_venue_said_is_an_answer(payload: Payload, expected: bool) -> None:
    assert is_answer(record(payload)) is expected


def test_a_state_hash_is_no_answer() -> None:
    assert not is_answer(Record(1, 0, "STATE_HASH", 1, b"\xff", b""))


def make(tmp_path: Path, *records: Record) -> EchoVenue:
    history = load_history([candle_file(tmp_path, bars=5)], [BTC])
    core = Assumptions().venue(Decimal(1), seed=0)
    core.add_instrument(history.markets[BTC].rules.instrument, "0", "0", "0", "3")
    history.feed(core)
    clock = SimClock(START_NS)
    bus = EventBus(clock=clock)
    venue = EchoVenue(bus, SimulatedVenue(core, clock), records)
    venue.subscribe(frozenset(EventType))
    return venue


def test_answers_come_at_their_number_and_before_the_market(tmp_path: Path) -> None:
    at = START_NS + 7
    venue = make(tmp_path, record(PLACED, 2, at), record(PLACED, 3, at), record(PLACED, 4, at + 1))
    first = venue.next(None)
    assert first is not None and first[1][0].event_type is EventType.CANDLE
    venue.bus.drain(first[1])
    assert venue.next(at) != (at, (PLACED, PLACED))  # a timer due by then goes first
    assert venue.next(None) == (at, (PLACED, PLACED))
    venue.bus.drain((PLACED, PLACED))
    assert venue.next(None) == (at + 1, (PLACED,))


def test_commands_go_nowhere(tmp_path: Path) -> None:
    venue = make(tmp_path)
    venue.submit(OrderApproved(BTC, Side.BUY, Decimal(1), order_id="h0-t-1"))
    venue.cancel("h0-t-1")
    venue.amend("h0-t-1", price=Decimal(1))
    kinds = set()
    while (instant := venue.next(None)) is not None:
        kinds |= {fact.event_type for fact in instant[1]}
    assert kinds == {EventType.CANDLE}
    assert venue.market.core.open_orders == 0
