# SPDX-License-Identifier: Apache-2.0
"""What a process keeps for others: numbers, confirmation, and what each delivery class does to it
when readers lag.
"""

from __future__ import annotations

from hean.core.message import Message, unpack
from hean.core.outbox import Outbox
from hean.core.types import Error, Funding, Health, Payload, Tick

HOLDER = "ingestion"


def tick(number: int) -> Tick:
    return Tick("BTCUSDT", float(number), 1.0, number)


def messages(outbox: Outbox) -> list[Message]:
    return [unpack(data) for _, data in outbox.unsent(10_000)]


def facts(outbox: Outbox) -> list[Payload]:
    return [fact for message in messages(outbox) for fact in message.payloads()]


def test_numbers_count_up_and_each_names_the_one_before() -> None:
    outbox = Outbox(HOLDER, 100)
    outbox.say(7, (tick(1), tick(2)))
    outbox.say(8, ())
    outbox.say(9, (), is_last=True)
    found = messages(outbox)
    assert [(each.seq, each.prev, each.ts_ns) for each in found] == [
        (101, 0, 7), (102, 101, 8), (103, 102, 9),
    ]  # fmt: skip
    assert found[0].payloads() == (tick(1), tick(2))
    assert [each.is_beat for each in found] == [False, True, False]
    assert [each.is_last for each in found] == [False, False, True]


def test_recorded_input_goes_on_where_it_was_confirmed() -> None:
    outbox = Outbox(HOLDER, 41, is_resumed=True)
    outbox.say(1, (tick(1),))
    (found,) = messages(outbox)
    assert (found.seq, found.prev) == (42, 41)


def test_what_is_confirmed_is_forgotten_and_what_was_lost_is_sent_again() -> None:
    outbox = Outbox(HOLDER, 0)
    for number in range(1, 11):
        outbox.say(number, (tick(number),))
    outbox.sent(10)
    assert (len(outbox), messages(outbox)) == (10, [])
    outbox.confirmed(4)
    outbox.resend_after(6)
    assert len(outbox) == 6
    assert [each.seq for each in messages(outbox)] == [7, 8, 9, 10]


def test_while_readers_lag_state_is_merged_and_the_droppable_dropped() -> None:
    outbox = Outbox(HOLDER, 0, kept_max=100)
    for number in range(20):
        outbox.say(number, (tick(number),))
    for number in range(20, 40):
        outbox.say(number, (Health("feed", "FRESH", number),))
    assert len(outbox) == 20
    outbox.say(40, (tick(40), Health("feed", "STALE", 40)))
    assert (len(outbox), outbox.merged) == (21, 20)
    outbox.confirmed(21)
    outbox.say(41, (tick(41),))
    assert facts(outbox) == [Health("feed", "STALE", 40), tick(41)]


def test_past_the_bound_market_data_goes_as_one_hole_and_class_a_stays() -> None:
    outbox = Outbox(HOLDER, 0, kept_max=100)
    kept = [Funding("BTCUSDT", 0.0001, 5), Error("feed", "broken", 1)]
    outbox.say(1, (kept[0],))
    outbox.say(2, (kept[1],))
    for number in range(3, 102):
        outbox.say(number, (tick(number),))
    found = messages(outbox)
    assert facts(outbox)[:2] == kept
    assert (found[1].seq, found[2].prev) == (2, 50)  # one hole
    assert found[-1].seq == 101
    assert len(outbox) == len(found) == 53
    assert outbox.dropped == 48


def test_what_every_reader_has_of_an_earlier_life_is_passed_over() -> None:
    outbox = Outbox(HOLDER, 0, is_resumed=True)
    outbox.pass_over(7)
    outbox.say(1, (tick(1),))
    (found,) = messages(outbox)
    assert (found.seq, found.prev) == (8, 7)
