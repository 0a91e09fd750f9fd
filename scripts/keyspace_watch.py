# SPDX-License-Identifier: Apache-2.0
"""`keyspace_watch.py`: which keys of a server are written, from the moment it is made, by its
keyspace notifications. What nobody is notified of (a flush, acknowledgements of a stream) and what
was missed while the line was cut, the one who watches has to find by looking.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

import redis

from hean.errors import EnvironmentFault
from keyspace import MARKER, Answered, Key, Server

SETTING = "notify-keyspace-events"
NEEDED = "KA"  # by key, every kind
CHANNEL = b"__keyspace@"
READY_S = 5.0
LOOK_S = 0.05


class Watch:
    """*before*: the server's setting before an earlier watch that was killed changed it.

    *Raises*: `EnvironmentFault` when the server does not let itself be watched.
    """

    def __init__(self, server: Server, before: str | None = None) -> None:
        self._server = server
        found = self._setting()
        self.before = found if before is None else before
        """What it will be set to again."""
        if not set(NEEDED) <= set(found):
            self._set("".join(sorted(set(found) | set(NEEDED))))
        self._lock = threading.Lock()
        self._written: set[Key] = set()
        self._is_blind = False
        self._is_closed = False
        self._is_ready = threading.Event()
        self._asked = 0  # questions to which the answer comes behind all that was told before
        self._answered = threading.Condition(self._lock)
        self._answer = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._is_ready.wait(READY_S):
            self.close()
            raise EnvironmentFault(f"{server.name} sends no notifications of its keys.")

    def take(self) -> tuple[set[Key], bool]:
        """Keys that were written until now since the last time, and whether some were missed."""
        with self._answered:
            self._asked += 1
            number = self._asked
            if not self._answered.wait_for(lambda: self._answer >= number, READY_S):
                self._is_blind = True
            written, self._written = self._written, set()
            is_blind, self._is_blind = self._is_blind, False
        return written, is_blind

    def close(self) -> None:
        """Leave the server as it was found."""
        self._is_closed = True
        self._thread.join(READY_S)
        with suppress(EnvironmentFault):  # it has ended, and its setting with it
            self._set(self.before)

    # ------------------------------------------------------------ inside

    def _setting(self) -> str:
        try:
            found = self._server.one(0, "CONFIG", "GET", SETTING)
        except Answered as error:
            raise EnvironmentFault(self._remedy(error)) from None
        return str(found[1].decode()) if found else ""

    def _set(self, value: str) -> None:
        try:
            self._server.one(0, "CONFIG", "SET", SETTING, value)
        except Answered as error:
            raise EnvironmentFault(self._remedy(error)) from None

    def _remedy(self, error: Answered) -> str:
        return f"{error}; set {SETTING} {NEEDED} in its configuration, or migrate without --follow."

    def _run(self) -> None:
        while not self._is_closed:
            try:
                self._listen()
            except redis.RedisError:
                time.sleep(LOOK_S)

    def _listen(self) -> None:
        channel = self._server.client(0).pubsub()
        try:
            channel.psubscribe(CHANNEL + b"*")
            sent = 0
            while not self._is_closed:
                if sent != self._asked:
                    sent = self._asked
                    channel.ping(str(sent))
                message = channel.get_message(timeout=LOOK_S)
                if message is not None:
                    self._take(message)
        finally:
            with suppress(redis.RedisError):
                channel.close()

    def _take(self, message: dict[str, Any]) -> None:
        with self._lock:
            if message["type"] == "psubscribe":
                self._is_blind = self._is_ready.is_set()  # not the first time: some were missed
                self._is_ready.set()
            elif message["type"] == "pong":
                self._answer = int(message["data"])
                self._answered.notify_all()
            elif message["type"] == "pmessage":
                db, _, key = message["channel"][len(CHANNEL) :].partition(b"__:")
                if not key.startswith(MARKER):
                    self._written.add((int(db), key))
