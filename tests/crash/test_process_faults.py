# SPDX-License-Identifier: Apache-2.0
"""What can happen to a trading process from outside (RELIABILITY 3 A): it is asked to end in the
middle of a burst, stopped and woken, started twice, started twice elsewhere, given a directory that
others can read, given yesterday's directory. `HEAN_STOP_S` says how long it is stopped.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crash.audit import Reading, ledger_of, problems, records_of
from crash.live_process import SYMBOLS, LiveProcess, Place
from hean.core.types import AccountRead
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server

STOP_S = float(os.environ.get("HEAN_STOP_S", "6"))  # anything above 5 s is a gap
PYRAMID = f"{Path(__file__).with_name('pyramid.py')}:Pyramid"
WATCHED_S = 2.0  # in which nothing may arrive


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A strategy that never rests."""
    folder = tmp_path_factory.mktemp("flt")
    with TwinProcess("bybit", folder) as twin:
        yield Place(twin, "linear", folder, given={"every": "1"})


def told(place: Place, name: str = "told") -> Place:
    """The same place with a strategy that buys when it is told to."""
    folder = place.folder / name
    folder.mkdir(exist_ok=True)
    return replace(place, strategy=PYRAMID, given={"told": str(folder)})


def buy(place: Place, name: str) -> None:
    (Path(place.given["told"]) / name).touch()


def created(place: Place, since: int = 0) -> list[dict[str, Any]]:
    records = place.twin.control.ledger(since)
    return [record for record in records if record["kind"] == "new"]


def only_stop(place: Place, size: str) -> dict[str, Any] | None:
    """The only open order, if it is of that size: a piece that trades later renews the stop."""
    orders = place.twin.control.account()["open_orders"]
    is_there = len(orders) == 1 and Decimal(orders[0]["qty"]) == Decimal(size)
    return orders[0] if is_there else None


def epochs(place: Place) -> set[str]:
    """Of the lives that made an order."""
    return {record["client_order_id"].split("-")[0] for record in created(place)}


def written(place: Place) -> int:
    """The last row of the journal that is on the disk."""
    with closing(sqlite3.connect(f"file:{place.journal}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT max(seq) FROM record").fetchone()[0])


def position(process: LiveProcess) -> str:
    return str(process.status()["positions"][SYMBOLS[0]])


def test_an_end_that_is_asked_for_in_a_burst_loses_nothing(place: Place) -> None:
    with LiveProcess(place) as process:
        process.go()
        wait_until(lambda: len(created(place)) > 8, "a burst")
        assert process.stop() == 0
    open_orders = place.twin.control.account()["open_orders"]
    assert all(order["reduce_only"] for order in open_orders), "only protection stays"
    assert problems(place, Reading(place)) == []


def test_a_process_that_was_stopped_reads_the_account_before_it_opens_anything(
    place: Place,
) -> None:
    """It is told to buy while it sleeps. (One that is stopped in the middle of a commit finds that
    the disk took too long, and opens nothing new at all; so this one has nothing to write.)
    """
    place = told(place)
    with LiveProcess(place) as process:
        process.go()
        buy(place, "first")
        wait_until(lambda: len(created(place)) == 2, "a piece and its stop")
        wait_until(lambda: written(place) == process.status()["seq"], "all of it on the disk")
        process.signal(signal.SIGSTOP)
        buy(place, "second")
        time.sleep(STOP_S)
        since, woken_ns = place.twin.control.seq(), time.time_ns()
        process.signal(signal.SIGCONT)
        wait_until(lambda: created(place, since), "it goes on")
        assert process.status()["level"] == "RUN"
        process.kill()
    first_ns = min(record["ts_ns"] for record in created(place, since))
    facts = (record.fact() for record in records_of(place) if record.kind == "ACCOUNT_READ")
    reads = [fact.began_ns for fact in facts if isinstance(fact, AccountRead)]
    margin_ns = 1_000_000  # a reading bears the venue's milliseconds
    assert any(woken_ns - margin_ns <= read_ns <= first_ns + margin_ns for read_ns in reads)


