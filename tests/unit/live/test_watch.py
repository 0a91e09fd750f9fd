# SPDX-License-Identifier: Apache-2.0
"""Whether a process is alive, by what it does: a scripted heart, looked at every half second."""

from __future__ import annotations

from typing import Any

from hean.live.rows import START, STOP
from hean.live.watch import LOOK_S, Finding, Heart, Pulse, pulse_of


class Script:
    """A heart and the watch of whoever listens to it."""

    def __init__(self, limit_s: float = 10.0, *, is_under_way: bool = True) -> None:
        self.heart = Heart(limit_s)
        self.at_s = 100.0
        if is_under_way:
            self.heart.row(START)
        self.heart.look(self.at_s)

    def beat(self, **more: Any) -> None:
        """An answer."""
        self.heart.answered(Pulse(**({"state": "running"} | more)))

    def look(self, after_s: float = LOOK_S) -> Finding:
        """The next look."""
        self.at_s += after_s
        return self.heart.look(self.at_s)

    def silent_s(self, limit_s: float = 60.0) -> float:
        """How long it takes until somebody is silent, when nothing happens any more."""
        began_s = self.at_s
        while self.at_s - began_s < limit_s:
            if self.look() is Finding.SILENT:
                return self.at_s - began_s
        raise AssertionError("never silent")


def test_silence_is_noticed_after_the_limit_and_one_look() -> None:
    script = Script()
    script.beat(ticks=1)
    assert script.look() is Finding.FINE
    assert 10.0 < script.silent_s() <= 10.0 + 2 * LOOK_S


def test_whoever_delivers_what_it_was_given_is_alive() -> None:
    script = Script()
    for ticks in range(100):
        script.beat(ticks=ticks)
        assert script.look() is Finding.FINE


def test_answers_alone_are_no_progress() -> None:
    """The loop turns, the bus does not."""
    script = Script()
    for _ in range(30):
        script.beat(ticks=7)
        finding = script.look()
    assert finding is Finding.SILENT


def test_a_process_that_is_still_starting_is_alive_while_it_answers() -> None:
    script = Script()
    for _ in range(100):
        script.beat(state="starting")
        assert script.look() is Finding.FINE


def test_without_a_socket_a_journal_that_grows_will_do() -> None:
    script = Script()
    for number in range(60):
        if number % 15 == 0:
            script.heart.journal_at(number + 1)
        assert script.look() is Finding.FINE
    assert script.silent_s() > 0


def test_a_journal_that_stays_as_it_is_moves_nothing() -> None:
    script = Script()
    script.heart.journal_at(5)
    script.look()
    for _ in range(30):
        script.heart.journal_at(5)
        finding = script.look()
    assert finding is Finding.SILENT


def test_while_the_watchdog_stood_still_nothing_could_be_heard() -> None:
    script = Script()
    script.beat(ticks=1)
    script.look()
    assert script.look(after_s=3_600.0) is Finding.FINE
    assert script.silent_s() > 8.0


def test_a_process_that_gets_on_again_is_fine_again() -> None:
    script = Script()
    script.silent_s()
    script.beat(ticks=2)
    assert script.look() is Finding.FINE


def test_a_process_that_does_not_reach_the_venue_is_cut_off() -> None:
    script = Script()
    script.beat(ticks=1, unreached_s=9.9)
    assert script.look() is Finding.FINE
    script.beat(ticks=2, unreached_s=10.1)
    assert script.look() is Finding.CUT_OFF
    script.beat(ticks=3, unreached_s=0.2)
    assert script.look() is Finding.FINE


def test_an_end_in_order_that_was_watched_is_an_end_at_once() -> None:
    script = Script()
    script.heart.row(STOP)
    assert script.look() is Finding.ENDED


def test_an_end_of_an_earlier_life_is_none_and_a_process_may_still_begin() -> None:
    script = Script(is_under_way=False)
    script.heart.row(START)
    script.heart.row(STOP)
    script.heart.is_watched()
    assert script.look() is Finding.FINE
    script.heart.row(START)
    script.beat(ticks=1)
    assert script.look() is Finding.FINE
    assert script.silent_s() > 0


def test_a_process_that_goes_without_having_begun_leaves_nothing_to_watch() -> None:
    script = Script(is_under_way=False)
    findings = [script.look() for _ in range(25)]
    assert findings[-1] is Finding.ENDED
    assert Finding.SILENT not in findings


def test_only_an_answer_that_says_so_is_a_pulse() -> None:
    pulse = pulse_of({"ok": True, "state": "running", "ticks": 5, "unreached_s": 1, "seq": 9})
    assert pulse == Pulse("running", 5, 1.0)
    for answer in ({}, {"ok": False, "error": "no"}, {"ok": True, "ticks": "many"}, {"ok": 1}):
        assert pulse_of(answer) is None
