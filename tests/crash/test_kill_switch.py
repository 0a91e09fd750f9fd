# SPDX-License-Identifier: Apache-2.0
"""The kill switch of real processes at a twin: what was acknowledged is on the disk whatever dies,
nothing new leaves after it, and what it is to close is closed. `HEAN_KILL_TRIALS` says how often a
process is killed in the middle of a stop; each time takes about three seconds.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crash.live_process import LiveProcess, Place
from hean.core.journal import open_journal
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.live.recovery import fold
from hean.risk.levels import Latched, rank, stricter
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server

TRIALS = int(os.environ.get("HEAN_KILL_TRIALS", "4"))
WINDOW_S = 0.05  # several times what a stop takes from the request to its answer
GRACE_NS = 50_000_000
WATCHED_S = 1.5  # in which nothing new may arrive any more


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a short name: the control socket is somewhere in it."""
    return tmp_path_factory.mktemp("kill")


@contextmanager
def at_a_twin(folder: Path) -> Iterator[Place]:
    """A twin and a directory of their own: what an earlier run traded would stop the next."""
    with TwinProcess("bybit", folder) as twin:
        yield Place(twin, "linear", folder, given={"every": "1"})


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    with at_a_twin(folder) as place:
        yield place


def news(twin: TwinProcess, since: int = 0) -> list[dict[str, Any]]:
    """Orders that may open something, as they reached the exchange: this strategy only ever buys
    to open, and sells to close.
    """
    return [
        record
        for record in twin.control.ledger(since)
        if record["kind"] == "new" and record["side"] == "BUY"
    ]


def latched(place: Place) -> Latched:
    """What the next process will go on with."""
    journal = open_journal(place.journal)
    try:
        books = fold(journal.records())
    finally:
        journal.close()
    copy = Latch(place.data_dir / "kill.latch", read_file, write_file).load()
    return stricter(books.latched if books else Latched(), copy)


def test_nothing_new_arrives_once_a_stop_is_acknowledged(place: Place) -> None:
    twin = place.twin
    with LiveProcess(place) as process:
        process.go()
        wait_until(lambda: len(news(twin)) > 5, "orders")
        answer = process.ask("kill", level="HALT_NEW", reason="a test")
        acknowledged_ns = time.time_ns()
        time.sleep(WATCHED_S)  # the point: what comes in this time
        assert (answer["ok"], answer["level"]) == (True, "HALT_NEW")
        late = [r for r in news(twin) if r["ts_ns"] > acknowledged_ns + GRACE_NS]
        assert late == []
        assert process.status()["level"] == "HALT_NEW"


def test_flatten_leaves_neither_orders_nor_positions(place: Place) -> None:
    twin = place.twin
    with LiveProcess(place) as process:
        process.go()
        wait_until(lambda: twin.control.account()["positions"], "a position")
        process.ask("kill", level="FLATTEN", reason="a test")
        wait_until(lambda: not twin.control.account()["positions"], "no position")
        wait_until(lambda: not twin.control.account()["open_orders"], "no open order")
        assert process.stop() == 0


def test_a_stop_survives_the_death_of_its_process_at_any_moment(folder: Path) -> None:
    """The process is killed between the request and a little after its answer. Whenever the answer
    had come, journal and file together hold the stop, and a new process starts with it.
    """
    chance, acknowledged = random.Random(7), 0
    for trial in range(TRIALS):
        (folder / str(trial)).mkdir()
        with at_a_twin(folder / str(trial)) as place:
            answers: list[dict[str, Any]] = []
            with LiveProcess(place) as process:
                process.go()
                asking = threading.Thread(target=_ask_quietly, args=(process, answers))
                asking.start()
                time.sleep(chance.uniform(0.0, WINDOW_S))  # when it dies is what is tried
                process.kill()
                asking.join()
            found = latched(place)
            if answers and answers[0]["ok"]:
                acknowledged += 1
                assert rank(found.level) >= rank("CANCEL_ALL"), f"trial {trial}"
            with LiveProcess(place) as process:
                assert process.until_ready()["level"] == found.level
    print(f"{acknowledged} of {TRIALS} stops were acknowledged before the process died")


def _ask_quietly(process: LiveProcess, answers: list[dict[str, Any]]) -> None:
    try:
        answers.append(process.ask("kill", level="CANCEL_ALL", reason="a test"))
    except OSError:
        return


@pytest.mark.parametrize("lost", ["file", "file damaged"])
def test_a_restart_with_one_copy_lost_is_still_stopped(place: Place, lost: str) -> None:
    with LiveProcess(place) as process:
        process.go()
        process.ask("kill", level="CANCEL_ALL", reason="a test")
        process.kill()
    latch = place.data_dir / "kill.latch"
    if lost == "file":
        latch.unlink()
    else:
        latch.write_bytes(b"RUN")
    with LiveProcess(place) as process:
        status = process.until_ready()
        assert status["level"] == ("CANCEL_ALL" if lost == "file" else "LOCKED")
        assert "the kill switch at RUN" in process.confirm()["missing"]
        assert news(place.twin, place.twin.control.seq()) == []
