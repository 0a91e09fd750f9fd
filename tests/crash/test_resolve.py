# SPDX-License-Identifier: Apache-2.0
"""`hean resolve` beside a real trading process at a twin: an order whose id somebody else's order
bears stays in quarantine until a person has decided, and is decided for good: a process that is
killed right after the answer comes back with the same books.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crash.live_process import SETTLE_S, LiveProcess, Place
from hean.core.journal import open_journal
from hean.live.recovery import Books, fold
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server

PYRAMID = f"{Path(__file__).with_name('pyramid.py')}:Pyramid"
REASON = "the venue's support says so"


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A strategy that offers a few pieces far from the market when it is told to."""
    folder = tmp_path_factory.mktemp("rsv")
    told = folder / "told"
    told.mkdir()
    with TwinProcess("bybit", folder) as twin:
        place = Place(twin, "linear", folder)
        yield replace(place, strategy=PYRAMID, given={"told": str(told)})


def resolve(place: Place, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """`hean resolve`, as a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "hean", "resolve", *words, "--json", "-"],
        env=place.variables(),
        input=typed,
        capture_output=True,
        text=True,
        timeout=SETTLE_S,
        check=False,
    )


def books_of(place: Place) -> Books:
    journal = open_journal(place.journal)
    try:
        books = fold(journal.records())
    finally:
        journal.close()
    assert books is not None
    return books


def held(place: Place) -> list[dict[str, Any]]:
    ran = resolve(place)
    assert ran.returncode == 0, ran.stderr
    return list(json.loads(ran.stdout)["orders"])


def test_39_an_order_in_quarantine_is_decided_by_a_person_once_the_venue_agrees(
    place: Place,
) -> None:
    place.twin.control.fault("duplicate_id", existing="foreign", count=1)
    with LiveProcess(place) as process:
        process.go()
        (Path(place.given["told"]) / "burst").touch()
        wait_until(lambda: held(place), "an order in quarantine", timeout_s=SETTLE_S)
        (order,) = held(place)
        order_id, phrase = order["order_id"], f"resolve {process.status()['account']}\n"
        assert "under this id" in order["why"]
        wish = (order_id, "never-made", "--reason", REASON)

        ran = resolve(place, f"{order_id}x", *wish[1:], typed=phrase)
        assert (ran.returncode, order_id in ran.stderr) == (2, True), ran.stderr
        ran = resolve(place, *wish, typed="yes\n")
        assert (ran.returncode, "the phrase is another one" in ran.stderr) == (4, True), ran.stderr
        ran = resolve(place, *wish, typed=phrase)
        assert (ran.returncode, "Cancel it there first" in ran.stderr) == (4, True), ran.stderr
        place.twin.control.manual("cancel", client_id=order_id)

        ran = resolve(place, *wish, typed=phrase)
        assert ran.returncode == 0, ran.stderr
        process.kill()
        assert "count no more" in json.loads(ran.stdout)["done"]

    books = books_of(place)
    assert books.engine.status(order_id) == "ABSENT"
    assert books.hash() == books_of(place).hash()
    rows = open_journal(place.journal)
    said = [row for row in rows.records() if REASON.encode() in row.payload]
    rows.close()
    assert [row.kind for row in said] == ["COMMAND", "ORDER_ABSENT"]
    with LiveProcess(place) as process:
        assert process.until_ready()["level"] == "RUN"
        assert held(place) == []
        assert process.stop() == 0
    ran = resolve(place, *wish, typed=phrase)
    assert (ran.returncode, "no process runs there" in ran.stderr) == (3, True), ran.stderr
