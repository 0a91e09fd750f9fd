# SPDX-License-Identifier: Apache-2.0
"""Alerts on the disk: with their fate, bounded, private, shared by processes."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from hean.observe.alert_rules import Alert
from hean.observe.alert_store import (
    DELIVERED,
    FILE,
    GIVEN_UP,
    KEPT,
    PENDING,
    AlertStore,
    kept_alerts,
)


def alert(text: str = "x") -> Alert:
    return Alert.of("error", text, 5)


def test_an_alert_is_kept_with_its_fate(tmp_path: Path):
    store = AlertStore(tmp_path)
    number = store.add(alert("disk broke"), "s1", "paper", ["mail", "slack"])
    store.settle(number, "mail", DELIVERED, tries=1)
    store.settle(number, "slack", GIVEN_UP, tries=5, reason="404")
    store.again(number)
    (kept,) = store.newest(10)
    assert kept.alert == alert("disk broke") and (kept.who, kept.times) == ("paper", 2)
    assert [(d.way, d.state, d.tries, d.reason) for d in kept.deliveries] == [
        ("mail", DELIVERED, 1, ""), ("slack", GIVEN_UP, 5, "404"),
    ]  # fmt: skip
    store.close()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_what_did_not_arrive_everywhere_is_found(tmp_path: Path):
    store = AlertStore(tmp_path)
    numbers = [store.add(alert(str(n)), "s1", "paper", ["mail"]) for n in range(4)]
    store.settle(numbers[0], "mail", DELIVERED, tries=1)
    store.settle(numbers[2], "mail", GIVEN_UP, tries=5)
    store.add(Alert.of("started", "x", 5), "s1", "paper", ["mail"])  # waits for its digest
    nowhere = store.add(alert("no destination"), "s1", "paper", [])
    assert [k.id for k in store.newest(10, is_missed=True)] == numbers[:0:-1]
    assert store.missed() == 3 and store.newest(1)[0].id == nowhere
    found, missed = kept_alerts(tmp_path, 2, is_missed=True)
    assert (len(found), missed) == (2, 3)


def test_a_successor_goes_on_with_its_own_session_alone(tmp_path: Path):
    store = AlertStore(tmp_path)
    own = store.add(alert(), "s1", "paper", ["mail"])
    store.add(alert(), "s2", "live", ["mail"])
    assert [(k.id, k.deliveries[0].state) for k in store.pending("s1")] == [(own, PENDING)]


def test_it_is_bounded(tmp_path: Path):
    store = AlertStore(tmp_path)
    for _ in range(KEPT + 50):
        last = store.add(alert("y" * 1_000), "s1", "paper", ["mail"])
    found = store.newest(KEPT * 2)
    assert (len(found), found[0].id) == (KEPT, last)
    with sqlite3.connect(tmp_path / FILE) as disk:
        assert disk.execute("SELECT count(*) FROM delivery").fetchone() == (KEPT,)


def test_several_write_at_a_time(tmp_path: Path):
    def write(session: str) -> None:
        store = AlertStore(tmp_path)
        for _ in range(50):
            store.add(alert(), session, "paper", [])

    threads = [threading.Thread(target=write, args=(f"s{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept_alerts(tmp_path, 1_000)[0]) == 200


def test_where_nothing_was_told_nothing_is_made(tmp_path: Path):
    assert kept_alerts(tmp_path / "no", 10) == ([], 0)
    assert not (tmp_path / "no").exists()


def test_a_file_that_is_something_else_is_an_error(tmp_path: Path):
    (tmp_path / FILE).write_bytes(b"not a database, " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        kept_alerts(tmp_path, 10)
