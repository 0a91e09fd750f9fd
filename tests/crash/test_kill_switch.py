# SPDX-License-Identifier: Apache-2.0
"""The kill switch of real processes at a twin: what was acknowledged is on the disk whatever dies,
nothing new leaves after it, and what it is to close is closed. `HEAN_KILL_TRIALS` says how often a
process is killed in the middle of a stop; each time takes about two seconds.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from crash.cells import short_folder
from crash.live_process import SYMBOLS, LiveProcess, Place
from hean.core.journal import open_journal
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.live.recovery import fold
from hean.risk.levels import Latched, rank, stricter
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server

TRIALS = int(os.environ.get("HEAN_KILL_TRIALS", "40"))
STARTED_EVERY = 10  # trials: there a new process is asked too, not the files alone
MOMENTS = (-2.0, 1.0)  # powers of ten: of what a stop takes, 5 ms or on a busy machine 100
GRACE_NS = 50_000_000
WATCHED_S = 1.5  # in which nothing new may arrive any more


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the control socket is."""
    with short_folder() as folder:
        yield folder


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


class Acknowledged(NamedTuple):
    """When an answer had come, and how far the exchange was then: an order that was on its way may
    have waited for a busy exchange.
    """

    answer: dict[str, Any]
    at_ns: int
    seq: int

    @classmethod
    def now(cls, twin: TwinProcess, answer: dict[str, Any]) -> Self:
        """The answer is here."""
        return cls(answer, time.time_ns(), twin.control.seq())

    def late(self, twin: TwinProcess) -> list[dict[str, Any]]:
        """What is new and came too late."""
        limit_ns = self.at_ns + GRACE_NS
        return [each for each in news(twin, self.seq) if each["ts_ns"] > limit_ns]


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
        told = Acknowledged.now(twin, process.ask("kill", level="HALT_NEW", reason="a test"))
        time.sleep(WATCHED_S)  # the point: what comes in this time
        assert (told.answer["ok"], told.answer["level"]) == (True, "HALT_NEW")
        assert told.late(twin) == []
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
    had come, journal and file together hold the stop, nothing new came to the exchange later than
    50 ms after it, and a new process starts with it.
    """
    chance, acknowledged, usual_s = random.Random(7), 0, 0.02
    with TwinProcess("bybit", folder) as twin:
        for trial in range(TRIALS):
            (folder / str(trial)).mkdir()
            place = Place(twin, "linear", folder / str(trial), given={"every": "1"})
            since, answers = twin.control.seq(), list[Acknowledged]()
            with LiveProcess(place) as process:
                process.go()
                if trial % STARTED_EVERY == 0:
                    wait_until(lambda since=since: news(twin, since), "an order")
                asking = threading.Thread(target=_ask_quietly, args=(process, answers))
                began_ns = time.time_ns()
                asking.start()
                if trial % STARTED_EVERY == 1:
                    asking.join()
                    usual_s = (answers[0].at_ns - began_ns) / 1e9
                time.sleep(usual_s * 10 ** chance.uniform(*MOMENTS))  # what is tried
                process.kill()
                asking.join()
            found = latched(place)
            if answers and answers[0].answer["ok"]:
                acknowledged += 1
                assert rank(found.level) >= rank("CANCEL_ALL"), f"trial {trial}"
                assert answers[0].late(twin) == []
            if trial % STARTED_EVERY == 0:
                with LiveProcess(place) as process:
                    assert rank(process.until_ready()["level"]) >= rank(found.level)
            _clear(twin)
    print(f"{acknowledged} of {TRIALS} stops were acknowledged before the process died")
    assert 0 < acknowledged < TRIALS or TRIALS < STARTED_EVERY


def _clear(twin: TwinProcess) -> None:
    """The account as a new journal likes it: an order of an earlier one would stop it."""
    twin.control.manual("cancel_all")
    for symbol in SYMBOLS:
        twin.control.manual("close", symbol=symbol, market="linear")


def _ask_quietly(process: LiveProcess, answers: list[Acknowledged]) -> None:
    """Keeps the answer, if one comes, with the moment when it came."""
    with suppress(OSError):
        answer = process.ask("kill", level="CANCEL_ALL", reason="a test")
        answers.append(Acknowledged.now(process.place.twin, answer))


def lose_file(place: Place) -> None:
    (place.data_dir / "kill.latch").unlink()


def truncate_file(place: Place) -> None:
    latch = place.data_dir / "kill.latch"
    latch.write_bytes(latch.read_bytes()[:40])


def damage_file(place: Place) -> None:
    latch = place.data_dir / "kill.latch"
    latch.write_bytes(latch.read_bytes().replace(b"CANCEL_ALL", b"RUN"))


def lose_journal(place: Place) -> None:
    for file in place.data_dir.glob("journal.db*"):
        file.unlink()


def shorten_journal(place: Place) -> None:
    """Without its last rows: the stop is not in it."""
    with closing(sqlite3.connect(place.journal, isolation_level=None)) as database:
        (seq,) = database.execute(
            "SELECT min(seq) FROM record WHERE kind = 'KILLSWITCH_TRIGGERED'"
        ).fetchone()
        database.execute("DELETE FROM record WHERE seq >= ?", (seq,))


@pytest.mark.parametrize(
    ("lose", "level"),
    [
        (lose_file, "CANCEL_ALL"),
        (truncate_file, "LOCKED"),
        (damage_file, "LOCKED"),
        (lose_journal, "CANCEL_ALL"),
        (shorten_journal, "CANCEL_ALL"),
    ],
)
def test_a_restart_with_one_copy_lost_is_still_stopped(
    place: Place, lose: Callable[[Place], None], level: str
) -> None:
    with LiveProcess(place) as process:
        process.go()
        process.ask("kill", level="CANCEL_ALL", reason="a test")
        process.kill()
    lose(place)
    since = place.twin.control.seq()
    with LiveProcess(place) as process:
        assert process.until_ready()["level"] == level
        assert "the kill switch at RUN" in process.confirm()["missing"]
        time.sleep(WATCHED_S)  # the point: what comes in this time
        assert news(place.twin, since) == []


def test_a_damaged_journal_does_not_start_whatever_the_file_says(place: Place) -> None:
    with LiveProcess(place) as process:
        process.go()
        process.ask("kill", level="CANCEL_ALL", reason="a test")
        assert process.stop() == 0
    with closing(sqlite3.connect(place.journal, isolation_level=None)) as database:
        database.execute("UPDATE record SET payload = x'00' WHERE kind = 'KILLSWITCH_TRIGGERED'")
    with LiveProcess(place) as process:
        assert process.wait() == 2
        assert "JournalDamaged" in process.words()
