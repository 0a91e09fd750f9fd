# SPDX-License-Identifier: Apache-2.0
"""What a trading process is given that it must not trade with: a journal that was damaged, or is
somebody else's, or of a newer version; a full disk; a wrong key; rules that change while it trades.
Each ends with its exit code and a sentence that says what to do, or it goes on within the rules.
"""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crash.audit import Reading, problems
from crash.live_process import SETTLE_S, LiveProcess, Place
from venue_contract.twin_process import SECOND, Account, TwinProcess, wait_until

pytestmark = pytest.mark.server

INPUT, ENVIRONMENT = 2, 3  # exit codes
PAGE_BYTES = 4_096


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with TwinProcess("bybit", tmp_path_factory.mktemp("bad")) as twin:
        yield twin


@pytest.fixture
def place(twin: TwinProcess, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("b")
    return Place(twin, "linear", folder, given={"every": "1", "paused": "true"})


@pytest.fixture
def traded(place: Place) -> Place:
    """With the journal of a life that ended in order."""
    with LiveProcess(place) as process:
        assert process.until_ready()
        assert process.stop() == 0
    return place


def refused(place: Place, code: int) -> str:
    """What a start said that ended with this code."""
    with LiveProcess(place) as process:
        assert process.wait() == code, process.words()
        return process.words()


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // PAGE_BYTES // 2 * PAGE_BYTES)


def flip(path: Path) -> None:
    """One bit of the last row that is of any length."""
    with closing(sqlite3.connect(path)) as database:
        (payload,) = database.execute(
            "SELECT payload FROM record WHERE length(payload) > 40 ORDER BY seq DESC LIMIT 1"
        ).fetchone()
    content = bytearray(path.read_bytes())
    content[content.rindex(bytes(payload[:40])) + 20] ^= 1
    path.write_bytes(content)


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE header SET format = 99")


def overwrite(path: Path) -> None:
    path.write_bytes(b"not a database, whatever its name says " * 100)


@pytest.mark.parametrize(
    ("damage", "advice"),
    [
        (truncate, "restore"),
        (flip, "restore"),
        (overwrite, "restore"),
        (make_newer, "use the version that wrote it"),
    ],
)
def test_a_damaged_journal_is_refused_with_advice(
    traded: Place, damage: Callable[[Path], None], advice: str
) -> None:
    damage(traded.journal)
    said = refused(traded, INPUT)
    assert "JournalDamaged" in said
    assert str(traded.journal) in said
    assert advice in said


def test_the_journal_of_another_account_is_refused(traded: Place) -> None:
    said = refused(replace(traded, account=SECOND), INPUT)
    assert "is the journal of bybit linear testnet" in said
    assert "a data directory of its own" in said


@pytest.mark.control("C-14")
def test_a_key_of_another_account_than_configured_is_refused(place: Place) -> None:
    said = refused(replace(place, environment={"HEAN_ACCOUNT_ID": "42"}), INPUT)
    assert "configured is 42" in said


@pytest.mark.parametrize(
    "account",
    [
        Account("main", "contractmainkey0001", "x" * 32),
        Account("main", "akeyofthemainnetwork", "y" * 32),
    ],
    ids=["wrong secret", "key of another network"],
)
def test_a_key_that_the_venue_refuses_ends_the_start(place: Place, account: Account) -> None:
    said = refused(replace(place, account=account), INPUT)
    assert "does not accept the key of BYBIT_API_KEY" in said
    assert "is it a key of this network" in said
    assert account.secret not in said


def test_a_full_disk_ends_the_process_and_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """No file may grow beyond what the journal has by then, as on a full disk. The process ends by
    itself; another one, with room, goes on.
    """
    folder = tmp_path_factory.mktemp("full")
    with TwinProcess("bybit", folder) as twin:
        place = Place(twin, "linear", folder, given={"every": "1"})
        with LiveProcess(place) as process:
            process.go()
            wait_until(lambda: limits(twin), "orders")
            full = place.journal.with_name("journal.db-wal").stat().st_size
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (full, full))
            assert process.wait() == ENVIRONMENT, process.words()
            assert "JournalWriteFailed" in process.words()
        paused = replace(place, given={"paused": "true"})
        with LiveProcess(paused) as process:
            assert process.until_ready()
            process.until_rest(time.monotonic() + SETTLE_S)
            assert process.stop() == 0
        found = problems(paused, Reading(paused))
        assert [each for each in found if "kill switch" not in each] == []


def test_rules_that_change_are_kept_from_then_on(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The venue makes its grid coarser in the middle of trading. Orders go on, on the new one."""
    folder = tmp_path_factory.mktemp("rule")
    with TwinProcess("bybit", folder) as twin:
        # Slow enough that the rules are read anew before too many orders were refused.
        place = Place(twin, "linear", folder, given={"every": "10"})
        with LiveProcess(place) as process:
            process.go()
            wait_until(lambda: limits(twin), "orders")
            twin.control.fault("filter_change", tick="0.5", match={"symbol": "BTCUSDT"})
            since = twin.control.seq()
            wait_until(lambda: len(limits(twin, since)) > 3, "more orders")
            assert process.status()["level"] == "RUN"
            assert process.stop() == 0
        assert all(Decimal(price) % Decimal("0.5") == 0 for price in limits(twin, since))


def limits(twin: TwinProcess, since: int = 0) -> list[Any]:
    """Prices of the limit orders that were created in the first symbol."""
    return [
        record["price"]
        for record in twin.control.ledger(since)
        if (record["kind"], record["symbol"]) == ("new", "BTCUSDT") and record["price"]
    ]
