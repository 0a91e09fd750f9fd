# SPDX-License-Identifier: Apache-2.0
"""What goes wrong inside a trading process: a strategy that raises, a part that keeps the truth and
raises, a loop that stood still, a disk that fills up.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from desk import BTC, Desk
from hean.core.handling import Handling
from hean.core.module import Module, on
from hean.core.types import Command, Event, EventType, OrderType, Side, Tick
from hean.live.mishaps import FREE_BYTES_MIN, Mishaps
from hean.risk.killswitch import KillSwitch

STOP = {"type": OrderType.STOP, "trigger_price": Decimal(59_000), "reduce_only": True}


class Broken:
    """A desk whose strategy can be made to raise."""

    def __init__(self) -> None:
        self.desk = desk = Desk()
        self.free = 10 * FREE_BYTES_MIN
        switch = KillSwitch(desk.engine, desk.system.governor.instruments, account_id="1")
        desk.system.add(switch)
        self.mishaps = Mishaps(
            desk.system,
            switch,
            now=lambda: desk.clock.now_ns,
            free_bytes=self.free_bytes,
            folder=Path("data"),
        )
        desk.bus.on_failure = self.mishaps.handler_failed
        desk.bus.on_truth_failure = self.mishaps.truth_failed

    def free_bytes(self, _: Path) -> int:
        if self.free < 0:
            raise FileNotFoundError(2, "No such file or directory")
        return self.free

    def commands(self) -> list[Command]:
        self.desk.say()
        return self.desk.of(EventType.COMMAND)


@pytest.fixture
def broken() -> Broken:
    return Broken()


def tick() -> Tick:
    return Tick(BTC, 60_000.0, 1.0, 1)


def test_a_strategy_that_raises_is_heard_no_more_and_its_stop_stays(broken: Broken) -> None:
    desk = broken.desk
    heard: list[Event] = []

    def on_fill(event: Event) -> None:
        heard.append(event)
        raise ZeroDivisionError

    desk.strategy.on_fill = on_fill  # type: ignore[method-assign]  # a bug of its author
    entry = desk.ask("0.1", strategy_id="hand")
    stop = desk.ask("0.1", Side.SELL, strategy_id="hand", **STOP) if desk.held()[0] else ""
    desk.fill(entry, "0.05", "e1")
    assert broken.mishaps.is_disabled
    stop = desk.ask("0.05", Side.SELL, strategy_id="hand", **STOP)
    desk.fill(entry, "0.01", "e2")
    assert len(heard) == 1
    assert desk.venue.cancels == [entry]
    assert stop in desk.open_ids()
    errors = [error.error for error in desk.of(EventType.ERROR)]
    assert any("strategy hand is disabled: it raised ZeroDivisionError" in text for text in errors)
    assert broken.commands() == []  # others trade on


def test_a_part_that_keeps_the_truth_and_raises_stops_everything_new(broken: Broken) -> None:
    class Books(Module):
        name = "books"
        truth = True

        @on(EventType.TICK)
        def on_tick(self, event: Event) -> None:
            raise KeyError("a row")

    broken.desk.system.add(Books())
    broken.desk.say(tick())
    (command,) = broken.commands()
    assert (command.verb, command.arguments["level"]) == ("kill", "HALT_NEW")
    assert "books failed at event 1: KeyError" in command.arguments["reason"]
    assert broken.desk.engine.halt_level == "HALT_NEW"


@pytest.mark.promise(155)
def test_half_a_second_is_told_and_five_stop_whoever_stood_in_the_way(broken: Broken) -> None:
    event = Event(EventType.TICK, tick())
    strategy = Handling(broken.desk.strategy, "Hand.on_tick", event)
    broken.mishaps.stalled(0.6, strategy)
    assert broken.commands() == []
    (error,) = broken.desk.of(EventType.ERROR)
    assert error.error == "SLOW: the event loop stood still for 0.6 s in Hand.on_tick"
    assert not broken.mishaps.is_disabled
    broken.mishaps.stalled(5.5, strategy)
    (command,) = broken.commands()
    assert "stood still for 5.5 s in Hand.on_tick" in command.arguments["reason"]
    assert broken.mishaps.is_disabled


def test_a_disk_that_fills_up_stops_everything_new_once(broken: Broken) -> None:
    broken.mishaps.look_at_disk()
    assert broken.commands() == []
    broken.free = FREE_BYTES_MIN - 1
    broken.mishaps.look_at_disk()
    broken.mishaps.look_at_disk()
    (command,) = broken.commands()
    assert "data has 1023 MiB left, 1024 are needed" in command.arguments["reason"]


def test_a_folder_that_has_vanished_stops_everything_new_once(broken: Broken) -> None:
    broken.free = -1
    broken.mishaps.look_at_disk()
    broken.mishaps.look_at_disk()
    (command,) = broken.commands()
    assert "data cannot be looked at (No such file or directory)" in command.arguments["reason"]