def test_a_second_process_in_the_same_directory_is_refused_and_the_first_untouched(
    place: Place,
) -> None:
    with LiveProcess(place) as first:
        first.go()
        with LiveProcess(place) as second:
            assert second.wait() == 3
            assert f"is held by process {first.pid}" in second.words()
            assert str(place.data_dir) in second.words()
        since = place.twin.control.seq()
        wait_until(lambda: created(place, since), "the first goes on")
        assert first.status()["level"] == "RUN"
        assert first.stop() == 0


def test_a_second_process_elsewhere_locks_the_first_for_good(place: Place) -> None:
    elsewhere = place.folder / "else"
    elsewhere.mkdir()
    old, new = told(place), replace(told(place, "told2"), folder=elsewhere)
    with LiveProcess(old) as first:
        first.go()
        buy(old, "first")
        wait_until(lambda: position(first) == "0.003", "a piece")
        stop = wait_until(lambda: only_stop(place, "0.003"), "a stop for all of it")
        place.twin.control.manual("cancel", order_id=stop["order_id"])  # else the second halts
        wait_until(lambda: not first.status()["open_orders"], "nothing is open")
        with LiveProcess(new) as second:
            second.go()
            buy(new, "first")
            buy(new, "second")
            try:
                wait_until(lambda: len(epochs(place)) == 2, "an order of the second")
            except AssertionError as error:
                raise AssertionError(f"{error}: {second.status()} {second.words()}") from None
            wait_until(lambda: first.status()["level"] == "LOCKED", "the first has seen it")
            since = place.twin.control.seq()
            buy(old, "second")
            buy(old, "leave")
            time.sleep(WATCHED_S)
            assert "start" in first.status()["reason"]
            older = min(epochs(place))
            late = [r for r in created(place, since) if r["client_order_id"].startswith(older)]
            assert late == []
            assert first.stop() == 0
            assert second.status()["level"] == "RUN"


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_directory_that_others_may_read_is_refused(place: Place, mode: int) -> None:
    place.data_dir.mkdir(parents=True)
    place.data_dir.chmod(mode)
    with LiveProcess(place) as process:
        assert process.wait() == 3
        assert f"chmod 700 {place.data_dir}" in process.words()
    assert created(place) == []


def test_what_is_written_is_private(place: Place) -> None:
    with LiveProcess(place) as process:
        process.go()
        process.ask("kill", level="HALT_NEW", reason="to have a latch file")
        modes = {file.name: file.stat().st_mode & 0o077 for file in place.data_dir.iterdir()}
        assert place.data_dir.stat().st_mode & 0o077 == 0
        shown = {name for name, mode in modes.items() if mode}
        assert shown <= {"journal.db.lock"}, "which holds a process id alone"


def test_a_directory_of_yesterday_adopts_what_came_since_and_waits_for_a_person(
    place: Place,
) -> None:
    place = told(place)
    backup = place.folder / "backup"
    with LiveProcess(place) as process:
        process.go()
        buy(place, "first")
        wait_until(lambda: position(process) == "0.003", "a piece")
        assert process.stop() == 0
    shutil.copytree(place.data_dir, backup)
    with LiveProcess(place) as process:
        process.go()
        epoch = process.status()["epoch"]
        buy(place, "second")
        wait_until(lambda: position(process) == "0.006", "another piece")
        assert process.stop() == 0
    shutil.rmtree(place.data_dir)
    shutil.copytree(backup, place.data_dir)
    with LiveProcess(place) as process:
        status = process.until_ready()
        assert status["epoch"] > epoch
        wait_until(lambda: position(process) == "0.006", "what was not in the backup")
        assert process.status()["level"] == "HALT_NEW"
        assert "the kill switch at RUN" in process.confirm()["missing"]
        assert process.stop() == 0
    ids = [record["client_order_id"] for record in created(place)]
    assert len(ids) == len(set(ids))
    held = place.twin.control.account()["positions"]
    assert sum(Decimal(each["size"]) for each in held) == Decimal("0.006")
    assert len(ledger_of(place)) > 0
