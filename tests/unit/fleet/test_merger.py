# SPDX-License-Identifier: Apache-2.0
"""In which order messages of several processes are played, and for how long a market waits."""

from __future__ import annotations

from hean.core.inbox import Arrived
from hean.core.message import Message
from hean.fleet.merger import PATIENCE_NS, Merger


def arrived(source: str, seq: int, as_of: int = 0) -> Arrived:
    return Arrived(Message(1, source, seq, seq - 1, seq, [], as_of=as_of), b"")


def names(found: list[Arrived]) -> list[tuple[str, int]]:
    return [(each.message.source, each.message.as_of or each.message.seq) for each in found]


def test_what_models_say_goes_before_the_message_it_is_about() -> None:
    merger = Merger("feed", ["a", "b"], patience_ns=None)
    merger.take([arrived("feed", 1), arrived("feed", 2), arrived("b", 5, 1), arrived("b", 6, 2)], 0)
    assert merger.turn(10**18) == [] and merger.is_waiting  # a file is played without a hurry
    merger.take([arrived("a", 9, 1)], 0)
    assert names(merger.turn(0)) == [("a", 1), ("b", 1), ("feed", 1)]
    merger.take([arrived("a", 10, 2)], 0)
    assert names(merger.turn(0)) == [("a", 2), ("b", 2), ("feed", 2)]
    assert not merger.is_waiting and not merger.timeouts


def test_a_live_market_waits_so_long_and_then_only_for_who_has_caught_up() -> None:
    merger = Merger("feed", ["a"], patience_ns=PATIENCE_NS)
    merger.take([arrived("feed", 1)], 0)
    assert merger.turn(PATIENCE_NS) == []
    assert names(merger.turn(PATIENCE_NS + 1)) == [("feed", 1)]
    assert merger.overdue == {"a"} and merger.timeouts == 1
    merger.take([arrived("feed", 2)], 0)
    assert names(merger.turn(0)) == [("feed", 2)]  # at once
    merger.take([arrived("a", 1, 1)], 0)
    assert names(merger.turn(0)) == [("a", 1)]  # late, and told all the same
    assert merger.overdue == {"a"}
    merger.take([arrived("a", 2, 2)], 0)
    assert names(merger.turn(0)) == [("a", 2)] and not merger.overdue
    merger.take([arrived("feed", 3)], 0)
    assert merger.turn(0) == []


def test_a_life_that_goes_on_takes_what_is_about_the_past_at_once() -> None:
    merger = Merger("feed", ["a"], patience_ns=None)
    merger.resume(7)
    merger.take([arrived("a", 1, 7), arrived("a", 2, 8)], 0)
    assert names(merger.turn(0)) == [("a", 7)]
