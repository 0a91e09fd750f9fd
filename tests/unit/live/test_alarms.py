# SPDX-License-Identifier: Apache-2.0
"""What a person at the terminal is told, and that nobody waits for the terminal."""

from __future__ import annotations

import os

from desk import Desk
from hean.core.types import Error, KillswitchReleased, KillswitchTriggered
from hean.live.alarms import LINE_BYTES_MAX, Alarms, say_on


def told(desk: Desk) -> list[str]:
    lines: list[str] = []
    Alarms(lines.append).listen(desk.bus)
    return lines


def test_stops_and_failures_are_told_with_who_and_why() -> None:
    desk = Desk()
    lines = told(desk)
    now_ns = desk.clock.now_ns
    desk.say(KillswitchTriggered("the clock is off", now_ns, "HALT_NEW", actor="auto:clock"))
    desk.say(Error("bybit", "order h1-a-1 is in quarantine", now_ns))
    desk.say(KillswitchReleased("set the clock", now_ns, "risk:ann"))
    assert [line.partition("Z ")[2] for line in lines] == [
        "ALARM HALT_NEW by auto:clock: the clock is off",
        "ALARM bybit: order h1-a-1 is in quarantine",
        "released by risk:ann: set the clock",
    ]
    assert all(line[4] == "-" and line[10] == "T" for line in lines)


def test_the_same_sentence_is_told_once_a_minute() -> None:
    desk = Desk()
    lines = told(desk)
    for _ in range(3):
        desk.say(Error("bybit", "the same", 1))
        desk.wait(10)
    assert len(lines) == 1
    desk.wait(60)
    desk.say(Error("bybit", "the same", 1))
    assert len(lines) == 2


def test_a_line_goes_out_whole_and_shows_nothing_odd() -> None:
    reading, writing = os.pipe()
    say_on(writing, "one\ntwo \x1b[31m ü " + "x" * 2 * LINE_BYTES_MAX)
    found = os.read(reading, 10 * LINE_BYTES_MAX).decode()
    assert found.startswith("one two ?[31m \\xfc xxx")
    assert found.count("\n") == 1
    os.close(reading)
    say_on(writing, "nobody is there any more")
    os.close(writing)
    say_on(writing, "nor this")


def test_a_terminal_that_takes_nothing_is_not_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4_096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    say_on(writing, "this would wait for ever")
    os.close(reading)
    os.close(writing)
