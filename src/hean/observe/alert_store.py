# SPDX-License-Identifier: Apache-2.0
"""`alert_store.py`: alerts on the disk, with what became of each at every destination: delivered,
still to be sent, given up. One small SQLite file in the data directory, which several processes may
write; the oldest rows go. It is for people: nothing trades by it, so it is not synced row by row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from hean.observe.alert_rules import Alert, Severity

FILE = "alerts.db"
KEPT = 2_000  # alerts; some hundred kB
BUSY_S = 0.5  # another process writes a row in a millisecond
PENDING, DELIVERED, GIVEN_UP = "pending", "delivered", "undelivered"
_MODE = 0o600
_SCHEMA = """
CREATE TABLE IF NOT EXISTS alert (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, who TEXT NOT NULL,
    ts_ns INTEGER NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL, key TEXT NOT NULL,
    text TEXT NOT NULL, times INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS delivery (
    alert_id INTEGER NOT NULL REFERENCES alert (id) ON DELETE CASCADE, way TEXT NOT NULL,
    state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (alert_id, way));
"""
_NEWEST = "SELECT id, session, who, ts_ns, rule, severity, key, text, times FROM alert {} LIMIT ?"
_IS_MISSED = (
    "(state = 'undelivered' OR state = 'pending' AND"
    " (tries > 0 OR alert_id NOT IN (SELECT id FROM alert WHERE severity = 'info')))"
)
"""Given up, or failed for now; what is not urgent waits for its digest in good order."""
_MISSED = f"WHERE id IN (SELECT alert_id FROM delivery WHERE {_IS_MISSED}) ORDER BY id DESC"


class Delivery(msgspec.Struct, frozen=True):
    """What became of an alert at a destination. *reason*: of the last failure."""

    way: str
    state: str
    tries: int
    reason: str


class Kept(msgspec.Struct, frozen=True):
    """An alert with its fate. *session*: of the process that told it; *who*: which engine, in
    words; *times*: how often it came within a short time.
    """

    id: int
    session: str
    who: str
    ts_ns: int
    rule: str
    severity: Severity
    key: str
    text: str
    times: int
    deliveries: list[Delivery]

    @property
    def alert(self) -> Alert:
        """As it was told."""
        return Alert(self.ts_ns, self.rule, self.severity, self.text, self.key)


class AlertStore:
    """The file in *folder*, made if it is not there. *Raises*: `sqlite3.Error`, `OSError`, here and
    everywhere: the caller decides what that is worth.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / FILE
        path.touch(mode=_MODE)
        self._connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        for setting in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.executescript(_SCHEMA)

    def add(self, alert: Alert, session: str, who: str, ways: Sequence[str]) -> int:
        """A new alert that goes these *ways*. *Returns*: its number."""
        row = (session, who, alert.ts_ns, alert.rule, str(alert.severity), alert.key, alert.text)
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            cursor = connection.execute(
                "INSERT INTO alert (session, who, ts_ns, rule, severity, key, text)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            number = int(cursor.lastrowid or 0)
            connection.executemany(
                "INSERT INTO delivery (alert_id, way, state) VALUES (?, ?, ?)",
                [(number, way, PENDING) for way in ways],
            )
            connection.execute("DELETE FROM alert WHERE id <= ?", (number - KEPT,))
        return number

    def again(self, number: int) -> None:
        """The same once more."""
        self._connection.execute("UPDATE alert SET times = times + 1 WHERE id = ?", (number,))

    def settle(self, number: int, way: str, state: str, *, tries: int, reason: str = "") -> None:
        """What has become of an alert at a destination."""
        self._connection.execute(
            "UPDATE delivery SET state = ?, tries = ?, reason = ? WHERE alert_id = ? AND way = ?",
            (state, tries, reason, number, way),
        )

    def pending(self, session: str) -> list[Kept]:
        """What an earlier sender of this session left, the oldest first."""
        found = self._kept("WHERE session = ? ORDER BY id DESC", (session, KEPT))
        waiting = [k for k in found if any(d.state == PENDING for d in k.deliveries)]
        return waiting[::-1]

    def newest(self, limit: int, *, is_missed: bool = False) -> list[Kept]:
        """The newest first. *is_missed*: those alone that did not reach every destination."""
        return self._kept(_MISSED if is_missed else "ORDER BY id DESC", (limit,))

    def missed(self) -> int:
        """How many did not reach every destination where they should have been by now."""
        sql = f"SELECT count(DISTINCT alert_id) FROM delivery WHERE {_IS_MISSED}"
        return int(self._connection.execute(sql).fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _kept(self, which: str, parameters: tuple[object, ...]) -> list[Kept]:
        rows = self._connection.execute(_NEWEST.format(which), parameters).fetchall()
        numbers = [row[0] for row in rows]
        fates: dict[int, list[Delivery]] = {number: [] for number in numbers}
        marks = ",".join("?" * len(numbers))
        for number, *rest in self._connection.execute(
            "SELECT alert_id, way, state, tries, reason FROM delivery"
            f" WHERE alert_id IN ({marks}) ORDER BY way",
            numbers,
        ):
            fates[number].append(Delivery(*rest))
        return [
            Kept(
                number,
                session,
                who,
                ts_ns,
                rule,
                Severity(severity),
                key,
                text,
                times,
                fates[number],
            )
            for number, session, who, ts_ns, rule, severity, key, text, times in rows
        ]


def kept_alerts(folder: Path, limit: int, *, is_missed: bool = False) -> tuple[list[Kept], int]:
    """The newest alerts of a data directory, and how many did not reach every destination; nothing
    where none was ever told. *Raises*: `sqlite3.Error`, `OSError`.
    """
    if not (folder / FILE).exists():
        return [], 0
    with closing(AlertStore(folder)) as store:
        return store.newest(limit, is_missed=is_missed), store.missed()
