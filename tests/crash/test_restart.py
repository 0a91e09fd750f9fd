# SPDX-License-Identifier: Apache-2.0
"""What a process that was killed hands on to the next one, in cases that were made on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from crash.live_process import OTHER_TIMES, SYMBOLS, LiveProcess, Place
from crash.pyramid import BURST
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server

PYRAMID = f"{Path(__file__).with_name('pyramid.py')}:Pyramid"


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("again")
    told = folder / "told"
    told.mkdir()
    with TwinProcess("bybit", folder) as twin:
        given = {"told": str(told)}
        yield Place(twin, "linear", folder, strategy=PYRAMID, given=given, program=OTHER_TIMES)


def held(place: Place) -> Decimal:
    positions = place.twin.control.account()["positions"]
    return sum((Decimal(each["size"]) for each in positions), Decimal(0))


def ask_for(place: Place, name: str) -> None:
    (Path(place.given["told"]) / name).touch()


def test_what_traded_unseen_before_a_death_is_known_to_the_strategy(place: Place) -> None:
    """The first piece is in the journal. The second trades, but neither its answer nor its frames
    come through before the process dies. The next one sells both.
    """
    control = place.twin.control
    with LiveProcess(place) as process:
        process.go()
        ask_for(place, "first")
        wait_until(lambda: process.status()["positions"][SYMBOLS[0]] == "0.003", "a piece")
        wait_until(lambda: len(control.account()["open_orders"]) == 1, "its stop")
        control.fault("timeout_accepted", count=1, match={"op": "create"})
        for asked in ("order", "orders", "executions"):  # nor does it find out by asking
            control.fault("timeout_lost", match={"op": asked})
        control.fault("frame_lost", match={"which": "private"})
        ask_for(place, "second")
        wait_until(lambda: held(place) == Decimal("0.006"), "another piece, unseen")
        assert process.status()["positions"][SYMBOLS[0]] == "0.003"
        process.kill()
    control.post("calm")
    with LiveProcess(place) as process:
        process.go()
        assert process.status()["positions"][SYMBOLS[0]] == "0.006"
        ask_for(place, "leave")
        wait_until(lambda: not held(place), "everything sold")
        wait_until(lambda: not process.status()["open_orders"], "no stop left")


def test_orders_in_flight_that_the_account_shows_stop_nothing(place: Place) -> None:
    """More orders than may be unknown are without an answer when the process dies. The next one
    finds them all at its first look, so nobody has to come and release it.
    """
    control = place.twin.control
    with LiveProcess(place) as process:
        process.go()
        control.fault("timeout_accepted", match={"op": "create"})
        control.fault("frame_lost", match={"which": "private"})
        ask_for(place, "burst")
        wait_until(lambda: len(control.account()["open_orders"]) == BURST, "orders")
        process.kill()
    control.post("calm")
    (Path(place.given["told"]) / "burst").unlink()
    with LiveProcess(place) as process:
        process.go()
        status = process.status()
        assert (status["level"], status["open_orders"]) == ("RUN", BURST)
        assert process.stop() == 0
    assert control.account()["open_orders"] == []


def test_what_an_earlier_directory_traded_is_no_matter_of_a_new_one(place: Place) -> None:
    """Its position is adopted at the first reading, and no later start counts its executions."""
    control = place.twin.control
    with LiveProcess(place) as process:
        process.go()
        ask_for(place, "first")
        wait_until(lambda: len(control.account()["open_orders"]) == 1, "a piece and its stop")
        process.kill()
    control.manual("cancel_all")
    new = replace(place, folder=place.folder / "new")
    new.folder.mkdir()
    for _ in range(2):
        with LiveProcess(new) as process:
            process.go()
            status = process.status()
            assert (status["level"], status["positions"][SYMBOLS[0]]) == ("RUN", "0.003")
            process.kill()
    control.manual("cancel_all")
