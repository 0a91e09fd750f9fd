# SPDX-License-Identifier: Apache-2.0
"""`kept_answers.py`: what was asked under an idempotency key, and what came of it, on the disk: a
server that is restarted, or killed in the middle, makes no second order of a request that comes
again. A request is written down, and synced, before it is carried out. One that was begun and has
no answer has an outcome that nobody knows; it is never carried out again.

Bodies are kept as their SHA-256 alone; answers are those of orders and jobs, which hold no secret.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hean.errors import EnvironmentFault

FILE = "answers.db"
LIFE_NS = 86_400 * 10**9
BUSY_S = 2.0  # another server on the same folder writes a row in a few milliseconds
_MODE = 0o600
_SCHEMA = """
CREATE TABLE IF NOT EXISTS asked (
    token TEXT NOT NULL, key BLOB NOT NULL, digest BLOB NOT NULL, ts_ns INTEGER NOT NULL,
    answer BLOB, PRIMARY KEY (token, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS asked_since ON asked (ts_ns);
"""


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """A whole answer, as it was sent."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """An earlier request. *digest*: of all of it that matters; *answer*: `None` if it has none."""

    digest: bytes
    answer: Answer | None


class KeptAnswers:
    """The file in *folder*, opened when it is first needed. *now*: UTC nanoseconds. Safe to use
    from several threads and processes.
    """

    def __init__(self, folder: Path, now: Callable[[], int]) -> None:
        self._folder = folder.expanduser()
        self._now = now
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def begin(self, token: str, key: bytes, digest: bytes) -> Asked | None:
        """Write a request down before it is carried out. *Returns*: an earlier one of that key, in
        which case nothing is written. *Raises*: `EnvironmentFault` when it cannot be.
        """
        now = self._now()
        try:
            with self._lock, self._connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("DELETE FROM asked WHERE ts_ns < ?", (now - LIFE_NS,))
                row = connection.execute(
                    "SELECT digest, answer FROM asked WHERE token = ? AND key = ?", (token, key)
                ).fetchone()
                if row is None:
                    connection.execute(
                        "INSERT INTO asked VALUES (?, ?, ?, ?, NULL)", (token, key, digest, now)
                    )
                    return None
            answer = None if row[1] is None else msgspec.msgpack.decode(row[1], type=Answer)
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            raise EnvironmentFault(
                f"{self._folder / FILE}: {error}; without it a request could be done twice."
            ) from error
        return Asked(row[0], answer)

    def finish(self, token: str, key: bytes, answer: Answer) -> None:
        """Keep what came of it. *Raises*: `EnvironmentFault`."""
        try:
            with self._lock, self._connection() as connection:
                connection.execute(
                    "UPDATE asked SET answer = ? WHERE token = ? AND key = ?",
                    (msgspec.msgpack.encode(answer), token, key),
                )
        except (sqlite3.Error, OSError) as error:
            raise EnvironmentFault(f"{self._folder / FILE}: {error}.") from error

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._folder / FILE
            path.touch(mode=_MODE)
            opened = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            for setting in ("journal_mode=WAL", "synchronous=FULL"):
                opened.execute(f"PRAGMA {setting}")
            opened.executescript(_SCHEMA)
            self._opened = opened
        return self._opened
