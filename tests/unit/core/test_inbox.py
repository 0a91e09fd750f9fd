# SPDX-License-Identifier: Apache-2.0
"""What comes over a transport, in any order and any number of times, is handled once and in order;
what stays away is waited for, and then said to be missing.
"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.inbox import WAIT_NS, Arrived, Inbox
from hean.core.message import SCHEMA, pack, unpack
from hean.core.types import Tick
from hean.errors import FieldInvalid

SOURCE = "ingestion"


def message(number: int, prev: int | None = None) -> bytes:
    before = number - 1 if prev is None else prev
    return pack(SOURCE, number, before, number, (Tick("BTCUSDT", 1.0, 1.0, number),))


def numbers(found: list[Arrived]) -> list[int]:
    return [each.message.seq for each in found]


@pytest.mark.promise(56)
@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 8), max_size=12))
def test_any_order_with_any_duplicates_is_told_once_and_in_order(
    order: list[int], again: list[int]
) -> None:
    inbox, found = Inbox({SOURCE: 100}), []
    for number in [*order, *again]:
        found += inbox.take(message(number + 100), 0)
    assert numbers(found) == list(range(101, 109))
    assert not any(each.is_cut for each in found)
    assert (inbox.duplicates, inbox.holes) == (len(again), 0)
    assert inbox.last == {SOURCE: 108}


def test_a_hole_is_gone_over_once_it_was_waited_for() -> None:
    inbox = Inbox({SOURCE: 1})
    assert inbox.take(message(3), 10) == inbox.take(message(4), 11) == []
    assert inbox.overdue(10 + WAIT_NS - 1) == []
    found = inbox.overdue(10 + WAIT_NS)
    assert [(each.message.seq, each.is_cut) for each in found] == [(3, True), (4, False)]
    assert inbox.holes == 1
    assert inbox.take(message(2), 12 + WAIT_NS) == []  # too late


def test_of_two_holes_one_is_filled_and_the_other_is_waited_for_from_then_on() -> None:
    inbox = Inbox({SOURCE: 1})
    assert inbox.take(message(3), 10) == inbox.take(message(5), 11) == []
    assert numbers(inbox.take(message(2), 20)) == [2, 3]
    assert inbox.take(message(2), 21) == inbox.overdue(19 + WAIT_NS) == []
    assert numbers(inbox.overdue(20 + WAIT_NS)) == [5]
    assert inbox.holes == 1


def test_a_sender_that_begins_anew_is_a_cut_but_no_hole() -> None:
    inbox = Inbox({SOURCE: 50})
    (found,) = inbox.take(message(90, prev=0), 0)
    assert found.is_cut
    assert (inbox.restarts, inbox.holes) == (1, 0)


def test_a_reader_that_begins_in_the_middle_knows_that_it_does() -> None:
    inbox = Inbox()
    (found,) = inbox.take(message(90), 0)
    assert found.is_cut
    assert inbox.holes == 1


def test_numbers_with_gaps_are_in_order_as_long_as_each_names_the_one_before() -> None:
    inbox = Inbox()
    rows = [message(7, prev=0), message(31, prev=7), message(32, prev=31)]
    found = [each for data in rows for each in inbox.take(data, 0)]
    assert numbers(found) == [7, 31, 32]
    assert inbox.holes == 0


def test_a_schema_of_the_future_and_rubbish_are_counted_and_not_handled() -> None:
    future = msgspec.msgpack.encode([SCHEMA + 1, "something", {"else": 1}])
    with pytest.raises(FieldInvalid, match=f"schema {SCHEMA + 1}, this version reads up to"):
        unpack(future)
    inbox = Inbox()
    assert inbox.take(future, 0) == inbox.take(b"\xff", 0) == inbox.take(b"", 0) == []
    assert inbox.unreadable == 3


def test_an_added_field_is_left_out_by_an_older_reader() -> None:
    row = msgspec.msgpack.decode(message(1))
    row[5][0][1]["added_later"] = 7
    found = unpack(msgspec.msgpack.encode([*row, "and a field of the envelope"]))
    assert found.payloads() == (Tick("BTCUSDT", 1.0, 1.0, 1),)
